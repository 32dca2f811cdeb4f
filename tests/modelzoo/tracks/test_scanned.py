import h5py
import numpy as np
import pyBigWig
import pytest
from pyarrow import parquet

from modelzoo.sequences import Interval
from modelzoo.tracks.scanned import FORMATS, TRACKS, Scanned, chosen

SIZES = {"chr2": 3000, "chr1": 500}
INTERVALS = [Interval("chr2", 0, 900), Interval("chr2", 1000, 1500), Interval("chr1", 20, 500)]


@pytest.fixture
def scanned():
    rng = np.random.default_rng(0)
    values = [rng.normal(size=(2, one.width)).astype("f4") for one in INTERVALS]
    values[0][:, 100:120] = np.nan  # a run of N
    values[1][0, :7] = np.nan  # the first bases are in the middle of no window
    return Scanned(INTERVALS, values, SIZES, {"model": "mine", "step": 2})


def written(scanned, name, folder):
    paths = FORMATS[name].paths(folder)
    FORMATS[name].write(scanned, *paths)
    assert sorted(folder.iterdir()) == sorted(paths)
    return paths


def expected(scanned, row):
    """A track of every chromosome, by hand."""
    found = {chrom: np.full(size, np.nan, "f4") for chrom, size in SIZES.items()}
    for interval, values in zip(INTERVALS, scanned.values):
        found[interval.chrom][interval.start : interval.end] = values[row]
    return found


def test_bigwigs_are_read_by_pybigwig(scanned, tmp_path):
    for row, path in enumerate(written(scanned, "bigwig", tmp_path)):
        with pyBigWig.open(str(path)) as file:
            for chrom, values in expected(scanned, row).items():
                found = np.array(file.values(chrom, 0, SIZES[chrom]), "f4")
                np.testing.assert_array_equal(found, values)


def test_bedgraphs_have_a_line_per_base_with_a_number(scanned, tmp_path):
    for row, path in enumerate(written(scanned, "bedgraph", tmp_path)):
        found = {chrom: np.full(size, np.nan) for chrom, size in SIZES.items()}
        for line in path.read_text().splitlines():
            chrom, start, end, value = line.split("\t")
            assert int(end) == int(start) + 1
            found[chrom][int(start)] = float(value)
        for chrom, values in expected(scanned, row).items():
            np.testing.assert_allclose(found[chrom], values, rtol=1e-5)


def test_hdf5_has_an_array_per_chromosome_and_track(scanned, tmp_path):
    (path,) = written(scanned, "hdf5", tmp_path)
    with h5py.File(path) as file:
        assert dict(file.attrs) == {"model": "mine", "step": 2}
        for row, track in enumerate(TRACKS):
            for chrom, values in expected(scanned, row).items():
                np.testing.assert_array_equal(file[f"{chrom}/{track}"], values)


def test_parquet_has_a_row_per_base_with_a_number(scanned, tmp_path):
    (path,) = written(scanned, "parquet", tmp_path)
    table = parquet.read_table(path)
    assert table.schema.metadata[b"step"] == b"2"
    columns = table.to_pydict()
    both = [expected(scanned, row) for row in (0, 1)]
    wanted = []
    for chrom, size in SIZES.items():
        for start in range(size):
            pair = [None if np.isnan(one[chrom][start]) else one[chrom][start] for one in both]
            if pair != [None, None]:
                wanted.append((chrom, start, *pair))
    assert list(zip(*(columns[name] for name in ("chrom", "start", *TRACKS)))) == wanted


def test_the_same_tracks_are_the_same_bytes(scanned, tmp_path):
    for name in FORMATS:
        folders = [tmp_path / name / number for number in "12"]
        for folder in folders:
            folder.mkdir(parents=True)
            written(scanned, name, folder)
        one, two = ([path.read_bytes() for path in sorted(folder.iterdir())] for folder in folders)
        assert one == two, name


@pytest.mark.parametrize(
    ("formats", "got"), [([], "none"), (["bigwig", "wig"], "'wig'")], ids=["none", "unknown"]
)
def test_formats_that_are_not_there_are_named(formats, got):
    with pytest.raises(ValueError, match=f"formats: expected some of bigwig, .*, got {got}"):
        chosen(formats)


def test_a_format_that_is_asked_for_twice_is_written_once():
    assert chosen(["hdf5", "bigwig", "hdf5"]) == [FORMATS["hdf5"], FORMATS["bigwig"]]
