"""The method and the zoo in a minute, on sequences with planted motifs, where the truth is known.

Nothing is fetched and nothing is random: sequences come from a seed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

import torch
from torch import nn

from modelzoo.apply.predict import Prediction, predict
from modelzoo.attribution.methods import METHODS, importance, maps
from modelzoo.datasets import chipseq
from modelzoo.datasets.planted import SimulatedSet, Simulation
from modelzoo.reports.page import Page
from modelzoo.sequences import Record
from modelzoo.studies.strided import strided
from modelzoo.zoo.catalog import list_models, model_name
from shiftsmooth.metrics import auroc
from shiftsmooth.plot import Motif, plot_logos

SIMULATION = """
length = 101
region = 61

[motifs.GATA]
consensus = "AGATAA"

[[positives]]
share = 1.0
motifs = ["GATA", "GATA"]
spacing = { min = 3, max = 20 }

[[negatives]]
share = 1.0
motifs = []
"""


@dataclass(frozen=True)
class Demo:
    """The results of the demonstration.

    Attributes:
        planted: Predictions of the sequences with motifs, the highest logits first.
        plain: Predictions of those without.
        factors: By factor, the mean probability that its DeepBind expert gives the planted
            sequences, the highest first.
        found: By method, how well its scores tell the motifs' positions from the others: the area
            under the ROC curve, averaged over the planted sequences.
        page: The page of logos.
    """

    planted: list[Prediction]
    plain: list[Prediction]
    factors: dict[str, float]
    found: dict[str, float]
    page: Path


def run(model: nn.Module, folder: Path, *, count: int = 100, logos: int = 6, seed: int = 0) -> Demo:
    """Predict, attribute and draw; return what was found.

    Args:
        model: In eval mode, on the CPU.
        folder: Where the page goes; created if missing.
        count: How many sequences, half of them with motifs.
        logos: How many of those to draw.
        seed: Of the sequences.
    """
    data = Simulation.from_toml(SIMULATION, name="gata").sample(count, seed=seed)
    records = [Record(f"sequence {i}", text) for i, text in enumerate(data.strings())]
    predictions = list(predict(model, records))
    ranked = sorted(range(count), key=lambda row: -predictions[row].logits[0])
    planted = [row for row in ranked if data.labels[row]]

    x = data.one_hot()[planted]
    scores = {
        "gradient": maps(model, x, METHODS["gradient"]),
        "ShiftSmooth": maps(model, x, METHODS["shiftsmooth"]),
    }
    mask = torch.from_numpy(data.mask()[planted])
    found = {
        name: float(auroc(importance(values, x), mask).mean()) for name, values in scores.items()
    }

    factors = looks_like([records[row] for row in planted])
    boxes = _boxes(data)
    page = Page("Planted GATA motifs, gradient and ShiftSmooth")
    page.made_by("shiftsmooth demo")
    page.facts({f"{name}: AUROC of motif positions": f"{v:.3f}" for name, v in found.items()})
    page.facts({f"probability by the expert of {f}": f"{p:.3f}" for f, p in factors.items()})
    for i, row in enumerate(planted[:logos]):
        drawn = {name: values[i] for name, values in scores.items()}
        page.card(
            f"sequence-{row}",
            records[row].name,
            {"probability": f"{predictions[row].probabilities[0]:.3f}"},
            plot_logos(drawn, x[i], motifs=boxes[row]),
        )
    folder.mkdir(parents=True, exist_ok=True)
    return Demo(
        [predictions[row] for row in planted],
        [predictions[row] for row in ranked if not data.labels[row]],
        factors,
        found,
        page.write(folder / "index.html"),
    )


def moved(folder: Path) -> tuple[str, Path]:
    """Draw how attributions change when the window moves; return what is seen, and the picture.

    Args:
        folder: Where the picture goes; created if missing.
    """
    network = strided()
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "shifts.png"
    network.picture().savefig(path)
    return network.lines(), path


def looks_like(records: Sequence[Record]) -> dict[str, float]:
    """Return the mean probability that the expert of each factor gives, the highest first.

    One DeepBind expert per factor, of those that are trained against shuffles.
    """
    found: dict[str, float] = {}
    known = list_models("deepbind")
    for factor in chipseq.sets("train"):
        if factor.partition("-")[0] not in found and model_name("deepbind", factor) in known:
            made = predict(model_name("deepbind", factor), records)
            found[factor] = fmean(prediction.probabilities[0] for prediction in made)
    return dict(sorted(found.items(), key=lambda entry: -entry[1]))


def _boxes(data: SimulatedSet) -> list[list[Motif]]:
    """The planted motifs of each sequence."""
    boxes: list[list[Motif]] = [[] for _ in range(len(data))]
    for row, name, start, stop, strand in data.instances():
        boxes[row].append(Motif(start, stop, f"{name} {strand}"))
    return boxes
