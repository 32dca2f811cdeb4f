"""The joint effect of two motifs at every distance: one slides past the other in the centre.

With f the model's logit, b a random background, A the motif in its centre and B the other one at a
distance d, the effect that remains without each motif's own effect is

    residual(d) = f(b + A + B_d) - f(b + A) - f(b + B_d) + f(b)

A logit is the logarithm of odds, so exp(residual), the residual fold change, is the factor by which
the odds of both motifs exceed the product of their single effects. It is 1 for a model that adds
the motifs up, as an ExplaiNN must where A and B are different motifs: its units do not interact.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from torch import nn

from modelzoo.sequences import encode, in_batches

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True, eq=False)
class Interaction:
    """The joint effect of a pair of motifs, by distance.

    Attributes:
        centre: The motif in the centre, as letters.
        sliding: The motif that slides.
        distances: From the middle of the central motif to that of the sliding one, (P,), without
            those at which they overlap; negative where the sliding motif comes first.
        residuals: In logits, (backgrounds, P).
    """

    centre: str
    sliding: str
    distances: np.ndarray
    residuals: np.ndarray

    @property
    def residual(self) -> np.ndarray:
        """The mean of the residuals over backgrounds, (P,)."""
        return self.residuals.mean(axis=0)

    @property
    def fold_change(self) -> np.ndarray:
        """The residual fold change of the odds, (P,): 1 where the motifs only add up."""
        return np.exp(self.residual)


def distance_dependence(
    model: nn.Module,
    centre: str,
    sliding: str,
    *,
    task: int = 0,
    length: int = 101,
    backgrounds: int = 100,
    seed: int = 0,
) -> Interaction:
    """Return the joint effect of two motifs on a model, at every distance.

    Slide a short sequence without a meaning as well, such as GGGCT: its residuals are the noise.

    Args:
        model: In eval mode; gives logits (B, tasks) for (B, 4, L).
        centre: The motif in the centre, letters A, C, G, T.
        sliding: The motif that is put everywhere else, which may be the same.
        task: The column of the logit.
        length: The length of the backgrounds.
        backgrounds: The number of random backgrounds, with equal probabilities of the letters.
        seed: The seed of the backgrounds.
    """
    a, b = (encode(motif)[0] for motif in (centre, sliding))
    middle = (length - len(a)) // 2
    starts = np.array(
        [s for s in range(length - len(b) + 1) if s + len(b) <= middle or s >= middle + len(a)]
    )
    if middle < 0 or not len(starts):
        raise ValueError(
            f"length: expected room for {len(a)} and {len(b)} positions side by side, got {length}"
        )
    if backgrounds < 1:
        raise ValueError(f"backgrounds: expected at least 1, got {backgrounds}")
    plain = np.random.default_rng(seed).integers(0, 4, (backgrounds, length), dtype=np.uint8)
    central = plain.copy()
    central[:, middle : middle + len(a)] = a

    def slid(codes: np.ndarray) -> np.ndarray:
        """Return the logits with the other motif at every start, (backgrounds, P)."""
        found = []
        for start in starts:
            both = codes.copy()
            both[:, start : start + len(b)] = b
            found.append(_logits(model, both, task))
        return np.stack(found, axis=1)

    alone = _logits(model, central, task) - _logits(model, plain, task)
    return Interaction(
        centre,
        sliding,
        starts + (len(b) - 1) / 2 - middle - (len(a) - 1) / 2,
        slid(central) - slid(plain) - alone[:, None],
    )


def draw(found: Sequence[Interaction]) -> Figure:
    """Return the residual fold change of one or several pairs against the distance."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(5, 3), layout="constrained")
    axes = figure.subplots()
    for pair in found:
        gap = int((pair.distances < 0).sum())  # no line across the motif in the centre
        axes.plot(
            np.insert(pair.distances, gap, 0),
            np.insert(pair.fold_change, gap, np.nan),
            label=f"{pair.sliding} past {pair.centre}",
        )
    axes.axhline(1, color="#999999", lw=0.8, ls=":")
    axes.set(xlabel="distance of the motifs' middles", ylabel="residual fold change")
    axes.legend(frameon=False)
    return figure


def _logits(model: nn.Module, codes: np.ndarray, task: int) -> np.ndarray:
    return in_batches(model, codes)[:, task].double().numpy()
