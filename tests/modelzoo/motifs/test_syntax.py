import numpy as np
import pandas

from modelzoo.motifs import find_instances, spacings, syntax
from tests.support.planted import planted


def test_spacings_of_planted_pairs_are_found():
    motifs, data = planted()
    found = find_instances(motifs, data.codes)
    pairs = syntax(found, [motif.name for motif in motifs])
    peaks = pairs[pairs["count"] > 5]
    assert set(peaks["spacing"]) == {7, 12}
    assert set(peaks["arrangement"]) == {"CTCF> SPI1>"}
    assert peaks["count"].sum() > 100


def slow_syntax(rows, names):
    """The definition, pair by pair: turn the sequence until the first motif reads forward."""
    counts = {}
    for i, one in enumerate(rows):
        for other in rows[i + 1 :]:
            if one[0] != other[0]:
                continue
            a, b = sorted((one, other), key=lambda row: (names.index(row[1]), row[2]))
            spacing = max(a[2], b[2]) - min(a[3], b[3])
            if spacing < 0:
                continue
            turned = a[4] == "-"
            follows = (b[2] > a[2]) != turned
            strand = "+" if b[4] == a[4] else "-"
            word = f"{b[1]}>" if strand == "+" else f"<{b[1]}"
            kind = f"{a[1]}> {word}" if follows else f"{word} {a[1]}>"
            key = (a[1], b[1], kind, spacing)
            counts[key] = counts.get(key, 0) + 1
    return counts


def test_syntax_is_that_of_a_slow_loop():
    rng = np.random.default_rng(0)
    names = ["B", "A"]
    rows = [
        (int(rng.integers(20)), names[rng.integers(2)], int(s), int(s) + 8, "+-"[rng.integers(2)])
        for s in rng.integers(0, 90, 120)
    ]
    table = pandas.DataFrame(rows, columns=["sequence", "motif", "start", "stop", "strand"])
    found = syntax(table, names, max_spacing=1000)
    mine = {tuple(row[:4]): row[4] for row in found.itertuples(index=False, name=None)}
    assert mine == slow_syntax(rows, names)
    assert {kind for _, _, kind, _ in mine} == {
        *("B> A>", "B> <A", "A> B>", "<A B>"),
        *("B> B>", "B> <B", "<B B>", "A> A>", "A> <A", "<A A>"),
    }
    near = syntax(table, names, max_spacing=10)
    assert near["spacing"].max() <= 10
    assert near["count"].sum() == sum(n for key, n in mine.items() if key[3] <= 10)


def test_spacings_are_counted_by_arrangement():
    rows = [("A", "B", "A> B>", 3, 5), ("A", "B", "A> B>", 1, 2), ("A", "B", "<B A>", 3, 4)]
    pairs = pandas.DataFrame(rows, columns=["first", "second", "arrangement", "spacing", "count"])
    assert spacings(pairs) == {"A> B>": {3: 5, 1: 2}, "<B A>": {3: 4}}
