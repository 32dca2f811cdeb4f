"""The motifs that a discovery found, with their matches, instances and syntax."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch

from modelzoo.motifs import (
    Match,
    Motif,
    find_instances,
    label,
    syntax,
    write_matches,
    write_matrices,
    write_meme,
)
from modelzoo.motifs.files import write_table
from modelzoo.sequences import Interval
from modelzoo.tracks.hits import placed, write_bed
from shiftsmooth.plot import plot_logos

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from pandas import DataFrame


@dataclass(frozen=True, eq=False)
class Finding:
    """A motif with its matches and more facts.

    Attributes:
        motif: The motif.
        matches: Its matches in a database, the best first.
        facts: More columns for the page, by name; findings shown together have the same.
    """

    motif: Motif
    matches: Sequence[Match]
    facts: Mapping[str, str] = field(default_factory=dict)

    @property
    def title(self) -> str:
        """The motif's name, with that of the best match."""
        found = label(self.matches)
        return f"{self.motif.name} · {found}-like" if found else self.motif.name

    def logo(self) -> Figure:
        """Return the motif's logo in bits, above that of its best match, aligned."""
        best = self.matches[0] if self.matches else None
        start = max(best.offset, 0) if best else 0  # of the motif, in positions of the figure
        left = max(-best.offset, 0) if best else 0  # of the match
        width = max(start + self.motif.width, left + best.target.width if best else 0)
        logos = {self.motif.name: _placed(self.motif, start, width)}
        if best:
            name = f"{best.target.title} {best.orientation}"
            logos[name if name != self.motif.name else f"{name} "] = _placed(
                best.oriented, left, width
            )
        inches = 1.8 + 0.28 * max(width, 14)
        return plot_logos(logos, max_letters=width, first=1 - start, sharey=True, width=inches)


@dataclass(frozen=True, eq=False)
class Findings:
    """All that a discovery found.

    Attributes:
        all: Every motif, in order.
        shown: Those for the page.
        instances: The instances of the shown ones, the table that `find_instances` returns.
        pairs: Their arrangements and spacings, the table that `syntax` returns.
        names: The names of the sequences that the instances are in.
        intervals: Where each of them lies in a genome, if it does.
    """

    all: Sequence[Finding]
    shown: Sequence[Finding]
    instances: DataFrame
    pairs: DataFrame
    names: Sequence[str]
    intervals: Sequence[Interval | None]

    @classmethod
    def of(
        cls,
        findings: Sequence[Finding],
        shown: Sequence[Finding],
        codes: np.ndarray,
        names: Sequence[str],
        intervals: Sequence[Interval | None] = (),
    ) -> Findings:
        """Return findings with the instances and the syntax of those shown.

        Args:
            findings: Every motif, in order.
            shown: Those for the page.
            codes: The sequences to look for them in, (n, L).
            names: The names of the sequences.
            intervals: Where each of them lies in a genome.
        """
        instances = find_instances([finding.motif.trimmed() for finding in shown], codes)
        pairs = syntax(instances, [finding.motif.name for finding in shown])
        return cls(findings, shown, instances, pairs, names, intervals)

    def write(self, folder: Path) -> None:
        """Write `motifs.meme`, `motifs.tsv`, `matches.tsv`, `instances.tsv` and `syntax.tsv`.

        Instances in sequences from a genome are also in `instances.bed`, where they lie in it.

        Args:
            folder: An existing folder.
        """
        motifs = [finding.motif for finding in self.all]
        write_meme(folder / "motifs.meme", motifs)
        write_matrices(folder / "motifs.tsv", motifs)
        write_matches(folder / "matches.tsv", motifs, [finding.matches for finding in self.all])
        named = [self.names[row] for row in self.instances["sequence"]]
        tables = {"instances": self.instances.assign(sequence=named), "syntax": self.pairs}
        for name, table in tables.items():
            rows = table.itertuples(index=False)
            write_table(folder / f"{name}.tsv", list(table.columns), rows)
        intervals = [interval for interval in self.intervals if interval is not None]
        if intervals and len(intervals) == len(self.names):
            score = -np.log10(self.instances["p_value"].astype(float).clip(lower=1e-30))  # may be 0
            located = placed(self.instances, intervals).assign(score=score.to_numpy())
            write_bed(located, folder / "instances.bed")


def _placed(motif: Motif, left: int, width: int) -> torch.Tensor:
    """Return the heights of a motif's letters with room around them, (4, width)."""
    heights = np.pad(motif.matrix * motif.bits, ((0, 0), (left, width - left - motif.width)))
    return torch.from_numpy(heights)
