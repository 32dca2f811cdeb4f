import json
import random

import pytest

STRIDED = """
import torch


def build():
    torch.manual_seed(0)
    return torch.nn.Sequential(
        torch.nn.Conv1d(4, 16, 9, padding=4),
        torch.nn.ReLU(),
        torch.nn.MaxPool1d(6),
        torch.nn.Conv1d(16, 8, 3),
        torch.nn.ReLU(),
        torch.nn.AdaptiveAvgPool1d(1),
        torch.nn.Flatten(),
        torch.nn.Linear(8, 2),
    )
"""


POOLED = """
from torch import nn


def build():
    return nn.Sequential(
        nn.Conv1d(4, 4, 5), nn.Softplus(), nn.AdaptiveAvgPool1d(1), nn.Flatten(), nn.Linear(4, 1)
    )
"""


@pytest.fixture
def mine(tmp_path):
    path = tmp_path / "mine.py"
    path.write_text(STRIDED)
    return f"{path}:build"


def test_a_model_with_a_stride_needs_it_and_the_stride_is_named(shiftsmooth, mine, tmp_path):
    found = tmp_path / "check.json"
    done = shiftsmooth("check", mine, "--max-shift", 4, "--json", found, "--exit-code")
    assert done.code == 3
    assert done.out.startswith("Use ShiftSmooth with max_shift=")
    assert "2 (MaxPool1d): max_pool1d steps by 6" in done.out
    values = json.loads(found.read_text())
    assert values["needed"] and values["total_stride"] == 6
    assert values["verdict"] in done.out


def test_sequences_of_a_file_are_drawn(shiftsmooth, mine, tmp_path):
    fasta = tmp_path / "a.fa"
    fasta.write_text("".join(f">{i}\n{'ACGTTGCATCAGGATC' * 6}{'ACGT'[i] * 4}\n" for i in range(4)))
    picture = tmp_path / "shifts.png"
    done = shiftsmooth("check", mine, fasta, "--max-shift", 4, "--task", 1, "--picture", picture)
    assert done.code == 0
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_one_sequence_is_too_few(shiftsmooth, mine, tmp_path):
    fasta = tmp_path / "a.fa"
    fasta.write_text(f">one\n{'ACGT' * 20}\n")
    done = shiftsmooth("check", mine, fasta)
    assert done.code == 2
    assert "sequences: expected two of one length at least, got 1" in done.err


def test_the_page_has_verdict_picture_layers_and_mutagenesis(shiftsmooth, mine, tmp_path):
    done = shiftsmooth("check", mine, "--max-shift", 4, "-o", tmp_path / "out")
    assert done.code == 0
    page = (tmp_path / "out" / "index.html").read_text()
    values = json.loads((tmp_path / "out" / "check.json").read_text())
    assert values["verdict"] in page
    assert "<svg" in page and "max_pool1d" in page and "Windows are rolled" in page
    before, after = values["mutagenesis"]
    assert f"{before:.3f} before, {after:.3f} after" in page
    assert f"by {values['strands']:.3f} of its spread" in page


def test_a_page_of_a_model_without_a_break_says_so(shiftsmooth, tmp_path):
    (tmp_path / "mine.py").write_text(POOLED)
    fasta = tmp_path / "a.fa"
    fasta.write_text("".join(f">{i}\n{'ACGTTGCATCAGGATC' * 3}{'ACGT'[i] * 4}\n" for i in range(4)))
    given = ["--max-shift", 2, "-o", tmp_path / "out"]
    assert shiftsmooth("check", f"{tmp_path / 'mine.py'}:build", fasta, *given).code == 0
    page = (tmp_path / "out" / "index.html").read_text()
    assert "No function of the model depends on where the window begins." in page


def test_sequences_that_are_skipped_are_counted(shiftsmooth, mine, tmp_path):
    fasta = tmp_path / "a.fa"
    rows = [f">{i}\n{'ACGTTGCATCAGGATC' * 3}{'ACGT'[i] * 4}\n" for i in range(4)]
    fasta.write_text("".join([*rows, ">bad\nAC!T\n"]))
    done = shiftsmooth("check", mine, fasta, "--max-shift", 2)
    assert "1 skipped" in done.err


def test_intervals_are_checked_with_the_flanks_of_their_genome(shiftsmooth, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    rng = random.Random(0)
    genome, bed = tmp_path / "genome.fa", tmp_path / "peaks.bed"
    genome.write_text(">chr1\n" + "".join(rng.choices("ACGT", k=2000)) + "\n")
    bed.write_text("".join(f"chr1\t{at}\t{at + 60}\n" for at in range(200, 1800, 200)))
    given = ["--genome", genome, "--width", 60, "--max-shift", 4]
    (tmp_path / "mine.py").write_text(STRIDED)
    model = f"{tmp_path / 'mine.py'}:build"
    done = shiftsmooth("check", model, bed, *given, "-o", tmp_path / "out")
    assert done.code == 0, done.err
    values = json.loads((tmp_path / "out" / "check.json").read_text())
    assert values["edges"] == "flanks"
    assert values["mutagenesis"] is not None
    assert "real sequence" in (tmp_path / "out" / "index.html").read_text()
