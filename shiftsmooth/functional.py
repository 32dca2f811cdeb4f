"""ShiftSmooth as one function, with the arguments that genomics pipelines expect."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from functools import partial
from itertools import chain
from typing import Any, Literal, NamedTuple, overload

import torch
from torch import Tensor, nn

from ._captum import progress_bar
from .arguments import Target, check_model
from .attribution import ShiftSmooth
from .quality import explained, of_shifts
from .scanning import Scanner
from .sharing import Share, Sharing

__all__ = ["Scan", "scan", "shift_smooth"]


@overload
def shift_smooth(
    model: Callable[..., Tensor] | Sequence[Callable[..., Tensor]],
    X: Tensor,
    args: Sequence[Tensor] | None = None,
    target: Target = 0,
    *,
    max_shift: int | None = 5,
    batch_size: int = 32,
    hypothetical: bool = False,
    gradient_correction: bool = True,
    strands: int = 1,
    spread: Literal[False] = False,
    quality: Literal[False] = False,
    func: Callable[..., Tensor] | None = None,
    dtype: str | torch.dtype | None = None,
    device: str | torch.device | None = None,
    verbose: bool = False,
) -> Tensor: ...


@overload
def shift_smooth(
    model: Callable[..., Tensor] | Sequence[Callable[..., Tensor]],
    X: Tensor,
    args: Sequence[Tensor] | None = None,
    target: Target = 0,
    *,
    max_shift: int | None = 5,
    batch_size: int = 32,
    hypothetical: bool = False,
    gradient_correction: bool = True,
    strands: int = 1,
    spread: Literal[True],
    quality: Literal[False] = False,
    func: Callable[..., Tensor] | None = None,
    dtype: str | torch.dtype | None = None,
    device: str | torch.device | None = None,
    verbose: bool = False,
) -> tuple[Tensor, Tensor]: ...


@overload
def shift_smooth(
    model: Callable[..., Tensor] | Sequence[Callable[..., Tensor]],
    X: Tensor,
    args: Sequence[Tensor] | None = None,
    target: Target = 0,
    *,
    max_shift: int | None = 5,
    batch_size: int = 32,
    hypothetical: bool = False,
    gradient_correction: bool = True,
    strands: int = 1,
    spread: bool = False,
    quality: Literal[True],
    func: Callable[..., Tensor] | None = None,
    dtype: str | torch.dtype | None = None,
    device: str | torch.device | None = None,
    verbose: bool = False,
) -> tuple[Any, ...]: ...


def shift_smooth(
    model: Callable[..., Tensor] | Sequence[Callable[..., Tensor]],
    X: Tensor,
    args: Sequence[Tensor] | None = None,
    target: Target = 0,
    *,
    max_shift: int | None = 5,
    batch_size: int = 32,
    hypothetical: bool = False,
    gradient_correction: bool = True,
    strands: int = 1,
    spread: bool = False,
    quality: bool = False,
    func: Callable[..., Tensor] | None = None,
    dtype: str | torch.dtype | None = None,
    device: str | torch.device | None = None,
    verbose: bool = False,
) -> Tensor | tuple[Any, ...]:
    """Attribute a model's prediction to the letters of sequences, averaged over small shifts.

    The result is gradient times input, with the gradient averaged over the windows up to
    `max_shift` positions away and shifted back (Eq. 16 of arXiv 2507.09754). The arguments have
    the names of tangermeme's `saliency` and `deep_lift_shap`, so it can replace them:
    `marginalize(model, X, motif, func=shift_smooth)`, and in the same way `ablate`,
    `variant_effect` and `apply_product`.

    Use it for a set of one-hot sequences and one output of a model. Use
    `ShiftSmooth` for several inputs, another sequence dimension, real flanks, or
    to smooth Integrated Gradients or another method instead of the gradient. Do not use it to
    predict the effect of a substitution: the result is a gradient, and in-silico mutagenesis
    measures effects.

    In a one-hot sequence the letters of a position sum to one, so a number that is added to the
    gradient of all letters of a position changes nothing, and training leaves it random. The
    correction (Majdandzic et al., Genome Biology 2023) subtracts it.

    Args:
        model: A module, or a function of X (and `args`), that returns (N, tasks), or a list of
            them, to average. A module is put in eval mode and on `device` for the call, and then
            back as it was; a module on several devices stays where it is.
        X: (N, 4, L) one-hot sequences, of any dtype: int8 saves memory, since only one batch at a
            time is cast and moved to `device`. The alphabet may have any number of letters.
        args: Further inputs of the model, each with N rows. Floating tensors are cast to `dtype`;
            integers and booleans are not, so that indices and masks keep their meaning.
        target: The task to explain; a list or a tensor with one per sequence; a tuple of indices if
            the model's output has more dimensions than (N, tasks), None if it has fewer.
        max_shift: N of the paper, shifts from -N to N; 0 is the plain gradient. None takes 5, or
            less where the sequences are shorter.
        batch_size: Sequences per batch. It changes time and memory, never the result.
        hypothetical: Return the (corrected) gradient itself, with a value for every possible letter
            of a position, as TF-MoDISco takes it; otherwise only that of the letter present.
        gradient_correction: Subtract the mean over the letters at each position.
        strands: 2 averages over both strands; the letters are then A, C, G, T.
        spread: Return the standard deviation over shifts, strands and models too.
        quality: Return a `shiftsmooth.quality.Quality` too: from a sample that takes a tenth of the
            time at most, how far the result can be trusted. Print it.
        func: Applied to the model's output before the target is chosen; must be differentiable.
        dtype: The type to compute in, `torch.bfloat16` or `"bfloat16"`; half precisions run under
            autocast. None takes the model's.
        device: Where to compute; None takes a CUDA device where there is one.
        verbose: Show a progress bar over sequences, and tell what shifts shared.

    Returns:
        (N, 4, L), on the CPU, in `dtype`; with no sequences an empty one. Signed: a negative
        contribution lowers the output. Zero at letters not present, unless `hypothetical`. With
        `spread` the pair (contributions, standard deviations); with
        `quality` that comes last.

    Example:
        >>> import torch
        >>> from shiftsmooth import shift_smooth
        >>> model = torch.nn.Sequential(torch.nn.Conv1d(4, 1, 3), torch.nn.Flatten(),
        ...                             torch.nn.Linear(4, 2))
        >>> X = torch.nn.functional.one_hot(torch.tensor([[0, 1, 2, 3, 3, 0]]), 4).mT.char()
        >>> shift_smooth(model, X, target=1, max_shift=2).shape
        torch.Size([1, 4, 6])
    """
    models: list[Any] = list(model) if isinstance(model, list | tuple) else [model]
    for each in models or [None]:
        check_model("model", each, " or a list of them")
    if not isinstance(X, Tensor):
        raise TypeError(f"X: expected a tensor, got {type(X).__name__}")
    if X.dim() != 3:
        one = ": give one sequence as X[None]" if X.dim() == 2 else ""
        raise ValueError(
            f"X: expected one-hot sequences (N, 4, L), got shape {tuple(X.shape)}{one}"
        )
    if batch_size < 1:
        raise ValueError(f"batch_size: expected 1 or more, got {batch_size}")
    args = _checked_args(args, len(X))
    device = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
    dtype = _checked_dtype(dtype) if dtype else _dtype_of(models[0])

    functions = [each if func is None else partial(_then, func, each) for each in models]
    if spread and gradient_correction:  # before the statistics, which are not linear
        functions = [partial(_corrected, each) for each in functions]
    explainer = ShiftSmooth(functions if len(functions) > 1 else functions[0])
    reduction = "mean_and_std" if spread else "mean"
    result = torch.empty((1 + spread, *X.shape), dtype=dtype)
    bar = progress_bar("ShiftSmooth", len(X), verbose)
    with ExitStack() as stack:
        for context in (*(_ready(m, device) for m in models), _autocast(device, dtype), bar):
            stack.enter_context(context)
        for start in range(0, len(X), batch_size):
            rows = slice(start, start + batch_size)
            x = X[rows].to(device).to(dtype)
            gradient = explainer.attribute(
                x,
                _of_rows(target, rows, len(X)),
                tuple(_batch(arg, rows, device, dtype) for arg in args) or None,
                max_shift=max_shift,
                roll_args=(),
                reduction=reduction,
                strands=strands,
            )
            gradient = gradient if spread else gradient[None]
            if gradient_correction and not spread:
                gradient = gradient - gradient.mean(2, keepdim=True)
            result[:, rows] = gradient if hypothetical else gradient * x
            bar.update(len(x))
    if verbose and explainer.sharing is not None:
        print(f"ShiftSmooth: {explainer.sharing}", file=sys.stderr)
    found = (result[0], result[1]) if spread else result[0]
    if not quality:
        return found

    def contributions(x: Tensor, rows: Tensor) -> Tensor:
        again = shift_smooth(
            model,
            x,
            [arg[rows] for arg in args],
            _of_numbers(target, rows, len(X)),
            max_shift=max_shift,
            batch_size=batch_size,
            gradient_correction=gradient_correction,
            strands=strands,
            func=func,
            dtype=dtype,
            device=device,
        )
        return again.sum(1)

    def predict(x: Tensor, rows: Tensor) -> Tensor:
        given = tuple(_batch(arg[rows], slice(None), device, dtype) for arg in args)
        which = _of_numbers(target, rows, len(X))
        with ExitStack() as stack:
            for context in (*(_ready(m, device) for m in models), _autocast(device, dtype)):
                stack.enter_context(context)
            outputs = [each(x.to(device).to(dtype), *given) for each in functions]
            return torch.stack([explained(out, which) for out in outputs]).mean(0).float().cpu()

    reach = 5 if max_shift is None else max_shift
    return *(found if spread else (found,)), of_shifts(contributions, predict, X, result[0], reach)


def _of_numbers(target: Target, rows: Tensor, count: int) -> Target:
    """The targets of the rows with these numbers."""
    many: Any = _of_rows(target, slice(None), count)
    if isinstance(many, list):
        return [many[row] for row in rows.tolist()]
    return many[rows] if isinstance(many, Tensor) and many.numel() > 1 else many


class Scan(NamedTuple):
    """What a model says of every window along a sequence.

    Attributes:
        predictions: (windows,), the outputs, averaged over strands.
        attributions: (4, L), or None if they were not asked for.
        sharing: Whether the windows shared work, and if not, why not.
    """

    predictions: Tensor
    attributions: Tensor | None
    sharing: Sharing | None


def scan(
    model: Callable[..., Tensor],
    sequence: Tensor,
    target: int | tuple[int, ...] | None = 0,
    *,
    window: int,
    step: int = 1,
    strands: int = 1,
    attributions: bool = True,
    hypothetical: bool = False,
    gradient_correction: bool = True,
    share: Share = "auto",
    dtype: torch.dtype | None = None,
    device: str | torch.device | None = None,
    verbose: bool = False,
) -> Scan:
    """Slide a model's window along a long sequence: a prediction per window, a number per base.

    A base's attribution is averaged over all windows that hold it: the gradient of the sum of the
    windows' outputs, divided by how many windows hold the base, times input. That is what
    ShiftSmooth with real flanks gives where the shifts never end. What the windows have in common
    is computed once, so that a step of 1 can cost little more than a step of many.

    Use it for a chromosome, or any sequence longer than the model's window. Do not use it for a
    model that ought to know the position, such as one that was trained on windows around summits
    and tells their middle from their sides: it is asked about windows with the peak anywhere.

    Args:
        model: A module, or a function, that takes (B, 4, window) and returns (B, tasks). A module
            is put in eval mode and on `device` for the call, and then back as it was.
        sequence: (4, L), one-hot, of any dtype: int8 saves memory, since only a tile at a time is
            cast and moved to `device`.
        target: The task; a tuple of indices if outputs have more dimensions than (B, tasks), None
            if they have fewer.
        window: Positions that the model sees at once, at most L.
        step: Positions from the start of a window to the start of the next.
        strands: 2 averages over both strands; the letters are then A, C, G, T.
        attributions: False gives predictions only, in about half the time.
        hypothetical: Give the (corrected) gradient itself, for every possible letter.
        gradient_correction: Subtract the mean over the letters at each position.
        share: "auto" shares work where that is faster, True wherever it is possible, False nowhere.
        dtype: The type to compute in; None takes the model's.
        device: Where to compute; None takes a CUDA device where there is one.
        verbose: Show a progress bar over windows.

    Returns:
        Predictions, attributions, and what became of sharing. Window k starts at `k * step`. A
        position that no window holds, behind the last, gets 0.

    Example:
        >>> import torch
        >>> from shiftsmooth import scan
        >>> model = torch.nn.Sequential(torch.nn.Conv1d(4, 1, 3), torch.nn.Flatten(),
        ...                             torch.nn.Linear(8, 2))
        >>> sequence = torch.nn.functional.one_hot(torch.arange(50) % 4, 4).mT.char()
        >>> found = scan(model, sequence, window=10)
        >>> found.predictions.shape, found.attributions.shape
        (torch.Size([41]), torch.Size([4, 50]))
    """
    scanner = Scanner(model, target, window=window, step=step, strands=strands, share=share)
    if not isinstance(sequence, Tensor):
        raise TypeError(f"sequence: expected a tensor, got {type(sequence).__name__}")
    if sequence.dim() != 2 or (strands == 2 and sequence.size(0) != 4):
        one = ": give its only row as sequence[0]" if sequence.dim() == 3 else ""
        raise ValueError(
            "sequence: expected one one-hot sequence (4, L), got shape "
            f"{tuple(sequence.shape)}{one}"
        )
    if sequence.size(1) < window:
        raise ValueError(
            f"window: expected at most {sequence.size(1)}, the sequence's length, got {window}"
        )
    device = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
    dtype = _checked_dtype(dtype) if dtype else _dtype_of(model)
    with _ready(model, device):
        predictions, gradient = scanner(
            sequence, differentiate=attributions, dtype=dtype, device=device, verbose=verbose
        )
    if gradient is not None and gradient_correction:
        gradient -= gradient.mean(0, keepdim=True)
    if gradient is not None and not hypothetical:
        gradient *= sequence.to(gradient)
    return Scan(predictions, gradient, scanner.sharing)


def _then(func: Callable[..., Tensor], model: Callable[..., Any], *args: Any) -> Tensor:
    return func(model(*args))


def _corrected(model: Callable[..., Tensor], x: Tensor, *args: Any) -> Tensor:
    """The model's output; its gradient sums to zero over the letters of a position."""
    return model(x - (x - x.detach()).mean(1, keepdim=True), *args)


@contextmanager
def _ready(model: Callable[..., Tensor], device: torch.device) -> Iterator[None]:
    """A module in eval mode and on the device, and afterwards as it was, module by module."""
    if not isinstance(model, nn.Module):
        yield
        return
    modes = [(module, module.training) for module in model.modules()]
    homes = {tensor.device for tensor in chain(model.parameters(), model.buffers())}
    try:
        model.eval()
        if len(homes) == 1:
            model.to(device)
        yield
    finally:
        if len(homes) == 1:
            model.to(homes.pop())
        for module, training in modes:
            module.training = training


def _autocast(device: torch.device, dtype: torch.dtype) -> AbstractContextManager:
    if dtype in (torch.float16, torch.bfloat16):
        return torch.autocast(device.type, dtype)
    return nullcontext()


def _of_rows(target: Target, rows: slice, count: int) -> Target:
    """The targets of a batch: some of a list or tensor of one per sequence, or one for all."""
    if isinstance(target, list) or (isinstance(target, Tensor) and target.numel() > 1):
        if len(target) != count:
            raise ValueError(f"target: expected one per sequence, {count}, got {len(target)}")
        return target[rows]
    return target


def _batch(arg: Tensor, rows: slice, device: torch.device, dtype: torch.dtype) -> Tensor:
    batch = arg[rows].to(device)
    return batch.to(dtype) if batch.is_floating_point() else batch


def _checked_args(args: Sequence[Tensor] | None, rows: int) -> Sequence[Tensor]:
    if args is None:
        return ()
    if not isinstance(args, list | tuple):
        raise TypeError(f"args: expected a list or tuple of tensors, got {type(args).__name__}")
    for i, arg in enumerate(args):
        if not isinstance(arg, Tensor) or arg.dim() == 0 or len(arg) != rows:
            got = tuple(arg.shape) if isinstance(arg, Tensor) else type(arg).__name__
            raise ValueError(f"args[{i}]: expected a tensor with the {rows} rows of X, got {got}")
    return args


def _checked_dtype(dtype: str | torch.dtype) -> torch.dtype:
    found = getattr(torch, dtype, None) if isinstance(dtype, str) else dtype
    if not isinstance(found, torch.dtype) or not found.is_floating_point:
        raise ValueError(f"dtype: expected a floating dtype of torch or its name, got {dtype!r}")
    return found


def _dtype_of(model: Callable[..., Tensor]) -> torch.dtype:
    parameters = model.parameters() if isinstance(model, nn.Module) else iter(())
    return next((p.dtype for p in parameters if p.is_floating_point()), torch.float32)
