"""ShiftSmooth: an attribution averaged over small shifts of the input, each shifted back.

    A_hat(x) = 1/(2N+1) * sum_{n=-N..N} roll(A(roll(x, n)), -n)        (Eq. 16, arXiv 2507.09754)

For gradients this is the gradient, at x, of the mean of f over the shifted copies, so the copies
are made inside the autograd graph and one backward pass per chunk of shifts ends in x itself.
"""

import difflib
import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, Literal, overload

import torch
from captum.attr import Attribution, GradientAttribution
from captum.log import log_usage
from torch import Tensor
from torch.nn import Module, ModuleList

from ._captum import takes
from .arguments import Arguments, Dim, Inputs, Target, Targets, Tensors, check_model
from .chunks import Chunks
from .copies import Copies
from .gradients import Gradients, checked_share
from .paths import attribute_path, is_path
from .reductions import reduction_of
from .sharing import Share, Sharing
from .shifts import Shifts
from .steps import Method, Step, delta_of, on_other_strand
from .warn import warn


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
        forward_func: Callable[..., Any] | Attribution | Sequence[Callable[..., Any]],
        share: Share | None = None,
        *,
        trunk: Module | Literal["auto"] | None = None,
    ) -> None:
        """Set up the attribution of a model.

        Args:
            forward_func: The model or any function of the inputs, to smooth its (signed) gradient;
                a list of models, whose gradients are averaged; or another Captum attribution
                whose result has its input's shape, to smooth that:
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
        several = isinstance(forward_func, list | tuple | ModuleList)
        self._several: tuple[Any, ...] = tuple(forward_func) if several else ()  # type: ignore
        if several and not self._several:
            raise ValueError("forward_func: expected at least one model, got none")
        for i, model in enumerate(self._several):
            check_model(f"forward_func[{i}]", model)
        if not several and self.attribution_method is None:
            check_model("forward_func", forward_func, " or a captum Attribution")
        base = partial(_mean_output, self._several) if several else forward_func
        super().__init__(getattr(base, "forward_func", base))
        if trunk is not None:
            share = _share_of(trunk)
        self.chunks = Chunks()
        self._gradients = Gradients(checked_share(share), self.chunks)

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
        strands: int = 1,
        targets: Targets = None,
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

    @overload
    def attribute(
        self,
        inputs: Inputs,
        target: Target = None,
        additional_forward_args: object = None,
        **kwargs: Any,
    ) -> Any: ...

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
        strands: int = 1,
        targets: Targets = None,
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
            reduction: "mean", as in the paper, "mean_square" or "variance", as NoiseTunnel's
                `smoothgrad`, `smoothgrad_sq` and `vargrad`; "median"; or "mean_and_std", the mean
                and the standard deviation, stacked: (2, B, ...). It is taken over shifts, strands
                and models.
            abs: Average the absolute gradients. None keeps the sign, unlike Captum's Saliency. With
                another attribution inside it is passed on, if that has such an argument.
            strands: 2 averages over both strands of DNA, (B, 4, L) with the letters in the order of
                A, C, G, T: the model sees each window and its reverse complement. The second strand
                costs nothing where the model gives the same for both.
            targets: Several outputs to explain instead of `target`, indices or tuples of indices,
                or "all". The results are stacked, (T, B, ...), and come from one forward pass.
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
        moved = Shifts.of(max_shift, shifts, edges, region)
        call = Arguments.of(
            inputs, target, additional_forward_args, moved, dim, roll_args, shifts_per_eval, strands
        )
        _check_names(kwargs, self.attribution_method)
        # The caller may be inside no_grad (NoiseTunnel is) or inference_mode.
        with torch.inference_mode(False), torch.enable_grad():
            call = self._with_targets(call, targets)
            if self._is_path(call, reduction, abs, kwargs):
                return self._path(call, abs, kwargs)
            reduced = reduction_of(reduction, call.shifts)
            steps = self._steps(call, reduced.linear, abs, kwargs)
            for step in steps:
                self.chunks.run(step, reduced.add, show_progress)
        output = call.formatted(reduced.result(steps[0].dims, len(steps)))
        return (output, delta_of(steps)) if kwargs.get("return_convergence_delta") else output

    @property
    def models(self) -> list[Callable[..., Any]]:
        """The models whose gradients are averaged."""
        return list(self._several or (self.forward_func,))

    @property
    def sharing(self) -> Sharing | None:
        """What became of sharing in the last call; None before the first."""
        return self._gradients.sharing

    def _with_targets(self, call: Arguments, targets: Targets) -> Arguments:
        """`call` with several targets in the place of one."""
        if targets is None:
            return call
        if call.target is not None:
            raise ValueError(f"targets: expected None where target is given, got {targets!r}")
        if targets == "all":
            one = Copies(call.examples([0]), call.shifts.values[:1])
            with torch.no_grad():
                output = one.run(self.models[0], one.inputs())
            if output.dim() != 2:
                raise ValueError(
                    "targets: expected indices, since outputs have shape "
                    f"{tuple(output.shape[1:])} per example, got 'all'"
                )
            targets = tuple(range(output.size(1)))
        if isinstance(targets, str) or not isinstance(targets, Sequence) or not targets:
            raise ValueError(f"targets: expected indices, 'all' or None, got {targets!r}")
        return replace(call, targets=tuple(targets))  # type: ignore[arg-type]

    def _steps(
        self, call: Arguments, linear: bool, abs: bool | None, kwargs: dict[str, Any]
    ) -> list[Step]:
        """What is done with a chunk of shifts, for each strand of each model."""
        method = self.attribution_method
        if method is None:
            call.require_floating()
            return self._gradients.steps(self.models, call, linear, bool(abs))
        self._gradients.not_shared("another attribution is smoothed, not the gradient of a model")
        flips = (None,) if call.strands == 1 else (None, call.flips())
        return [Method(call, method, abs, kwargs, strand) for strand in flips]

    def _is_path(
        self, call: Arguments, reduction: str, abs: bool | None, kwargs: dict[str, Any]
    ) -> bool:
        """Whether the call asks for an attribution of F, by a method that can give it."""
        method = self.attribution_method
        return method is not None and reduction == "mean" and is_path(method, call, abs, kwargs)

    def _path(self, call: Arguments, abs: bool | None, kwargs: dict[str, Any]) -> Any:
        """The attribution of F, and its delta if that was asked for."""
        call.require_floating()
        gradient = partial(self._gradients.mean, self.models)
        found: Tensors = ()
        for target in call.targets or (call.target,):
            one = replace(call, target=target, targets=None)
            found += attribute_path(self.attribution_method, one, gradient, abs, kwargs)
        found = tuple(a.detach() for a in found)
        output = call.formatted(found)
        if not kwargs.get("return_convergence_delta"):
            return output
        return output, self._delta(call, found, kwargs.get("baselines"), call.inputs, call.target)

    def _delta(
        self,
        call: Arguments,
        attributions: Tensor | Tensors,
        start: Any,
        end: Any,
        target: Any,
    ) -> Tensor:
        """How far `attributions` are from summing to F(end) - F(start)."""
        flips = call.flips() if call.strands == 2 else None

        def mean(*values: Any) -> Tensor:
            count = len(call.inputs)
            at = replace(call, inputs=values[:count], args=values[count:], target=None)
            copies = [Copies(at, (n,)) for n in call.shifts.values]
            outputs = [c.run(self.forward_func, c.inputs()) for c in copies]
            if flips is not None:
                other = partial(on_other_strand, self.forward_func, flips)
                outputs += [c.run(other, c.inputs()) for c in copies]
            return torch.stack(outputs).mean(0)

        return GradientAttribution(mean).compute_convergence_delta(
            attributions, start, end, target, call.args or None
        )

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
        moved = Shifts.of(max_shift, shifts, "circular", region)
        call = Arguments.of(end_point, target, additional_forward_args, moved, dim, roll_args)
        return self._delta(call, attributions, start_point, end_point, target)

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
    if not unknown:
        return
    own = inspect.signature(ShiftSmooth.attribute).parameters
    for name in unknown:
        meant = difflib.get_close_matches(name, own, 1)
        if meant:
            raise TypeError(f"{name}: expected a known argument, did you mean {meant[0]}?")
    if method is None:
        raise TypeError(
            f"{unknown[0]}: expected an argument of ShiftSmooth; others are passed on to a "
            "smoothed Attribution, and this ShiftSmooth takes the gradient of a model"
        )


def _mean_output(models: Sequence[Callable[..., Any]], *args: Any) -> Tensor:
    """The mean of the outputs of several models."""
    return torch.stack([model(*args) for model in models]).mean(0)
