"""Motifs of filters and attributions, on networks whose motifs are known without training."""

import numpy as np

from modelzoo.motifs import Motif
from modelzoo.studies.planted import motifs


def test_a_perfect_filter_is_a_perfect_motif(simulation, reader):
    random = np.random.default_rng(0).integers(0, 4, (3000, 120), dtype=np.uint8)
    planted_ones = simulation.sample(300, seed=1, positives=300).codes
    codes = np.concatenate([random, planted_ones])
    found = motifs.filters_as_motifs(reader.activations, 10, codes)
    assert [motif.name for motif in found] == [f"filter-{i}" for i in range(4)]
    dull = Motif("dull", np.full((4, 10), 0.25))
    rows = motifs.matches([*found, dull], simulation)
    near = motifs.similarity(rows, simulation)
    assert near.keys() == {"LEFT", "RIGHT"} and min(near.values()) > 3
    assert motifs.matching(rows) == 4 and motifs.matching([]) == 0
    assert motifs.similarity(motifs.matches(found[:2], simulation), simulation)["RIGHT"] < 1
    assert motifs.similarity([], simulation) == {"LEFT": 0, "RIGHT": 0}


def test_instances_get_the_names_places_and_strands_of_the_truth(simulation, reader, batch):
    reading = motifs.Reading.of(reader, simulation, batch.codes)
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
    reading = motifs.Reading.of(reader, simulation, batch.codes)
    counts = motifs.spacings(reading.instances(batch.codes), "LEFT", "RIGHT")
    assert counts.keys() == {"LEFT> RIGHT>"}
    gaps = np.abs(batch.starts[:, 0] - batch.starts[:, 1]) - 10
    assert counts["LEFT> RIGHT>"] == {gap: int((gaps == gap).sum()) for gap in (3, 8)}
