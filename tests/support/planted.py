"""Simulations of planted motifs, small ones."""

from modelzoo.datasets.planted import Simulation

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

PAIR = """
    length = 120
    region = 100
    [motifs.CTCF]
    matrix = "MA0139.1"
    [motifs.SPI1]
    matrix = "MA0080.5"
    [[positives]]
    share = 1
    motifs = ["CTCF", "SPI1"]
    spacing = [7, 12]
    rigid = {rigid}
    [[negatives]]
    share = 1
    motifs = []
"""


def planted(count=200, rigid="true", seed=0):
    """The motifs of PAIR, and as many positives as negatives."""
    simulation = Simulation.from_toml(PAIR.format(rigid=rigid))
    return simulation.motifs, simulation.sample(2 * count, seed=seed)
