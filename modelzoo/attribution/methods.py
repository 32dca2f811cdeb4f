"""The registry of attribution methods, each one line of Captum, tangermeme or ShiftSmooth.

A method gives each sequence a map (4, L): how much each base, present or not, speaks for a task.
The importance of a position is the map at the base that is there. With the simplex correction
(Majdandzic et al. 2023) the mean over the four bases is subtracted first: on one-hot sequences a
change that adds the same to all four is no change that a sequence can make.

The command line, `modelzoo.attribute` and the studies read the methods, their parameters and the
defaults of those here. To add a method, write a function with `@register`.
"""

from __future__ import annotations

import hashlib
import inspect
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import torch
from captum.attr import IntegratedGradients, NoiseTunnel, Saliency
from torch import Tensor, nn

from modelzoo.architectures.layers import UNKNOWN
from shiftsmooth import ShiftSmooth

MAX_SHIFT = 5
# Standard deviation, on one-hot letters. On validation peaks 0.05 and 0.1 were best, for SmoothGrad
# and for shift and noise together; from 0.2 on, noise costs more than it smooths away.
NOISE = 0.1
SAMPLES = 10  # of the noise
STEPS = 8  # of Integrated Gradients: Gauss-Legendre points from "unknown base" to the sequence
SHUFFLES = 4  # references of DeepLiftShap, each with the sequence's dinucleotides
REPLACED = 0.1  # share of the letters that are drawn anew in a noisy copy
ROWS = 64  # sequences a model sees at once: more than this and a CPU waits for memory

Explain = Callable[[Tensor, int], Tensor]  # from (x, seed) to maps; x and maps are (B, 4, L)


@dataclass(frozen=True)
class Method:
    """An attribution method and the values of its parameters.

    Attributes:
        name: Its name in the registry.
        title_format: Its title, with the names of parameters in braces.
        make: From (model, target, parameters) to a function of (x, seed) that gives maps.
        cost: From the parameters to about how many model evaluations a sequence takes.
        parameters: Their values by name.
        finish: Applied to the (corrected) maps and x.
        at_once: How many sequences one call is given; by default as many as fill a batch with
            their copies.
        baseline: Where corrected contributions sum to the output's difference from a baseline:
            what the baseline has everywhere.
    """

    name: str
    title_format: str
    make: Callable[..., Explain]
    cost: Callable[[Mapping[str, Any]], int]
    parameters: Mapping[str, Any] = field(default_factory=dict)
    finish: Callable[[Tensor, Tensor], Tensor] = lambda maps, x: maps
    at_once: int | None = None
    baseline: float | None = None

    @property
    def title(self) -> str:
        """Name in tables and figures."""
        return self.title_format.format_map(self.parameters)

    @property
    def copies(self) -> int:
        """About how many model evaluations a sequence takes."""
        return self.cost(self.parameters)

    @property
    def rows(self) -> int:
        """How many sequences one call is given."""
        return self.at_once or max(1, ROWS // self.copies)

    def having(self, **parameters: Any) -> Method:
        """Return the method with other values of some parameters.

        Example:
            >>> METHODS["shiftsmooth"].having(max_shift=2).title
            'ShiftSmooth N=2'
        """
        unknown = [name for name in parameters if name not in self.parameters]
        if unknown:
            known = ", ".join(self.parameters) or "none"
            raise ValueError(f"parameters of {self.name}: expected {known}, got {unknown[0]}")
        return replace(self, parameters={**self.parameters, **parameters})

    def on(self, model: nn.Module, target: int = 0) -> Explain:
        """Return the function of (x, seed) that gives the maps of a model's task."""
        return self.make(model, target, **self.parameters)

    def __reduce__(self) -> Any:
        # Functions cannot travel to another process, but their name in the registry can.
        return _registered, (self.name, dict(self.parameters))


METHODS: dict[str, Method] = {}


def _registered(name: str, parameters: dict[str, Any]) -> Method:
    return METHODS[name].having(**parameters)


def register(
    name: str,
    title: str,
    *,
    copies: Callable[[Mapping[str, Any]], int] = lambda parameters: 1,
    finish: Callable[[Tensor, Tensor], Tensor] = lambda maps, x: maps,
    at_once: int | None = None,
    baseline: float | None = None,
) -> Callable[[Callable[..., Explain]], Callable[..., Explain]]:
    """Return a decorator that puts a method into `METHODS`.

    Args:
        name: Its name there.
        title: See `Method.title_format`.
        copies: See `Method.cost`.
        finish: See `Method`.
        at_once: See `Method`.
        baseline: See `Method`.
    """

    def decorate(make: Callable[..., Explain]) -> Callable[..., Explain]:
        declared = inspect.signature(make).parameters.values()
        defaults = {p.name: p.default for p in declared if p.kind is p.KEYWORD_ONLY}
        METHODS[name] = Method(name, title, make, copies, defaults, finish, at_once, baseline)
        return make

    return decorate


@register("input-x-gradient", "Input x gradient", finish=lambda maps, x: maps * x)
@register("saliency", "Saliency", finish=lambda maps, x: maps.abs())
@register("gradient", "Gradient")  # the first in the registry
def _gradient(model: nn.Module, target: int) -> Explain:
    return unseeded(partial(Saliency(model).attribute, target=target, abs=False))


@register("smoothgrad", "SmoothGrad", copies=lambda p: p["samples"])
def _smoothgrad(
    model: nn.Module, target: int, *, samples: int = SAMPLES, noise: float = NOISE
) -> Explain:
    method = NoiseTunnel(Saliency(model))
    options = {"nt_samples": samples, "stdevs": noise}
    return _seeded(partial(method.attribute, target=target, abs=False, **options))


@register(
    "random-letters",
    "SmoothGrad, {replaced:.0%} of letters replaced",
    copies=lambda p: p["samples"],
)
def _random_letters(
    model: nn.Module, target: int, *, samples: int = SAMPLES, replaced: float = REPLACED
) -> Explain:
    gradient = partial(Saliency(model).attribute, target=target, abs=False)

    def attribute(x: Tensor) -> Tensor:
        copies = x.repeat_interleave(samples, 0)
        letters = torch.randint(4, copies[:, 0].shape, device=x.device)
        drawn = torch.rand(copies[:, :1].shape, device=x.device) < replaced
        fresh = nn.functional.one_hot(letters, 4).mT.to(x.dtype)
        return gradient(torch.where(drawn, fresh, copies)).unflatten(0, (-1, samples)).mean(1)

    return _seeded(attribute)


@register("expected-gradients", "Expected gradients", copies=lambda p: p["samples"])
def _expected_gradients(model: nn.Module, target: int, *, samples: int = SAMPLES) -> Explain:
    from tangermeme.ersatz import dinucleotide_shuffle

    gradient = partial(Saliency(model).attribute, target=target, abs=False)

    def explain(x: Tensor, seed: int) -> Tensor:
        letters = (x == 1).to(torch.int8).cpu()
        shuffles = dinucleotide_shuffle(letters, n=samples, random_state=seed, allow_N=True)
        shuffles = shuffles.to(x).flatten(0, 1)
        drawn = torch.rand(len(shuffles), 1, 1, generator=torch.Generator().manual_seed(seed))
        between = torch.lerp(shuffles, x.repeat_interleave(samples, 0), drawn.to(x))
        return gradient(between).unflatten(0, (-1, samples)).mean(1)

    return explain


@register(
    "integrated-gradients",
    "Integrated Gradients",
    copies=lambda p: p["steps"],
    baseline=UNKNOWN,
)
def _integrated(model: nn.Module, target: int, *, steps: int = STEPS) -> Explain:
    method = IntegratedGradients(model, multiply_by_inputs=False)
    return unseeded(partial(method.attribute, target=target, baselines=UNKNOWN, n_steps=steps))


@register("deep-lift-shap", "DeepLiftShap", copies=lambda p: 2 * p["shuffles"])
def _deep_lift_shap(model: nn.Module, target: int, *, shuffles: int = SHUFFLES) -> Explain:
    from tangermeme.deep_lift_shap import deep_lift_shap

    options = {"n_shuffles": shuffles, "batch_size": ROWS // 2, "hypothetical": True}

    def explain(x: Tensor, seed: int) -> Tensor:
        with warnings.catch_warnings():
            # It has no rule for pooling over positions and strands, takes the gradient, and warns.
            warnings.simplefilter("ignore")
            return deep_lift_shap(
                model, x, target=target, random_state=seed, device=x.device, **options
            )

    return explain


@register("ism", "In-silico mutagenesis", copies=lambda p: 35, at_once=200)
def _mutagenesis(model: nn.Module, target: int) -> Explain:
    from tangermeme.saturation_mutagenesis import saturation_mutagenesis

    # `fast=True` decides by a stopwatch what it recomputes, so that its rounding depends on the
    # machine; for models of this size it saves a third of the time at most.
    options = {"hypothetical": True, "batch_size": 2 * ROWS, "fast": False}

    def explain(x: Tensor, seed: int) -> Tensor:
        return saturation_mutagenesis(model, x, target=target, device=x.device, **options)

    return explain


@register("shiftsmooth", "ShiftSmooth N={max_shift}", copies=lambda p: 3)
def _shiftsmooth(model: nn.Module, target: int, *, max_shift: int = MAX_SHIFT) -> Explain:
    return unseeded(partial(ShiftSmooth(model).attribute, target=target, max_shift=max_shift))


@register("shiftsmooth-strands", "ShiftSmooth N={max_shift}, both strands", copies=lambda p: 6)
def _shiftsmooth_strands(model: nn.Module, target: int, *, max_shift: int = MAX_SHIFT) -> Explain:
    options = {"max_shift": max_shift, "strands": 2}
    return unseeded(partial(ShiftSmooth(model).attribute, target=target, **options))


@register(
    "shiftsmooth-ig",
    "ShiftSmooth N={max_shift} over IG",
    copies=lambda p: (2 * p["max_shift"] + 1) * p["steps"],
    baseline=UNKNOWN,
)
def _shiftsmooth_integrated(
    model: nn.Module, target: int, *, max_shift: int = MAX_SHIFT, steps: int = STEPS
) -> Explain:
    method = ShiftSmooth(IntegratedGradients(model, multiply_by_inputs=False))
    options = {"baselines": UNKNOWN, "n_steps": steps}
    return unseeded(partial(method.attribute, target=target, max_shift=max_shift, **options))


@register(
    "shift-and-noise", "NoiseTunnel over ShiftSmooth N={max_shift}",
    copies=lambda p: 3 * p["samples"],
)  # fmt: skip
def _shift_and_noise(
    model: nn.Module,
    target: int,
    *,
    max_shift: int = MAX_SHIFT,
    samples: int = SAMPLES,
    noise: float = NOISE,
) -> Explain:
    method = NoiseTunnel(ShiftSmooth(model))
    options = {"nt_samples": samples, "stdevs": noise}
    return _seeded(partial(method.attribute, target=target, max_shift=max_shift, **options))


def unseeded(attribute: Callable[[Tensor], Tensor]) -> Explain:
    """Return a function of x as one of (x, seed)."""
    return lambda x, seed: attribute(x)


def _seeded(attribute: Callable[[Tensor], Tensor]) -> Explain:
    """Seed what Captum's NoiseTunnel draws, which comes from the global generator."""

    def explain(x: Tensor, seed: int) -> Tensor:
        with torch.random.fork_rng(devices=[x.device] if x.is_cuda else []):
            torch.manual_seed(seed)
            return attribute(x)

    return explain


def maps(
    model: nn.Module,
    x: Tensor,
    method: Method,
    *,
    target: int = 0,
    corrected: bool = True,
    seed: int = 0,
) -> Tensor:
    """Return the maps of a method.

    Args:
        model: In eval mode.
        x: One-hot sequences, on the model's device. Shape (B, 4, L).
        method: One of `METHODS`, or such a one `having` other parameters.
        target: The task to explain.
        corrected: Subtract the mean over the four bases.
        seed: Of noise and shuffles.

    Returns:
        Shape (B, 4, L), on the device of `x`.
    """
    raw = raw_maps(method.on(model, target), x, method.rows, seed)
    return finished(method, raw, x, corrected)


def importance(maps: Tensor, x: Tensor) -> Tensor:
    """Return a map at the bases present.

    Args:
        maps: Shape (B, 4, L).
        x: One-hot sequences, same shape.

    Returns:
        Shape (B, L).
    """
    return (maps * x).sum(1)


def simplex_corrected(maps: Tensor) -> Tensor:
    """Return maps (B, 4, L) less their mean over the four bases."""
    return maps - maps.mean(1, keepdim=True)


def raw_maps(explain: Explain, x: Tensor, rows: int, seed: int) -> Tensor:
    """Return maps before the correction, so many sequences at a time. Shape (B, 4, L)."""
    parts = []
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Input Tensor 0 did not already require")
        for part in x.split(rows):
            # What is drawn depends on what is explained: one noise for all windows of a sequence
            # would look like stability.
            digest = hashlib.sha256(part.cpu().numpy().tobytes()).digest()
            drawn = (int.from_bytes(digest[:6], "little") + seed) % 2**31
            parts.append(explain(part.clone(), drawn).detach())
    return torch.cat(parts)


def finished(method: Method, raw: Tensor, x: Tensor, corrected: bool) -> Tensor:
    """Return raw maps as they are compared, corrected or not. Shape (B, 4, L)."""
    return method.finish(simplex_corrected(raw) if corrected else raw, x)
