"""The data sets of the benchmark: labelled sequences, and which positions decide their labels.

To add one, write a function of (split, count, seed) that returns a `Drawn`, and put it into `SETS`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import numpy as np

from modelzoo.datasets.peaks import VALIDATION_SEED
from modelzoo.studies.benchmark import real, rules
from modelzoo.studies.benchmark.drawn import Drawn

# The seed of a split, apart from all others; the models' seeds do not change the sequences.
SPLITS = {"train": 0, "validation": VALIDATION_SEED, "test": VALIDATION_SEED + 1}


@dataclass(frozen=True)
class TruthSet:
    """A data set whose truth is known.

    Attributes:
        title: Its name in tables.
        about: What makes a sequence positive, in a sentence.
        length: Positions that a model sees; sequences have `FLANK` more on either side.
        draw: From (split, count, seed) to sequences; half of them are positives.
    """

    title: str
    about: str
    length: int
    draw: Callable[[str, int, int], Drawn]


SETS: dict[str, TruthSet] = {
    "planted": TruthSet(
        "TAL1 and GATA1",
        "TAL1, GATA1 or both 7 to 9 bases apart, of ARGMINN's paper",
        rules.PLANTED,
        rules.planted,
    ),
    "regulatory": TruthSet(
        "regulatory code",
        "three to five instances of five motifs, against those of 55 motifs; Koo and Ploenzke",
        rules.REGULATORY,
        rules.regulatory,
    ),
    "shuffles": TruthSet(
        "planted in shuffled peaks",
        "one to three AP-1 or CEBP sites in dinucleotide shuffles of GATA3's peaks",
        real.SHUFFLED,
        real.shuffles,
    ),
    "and": TruthSet("AND", "GATA and AP-1, against one of them", rules.RULED, rules.both),
    "or": TruthSet("OR", "GATA or AP-1, against neither", rules.RULED, rules.either),
    "order": TruthSet(
        "order", "GATA before AP-1, against AP-1 before GATA", rules.RULED, rules.order
    ),
    "spacing": TruthSet(
        "spacing",
        "GATA and AP-1 3 to 6 bases apart, against 16 to 30",
        rules.RULED,
        rules.spacing,
    ),
    "peaks": TruthSet(
        "GATA3's peaks",
        "peaks against their dinucleotide shuffles; the truth are JASPAR's GATA3 hits",
        real.PEAKS,
        real.peaks,
    ),
}


@cache
def sequences(name: str, split: str, count: int, seed: int) -> Drawn:
    """Return a split of a set; drawn once per process.

    Args:
        name: A key of `SETS`.
        split: A key of `SPLITS`. Test sequences are looked at in the final tables only.
        count: How many sequences.
        seed: Of the whole study.
    """
    # Splits of all studies are apart: seeds are few, and 2^31 is far from 0.
    return SETS[name].draw(split, count, SPLITS[split] + 2 * seed)


def positives(drawn: Drawn, count: int) -> Drawn:
    """Return the first so many positives of which some, not all, positions are the truth."""
    inside = drawn.window(drawn.truth)
    useful = (drawn.labels == 1) & inside.any(1) & ~inside.all(1)
    return drawn.rows(np.flatnonzero(useful)[:count])
