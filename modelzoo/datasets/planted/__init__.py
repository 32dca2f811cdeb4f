"""Sequences with planted motifs, of which the right answer is known.

Motif instances are drawn from position frequency matrices and put into the centre of a random
background; a background that happens to hold a motif of its own is drawn again. Every sequence
comes with the truth: which motif, where, on which strand.

    simulation = Simulation.load("tal-gata")
    batch = simulation.sample(1000, seed=0)
    batch.one_hot(), batch.labels, batch.starts, batch.strands

The four simulations of the ARGMINN paper (Tseng et al., appendix B.1) ship with the package; see
`simulations`. One of your own is a few lines of TOML:

    [motifs.GATA]
    consensus = "WGATAR"              # or matrix = "MA0035.4" (JASPAR 2020), or pfm = [[...] x 4]

    [[positives]]
    share = 1.0
    motifs = ["GATA", "GATA"]
    spacing = [7, 8, 9]               # bases between the two; or { min = 30, max = 60 }

    [[negatives]]
    share = 1.0
    motifs = []
"""

from modelzoo.datasets.planted.arrangement import Arrangement
from modelzoo.datasets.planted.likelihood import log_likelihood_ratio
from modelzoo.datasets.planted.scanner import Scanner, match_scores
from modelzoo.datasets.planted.simulation import SimulatedSet, Simulation, simulations
from modelzoo.datasets.planted.toml import JASPAR_RELEASE

__all__ = [
    "JASPAR_RELEASE",
    "Arrangement",
    "Scanner",
    "SimulatedSet",
    "Simulation",
    "log_likelihood_ratio",
    "match_scores",
    "simulations",
]
