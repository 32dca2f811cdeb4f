"""The attribution methods that are compared, each one line of Captum, tangermeme or ShiftSmooth.

A method gives each sequence a map (4, L): how much each base, present or not, speaks for the first
task. The importance of a position is the map at the base that is there. With the simplex correction
(Majdandzic et al. 2023) the mean over the four bases is subtracted first: on one-hot sequences a
change that adds the same to all four is no change that a sequence can make.
"""

from __future__ import annotations

import hashlib
import math
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from unittest.mock import patch

import torch
from captum.attr import IntegratedGradients, NoiseTunnel, Saliency
from torch import Tensor, nn

from modelzoo.architectures.layers import UNKNOWN
from shiftsmooth import ShiftSmooth

MAX_SHIFTS = (1, 2, 5, 10)
# Standard deviation, on one-hot letters. On validation peaks 0.05 and 0.1 were best, for SmoothGrad
# and for shift and noise together; from 0.2 on, noise costs more than it smooths away.
NOISE = 0.1
SAMPLES = 10  # of the noise
STEPS = 8  # of Integrated Gradients: Gauss-Legendre points from "unknown base" to the sequence
SHUFFLES = 4  # references of DeepLiftShap, each with the sequence's dinucleotides
ROWS = 64  # sequences a model sees at once: more than this and a CPU waits for memory
ISM = "ism"
_WORTH_CAPTURING = 50  # sequences whose mutagenesis takes longer than to capture a model

Explain = Callable[[Tensor, int], Tensor]


@dataclass(frozen=True)
class Method:
    """A way to attribute.

    Attributes:
        title: Name in tables and figures.
        on: From a model to a function of (x, seed) that gives maps; x and maps have the shape
            (B, 4, L).
        copies: About how many model evaluations a sequence costs; orders the work.
        rows: How many sequences a call is given; those whose copies fill a batch, by default.
        finish: Applied to the (corrected) maps and x.
    """

    title: str
    on: Callable[[nn.Module], Explain]
    copies: int
    finish: Callable[[Tensor, Tensor], Tensor] = lambda maps, x: maps
    rows: int = 0

    def __post_init__(self) -> None:
        object.__setattr__(self, "rows", self.rows or max(1, ROWS // self.copies))


def _gradient(model: nn.Module) -> Explain:
    return unseeded(partial(Saliency(model).attribute, target=0, abs=False))


def _smoothgrad(model: nn.Module) -> Explain:
    method = NoiseTunnel(Saliency(model))
    return _seeded(partial(method.attribute, target=0, abs=False, nt_samples=SAMPLES, stdevs=NOISE))


def _integrated(model: nn.Module) -> Explain:
    method = IntegratedGradients(model, multiply_by_inputs=False)
    return unseeded(partial(method.attribute, target=0, baselines=UNKNOWN, n_steps=STEPS))


def _deep_lift_shap(model: nn.Module) -> Explain:
    from tangermeme.deep_lift_shap import deep_lift_shap

    options = {"n_shuffles": SHUFFLES, "batch_size": ROWS // 2, "device": "cpu"}

    def explain(x: Tensor, seed: int) -> Tensor:
        with warnings.catch_warnings():
            # It has no rule for pooling over positions and strands, takes the gradient, and warns.
            warnings.simplefilter("ignore")
            return deep_lift_shap(model, x, hypothetical=True, random_state=seed, **options)

    return explain


def _mutagenesis(model: nn.Module) -> Explain:
    from tangermeme import saturation_mutagenesis as tangermeme

    # Whether it recomputes only what a mutation changes is decided by a stopwatch. Here the number
    # of sequences decides, so that a run does not depend on the machine's mood.
    def explain(x: Tensor, seed: int) -> Tensor:
        with patch.multiple(tangermeme, _FAST_MIN_SECONDS=0.0, _FAST_MAX_RELATIVE_TIME=math.inf):
            return tangermeme.saturation_mutagenesis(
                model,
                x,
                target=0,
                hypothetical=True,
                batch_size=2 * ROWS,
                device="cpu",
                fast=len(x) >= _WORTH_CAPTURING,
            )

    return explain


def _shiftsmooth(max_shift: int, model: nn.Module) -> Explain:
    # Told what to share between shifts, it does not decide by a stopwatch either.
    method = ShiftSmooth(model, trunk=getattr(model, "trunk", None))
    return unseeded(partial(method.attribute, target=0, max_shift=max_shift))


def _shiftsmooth_integrated(model: nn.Module) -> Explain:
    method = ShiftSmooth(IntegratedGradients(model, multiply_by_inputs=False))
    options = {"baselines": UNKNOWN, "n_steps": STEPS}
    return unseeded(partial(method.attribute, target=0, max_shift=2, **options))


def _shift_and_noise(model: nn.Module) -> Explain:
    method = NoiseTunnel(ShiftSmooth(model, trunk=getattr(model, "trunk", None)))
    return _seeded(
        partial(method.attribute, target=0, max_shift=5, nt_samples=SAMPLES, stdevs=NOISE)
    )


def unseeded(attribute: Callable[[Tensor], Tensor]) -> Explain:
    """A function of x alone as one of (x, seed)."""
    return lambda x, seed: attribute(x)


def _seeded(attribute: Callable[[Tensor], Tensor]) -> Explain:
    """Seeded: Captum's NoiseTunnel draws from the global generator."""

    def explain(x: Tensor, seed: int) -> Tensor:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            return attribute(x)

    return explain


METHODS: dict[str, Method] = {
    "gradient": Method("Gradient", _gradient, 1),
    "saliency": Method("Saliency", _gradient, 1, lambda maps, x: maps.abs()),
    "input-x-gradient": Method("Input x gradient", _gradient, 1, lambda maps, x: maps * x),
    "smoothgrad": Method("SmoothGrad", _smoothgrad, SAMPLES),
    "integrated-gradients": Method("Integrated Gradients", _integrated, STEPS),
    "deep-lift-shap": Method("DeepLiftShap", _deep_lift_shap, 2 * SHUFFLES),
    ISM: Method("In-silico mutagenesis", _mutagenesis, 35, rows=200),
    **{
        f"shiftsmooth-{n}": Method(f"ShiftSmooth N={n}", partial(_shiftsmooth, n), 3)
        for n in MAX_SHIFTS
    },
    "shiftsmooth-ig": Method("ShiftSmooth N=2 over IG", _shiftsmooth_integrated, 5 * STEPS),
    "shift-and-noise": Method("NoiseTunnel over ShiftSmooth N=5", _shift_and_noise, 3 * SAMPLES),
}


def maps(
    model: nn.Module, x: Tensor, method: str, *, corrected: bool = True, seed: int = 0
) -> Tensor:
    """The maps of a method.

    Args:
        model: In eval mode; its first task is explained.
        x: One-hot sequences. Shape (B, 4, L).
        method: A key of `METHODS`.
        corrected: Subtract the mean over the four bases.
        seed: Of noise and shuffles.

    Returns:
        Shape (B, 4, L).
    """
    return Explainer(model, METHODS[method], seed).maps(x, corrected)


def importance(maps: Tensor, x: Tensor) -> Tensor:
    """A map at the bases present.

    Args:
        maps: Shape (B, 4, L).
        x: One-hot sequences, same shape.

    Returns:
        Shape (B, L).
    """
    return (maps * x).sum(1)


def raw_maps(explain: Explain, x: Tensor, rows: int, seed: int) -> Tensor:
    """Maps before the correction, a few sequences at a time. Shape (B, 4, L)."""
    parts = []
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Input Tensor 0 did not already require")
        for part in x.split(rows):
            # What is drawn depends on what is explained: one noise for all windows of a sequence
            # would look like stability.
            digest = hashlib.sha256(part.numpy().tobytes()).digest()
            drawn = (int.from_bytes(digest[:6], "little") + seed) % 2**31
            parts.append(explain(part.clone(), drawn).detach())
    return torch.cat(parts)


def finished(method: Method, raw: Tensor, x: Tensor, corrected: bool) -> Tensor:
    """Maps as they are compared, corrected or not. Shape (B, 4, L)."""
    return method.finish(raw - raw.mean(1, keepdim=True) if corrected else raw, x)


class Explainer:
    """A method on a model, which remembers the maps of what it has explained.

    Maps with and without the correction are one computation.
    """

    def __init__(self, model: nn.Module, method: Method, seed: int) -> None:
        self.method, self.seed = method, seed
        self._explain = method.on(model)
        self._known: dict[bytes, Tensor] = {}

    def maps(self, x: Tensor, corrected: bool) -> Tensor:
        """The maps of one-hot sequences. Shape (B, 4, L), as that of `x`."""
        digest = hashlib.sha256(x.numpy().tobytes()).digest()
        if digest not in self._known:
            self._known[digest] = raw_maps(self._explain, x, self.method.rows, self.seed)
        return finished(self.method, self._known[digest], x, corrected)

    def importance(self, corrected: bool) -> Callable[[Tensor], Tensor]:
        """A function of one-hot sequences that gives the importance of every position."""
        return lambda x: importance(self.maps(x.contiguous(), corrected), x)
