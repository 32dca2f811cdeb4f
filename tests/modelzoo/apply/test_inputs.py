import pytest
import torch

import modelzoo
from modelzoo.apply import inputs
from modelzoo.architectures.deepbind import DeepBind
from modelzoo.sequences import Record, refuse


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


def test_a_model_is_given_itself_or_by_its_name(tiny):
    assert inputs.module(tiny.model, None) is tiny.model
    loaded = inputs.module("tiny-gata3", None)
    x = modelzoo.one_hot("ACAGATAAGA")
    assert torch.equal(loaded(x), tiny.model(x))


def test_a_model_in_training_is_put_in_eval_mode():
    model = DeepBind(filters=[4], widths=[9]).train()
    assert not inputs.module(model, "cpu").training
