"""What is timed: ShiftSmooth, and what else one could do."""

from collections.abc import Callable
from functools import partial

import torch
from captum.attr import DeepLiftShap, IntegratedGradients, NoiseTunnel, Saliency
from torch import Tensor, nn

from shiftsmooth import ShiftSmooth

Run = Callable[[], object]

SHARED, APART = "ShiftSmooth", "ShiftSmooth, share=False"
REFERENCES = 20
STEPS = 8


def gradient(model: nn.Module, x: Tensor) -> Tensor:
    """One plain gradient."""
    x = x.detach().requires_grad_()
    return torch.autograd.grad(model(x).sum(), x)[0]


def black_box(model: nn.Module, x: Tensor, reach: int, chunk: int) -> Tensor:
    """The least that any method pays which only runs the model: chunks of rolled copies."""
    leaf = x.detach().requires_grad_()
    total = torch.zeros_like(x)
    shifts = list(range(-reach, reach + 1))
    for start in range(0, len(shifts), chunk):
        copies = torch.cat([leaf.roll(n, -1) for n in shifts[start : start + chunk]])
        total += torch.autograd.grad(model(copies).sum(), leaf)[0]
    return total / len(shifts)


def fixed(model: nn.Module, x: Tensor, reach: int, chunk: int) -> object:
    """ShiftSmooth without sharing, with a number of shifts at once that the caller chose."""
    smooth = ShiftSmooth(model, share=False)
    return smooth.attribute(x, 0, max_shift=reach, shifts_per_eval=chunk)


def paper_loop(model: nn.Module, x: Tensor, reach: int) -> Tensor:
    """One shift of one sequence after the other, as the paper's authors do it."""
    return torch.cat([shift_loop(model, sequence, reach) for sequence in x.split(1)])


def shift_loop(model: nn.Module, x: Tensor, reach: int) -> Tensor:
    """One shift after the other."""
    shifts = range(-reach, reach + 1)
    return torch.stack([gradient(model, x.roll(n, -1)).roll(-n, -1) for n in shifts]).mean(0)


def strand_loop(model: nn.Module, x: Tensor, reach: int) -> Tensor:
    """One shift of one strand after the other, as Borzoi's scripts do it."""
    other = shift_loop(model, x.flip(-2, -1), reach).flip(-2, -1)
    return (shift_loop(model, x, reach) + other) / 2


def noise_tunnel(model: nn.Module, x: Tensor, reach: int) -> Tensor:
    """SmoothGrad with as many samples as there are shifts."""
    return NoiseTunnel(Saliency(model)).attribute(
        x, target=0, nt_samples=2 * reach + 1, stdevs=0.1, abs=False
    )


def ours(model: nn.Module, x: Tensor, reach: int) -> dict[str, Run]:
    """ShiftSmooth as it is, and without sharing."""
    return {
        label: partial(ShiftSmooth(model, share=share).attribute, x, 0, max_shift=reach)
        for label, share in ((SHARED, "auto"), (APART, False))
    }


def paths(model: nn.Module, x: Tensor, reach: int) -> dict[str, Run]:
    """Integrated Gradients, alone and smoothed."""
    plain = IntegratedGradients(model)
    smooth = ShiftSmooth(plain)
    return {
        "IG": partial(plain.attribute, x, target=0, n_steps=STEPS),
        "ShiftSmooth over IG": partial(smooth.attribute, x, 0, max_shift=reach, n_steps=STEPS),
    }


def field(model: nn.Module, x: Tensor, reach: int) -> dict[str, Run]:
    """Methods of the field beside ShiftSmooth, on one strand and on both."""
    from tangermeme.deep_lift_shap import deep_lift_shap
    from tangermeme.ersatz import dinucleotide_shuffle
    from tangermeme.saliency import saliency
    from tangermeme.saturation_mutagenesis import saturation_mutagenesis

    device = x.device.type
    references = dinucleotide_shuffle(x.cpu(), n=REFERENCES, random_state=0).to(x)
    smooth, both = ShiftSmooth(model), ShiftSmooth(model)
    return {
        "gradient": partial(gradient, model, x),
        "ShiftSmooth": partial(smooth.attribute, x, 0, max_shift=reach),
        "ShiftSmooth, both strands": partial(both.attribute, x, 0, max_shift=reach, strands=2),
        "loop over shifts and strands (Borzoi's way)": partial(strand_loop, model, x, reach),
        "tangermeme saliency": partial(saliency, model, x, device=device),
        "tangermeme deep_lift_shap, 20 references": partial(
            deep_lift_shap, model, x, references=references, device=device, warning_threshold=1e9
        ),
        "Captum DeepLiftShap, 20 references": partial(
            DeepLiftShap(model).attribute, x, references[0], target=0
        ),
        "tangermeme saturation_mutagenesis, fast": partial(
            saturation_mutagenesis, model, x, device=device
        ),
    }
