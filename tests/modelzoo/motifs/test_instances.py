import numpy as np
import pytest

from modelzoo.motifs import Motif, best_hits, find_instances
from modelzoo.sequences import encode
from tests.support.planted import planted


def test_instances_are_those_planted():
    motifs, data = planted()
    found = find_instances(motifs, data.codes)
    columns = ["sequence", "motif", "start", "stop", "strand"]
    mine = set(found[columns].itertuples(index=False, name=None))
    truth = set(data.instances())
    assert len(mine & truth) > 0.8 * len(truth)  # weak ones fall short of the p-value
    assert len(mine - truth) < 0.1 * len(truth)  # 2 x 400 x 100 windows, below 1e-4 by chance
    assert found["p_value"].max() <= 1e-4


def test_of_overlapping_instances_of_a_motif_the_best_stays():
    motif = Motif("M", np.eye(4)[:, [0, 3, 0, 3, 0, 3, 0, 3]] * 0.96 + 0.01)
    codes = encode("CCCC" + "ATATATATAT" + "CCCC" + "ATATATAT")
    found = find_instances([motif], codes)
    assert found[["start", "stop"]].to_numpy().tolist() == [[4, 12], [18, 26]]
    assert find_instances([motif], codes[:, :5]).empty
    assert find_instances([motif], codes[:0]).empty


def test_ambiguous_letters_hold_no_instance():
    motifs, _ = planted()
    assert find_instances(motifs, np.full((3, 120), 4, dtype=np.uint8)).empty


def test_best_hits_are_those_of_all_windows_on_both_strands():
    motifs, data = planted(20)
    found = best_hits(motifs, data.codes)
    for column, motif in enumerate(motifs):
        odds = np.log2((motif.matrix + 0.001) / 1.004 / 0.25)
        for row, codes in enumerate(data.codes):
            best = max(
                weights[window, np.arange(motif.width)].sum()
                for weights in (odds, odds[::-1, ::-1])
                for window in np.lib.stride_tricks.sliding_window_view(codes, motif.width)
            )
            assert found[row, column] == pytest.approx(best, abs=1e-3)
    with pytest.raises(ValueError, match="motifs: expected 10 positions or fewer, got 13"):
        best_hits(motifs, data.codes[:, :10])


def test_ambiguous_letters_add_nothing_to_a_hit():
    motif = Motif("m", np.eye(4)[:, [0, 1, 0]] * 0.96 + 0.01)
    known, unknown = best_hits([motif], encode(["GACAG", "GNNAG"]))[:, 0]
    assert unknown == pytest.approx(known / 3, abs=1e-5)  # one base of three is left
