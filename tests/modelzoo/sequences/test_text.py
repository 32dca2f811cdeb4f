import gzip
import subprocess
import sys

import numpy as np
import pytest

from modelzoo.sequences import Record, read_fasta, read_intervals, read_seq
from modelzoo.sequences.text import LONGEST

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


def test_text_that_is_not_utf_8_is_named_by_its_line(tmp_path):
    path = tmp_path / "a.fa"
    path.write_bytes(b">one\nAC\n>t\xffwo\nAC\n")
    with pytest.raises(ValueError, match=r"a\.fa, line 3: expected UTF-8 text"):
        list(read_fasta(path))


def test_a_standard_input_that_is_closed_is_an_error(monkeypatch):
    monkeypatch.setattr(sys, "stdin", None)
    with pytest.raises(ValueError, match="got -, and the standard input is closed"):
        list(read_fasta("-"))


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_lines_may_end_as_on_any_system(tmp_path, end):
    path = tmp_path / "a.fa"
    path.write_bytes(end.join([">a x", "AC", "GT", ">b", "GG", ""]).encode())
    assert list(read_fasta(path)) == [Record("a", "ACGT"), Record("b", "GG")]
    path.write_bytes(end.join(["", ">a", "A!", ""]).encode())
    with pytest.raises(ValueError, match="line 2: "):
        list(read_fasta(path))


@pytest.mark.parametrize("letters", [LONGEST - 4, LONGEST, 3 * LONGEST])
@pytest.mark.parametrize("width", [10**9, 60_000])
def test_a_record_is_cut_where_it_is_too_long_and_the_next_is_read(tmp_path, letters, width):
    path = tmp_path / "a.fa"
    sequence = ("ACGT" * (letters // 4 + 1))[:letters]
    rows = [sequence[i : i + width] for i in range(0, letters, width)]
    path.write_text("\n".join([">one", *rows, ">two", "GG", ""]))
    rejected = []
    found = list(read_fasta(path, reject=rejected.append))
    assert found[-1] == Record("two", "GG")
    if letters < LONGEST - 3:
        assert found[0] == Record("one", sequence) and not rejected
    else:
        (error,) = map(str, rejected)
        assert f"a.fa, line 1: expected at most {LONGEST:,} characters, got more in" in error
        assert len(found) == 1


@pytest.mark.slow
def test_a_small_file_that_unpacks_to_a_large_one_takes_no_memory(tmp_path):
    """In a process that may have 1 GB, a record of 2 GB in a file of 2 MB."""
    path = tmp_path / "a.fa.gz"
    with gzip.open(path, "wb") as file:
        file.write(b">one\nAC\n>bomb\n")
        for _ in range(2000):
            file.write(b"A" * 2**20)
        file.write(b"\n>two\nGG\n")
    code = f"""
import resource
resource.setrlimit(resource.RLIMIT_DATA, (2**30, 2**30))
from modelzoo.sequences import read_fasta
print([record.name for record in read_fasta({str(path)!r}, reject=print)])
"""
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert "line 3: expected at most" in run.stdout, run.stderr
    assert run.stdout.endswith("['one', 'two']\n")


@pytest.mark.parametrize("name", ["a.bed", "a.seq"])
def test_a_line_that_is_too_long_is_named(tmp_path, name):
    path = tmp_path / name
    path.write_text({"a.bed": "", "a.seq": HEADER}[name] + "chr1\t1\t2\t" + "x" * LONGEST + "\n")
    read = {"a.bed": read_intervals, "a.seq": read_seq}[name]
    with pytest.raises(ValueError, match=f"{name}, line .: expected at most"):
        list(read(path))


def test_bytes_that_are_no_text_are_named(tmp_path):
    path = tmp_path / "a.fa"
    path.write_bytes(b">a\n\xff\xfe\n")
    with pytest.raises(ValueError, match=r"a\.fa, line 1: expected UTF-8 text"):
        list(read_fasta(path))
