"""A small simulation of planted motifs."""

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
