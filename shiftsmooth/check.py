"""Does a model need ShiftSmooth, with which N, and how far can its map be trusted?

All numbers come from the same few passes. With G_m the gradient in the window that is m positions
away, moved back, ShiftSmooth with N in the window that is s away is the mean of G_{s-N}, ...,
G_{s+N}; so one gradient a window answers for every N and every s.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn import Module

from .arguments import Arguments
from .attribution import ShiftSmooth
from .audit import Break, audit
from .layer import LayerShiftSmooth
from .metrics import faithfulness
from .quality import explained
from .shifts import Shifts

NEEDED_BELOW = 0.95  # correlation of the gradient with itself in a moved window
SATURATED = 0.01  # a larger N that adds less stability than this is not worth its gradients
MUTATED = 8  # examples compared with mutagenesis


@dataclass(frozen=True)
class Check:
    """What `check` found.

    Attributes:
        needed: Whether averaging over shifts pays for this model and these sequences.
        max_shift: The N to use; 0 where none is needed.
        edges: "circular" or "flanks", as the windows were made here.
        prediction: For each distance of the window, how far the prediction moves, as a share of
            its spread over the examples: the median, the 95 % quantile and the largest.
        strands: How far the prediction moves on the reverse complement, the median in the same
            unit; None for inputs that are not (B, 4, L).
        gradient: For each distance, the correlation of the gradient with that of the unmoved
            window, the median over examples.
        smoothed: The same for ShiftSmooth with `max_shift`, or the largest N tried.
        stability: For each N tried, the correlation over distances 1 to 3: on the half of the
            examples that N was chosen on, and on the other half.
        varying: Share of the gradient's power that differs between windows, so that averaging over
            them removes it: 0 for an equivariant model.
        predicted: For each N tried, the stability that the gradients of single windows predict.
        breaks: The functions of the model that break shift equivariance, in order.
        total_stride: How many positions of the input make one of the coarsest map.
        mutagenesis: Rank correlation with in-silico mutagenesis of the gradient and of
            ShiftSmooth, medians; None for inputs that are not one-hot (B, 4, L).
        gradients: How many gradients a call of ShiftSmooth with `max_shift` costs unshared.
        seconds: Of one gradient of these examples, and of ShiftSmooth as this model shares it.
        sharing: What ShiftSmooth says about sharing for this model.
    """

    needed: bool
    max_shift: int
    edges: str
    prediction: dict[int, tuple[float, float, float]]
    strands: float | None
    gradient: dict[int, float]
    smoothed: dict[int, float]
    stability: dict[int, tuple[float, float]]
    varying: float
    predicted: dict[int, float]
    breaks: tuple[Break, ...]
    total_stride: int
    mutagenesis: tuple[float, float] | None
    gradients: int
    seconds: tuple[float, float]
    sharing: str

    @property
    def verdict(self) -> str:
        """The verdict in a few sentences."""
        before = self.stability[0][1]
        first = next((b for b in self.breaks if b.how != "padding" or b.stride > 1), None)
        reason = f" The first reason: {first}." if first else ""
        if not self.needed:
            if before >= NEEDED_BELOW:
                return (
                    f"You do not need ShiftSmooth here: when the window moves by 1 to 3 positions "
                    f"the gradient keeps a correlation of {before:.3f}.{reason}"
                )
            return (
                f"ShiftSmooth does not help here: the gradient keeps a correlation of {before:.3f} "
                f"when the window moves by 1 to 3 positions, and no N tried changes that.{reason}"
            )
        after = self.stability[self.max_shift][1]
        text = (
            f"Use ShiftSmooth with max_shift={self.max_shift}: when the window moves by 1 to 3 "
            f"positions the gradient keeps a correlation of {before:.3f}, ShiftSmooth {after:.3f} "
            f"(on examples that did not choose N).{reason}"
        )
        if self.mutagenesis is not None:
            a, b = self.mutagenesis
            text += f" Agreement with mutagenesis: {a:.3f} before, {b:.3f} after."
        one, all_ = self.seconds
        return text + f" It takes {all_ / max(one, 1e-9):.1f} times as long as one gradient."

    def to_json(self) -> str:
        """Return everything as JSON."""
        values = asdict(self) | {"verdict": self.verdict, "breaks": [str(b) for b in self.breaks]}
        return json.dumps(values, indent=2)

    def __str__(self) -> str:
        """Say the verdict."""
        return self.verdict


def check(
    model: Callable[..., Tensor],
    X: Tensor,
    *,
    args: Sequence[Any] = (),
    target: Any = 0,
    layer: Module | None = None,
    dim: int = -1,
    edges: str = "circular",
    max_shift: int = 10,
    moved: int = 5,
) -> Check:
    """Find out whether a model needs ShiftSmooth, and with which N.

    Args:
        model: A module, or a function, that gives (B, tasks). A module is in eval mode for the
            call, and as it was afterwards.
        X: Some ten to a hundred examples, (B, ..., L). With `edges="flanks"` each carries
            `max_shift + moved` real positions more on either side.
        args: Further arguments of the model.
        target: The task that is explained, as for `ShiftSmooth.attribute`.
        layer: For tokens: the embedding, which is explained in their place.
        dim: The sequence dimension of `X`.
        edges: "circular" or "flanks"; circular windows are made of the examples alone, and show a
            junction that no real window has.
        max_shift: The largest N to try.
        moved: How far the window moves.

    Example:
        >>> import torch
        >>> from shiftsmooth import check
        >>> _ = torch.manual_seed(0)
        >>> pooled = torch.nn.Sequential(torch.nn.Conv1d(4, 8, 5), torch.nn.AdaptiveMaxPool1d(1),
        ...                              torch.nn.Flatten(), torch.nn.Linear(8, 1))
        >>> X = torch.nn.functional.one_hot(torch.randint(4, (16, 100)), 4).mT.float()
        >>> check(pooled, X, max_shift=3).max_shift
        0
    """
    if not isinstance(X, Tensor) or X.dim() < 2 or len(X) < 2:
        got = f"shape {tuple(X.shape)}" if isinstance(X, Tensor) else type(X).__name__
        raise ValueError(f"X: expected at least 2 examples (B, ..., L), got {got}")
    if edges not in ("circular", "flanks"):
        raise ValueError(f"edges: expected 'circular' or 'flanks', got {edges!r}")
    if max_shift < 1 or moved < 1:
        raise ValueError(f"max_shift, moved: expected 1 or more, got {max_shift}, {moved}")
    reach = max_shift + moved
    if X.size(dim) <= 2 * reach:
        raise ValueError(
            f"X: expected more than {2 * reach} positions along dim {dim} for max_shift="
            f"{max_shift} and moved={moved}, got {X.size(dim)}"
        )
    dim = dim % X.dim() - X.dim()
    with _evaluating(model):
        return _checked(model, X, tuple(args), target, layer, dim, edges, max_shift, moved)


def assert_shift_stable(
    model: Callable[..., Tensor],
    X: Tensor,
    *,
    at_least: float = 0.95,
    max_shift: int = 0,
    **kwargs: Any,
) -> None:
    """Raise AssertionError where attributions change too much when the window moves.

    Args:
        model: As for `check`.
        X: As for `check`.
        at_least: The correlation that attributions must keep, the mean over distances 1 to 3.
        max_shift: N of the attribution that is tested; 0 is the plain gradient.
        kwargs: Further arguments of `check`.

    Example:
        >>> import torch
        >>> from shiftsmooth import assert_shift_stable
        >>> _ = torch.manual_seed(0)
        >>> model = torch.nn.Sequential(torch.nn.Conv1d(4, 8, 5), torch.nn.Softplus(),
        ...                             torch.nn.AdaptiveAvgPool1d(1), torch.nn.Flatten(),
        ...                             torch.nn.Linear(8, 1))
        >>> X = torch.nn.functional.one_hot(torch.randint(4, (8, 100)), 4).mT.float()
        >>> assert_shift_stable(model, X, at_least=0.9)
    """
    found = check(model, X, max_shift=max(1, max_shift), **kwargs)
    kept = sum(found.stability[max_shift]) / 2
    if not kept >= at_least:
        raise AssertionError(
            f"attributions keep a correlation of {kept:.3f} when the window moves by 1 to 3 "
            f"positions; expected at least {at_least}. {found.verdict}"
        )


def _checked(
    model: Callable[..., Tensor],
    X: Tensor,
    args: tuple,
    target: Any,
    layer: Module | None,
    dim: int,
    edges: str,
    max_shift: int,
    moved: int,
) -> Check:
    reach = max_shift + moved
    length = X.size(dim) - (2 * reach if edges == "flanks" else 0)

    def window(m: int) -> Tensor:
        return X.narrow(dim, reach - m, length) if edges == "flanks" else torch.roll(X, m, dim)

    explainer = ShiftSmooth(model) if layer is None else LayerShiftSmooth(model, layer)
    outputs, maps = {}, {}
    seconds = 0.0
    for m in range(-reach, reach + 1):
        x = window(m)
        with torch.no_grad():
            outputs[m] = explained(model(x, *args), target).double()
        start = time.perf_counter()
        plain = explainer.attribute(x, target, args or None, shifts=[0], dim=dim)
        seconds += (time.perf_counter() - start) / (2 * reach + 1)
        maps[m] = _moved_back(plain, length, m, reach if edges == "flanks" else 0)
    far = range(1, moved + 1)
    half = len(X) // 2
    mean = {n: {s: _smooth(maps, s, n) for s in (0, *far)} for n in range(max_shift + 1)}
    near = [s for s in (1, 2, 3) if s <= moved]

    def kept(n: int, s: int, rows: slice = slice(None)) -> float:
        return _median(_correlations(mean[n][0][rows], mean[n][s][rows]))

    stability = {
        n: tuple(sum(kept(n, s, rows) for s in near) / len(near) for rows in _halves(half))
        for n in mean
    }
    two = _examples(X, args, target, [0, 1])
    layers = audit(model, window(0)[:2], two.args, dim)
    largest = max(first for first, _ in stability.values())
    least = -(-layers.total_stride // 2)
    chosen = next(
        (
            n
            for n in stability
            if n >= min(least, max_shift) and stability[n][0] > largest - SATURATED
        ),
        max_shift,
    )
    needed = stability[0][0] < NEEDED_BELOW and stability[chosen][1] > stability[0][1] + SATURATED
    spread = float(outputs[0].std()) or float(outputs[0].abs().max()) or 1.0
    n = chosen if needed else 0
    shared, told = _timed(explainer, window(0), target, args, dim, n or chosen)
    compared = (maps[0], mean[n or chosen][0])
    one_hot = layer is None and dim == -1 and X.dim() == 3 and X.size(1) == 4
    return Check(
        needed=needed,
        max_shift=n,
        edges=edges,
        prediction={
            s: _quantiles(torch.stack([outputs[s], outputs[-s]]).sub(outputs[0]).abs() / spread)
            for s in far
        },
        strands=_on_the_other_strand(model, window(0), args, target, spread) if one_hot else None,
        gradient={s: kept(0, s) for s in far},
        smoothed={s: kept(n or chosen, s) for s in far},
        stability=stability,  # type: ignore[arg-type]
        varying=_varying(maps),
        predicted=_predicted(maps, max_shift, near),
        breaks=layers.breaks,
        total_stride=layers.total_stride,
        mutagenesis=_against_mutagenesis(model, window(0), args, target, compared)
        if one_hot
        else None,
        gradients=2 * n + 1,
        seconds=(seconds, shared),
        sharing=told,
    )


def _halves(half: int) -> tuple[slice, slice]:
    return slice(0, half), slice(half, None)


def _smooth(maps: dict[int, Tensor], s: int, n: int) -> Tensor:
    return torch.stack([maps[s + m] for m in range(-n, n + 1)]).mean(0)


def _varying(maps: dict[int, Tensor]) -> float:
    """Share of the gradients' power that is not that of their mean over windows, the median.

    The mean of M windows keeps one M-th of what differs between them, which is put back.
    """
    count = len(maps)
    power = torch.stack([m.double().flatten(1).square().sum(1) for m in maps.values()]).mean(0)
    mean = torch.stack([m.double().flatten(1) for m in maps.values()]).mean(0)
    common = mean.square().sum(1)
    shares = torch.where(power > 0, (1 - common / power) * count / (count - 1), torch.nan)
    return min(1.0, _median(shares))


def _predicted(maps: dict[int, Tensor], max_shift: int, near: Sequence[int]) -> dict[int, float]:
    """Stability of ShiftSmooth from c(d), the mean correlation of windows that are d apart.

    Were all windows' gradients as large, the means over n in -N..N at windows s apart correlate by
    sum_ab c(s + a - b) / sum_ab c(a - b).
    """
    c = []
    for d in range(2 * max_shift + max(near) + 1):
        pairs = [_correlations(maps[m], maps[m + d]) for m in maps if m + d in maps]
        c.append(float(torch.cat(pairs).nanmean()))
    found = {}
    for n in range(max_shift + 1):
        gaps = [a - b for a in range(-n, n + 1) for b in range(-n, n + 1)]
        of = {s: sum(c[abs(s + gap)] for gap in gaps) for s in (0, *near)}
        found[n] = sum(of[s] / of[0] for s in near) / len(near)
    return found


def _moved_back(plain: Any, length: int, m: int, cut: int) -> Tensor:
    """The attribution of the window at m, (B, channels, L), where the sequence's positions are.

    With real flanks windows hold different positions; `cut` leaves those that all of them hold.
    """
    plain = plain[0] if isinstance(plain, tuple) else plain
    along = 1 + plain.shape[1:].index(length)
    moved = torch.roll(plain, -m, along).movedim(along, -1).reshape(len(plain), -1, length)
    return moved[..., cut : length - cut].detach()


def _correlations(a: Tensor, b: Tensor) -> Tensor:
    """Pearson's correlation of each example's maps; nan where one is constant."""
    a, b = (x.double().flatten(1) - x.double().flatten(1).mean(1, keepdim=True) for x in (a, b))
    norm = a.norm(dim=1) * b.norm(dim=1)
    return torch.where(norm > 0, (a * b).sum(1) / norm, torch.nan)


def _median(values: Tensor) -> float:
    return float(values.nanmedian())


def _quantiles(values: Tensor) -> tuple[float, float, float]:
    values = values.double().flatten()
    return float(values.median()), float(values.quantile(0.95)), float(values.max())


def _examples(x: Tensor, args: tuple, target: Any, rows: list[int]) -> Arguments:
    """These examples, with their arguments and targets."""
    shifts = Shifts.of(0, None, "circular", None)
    return Arguments.of(x, target, args, shifts, dim=None).examples(rows)


def _timed(
    explainer: Any, x: Tensor, target: Any, args: tuple, dim: int, n: int
) -> tuple[float, str]:
    """Seconds of ShiftSmooth over n, the second time, and what it says about sharing."""
    for _ in range(2):
        start = time.perf_counter()
        explainer.attribute(x, target, args or None, max_shift=n, dim=dim)
        seconds = time.perf_counter() - start
    return seconds, str(getattr(explainer, "sharing", None) or "nothing is shared")


def _on_the_other_strand(
    model: Callable[..., Tensor], x: Tensor, args: tuple, target: Any, spread: float
) -> float:
    with torch.no_grad():
        forward, reverse = (explained(model(s, *args), target).double() for s in (x, x.flip(1, 2)))
    return _median((forward - reverse).abs() / spread)


def _against_mutagenesis(
    model: Callable[..., Tensor], x: Tensor, args: tuple, target: Any, maps: tuple[Tensor, Tensor]
) -> tuple[float, float] | None:
    """Rank correlation of each map with what every substitution does to the output, medians."""
    if not bool(((x == 0) | (x == 1)).all()):
        return None
    cut = (x.shape[2] - maps[0].shape[2]) // 2  # what flanked windows do not all hold
    places = range(cut, x.shape[2] - cut)
    rows = range(min(MUTATED, len(x)))
    copies = [_examples(x, args, target, [row] * x.size(1)) for row in rows]
    effects = torch.stack([_mutated(model, each, places) for each in copies])
    before, after = (
        _median(faithfulness(m[: len(effects)] - m[: len(effects)].mean(1, keepdim=True), effects))
        for m in maps
    )
    return before, after


@torch.no_grad()
def _mutated(model: Callable[..., Tensor], call: Arguments, places: range) -> Tensor:
    """The output with each letter at each of the places, less the mean over the letters.

    Args:
        model: The model.
        call: One example, once for each letter.
        places: The places.
    """
    (x,) = call.inputs
    effects = torch.empty(len(x), len(places), dtype=torch.double, device=x.device)
    letter = torch.eye(len(x), dtype=x.dtype, device=x.device)
    for column, position in enumerate(places):
        mutants = x.clone()
        mutants[..., position] = letter
        effects[:, column] = explained(model(mutants, *call.args), call.target).double()
    return effects - effects.mean(0)


@contextmanager
def _evaluating(model: Callable[..., Tensor]) -> Iterator[None]:
    """A module in eval mode, and afterwards as it was."""
    modes = [(m, m.training) for m in model.modules()] if isinstance(model, Module) else []
    try:
        for module, _ in modes:
            module.training = False
        yield
    finally:
        for module, training in modes:
            module.training = training
