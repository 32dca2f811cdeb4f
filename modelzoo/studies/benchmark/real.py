"""Real peaks with JASPAR's hits, and motifs planted in the shuffles of peaks."""

from __future__ import annotations

import numpy as np

from modelzoo.datasets import chipseq
from modelzoo.datasets.peaks import read_peaks, shuffled, split_peaks
from modelzoo.datasets.planted import JASPAR_RELEASE
from modelzoo.motifs import find_instances, jaspar_matrix
from modelzoo.sequences import encode, read_sequences
from modelzoo.studies.benchmark.drawn import FLANK, Drawn
from modelzoo.studies.benchmark.rules import plant
from modelzoo.studies.peaks.problems import MOTIFS

FACTOR = "GATA3"
SITES = ("MA0099.3", "MA0466.2")  # AP-1 and CEBPB, planted in shuffles
MOST = 3  # sites of a positive
PEAKS = 101 - 2 * FLANK  # positions that a model sees of a peak
SHUFFLED = 100


def real_peaks(split: str, count: int, seed: int) -> np.ndarray:
    """Return the codes of so many peaks of a split, drawn with replacement if it has fewer."""
    if split == "test":
        records = read_sequences(chipseq.file("test", FACTOR))
        codes = encode([record.sequence for record in records if record.label == 1])
    else:
        codes = split_peaks(read_peaks(FACTOR))[split == "validation"]
    rng = np.random.default_rng((seed, 3))
    order = rng.permutation(len(codes))
    return codes[order[np.arange(count) % len(order)]]


def shuffles(split: str, count: int, seed: int) -> Drawn:
    """Draw motifs planted in dinucleotide shuffles of real peaks; negatives hold none.

    The shuffles of two peaks, one after the other, are long enough for a window with its flanks.
    """
    rng = np.random.default_rng((seed, 4))
    left, right = np.split(shuffled(real_peaks(split, 2 * count, seed), seed), 2)
    codes = np.concatenate([left, right], axis=1)[:, : SHUFFLED + 2 * FLANK]
    labels = rng.permutation(np.arange(count) < count // 2).astype(np.uint8)
    sites = [jaspar_matrix(name, JASPAR_RELEASE).trimmed() for name in SITES]
    truth = np.zeros(codes.shape, dtype=bool)
    for row in np.flatnonzero(labels):
        chosen = [sites[i] for i in rng.integers(len(sites), size=rng.integers(1, MOST + 1))]
        codes[row], truth[row] = plant(codes[row], chosen, rng)
    return Drawn(codes, labels, truth, np.zeros_like(truth))


def peaks(split: str, count: int, seed: int) -> Drawn:
    """Draw real peaks and their shuffles; the truth are JASPAR's hits of the factor's motif."""
    own = real_peaks(split, count // 2, seed)
    codes = np.concatenate([own, shuffled(own, seed)])
    labels = np.repeat([1, 0], len(own)).astype(np.uint8)
    truth = np.zeros(codes.shape, dtype=bool)
    if split == "test":
        motif = jaspar_matrix(MOTIFS[FACTOR], JASPAR_RELEASE)
        hits = find_instances([motif], own)
        for row, start, stop in hits[["sequence", "start", "stop"]].to_numpy():
            truth[int(row), int(start) : int(stop)] = True
    return Drawn(codes, labels, truth, np.zeros_like(truth))
