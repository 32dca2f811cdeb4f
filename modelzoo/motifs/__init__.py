"""Motifs out of models: from filters and attributions to named motifs, instances and syntax."""

from modelzoo.motifs.filters import correctly_predicted, filter_motifs
from modelzoo.motifs.instances import best_hits, find_instances, performances, syntax
from modelzoo.motifs.jaspar import Match, annotate, jaspar, label, releases, tomtom
from modelzoo.motifs.modisco import Pattern, modisco
from modelzoo.motifs.motif import Motif, read_meme, write_matches, write_matrices, write_meme

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
    "label",
    "modisco",
    "performances",
    "read_meme",
    "releases",
    "syntax",
    "tomtom",
    "write_matches",
    "write_matrices",
    "write_meme",
]
