import gzip

import numpy as np
import pytest

from modelzoo.sequences import read_fasta, read_seq

HEADER = "FoldID\tEventID\tseq\tBound\n"


def test_truncated_gzip_is_named_after_what_came_before_it(tmp_path):
    rng = np.random.default_rng(0)
    rows = ["".join(rng.choice(list("ACGT"), 101)) for _ in range(3000)]
    text = HEADER + "".join(f"A\tseq_{i}\t{row}\t1\n" for i, row in enumerate(rows))
    path = tmp_path / "a.seq.gz"
    whole = gzip.compress(text.encode())
    path.write_bytes(whole[: len(whole) // 2])
    seen = []
    with pytest.raises(ValueError, match=r"a\.seq\.gz, line \d+: the gzip file is truncated"):
        seen.extend(record.sequence for record in read_seq(path))
    damaged = bytearray(whole)
    damaged[-6] ^= 1
    path.write_bytes(damaged)
    with pytest.raises(ValueError, match="the gzip file is damaged"):
        list(read_seq(path))


def test_bytes_that_are_no_text_are_named(tmp_path):
    path = tmp_path / "a.fa"
    path.write_bytes(b">a\n\xff\xfe\n")
    with pytest.raises(ValueError, match=r"a\.fa, line 2: expected UTF-8 text"):
        list(read_fasta(path))
