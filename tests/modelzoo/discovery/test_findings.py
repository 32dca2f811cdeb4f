import numpy as np
from matplotlib.colors import to_hex

from modelzoo.discovery.findings import PALE_INK, Finding, Findings
from modelzoo.motifs import Motif, annotate, jaspar
from modelzoo.sequences import Interval, encode, read_intervals


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
    (axes,) = (axes for axes in figure.axes if axes.patches)
    assert letters(axes)[0] == 1


def test_the_nearest_motif_is_grey_where_none_is_significant():
    database = jaspar("JASPAR2020")
    ctcf = next(m for m in database if m.name == "MA0139.1")
    (found,) = Finding.among([ctcf], database)
    assert found.nearest is None and found.matches[0].target is ctcf
    (found,) = Finding.among([ctcf], database, q_value=0)
    assert not found.matches and found.nearest.target is ctcf
    assert found.title == "MA0139.1"
    motif, nearest = found.logo().axes[-2:]
    assert {to_hex(patch.get_facecolor()) for patch in nearest.patches} == {PALE_INK}
    assert PALE_INK not in {to_hex(patch.get_facecolor()) for patch in motif.patches}


def test_logos_of_several_motifs_have_their_axes_at_one_place():
    short, long = Motif("m", np.eye(4)), Motif("a-much-longer-name", np.eye(4).repeat(2, 1))
    lefts = set()
    for motif in (short, long):
        figure = Finding(motif, []).logo()
        lefts.add(round(figure.axes[-1].get_position().x0 * figure.get_figwidth(), 6))
    assert len(lefts) == 1


def test_instances_lie_in_the_genome_on_the_forward_strand(tmp_path):
    word = "ACGTTGCATCGA"
    codes = encode(["T" * 8 + word + "T" * 20, "A" * 20 + word + "A" * 8])
    finding = Finding(Motif("m", np.eye(4)[encode([word])[0]].T * 0.97 + 0.0075), [])
    windows = [Interval("chr2", 500, 540, "-"), Interval("chr1", -4, 36)]
    found = Findings.of([finding], [finding], codes, ["a", "b"], windows)
    found.write(tmp_path)
    assert list(read_intervals(tmp_path / "instances.bed")) == [
        Interval("chr1", 16, 28, "+", "m"),
        Interval("chr2", 520, 532, "-", "m"),
    ]
