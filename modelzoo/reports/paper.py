"""For a paper: one peak of a run as a figure, and the run as a paragraph of its methods section."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import matplotlib
import torch

from modelzoo.apply.hits import FDR
from modelzoo.attribution.methods import METHODS
from modelzoo.files import replacing
from modelzoo.motifs.instances import P_VALUE
from modelzoo.motifs.jaspar import GROUP, RELEASE
from modelzoo.sequences import Interval
from modelzoo.tracks.h5 import Attributed
from modelzoo.tracks.hits import SEQLET, notable
from modelzoo.tracks.placed import forward
from shiftsmooth.plot import INK, Motif, plot_logos

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from pandas import DataFrame

MM = 25.4  # per inch
LETTER = 1.3  # mm; a narrower letter cannot be read
MARGINS = 21.0  # mm beside the letters


def peak_figure(
    peak: Attributed, output: str, hits: DataFrame | None = None, *, width: float = 183
) -> Figure:
    """Return the logo of a peak over its positions in the genome, with its motifs boxed.

    The letters are those of the forward strand, positions count from 1, and bars are standard
    deviations over shifts where the run has them. A peak from no genome is numbered from 1.

    Args:
        peak: As of `modelzoo.tracks.h5.read_one`.
        output: What the model's output is, such as a logit.
        hits: As of `modelzoo.tracks.hits.placed_hits`; the notable ones that speak for the output
            are boxed.
        width: In mm.
    """
    place = peak.interval
    letters, scores, spread = peak.one_hot.numpy(), peak.hypothetical.numpy(), peak.spread
    if place is not None:
        letters, scores = forward(place, letters).copy(), forward(place, scores).copy()
        spread = None if spread is None else forward(place, spread).copy()
    window = place or Interval(peak.name, 0, letters.shape[1])
    motifs = [] if hits is None else notable(hits[hits["attribution"] > 0], window).itertuples()
    figure = plot_logos(
        torch.from_numpy(scores),
        torch.from_numpy(letters),
        spread=None if spread is None else torch.from_numpy(spread),
        motifs=[Motif(row.start + 1, row.end + 1, str(row.name)) for row in motifs],
        max_letters=max(1, int((width - MARGINS) / LETTER)),
        first=window.start + 1,
        width=width / MM,
    )
    axes = figure.axes[-1]
    axes.set_xlabel(
        f"position {'on' if place else 'in'} {window.chrom}", size=8, color=INK, labelpad=1
    )
    axes.set_ylabel(f"contribution\nto the {output}", size=8, color=INK, labelpad=2)
    return figure


def save_for_paper(figure: Figure, path: Path) -> None:
    """Write a figure as PDF, SVG or PNG; the text of the first two can be edited.

    Args:
        figure: As of `peak_figure`.
        path: Its ending tells the format.
    """
    kind = path.suffix.lower().removeprefix(".")
    dates = {"pdf": {"CreationDate": None}, "svg": {"Date": None}}
    if kind not in (*dates, "png"):
        raise ValueError(f"output: expected .pdf, .svg or .png, got {str(path)!r}")
    fonts: Any = {"pdf.fonttype": 42, "svg.fonttype": "none", "svg.hashsalt": path.stem}
    with matplotlib.rc_context(fonts), replacing(path) as part:
        figure.savefig(part, format=kind, dpi=300, metadata=dates.get(kind))


def methods(about: Mapping[str, Any], length: int, hits: DataFrame | None = None) -> str:
    """Return what a run did, as a paragraph for a methods section.

    Args:
        about: The attributes of the run's file.
        length: Positions of a window.
        hits: As of `modelzoo.tracks.hits.placed_hits`, if hits were called.
    """
    method = METHODS[about["method"]]
    if "max_shift" in method.parameters:
        method = method.having(max_shift=int(about["max_shift"]))
    said = [
        f"Sequences of {length} bp were scored with the model {about['model']} (weights with the"
        f" SHA-256 sum {about['checksum'][:12]}…; shiftsmooth {about['version']}), and its"
        f" {about['output']} for {about['task']} was explained.",
    ]
    if about["method"] == "shiftsmooth":
        said.append(
            "Attributions are gradients, averaged over shifts of the sequence by up to"
            f" {about['max_shift']} positions to either side (ShiftSmooth), less their mean over"
            " the four bases at each position."
        )
    else:
        said.append(f"Attributions were computed by {method.title}.")
    said.append("The contribution of a position is the attribution of the base that is there.")
    if about.get("spread"):
        said.append("Error bars are standard deviations over the shifts.")
    if hits is not None:
        none = "" if (hits["name"] == SEQLET).any() else ", which none reached"
        said.append(
            f"Seqlets were called by the recursive algorithm of tangermeme at a false discovery"
            f" rate of {FDR:g} against dinucleotide shuffles of the same sequences{none}. Motif"
            f" instances are matches of {RELEASE} ({GROUP}) by FIMO at p < {P_VALUE:g}, each with"
            " the sum of the contributions of its positions; of instances that overlap, the one"
            " with the largest contribution per position is boxed."
        )
    return " ".join(said)
