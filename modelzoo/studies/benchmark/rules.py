"""Sequences made by rules: of motifs of this project, of Koo and Ploenzke, and of logic."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from modelzoo.datasets.planted import JASPAR_RELEASE, Simulation
from modelzoo.motifs import Motif, jaspar_matrix
from modelzoo.motifs.jaspar import jaspar
from modelzoo.studies.benchmark.drawn import FLANK, Drawn

PLANTED = 100  # positions that a model sees
REGULATORY = 200
RULED = 80
DECOY = "MA0058.3"  # MAX
DECOYS = 0.5  # share of sequences, positive or not, with a decoy

# Koo and Ploenzke (Nature Machine Intelligence 2021), task 3: SP1, GABPA, CEBPB, MAX and YY1, as in
# their generator.
CORE = ("MA0079.4", "MA0062.3", "MA0466.2", "MA0058.3", "MA0095.2")
OTHERS = 50  # motifs of negatives besides the core ones
COUNTS = {3: 0.54, 4: 0.27, 5: 0.19}  # how many motifs a sequence holds, with which probability
INFORMATIVE = 0.01  # bits, from which on a position of a motif is the truth, as published

_MOTIFS = f"""
length = {RULED + 2 * FLANK}
region = {RULED - 8}
[motifs.GATA]
matrix = "MA0037.3"
[motifs.AP-1]
matrix = "MA0099.3"
"""
_ALONE = """
[[{label}]]
share = 0.5
motifs = ["GATA"]
[[{label}]]
share = 0.5
motifs = ["AP-1"]
"""
_PAIR = """
[[{label}]]
share = 1.0
motifs = [{motifs}]
spacing = {{ min = {least}, max = {most} }}
rigid = {rigid}
"""
_NONE = """
[[negatives]]
share = 1.0
motifs = []
"""


def _pair(label: str, motifs: str, least: int, most: int, *, rigid: bool) -> str:
    told = str(rigid).lower()
    return _PAIR.format(label=label, motifs=motifs, least=least, most=most, rigid=told)


_GATA_FIRST, _AP1_FIRST = '"GATA", "AP-1"', '"AP-1", "GATA"'


def planted(split: str, count: int, seed: int) -> Drawn:
    """Draw the project's set `tal-gata`, in shorter sequences."""
    whole = PLANTED + 2 * FLANK
    return _simulated(
        replace(Simulation.load("tal-gata"), length=whole, region=PLANTED), count, seed
    )


def _ruled(name: str, text: str) -> Callable[[str, int, int], Drawn]:
    def draw(split: str, count: int, seed: int) -> Drawn:
        drawn = _simulated(Simulation.from_toml(_MOTIFS + text, name=name), count, seed)
        return with_decoys(drawn, np.random.default_rng((seed, 1)))

    return draw


both = _ruled(
    "and",
    _pair("positives", _GATA_FIRST, 2, 40, rigid=False) + _ALONE.format(label="negatives"),
)
either = _ruled("or", _ALONE.format(label="positives") + _NONE)
order = _ruled(
    "order",
    _pair("positives", _GATA_FIRST, 2, 20, rigid=True)
    + _pair("negatives", _AP1_FIRST, 2, 20, rigid=True),
)
spacing = _ruled(
    "spacing",
    _pair("positives", _GATA_FIRST, 3, 6, rigid=True)
    + _pair("negatives", _GATA_FIRST, 16, 30, rigid=True),
)


def regulatory(split: str, count: int, seed: int) -> Drawn:
    """Draw the synthetic regulatory code of Koo and Ploenzke, task 3.

    A sequence holds three to five motifs, with replacement: positives of the five core motifs on
    both strands, ten matrices, and negatives of these and fifty others. Random gaps share the other
    positions. Two things differ from the published generator. Eight in a hundred of its sequences
    hold six or seven motifs, here none does, as the paper describes it. And its fifty others leave
    out motifs that look like a core one, picked by hand; here only the core ones are left out.
    """
    core = [jaspar_matrix(name, JASPAR_RELEASE) for name in CORE]
    known = [m for m in jaspar(JASPAR_RELEASE) if m.name not in CORE]
    pool = [known[i] for i in np.random.default_rng(22).permutation(len(known))[:OTHERS]]
    rng = np.random.default_rng((seed, 2))
    whole = REGULATORY + 2 * FLANK
    codes = rng.integers(0, 4, (count, whole), dtype=np.uint8)
    labels = rng.permutation(np.arange(count) < count // 2).astype(np.uint8)
    truth = np.zeros(codes.shape, dtype=bool)
    for row, label in enumerate(labels):
        chosen = _fitting(core if label else [*core, *pool], rng)
        gaps = _gaps(REGULATORY - sum(m.width for m in chosen), len(chosen) + 1, rng)
        start = FLANK
        for gap, motif in zip(gaps, chosen):
            start += gap
            stop = start + motif.width
            codes[row, start:stop] = _instance(motif, rng)
            truth[row, start:stop] = label and motif.bits > INFORMATIVE
            start = stop
    return Drawn(codes, labels, truth, np.zeros_like(truth))


def with_decoys(drawn: Drawn, rng: np.random.Generator) -> Drawn:
    """Return sequences of which half hold a motif that means nothing, beside what they hold."""
    motif = jaspar_matrix(DECOY, JASPAR_RELEASE).trimmed()
    codes, decoys = drawn.codes.copy(), np.zeros_like(drawn.truth)
    for row in np.flatnonzero(rng.random(len(codes)) < DECOYS):
        taken = np.flatnonzero(drawn.truth[row])
        starts = np.arange(FLANK, codes.shape[1] - FLANK - motif.width + 1)
        places = starts[:, None] + np.arange(motif.width)
        free = starts[~np.isin(places, taken).any(1)]
        if len(free):
            start = rng.choice(free)
            codes[row, start : start + motif.width] = _instance(motif, rng)
            decoys[row, start : start + motif.width] = True
    return Drawn(codes, drawn.labels, drawn.truth, decoys)


def plant(
    codes: np.ndarray, motifs: Sequence[Motif], rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Return one sequence with motifs at random places that do not overlap, and where they are."""
    codes, truth = codes.copy(), np.zeros(len(codes), dtype=bool)
    inside = len(codes) - 2 * FLANK - sum(m.width for m in motifs)
    start = FLANK
    for gap, motif in zip(_gaps(inside, len(motifs) + 1, rng), motifs):
        start += gap
        codes[start : start + motif.width] = _instance(motif, rng)
        truth[start : start + motif.width] = True
        start += motif.width
    return codes, truth


def _simulated(simulation: Simulation, count: int, seed: int) -> Drawn:
    drawn = simulation.sample(count, seed=seed)
    mask = drawn.mask()
    return Drawn(drawn.codes, drawn.labels, mask, np.zeros_like(mask))


def _instance(motif: Motif, rng: np.random.Generator) -> np.ndarray:
    """Draw the bases of a motif on either strand."""
    matrix = motif.matrix if rng.random() < 0.5 else motif.matrix[::-1, ::-1]
    below = rng.random(motif.width) >= matrix.cumsum(0)[:3]
    return below.sum(0, dtype=np.uint8)


def _fitting(motifs: Sequence[Motif], rng: np.random.Generator) -> list[Motif]:
    """Draw motifs, with replacement, that fit into a sequence together."""
    while True:
        number = rng.choice(list(COUNTS), p=list(COUNTS.values()))
        chosen = [motifs[i] for i in rng.integers(len(motifs), size=number)]
        if sum(m.width for m in chosen) <= REGULATORY:
            return chosen


def _gaps(left: int, count: int, rng: np.random.Generator) -> np.ndarray:
    """Share positions among gaps at random."""
    cuts = np.sort(rng.integers(0, left + 1, count - 1))
    return np.diff(cuts, prepend=0, append=left)
