"""The methods of the benchmark, and what each costs in model evaluations.

To add one, register it in `modelzoo.attribution.methods` and put it into `COMPARED`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from captum.attr import LayerGradCam
from torch import Tensor, nn

from modelzoo.attribution.methods import METHODS, Explain, Method, unseeded
from shiftsmooth import shift_smooth
from shiftsmooth.quality import GRADIENT

ISM = "ism"  # which faithfulness is measured against
PLAIN = "gradient"  # which every method is compared with
SHIFTED = "shiftsmooth-5"  # the method of this project, with its default N
RIVAL = "shiftsmooth-10"  # which is compared with mutagenesis as well
ALWAYS, NEVER, BOTH = (True,), (False,), (False, True)


@dataclass(frozen=True)
class Compared:
    """A method of the benchmark.

    Attributes:
        method: How it is computed.
        copies: From the window's length to the copies of a sequence that pass through the model.
        backward: Whether each copy passes back as well.
        corrections: With the simplex correction, without it, or both.
    """

    method: Method
    copies: Callable[[int], int]
    backward: bool = True
    corrections: tuple[bool, ...] = BOTH

    def evaluations(self, length: int) -> int:
        """Return its cost: a forward pass is 1, a gradient 3. Nothing is shared between shifts."""
        return self.copies(length) * (GRADIENT if self.backward else 1)


def _grad_cam(model: nn.Module, target: int) -> Explain:
    method = LayerGradCam(model, model.trunk)

    def attribute(x: Tensor) -> Tensor:
        found = method.attribute(x, target, relu_attributions=True)[:, :1]
        missing = x.shape[2] - found.shape[2]
        if missing > x.shape[2] // 2:  # the trunk has a stride
            found = nn.functional.interpolate(found, x.shape[2], mode="linear")
        else:  # the filters' widths are missing, half at either end
            found = nn.functional.pad(found, (missing // 2, missing - missing // 2))
        return found.expand_as(x)

    return unseeded(attribute)


def _certain(model: nn.Module, target: int, *, max_shift: int = 5) -> Explain:
    def attribute(x: Tensor) -> Tensor:
        mean, spread = shift_smooth(
            model, x, target=target, max_shift=max_shift, spread=True, device=x.device
        )
        return torch.where(mean.abs() > spread, mean, 0)

    return unseeded(attribute)


def _of(name: str, **parameters: int | float) -> Method:
    return METHODS[name].having(**parameters)


def _times(copies: int) -> Callable[[int], int]:
    return lambda length: copies


GRAD_CAM = Method("grad-cam", "Grad-CAM", _grad_cam, lambda parameters: 1)
CERTAIN = Method(
    "shiftsmooth-certain",
    "ShiftSmooth N={max_shift}, uncertain letters 0",
    _certain,
    lambda parameters: 3,
    {"max_shift": 5},
)

# Tells what strands add from what shifts add.
STRANDS = replace(_of("shiftsmooth-strands", max_shift=0), title_format="Gradient, both strands")

COMPARED: dict[str, Compared] = {
    PLAIN: Compared(_of("gradient"), _times(1)),
    "input-x-gradient": Compared(_of("input-x-gradient"), _times(1)),
    "gradient-strands": Compared(STRANDS, _times(2)),
    # The same for all four bases, so that nothing is left of it after the correction.
    "grad-cam": Compared(GRAD_CAM, _times(1), corrections=NEVER),
    "smoothgrad": Compared(_of("smoothgrad"), _times(10)),
    "random-letters-10": Compared(_of("random-letters", replaced=0.1), _times(10)),
    "random-letters-25": Compared(_of("random-letters", replaced=0.25), _times(10)),
    "integrated-gradients": Compared(_of("integrated-gradients"), _times(8)),
    "expected-gradients": Compared(_of("expected-gradients"), _times(10)),
    "deep-lift-shap": Compared(_of("deep-lift-shap"), _times(8)),
    **{
        f"shiftsmooth-{n}": Compared(_of("shiftsmooth", max_shift=n), _times(2 * n + 1))
        for n in (1, 2, 5, 10)
    },
    "shiftsmooth-strands": Compared(_of("shiftsmooth-strands", max_shift=5), _times(22)),
    "shiftsmooth-certain": Compared(CERTAIN, _times(11), corrections=ALWAYS),
    "shiftsmooth-ig": Compared(_of("shiftsmooth-ig", max_shift=2), _times(40)),
    ISM: Compared(_of("ism"), lambda length: 3 * length + 1, backward=False, corrections=ALWAYS),
}
