"""ShiftSmooth: the attribution averaged over small shifts of the input, each shifted back.

    A_hat(x) = 1/(2N+1) * sum_{n=-N..N} roll(A(roll(x, n)), -n)        (Eq. 16, arXiv 2507.09754)

For gradients this is the gradient, at x, of the mean of f over the shifted copies, so the copies
are made inside the autograd graph and one backward pass per chunk of shifts ends in x itself.
"""

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, Literal

import torch
from captum.attr import Attribution, GradientAttribution
from captum.log import log_usage
from torch import Tensor
from torch.nn import Module

from . import _captum
from .batching import Chunks, accumulate
from .call import Offsets, ShiftedCall, Tensors
from .methods import method_step, needs_one_at_a_time
from .sharing import Sharing


class ShiftSmooth(GradientAttribution):
    r"""Averages an attribution over small circular shifts of the input, each shifted back.

    Gradients change when the window moves by a base or two, although biology did not. ShiftSmooth
    asks for the gradient in every window up to `max_shift` away and averages what each position
    gets. The result is the gradient of :math:`F(x) = \frac{1}{2N+1} \sum_n f(\mathrm{roll}(x, n))`.

    It helps where pooling, strides and padding make a model sensitive to where the window begins.
    It changes nothing, and only costs time, on a model that is shift-equivariant already.

    The paper is at https://arxiv.org/abs/2507.09754.
    """

    def __init__(
        self,
        forward_func: Callable[..., Any] | Attribution,
        trunk: Module | Literal["auto"] | None = None,
    ) -> None:
        """
        Args:
            forward_func: The model or any function of the inputs, to smooth its (signed) gradient;
                or another Captum attribution whose result has its input's shape, to smooth that:
                `ShiftSmooth(IntegratedGradients(model))`, `ShiftSmooth(NoiseTunnel(...))`.
            trunk: The shift-equivariant part of the model, a module inside it: what it computes is
                then shared between shifts, and pooling right after it too, so that the time of a
                convolutional model hardly grows with N. "auto" shares whatever can be
                shared where that is faster. The result is the same: the first call with inputs of
                a shape compares both ways on one example, and warns and shares nothing if they
                differ. Plain means of gradients of (B, C, L) inputs are shared; other calls, and
                everything after the first thing that cannot be followed, run once a shift.
        """
        self.attribution_method = forward_func if isinstance(forward_func, Attribution) else None
        if self.attribution_method is None and not callable(forward_func):
            raise TypeError(
                "forward_func must be a model, a callable or a captum Attribution, got "
                f"{type(forward_func).__name__}"
            )
        super().__init__(getattr(forward_func, "forward_func", forward_func))
        if trunk is not None and self.attribution_method is not None:
            raise ValueError("trunk needs ShiftSmooth(model): another Attribution shares nothing")
        self.chunks = Chunks()
        self.sharing = None if trunk is None else Sharing(self.forward_func, trunk)

    @log_usage(part_of_slo=True)
    def attribute(
        self,
        inputs: Tensor | tuple[Tensor, ...],
        target: Any = None,
        additional_forward_args: object = None,
        *,
        max_shift: int = 5,
        shifts: Iterable[int] | None = None,
        dim: Any = -1,
        region: tuple[int, int] | None = None,
        roll_args: Iterable[int] = (),
        edges: str = "circular",
        reduction: str = "mean",
        abs: bool = False,
        shifts_per_eval: int | None = None,
        show_progress: bool = False,
        **kwargs: Any,
    ) -> Any:
        r"""
        Args:
            inputs: A tensor (B, ...), or a tuple of them as `forward_func` takes them. They, their
                `.grad` and `requires_grad`, the model and its hooks are left as they were.
            target: Which output is explained, in any of Captum's forms: None for one output per
                example, an int or a tensor with one int for all examples, a list or a 1-d tensor
                with one each, a tuple for outputs of more dimensions, a list of tuples.
            additional_forward_args: Further arguments of `forward_func`, one or a tuple. A tensor
                whose first dimension is the batch's is repeated for every shifted copy; anything
                else is passed on as it is.
            max_shift: N of the paper: the shifts are -N..N. 0 gives the base method itself. Must be
                below the length of what is rolled.
            shifts: Exactly these shifts instead, in any order, none twice; n moves the sequence n
                positions to the right.
            dim: The sequence dimension. With several inputs an int for all, or a tuple with one
                entry each, None for an input that is not shifted. A tuple for a single tensor (or
                as an entry) shifts along all these dimensions together, by n each.
            region: `(start, stop)`: roll this slice of the sequence only, so that padding, [CLS]
                and [SEP] stay where they are.
            roll_args: Positions in `additional_forward_args` of tensors that are shifted along with
                the sequence: masks, position ids, a control track. Their sequence dimension is the
                one as long as the input's.
            edges: "circular", as in the paper; or "flanks": the inputs carry `max_shift` real
                positions more on each side, the model sees windows that are `2 * max_shift`
                shorter, and each position of the result averages the windows that contain it. A
                position that no window contains gets 0.
            reduction: "mean", as in the paper, "mean_square" or "variance" over shifts, as
                NoiseTunnel's `smoothgrad`, `smoothgrad_sq` and `vargrad`.
            abs: Average the absolute gradients. Only without another attribution inside.
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
        call = ShiftedCall.of(
            inputs,
            target,
            additional_forward_args,
            max_shift=max_shift,
            shifts=shifts,
            dim=dim,
            region=region,
            roll_args=roll_args,
            edges=edges,
            reduction=reduction,
        )
        with_delta = bool(kwargs.get("return_convergence_delta"))
        at_once = 1 if call.one_at_a_time else shifts_per_eval
        method = self.attribution_method
        # The caller may be inside no_grad (NoiseTunnel is) or inference_mode.
        with torch.inference_mode(False), torch.enable_grad():
            if method is not None:
                step = method_step(method, call, abs, kwargs)
                at_once = 1 if needs_one_at_a_time(method, call, kwargs) else at_once
            else:
                step = self._gradient_step(call, abs, kwargs)
                fused = reduction == "mean" and not abs
                if fused and self.sharing is not None and self.sharing.suits(call):
                    step = self.sharing.step(call)
                    at_once = len(call.shifts.offsets) if at_once is None else at_once
            if at_once is None:
                at_once = self.chunks.choose(call, self.forward_func, method)
            totals = accumulate(
                step, call.shifts.offsets, at_once, shifts_per_eval is None, show_progress
            )
        attributions = tuple(
            a.to(x.dtype) if x.is_floating_point() else a
            for a, x in zip(call.reduce(totals, call.dims), call.inputs)
        )
        output = _captum.format_output(call.is_tuple, attributions)
        return (output, totals[-1] / len(call.shifts.offsets)) if with_delta else output

    def _gradient_step(
        self, call: ShiftedCall, abs: bool, kwargs: dict[str, Any]
    ) -> Callable[[Offsets], Tensors]:
        """For a chunk of offsets, the gradients shifted back and summed."""
        if kwargs:
            raise TypeError(
                f"attribute() got unexpected arguments {sorted(kwargs)}: they are passed on to a "
                "smoothed Attribution, and this ShiftSmooth takes the gradient of a model"
            )
        call.require_floating()

        def copy_by_copy(offsets: Offsets) -> Tensors:
            copies = tuple(c.detach().requires_grad_() for c in call.copies(call.inputs, offsets))
            gradients = call.gradient(self.forward_func, copies, copies, offsets)
            if abs:
                gradients = tuple(g.abs() for g in gradients)
            return call.sums(gradients, call.dims, offsets)

        # Only a plain mean of gradients is the gradient of something.
        if abs or call.reduction != "mean":
            return copy_by_copy
        return partial(call.mean_gradient, self.forward_func, call.copies)

    @log_usage(part_of_slo=True)
    def compute_convergence_delta(
        self,
        attributions: Tensor | Tensors,
        start_point: Any,
        end_point: Tensor | Tensors,
        target: Any = None,
        additional_forward_args: object = None,
        *,
        max_shift: int = 5,
        shifts: Iterable[int] | None = None,
        dim: Any = -1,
        region: tuple[int, int] | None = None,
        roll_args: Iterable[int] = (),
    ) -> Tensor:
        """How far attributions are from summing to F(end) - F(start), F the mean over shifts of f.

        Args:
            attributions: What `attribute` gave for `end_point`.
            start_point: The baseline: None, a number, a tensor, or a tuple of them.
            end_point: The inputs.
            target: As for `attribute`.
            additional_forward_args: As for `attribute`.
            max_shift: As for `attribute`, and so the arguments below.
            shifts: See above.
            dim: See above.
            region: See above.
            roll_args: See above.

        Returns:
            One delta per example, shape (B,).
        """
        count = len(end_point) if isinstance(end_point, tuple) else 1
        offsets = None if shifts is None else tuple(shifts)
        rolled = tuple(roll_args)

        def mean_over_shifts(*values: Any) -> Tensor:
            call = ShiftedCall.of(
                values[:count] if isinstance(end_point, tuple) else values[0],
                None,
                values[count:],
                max_shift=max_shift,
                shifts=offsets,
                dim=dim,
                region=region,
                roll_args=rolled,
                edges="circular",
            )
            outputs = [
                _captum.run_forward(
                    self.forward_func, call.copies(call.inputs, (n,)), None, call.copied_args((n,))
                )
                for n in call.shifts.offsets
            ]
            return torch.stack(outputs).mean(0)

        return GradientAttribution(mean_over_shifts).compute_convergence_delta(
            attributions, start_point, end_point, target, additional_forward_args
        )

    def attribute_future(self) -> None:
        """Not implemented, as for NoiseTunnel."""
        raise NotImplementedError("attribute_future is not implemented for ShiftSmooth")

    @property
    def multiplies_by_inputs(self) -> bool:
        """As the smoothed attribution; False for gradients."""
        return self.attribution_method is not None and self.attribution_method.multiplies_by_inputs

    def has_convergence_delta(self) -> bool:
        """As the smoothed attribution; False for gradients."""
        return (
            self.attribution_method is not None and self.attribution_method.has_convergence_delta()
        )
