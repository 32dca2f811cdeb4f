"""All shifted windows of a batch as one tensor: a convolutional trunk runs once, not 2N+1 times.

Shifting the input by n mostly shifts the feature maps of a convolution by n. `Windows` is a tensor
of shape (S * B, C, W), shift after shift, that keeps what the shifts have in common only once:

    row of shift s = [ left strip | shared[start_s + l : start_s + W - r] | right strip ]

The strips are the few positions at the two ends that see the model's own padding, which stays where
the window is while the sequence moves. A convolution or a pooling runs once over `shared` and once
over the strips, which grow by what it sees; after a stride of t, shifts with the same start modulo
t share a map, so there are up to t of them. Pooling over the whole sequence takes the core that all
windows have in common once. Everything else that does not look along the sequence (activations,
batch norm in eval mode, sums of branches) runs on the parts as they are.

The model runs unmodified on `Windows`, through `__torch_function__`. At the first function that is
not known here the windows are written out, and the rest of the model, its head, sees an ordinary
tensor. All of it is made of differentiable tensor functions, so the result is exact.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.utils._pytree import tree_map

Handler = Callable[..., Any]

# What runs on the parts, by the name of the function: filled by `ops`.
HANDLERS: dict[str, Handler] = {}


class NotShareable(Exception):
    """The model does something to its windows that cannot be followed, such as writing to them."""


class Windows(Tensor):
    """S windows onto one batch; behaves like the (S * B, C, W) tensor that holds them all.

    Attributes:
        shared: (G * B, C, M), G maps of the batch.
        left: (S * B, C, l), the left strips, or None if there are none.
        right: (S * B, C, r), the right strips, or None.
        maps: For each shift, which of the G maps its window lies on.
        starts: For each shift, where on that map its window starts; a strip may cover what is
            before the map.
    """

    shared: Tensor
    left: Tensor | None
    right: Tensor | None
    maps: list[int]
    starts: list[int]

    @staticmethod
    def __new__(
        cls,
        shared: Tensor,
        left: Tensor | None,
        right: Tensor | None,
        maps: list[int],
        starts: list[int],
        width: int,
    ) -> "Windows":
        """Windows of `width` positions, strips included, onto these parts."""
        batch = shared.size(0) // (max(maps) + 1)
        shape = (len(starts) * batch, shared.size(1), width)
        self = Tensor._make_wrapper_subclass(cls, shape, dtype=shared.dtype, device=shared.device)
        self.shared, self.left, self.right = shared, left, right
        self.maps, self.starts = maps, starts
        return self

    @classmethod
    def of(cls, x: Tensor, starts: list[int], width: int) -> "Windows":
        """The windows of `width` positions of `x` (B, C, M) that begin at `starts`."""
        return cls(x, None, None, [0] * len(starts), starts, width)

    @property
    def ends(self) -> tuple[int, int]:
        """The widths l and r of the strips."""
        return (
            0 if self.left is None else self.left.size(-1),
            0 if self.right is None else self.right.size(-1),
        )

    def each(self, function: Callable[..., Tensor], *others: "Windows") -> "Windows":
        """`function`, which treats every position alike, of these and other aligned windows."""
        shared, left, right = (
            None if parts[0] is None else function(*parts)
            for parts in zip(*((x.shared, x.left, x.right) for x in (self, *others)))
        )
        assert shared is not None
        return Windows(shared, left, right, self.maps, self.starts, self.size(-1))

    def piece(self, low: int, high: int) -> Tensor:
        """Positions `low` to `high` of every window, written out: (S * B, C, high - low)."""
        left, right = self.ends
        inner = self.size(-1) - right
        parts = []
        if self.left is not None and low < left:
            parts.append(self.left[..., low : min(high, left)])
        if max(low, left) < min(high, inner):
            parts.append(self._core(max(low, left), min(high, inner)))
        if self.right is not None and high > inner:
            parts.append(self.right[..., max(low, inner) - inner : high - inner])
        return parts[0] if len(parts) == 1 else torch.cat(parts, -1)

    def dense(self) -> Tensor:
        """All windows written out."""
        return self.piece(0, self.size(-1))

    def _core(self, low: int, high: int) -> Tensor:
        rows: list[Tensor] = []
        order: list[int] = []
        for one_map, members in by_map(self):
            starts = [self.starts[s] for s in members]
            first = min(starts)
            region = one_map[..., first + low : max(starts) + high]
            # (B, C, starts, high - low), without a copy
            windows = region.unfold(-1, high - low, 1).permute(2, 0, 1, 3)
            rows.append(windows[[start - first for start in starts]])
            order += members
        stacked = rows[0] if len(rows) == 1 else torch.cat(rows)
        if order != sorted(order):
            stacked = stacked[sorted(range(len(order)), key=order.__getitem__)]
        return stacked.flatten(0, 1)

    @classmethod
    def __torch_function__(
        cls,
        func: Callable[..., Any],
        types: Any,
        args: tuple = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        """Runs what is known on the parts, and anything else on the windows written out."""
        kwargs = kwargs or {}
        name = func.__name__
        if name == "__get__":
            name = func.__self__.__name__  # type: ignore[attr-defined]
        if name in METADATA:
            with torch._C.DisableTorchFunctionSubclass():
                return func(*args, **kwargs)
        result = HANDLERS["*"](name, func, args, kwargs)
        if result is not NotImplemented:
            return result
        args, kwargs = tree_map(
            lambda x: x.dense() if isinstance(x, Windows) else x, (args, kwargs)
        )
        return func(*args, **kwargs)

    @classmethod
    def __torch_dispatch__(  # type: ignore[override]
        cls, func: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        """Reached only past `__torch_function__`, where parts cannot be followed."""
        raise NotShareable(f"{func} reached the windows themselves")


def by_map(x: Windows) -> list[tuple[Tensor, list[int]]]:
    """Each of the maps (B, C, M), and which shifts have their window on it."""
    maps = x.shared.unflatten(0, (max(x.maps) + 1, -1)).unbind()
    return [(m, [s for s, i in enumerate(x.maps) if i == g]) for g, m in enumerate(maps)]


# fmt: off
METADATA = {
    "shape", "size", "dim", "ndim", "ndimension", "numel", "nelement", "dtype", "device",
    "layout", "is_floating_point", "is_complex", "requires_grad", "is_cuda", "is_sparse",
    "is_quantized", "element_size", "get_device", "__len__", "is_leaf",
}
# fmt: on
