"""The data sets of the paper, and smaller ones made from them."""

import os

import numpy as np
import pytest

from modelzoo.architectures.deepbind import DeepBind
from modelzoo.architectures.moe import MixtureOfExperts
from modelzoo.sequences import decode
from modelzoo.studies.peaks.sets import paper_sets, trained_on, with_shared
from tests.support.peaks import fasta


@pytest.mark.data
@pytest.mark.skipif("MODELZOO_DATA_DIR" not in os.environ, reason="MODELZOO_DATA_DIR is not set")
def test_the_papers_sets_pair_every_peak_with_its_shuffle():
    for one in paper_sets():
        assert (len(one.labels), one.labels.sum()) == (1000, 500)
        order = np.lexsort((one.labels, one.groups))
        np.testing.assert_array_equal(one.groups[order], np.repeat(np.arange(500), 2))
        np.testing.assert_array_equal(one.labels[order], np.tile([0, 1], 500))
        codes = one.codes[order].astype(int)
        dinucleotides = np.sort(codes[:, :-1] * 5 + codes[:, 1:], axis=1)
        np.testing.assert_array_equal(dinucleotides[::2], dinucleotides[1::2])


def test_the_first_groups_keep_every_peak_with_its_shuffle(toy_sets):
    few = toy_sets[0].first(7)
    assert sorted(few.groups) == sorted([*range(7), *range(7)])
    assert few.labels.sum() == 7 and few.codes.shape[0] == 14
    assert few.name == toy_sets[0].name and len(toy_sets[0].labels) == 120


def test_a_wrong_factor_is_named():
    with pytest.raises(ValueError, match="names: expected factors among ARID3A"):
        paper_sets(["GATA4"])


def test_disjoint_rows_are_all_shuffles_and_the_peaks_that_share_nothing(toy_sets, tmp_path):
    one = toy_sets[0]
    assert one.disjoint.all()
    train = decode(one.codes[one.labels == 1][:5])
    other, labelled = with_shared([toy_sets[1], one], [str(fasta(tmp_path / "train.fa", train))])
    assert not other.shared.any()
    assert labelled.shared.sum() == 5 and (labelled.labels[labelled.shared] == 1).all()
    assert labelled.labels[labelled.disjoint].sum() == one.labels.sum() - 5
    assert labelled.first(3).shared.shape == (6,)


def test_models_are_trained_on_their_tasks_and_on_those_of_their_experts():
    experts = {"A": DeepBind([2], [5], tasks=["ELK1"]), "B": DeepBind([2], [5], tasks=["MINE"])}
    mixture = MixtureOfExperts.from_experts(experts)
    assert trained_on([mixture, DeepBind([2], [5], tasks=["GATA3"])]) == ["ELK1", "GATA3"]
