import random

import pytest
import torch

from modelzoo.apply.check import check
from modelzoo.sequences import one_hot


@pytest.fixture
def desk(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    letters = "".join(random.Random(0).choices("ACGT", k=2000))
    (tmp_path / "genome.fa").write_text(f">chr1\n{letters}\n")
    lines = (f"chr1\t{at}\t{at + 60}\n" for at in range(200, 1800, 200))
    (tmp_path / "peaks.bed").write_text("".join(lines))
    return tmp_path, letters


@pytest.fixture
def model():
    torch.manual_seed(0)
    return torch.nn.Sequential(
        torch.nn.Conv1d(4, 8, 9, stride=4), torch.nn.ReLU(), torch.nn.Flatten(),
        torch.nn.Linear(8 * 13, 1),
    )  # fmt: skip


def test_windows_of_a_genome_are_its_intervals_and_move_over_what_lies_around_them(desk, model):
    folder, letters = desk
    found, _, x = check(
        model, folder / "peaks.bed", genome=folder / "genome.fa", width=60, max_shift=4
    )
    expected = one_hot([letters[at : at + 60] for at in range(200, 1800, 200)])
    assert found.edges == "flanks"
    assert x.equal(expected)
    with torch.no_grad():
        here, there = (
            model(one_hot([letters[at + move : at + move + 60] for at in range(200, 1800, 200)]))
            for move in (0, -5)
        )
    moved = float((there - here).abs().max() / here.double().std())
    assert found.prediction[5][2] >= moved - 1e-5


def test_sequences_without_a_genome_are_rolled(model):
    rng = random.Random(1)
    sequences = ["".join(rng.choices("ACGT", k=60)) for _ in range(6)]
    found, _, x = check(model, sequences, max_shift=4)
    assert (found.edges, x.shape) == ("circular", (6, 4, 60))
