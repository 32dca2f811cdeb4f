"""The attribution methods that the mixture paper's study compares, and how they are asked."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

from torch import Tensor, nn

from modelzoo.attribution.methods import METHODS, Method, finished, importance, raw_maps

MAX_SHIFTS = (1, 2, 5, 10)
ISM = "ism"  # which faithfulness is measured against

COMPARED: dict[str, Method] = {
    **{
        name: METHODS[name]
        for name in (
            "gradient",
            "saliency",
            "input-x-gradient",
            "smoothgrad",
            "integrated-gradients",
            "deep-lift-shap",
            ISM,
        )
    },
    **{f"shiftsmooth-{n}": METHODS["shiftsmooth"].having(max_shift=n) for n in MAX_SHIFTS},
    "shiftsmooth-ig": METHODS["shiftsmooth-ig"].having(max_shift=2),
    "shift-and-noise": METHODS["shift-and-noise"],
}


def max_shift(name: str) -> int | None:
    """Return N of a compared ShiftSmooth, 0 for the gradient, None for other methods."""
    method = COMPARED[name]
    if method.name == "gradient":
        return 0
    return method.parameters["max_shift"] if method.name == "shiftsmooth" else None


class Explainer:
    """A method on a model's first task, which remembers the maps of what it has explained.

    Maps with and without the correction are one computation.
    """

    def __init__(self, model: nn.Module, method: Method, seed: int) -> None:
        self.method, self.seed = method, seed
        self._explain = method.on(model)
        self._known: dict[bytes, Tensor] = {}

    def maps(self, x: Tensor, corrected: bool) -> Tensor:
        """Return the maps of one-hot sequences. Shape (B, 4, L), as that of `x`."""
        digest = hashlib.sha256(x.numpy().tobytes()).digest()
        if digest not in self._known:
            self._known[digest] = raw_maps(self._explain, x, self.method.rows, self.seed)
        return finished(self.method, self._known[digest], x, corrected)

    def importance(self, corrected: bool) -> Callable[[Tensor], Tensor]:
        """Return a function of one-hot sequences that gives the importance of every position."""
        return lambda x: importance(self.maps(x.contiguous(), corrected), x)
