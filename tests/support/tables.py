"""Small tables of sequences and labels."""

import gzip

from tests.support.peaks import planted


def table(path, rows, header=("id", "sequence", "liver", "kidney")):
    """Write a table as its name asks for, and return its path."""
    opened = gzip.open if path.name.endswith(".gz") else open
    comma = ".csv" in path.name
    with opened(path, "wt") as file:
        for row in (header, *rows):
            file.write(("," if comma else "\t").join(map(str, row)) + "\n")
    return path


def labelled_rows(count=400, missing=""):
    """Sequences with GATAAGAT and without; the second task is the first, half of it missing."""
    with_word, without = planted(count // 2, "GATAAGAT", 1), planted(count // 2, "AC", 2)
    for i, (sequence, label) in enumerate([(s, 1) for s in with_word] + [(s, 0) for s in without]):
        yield f"s{i}", sequence, label, (label if i % 2 else missing)
