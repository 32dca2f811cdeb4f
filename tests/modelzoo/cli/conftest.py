"""Files of sequences that the commands are given."""

import numpy as np
import pytest

from tests.support.sequences import FASTA


@pytest.fixture
def fasta(tmp_path):
    path = tmp_path / "seqs.fa"
    path.write_text(FASTA)
    return path


@pytest.fixture
def bound(tmp_path):
    """A file of 200 random peaks that carry a motif."""
    random = np.random.default_rng(0)
    path = tmp_path / "MYTF.fa"
    with path.open("w") as file:
        for number in range(200):
            flanks = ["".join(random.choice(list("ACGT"), 20)) for _ in range(2)]
            file.write(f">p{number}\n{'AGATAAGC'.join(flanks)}\n")
    return path


@pytest.fixture
def labelled(tmp_path):
    """A table of 200 sequences; the first task is a motif, the second the same, not all known."""
    random = np.random.default_rng(0)
    path = tmp_path / "labelled.tsv"
    with path.open("w") as file:
        file.write("id\tsequence\tliver\tkidney\n")
        for number in range(200):
            flanks = ["".join(random.choice(list("ACGT"), 20)) for _ in range(2)]
            label, word = number % 2, ("CCTTGGAA", "AGATAAGC")[number % 2]
            other = label if number % 3 else ""
            file.write(f"s{number}\t{word.join(flanks)}\t{label}\t{other}\n")
    return path
