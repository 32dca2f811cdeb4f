"""Small files of peaks with a word planted in each, for trainings that take a second."""

import numpy as np


def planted(count, word, seed=0, length=40):
    """Return random sequences, each with the word somewhere."""
    rng = np.random.default_rng(seed)
    letters = rng.choice(list("ACGT"), (count, length))
    for row, start in zip(letters, rng.integers(0, length - len(word) + 1, count)):
        row[start : start + len(word)] = list(word)
    return ["".join(row) for row in letters]


def fasta(path, rows):
    """Write sequences to a FASTA file and return its path."""
    path.write_text("".join(f">p{i}\n{row}\n" for i, row in enumerate(rows)))
    return path
