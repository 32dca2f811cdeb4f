"""The gradient of F, the mean of models over shifts and strands: which steps add up to it."""

from collections.abc import Callable
from functools import partial
from typing import Any

import torch

from .arguments import Arguments, Tensors
from .chunks import Chunks
from .copies import Copies
from .reductions import Mean
from .sharing import Share, Sharer, Sharing
from .shifts import Dims
from .steps import EachGradient, Step, on_other_strand

SHARE: Share = "auto"  # what `share` is when it is not given


def checked_share(share: Share | None) -> Share:
    """`share`, or what it is when it is not given."""
    if share not in (True, False, "auto", None):
        raise ValueError(f"share: expected True, False or 'auto', got {share!r}")
    return SHARE if share is None else share


class Gradients:
    """Gradients of one or several models, which share work between shifts where that pays.

    Attributes:
        share: True, False or "auto".
        chunks: How many shifts run at once.
    """

    def __init__(self, share: Share, chunks: Chunks) -> None:
        self.share, self.chunks = share, chunks
        self._sharers: dict[Any, Sharer] = {}
        self._asymmetric: dict[int, Any] = {}
        self._last: Sharer | Sharing | None = None

    @property
    def sharing(self) -> Sharing | None:
        """What became of sharing in the last call; None before the first."""
        return self._last.told if isinstance(self._last, Sharer) else self._last

    def not_shared(self, reason: str) -> None:
        """Note why a call shares nothing."""
        self._last = Sharing(False, reason=reason)

    def steps(
        self, models: list[Any], call: Arguments, linear: bool = True, abs: bool = False
    ) -> list[Step]:
        """The steps of a call, one for each strand of each model.

        Args:
            models: The models.
            call: The call's arguments.
            linear: Whether the sum over shifts is enough.
            abs: Whether to take absolute gradients.
        """
        flips = call.flips() if call.strands == 2 else None
        functions: list[tuple[Any, Callable[..., Any]]] = []
        for i, model in enumerate(models):
            functions.append(((i, None), model))
            if flips is not None and not self._symmetric(i, model, call, flips):
                functions.append(((i, flips), partial(on_other_strand, model, flips)))
        if abs or not linear:  # only a plain mean of gradients is the gradient of something
            self.not_shared("only a plain mean of signed gradients is shared")
            return [EachGradient(call, function, abs) for _, function in functions]
        sharers = [self._sharer(key, function) for key, function in functions]
        self._last = sharers[0]
        return [sharer.step(call) for sharer in sharers]

    def mean(self, models: list[Any], call: Arguments) -> Tensors:
        """The gradient of F."""
        reduced = Mean(call.shifts)
        steps = self.steps(models, call)
        for step in steps:
            self.chunks.run(step, reduced.add)
        return reduced.result(steps[0].dims, len(steps))

    def _symmetric(self, i: int, model: Any, call: Arguments, flips: tuple[Dims, ...]) -> bool:
        """Whether one strand is enough; a model that once needed both is not asked again."""
        if self._asymmetric.get(i) is model:
            return False
        found = symmetric(model, call, flips)
        if not found:
            self._asymmetric[i] = model
        return found

    def _sharer(self, key: Any, function: Callable[..., Any]) -> Sharer:
        known = self._sharers.get(key)
        if known is None or not _same(known.forward_func, function):
            self._sharers[key] = Sharer(function, self.share, self.chunks)
        return self._sharers[key]


def symmetric(model: Callable[..., Any], call: Arguments, flips: tuple[Dims, ...]) -> bool:
    """Whether the model gives the same for both strands.

    It is asked for every window of some examples, and for one window of every example.
    """
    few = call.examples(list(range(min(call.batch, 8))))
    views = [Copies(few, (n,)) for n in few.shifts.values]
    views.append(Copies(call, (min(call.shifts.values, key=abs),)))
    other = partial(on_other_strand, model, flips)
    pairs = []
    with torch.no_grad():
        for copies in views:
            outputs = [copies.run(f, copies.inputs()).double() for f in (model, other)]
            pairs.append(torch.stack(outputs))
    one, two = torch.cat(pairs, 1)
    # Relative to the spread: a large constant, or dead outputs, must not hide a difference.
    spread = float((one - one.mean(0)).abs().max())
    noise = 1e-6 * float(one.abs().max())
    return spread > 100 * noise and float((one - two).abs().max()) <= noise + 1e-6 * spread


def _same(one: Any, other: Any) -> bool:
    """Whether two functions are the same model on the same strand."""
    if isinstance(one, partial) and isinstance(other, partial) and one.func is on_other_strand:
        return other.func is on_other_strand and one.args[0] is other.args[0]
    return one is other
