"""The best possible classification of a simulated set: the likelihood ratio of its generator.

p(x | label) = sum over arrangements, orders, strands, gaps and positions c of  P(c) p(x | c)
p(x | c) / p(x) = prod over planted positions of PFM / background * [no match outside c] / Z(c)

p(x) is the background's. A background with a match is drawn again, so x has the probability 0 under
a c that leaves one of its matches unplanted, and p(x | c) is divided by the probability Z(c) that a
background is clean. All of it is summed exactly, but for Z: it depends a little on the instances
drawn, and is taken as one number per arrangement, the fraction of clean ones in 20,000 draws.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from modelzoo.datasets.planted.arrangement import Arrangement
from modelzoo.datasets.planted.scanner import Scanner, match_scores
from modelzoo.datasets.planted.simulation import Simulation

_ROWS = 500  # sequences at once
_DRAWS = 20_000  # to estimate how often a background is clean


def log_likelihood_ratio(simulation: Simulation, codes: np.ndarray) -> np.ndarray:
    """Return log p(x | positive) - log p(x | negative) for every sequence, (n,).

    Above 0 a sequence is more likely a positive. No classifier is better than this decision where
    positives and negatives are equally many. The ratio is infinite where only one of the two is
    possible, and NaN where neither is.

    Args:
        simulation: The generator of the sequences.
        codes: Bases 0-3 as the simulation draws them, (n, length).
    """
    if codes.ndim != 2 or codes.shape[1] != simulation.length:
        raise ValueError(f"codes: expected the shape (n, {simulation.length}), got {codes.shape}")
    clean = {
        a: _clean_fraction(simulation, a) for a in (*simulation.positives, *simulation.negatives)
    }
    ratios = []
    for part in np.array_split(codes, max(1, -(-len(codes) // _ROWS))):
        scan = _Scan(simulation, part)
        positive, negative = (
            sum(a.share * scan.likelihood(a) / clean[a] for a in side)
            for side in (simulation.positives, simulation.negatives)
        )
        with np.errstate(divide="ignore", invalid="ignore"):
            ratios.append(np.log(positive) - np.log(negative))
    return np.concatenate(ratios)


class _Scan:
    """The windows of sequences, scored once for all ways to plant motifs.

    Attributes:
        odds: By motif and strand, the probability of each window over that of the background,
            (n, windows).
        matches: For each motif, how many matches of any motif lie inside each of its windows.
        total: How many matches there are in all, (n,).
    """

    def __init__(self, simulation: Simulation, codes: np.ndarray) -> None:
        self.simulation = simulation
        background = np.array([1 - simulation.gc, simulation.gc, simulation.gc, 1 - simulation.gc])
        self.odds: dict[tuple[int, int], np.ndarray] = {}
        found = []  # (width, hits (n, windows))
        for index, motif in enumerate(simulation.motifs):
            ratio = motif.matrix / (background[:, None] / 2)  # A and T, and C and G, are alike
            for strand, weights in ((1, ratio), (-1, ratio[::-1, ::-1])):
                windows = np.lib.stride_tricks.sliding_window_view(codes, motif.width, axis=1)
                self.odds[index, strand] = np.prod(weights[windows, np.arange(motif.width)], axis=2)
                scores = match_scores(codes, motif, simulation.score, reverse_complement=strand < 0)
                found.append((motif.width, scores > simulation.threshold))
        self.total = np.sum([hits.sum(axis=1) for _, hits in found], axis=0)
        self.matches = [
            np.sum([_inside(hits, width, motif.width) for width, hits in found], axis=0)
            for motif in simulation.motifs
        ]

    def likelihood(self, arrangement: Arrangement) -> np.ndarray:
        """Return the probability of the sequences over that of their background, (n,)."""
        if not arrangement.motifs:
            return (self.total == 0).astype(float)
        total = np.zeros(len(self.total))
        for share, slots, lefts in _placements(self.simulation, arrangement):
            product, planted = np.ones(1), np.zeros(1, dtype=int)
            for motif, strand, start in slots:
                product = product * self.odds[motif, strand][:, start + lefts]
                planted = planted + self.matches[motif][:, start + lefts]
            allowed = planted == self.total[:, None]
            total += share * (product * allowed).sum(axis=1)
        return total


def _placements(
    simulation: Simulation, arrangement: Arrangement
) -> Iterator[tuple[float, list[tuple[int, int, int]], np.ndarray]]:
    """Yield each way to plant: its probability, (motif, strand, start)s and leftmost starts."""
    k = len(arrangement.motifs)
    if arrangement.rigid:
        orders = [(arrangement.motifs, (1,) * k), (arrangement.motifs[::-1], (-1,) * k)]
    else:
        orders = list(
            itertools.product(
                itertools.permutations(arrangement.motifs), itertools.product((1, -1), repeat=k)
            )
        )
    gaps = list(itertools.product(arrangement.spacings, repeat=max(k - 1, 0)))
    first = (simulation.length - simulation.region) // 2
    for (motifs, strands), between in itertools.product(orders, gaps):
        slots, end = [], 0
        for motif, strand, gap in zip(motifs, strands, (*between, 0)):
            slots.append((motif, strand, end))
            end += simulation.motifs[motif].width + gap
        lefts = first + np.arange(simulation.region - end + 1)
        share = 1 / (len(orders) * len(gaps) * len(lefts))
        yield share, slots, lefts


def _clean_fraction(simulation: Simulation, arrangement: Arrangement) -> float:
    """Return how often a background around planted motifs has no match of its own."""
    careless = replace(simulation, positives=(replace(arrangement, share=1.0),), threshold=math.inf)
    drawn = careless.sample(_DRAWS, seed=0, positives=_DRAWS)
    scanner = Scanner(simulation.motifs, simulation.score, simulation.threshold)
    return 1 - float(scanner.spurious(drawn.codes, drawn.starts, drawn.stops).mean())


def _inside(hits: np.ndarray, width: int, window: int) -> np.ndarray:
    """Return how many matches of some width lie inside each window, (n, length - window + 1)."""
    length = hits.shape[1] + width - 1
    if width > window:
        return np.zeros((len(hits), length - window + 1), dtype=int)
    before = np.pad(hits.cumsum(axis=1), ((0, 0), (1, 0)))
    starts = np.arange(length - window + 1)
    return before[:, starts + window - width + 1] - before[:, starts]
