"""The page of the planted-motif study: its prose, and the order of its tables and figures."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import matplotlib

from modelzoo.reports.figures import STYLE
from modelzoo.reports.page import Page
from modelzoo.studies.planted import figures, tables

ABOUT_ACCURACY = (
    "Accuracy on new sequences: mean and standard deviation over initialisations, and of the one "
    "with the best validation AUC. The best possible is to decide by the likelihood ratio of the "
    "generator itself. The paper's figures are of other matrices, trimming and match score, so "
    "the columns to compare are the gains over the CNN and the distances from the best."
)
ABOUT_MOTIFS = (
    "-log10 of Tomtom's q-value, among JASPAR 2020's vertebrates and the planted motifs, for the "
    "motif that is nearest to each planted one: of the filters' motifs, and of TF-MoDISco's motifs "
    "from attributions of the plain CNN."
)
ABOUT_SYNTAX = (
    "Instances are read off one forward pass: attention of at least 0.9 by one head of one layer, "
    "and an activation of at least the filter's mean."
)
ABOUT_INSTANCES = (
    "Each method ranks stretches of the same positives. A stretch is right if it overlaps with a "
    "planted instance; of stretches that overlap each other the surest counts."
)
ABOUT_ADVERSARIAL = (
    "For each network, words that excite its filters most and match no motif, strung together, "
    "take the place of negatives; or words that excite them least surround the motifs of "
    "positives. The other half of the sequences is as usual. The paper's CNN fell from 88 % to 55 "
    "and 48 %. A network all of whose words match a motif has no exciting negatives."
)


def show(page: Page, results: Mapping[str, Any]) -> None:
    """Add everything to a page.

    Args:
        page: The page.
        results: What was measured, by measurement and set, such as `"accuracy spi1"`.
    """
    with matplotlib.rc_context(STYLE):
        page.heading("Accuracy")
        page.paragraph(ABOUT_ACCURACY)
        rows = tables.accuracy_rows(results)
        page.summary(tables.summarised(rows))
        page.table(tables.accuracy_table(rows))
        page.table(tables.gain_table(rows))
        page.heading("Motifs")
        page.paragraph(ABOUT_MOTIFS)
        page.figure(
            figures.similarity_figure(results), "similarity", "Similarity to each planted motif."
        )
        page.table(tables.similarity_table(results), folded=True)
        page.heading("Syntax")
        page.paragraph(ABOUT_SYNTAX)
        caption = (
            "Bases between the halves of REST that ARGMINN attended to; grey: the planted ones."
        )
        page.figure(figures.spacing_figure(results["syntax rest"]), "spacing", caption)
        page.heading("Instances")
        page.paragraph(ABOUT_INSTANCES)
        page.figure(
            figures.instance_figure(results), "instances", "How many of the first k are right."
        )
        page.table(tables.instance_table(results))
        page.heading("Other backgrounds")
        caption = "Accuracy on REST against the G+C content of the background; trained at 50 %."
        page.figure(figures.gc_figure(results["gc rest"]), "gc", caption)
        page.heading("Sequences made to fool")
        page.paragraph(ABOUT_ADVERSARIAL)
        page.table(tables.adversarial_table(results["adversarial spi1"]))
