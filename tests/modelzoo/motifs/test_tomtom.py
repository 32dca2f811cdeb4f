import numpy as np
import pytest
import torch

from modelzoo.motifs import Motif, annotate, jaspar, label, tomtom


def benjamini_hochberg(p_values):
    """The textbook's step-up, one by one."""
    order = np.argsort(p_values)[::-1]
    q_values, smallest = np.empty(len(p_values)), 1.0
    for rank, index in zip(range(len(p_values), 0, -1), order):
        smallest = min(smallest, p_values[index] * len(p_values) / rank)
        q_values[index] = smallest
    return q_values


def test_matches_are_those_of_a_direct_call(database, by_id):
    import memelite

    queries = [by_id[name].trimmed() for name in ("MA0037.3", "MA0139.1", "MA0080.5")]
    p_values, _, offsets, overlaps, strands = memelite.tomtom(
        [query.matrix for query in queries], [target.matrix for target in database]
    )
    for row, matches in enumerate(annotate(queries, database)):
        q_values = benjamini_hochberg(p_values[row])
        assert len(matches) == (q_values <= 0.05).sum() > 0
        for match in matches:
            column = database.index(match.target)
            assert match.p_value == p_values[row, column]
            assert match.q_value == pytest.approx(q_values[column])
            assert match.offset == offsets[row, column]
            assert match.overlap == overlaps[row, column]
            assert match.orientation == "+-"[int(strands[row, column])]
        assert [m.p_value for m in matches] == sorted(m.p_value for m in matches)


@pytest.mark.parametrize("flank", [0, 4])
@pytest.mark.parametrize("turned", [False, True])
def test_a_match_says_how_its_target_lies(database, by_id, flank, turned):
    planted = by_id["MA0139.1"]  # CTCF has a direction
    query = planted.reverse_complement() if turned else planted
    query = Motif("query", np.concatenate([np.full((4, flank), 0.25), query.matrix], 1))
    best = annotate([query], database)[0][0]
    assert label([best]) == "CTCF"
    assert best.orientation == "-+"[not turned]
    assert best.offset == -flank
    np.testing.assert_array_equal(best.oriented.matrix, query.matrix[:, flank:])


def test_a_flat_motif_resembles_nothing():
    database = jaspar("JASPAR2024")
    flat = Motif("flat", np.full((4, 10), 0.25))
    assert tomtom([flat], database).p_values.min() < 1e-6  # so Tomtom alone would have it
    assert annotate([flat], database) == [[]]
    assert label([]) == ""


def test_tomtom_leaves_torchs_threads_alone(database):

    before = torch.get_num_threads()
    try:
        torch.set_num_threads(1)
        tomtom(database[:1], database)
        assert torch.get_num_threads() == 1
    finally:
        torch.set_num_threads(before)
