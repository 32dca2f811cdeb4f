"""Whether the shifts of a call share work: can they, is the result right, and is it faster?"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Literal

import torch
from torch import Tensor
from torch.nn import Module
from torch.utils._pytree import tree_map

from .. import _torch
from ..arguments import Arguments, Tensors
from ..chunks import CPU_BYTES, Chunks, first, over
from ..copies import Chunk, Copies, sum_type
from ..steps import Step, SummedGradient
from ..warn import warn
from . import refusals
from .costs import Cost, Counter, TooMany
from .follow import Following
from .windows import NotShareable, Windows

Share = bool | Literal["auto"]

# Counting is not exact: share where it promises at least this part of the time less. All models of
# benchmarks/costs.py and third_party.py that it takes are faster shared; some of the others too.
MARGIN = 0.25
# With more calls than these, counting them takes longer than sharing could ever save.
MOST_CALLS = 5000
# Bytes that a shared run may keep on a CPU: as for the black box, with what is shared beside it.
SHARED_BYTES = 2 * CPU_BYTES


@dataclass(frozen=True)
class Sharing:
    """What became of sharing in a call.

    Attributes:
        shared: Whether the shifts shared work.
        saved: The part of the multiplications that sharing saves; 0 where nothing is shared.
        ended_by: The first function that runs once per shift, or None if there is none.
        ended_in: The module that calls it, by its name in the model.
        reason: Why nothing is shared, or None.
    """

    shared: bool
    saved: float = 0.0
    ended_by: str | None = None
    ended_in: str | None = None
    reason: str | None = None

    def __str__(self) -> str:
        if not self.shared:
            return f"nothing is shared between shifts: {self.reason}"
        until = f" up to `{self.ended_by}`" if self.ended_by else ""
        where = f" in module '{self.ended_in}'" if self.ended_in else ""
        return f"shifts share {self.saved:.0%} of the multiplications{until}{where}"


@dataclass(frozen=True)
class _Plan:
    """What was decided for calls of a shape.

    Attributes:
        told: What the caller is told.
        at_once: How many shifts share one run.
        final: Whether it holds for later calls too.
    """

    told: Sharing
    at_once: int = 1
    final: bool = True


class Sharer:
    """Decides for each call of a model whether its shifts share work, and lets them.

    Attributes:
        told: What became of the last call, or None before the first.
        margin: The part of the time that sharing must promise to save.
    """

    margin = MARGIN

    def __init__(self, forward_func: Callable[..., Any], share: Share, chunks: Chunks) -> None:
        """Set up for a model.

        Args:
            forward_func: The model.
            share: True to share wherever that is possible, "auto" where it is also faster, False.
            chunks: How many shifts run at once without sharing.
        """
        if share not in (True, False, "auto"):
            raise ValueError(f"share: expected True, False or 'auto', got {share!r}")
        self.forward_func, self.share, self.chunks = forward_func, share, chunks
        self.told: Sharing | None = None
        self._plans: dict[Any, _Plan] = {}
        self._checked: set[Any] = set()
        self._warned = False
        self._modules: dict[Module, str] = {}
        self._apart_in: set[str] = set()

    def step(self, call: Arguments) -> Step:
        """The gradients of a call, shifted back and summed: shared or once per shift."""
        plan = self._plan(call)
        self.told = plan.told
        if not plan.told.shared:
            return SummedGradient(call, self.forward_func)
        return SharedGradient(call, self, plan.at_once)

    def outputs(self, call: Arguments, forward_func: Callable[..., Any]) -> list[Tensor] | None:
        """What a model gives for all copies of a call, (S * B, ...), chunk after chunk.

        The outputs can be differentiated, with respect to the inputs too.

        Args:
            call: The call.
            forward_func: A model that does the same as the one that this decides about, and may
                give more outputs per row.

        Returns:
            The outputs, or None if the call does not share.
        """
        differentiable = torch.is_grad_enabled()
        shifts, found = call.shifts.values, []
        try:
            with torch.inference_mode(False), torch.enable_grad():
                plan = self._plan(call)
                self.told = plan.told
                if not plan.told.shared:
                    return None
                for start in range(0, len(shifts), plan.at_once):
                    copies = Copies(call, shifts[start : start + plan.at_once])
                    run = self.following(call)
                    output = followed(run, forward_func, copies, Copies.run, call.inputs)
                    found.append(output if differentiable else output.detach())
        except torch.OutOfMemoryError:
            raise
        except Exception as error:
            self.failed(call, error)
            return None
        return found

    def failed(self, call: Arguments, error: Exception) -> None:
        """Notes that a shared run of a call failed: calls of its shape do not share any more."""
        plan = self._refused(call, error)
        if plan.final:
            self._plans[_key(call)] = plan
        self.told = plan.told

    def _plan(self, call: Arguments) -> _Plan:
        if self.share is False:
            return _Plan(Sharing(False, reason="`share=False`"))
        self._modules = modules = refusals.modules_of(self.forward_func)
        norm = refusals.trained_norm(modules)
        if norm is not None:
            reason = f"batch norm '{norm}' is in training mode; call eval() on the model"
            warn(f"{reason}: its results depend on shifts_per_eval and its statistics change")
            return _Plan(Sharing(False, reason=reason))
        refused = refusals.of_call(call) or refusals.of_model(modules, self.forward_func)
        if refused is not None:
            return _Plan(Sharing(False, reason=refused))
        key = _key(call)
        if key not in self._plans:
            device = call.inputs[0].device
            with torch.random.fork_rng([device] if device.type == "cuda" else []):
                plan = self._tried(call)
            if not plan.final:
                return plan
            self._plans[key] = plan
        return self._plans[key]

    def _tried(self, call: Arguments) -> _Plan:
        shifts = call.shifts.values
        at_once = call.shifts_per_eval or len(shifts)
        decide = partial(self._decide, call)
        try:
            return first(decide, shifts, at_once, halve=call.shifts_per_eval is None)[0]
        except torch.OutOfMemoryError:
            reason = "memory ran out when sharing was tried on one example"
            return _Plan(Sharing(False, reason=reason), final=False)
        except TooMany:
            reason = "the model makes thousands of small calls, which sharing does not make fewer"
            return _Plan(Sharing(False, reason=reason))
        except Exception as error:
            return self._refused(call, error)

    def _decide(self, call: Arguments, shifts: Chunk) -> _Plan:
        """The plan, tried with `shifts`, as many as may run at once."""
        count, one = len(call.shifts.values), call.examples([0])
        run, at_once, cost = self._sized(call, one, shifts)
        ended: tuple[str | None, str | None] = run.ended[0] if run.ended else (None, None)
        if not run.followed:
            reason = f"`{ended[0]}`, the first function, cannot be followed"
            return _Plan(Sharing(False, 0.0, *ended, reason))
        shared = cost.times(call.batch, count / at_once)
        apart = self._apart(call, one)
        saved = 1 - shared.operations / apart.operations if apart.operations else 0.0
        device = call.inputs[0].device
        faster = shared.seconds(device) < (1 - self.margin) * apart.seconds(device)
        if self.share == "auto" and not faster:
            until = f" up to `{ended[0]}`" if ended[0] else ""
            reason = f"that would save {saved:.0%} of the multiplications{until} and not be faster"
            return _Plan(Sharing(False, 0.0, *ended, reason))
        signature = (tuple(run.followed), tuple(run.ended), call.inputs[0].dtype)
        if signature not in self._checked:
            if not self._check(call, at_once):
                reason = "outputs do not depend on these inputs, so that nothing can be checked"
                return _Plan(Sharing(False, reason=reason), final=False)
            self._checked.add(signature)
        return _Plan(Sharing(True, saved, *ended), at_once)

    def _sized(self, call: Arguments, one: Arguments, shifts: Chunk) -> tuple[Following, int, Cost]:
        """A shared run of one example, how many shifts to run at once, and what that costs."""
        run, cost = self._counted(one, shifts)
        if call.shifts_per_eval is not None or not run.followed:
            return run, len(shifts), cost
        return run, *self._fitting(call, one, shifts, cost)

    def _counted(self, one: Arguments, shifts: Chunk) -> tuple[Following, Cost]:
        """A shared run of one example, and its cost."""
        run = self.following(one)
        try:
            with Counter(MOST_CALLS if self.share == "auto" else float("inf")) as counter:
                shared_gradient(run, self.forward_func, Copies(one, shifts))
        except NotShareable:
            if not run.refused_in or run.refused_in in self._apart_in:
                raise
            # Once more, with sharing ended before that module does what is refused.
            self._apart_in.add(run.refused_in)
            return self._counted(one, shifts)
        return run, counter.cost

    def _apart(self, call: Arguments, one: Arguments) -> Cost:
        """The cost of the call where nothing is shared.

        The calls that make copies are left out: what Python does for each function that is followed
        takes longer, and is not counted either.
        """
        count = len(call.shifts.values)
        with Counter() as counter:
            Copies(one, call.shifts.values[:1]).summed_gradient(self.forward_func)
        at_once = self.chunks.size(SummedGradient(call, self.forward_func))
        return counter.cost.times(call.batch * at_once, count / at_once)

    def _fitting(
        self, call: Arguments, one: Arguments, shifts: Chunk, cost: Cost
    ) -> tuple[int, Cost]:
        """How many shifts to run at once so that a CPU's memory does not grow with N, and the cost.

        Args:
            call: The call.
            one: The same for one example.
            shifts: As many as may run at once.
            cost: The cost of all these at once, for one example.
        """
        count = len(shifts)
        fits = cost.kept * call.batch <= SHARED_BYTES
        if call.inputs[0].device.type != "cpu" or fits or count == 2:
            return count, cost
        _, two = self._counted(one, shifts[:2])
        each = (cost.kept - two.kept) / (count - 2)
        # What two shifts keep is kept in any case: on long sequences as much again is allowed.
        room = max(SHARED_BYTES / call.batch - two.kept, two.kept) / max(each, 1)
        runs = -(-count // max(2, min(count, int(room) + 2)))
        at_once = -(-count // runs)
        return at_once, cost.between(two, (at_once - 2) / (count - 2))

    def _check(self, call: Arguments, at_once: int) -> bool:
        """Compare a few shifts of a few examples both ways; False if nothing can be seen.

        Args:
            call: The call.
            at_once: No more shifts than this.

        Raises:
            NotShareable: If they differ.
        """
        few = call.examples(sorted({0, call.batch - 1}))
        shifts = few.shifts.values
        reach = shifts.index(max(shifts, key=abs))
        chosen = sorted({0, len(shifts) // 2, reach})[:at_once]
        copies = Copies(few, tuple(shifts[i] for i in chosen))
        double = in_double(self.forward_func, copies)
        forward_func, copies = double or (self.forward_func, copies)
        return compare(self.following(copies.call), forward_func, copies)

    def following(self, call: Arguments) -> Following:
        """A new run of the model for a call."""
        constants = [x for x in (*call.args, call.target) if isinstance(x, Tensor)]
        return Following(self._modules, constants, frozenset(self._apart_in))

    def _refused(self, call: Arguments, error: Exception) -> _Plan:
        if not isinstance(error, NotShareable):
            one = Copies(call.examples([0]), call.shifts.values[:1])
            try:
                one.output(self.forward_func, one.inputs())
            except Exception:  # the caller will hear of it when the model runs without sharing
                return _Plan(Sharing(False, reason="the model failed"), final=False)
        reason = str(error)
        if not isinstance(error, NotShareable):
            reason = f"the model failed on tensors that are shared ({type(error).__name__})"
        if self.share is True and not self._warned:
            self._warned = True
            warn(f"ShiftSmooth shares nothing and runs the model once per shift: {reason}")
        return _Plan(Sharing(False, reason=reason))


class SharedGradient(Step):
    """The sum of the gradients, with what shifts have in common computed once."""

    def __init__(self, call: Arguments, sharer: Sharer, at_once: int) -> None:
        super().__init__(call, sharer.forward_func)
        self.sharer, self.at_once = sharer, at_once

    def __call__(self, shifts: Chunk) -> Tensors:
        """The sum over `shifts`; without sharing if that fails."""
        if len(shifts) > 1 and self.sharer.told is not None and self.sharer.told.shared:
            try:
                run = self.sharer.following(self.call)
                _, gradients = shared_gradient(run, self.forward_func, Copies(self.call, shifts))
                return tuple(gradient[None] for gradient in gradients)
            except torch.OutOfMemoryError:
                raise
            except Exception as error:
                self.sharer.failed(self.call, error)
        apart = SummedGradient(self.call, self.forward_func)
        parts: list[Tensors] = []
        halve = self.call.shifts_per_eval is None
        over(apart, shifts, self.sharer.chunks.size(apart), parts.append, halve)
        return tuple(torch.cat(part).sum(0, keepdim=True) for part in zip(*parts))


def shared_gradient(
    run: Following, forward_func: Callable[..., Any], copies: Copies
) -> tuple[Tensor, Tensors]:
    """Outputs at the target, and the sum of the gradients shifted back, with shared work.

    Args:
        run: Follows the model.
        forward_func: The model.
        copies: Which shifts of which call.

    Raises:
        NotShareable: If the model does what cannot be followed.
    """
    leaves = leaves_of(copies)
    output = followed(run, forward_func, copies, Copies.output, leaves)
    return output.detach(), copies.differentiated(output, leaves)


def followed(
    run: Following,
    forward_func: Callable[..., Any],
    copies: Copies,
    take: Callable[[Copies, Callable[..., Any], Tensors], Tensor],
    tensors: Tensors,
) -> Tensor:
    """What `take` makes of a model that runs on windows of `tensors`."""
    count = len(copies.call.inputs)

    def followed(*values: Any) -> Any:
        with _torch.undisturbed(), run:
            output = forward_func(*_windows(run, copies, values[:count]), *values[count:])
            return tree_map(lambda x: x.write_out() if isinstance(x, Windows) else x, output)

    try:
        output = take(copies, followed, tensors)
        run.finish()
        return output
    except Exception as error:
        # The frames that the error remembers hold windows that the model itself has let go.
        failure = error.with_traceback(None)
        failure.__context__ = None
    run.finish()
    raise failure


def leaves_of(copies: Copies) -> Tensors:
    """The inputs of a call, to differentiate with respect to; in float32 at least."""
    return tuple(x.detach().to(sum_type(x)).requires_grad_() for x in copies.call.inputs)


def _windows(run: Following, copies: Copies, tensors: Tensors) -> Tensors:
    """`tensors`, shaped like the inputs, as windows, one for each of the chunk's shifts."""
    call = copies.call
    return tuple(
        _window(run, x.to(like.dtype), dims[0] % x.dim(), copies)
        if dims
        else torch.cat([x] * len(copies.shifts)).to(like.dtype)
        for x, dims, like in zip(tensors, call.dims, call.inputs)
    )


def _window(run: Following, x: Tensor, axis: int, copies: Copies) -> Windows:
    around, starts, width = copies.call.shifts.around(x, axis, copies.shifts)
    return Windows.of(run, around, starts, axis, width)


def in_double(
    model: Callable[..., Any], copies: Copies
) -> tuple[Callable[..., Any], Copies] | None:
    """The model and the copies in float64, where rounding hides nothing; None if it cannot."""
    if not isinstance(model, Module):
        return None
    tensors = _doubles(model)

    def double(value: Any) -> Any:
        floating = isinstance(value, Tensor) and value.is_floating_point()
        return value.double() if floating else value

    call = copies.call
    inputs, args = tuple(map(double, call.inputs)), tuple(map(double, call.args))
    copies = Copies(replace(call, inputs=inputs, args=args), copies.shifts)

    def run(*args: Any) -> Any:
        # Each module has one name here. Of a module with two, torch would swap both and give back
        # only one: the model would stay in float64.
        return torch.func.functional_call(model, tensors, args, tie_weights=False)

    try:
        one = Copies(copies.call.examples([0]), copies.shifts[:1])
        exact = one.output(run, one.inputs()).dtype == torch.float64
    except Exception:  # a model that converts to a type of its own, or memory runs out
        return None
    return (run, copies) if exact else None


def _doubles(model: Module) -> dict[str, Tensor]:
    """The parameters and buffers of each module in float64, under its first name."""
    made: dict[int, Tensor] = {}
    named = {}
    for prefix, module in model.named_modules():
        for members in (module.named_parameters, module.named_buffers):
            for name, tensor in members(prefix, recurse=False, remove_duplicate=False):
                floating = tensor.is_floating_point()
                key = id(tensor)
                made.setdefault(key, tensor.detach().double() if floating else tensor)
                named[name] = made[key]
    return named


def _alone(forward_func: Callable[..., Any], copies: Copies, rows: int) -> Tensor:
    """The outputs of the first copies, each run in a batch of its own.

    More than one: of copies that share their largest value, the one that holds it sees no other.
    """
    outputs = []
    for row in range(rows):
        shift, example = divmod(row, copies.call.batch)
        one = Copies(copies.call.examples([example]), (copies.shifts[shift],))
        outputs.append(one.output(forward_func, one.inputs()))
    return torch.cat([output.flatten() for output in outputs])


def compare(
    run: Following, forward_func: Callable[..., Any], copies: Copies, few: Copies | None = None
) -> bool:
    """Whether outputs and gradients agree both ways; False if there is nothing to compare.

    Args:
        run: Follows the model.
        forward_func: The model.
        copies: Which shifts share work.
        few: Those of them that are compared; all by default.

    Raises:
        NotShareable: If they differ.
    """
    state = torch.get_rng_state()
    leaves = leaves_of(copies)
    output = followed(run, forward_func, copies, Copies.output, leaves)
    if few is not None:
        of_shift = output.unflatten(0, (len(copies.shifts), -1))
        output = of_shift[[copies.shifts.index(n) for n in few.shifts]].flatten(0, 1)
        copies = few
    gradients = copies.differentiated(output, leaves)
    output = output.detach()
    draws = not torch.equal(state, torch.get_rng_state())
    torch.set_rng_state(state)
    leaves = leaves_of(copies)
    expected = copies.output(forward_func, copies.inputs(leaves))
    wanted = copies.differentiated(expected, leaves)
    alone = expected if draws else _alone(forward_func, copies, rows=2)
    rounding = torch.finfo(expected.dtype).eps
    output, expected = output.double(), expected.detach().double()
    spread = float(expected.max() - expected.min())
    noise = 100 * rounding * float(expected.abs().max())
    if not expected.isfinite().all():
        return False
    bound = max(noise, rounding**0.5 * spread)
    alone = alone.detach().double().flatten()
    if not float((alone - expected.flatten()[: len(alone)]).abs().max()) <= bound:
        raise NotShareable("what an example gets depends on the others in its batch")
    difference = float((output - expected).abs().max())
    if not difference <= bound:
        raise NotShareable(
            f"when it was tried, outputs differed by {difference:.3g}, where they spread over "
            f"{spread:.3g}"
        )
    for gradient, exact in zip(gradients, wanted):
        # Rounding can switch a ReLU, or which of two equal windows is the largest.
        missed = (gradient - exact).double().norm()
        if not missed <= max(rounding**0.25, 1e-6) * exact.double().norm():
            raise NotShareable("when it was tried, gradients differed")
    return any(bool(gradient.any()) for gradient in wanted)


def _key(call: Arguments) -> Any:
    shapes = tuple((tuple(x.shape), x.dtype, x.device) for x in call.inputs)
    return shapes, call.shifts, call.dims, call.shifts_per_eval
