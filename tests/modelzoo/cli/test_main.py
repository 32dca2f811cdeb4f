import csv
import gzip
import io
import json
import os
import re
import subprocess
import sys
import time

import numpy as np
import pytest
import torch

import modelzoo
from modelzoo.cli.main import app, main

FASTA = ">one a comment\nACGTACGTACGTACGT\n>two\nacgtnnacgtacgtrya\nC\n"
BROKEN = FASTA + ">three\nACG!TACGT\n>four\n>five\nAAAAAAAAAAAA\n"


@pytest.fixture
def fasta(tmp_path):
    path = tmp_path / "seqs.fa"
    path.write_text(FASTA)
    return path


def table(text):
    return list(csv.DictReader(io.StringIO(text), delimiter="\t"))


def commands():
    alone = [[command.callback.__name__] for command in app.registered_commands]
    grouped = [
        [group.name, command.callback.__name__]
        for group in app.registered_groups
        for command in group.typer_instance.registered_commands
    ]
    return alone + grouped


@pytest.mark.parametrize("command", commands(), ids=" ".join)
def test_help_of_every_command_has_an_example(shiftsmooth, command):
    done = shiftsmooth(*command, "--help")
    assert done.code == 0
    assert f"Example: shiftsmooth {' '.join(command)}" in done.out


def test_help_does_not_wait_for_torch():
    script = "import sys, modelzoo.cli.main; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.stdout == "False\n"


def test_no_command_shows_help_and_is_a_wrong_call(shiftsmooth):
    done = shiftsmooth()
    assert done.code == 2
    assert "predict" in done.out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["frobnicate"], "No such command 'frobnicate'"),
        (["predict"], "Missing argument 'SEQS'"),
        (["predict", "absent.fa", "-m", "tiny-gata3"], "no such file: 'absent.fa'"),
        (["predict", "-", "-m", "tiny-gata4"], "did you mean 'tiny-gata3'?"),
        (["predict", "-", "-m", "tiny-gata3", "--device", "tpu"], "'tpu' is not one of"),
        (["models", "--architecture", "x"], "architecture: expected one of deepbind, got 'x'"),
        (["publish", "tiny-gata3", "--repo-id", "mine"], "'mine'; expected OWNER/REPO"),
        (["evaluate", "argminn", "-m", "tiny-gata3"], "argminn takes --quick, --seed"),
        (["evaluate", "argmin"], "'argmin' is not one of"),
    ],
)
def test_wrong_call_is_said_in_one_line(tiny, shiftsmooth, arguments, message):
    done = shiftsmooth(*arguments)
    assert done.code == 2
    assert message in done.err
    assert done.err.count("\n") == 1


@pytest.mark.skipif(torch.cuda.is_available(), reason="here --device cuda is fine")
def test_cuda_where_there_is_none_is_a_wrong_call(tiny, shiftsmooth, fasta):
    done = shiftsmooth("predict", fasta, "-m", "tiny-gata3", "--device", "cuda")
    assert done.code == 2
    assert "no CUDA device is available" in done.err


def test_failed_work_is_said_in_one_line_and_debug_shows_where(tiny, shiftsmooth, fasta, capsys):
    tiny.info.weights.write_bytes(b"rot")
    done = shiftsmooth("predict", fasta, "-m", "tiny-gata3")
    assert done.code == 1
    assert "has sha256" in done.err
    assert done.err.count("\n") == 1
    from modelzoo.zoo.hub import WeightsError

    with pytest.raises(WeightsError):
        sys.argv = ["shiftsmooth", "predict", str(fasta), "-m", "tiny-gata3", "--debug"]
        main()


def test_models_lists_names_tasks_and_scores_as_tsv(tiny, shiftsmooth):
    (row,) = table(shiftsmooth("models").out)
    assert row["name"] == "tiny-gata3"
    assert row["tasks"] == "GATA3"
    assert row["ROC AUC"] == "GATA3 0.912, CTCF 0.500"
    assert row["shipped"] == "yes"


def test_completion_knows_the_names(tiny):
    from modelzoo.cli.main import _names

    assert _names("tiny") == ["tiny-gata3"]
    assert _names("deep") == []


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
    outputs = [
        shiftsmooth("predict", tmp_path / "a.fa.gz", "-m", "tiny-gata3").out,
        shiftsmooth("predict", tmp_path / "a.seq.gz", "-m", "tiny-gata3").out,
        shiftsmooth(
            "predict", tmp_path / "a.bed", "--genome", tmp_path / "genome.fa", "-m", "tiny-gata3"
        ).out,
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


def test_sequence_too_long_is_skipped_by_name(tiny, shiftsmooth, tmp_path, monkeypatch):
    monkeypatch.setattr("modelzoo.apply.predict.LONGEST", 16)
    path = tmp_path / "long.fa"
    path.write_text(FASTA)
    done = shiftsmooth("predict", path, "-m", "tiny-gata3")
    assert done.code == 1
    assert "skipped: 'two' has 18 positions; expected 16 at most" in done.err
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


def peak_memory(folder, count):
    """Kilobytes that `predict` needs at most for so many records."""
    with open(folder / "many.fa", "w") as file:
        file.writelines(f">r{number}\n{'ACGTTGCATT' * 10}\n" for number in range(count))
    command = [sys.executable, "-c", MEASURED, "predict", "many.fa", "-m", "model"]
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
def test_reader_that_goes_away_ends_the_command_quietly(tmp_path):
    from modelzoo.architectures import ARCHITECTURES

    ARCHITECTURES["deepbind"](filters=[4], widths=[9]).save_pretrained(tmp_path / "model")
    (tmp_path / "a.fa").write_text("".join(f">r{i}\nACGTACGTACGT\n" for i in range(20000)))
    command = f"{sys.executable} -m modelzoo.cli.main predict a.fa -m model | head -n 2"
    done = subprocess.run(
        ["bash", "-o", "pipefail", "-c", command], cwd=tmp_path, capture_output=True, text=True
    )
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


@pytest.fixture
def peaks(tmp_path):
    path = tmp_path / "peaks.fa"
    path.write_text(">one\nACGTTGCAACTTGAC\n>two\nACGT\n><i>../three</i>\nTTGACCNATGAGATA\n")
    return path


def test_attribute_writes_scores_logos_and_a_page(tiny, shiftsmooth, peaks, tmp_path):
    out = tmp_path / "out"
    done = shiftsmooth("attribute", peaks, "-m", "tiny-gata3", "--max-shift", 3, "-o", out)
    assert done.code == 1  # one record is of another length
    assert "'two' has 4 positions; expected 15" in done.err
    assert "2 attributed, 1 skipped" in done.err
    logos = sorted(os.listdir(out / "logos"))
    assert len(logos) == 2 and {name[:4] for name in logos} == {"001_", "002_"}
    names = {"attributions.h5", "hypothetical.npz", "index.html", "logos", "one_hot.npz"}
    assert set(os.listdir(out)) == names
    page = (out / "index.html").read_text()
    assert page.count("data:image/svg+xml;base64,") == 2
    assert "&lt;i&gt;../three&lt;/i&gt;" in page
    assert "<i>" not in page
    assert "http" not in page  # no network
    again = shiftsmooth("attribute", peaks, "-m", "tiny-gata3", "--max-shift", 3, "-o", out)
    assert "going on after 2 of 2" in again.err


def test_attribute_refuses_the_folder_of_another_run(tiny, shiftsmooth, peaks, tmp_path):
    out = tmp_path / "out"
    shiftsmooth("attribute", peaks, "-m", "tiny-gata3", "-o", out)
    done = shiftsmooth("attribute", peaks, "-m", "tiny-gata3", "--max-shift", 2, "-o", out)
    assert done.code == 2
    assert "is of another run" in done.err
    assert done.err.count("\n") == 2  # the skipped record, the error


@pytest.fixture
def bound(tmp_path):
    """A file of 200 random peaks that carry a motif."""
    random = np.random.default_rng(0)
    path = tmp_path / "MYTF.fa"
    with path.open("w") as file:
        for number in range(200):
            flanks = ["".join(random.choice(list("ACGT"), 20)) for _ in range(2)]
            file.write(f">p{number}\n{'AGATAAGC'.join(flanks)}\n")
    return path


QUICK = "filters = [4]\nwidths = [9]\nepochs = 1\n"


def test_train_expert_then_mixture_then_predict(shiftsmooth, bound, tmp_path):
    (tmp_path / "quick.toml").write_text(QUICK)
    expert, moe = tmp_path / "expert", tmp_path / "moe"
    params = ["--params", tmp_path / "quick.toml"]
    assert shiftsmooth("train", "expert", bound, *params, "-o", expert).code == 0
    assert modelzoo.load(expert).tasks == ("MYTF",)
    assert shiftsmooth("train", "moe", expert, "--peaks", bound, "-o", moe).code == 0
    (row, *_) = table(shiftsmooth("predict", bound, "-m", moe).out)
    assert float(row["gate_MYTF"]) == 1


def test_train_towers_and_mix_them_with_another_expert(shiftsmooth, bound, tmp_path):
    (tmp_path / "tower.toml").write_text("filters = 2\nstem = 5\ndilations = [1]\nepochs = 1\n")
    (tmp_path / "quick.toml").write_text(QUICK)
    tower, expert, moe = (tmp_path / name for name in ("tower", "expert", "moe"))
    params = ["--architecture", "tower", "--params", tmp_path / "tower.toml"]
    assert shiftsmooth("train", "expert", bound, *params, "-o", tower).code == 0
    params = ["--params", tmp_path / "quick.toml"]
    assert shiftsmooth("train", "expert", bound, *params, "-o", expert).code == 0
    half = ["--precision", "bfloat16", "--epochs", "2"]
    assert shiftsmooth("train", "moe", tower, expert, "--peaks", bound, *half, "-o", moe).code == 0
    training = json.loads((moe / "training.json").read_text())
    assert training["epochs"] == 2
    assert training["command"].endswith(f"--seed 0 {' '.join(half)}")
    assert list(modelzoo.load(moe).experts) == ["tower-mytf", "deepbind-mytf"]
    done = shiftsmooth("train", "moe", moe, "-o", tmp_path / "no")
    assert done.code == 2 and "is no expert" in done.err


@pytest.fixture
def labelled(tmp_path):
    """A table of 200 sequences; the first task is a motif, the second the same, not all known."""
    random = np.random.default_rng(0)
    path = tmp_path / "labelled.tsv"
    with path.open("w") as file:
        file.write("id\tsequence\tliver\tkidney\n")
        for number in range(200):
            flanks = ["".join(random.choice(list("ACGT"), 20)) for _ in range(2)]
            label, word = number % 2, ("CCTTGGAA", "AGATAAGC")[number % 2]
            other = label if number % 3 else ""
            file.write(f"s{number}\t{word.join(flanks)}\t{label}\t{other}\n")
    return path


@pytest.mark.parametrize("command", [("explainn", "--units", 4), ("baseline", "deepstarr")])
def test_train_several_tasks_from_a_table_then_predict(
    shiftsmooth, labelled, bound, tmp_path, command
):
    out = tmp_path / "model"
    done = shiftsmooth("train", *command, "--data", labelled, "--epochs", 1, "-o", out)
    assert done.code == 0 and f"--model {out}" in done.err
    assert modelzoo.load(out).tasks == ("liver", "kidney")
    (row, *_) = table(shiftsmooth("predict", bound, "-m", out).out)
    assert {"probability_liver", "probability_kidney"} <= row.keys()
    training = json.loads((out / "training.json").read_text())
    words = " ".join(map(str, command))
    assert training["command"] == f"shiftsmooth train {words} --data {labelled} --epochs 1 --seed 0"


def test_train_explainn_over_trained_models(shiftsmooth, labelled, tmp_path):
    from modelzoo.architectures import ARCHITECTURES

    expert, out = tmp_path / "an.expert", tmp_path / "model"
    ARCHITECTURES["deepbind"](filters=[4], widths=[9]).save_pretrained(expert)
    units = ["--unit", expert, "--hidden", 5]
    data = ["--data", labelled, "--epochs", 1]
    assert shiftsmooth("train", "explainn", *units, *data, "-o", out).code == 0
    assert modelzoo.load(out).heads.output.shape == (1, 5)


def test_training_overwrites_nothing(shiftsmooth, bound, tmp_path):
    done = shiftsmooth("train", "expert", bound, "-o", tmp_path)
    assert done.code == 2
    assert "exists already" in done.err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["expert", "GATA9", "-o", "x"], "GATA9"),
        (["moe", "deepbind-gata9", "-o", "x"], "did you mean"),
        (["expert"], "Missing argument 'SOURCE'"),
    ],
)
def test_wrong_training_call_is_said_in_one_line(tiny, shiftsmooth, arguments, message):
    done = shiftsmooth("train", *arguments)
    assert done.code == 2
    assert message in done.err
    assert done.err.count("\n") == 1


def test_search_prints_parameters_that_training_takes(shiftsmooth, bound, tmp_path):
    from modelzoo.training.expert import Recipe

    done = shiftsmooth("train", "search", bound, "--trials", 1, "-o", tmp_path / "found")
    assert done.code == 0
    assert Recipe.from_toml(done.out).config["filters"]
    assert "deepbind-mytf.toml" in os.listdir(tmp_path / "found")


def test_demo_shows_where_to_look(shiftsmooth, tmp_path):
    from modelzoo.architectures.moe import MixtureOfExperts

    MixtureOfExperts({"GATA3": {"filters": [4], "widths": [9]}}).save_pretrained(tmp_path / "moe")
    done = shiftsmooth("demo", "-m", tmp_path / "moe", "-o", tmp_path / "out")
    assert done.code == 0
    assert "gate_GATA3" in done.out
    assert f"Look at {tmp_path / 'out' / 'index.html'}" in done.out
    assert (tmp_path / "out" / "index.html").read_text().count("<figure>") == 6


def test_evaluate_refuses_an_unknown_model(tiny, shiftsmooth, tmp_path):
    done = shiftsmooth("evaluate", "-m", "tiny-gata4", "-o", tmp_path / "report")
    assert done.code == 2
    assert "did you mean 'tiny-gata3'" in done.err
    assert not (tmp_path / "report").exists()


@pytest.mark.data
@pytest.mark.skipif("MODELZOO_DATA_DIR" not in os.environ, reason="needs MODELZOO_DATA_DIR")
def test_evaluate_writes_the_report_of_the_models_asked_for(tiny, shiftsmooth, tmp_path):
    out = tmp_path / "report"
    done = shiftsmooth("evaluate", "--quick", "--no-attributions", "--seed", 3, "-o", out)
    assert done.code == 0
    assert f"Look at {out / 'index.html'}" in done.out
    results = (out / "results.json").read_text()
    assert "tiny-gata3" in results
    assert '"seed": 3' in results


@pytest.mark.parametrize("missing", ["typer", "rich"])
def test_missing_package_says_how_to_get_it(missing):
    script = f"import sys; sys.modules[{missing!r}] = None; import modelzoo.cli.main"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.returncode == 1
    assert "pip install" in done.stderr
    assert "Traceback" not in done.stderr


def test_publish_prints_where_the_model_is(tiny, hub, shiftsmooth, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", hub.token)
    done = shiftsmooth("publish", "tiny-gata3", "--repo-id", "someone/binding")
    assert done.code == 0
    assert f"{hub.url}/someone/binding/commit/" in done.out


def test_publish_without_a_token_is_failed_work(tiny, hub, shiftsmooth):
    done = shiftsmooth("publish", "tiny-gata3", "--repo-id", "someone/binding")
    assert done.code == 1
    assert "401" in done.err
