"""The planted-motif laboratory: proportions, spacings, clean backgrounds, configurations."""

import time

import numpy as np
import pytest
import torch

from modelzoo.datasets.planted.simulation import Simulation, match_scores, simulations

PAPER = ["e2f6", "rest", "spi1", "tal-gata"]

OWN = """
length = 60
region = 40
threshold = 0.95
gc = 0.4

[motifs.GATA]
consensus = "WGATAR"

[motifs.SITE]
pfm = [[8, 0, 0, 0, 0, 9], [0, 9, 0, 0, 9, 0], [0, 0, 9, 0, 0, 0], [1, 0, 0, 9, 0, 0]]

[[positives]]
share = 1.0
motifs = ["GATA", "SITE"]
spacing = { min = 2, max = 4 }
rigid = false

[[negatives]]
share = 1.0
motifs = []
"""


def sorted_gap(batch):
    """The bases between two instances, whichever is first."""
    widths = np.array(batch.widths)[batch.motifs]
    first = batch.starts.argmin(axis=1)[:, None]
    left = np.take_along_axis(batch.starts + widths, first, 1)
    return (np.take_along_axis(batch.starts, 1 - first, 1) - left).ravel()


def pairs(batch):
    """The sequences of a set that carry two motifs."""
    chosen = (batch.motifs >= 0).sum(axis=1) == 2
    return type(batch)(
        *(getattr(batch, f)[chosen] for f in ("codes", "labels", "motifs", "starts", "strands")),
        batch.names,
        batch.widths,
    )


def carried(batch, label):
    """The fraction of the sequences with a label that carry each set of motifs."""
    rows = [
        frozenset(batch.names[m] for m in r if m >= 0) for r in batch.motifs[batch.labels == label]
    ]
    return {kind: rows.count(kind) / len(rows) for kind in set(rows)}


@pytest.fixture(scope="module", params=PAPER)
def drawn(request):
    simulation = Simulation.load(request.param)
    return simulation, simulation.sample(8000, seed=3)


def test_the_four_simulations_of_the_paper_ship():
    assert simulations() == PAPER


@pytest.mark.parametrize(
    ("name", "label", "expected"),
    [
        ("spi1", 1, {"SPI1": 1.0}),
        ("spi1", 0, {"": 1.0}),
        ("tal-gata", 1, {"TAL1": 0.375, "GATA1": 0.375, "TAL1 GATA1": 0.25}),
        ("tal-gata", 0, {"": 1.0}),
        ("e2f6", 1, {"E2F6": 0.1, "E2F6 MAX": 0.9}),
        ("e2f6", 0, {"MAX": 0.5, "": 0.5}),
        ("rest", 1, {"left right": 1.0}),
        ("rest", 0, {"left": 0.25, "right": 0.25, "": 0.5}),
    ],
)
def test_each_set_has_the_papers_proportions(name, label, expected):
    found = carried(Simulation.load(name).sample(8000, seed=1), label)
    expected = {frozenset(kind.split()): share for kind, share in expected.items()}
    assert found.keys() == expected.keys()
    for kind, share in expected.items():
        # Four standard errors of 4,000 draws.
        assert found[kind] == pytest.approx(share, abs=4 * np.sqrt(share * (1 - share) / 4000))


@pytest.mark.parametrize(
    ("name", "gaps"),
    [
        ("tal-gata", {7, 8, 9}),
        ("e2f6", set(range(30, 61))),
        ("rest", {2, 6, 7, 8, 9, 10, 11}),
    ],
)
def test_spacings_are_the_papers_and_equally_likely(name, gaps):
    found = sorted_gap(pairs(Simulation.load(name).sample(8000, seed=2)))
    values, counts = np.unique(found, return_counts=True)
    assert set(values.tolist()) == gaps
    share = 1 / len(gaps)
    assert np.abs(counts / len(found) - share).max() < 4 * np.sqrt(share / len(found))


def test_instances_lie_in_the_central_region_on_both_strands(drawn):
    _, batch = drawn
    filled = batch.motifs >= 0
    starts = batch.starts[filled]
    stops = starts + np.array(batch.widths)[batch.motifs[filled]]
    assert starts.min() >= 200 and stops.max() <= 300
    assert starts.min() <= 202 and stops.max() >= 298  # all of the region is used
    assert set(batch.strands[filled].tolist()) == {-1, 1}
    assert (batch.strands[filled] > 0).mean() == pytest.approx(0.5, abs=0.03)
    assert (batch.starts[~filled] == -1).all() and (batch.strands[~filled] == 0).all()


def test_rigid_pairs_keep_their_order_and_free_pairs_do_not():
    rigid = pairs(Simulation.from_toml(OWN.replace("rigid = false", "")).sample(2000, seed=4))
    first_on_the_left = rigid.starts[:, 0] < rigid.starts[:, 1]
    np.testing.assert_array_equal(first_on_the_left, rigid.strands[:, 0] > 0)
    np.testing.assert_array_equal(rigid.strands[:, 0], rigid.strands[:, 1])
    e2f6 = pairs(Simulation.load("e2f6").sample(2000, seed=4))
    e2f6_first = e2f6.starts[:, 0] < e2f6.starts[:, 1]
    combinations = np.stack([e2f6_first, e2f6.strands[:, 0] > 0, e2f6.strands[:, 1] > 0])
    kinds, counts = np.unique(combinations, axis=1, return_counts=True)
    assert kinds.shape[1] == 8
    assert counts.min() > 0.08 * counts.sum()


def test_the_instances_follow_the_matrix(drawn):
    simulation, batch = drawn
    for index, motif in enumerate(simulation.motifs):
        rows, slots = np.nonzero(batch.motifs == index)
        where = batch.starts[rows, slots][:, None] + np.arange(motif.width)
        bases = batch.codes[rows[:, None], where]
        turned = batch.strands[rows, slots] < 0
        bases[turned] = 3 - bases[turned][:, ::-1]
        seen = (bases[:, None] == np.arange(4)[:, None]).mean(axis=0)
        np.testing.assert_allclose(seen, motif.matrix, atol=4 * np.sqrt(0.25 / len(rows)))


def slow_hits(text, motif, threshold):
    """Windows of a sequence that score above a threshold, letter by letter, on both strands."""
    floor = np.maximum(motif.matrix, 0.01)
    odds = {base: np.log(floor[i] / 0.25) for i, base in enumerate("ACGT")}
    best = sum(max(odds[base][j] for base in "ACGT") for j in range(motif.width))
    complement = text.translate(str.maketrans("ACGT", "TGCA"))
    for start in range(len(text) - motif.width + 1):
        window = text[start : start + motif.width]
        turned = complement[start : start + motif.width][::-1]
        for seen in (window, turned):
            if sum(odds[base][j] for j, base in enumerate(seen)) > threshold * best:
                yield start, start + motif.width


@pytest.mark.parametrize("name", PAPER)
def test_no_match_but_the_planted_ones(name):
    simulation = Simulation.load(name)
    batch = simulation.sample(60, seed=5)
    planted = {row: [] for row in range(len(batch))}
    for row, _, start, stop, _ in batch.instances():
        planted[row].append((start, stop))
    for row, text in enumerate(batch.strings()):
        for motif in simulation.motifs:
            for start, stop in slow_hits(text, motif, 0.9):
                assert any(a <= start and stop <= b for a, b in planted[row])


def test_the_slow_scan_finds_matches_where_the_background_is_not_cleaned():
    """The oracle above can fail: without the redrawing, one background in seven holds a match."""
    e2f6 = Simulation.load("e2f6")
    codes = np.random.default_rng(0).integers(0, 4, (80, 500))
    texts = ["".join("ACGT"[c] for c in row) for row in codes]
    assert sum(any(any(slow_hits(t, m, 0.9)) for m in e2f6.motifs) for t in texts) > 4


@pytest.mark.parametrize("score", ["log-odds", "mean-probability"])
def test_the_scanner_agrees_with_the_scores_it_is_defined_by(score):
    text = f'score = "{score}"\nthreshold = 0.8\n' + OWN.replace("threshold = 0.95\n", "")
    simulation = Simulation.from_toml(text)
    batch = simulation.sample(2000, seed=6, positives=0)
    for motif in simulation.motifs:
        for turned in (False, True):
            assert match_scores(batch.codes, motif, score, reverse_complement=turned).max() <= 0.8


def test_match_scores_by_hand():
    simulation = Simulation.from_toml(OWN)
    gata = simulation.motifs[0]  # WGATAR
    codes = np.array([["ACGT".index(b) for b in "AGATAACTATCT"]], dtype=np.uint8)
    forward = match_scores(codes, gata)
    turned = match_scores(codes, gata, reverse_complement=True)
    assert forward[0, 0] == pytest.approx(1)
    assert forward[0, 1:].max() < 0.9
    assert turned[0, 6] == pytest.approx(1)  # CTATCT: reverse complement of AGATAG
    probability = match_scores(codes, gata, "mean-probability")
    assert probability[0, 0] == pytest.approx((0.5 + 4 + 0.5) / 6)


def test_the_same_seed_gives_the_same_set_and_another_seed_another():
    simulation = Simulation.load("rest")
    one, same, other = (simulation.sample(300, seed=s) for s in (7, 7, 8))
    for field in ("codes", "labels", "motifs", "starts", "strands"):
        np.testing.assert_array_equal(getattr(one, field), getattr(same, field))
    assert (one.codes != other.codes).any()


def test_the_global_random_state_is_left_alone():
    np.random.seed(0)  # noqa: NPY002
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    Simulation.load("spi1").sample(10, seed=0)
    np.testing.assert_array_equal(before, np.random.get_state()[1])  # noqa: NPY002


def test_gc_content_of_the_background():
    simulation = Simulation.load("rest")
    for gc in (0.05, 0.3, 0.5, 0.95):
        batch = simulation.sample(400, seed=9, positives=0, gc=gc)
        plain = batch.codes[(batch.motifs < 0).all(axis=1)]
        assert np.isin(plain, [1, 2]).mean() == pytest.approx(gc, abs=0.01)
        counts = np.bincount(plain.ravel(), minlength=4) / plain.size
        assert counts[0] == pytest.approx(counts[3], abs=0.01)
        assert counts[1] == pytest.approx(counts[2], abs=0.01)


def test_half_are_positive_unless_told():
    simulation = Simulation.load("spi1")
    assert simulation.sample(101, seed=0).labels.sum() == 50
    assert simulation.sample(20, seed=0, positives=20).labels.all()


def test_one_hot_mask_and_strings_say_the_same():
    batch = Simulation.from_toml(OWN).sample(20, seed=1, positives=20)
    hot = batch.one_hot()
    assert hot.shape == (20, 4, 60) and hot.dtype == torch.float32
    np.testing.assert_array_equal(hot.argmax(1).numpy(), batch.codes)
    assert (hot.sum(1) == 1).all()
    assert batch.mask().sum() == 20 * 12
    for row, name, start, stop, strand in batch.instances():
        assert batch.mask()[row, start:stop].all()
        seen = batch.strings()[row][start:stop]
        if strand == "-":
            seen = seen.translate(str.maketrans("ACGT", "TGCA"))[::-1]
        if name == "GATA":
            assert seen[1:5] == "GATA"
        else:
            assert seen[1:] == "CGTCA"


def test_a_configuration_of_ones_own_from_a_file(tmp_path):
    (tmp_path / "own.toml").write_text(OWN)
    simulation = Simulation.load(tmp_path / "own.toml")
    assert simulation.name == "own"
    assert [m.name for m in simulation.motifs] == ["GATA", "SITE"]
    batch = simulation.sample(500, seed=0)
    assert batch.codes.shape == (500, 60)
    assert set(sorted_gap(pairs(batch)).tolist()) == {2, 3, 4}


def test_matrices_are_those_of_jaspar_2020_with_their_weak_flanks_trimmed():
    motif = Simulation.load("spi1").motifs[0]
    assert motif.source == "JASPAR2020 MA0080.5 columns 5-15"
    assert "".join("ACGT"[i] for i in motif.matrix.argmax(axis=0)) == "AGAGGAAGTG"
    left, right = Simulation.load("rest").motifs
    assert "".join("ACGT"[i] for i in left.matrix.argmax(axis=0)) == "CAGCACC"
    assert "".join("ACGT"[i] for i in right.matrix.argmax(axis=0)) == "GGACAG"


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("length = 60", "lenght = 60", "unknown key 'lenght'"),
        ("length = 60", "length = -1", "length: expected a whole number from 1"),
        ("length = 60", "length = 60.5", "length: expected a whole number"),
        ("region = 40", "region = 61", "region: expected a whole number from 1 to 60, got 61"),
        ("region = 40", "region = 10", r"positives\[0\]: .* up to 16 bp"),
        ("threshold = 0.95", "threshold = 2", "threshold: expected a number from 0 to 1, got 2"),
        ("gc = 0.4", "gc = 'high'", "gc: expected a number from 0 to 1, got 'high'"),
        ("gc = 0.4", "score = 'best'", "score: expected 'log-odds' or 'mean-probability'"),
        ('"WGATAR"', '"WGATAX"', "motifs.GATA.consensus: expected IUPAC bases, got 'WGATAX'"),
        ('consensus = "WGATAR"', 'matrix = "MA0035"', "motifs.GATA.matrix: .* got 'MA0035'"),
        ('consensus = "WGATAR"', 'matrix = "MA9999.1"', "motifs.GATA.matrix: .* got 'MA9999.1'"),
        ('consensus = "WGATAR"', "", "motifs.GATA: expected one of matrix, consensus and pfm"),
        ('"WGATAR"', '"WGATAR"\ncolumns = [3, 9]', r"motifs.GATA.columns: .* got \[3, 9\]"),
        ("[8, 0, 0, 0, 0, 9]", "[8, 0]", "motifs.SITE.pfm: expected four rows"),
        ("[8, 0, 0, 0, 0, 9]", "[8, 0, 0, 0, 0, -9]", "motifs.SITE.pfm: expected four rows"),
        ("share = 1.0", "share = 0.9", "positives: expected shares that sum to 1, got 0.9"),
        ("share = 1.0", "share = 'all'", r"positives\[0\].share: expected a number"),
        ('["GATA", "SITE"]', '["GATA", "SIGHT"]', r"positives\[0\].motifs: .*'SIGHT'"),
        ("{ min = 2, max = 4 }", "{ min = 2 }", r"positives\[0\].spacing: expected numbers"),
        ("{ min = 2, max = 4 }", "[-1]", r"positives\[0\].spacing: expected numbers"),
        ("motifs = []", "motifs = []\nspacing = [1]", r"negatives\[0\].spacing: expected none"),
        ("rigid = false", "rigid = 'no'", r"positives\[0\].rigid: expected true or false"),
        ("[[negatives]]", "[[negative]]", "unknown key 'negative'"),
        ("length = 60", "length = ", "not valid TOML"),
    ],
)
def test_a_wrong_entry_is_named(old, new, message):
    assert old in OWN
    with pytest.raises(ValueError, match=message):
        Simulation.from_toml(OWN.replace(old, new, 1))


def test_an_unknown_simulation_names_those_there_are():
    with pytest.raises(ValueError, match=r"no simulation 'sp1'.*'spi1'"):
        Simulation.load("sp1")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"n": 0}, "n: expected at least 1"),
        ({"n": 5, "positives": 6}, "positives: expected 0 to n = 5, got 6"),
        ({"n": 5, "gc": 1.5}, "gc: expected a fraction"),
    ],
)
def test_wrong_arguments_are_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        Simulation.load("spi1").sample(**arguments, seed=0)


def test_motifs_too_common_to_avoid_are_an_error_not_an_endless_loop():
    text = OWN.replace("WGATAR", "GA")
    with pytest.raises(ValueError, match="threshold: hardly any background"):
        Simulation.from_toml(text).sample(50, seed=0)


@pytest.mark.parametrize("name", PAPER)
def test_twenty_thousand_sequences_a_second(name):
    simulation = Simulation.load(name)
    simulation.sample(100, seed=0)
    # The best of three: what else the machine does takes its caches.
    seconds = []
    for seed in range(3):
        start = time.process_time()
        simulation.sample(10_000, seed=seed)
        seconds.append(time.process_time() - start)
    assert 10_000 / min(seconds) > 20_000
