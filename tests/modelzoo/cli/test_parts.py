"""The commands in parts: the bytes of one process, whichever way they are made."""

import os
import shutil
from pathlib import Path

import pytest

from modelzoo.apply import attribute, predict
from modelzoo.cli import options
from modelzoo.workers import _here
from tests.support.sequences import BROKEN

MODEL = """
import torch
from torch import nn

def build():
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv1d(4, 3, 5), nn.ReLU(), nn.AdaptiveAvgPool1d(1), nn.Flatten())
"""


@pytest.fixture
def desk(monkeypatch, tmp_path):
    """Sequences for seven parts of predictions, and for three of attributions; and a genome."""
    monkeypatch.setattr(predict, "WINDOW", 4)
    monkeypatch.setattr(attribute, "ROWS", 3)
    monkeypatch.setattr(attribute, "PART", 3 * 3 * 20)
    monkeypatch.chdir(tmp_path)
    Path("mine.py").write_text(MODEL)
    letters = [("ACGGTTAGATAAGCCATNGA" * 2)[i % 20 :][:20] for i in range(26)]
    Path("a.fa").write_text("".join(f">r{i}\n{row}\n" for i, row in enumerate(letters)))
    Path("genome.fa").write_text(f">chr1\n{''.join(letters)}\n")
    Path("a.bed").write_text("".join(f"chr1\t{i * 9}\t{i * 9 + 20}\n" for i in range(26)))
    return tmp_path


def run(shiftsmooth, command, output, *options, code=0):
    done = shiftsmooth(command, "a.fa", "-m", "mine.py:build", "-o", output, *options)
    assert done.code == code, done.err
    return done


def jobs(shiftsmooth, command, output, *options, order=(3, 1, 2, 1), of=3, code=0):
    """Run an array of jobs, some twice, and merge."""
    for number in order:
        run(shiftsmooth, command, output, *options, "--part", f"{number}/{of}")
    done = shiftsmooth("merge", output)
    assert done.code == code, done.err
    return done


def contents(output):
    """The bytes of a file, or of every file in a folder."""
    output = Path(output)
    if output.is_file():
        return output.read_bytes()
    return {path.relative_to(output): path.read_bytes() for path in output.rglob("*.*")}


@pytest.mark.parametrize(
    ("command", "options"),
    [
        ("predict", ()),
        ("predict", ("--format", "tsv", "--format", "parquet", "--batch-size", "2")),
        ("attribute", ("--max-shift", "2", "--top", "1")),
        ("attribute", ("--method", "smoothgrad", "--format", "parquet", "--top", "0")),
        ("attribute", ("--spread", "--max-shift", "2", "--top", "0")),
    ],
)
def test_an_array_of_jobs_gives_the_bytes_of_one_process(desk, shiftsmooth, command, options):
    run(shiftsmooth, command, "out", *options)
    whole = contents("out")
    shutil.rmtree("out", ignore_errors=True)
    Path("out").unlink(missing_ok=True)
    jobs(shiftsmooth, command, "out", *options)
    assert contents("out") == whole
    assert not Path("out.parts").exists()


def test_a_stream_and_parts_have_the_same_numbers(desk, shiftsmooth, monkeypatch):
    run(shiftsmooth, "predict", "parts.tsv")
    streamed = shiftsmooth("predict", "a.fa", "-m", "mine.py:build").out
    assert Path("parts.tsv").read_text() == streamed
    assert len(streamed.splitlines()) == 27


def test_a_part_of_intervals_reads_its_own(desk, shiftsmooth):
    words = ("predict", "a.bed", "--genome", "genome.fa", "--width", 15, "-m", "mine.py:build")
    words += ("-o", "out.tsv")
    assert shiftsmooth(*words).code == 0
    whole = Path("out.tsv").read_bytes()
    for number in (2, 1):
        assert shiftsmooth(*words, "--part", f"{number}/2").code == 0
    assert shiftsmooth("merge", "out.tsv").code == 0
    assert Path("out.tsv").read_bytes() == whole and whole.count(b"\tchr1\t") == 26


def test_unusable_records_are_named_once_when_parts_are_merged(desk, shiftsmooth):
    Path("a.fa").write_text(BROKEN * 2)
    whole = run(shiftsmooth, "predict", "one.tsv", code=1)
    merged = jobs(shiftsmooth, "predict", "two.tsv", code=1)
    assert merged.err == whole.err
    assert "6 predicted, 4 skipped" in whole.err
    assert contents("one.tsv") == contents("two.tsv")


def test_a_job_says_what_is_left_to_do(desk, shiftsmooth):
    done = run(shiftsmooth, "predict", "out.tsv", "--part", "2/3")
    assert "share 2 of 3 is done; after all: shiftsmooth merge out.tsv" in done.err
    assert not Path("out.tsv").exists()


def test_a_merge_too_early_names_what_is_missing(desk, shiftsmooth):
    run(shiftsmooth, "predict", "out.tsv", "--part", "2/3")
    done = shiftsmooth("merge", "out.tsv")
    assert done.code == 1
    assert "5 of 7 are missing. Run the jobs again" in done.err


def test_there_is_nothing_to_merge(desk, shiftsmooth):
    done = shiftsmooth("merge", "out.tsv")
    assert done.code == 2 and "no parts of 'out.tsv' are there" in done.err


def test_several_files_in_an_array(desk, shiftsmooth):
    shutil.copy("a.fa", "b.fa")
    words = ("predict", "a.fa", "b.fa", "-m", "mine.py:build", "-o", "tables")
    for number in (2, 1):
        assert shiftsmooth(*words, "--part", f"{number}/2").code == 0
    assert shiftsmooth("merge", "tables").code == 0
    assert sorted(os.listdir("tables")) == ["a.tsv", "b.tsv"]


def test_another_model_takes_no_part(desk, shiftsmooth):
    run(shiftsmooth, "predict", "out.tsv", "--part", "1/1")
    Path("mine.py").write_text(MODEL.replace("manual_seed(0)", "manual_seed(1)"))
    done = shiftsmooth("merge", "out.tsv")
    assert "7 of 7 are missing" in done.err


def test_a_killed_run_is_taken_up(desk, shiftsmooth, monkeypatch):
    run(shiftsmooth, "attribute", "one", "--top", 0)
    calls = []
    real = attribute._part

    def part(*arguments):
        calls.append(arguments[-2])
        if calls[-1] == 9 and len(calls) < 3:
            raise KeyboardInterrupt
        return real(*arguments)

    monkeypatch.setattr(attribute, "_part", part)
    assert shiftsmooth("attribute", "a.fa", "-m", "mine.py:build", "-o", "two").code == 130
    run(shiftsmooth, "attribute", "two", "--top", 0)
    assert calls == [0, 9, 9, 18]
    assert contents("one/hypothetical.npz") == contents("two/hypothetical.npz")


def test_the_command_that_files_tell_says_nothing_of_where(desk, shiftsmooth):
    import h5py

    run(shiftsmooth, "attribute", "out", "--workers", "1", "--top", "0")
    with h5py.File("out/attributions.h5") as file:
        told = file.attrs["command"]
    assert told == "shiftsmooth attribute a.fa -m mine.py:build -o out --top 0"


@pytest.mark.parametrize(
    ("words", "kept"),
    [
        (["--workers", "2", "a.fa"], ["a.fa"]),
        (["a.fa", "--ray"], ["a.fa"]),
        (["--ray", "--width", "3"], ["--width", "3"]),
        (["--ray", "1.2.3.4:6379", "a.fa"], ["a.fa"]),
        (["--ray=auto", "--part=1/2", "-o", "x"], ["-o", "x"]),
        (["--part", "slurm", "--part-timeout", "9", "--devices", "all"], []),
    ],
)
def test_a_command_without_where_it_works(words, kept):
    assert options.told(words) == tuple(kept)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--part", "4/3"), "expected I/N with I from 1 to N, or slurm, got '4/3'"),
        (("--part", "0/3"), "expected I/N"),
        (("--part", "x"), "expected I/N"),
        (("--part", "slurm"), "this is no job of an array"),
        (("--workers", "2", "--ray"), "expected one of them, got --workers and --ray"),
        (("--gpus-per-worker", "1"), "expected --ray with it"),
    ],
)
def test_wrong_options_are_told(desk, shiftsmooth, monkeypatch, words, message):
    monkeypatch.delenv("SLURM_ARRAY_TASK_ID", raising=False)
    done = run(shiftsmooth, "predict", "out.tsv", *words, code=2)
    assert message in done.err


def test_devices_need_a_gpu(desk, shiftsmooth, monkeypatch):
    import torch

    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    done = run(shiftsmooth, "predict", "out.tsv", "--devices", "all", code=2)
    message = "expected a GPU that CUDA can use for 'all', got none on this machine; --workers N"
    assert message in " ".join(done.err.split())


def test_a_stream_has_no_parts(desk, shiftsmooth):
    for words in (("a.fa", "--part", "1/2"), ("-", "-o", "out.tsv", "--workers", "2")):
        done = shiftsmooth("predict", *words, "-m", "mine.py:build")
        assert done.code == 2 and "expected files for SEQS and --output" in done.err


def test_a_training_has_no_parts(shiftsmooth, bound, tmp_path):
    done = shiftsmooth("motifs", bound, "-o", tmp_path / "out", "--part", "1/2")
    assert done.code == 2 and "a training has no parts" in done.err


@pytest.mark.parametrize(
    ("id", "count", "first", "step", "share"),
    [
        ("1", "10", "1", "1", (1, 10)),
        ("10", "10", "1", "1", (10, 10)),
        ("0", "10", "0", "1", (1, 10)),
        ("9", "10", "0", "1", (10, 10)),
        ("7", "4", "1", "2", (4, 4)),
        ("3", "10", "", "", (3, 10)),
    ],
)
def test_the_share_of_a_slurm_job(id, count, first, step, share):
    names = ("ID", "COUNT", "MIN", "STEP")
    given = {f"SLURM_ARRAY_TASK_{n}": v for n, v in zip(names, (id, count, first, step)) if v}
    assert options._slurm(given) == share


def test_slurm_numbers_with_gaps_are_refused():
    """As after `sbatch --array=3,7`, to do these again: the others' shares would be lost."""
    given = {"ID": "7", "COUNT": "2", "MIN": "3", "STEP": "1"}
    with pytest.raises(options.typer.BadParameter, match="give --part I/N"):
        options._slurm({f"SLURM_ARRAY_TASK_{name}": value for name, value in given.items()})


def test_few_sequences_start_no_process_and_leave_no_file(tiny, shiftsmooth, fasta, monkeypatch):
    monkeypatch.setattr("modelzoo.workers._Processes", None)
    monkeypatch.setattr("modelzoo.jobs.Job.__init__", None)
    records = fasta.with_name("one.fa")
    records.write_text(">one\nACGTTGCAAC\n")
    for command in ("predict", "attribute"):
        output = fasta.with_name(command)
        assert shiftsmooth(command, records, "-m", "tiny-gata3", "-o", output).code == 0


def test_an_engine_is_given_what_ray_would_be(desk, shiftsmooth, monkeypatch):
    pytest.importorskip("ray")
    asked = []

    class Engine:
        def __init__(self, *arguments):
            asked.append(arguments)

        def __call__(self, parts):
            return _here(parts)

    monkeypatch.setattr("modelzoo.on_ray.OnRay", Engine)
    run(shiftsmooth, "predict", "one.tsv", "--workers", "1")
    more = ("--gpus-per-worker", "0.5", "--part-timeout", "60")
    run(shiftsmooth, "predict", "two.tsv", "--ray", "10.0.0.1:6379", *more)
    run(shiftsmooth, "predict", "three.tsv", "--ray")
    assert asked == [("10.0.0.1:6379", 0.5, 60.0), (None, 0.0, None)]
    assert contents("one.tsv") == contents("two.tsv") == contents("three.tsv")
