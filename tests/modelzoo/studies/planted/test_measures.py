"""What is measured of planted motifs, on networks whose answers are known without training."""

import itertools

import numpy as np
import pytest
import torch
from torch import nn

from modelzoo.architectures.argminn import ARGMINN
from modelzoo.attribution.methods import METHODS
from modelzoo.datasets.planted.simulation import Simulation, match_scores
from modelzoo.motifs import Motif
from modelzoo.sequences import columns, one_hot
from modelzoo.studies.planted import measures as planted
from modelzoo.studies.planted import report as planted_report
from modelzoo.studies.planted.measures import Found

TOML = """
length = 120
region = 80
[motifs.LEFT]
consensus = "GATTACAGAT"
[motifs.RIGHT]
consensus = "TTGCCTCAGC"
[[positives]]
share = 1
motifs = ["LEFT", "RIGHT"]
spacing = [3, 8]
[[negatives]]
share = 1
motifs = []
"""


@pytest.fixture(scope="module")
def simulation():
    return Simulation.from_toml(TOML, name="pair")


@pytest.fixture(scope="module")
def reader():
    """An ARGMINN whose filters are the two motifs on both strands, and whose heads attend to them.

    Filters 0 to 3 are LEFT, its reverse complement, RIGHT and its; filter 4 is silent.
    """
    torch.manual_seed(0)
    model = ARGMINN(filters=8, layers=1, heads=4, position_size=8).eval()
    with torch.no_grad():
        model.scanners.weight.zero_()
        left, right = one_hot(["GATTACAGAT", "TTGCCTCAGC"])
        model.scanners.weight[:4] = torch.stack([left, left.flip(0, 1), right, right.flip(0, 1)])
        model.scanners.bias.fill_(-8.5)
        layer = model.layers[0]
        layer.query.weight.zero_()
        layer.query.bias.fill_(1.0)
        layer.key.weight.zero_()
        for head in range(4):  # of 4 features each
            layer.key.weight[4 * head, head] = 200.0
    return model


@pytest.fixture(scope="module")
def batch(simulation):
    return simulation.sample(60, seed=0, positives=60)


def test_a_perfect_filter_is_a_perfect_motif(simulation, reader):
    random = np.random.default_rng(0).integers(0, 4, (3000, 120), dtype=np.uint8)
    planted_ones = simulation.sample(300, seed=1, positives=300).codes
    codes = np.concatenate([random, planted_ones])
    found = planted.filters_as_motifs(reader.activations, 10, codes)
    assert [motif.name for motif in found] == [f"filter-{i}" for i in range(4)]
    dull = Motif("dull", np.full((4, 10), 0.25))
    rows = planted.matches([*found, dull], simulation)
    near = planted.similarity(rows, simulation)
    assert near.keys() == {"LEFT", "RIGHT"} and min(near.values()) > 3
    assert planted.matching(rows) == 4 and planted.matching([]) == 0
    assert planted.similarity(planted.matches(found[:2], simulation), simulation)["RIGHT"] < 1
    assert planted.similarity([], simulation) == {"LEFT": 0, "RIGHT": 0}


def test_instances_get_the_names_places_and_strands_of_the_truth(simulation, reader, batch):
    reading = planted.Reading.of(reader, simulation, batch.codes)
    assert {i: (m.target.name, m.orientation) for i, m in reading.names.items()} == {
        0: ("LEFT", "+"),
        1: ("LEFT", "-"),
        2: ("RIGHT", "+"),
        3: ("RIGHT", "-"),
    }
    table = reading.instances(batch.codes)
    expected = {(row, name, a, b, strand) for row, name, a, b, strand in batch.instances()}
    assert set(table.itertuples(index=False, name=None)) == expected


def test_spacings_are_those_planted(simulation, reader, batch):
    reading = planted.Reading.of(reader, simulation, batch.codes)
    counts = planted.spacings(reading.instances(batch.codes), "LEFT", "RIGHT")
    assert counts.keys() == {"LEFT> RIGHT>"}
    gaps = np.abs(batch.starts[:, 0] - batch.starts[:, 1]) - 10
    assert counts["LEFT> RIGHT>"] == {gap: int((gaps == gap).sum()) for gap in (3, 8)}


def test_attended_scanned_and_true_stretches_agree(simulation, reader, batch):
    attended = planted.attended(reader, batch.codes)
    scanned = planted.scanned(planted.targets(simulation), batch.codes)
    true = {(row, a, b) for row, _, a, b, _ in batch.instances()}
    assert set(attended) == set(scanned[: len(true)]) == true
    assert planted.right(attended, batch).tolist() == list(range(1, 121))


def test_right_counts_overlaps_and_nothing_else(batch):
    row, _, start, stop, _ = next(batch.instances())
    ranked = [Found(row, start - 5, start), Found(row, stop - 1, stop + 4), Found(row, 0, 3)]
    assert planted.right(ranked, batch).tolist() == [0, 1, 1]


def test_of_overlapping_stretches_the_surest_stays():
    ranked = [Found(0, 5, 15), Found(0, 14, 20), Found(1, 14, 20), Found(0, 15, 20)]
    assert planted.collapsed(ranked) == [Found(0, 5, 15), Found(1, 14, 20), Found(0, 15, 20)]


def brute_force_best(letters):
    """All words of a filter, best first."""
    width = letters.shape[1]
    words = np.stack(np.meshgrid(*[np.arange(4)] * width, indexing="ij"), -1).reshape(-1, width)
    scores = letters[words, np.arange(width)].sum(1)
    return words[np.argsort(-scores)].astype(np.uint8)


def test_extreme_words_are_the_best_without_a_match():
    simulation = Simulation.from_toml(
        TOML.replace("GATTACAGAT", "GATTA").replace("TTGCCTCAGC", "CAGC"), name="short"
    )
    torch.manual_seed(0)
    weight = 0.1 * torch.randn(3, 4, 6)
    weight[0, :, :5] += one_hot("GATTA")[0]  # its best word is a motif
    weight[2] = 0
    words = planted.extreme_words(weight, simulation)
    assert len(words) == 2
    for word, letters in zip(words, weight.numpy()):
        for best in brute_force_best(letters):
            scores = [
                match_scores(best[None], motif, reverse_complement=turned).max()
                for motif in simulation.motifs
                for turned in (False, True)
            ]
            if max(scores) <= 0.9:
                break
        np.testing.assert_array_equal(word, best)


def test_exciting_sequences_hold_no_motif_and_fool_who_counts_letters(simulation):
    weight = torch.randn(4, 4, 10, generator=torch.Generator().manual_seed(1))
    codes = planted.without_motifs(weight, simulation, 20, seed=0)
    assert codes.shape == (20, 120)
    for motif in simulation.motifs:
        for turned in (False, True):
            assert match_scores(codes, motif, reverse_complement=turned).max() <= 0.9
    random = columns(np.random.default_rng(0).integers(0, 4, (20, 120)))
    excited = nn.functional.conv1d(columns(codes), weight).amax((1, 2))
    assert (excited > nn.functional.conv1d(random, weight).amax((1, 2))).all()
    dull = planted.amid_dullness(weight, simulation, 20, seed=0)
    ordinary = simulation.sample(20, seed=0, positives=20)
    np.testing.assert_array_equal(dull.codes[dull.mask()], ordinary.codes[ordinary.mask()])
    silent = nn.functional.conv1d(columns(dull.codes), weight).amin((1, 2))
    assert (silent < nn.functional.conv1d(random, weight).amin((1, 2))).all()


def test_a_word_that_makes_a_motif_with_itself_never_follows_itself(simulation):
    # The first word ends and begins as LEFT: where it meets itself there is GATTA|CAGAT.
    words = one_hot(["CAGATGGATTA", "GGGGGTGGGGG"])
    codes = planted.without_motifs(words, simulation, 30, seed=0)
    starts = [
        ["".join("ACGT"[c] for c in row[i : i + 11]) for i in range(0, 110, 11)] for row in codes
    ]
    assert {word for row in starts for word in row} == {"CAGATGGATTA", "GGGGGTGGGGG"}
    assert not any("CAGATGGATTA" == a == b for row in starts for a, b in itertools.pairwise(row))
    assert planted.without_motifs(words[:1], simulation, 5, seed=0) is None


def test_filters_without_weights_make_no_sequences(simulation):
    assert planted.without_motifs(torch.zeros(2, 4, 10), simulation, 5, seed=0) is None


def test_accuracy_counts_the_right_side_of_one_half(batch):
    class Constant(nn.Module):
        def forward(self, x):
            return torch.full((len(x), 1), 0.5)

    half = Simulation.from_toml(TOML).sample(40, seed=0)
    assert planted.accuracy(Constant(), batch) == 1
    assert planted.accuracy(Constant(), half) == 0.5


def test_attribution_of_a_scanner_finds_its_motif(simulation):
    """TF-MoDISco on attributions of a network that only knows LEFT finds LEFT."""

    class Scanner(nn.Module):
        def __init__(self):
            super().__init__()
            left = one_hot(["GATTACAGAT"])
            self.filters = nn.Conv1d(4, 2, 10)
            with torch.no_grad():
                noise = 0.02 * torch.randn(1, 4, 10, generator=torch.Generator().manual_seed(0))
                self.filters.weight.copy_(torch.cat([left + noise, (left + noise).flip(1, 2)]))
                self.filters.bias.fill_(-6.0)
            self.relu = nn.ReLU()

        def forward(self, x):
            return self.relu(self.filters(x)).pow(2).sum((1, 2))[:, None]

    codes = simulation.sample(150, seed=5, positives=150).codes
    found = planted.attributed_motifs(
        Scanner(), codes, METHODS["gradient"], width=10, max_seqlets=2000, seed=0
    )
    near = planted.similarity(planted.matches(found, simulation), simulation)
    assert near["LEFT"] > 3 > near["RIGHT"]
    assert all(motif.width <= 10 for motif in found)
    batch = simulation.sample(30, seed=6, positives=30)
    ranked = planted.peaks(Scanner(), batch.codes, METHODS["gradient"], seed=0)
    assert planted.right(ranked[:30], batch)[-1] >= 28


def test_the_report_says_how_many_networks_exciting_sequences_could_be_made_for():
    rows = [
        {"kind": "ARGMINN", "ordinary": 0.9, "exciting": None, "dull": 0.8},
        {"kind": "ARGMINN", "ordinary": 0.7, "exciting": 0.4, "dull": 0.6},
    ]
    table = planted_report._adversarial_table(rows)
    assert table.cells() == [["ARGMINN", "80.0", "40.0", "1 of 2", "70.0"]]


def test_the_report_chooses_by_validation_not_by_accuracy(monkeypatch):
    monkeypatch.setattr(planted_report, "SETS", {"spi1": "SPI1"})
    models = [
        {"kind": "CNN", "seed": 0, "accuracy": 0.9, "validation_auc": 0.8},
        {"kind": "CNN", "seed": 1, "accuracy": 0.7, "validation_auc": 0.9},
    ]
    (row,) = planted_report.accuracy_rows({"accuracy spi1": {"best": 0.95, "models": models}})
    assert (row["mean"], row["chosen"]) == (pytest.approx(80), 70)
