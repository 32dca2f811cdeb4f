"""What a run of a model costs: multiplications, bytes and calls, counted, and the time they take.

    seconds = calls * `call` + operations * `operation` + bytes * `byte`

A GPU computes while Python prepares its next calls, so there it is the larger of the first part and
the other two. Counting gives the same answer every time; a stopwatch would not.
`benchmarks/costs.py` measures the constants.
"""

from dataclasses import astuple, dataclass
from typing import Any

import torch
from torch import Tensor
from torch.autograd.graph import saved_tensors_hooks
from torch.nn import Parameter
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry


@dataclass(frozen=True)
class Cost:
    """What was counted.

    Attributes:
        calls: Calls of functions that compute.
        operations: Multiplications and additions of convolutions and matrix products.
        bytes: Bytes that are read and written.
        kept: Bytes that autograd keeps for the backward pass.
        weights: Bytes of parameters that are read, which do not grow with the batch.
    """

    calls: float = 0.0
    operations: float = 0.0
    bytes: float = 0.0
    kept: float = 0.0
    weights: float = 0.0

    def times(self, batch: float, repeats: float = 1.0) -> "Cost":
        """The cost of a batch of `batch` times as many rows, `repeats` times; kept: once."""
        return Cost(
            self.calls * repeats,
            self.operations * batch * repeats,
            self.bytes * batch * repeats,
            self.kept * batch,
            self.weights * repeats,
        )

    def between(self, other: "Cost", part: float) -> "Cost":
        """The cost that is `part` of the way from `other` to this one."""
        pairs = zip(astuple(self), astuple(other))
        return Cost(*(b + (a - b) * part for a, b in pairs))

    def seconds(self, device: torch.device, constants: dict[str, float] | None = None) -> float:
        """The time it takes on a device of this kind; with other constants than those below."""
        kind = constants or CONSTANTS.get(device.type, CONSTANTS["cuda"])
        called = self.calls * kind["call"]
        work = self.operations * kind["operation"]
        work += (self.bytes + self.weights) * kind["byte"]
        return called + work if device.type == "cpu" else max(called, work)


# Seconds, by the kind of device; anything that is not a CPU counts as a GPU. Those of a CPU were
# measured by benchmarks/costs.py, on one thread of a server; those of a GPU were chosen by hand so
# that they fit the times of an H100 in benchmarks/REPORT-cuda.md.
CONSTANTS = {
    "cpu": {"call": 3.1e-5, "operation": 1.1e-12, "byte": 1.7e-10},
    "cuda": {"call": 4.5e-5, "operation": 5e-15, "byte": 9e-13},
}


# Functions that only make room, or another view of it.
_ROOM = ("empty", "empty_strided", "empty_like", "new_empty", "new_empty_strided", "_unsafe_view")


class TooMany(Exception):
    """More calls than are worth counting."""


class Counter(TorchDispatchMode):
    """Counts what the functions of torch do while it is active, backward passes included."""

    def __init__(self, most: float = float("inf")) -> None:
        """Start to count.

        Args:
            most: Raise `TooMany` at more calls than these.
        """
        super().__init__()
        self.most = most
        self.calls = self.operations = self.bytes = self.kept = self.weights = 0
        self._parameters: set[int] = set()  # the memory of those seen, also as views
        self._saved = saved_tensors_hooks(self._save, lambda x: x)

    def __enter__(self) -> "Counter":
        self._saved.__enter__()
        return super().__enter__()

    def __exit__(self, *error: Any) -> None:
        super().__exit__(*error)
        self._saved.__exit__(*error)

    @property
    def cost(self) -> Cost:
        """What was counted so far."""
        return Cost(self.calls, self.operations, self.bytes, self.kept, self.weights)

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """Runs `func` and counts it."""
        kwargs = kwargs or {}
        result = func(*args, **kwargs)
        outputs = result if isinstance(result, tuple | list) else (result,)
        values = (x if isinstance(x, tuple | list) else (x,) for x in (*args, *outputs))
        tensors = [x for value in values for x in value if isinstance(x, Tensor)]
        memory = [x.untyped_storage().data_ptr() for x in tensors]
        self._parameters.update(at for x, at in zip(tensors, memory) if isinstance(x, Parameter))
        name = func.overloadpacket.__name__
        if func.is_view or func.namespace != "aten" or name in _ROOM:
            return result
        self.calls += 1
        if self.calls > self.most:
            raise TooMany
        for x, at in zip(tensors, memory):
            if at in self._parameters:
                self.weights += x.numel() * x.element_size()
            else:
                self.bytes += x.numel() * x.element_size()
        formula = flop_registry.get(func.overloadpacket)
        if formula is not None:
            self.operations += formula(*args, **kwargs, out_val=result)
        return result

    def _save(self, x: Tensor) -> Tensor:
        if not (x.is_leaf and x.requires_grad):  # a parameter does not grow with the batch
            self.kept += x.numel() * x.element_size()
        return x
