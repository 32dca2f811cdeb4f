import numpy as np

from modelzoo.discovery.findings import Finding
from modelzoo.motifs import Motif, annotate, jaspar


def letters(axes):
    """The first and the last position with letters on axes."""
    boxes = [patch.get_path().get_extents() for patch in axes.patches]
    return round(min(box.x0 for box in boxes)), round(max(box.x1 for box in boxes))


def test_a_logo_shows_the_best_match_where_it_lies():
    database = jaspar("JASPAR2020")
    (ctcf,) = (
        m.reverse_complement().matrix for m in database if m.name == "MA0139.1"
    )  # 19 positions
    flank = np.full((4, 3), 0.25)
    for matrix, target in ((ctcf[:, 4:], (-3, 15)), (np.concatenate([flank, ctcf], 1), (4, 22))):
        query = Motif("unit-0", matrix)
        figure = Finding(query, annotate([query], database)[0]).logo()
        upper, lower = figure.axes[-2:]
        assert upper.get_xlim() == lower.get_xlim()
        assert upper.get_xlim()[0] == min(target[0], 1) - 0.5
        assert letters(lower) == target  # counted from the query's first, 1
        assert letters(upper)[1] == query.width


def test_a_logo_without_a_match_is_the_motif_alone():
    figure = Finding(Motif("m", np.eye(4)), []).logo()
    assert len(figure.axes) == 1 and letters(figure.axes[0])[0] == 1
