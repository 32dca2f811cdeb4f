"""A small CNN with strides that learned planted motifs: the model that the front picture explains.

A sequence is positive if it holds a GATA and an AP-1 site. The network has a total stride of 8, so
what it sees of a site depends on where the window begins. It trains in seconds and is the same each
time.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from modelzoo.datasets.planted import Simulation
from modelzoo.training.fit import seeded
from shiftsmooth import ShiftSmooth
from shiftsmooth.metrics import shift_stability
from shiftsmooth.plot import Motif, plot_shifts

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MAX_SHIFT = 5
DISTANCES = (1, 2, 8)  # two that are no multiple of the first stride, and one that is
SIMULATION = """
length = 101
region = 81

[motifs.GATA]
consensus = "AGATAAG"

[motifs.AP-1]
consensus = "TGACTCA"

[[positives]]
share = 1.0
motifs = ["GATA", "AP-1"]
spacing = { min = 5, max = 50 }

[[negatives]]
share = 0.4
motifs = ["GATA"]

[[negatives]]
share = 0.4
motifs = ["AP-1"]

[[negatives]]
share = 0.2
motifs = []
"""


@dataclass(frozen=True)
class Strided:
    """The trained network, and sequences that it has not seen.

    Attributes:
        model: In eval mode; one-hot DNA (B, 4, 101) to a logit, (B, 1).
        x: Sequences with both sites that the model calls positive, (B, 4, 101).
        motifs: Where the sites of each are.
        accuracy: The share of all held-out sequences, with and without sites, that it gets right.
    """

    model: nn.Module
    x: Tensor
    motifs: list[list[Motif]]
    accuracy: float

    def stability(self, max_shift: int) -> dict[int, float]:
        """Return how alike the attributions of a moved window are to those of the unmoved one.

        Args:
            max_shift: As in `ShiftSmooth`; 0 is the gradient.

        Returns:
            By distance in bases, the correlation of contributions, the mean over the sequences.
        """
        smooth = ShiftSmooth(self.model)

        def explain(x: Tensor) -> Tensor:
            return (smooth.attribute(x, target=0, max_shift=max_shift) * x).sum(1)

        return {
            distance: float(shift_stability(explain, self.x, (-distance, distance)).mean())
            for distance in DISTANCES
        }

    def picture(self, row: int = 0) -> Figure:
        """Return the attributions of one sequence in moved windows, as `plot_shifts` draws them.

        Args:
            row: The sequence.
        """
        return plot_shifts(
            self.model,
            self.x[row],
            0,
            max_shift=MAX_SHIFT,
            moves=max(DISTANCES),
            motifs=self.motifs[row],
            width=7.5,
        )

    def lines(self) -> str:
        """Return three lines: what the network is, and what the picture shows of every sequence."""
        moved = ", ".join(map(str, DISTANCES))
        rows = {"the gradient": 0, f"ShiftSmooth(max_shift={MAX_SHIFT})": MAX_SHIFT}
        told = [
            f"A small CNN with strides, trained on planted sites: right on {self.accuracy:.0%} of "
            "new sequences."
        ]
        for name, max_shift in rows.items():
            kept = ", ".join(f"{value:.3f}" for value in self.stability(max_shift).values())
            told.append(f"Window moved by {moved} bases: {name} keeps a correlation of {kept}.")
        return "\n".join(told)


def strided(*, count: int = 16_000, epochs: int = 8, held_out: int = 400, seed: int = 0) -> Strided:
    """Train the network, which takes some seconds, and return it with sequences to explain.

    Args:
        count: How many sequences to train on.
        epochs: How often each is seen.
        held_out: How many sequences to draw besides; about half of them have both sites.
        seed: Of the sequences, the first weights and the order of training.
    """
    simulation = Simulation.from_toml(SIMULATION, name="two sites")
    seen = simulation.sample(count, seed=2 * seed)
    with seeded(seed, 0):
        model = nn.Sequential(
            nn.Conv1d(4, 32, 11, padding=5, stride=4), nn.ReLU(),
            nn.Conv1d(32, 32, 5, padding=2, stride=2), nn.ReLU(),
            nn.Flatten(), nn.Dropout(0.2), nn.Linear(32 * 13, 1),
        )  # fmt: skip
        _train(model, seen.one_hot(), torch.from_numpy(seen.labels).float()[:, None], epochs)
    new = simulation.sample(held_out, seed=2 * seed + 1)
    x = new.one_hot()
    with torch.no_grad():
        called = (model(x)[:, 0] > 0).numpy()
    rows = (called & (new.labels == 1)).nonzero()[0].tolist()
    boxes: dict[int, list[Motif]] = {row: [] for row in rows}
    for row, name, start, stop, _ in new.instances():
        if row in boxes:
            boxes[row].append(Motif(start, stop, name))
    return Strided(model, x[rows], list(boxes.values()), float((called == new.labels).mean()))


def _train(model: nn.Module, x: Tensor, labels: Tensor, epochs: int) -> None:
    """Fit the model to the labels and leave it in eval mode."""
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
    for _ in range(epochs):
        for rows in torch.randperm(len(x)).split(256):
            optimizer.zero_grad()
            F.binary_cross_entropy_with_logits(model(x[rows]), labels[rows]).backward()
            optimizer.step()
    model.eval()
