"""Motifs: what they are, where they are from, whom they resemble, where they occur."""

from modelzoo.motifs.files import read_meme, write_matches, write_matrices, write_meme
from modelzoo.motifs.filters import correctly_predicted, filter_motifs
from modelzoo.motifs.instances import best_hits, find_instances
from modelzoo.motifs.jaspar import jaspar, jaspar_matrix, releases
from modelzoo.motifs.modisco import Pattern, modisco
from modelzoo.motifs.motif import Motif
from modelzoo.motifs.syntax import spacings, syntax
from modelzoo.motifs.tomtom import Match, annotate, label, tomtom

__all__ = [
    "Match",
    "Motif",
    "Pattern",
    "annotate",
    "best_hits",
    "correctly_predicted",
    "filter_motifs",
    "find_instances",
    "jaspar",
    "jaspar_matrix",
    "label",
    "modisco",
    "read_meme",
    "releases",
    "spacings",
    "syntax",
    "tomtom",
    "write_matches",
    "write_matrices",
    "write_meme",
]
