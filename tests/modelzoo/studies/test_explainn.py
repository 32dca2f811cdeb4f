import csv

import numpy as np
import pytest
import torch

from modelzoo.architectures.explainn import ExplaiNN
from modelzoo.motifs import jaspar, read_meme
from modelzoo.sequences import encode
from modelzoo.studies.explainn import describe
from modelzoo.training.initial_filters import resized


@pytest.fixture(scope="module")
def wanted():
    (motif,) = [motif for motif in jaspar() if motif.title.upper() == "GATA3"][:1]
    return motif


@pytest.fixture(scope="module")
def model(wanted):
    """Unit 1 looks for GATA3's motif and speaks for task a; the other filters are all alike."""
    model = ExplaiNN(units=3, hidden=0, length=60, tasks=["a", "b"])
    filters = torch.zeros(3, 4, 19)
    filters[1] = torch.from_numpy(resized(wanted.matrix, 19) - 0.25) * 2
    model.set_filters(filters)
    with torch.no_grad():
        model.final.weight.copy_(torch.tensor([[0.0, 1.0, 0.0], [0.5, -1.0, 0.0]]))
        model.final.bias.zero_()
    return model.eval()


@pytest.fixture(scope="module")
def described(model, wanted, tmp_path_factory):
    generator = np.random.default_rng(0)
    codes = generator.integers(0, 4, (200, 60), dtype=np.uint8)
    for row in codes:
        for position, column in enumerate(wanted.matrix.T):
            row[20 + position] = generator.choice(4, p=column / column.sum())
    labels = np.full((200, 2), np.nan)
    return describe(model, codes, labels, tmp_path_factory.mktemp("units"))


def rows(path):
    with open(path) as file:
        return list(csv.DictReader(file, delimiter="\t"))


def test_units_are_listed_with_their_match_weights_and_importance(described):
    units = rows(described / "units.tsv")
    assert [row["unit"] for row in units] == ["unit-0", "unit-1", "unit-2"]
    assert units[1]["motif"].upper().startswith("GATA")
    assert [float(row["weight b"]) for row in units] == [0.5, -1, 0]
    for row in units:
        activation = float(row["median importance a"])
        assert (activation > 0) == (row["unit"] == "unit-1")
    assert float(units[1]["median importance a"]) == -float(units[1]["median importance b"])
    assert 0 < int(units[1]["active sequences"]) <= 200


def test_motifs_and_matches_are_written_for_other_tools(described, wanted):
    motifs = {motif.name: motif for motif in read_meme(described / "motifs.meme")}
    assert "unit-1" in motifs and motifs["unit-1"].width == 19
    matches = rows(described / "matches.tsv")
    assert any(wanted.name in row.values() for row in matches)
    assert (described / "matrices.tsv").stat().st_size > 0


def test_figures_name_units_by_their_motif(described):
    drawn = (described / "weights.svg").read_text()
    assert drawn.lstrip().startswith("<?xml")
    assert {path.name for path in described.glob("importance-*.svg")} == {
        "importance-a.svg",
        "importance-b.svg",
    }


def test_sequences_that_are_all_predicted_wrongly_show_nothing(model, tmp_path):
    codes = encode(["ACGT" * 15])
    with pytest.raises(ValueError, match="codes: expected some that the model predicts correctly"):
        describe(model, codes, np.array([[0.0, 1.0]]), tmp_path)
