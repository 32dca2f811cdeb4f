import gzip
import os

import numpy as np
import pytest

from modelzoo.sequences import Genome, Interval

LETTERS = "".join(np.random.default_rng(0).choice(list("ACGT"), 200_000))  # several bgzip blocks


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache"


def fasta(path, *sequences, width=60):
    lines = [
        f">chr{number} words\n"
        + "".join(letters[i : i + width] + "\n" for i in range(0, len(letters), width))
        for number, letters in enumerate(sequences, start=1)
    ]
    path.write_text("".join(lines))
    return path


def bgzipped(path):
    from Bio import bgzf

    with bgzf.open(f"{path}.gz", "wb") as file:
        file.write(path.read_bytes())
    return path.with_name(f"{path.name}.gz")


def two_bit(path, chroms):
    """Write the 2bit format after its specification: a header, an index, packed chromosomes."""
    index, body = b"", b""
    offset = 16 + sum(1 + len(name) + 4 for name in chroms)
    for name, letters in chroms.items():
        index += bytes([len(name)]) + name.encode() + np.uint32(offset + len(body)).tobytes()
        unknown = [i for i, letter in enumerate(letters) if letter == "N"]
        codes = np.array(["TCAG".index(letter) if letter != "N" else 0 for letter in letters])
        codes = np.pad(codes, (0, -len(codes) % 4)).reshape(-1, 4)
        packed = (codes @ [64, 16, 4, 1]).astype(np.uint8).tobytes()
        blocks = np.array([len(unknown), *unknown, *[1] * len(unknown), 0, 0], np.uint32)
        body += np.uint32(len(letters)).tobytes() + blocks.tobytes() + packed
    header = np.array([0x1A412743, 0, len(chroms), 0], np.uint32).tobytes()
    path.write_bytes(header + index + body)
    return path


@pytest.fixture(params=["plain", "bgzip", "2bit"])
def genome(request, tmp_path):
    if request.param == "2bit":
        pytest.importorskip("py2bit")
        return two_bit(tmp_path / "g.2bit", {"chr1": LETTERS, "chr2": "GATNACA"})
    path = fasta(tmp_path / "g.fa", LETTERS, "GATNACA")
    return path if request.param == "plain" else bgzipped(path)


def test_every_format_gives_the_same_letters(genome):
    with Genome(genome) as opened:
        assert opened.sizes == {"chr1": 200_000, "chr2": 7}
        for start in (0, 59, 65_270, 131_000, 199_900):
            interval = Interval("chr1", start, start + 100)
            assert opened.sequence(interval).upper() == LETTERS[start : start + 100]


@pytest.mark.parametrize(
    ("start", "end", "letters"),
    [
        (-2, 3, "NNGAT"),
        (5, 9, "CANN"),
        (-1, 8, "NGATNACAN"),
        (-5, -2, "NNN"),
        (9, 12, "NNN"),
    ],
)
def test_beyond_the_chromosome_is_n(genome, start, end, letters):
    with Genome(genome) as opened:
        assert opened.sequence(Interval("chr2", start, end)) == letters


def test_the_minus_strand_is_read_backwards(genome):
    with Genome(genome) as opened:
        assert opened.sequence(Interval("chr2", -1, 3, "-")) == "ATCN"


@pytest.mark.parametrize(("asked", "there"), [("1", "chr1"), ("chr1", "1")])
def test_another_naming_of_chromosomes_is_said(tmp_path, asked, there):
    path = tmp_path / "g.fa"
    path.write_text(f">{there}\nACGT\n")
    with (
        Genome(path) as opened,
        pytest.raises(LookupError, match=f"got '{asked}' for its '{there}'"),
    ):
        opened.sequence(Interval(asked, 0, 2))


def test_a_genome_replaced_by_an_older_file_is_read_anew(tmp_path):
    path = fasta(tmp_path / "g.fa", "ACGT" * 50)
    with Genome(path) as opened:
        opened.sequence(Interval("chr1", 0, 4))
    other = fasta(tmp_path / "other.fa", "TTTTT", "GGCCA" * 30, width=7)
    os.utime(other, (1, 1))
    os.replace(other, path)
    with Genome(path) as opened:
        assert opened.sizes == {"chr1": 5, "chr2": 150}
        assert opened.sequence(Interval("chr2", 0, 9)) == "GGCCAGGCC"


def test_a_wrong_index_beside_the_genome_is_not_used(tmp_path):
    path = fasta(tmp_path / "g.fa", "ACGTACGTAC", width=5)
    (tmp_path / "g.fa.fai").write_text("chr1\t99\t3\t60\t61\n")
    with Genome(path) as opened:
        assert opened.sizes == {"chr1": 10}
    assert (tmp_path / "g.fa.fai").read_text() == "chr1\t99\t3\t60\t61\n"


def test_the_index_is_made_once_and_never_beside_the_genome(tmp_path, cache, monkeypatch):
    folder = tmp_path / "genomes"
    folder.mkdir()
    path = fasta(folder / "g.fa", LETTERS)
    with Genome(path):
        pass
    made = {file: file.stat().st_mtime_ns for file in cache.rglob("*.fai")}
    with Genome(path):
        pass
    assert len(made) == 1
    assert {file: file.stat().st_mtime_ns for file in cache.rglob("*.fai")} == made
    assert [file.name for file in folder.iterdir()] == ["g.fa"]
    assert sorted(cache.rglob("*")) == [cache / "shiftsmooth", cache / "shiftsmooth/genomes", *made]


def test_without_a_cache_folder_the_index_lasts_as_long_as_the_run(tmp_path, cache):
    cache.write_text("a file in the place of the folder")
    with Genome(fasta(tmp_path / "g.fa", "ACGT")) as opened:
        assert opened.sequence(Interval("chr1", 1, 3)) == "CG"


@pytest.mark.parametrize(
    ("name", "content", "cause"),
    [
        ("g.fa", b"", "does not contain a valid sequence"),
        ("g.fa", b"ACGT\n", "Unexpected text before the first sequence"),
        ("g.fa", b">chr1\nACGT\nAC\nACGT\n", "Line length of fasta"),
        ("g.fa", b">chr1\nACGTN\n\n\n", "indexing at entry chr1"),
        ("g.fa", b">chr1\nA\n>chr1\nC\n", "chr1"),
        ("g.fa", b"\xff\xfe\x00", "codec"),
        ("g.fa.gz", gzip.compress(b">chr1\nACGT\n", mtime=0), "bgzip"),
        ("g.fa.gz", gzip.compress(b">chr1\nACGT\n", mtime=0)[:-9], "bgzip"),
        ("g.2bit", b"\x43\x27\x41\x1a\x00", "error during file opening"),
    ],
)
def test_what_is_no_genome_is_said(tmp_path, name, content, cause):
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(ValueError, match=f"(?s)genome: expected .*{name}.*{cause}"):
        Genome(path)
    with pytest.raises(FileNotFoundError, match="genome: no such file"):
        Genome(tmp_path / "absent.fa")
