import json

import pytest
import torch

import modelzoo
from tests.support.peaks import planted
from tests.support.tsv import table

needs_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")


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


@pytest.fixture
def placed(tmp_path, monkeypatch):
    """A genome with a motif in 200 windows of 60, and their intervals in two formats."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    (tmp_path / "genome.fa").write_text(">chr1\n" + "".join(planted(200, "AGATAAGC", length=60)))
    spans = [(60 * number, 60 * number + 60) for number in range(200)]
    (tmp_path / "MYTF.bed").write_text("".join(f"chr1\t{a}\t{b}\n" for a, b in spans))
    rows = ["chrom,start,end", *(f"chr1,{a},{b}" for a, b in spans)]
    (tmp_path / "MYTF.csv").write_text("\n".join(rows))
    return tmp_path


def intervals(placed, ending):
    return placed / f"MYTF.{ending}", "--genome", placed / "genome.fa", "--width", 40


@pytest.mark.parametrize(
    ("command", "ending"),
    [
        (["baseline", "deepstarr", "--epochs", 1, "--data"], "csv"),
        (["explainn", "--units", 4, "--epochs", 1, "--data"], "bed"),
        (["expert", "--params", "quick.toml"], "csv"),
    ],
)
def test_intervals_and_their_genome_are_trained_on(
    shiftsmooth, placed, monkeypatch, command, ending
):
    monkeypatch.chdir(placed)
    (placed / "quick.toml").write_text("filters = [4]\nwidths = [9]\nepochs = 1\n")
    done = shiftsmooth("train", *command, *intervals(placed, ending), "-o", "out")
    assert done.code == 0, done.err
    assert modelzoo.load("out").tasks == ("MYTF",)
    said = json.loads((placed / "out" / "training.json").read_text())["command"]
    assert f"--genome {placed / 'genome.fa'} --width 40" in said


def test_a_mixture_is_trained_on_intervals(shiftsmooth, placed, monkeypatch):
    from modelzoo.architectures import ARCHITECTURES

    monkeypatch.chdir(placed)
    ARCHITECTURES["deepbind"](filters=[4], widths=[9], tasks=["MYTF"]).save_pretrained("expert")
    options = "--epochs", 1, "--peaks", *intervals(placed, "bed")
    assert shiftsmooth("train", "moe", "./expert", *options, "-o", "moe").code == 0


@pytest.mark.parametrize("option", ["--width", "--genome"])
def test_windows_of_files_without_intervals_are_a_wrong_call(shiftsmooth, bound, tmp_path, option):
    value = {"--width": 40, "--genome": bound}[option]
    done = shiftsmooth("train", "expert", bound, option, value, "-o", tmp_path / "x")
    assert done.code == 2
    assert f"{option}: expected a file of intervals, and its --genome, got none" in done.err


def test_intervals_without_a_genome_are_a_wrong_call(shiftsmooth, placed):
    done = shiftsmooth("train", "expert", placed / "MYTF.bed", "-o", placed / "x")
    assert done.code == 2
    assert "genome: expected a FASTA or 2bit file" in done.err


@needs_gpu
@pytest.mark.parametrize(
    "command",
    [["expert", "--params", "quick.toml"], ["explainn", "--units", 4, "--epochs", 1, "--data"]],
)
def test_training_on_a_gpu_gives_a_model_that_loads_anywhere(
    shiftsmooth, bound, tmp_path, monkeypatch, command
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "quick.toml").write_text("filters = [4]\nwidths = [9]\nepochs = 1\n")
    done = shiftsmooth("train", *command, bound, "--device", "cuda", "-o", "out")
    assert done.code == 0, done.err
    assert next(modelzoo.load("out").parameters()).device.type == "cpu"
    assert json.loads((tmp_path / "out" / "training.json").read_text())["device"] == "cuda"
