import gzip
import io
import os
import re
import subprocess
import sys
import time

import pytest
import torch

import modelzoo
from tests.support.sequences import BROKEN, FASTA
from tests.support.tsv import table


def test_predict_writes_what_the_model_says(tiny, shiftsmooth, fasta):
    done = shiftsmooth("predict", fasta, "-m", "tiny-gata3")
    assert done.code == 0
    assert "2 predicted, 0 skipped" in done.err
    rows = table(done.out)
    assert [row["id"] for row in rows] == ["one", "two"]
    for row, sequence in zip(rows, ["ACGTACGTACGTACGT", "ACGTNNACGTACGTRYAC"], strict=True):
        with torch.no_grad():
            logit = tiny.model(modelzoo.one_hot(sequence))
        assert float(row["logit"]) == pytest.approx(logit.item(), rel=1e-4)
        assert float(row["probability"]) == pytest.approx(logit.sigmoid().item(), rel=1e-4)


def test_predict_gives_the_gate_of_a_mixture(shiftsmooth, fasta, tmp_path):
    from modelzoo.architectures.moe import MixtureOfExperts

    expert = {"filters": [4], "widths": [9]}
    MixtureOfExperts({"ARID3A": expert, "GATA3": expert}).save_pretrained(tmp_path / "moe")
    rows = table(shiftsmooth("predict", fasta, "-m", tmp_path / "moe").out)
    for row in rows:
        assert float(row["gate_ARID3A"]) + float(row["gate_GATA3"]) == pytest.approx(1, abs=1e-5)


def test_predict_reads_gzip_seq_bed_and_standard_input(tiny, shiftsmooth, tmp_path, monkeypatch):
    (tmp_path / "a.fa.gz").write_bytes(gzip.compress(b">one\nACGTACGTACGTACGT\n"))
    seq = "FoldID\tEventID\tseq\tBound\nA\tone\tACGTACGTACGTACGT\t1\n"
    (tmp_path / "a.seq.gz").write_bytes(gzip.compress(seq.encode()))
    (tmp_path / "genome.fa").write_text(">chr1\nTTACGTACGTACGTACGTTT\n")
    (tmp_path / "a.bed").write_text("chr1\t2\t18\tone\n")
    genome = ["--genome", tmp_path / "genome.fa", "--width", 16]
    placed = shiftsmooth("predict", tmp_path / "a.bed", *genome, "-m", "tiny-gata3").out
    assert placed.count("\tchr1\t2\t18\t.\t") == 1
    outputs = [
        shiftsmooth("predict", tmp_path / "a.fa.gz", "-m", "tiny-gata3").out,
        shiftsmooth("predict", tmp_path / "a.seq.gz", "-m", "tiny-gata3").out,
        placed.replace("\tchrom\tstart\tend\tstrand", "").replace("\tchr1\t2\t18\t.", ""),
    ]
    stdin = io.TextIOWrapper(io.BufferedReader(io.BytesIO(b">one\nACGTACGTACGTACGT\n")))
    monkeypatch.setattr(sys, "stdin", stdin)
    outputs.append(shiftsmooth("predict", "-", "-m", "tiny-gata3").out)
    assert len(set(outputs)) == 1
    assert table(outputs[0])[0]["id"] == "one"


def test_bed_without_a_genome_is_a_wrong_call(tiny, shiftsmooth, tmp_path):
    (tmp_path / "a.bed").write_text("chr1\t2\t18\n")
    done = shiftsmooth("predict", tmp_path / "a.bed", "-m", "tiny-gata3")
    assert done.code == 2
    assert "genome" in done.err


def test_unusable_records_are_named_and_counted_and_the_rest_go_on(tiny, shiftsmooth, tmp_path):
    path = tmp_path / "broken.fa"
    path.write_text(BROKEN)
    done = shiftsmooth("predict", path, "-m", "tiny-gata3")
    assert done.code == 1
    assert [row["id"] for row in table(done.out)] == ["one", "two", "five"]
    assert "'!' at position 3 of 'three'" in done.err
    assert "'four'" in done.err
    assert "3 predicted, 2 skipped" in done.err


def test_sequence_too_long_is_skipped_by_name(tiny, shiftsmooth, tmp_path):
    path = tmp_path / "long.fa"
    path.write_text(f">one\nACGT\n>two\n{'ACGTT' * 20_001}\n")
    done = shiftsmooth("predict", path, "-m", "tiny-gata3")
    assert done.code == 1
    assert "skipped: 'two' has 100005 positions; expected 100000 at most" in done.err
    assert [row["id"] for row in table(done.out)] == ["one"]


def test_output_file_is_there_only_when_whole(tiny, shiftsmooth, tmp_path):
    whole = gzip.compress(FASTA.encode() * 100)
    path, out = tmp_path / "cut.fa.gz", tmp_path / "out.tsv"
    path.write_bytes(whole[: len(whole) // 2])
    done = shiftsmooth("predict", path, "-m", "tiny-gata3", "-o", out)
    assert done.code == 1
    assert "truncated" in done.err
    assert sorted(os.listdir(tmp_path)) == ["cut.fa.gz", "zoo"]
    path.write_bytes(whole)
    assert shiftsmooth("predict", path, "-m", "tiny-gata3", "-o", out).code == 0
    assert len(table(out.read_text())) == 200
    assert sorted(os.listdir(tmp_path)) == ["cut.fa.gz", "out.tsv", "zoo"]


def peak_memory(folder, count, *options):
    """Kilobytes that `predict` needs at most for so many records."""
    with open(folder / "many.fa", "w") as file:
        file.writelines(f">r{number}\n{'ACGTTGCATT' * 10}\n" for number in range(count))
    command = [sys.executable, "-c", MEASURED, "predict", "many.fa", "-m", "model", *options]
    with open(folder / "out.tsv", "w") as out:
        done = subprocess.run(command, cwd=folder, stdout=out, stderr=subprocess.PIPE, text=True)
    assert done.returncode == 0
    return int(re.search(r"VmHWM:\s+(\d+) kB", done.stderr)[1])


# Not what the parent knows of its child: that begins with the parent's own memory.
MEASURED = """
import sys
from pathlib import Path
from modelzoo.cli.main import main
try:
    main()
finally:
    print(Path("/proc/self/status").read_text(), file=sys.stderr)
"""


@pytest.mark.slow
def test_memory_does_not_grow_with_the_file(tmp_path):
    from modelzoo.architectures import ARCHITECTURES

    ARCHITECTURES["deepbind"](filters=[4], widths=[9]).save_pretrained(tmp_path / "model")
    few, many = peak_memory(tmp_path, 10_000), peak_memory(tmp_path, 40_000)
    assert many - few < 10_000, f"{few} kB for 10,000 records, {many} kB for 40,000"
    assert many < 1_000_000


@pytest.mark.slow
def test_memory_does_not_grow_with_a_parquet_file(tmp_path):
    from modelzoo.architectures import ARCHITECTURES

    ARCHITECTURES["deepbind"](filters=[4], widths=[9]).save_pretrained(tmp_path / "model")
    options = ("--workers", "1", "--format", "parquet", "-o", "out.tsv")
    few, many = (peak_memory(tmp_path, count, *options) for count in (40_000, 100_000))
    assert many - few < 10_000, f"{few} kB for 40,000 records, {many} kB for 100,000"


@pytest.mark.slow
def test_reader_that_goes_away_ends_the_command_quietly(tmp_path):
    from modelzoo.architectures import ARCHITECTURES

    ARCHITECTURES["deepbind"](filters=[4], widths=[9]).save_pretrained(tmp_path / "model")
    (tmp_path / "a.fa").write_text("".join(f">r{i}\nACGTACGTACGT\n" for i in range(20000)))
    command = f"{sys.executable} -m modelzoo.cli.main predict a.fa -m model | head -n 2"
    done = subprocess.run(
        ["bash", "-o", "pipefail", "-c", command], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 0
    assert done.stdout.startswith("id\tlogit\tprobability\nr0\t")
    assert "Traceback" not in done.stderr and "Broken" not in done.stderr


@pytest.mark.slow
def test_interrupted_command_says_so_and_leaves_nothing_half_written(tmp_path):
    from modelzoo.architectures import ARCHITECTURES

    ARCHITECTURES["deepbind"](filters=[4], widths=[9]).save_pretrained(tmp_path / "model")
    before = set(tmp_path.iterdir())
    command = [
        sys.executable,
        "-m",
        "modelzoo.cli.main",
        "predict",
        "-",
        "-m",
        "model",
        "-o",
        "a.tsv",
    ]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(command, cwd=tmp_path, text=True, **pipes) as process:
        while set(tmp_path.iterdir()) == before and process.poll() is None:
            time.sleep(0.05)
        process.terminate()
        _, said = process.communicate()
    assert process.returncode == 130
    assert said.strip().splitlines()[-1] == "shiftsmooth: interrupted"
    assert set(tmp_path.iterdir()) == before


def test_an_interrupt_of_code_that_came_as_text_has_the_same_exit_code(tmp_path):
    (tmp_path / "interrupted.py").write_text(
        "from modelzoo.cli import main\n"
        "main.app = lambda **_: exec('raise KeyboardInterrupt')\n"
        "main.main()\n"
    )
    command = [sys.executable, "-m", "interrupted"]
    done = subprocess.run(command, cwd=tmp_path, text=True, capture_output=True)
    assert done.returncode == 130
    assert done.stderr.strip().splitlines()[-1] == "shiftsmooth: interrupted"


def test_an_output_is_no_input(tiny, shiftsmooth, fasta, tmp_path):
    link = tmp_path / "link.fa"
    link.symlink_to(fasta)
    for given, output in ((fasta, fasta), (fasta, link), (link, fasta)):
        done = shiftsmooth("predict", given, "-m", "tiny-gata3", "-o", output)
        assert done.code == 2
        assert "expected another file than the input" in done.err
        assert fasta.read_text() == FASTA


def test_a_neighbour_of_the_output_stays(tiny, shiftsmooth, fasta, tmp_path):
    (tmp_path / "k.tsv.partial").write_text("mine")
    assert shiftsmooth("predict", fasta, "-m", "tiny-gata3", "-o", tmp_path / "k.tsv").code == 0
    assert (tmp_path / "k.tsv.partial").read_text() == "mine"


def test_a_link_is_written_through(tiny, shiftsmooth, fasta, tmp_path):
    link = tmp_path / "link.tsv"
    link.symlink_to(tmp_path / "target.tsv")
    assert shiftsmooth("predict", fasta, "-m", "tiny-gata3", "-o", link).code == 0
    assert link.is_symlink()
    assert len(table((tmp_path / "target.tsv").read_text())) == 2


def test_minus_is_standard_output(tiny, shiftsmooth, fasta, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    before = set(os.listdir())
    done = shiftsmooth("predict", fasta, "-m", "tiny-gata3", "-o", "-")
    assert [row["id"] for row in table(done.out)] == ["one", "two"]
    assert set(os.listdir()) == before


@pytest.mark.parametrize(
    ("output", "message"),
    [("absent/out.tsv", "no such folder: 'absent'"), (".", "expected a file, got a folder")],
)
def test_an_output_that_cannot_be_is_a_wrong_call(
    tiny, shiftsmooth, fasta, tmp_path, monkeypatch, output, message
):
    monkeypatch.chdir(tmp_path)
    done = shiftsmooth("predict", fasta, "-m", "tiny-gata3", "-o", output)
    assert done.code == 2
    assert message in done.err


@pytest.mark.parametrize(
    ("stream", "arguments", "message"),
    [("stdin", ["-"], "standard input is closed"), ("stdout", [], "standard output is closed")],
)
def test_a_closed_stream_is_told(tiny, shiftsmooth, fasta, monkeypatch, stream, arguments, message):
    monkeypatch.setattr(sys, stream, None)
    done = shiftsmooth("predict", *(arguments or [fasta]), "-m", "tiny-gata3")
    assert done.code == 2
    assert message in done.err


@pytest.mark.slow
@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_streams_that_are_not_used_may_be_closed(tmp_path, closed):
    from modelzoo.architectures import ARCHITECTURES

    ARCHITECTURES["deepbind"](filters=[4], widths=[9]).save_pretrained(tmp_path / "model")
    (tmp_path / "a.fa").write_text(FASTA)
    command = f"{sys.executable} -m modelzoo.cli.main predict a.fa -m model -o a.tsv {closed}"
    done = subprocess.run(["bash", "-c", command], cwd=tmp_path, stdout=subprocess.DEVNULL)
    assert done.returncode == 0
    assert [row["id"] for row in table((tmp_path / "a.tsv").read_text())] == ["one", "two"]


def test_a_file_is_read_where_the_standard_input_is_closed(tiny, shiftsmooth, fasta, monkeypatch):
    monkeypatch.setattr(sys, "stdin", None)
    assert shiftsmooth("predict", fasta, "-m", "tiny-gata3").code == 0


def test_a_pipe_is_read_as_fasta(tiny, shiftsmooth):
    read_end, write_end = os.pipe()
    os.write(write_end, FASTA.encode())
    os.close(write_end)
    done = shiftsmooth("predict", f"/dev/fd/{read_end}", "-m", "tiny-gata3")
    os.close(read_end)
    assert [row["id"] for row in table(done.out)] == ["one", "two"]


def test_wrong_records_at_the_end_cost_no_predictions(tiny, shiftsmooth, tmp_path):
    path, out = tmp_path / "broken.fa", tmp_path / "out.tsv"
    path.write_bytes(FASTA.encode() + b">\nACGT\n>caf\xe9\nACGT\n")
    done = shiftsmooth("predict", path, "-m", "tiny-gata3", "-o", out)
    assert done.code == 1
    assert "line 6: expected a name after '>'" in done.err
    assert "line 8: expected UTF-8 text" in done.err
    assert [row["id"] for row in table(out.read_text())] == ["one", "two"]


def test_predictions_that_are_no_numbers_are_named(shiftsmooth, fasta, tmp_path):
    from modelzoo.architectures.deepbind import DeepBind

    model = DeepBind(filters=[4], widths=[9])
    model.output.bias.data.fill_(3e38)
    model.output.weight.data.fill_(3e38)
    model.hidden.bias.data.fill_(3e38)
    model.save_pretrained(tmp_path / "model")
    done = shiftsmooth("predict", fasta, "-m", tmp_path / "model")
    assert done.code == 1
    assert "skipped: predictions of 'one': expected finite numbers, got inf" in done.err
    assert table(done.out) == []


def test_a_batch_size_changes_no_number(tiny, shiftsmooth, fasta):
    whole = shiftsmooth("predict", fasta, "-m", "tiny-gata3")
    parts = shiftsmooth("predict", fasta, "-m", "tiny-gata3", "--batch-size", 1)
    assert parts.code == 0
    assert table(parts.out) == table(whole.out)
