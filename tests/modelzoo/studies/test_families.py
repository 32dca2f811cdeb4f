import csv
from statistics import mean
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from modelzoo.architectures.argminn import ARGMINN
from modelzoo.architectures.danq import DanQExpert
from modelzoo.architectures.deepbind import DeepBind
from modelzoo.architectures.deepstarr import DeepSTARR
from modelzoo.architectures.explainn import ExplaiNN
from modelzoo.architectures.moe import MixtureOfExperts
from modelzoo.architectures.tower import Tower
from modelzoo.datasets import chipseq
from modelzoo.motifs import jaspar
from modelzoo.reports.tables import to_csv
from modelzoo.sequences import columns
from modelzoo.studies import families
from modelzoo.training.initial_filters import resized

SETS = (*chipseq.FACTORS, *chipseq.OOD_FACTORS)


def rows(count, length=101, seed=0):
    return np.random.default_rng(seed).integers(0, 4, (count, length), dtype=np.uint8)


def entry(name, shipped=True, factors=SETS, **recipe):
    scores = {
        factor: {"roc_auc": 0.5 + i / 20, "average_precision": 0.4 + i / 20}
        for i, factor in enumerate(factors)
    }
    return SimpleNamespace(name=name, shipped=shipped, scores=scores, recipe=recipe)


def test_scores_are_the_catalogs_and_their_means():
    recipe = {"processor_seconds_an_epoch": 90.0, "epochs": 4, "validation_auc": 0.9}
    row = families.scores(entry("a", **recipe))
    assert row["training minutes"] == 6 and row["validation AUROC"] == 0.9
    inside = [row[f"AUROC {factor}"] for factor in chipseq.FACTORS]
    outside = [row[f"AUPRC {factor}"] for factor in chipseq.OOD_FACTORS]
    assert row["AUROC inside"] == pytest.approx(mean(inside)) == pytest.approx(0.55)
    assert row["AUPRC outside"] == pytest.approx(mean(outside)) == pytest.approx(0.675)
    assert families.scores(entry("b"))["training minutes"] is None


@pytest.mark.parametrize("model", [DeepBind([5], [7]), Tower(filters=5, stem=7), DanQExpert(5, 7)])
def test_of_a_layer_of_both_strands_the_forward_filters_are_taken(model):
    codes = rows(2, 30)
    activations, width, first = families.first_layer(model.eval())
    maps = activations(columns(codes))
    stem = model.trunk[0]
    assert maps.shape == (2, 5, 30) and width == 7
    for position in (3, 11, 26):
        window = columns(codes)[1, :, position + first : position + first + width]
        expected = (stem.weight * window).sum((1, 2)) + stem.bias
        assert torch.allclose(maps[1, :, position], expected.relu(), atol=1e-5)


@pytest.mark.parametrize(
    ("model", "width", "first"),
    [(ExplaiNN(units=4), 19, 0), (DeepSTARR(), 7, -3), (ARGMINN(), 10, 0)],
    ids=["explainn", "deepstarr", "argminn"],
)
def test_of_other_layers_all_filters_are_taken(model, width, first):
    activations, *rest = families.first_layer(model.eval())
    assert rest == [width, first]
    maps = activations(columns(rows(2)))
    assert maps.shape[-1] == 101 - width + 1 - 2 * first


def test_a_mixture_has_no_filters_of_its_own():
    assert families.first_layer(MixtureOfExperts({"a": {"filters": [4], "widths": [5]}})) is None


def test_filters_that_look_for_the_right_motif_are_counted(monkeypatch):
    known = {motif.name: motif for motif in jaspar()}
    wanted = [motif for motif in jaspar() if motif.title.upper() == "GATA3"][:1]
    other = [motif for motif in jaspar() if motif.title.upper() == "SPI1"][:1]
    assert len(known) == len(jaspar()) and wanted and other
    model = ExplaiNN(units=3, hidden=0, tasks=["GATA3", "SPI1", "FOXM1"]).eval()
    filters = [resized(motif.matrix, 19) - 0.25 for motif in (*wanted, *other, *wanted)]
    model.set_filters(torch.tensor(np.stack(filters)).float() * 3)
    planted = rows(300)
    generator = np.random.default_rng(1)
    for row in planted:
        for motif, start in ((wanted[0], 10), (other[0], 60)):
            for position, column in enumerate(motif.matrix.T):
                row[start + position] = generator.choice(4, p=column / column.sum())
    asked = []

    def peaks(tasks):
        asked.append(tasks)
        return SimpleNamespace(held_out=(planted, torch.full((300, len(tasks)), torch.nan)))

    monkeypatch.setattr(families, "Peaks", peaks)
    found = families.matching_filters(model)
    assert asked == [["GATA3", "FOXM1"]]
    assert found == {"filters": 3, "filters like GATA3": 2, "filters like FOXM1": 0}


def test_a_model_of_other_factors_is_not_asked_for_motifs():
    assert families.matching_filters(ExplaiNN(units=2, tasks=["SPI1"])) == {}


def test_the_table_has_a_row_a_model_and_dnaberts(monkeypatch, tmp_path):
    torch.manual_seed(0)
    small = DeepBind([3], [5], tasks=["SPI1"]).eval()
    small.save_pretrained(tmp_path / "large")
    entries = {
        "small": entry("small"),
        "large": entry("large", shipped=False),
        "gone": entry("gone", shipped=False),
        "spi1": entry("spi1", factors=("SPI1",)),
    }
    monkeypatch.setattr(families.catalog, "list_models", lambda: list(entries))
    monkeypatch.setattr(families.catalog, "info", entries.get)
    loaded = families.load
    monkeypatch.setattr(families, "load", lambda n: small if n == "small" else loaded(n))
    made = families.compare(tmp_path, progress=False)
    assert [row["model"] for row in made] == ["small", "large", "gone"]
    assert (
        made[0]["parameters"] == made[1]["parameters"] == sum(p.numel() for p in small.parameters())
    )
    assert "parameters" not in made[2] and made[2]["AUROC GATA3"] == 0.6

    read = list(csv.DictReader(to_csv(made).splitlines()))
    assert [row["model"] for row in read] == ["small", "large", "gone"]
    assert float(read[0]["AUROC STAT3"]) == 0.9 and read[2]["parameters"] == ""
    lines = families.to_markdown(made).splitlines()
    assert len({line.count("|") for line in lines}) == 1 and len(lines) == 2 + 3 + 1
    assert lines[-1].startswith("| dnabert | not run") and "0.703" in lines[-1]
