"""What filters and attributions are motifs of, compared with the planted ones."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from torch import Tensor, nn

from modelzoo import motifs as motif_tools
from modelzoo.architectures.argminn import ARGMINN
from modelzoo.attribution.methods import Method, maps, simplex_corrected
from modelzoo.datasets.planted import JASPAR_RELEASE, Simulation
from modelzoo.motifs import Match, Motif
from modelzoo.sequences import columns

if TYPE_CHECKING:
    from pandas import DataFrame

Q_VALUE = 0.05  # a filter above it is no motif


def filters_as_motifs(
    activations: Callable[[Tensor], Tensor], width: int, codes: np.ndarray
) -> list[Motif]:
    """Return the motifs of the filters that anything activates.

    Args:
        activations: Of the filters, (B, 4, L) -> (B, filters, L - width + 1).
        width: Of the filters.
        codes: Random sequences, (n, L).
    """
    found = motif_tools.filter_motifs(activations, codes, width, name="filter")
    return [motif for motif in found if motif is not None]


def attributed_motifs(
    model: nn.Module, codes: np.ndarray, method: Method, *, width: int, max_seqlets: int, seed: int
) -> list[Motif]:
    """Return TF-MoDISco's motifs from attributions, each cut to the most informative stretch.

    Args:
        model: What to explain.
        codes: Positives, (n, L).
        method: The attribution method.
        width: To cut to: that of the filters that the motifs are compared with.
        max_seqlets: How many of either sign TF-MoDISco looks at, at most.
        seed: Of shuffles.
    """
    x = columns(codes)
    found = hypothetical(model, x, method, seed=seed)
    patterns = motif_tools.modisco(x.numpy(), found.numpy(), max_seqlets=max_seqlets)
    return [_cut(pattern.motif, width) for pattern in patterns]


def hypothetical(model: nn.Module, x: Tensor, method: Method, *, seed: int) -> Tensor:
    """Return what each base would contribute, less the mean of the four.

    Args:
        model: Its first task is explained.
        x: One-hot sequences, (B, 4, L).
        method: The attribution method.
        seed: Of shuffles.

    Returns:
        Shape (B, 4, L).
    """
    if "shuffles" in method.parameters:  # tangermeme divides the sequences itself
        return simplex_corrected(method.on(model)(x, seed))
    return maps(model, x, method, seed=seed)


def targets(simulation: Simulation) -> list[Motif]:
    """Return a simulation's motifs as motifs to compare with."""
    return [Motif(motif.name, motif.matrix, title=motif.name) for motif in simulation.motifs]


def matches(found: Sequence[Motif], simulation: Simulation) -> list[list[Match]]:
    """Return how each motif matches the simulation's, best first; q is among all of JASPAR.

    Args:
        found: The motifs.
        simulation: Whose motifs to look for, each added to JASPAR's vertebrates.
    """
    own = targets(simulation)
    database = [*own, *motif_tools.jaspar(JASPAR_RELEASE)]
    named = {motif.name for motif in own}
    everything = motif_tools.annotate(found, database, q_value=1.0)
    return [[match for match in row if match.target.name in named] for row in everything]


def similarity(rows: Sequence[Sequence[Match]], simulation: Simulation) -> dict[str, float]:
    """Return -log10 q of the nearest motif for each of the simulation's motifs; 0 for none.

    Args:
        rows: As `matches` returns them.
        simulation: Whose motifs.
    """
    best = {motif.name: 0.0 for motif in simulation.motifs}
    for match in (match for row in rows for match in row):
        said = -float(np.log10(max(match.q_value, 1e-300)))
        best[match.target.name] = max(best[match.target.name], said)
    return best


def matching(rows: Sequence[Sequence[Match]]) -> int:
    """Return how many motifs are one of the simulation's.

    Args:
        rows: As `matches` returns them.
    """
    return sum(row[0].q_value <= Q_VALUE for row in rows if row)


@dataclass(frozen=True)
class Reading:
    """The motifs that the filters of an ARGMINN stand for.

    Attributes:
        model: The model.
        names: By filter, Tomtom's match of the motif that it is; filters that are none are left
            out.
    """

    model: ARGMINN
    names: dict[int, Match]

    @classmethod
    def of(cls, model: ARGMINN, simulation: Simulation, codes: np.ndarray) -> Reading:
        """Read a model's filters.

        Args:
            model: The model.
            simulation: What it was trained on.
            codes: Random sequences, (n, L).
        """
        found = filters_as_motifs(model.activations, model.width, codes)
        names = {}
        for motif, row in zip(found, matches(found, simulation)):
            if row and row[0].q_value <= Q_VALUE:
                names[int(motif.name.rpartition("-")[2])] = row[0]
        return cls(model, names)

    def instances(self, codes: np.ndarray) -> DataFrame:
        """Return the motifs that were attended to, as `modelzoo.motifs.find_instances` does.

        A filter may see a part of its motif, or more; the window of the motif is put where the
        filter's alignment with it says.

        Args:
            codes: The sequences, (n, L).
        """
        import pandas

        rows = []
        for instance in self.model.instances(columns(codes)):
            match = self.names.get(instance.filter)
            if match is None:
                continue
            start = instance.start - match.offset
            stop = start + match.target.width
            name, strand = match.target.name, match.orientation
            rows.append((instance.sequence, name, start, stop, strand))
        names = ["sequence", "motif", "start", "stop", "strand"]
        table = pandas.DataFrame(rows, columns=names)
        return table.drop_duplicates(["sequence", "motif", "start"], ignore_index=True)


def spacings(instances: DataFrame, first: str, second: str) -> dict[str, dict[int, int]]:
    """Return by arrangement how often two motifs lie so many bases apart."""
    table = motif_tools.syntax(instances, [first, second])
    table = table[(table["first"] == first) & (table["second"] == second)]
    counts: dict[str, dict[int, int]] = {}
    for arrangement, spacing, count in table[["arrangement", "spacing", "count"]].to_numpy():
        counts.setdefault(arrangement, {})[int(spacing)] = int(count)
    return counts


def _cut(motif: Motif, width: int) -> Motif:
    """The stretch of a motif that says most, of at most so many positions."""
    if motif.width <= width:
        return motif
    said = np.convolve(motif.bits, np.ones(width), mode="valid")
    start = int(said.argmax())
    return replace(motif, matrix=motif.matrix[:, start : start + width])
