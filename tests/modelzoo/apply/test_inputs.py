import gzip
import os
from collections import Counter

import pytest
import torch

import modelzoo
from modelzoo.apply import inputs
from modelzoo.architectures.deepbind import DeepBind
from modelzoo.sequences import Record, fasta, refuse
from modelzoo.sequences.records import accepted


def read(sequences, reject=refuse):
    return list(inputs.records(sequences, None, reject))


def test_sequences_themselves_are_named_by_their_numbers():
    assert read(["ACGT", "TT"]) == [Record("0", "ACGT"), Record("1", "TT")]


def test_a_file_and_its_records_are_the_same(tmp_path):
    path = tmp_path / "a.fa"
    path.write_text(">one\nACGT\n>two\nTTN\n")
    assert read(path) == read(str(path)) == read(read(path))


def test_what_cannot_be_used_is_rejected_by_name():
    rejected = []
    given = ["ACGT", "AC!T", Record("empty", ""), "A" * (inputs.LONGEST + 1), "A" * inputs.LONGEST]
    assert [record.name for record in read(given, rejected.append)] == ["0", "4"]
    assert [str(error) for error in rejected] == [
        "expected IUPAC nucleotide letters, got '!' at position 2 of '1'",
        "expected a sequence for 'empty', got none",
        "'3' has 100001 positions; expected 100000 at most",
    ]


def test_a_wrong_sequence_raises_by_default():
    with pytest.raises(ValueError, match="'!' at position 2"):
        read(["AC!T"])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"width": 5}, "width: expected a file of intervals, got .*a.fa"),
        ({"center": "middle"}, "center: expected a file of intervals, got .*a.fa"),
        ({"exclude": "out.bed"}, "exclude: expected a file of intervals, got .*a.fa"),
    ],
)
def test_sequences_without_places_take_no_windows(tmp_path, monkeypatch, options, message):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.fa").write_text(">one\nACGT\n")
    (tmp_path / "out.bed").write_text("chr1\t0\t5\n")
    with pytest.raises(ValueError, match=message):
        list(inputs.records(tmp_path / "a.fa", None, refuse, **options))
    if "exclude" in options:
        with pytest.raises(ValueError, match="exclude: expected records with intervals, got '0'"):
            list(inputs.records(["ACGT"], None, refuse, **options))


def test_the_first_record_that_can_be_used_is_peeked_at(tmp_path):
    (tmp_path / "a.fa").write_text(">bad\nAC!T\n>one\nACGT\n")
    attempts = iter(list(inputs.Source(tmp_path / "a.fa").some(0, 2)))
    first, attempts = inputs.peeked(attempts)
    bad, good = attempts
    assert first == good() == Record("one", "ACGT")
    with pytest.raises(ValueError, match="'!'"):
        bad()


def test_a_model_is_given_itself_or_by_its_name(tiny):
    assert inputs.module(tiny.model, None) is tiny.model
    loaded = inputs.module("tiny-gata3", None)
    x = modelzoo.one_hot("ACAGATAAGA")
    assert torch.equal(loaded(x), tiny.model(x))


def test_a_model_in_training_is_put_in_eval_mode():
    model = DeepBind(filters=[4], widths=[9]).train()
    assert not inputs.module(model, "cpu").training


def test_a_pipe_is_read_as_fasta(tmp_path):
    read_end, write_end = os.pipe()
    os.write(write_end, b">one\nACGT\n")
    os.close(write_end)
    assert read(f"/dev/fd/{read_end}") == [Record("one", "ACGT")]
    os.close(read_end)


@pytest.fixture
def source(tmp_path):
    """Ten records, of which the fourth is wrong."""
    letters = ["ACGT", "TT", "GC", "A!", "NN", "A", "C", "G", "T", "AA"]
    path = tmp_path / "a.fa.gz"
    path.write_bytes(gzip.compress("".join(f">{x}\n{x}\n" for x in letters).encode()))
    return inputs.Source(path)


@pytest.mark.parametrize("order", [[(0, 4), (4, 8), (8, 12)], [(8, 12), (0, 4), (4, 8)]])
def test_stretches_in_any_order_are_the_whole_file(source, order):
    rejected = []
    found = {
        start: list(accepted(source.some(start, stop), rejected.append)) for start, stop in order
    }
    assert [r.name for start in sorted(found) for r in found[start]] == [
        r.name for r in accepted(source.rows(), lambda error: None)
    ]
    assert len(rejected) == 1


def test_stretches_in_order_read_the_file_once(source, monkeypatch):
    opened = Counter()
    real = fasta.lines

    def lines(path, errors):
        opened[path] += 1
        return real(path, errors)

    monkeypatch.setattr(fasta, "lines", lines)
    for start in (0, 2, 6):
        source.some(start, start + 2)
    assert opened == {source.path: 1}
    source.some(2, 4)
    assert opened == {source.path: 2}


def test_a_repeated_name_is_seen_in_whichever_stretch(tmp_path):
    rows = [f"A\t{name}\tACGT\t1\n" for name in ("one", "two", "one")]
    (tmp_path / "a.seq").write_text("FoldID\tEventID\tseq\tBound\n" + "".join(rows))
    (attempt,) = inputs.Source(tmp_path / "a.seq").some(2, 3)
    with pytest.raises(ValueError, match="expected every EventID once, got 'one' again"):
        attempt()


def test_the_key_of_a_file_is_its_content(source):
    before = source.key()
    os.utime(source.path, (0, 0))
    assert source.key() == before
    source.path.write_bytes(source.path.read_bytes() + gzip.compress(b">more\nA\n"))
    assert source.key() != before


def test_a_model_of_other_weights_is_refused_by_a_worker(tiny):
    named = inputs.Named("tiny-gata3", "cpu")
    model = named.anew("cpu")
    assert named.load() is model
    assert named.load(inputs.checksum(model)) is model
    with pytest.raises(
        RuntimeError, match=r"model: expected tiny-gata3 with the checksum 00000000"
    ):
        named.load("0" * 64)
