import os
from collections import Counter
from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from modelzoo.datasets.peaks import (
    VALIDATION_SEED,
    Peaks,
    Windows,
    options,
    peak_records,
    read_peaks,
    shuffled,
    split_peaks,
    task_of,
)
from modelzoo.files import sha256
from modelzoo.sequences import encode
from tests.support.peaks import fasta, planted


def dinucleotides(row):
    return Counter(pairwise(row))


codes = st.integers(2, 30).flatmap(
    lambda length: st.lists(
        st.lists(st.integers(0, 4), min_size=length, max_size=length), min_size=1, max_size=4
    ).map(lambda rows: np.array(rows, dtype=np.uint8))
)


@settings(deadline=None)
@given(codes, st.integers(0, 2**40))
def test_shuffles_keep_every_dinucleotide_and_the_ends(rows, seed):
    shuffles = shuffled(rows, seed)
    assert shuffles.dtype == np.uint8 and shuffles.shape == rows.shape
    for row, shuffle in zip(rows.tolist(), shuffles.tolist()):
        assert dinucleotides(shuffle) == dinucleotides(row)
        assert (shuffle[0], shuffle[-1]) == (row[0], row[-1])


def test_shuffles_follow_from_the_seed_and_differ_between_epochs():
    rows = np.random.default_rng(0).integers(0, 4, (20, 101), dtype=np.uint8)
    first, again, second = (shuffled(rows, (7, epoch)) for epoch in (0, 0, 1))
    assert np.array_equal(first, again)
    assert not (first == second).all(axis=1).any()
    assert not (first == rows).all(axis=1).any()


def test_a_tenth_is_held_out_and_nothing_is_lost():
    rows = np.random.default_rng(0).integers(0, 4, (5000, 101), dtype=np.uint8)
    train, held_out = split_peaks(rows)
    assert 0.08 < len(held_out) / len(rows) < 0.12
    assert sorted(map(bytes, [*train, *held_out])) == sorted(map(bytes, rows))


def test_a_sequence_and_its_other_strand_fall_on_one_side_wherever_they_occur():
    rows = np.random.default_rng(1).integers(0, 4, (500, 31), dtype=np.uint8)
    _, held_out = split_peaks(rows)
    _, other_strand = split_peaks(3 - rows[::-1, ::-1])
    assert len(held_out) > 0
    assert set(map(bytes, held_out)) == set(map(bytes, (3 - other_strand[:, ::-1])))


def test_peaks_of_a_users_own_file_leave_negatives_out(tmp_path):
    path = tmp_path / "mine.seq"
    path.write_text("FoldID\tEventID\tseq\tBound\nA\ta\tACGT\t1\nA\tb\tCCCC\t0\n")
    assert np.array_equal(read_peaks(path), encode(["ACGT"]))
    assert task_of(path) == "mine" and task_of("GATA3") == "GATA3"


def test_a_source_that_is_neither_factor_nor_file_is_refused():
    with pytest.raises(ValueError, match=r"source: expected one of .*GATA3.* got GATA4"):
        read_peaks("GATA4")


def test_a_file_without_peaks_is_refused(tmp_path):
    path = tmp_path / "mine.seq"
    path.write_text("FoldID\tEventID\tseq\tBound\n")
    with pytest.raises(ValueError, match=r"mine\.seq: expected at least one peak, got none"):
        read_peaks(path)


def test_a_data_set_is_known_by_its_name_and_a_file_by_its_own():
    assert task_of("ARID3A-K562") == "ARID3A-K562"
    assert task_of("peaks/mine.fa.gz") == "mine"


# Peaks against their shuffles


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("peaks")
    return [
        fasta(folder / "gata.fa", planted(200, "GATAAGAT", 0)),
        fasta(folder / "ap1.fa", planted(220, "TGACTCAT", 1)),
    ]


@pytest.mark.parametrize("size", [None, 25, 400])
def test_a_peak_and_its_shuffle_are_labelled_for_their_own_task_alone(files, size):
    data = Peaks(files, size)
    assert data.tasks == ("gata", "ap1") and data.length == 40
    codes, labels = data.epoch(0, seed=0)
    known = ~labels.isnan()
    assert (known.sum(1) == 1).all()
    for task, path in enumerate(files):
        train, _ = split_peaks(read_peaks(path))
        own = codes[known[:, task].numpy()]
        y = labels[known[:, task], task].numpy()
        seen, times = Counter(map(bytes, own[y == 1])), Counter(map(bytes, train))
        if size is None:
            assert seen == times
        else:
            assert seen.keys() <= times.keys() and seen.total() == size
            assert size > len(train) or seen <= times
        for peak, shuffle in zip(own[y == 1].tolist(), own[y == 0].tolist(), strict=True):
            assert dinucleotides(peak) == dinucleotides(shuffle) and peak != shuffle


def test_epochs_differ_and_follow_from_seed_and_number(files):
    for data in (Peaks(files), Peaks(files, 30)):
        first, again = data.epoch(0, 0), data.epoch(0, 0)
        assert np.array_equal(first[0], again[0])
        torch.testing.assert_close(first[1], again[1], equal_nan=True)
        for epoch, seed in ((1, 0), (0, 1)):
            assert not np.array_equal(first[0], data.epoch(epoch, seed)[0])


def test_held_out_peaks_have_one_fixed_shuffle_and_are_never_trained_on(files):
    data = Peaks(files[:1])
    _, held = split_peaks(read_peaks(files[0]))
    codes, labels = data.held_out
    assert np.array_equal(codes, np.concatenate([held, shuffled(held, VALIDATION_SEED)]))
    assert labels[:, 0].tolist() == [1] * len(held) + [0] * len(held)
    assert not set(map(bytes, data.epoch(0, 0)[0])) & set(map(bytes, codes))


def test_peaks_in_memory_are_as_good_as_those_of_a_file(files):
    named, read = Peaks({"gata": read_peaks(files[0])}), Peaks(files[:1])
    assert np.array_equal(named.epoch(3, 1)[0], read.epoch(3, 1)[0])
    assert named.sources == {} and read.sources == {files[0]: sha256(files[0].read_bytes())}


def test_fewer_peaks_are_validated_on_the_same_ones(files):
    data = Peaks(files)
    fewer = data.fewer(50, seed=1)
    assert [len(codes) for codes in fewer.train.values()] == [50, 50]
    assert fewer.held_out is data.held_out
    for some, every in zip(fewer.train.values(), data.train.values()):
        assert set(map(bytes, some)) < set(map(bytes, every))
    assert not np.array_equal(fewer.train["gata"], data.fewer(50, seed=2).train["gata"])


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ((0, 0), "data: expected every task once, got gata, gata"),
        ((), "data: expected every task once"),
        (("short",), "data: expected peaks to train and validate on, got 1 of short"),
        ((0, "long"), r"data: expected peaks of one length, got \[40, 50\]"),
    ],
)
def test_peaks_that_do_not_go_together_are_refused(files, tmp_path, data, message):
    fasta(tmp_path / "short.fa", ["ACGT"])
    fasta(tmp_path / "long.fa", planted(50, "GATA", 0, length=50))
    sources = [files[d] if isinstance(d, int) else tmp_path / f"{d}.fa" for d in data]
    with pytest.raises(ValueError, match=message):
        Peaks(sources)


@pytest.mark.data
@pytest.mark.skipif("MODELZOO_DATA_DIR" not in os.environ, reason="needs MODELZOO_DATA_DIR")
def test_training_files_hold_as_many_peaks_as_they_should():
    sizes = {name: len(read_peaks(name)) for name in ("ARID3A", "GATA3", "ARID3A-K562", "MYC")}
    assert sizes == {"ARID3A": 17122, "GATA3": 15379, "ARID3A-K562": 8526, "MYC": 4051}


@pytest.fixture
def genome(tmp_path):
    """A genome of one chromosome, and its letters."""
    letters = "".join(np.random.default_rng(0).choice(list("ACGT"), 900))
    path = tmp_path / "genome.fa"
    path.write_text(f">chr1\n{letters}\n")
    return path, letters


def test_peaks_of_intervals_are_windows_of_the_genome_on_their_strand(tmp_path, genome):
    path, letters = genome
    peaks = tmp_path / "peaks.narrowPeak"
    rest = "1\t1\t1"
    peaks.write_text(f"chr1\t100\t160\ta\t0\t-\t{rest}\t20\nchr1\t300\t390\tb\t0\t.\t{rest}\t-1\n")
    first, second = peak_records(Windows(peaks, path, width=20))
    assert first.sequence == letters[110:130].translate(str.maketrans("ACGT", "TGCA"))[::-1]
    assert second.sequence == letters[335:355]
    (middle, _) = peak_records(Windows(peaks, path, width=20, center="middle"))
    assert middle.interval[:3] == ("chr1", 120, 140)


@pytest.mark.parametrize("ending", ["tsv", "csv"])
def test_peaks_of_a_table_with_chrom_start_and_end(tmp_path, genome, ending):
    path, letters = genome
    rows = [("chrom", "start", "end"), ("chr1", "5", "45"), ("chr1", "50", "90")]
    mark = {"tsv": "\t", "csv": ","}[ending]
    peaks = tmp_path / f"peaks.{ending}"
    peaks.write_text("".join(mark.join(row) + "\n" for row in rows))
    assert np.array_equal(read_peaks(Windows(peaks, path)), encode([letters[5:45], letters[50:90]]))


def test_sequences_without_places_cannot_lie_in_excluded_regions(tmp_path, genome):
    (tmp_path / "black.bed").write_text("chr1\t0\t5\n")
    peaks = fasta(tmp_path / "a.fa", ["ACGT"])
    with pytest.raises(ValueError, match="exclude: expected records with intervals"):
        list(peak_records(Windows(peaks, genome[0], exclude=tmp_path / "black.bed")))


def test_peaks_in_excluded_regions_are_left_out(tmp_path, genome):
    peaks, black = tmp_path / "peaks.bed", tmp_path / "black.bed"
    peaks.write_text("chr1\t5\t45\nchr1\t50\t90\n")
    black.write_text("chr1\t44\t45\n")
    (record,) = peak_records(Windows(peaks, genome[0], exclude=black))
    assert record.interval.start == 50


def test_intervals_of_several_lengths_need_a_width_to_train_on(tmp_path, genome):
    peaks = tmp_path / "peaks.bed"
    peaks.write_text("chr1\t5\t45\nchr1\t50\t91\n")
    with pytest.raises(ValueError, match=r"width: expected one, .* have 40 to 41 positions"):
        read_peaks(Windows(peaks, genome[0]))


def test_the_genome_is_told_once_on_a_command_line():
    placed = [Windows(name, "my genome.fa", 101) for name in ("a.bed", "b.bed")]
    assert options(["GATA3", *placed]) == " --genome 'my genome.fa' --width 101"
    assert list(map(task_of, placed)) == ["a", "b"]
