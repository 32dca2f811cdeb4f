"""Hits and planted motifs are where they should be."""

import pytest

from modelzoo.studies.peaks.problems import Problem


def test_hits_are_where_the_motif_was_planted(toy_sets):
    data = next(s for s in toy_sets if s.name == "FOXM1")
    found = Problem.of("FOXM1", data.codes, planted=10, seed=0)
    assert found.hits[data.labels == 1].any(1).mean() > 0.5
    assert found.hits[data.labels == 0].any(1).mean() < 0.1
    assert (found.truth.sum(1) == found.truth[0].sum()).all()
    assert found.truth[:, 10:-10].sum() == found.truth.sum()


def test_a_factor_without_a_motif_is_named(toy_sets):
    with pytest.raises(ValueError, match="factor: expected one of ARID3A, FOXM1, GATA3"):
        Problem.of("CTCF", toy_sets[0].codes, planted=3, seed=0)
