"""Motifs out of models: from filters and attributions to named motifs, instances and syntax."""

from modelzoo.motifs.filters import correctly_predicted, filter_motifs
from modelzoo.motifs.jaspar import Match, annotate, jaspar, label, releases, tomtom
from modelzoo.motifs.motif import Motif, read_meme, write_matches, write_matrices, write_meme

__all__ = [
    "Match",
    "Motif",
    "annotate",
    "correctly_predicted",
    "filter_motifs",
    "jaspar",
    "label",
    "read_meme",
    "releases",
    "tomtom",
    "write_matches",
    "write_matrices",
    "write_meme",
]
