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
    annotate,
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


Q_VALUE = 0.05  # the largest of a match
ROWS = ("motif, bits", "JASPAR, bits")  # of a logo; of one width, so that logos are aligned
PALE_INK = "#b0b0b0"


@dataclass(frozen=True, eq=False)
class Finding:
    """A motif with its matches and more facts.

    Attributes:
        motif: The motif.
        matches: Its matches in a database, the best first.
        facts: More columns for the page, by name; findings shown together have the same.
        nearest: The motif of the database that resembles it most, where nothing matches.
    """

    motif: Motif
    matches: Sequence[Match]
    facts: Mapping[str, str] = field(default_factory=dict)
    nearest: Match | None = None

    @classmethod
    def among(
        cls, motifs: Sequence[Motif], database: Sequence[Motif], *, q_value: float = Q_VALUE
    ) -> list[Finding]:
        """Return motifs with their matches in a database, or the nearest where nothing matches.

        Args:
            motifs: In the order of the result.
            database: Motifs with titles.
            q_value: The largest of a match.
        """
        findings = []
        for motif, ranked in zip(motifs, annotate(motifs, database, q_value=1.0)):
            matches = [match for match in ranked if match.q_value <= q_value]
            nearest = ranked[0] if ranked and not matches else None
            findings.append(cls(motif, matches, nearest=nearest))
        return findings

    @property
    def title(self) -> str:
        """The motif's name, with that of the best match."""
        found = label(self.matches)
        return f"{self.motif.name} · {found}-like" if found else self.motif.name

    def logo(self) -> Figure:
        """Return the motif's logo in bits, above that of its best match, aligned.

        Where nothing matches, the nearest is drawn in grey. Logos of several findings have their
        axes at the same place.
        """
        best = self.matches[0] if self.matches else self.nearest
        start = max(best.offset, 0) if best else 0  # of the motif, in positions of the figure
        left = max(-best.offset, 0) if best else 0  # of the match
        width = max(start + self.motif.width, left + best.target.width if best else 0)
        logos = {ROWS[0]: _placed(self.motif, start, width)}
        told = self.motif.name
        if best:
            logos[ROWS[1]] = _placed(best.oriented, left, width)
            how = "" if self.matches else "nearest, not significant: "
            told += f" / {how}{best.target.title} {best.orientation}, q = {best.q_value:.2g}"
        inches = 1.8 + 0.28 * max(width, 14)
        figure = plot_logos(
            logos, max_letters=width, first=1 - start, sharey=True, width=inches, title=told
        )
        if best and not self.matches:
            for letters in figure.axes[-1].patches:
                letters.set_facecolor(PALE_INK)
        return figure


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
