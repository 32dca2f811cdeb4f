"""ShiftSmooth: an attribution averaged over small shifts of the input, each shifted back.

    A_hat(x) = 1/(2N+1) * sum_{n=-N..N} roll(A(roll(x, n)), -n)        (Eq. 16, arXiv 2507.09754)

For gradients this is the gradient, at x, of the mean of f over the shifted copies, so the copies
are made inside the autograd graph and one backward pass per chunk of shifts ends in x itself.
"""

import difflib
import inspect
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Literal, overload

import torch
from captum.attr import Attribution, GradientAttribution
from captum.log import log_usage
from torch import Tensor
from torch.nn import Module

from ._captum import takes
from .arguments import Arguments, Dim, Inputs, Target, Tensors, check_model
from .chunks import Chunks
from .copies import Copies
from .reductions import reduction_of
from .sharing import Share, Sharer, Sharing
from .shifts import Shifts
from .steps import EachGradient, Method, Step
from .warn import warn

SHARE: Share = False  # what `share` is when it is not given


class ShiftSmooth(GradientAttribution):
    r"""Averages an attribution over small circular shifts of the input, each shifted back.

    Gradients change when the window moves by one or two positions, although the sequence is the
    same. ShiftSmooth takes the gradient in every window up to `max_shift` positions away, and
    averages what each position of the sequence gets.
    The result is the gradient of :math:`F(x) = \frac{1}{2N+1} \sum_n f(\mathrm{roll}(x, n))`.

    It helps where pooling, strides and padding make the model depend on where the window begins. On
    a shift-equivariant model it changes nothing and only costs time.

    The paper is at https://arxiv.org/abs/2507.09754.
    """

    def __init__(
        self,
        forward_func: Callable[..., Any] | Attribution,
        share: Share | None = None,
        *,
        trunk: Module | Literal["auto"] | None = None,
    ) -> None:
        """
        Args:
            forward_func: The model or any function of the inputs, to smooth its (signed) gradient;
                or another Captum attribution whose result has its input's shape, to smooth that:
                `ShiftSmooth(IntegratedGradients(model))`, `ShiftSmooth(NoiseTunnel(...))`.
            share: Whether shifts share what they have in common: the maps of convolutions, and
                pooling right after them, so that the time of a convolutional model hardly grows
                with N. "auto" shares where that is faster, True wherever it is possible, False
                never. The result is the same: the first call with inputs of a shape compares both
                ways on one example, and warns and shares nothing if they differ. Plain means of
                gradients of (B, C, L) inputs are shared; other calls, and everything after the
                first operation that cannot be followed, run once per shift.
            trunk: Deprecated. "auto" means `share="auto"`, a module means `share=True`. Which
                module it is makes no difference: sharing goes as far as the model allows.
        """
        self.attribution_method = forward_func if isinstance(forward_func, Attribution) else None
        if self.attribution_method is None:
            check_model("forward_func", forward_func, " or a captum Attribution")
        super().__init__(getattr(forward_func, "forward_func", forward_func))
        if trunk is not None:
            share = _share_of(trunk)
        if share not in (True, False, "auto", None):
            raise ValueError(f"share: expected True, False or 'auto', got {share!r}")
        if share and self.attribution_method is not None:
            raise ValueError(f"share: expected False with an Attribution inside, got {share!r}")
        self.chunks = Chunks()
        if share is None:
            share = SHARE if self.attribution_method is None else False
        self._sharer = Sharer(self.forward_func, share, self.chunks)

    @overload
    def attribute(
        self,
        inputs: Inputs,
        target: Target = None,
        additional_forward_args: object = None,
        *,
        max_shift: int | None = None,
        shifts: Iterable[int] | None = None,
        dim: Dim = -1,
        region: tuple[int, int] | None = None,
        roll_args: Iterable[int] | None = None,
        edges: str = "circular",
        reduction: str = "mean",
        abs: bool | None = None,
        shifts_per_eval: int | None = None,
        show_progress: bool = False,
        return_convergence_delta: Literal[False] = False,
        **kwargs: Any,
    ) -> Inputs: ...

    @overload
    def attribute(
        self,
        inputs: Inputs,
        target: Target = None,
        additional_forward_args: object = None,
        *,
        return_convergence_delta: Literal[True],
        **kwargs: Any,
    ) -> tuple[Inputs, Tensor]: ...

    @log_usage(part_of_slo=True)
    def attribute(
        self,
        inputs: Tensor | Tensors,
        target: Target = None,
        additional_forward_args: object = None,
        *,
        max_shift: int | None = None,
        shifts: Iterable[int] | None = None,
        dim: Dim = -1,
        region: tuple[int, int] | None = None,
        roll_args: Iterable[int] | None = None,
        edges: str = "circular",
        reduction: str = "mean",
        abs: bool | None = None,
        shifts_per_eval: int | None = None,
        show_progress: bool = False,
        **kwargs: Any,
    ) -> Any:
        r"""Attribute the output of the model to its inputs, averaged over shifts.

        Args:
            inputs: A tensor (B, ...), or a tuple of them as `forward_func` takes them. They, their
                `.grad` and `requires_grad`, the model and its hooks are left as they were.
            target: The output to explain, in any of Captum's forms: None for one output per
                example, an int or a tensor with one int for all examples, a list or a 1-d tensor
                with one each, a tuple for outputs of more dimensions, a list of tuples.
            additional_forward_args: Further arguments of `forward_func`, one or a tuple. A tensor
                whose first dimension is the batch's is repeated for every shifted copy; anything
                else is passed on as it is.
            max_shift: N of the paper: the shifts are -N..N, and 0 gives the base method itself. It
                must be below the length of what is rolled. None takes 5, or less where that is
                shorter.
            shifts: Exactly these shifts instead, in any order, none twice; n moves the sequence n
                positions to the right.
            dim: The sequence dimension. With several inputs an int for all, or a tuple with one
                entry each, None for an input that is not shifted. A tuple for a single tensor (or
                as an entry) shifts along all these dimensions together, by n each.
            region: `(start, stop)`: roll this slice of the sequence only, so that padding, [CLS]
                and [SEP] stay where they are.
            roll_args: Positions in `additional_forward_args` of tensors that are shifted along with
                the sequence: masks, position ids, a control track. Their sequence dimension is the
                one as long as the input's. With None, a tensor as long as the sequence gets a
                warning that it is not shifted; with () it gets none.
            edges: "circular", as in the paper; or "flanks": the inputs carry `max_shift` real
                positions more on each side, the model sees windows that are `2 * max_shift`
                shorter, and each position of the result averages the windows that contain it. A
                position that no window contains gets 0.
            reduction: "mean", as in the paper, "mean_square" or "variance" over shifts, as
                NoiseTunnel's `smoothgrad`, `smoothgrad_sq` and `vargrad`.
            abs: Average the absolute gradients. None keeps the sign, unlike Captum's Saliency. With
                another attribution inside it is passed on, if that has such an argument.
            shifts_per_eval: How many shifted copies of the batch the model sees at once. None takes
                as many as is fast and fits. The result does not depend on it, the memory does.
            show_progress: Show a bar that counts shifts.
            **kwargs: Passed on to the smoothed attribution. Tensors in `baselines` and
                `feature_mask` are shifted with the input. `return_convergence_delta=True` gives one
                delta per example, measured against the mean of f over the shifted copies.

        Returns:
            The attribution, a tensor shaped like `inputs` and of its type, or a tuple of them if
            `inputs` is one; half precision is summed in float32. With
            `return_convergence_delta=True` the pair (attribution, delta), delta of shape (B,).

        Raises:
            AssertionError: If the target does not fit the output, as everywhere in Captum.
            ValueError, TypeError: If another argument does not fit; the message names it. An empty
                batch is one of these.

        Examples::

            >>> # Sequence model: one-hot (B, 4, L) -> (B, tasks)
            >>> attribution = ShiftSmooth(model).attribute(x, target=0, max_shift=5)
            >>> ig = ShiftSmooth(IntegratedGradients(model))
            >>> attribution, delta = ig.attribute(x, target=0, return_convergence_delta=True)
        """
        call = Arguments.of(
            inputs,
            target,
            additional_forward_args,
            shifts=Shifts.of(max_shift, shifts, edges, region),
            dim=dim,
            roll_args=roll_args,
            shifts_per_eval=shifts_per_eval,
        )
        reduced = reduction_of(reduction, call.shifts)
        # The caller may be inside no_grad (NoiseTunnel is) or inference_mode.
        with torch.inference_mode(False), torch.enable_grad():
            step = self._step(call, reduced.linear, abs, kwargs)
            self.chunks.run(step, reduced.add, show_progress)
        output = call.formatted(reduced.result(call.dims))
        if isinstance(step, Method) and step.delta is not None:
            return output, step.delta.result(((),))[0]
        return output

    def _step(
        self, call: Arguments, linear: bool, abs: bool | None, kwargs: dict[str, Any]
    ) -> Step:
        """What is done with a chunk of this call's shifts."""
        _check_names(kwargs, self.attribution_method)
        if self.attribution_method is not None:
            self._sharer.not_shared("another attribution is smoothed, not the gradient of a model")
            return Method(call, self.attribution_method, abs, kwargs)
        call.require_floating()
        if abs or not linear:  # only a plain mean of gradients is the gradient of something
            self._sharer.not_shared("only a plain mean of signed gradients is shared")
            return EachGradient(call, self.forward_func, bool(abs))
        return self._sharer.step(call)

    @property
    def sharing(self) -> Sharing | None:
        """What became of sharing in the last call; None before the first."""
        return self._sharer.told

    @log_usage(part_of_slo=True)
    def compute_convergence_delta(
        self,
        attributions: Tensor | Tensors,
        start_point: Any,
        end_point: Tensor | Tensors,
        target: Target = None,
        additional_forward_args: object = None,
        *,
        max_shift: int | None = None,
        shifts: Iterable[int] | None = None,
        dim: Dim = -1,
        region: tuple[int, int] | None = None,
        roll_args: Iterable[int] | None = None,
    ) -> Tensor:
        """Measure how far the sum of attributions is from F(end) - F(start).

        F is the mean of the model over shifts.

        Args:
            attributions: What `attribute` gave for `end_point`.
            start_point: The baseline: None, a number, a tensor, or a tuple of them.
            end_point: The inputs.
            target: As for `attribute`.
            additional_forward_args: As for `attribute`.
            max_shift: The largest shift, as for `attribute`.
            shifts: Exactly these shifts, as for `attribute`.
            dim: The sequence dimension, as for `attribute`.
            region: What is rolled, as for `attribute`.
            roll_args: The arguments that are shifted too, as for `attribute`.

        Returns:
            One delta per example, shape (B,).
        """
        count = len(end_point) if isinstance(end_point, tuple) else 1
        plan = Shifts.of(max_shift, shifts, "circular", region)
        rolled = None if roll_args is None else tuple(roll_args)

        def mean_over_shifts(*values: Any) -> Tensor:
            call = Arguments.of(
                values[:count] if isinstance(end_point, tuple) else values[0],
                additional_forward_args=values[count:],
                shifts=plan,
                dim=dim,
                roll_args=rolled,
            )
            copies = [Copies(call, (n,)) for n in call.shifts.values]
            return torch.stack([c.run(self.forward_func, c.inputs()) for c in copies]).mean(0)

        return GradientAttribution(mean_over_shifts).compute_convergence_delta(
            attributions, start_point, end_point, target, additional_forward_args
        )

    def attribute_future(self) -> None:
        """Raise an error: not implemented, as in NoiseTunnel."""
        raise NotImplementedError("attribute_future is not implemented for ShiftSmooth")

    @property
    def multiplies_by_inputs(self) -> bool:
        """Whether the smoothed attribution multiplies by the inputs; False for gradients."""
        return self.attribution_method is not None and self.attribution_method.multiplies_by_inputs

    def has_convergence_delta(self) -> bool:
        """Whether the smoothed attribution has a convergence delta; False for gradients."""
        return (
            self.attribution_method is not None and self.attribution_method.has_convergence_delta()
        )


def _share_of(trunk: Module | Literal["auto"]) -> Share:
    """What `trunk` means for `share`."""
    if trunk != "auto" and not isinstance(trunk, Module):
        raise ValueError(f"trunk: expected a module, 'auto' or None, got {trunk!r}")
    share: Share = "auto" if isinstance(trunk, str) else True
    warn(f"trunk is deprecated: use share={share!r}", DeprecationWarning)
    return share


def _check_names(kwargs: Mapping[str, Any], method: Attribution | None) -> None:
    """Raise a TypeError for arguments that nobody takes, and say which name was meant."""
    unknown = [name for name in kwargs if method is None or not takes(method, name)]
    own = inspect.signature(ShiftSmooth.attribute).parameters
    for name in unknown:
        meant = difflib.get_close_matches(name, own, 1)
        if meant:
            raise TypeError(f"{name}: expected a known argument, did you mean {meant[0]}?")
    if unknown and method is None:
        raise TypeError(
            f"{unknown[0]}: expected an argument of ShiftSmooth; others are passed on to a "
            "smoothed Attribution, and this ShiftSmooth takes the gradient of a model"
        )
