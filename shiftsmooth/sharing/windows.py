"""All shifted windows of a batch as one tensor, which keeps once what the shifts have in common.

Shifting the input by n mostly shifts the feature maps of a convolution by n. `Windows` behaves like
the tensor (S * B, ...) of all shifted copies, shift after shift, but along the sequence it is

    row of shift s = [ left strip | shared[start_s + l : start_s + W - r] | right strip ]

The strips are the few positions at the two ends that see the model's own padding, which stays where
the window is while the sequence moves. After a stride of t, shifts with the same start modulo t
share a map, so there are up to t maps.

`ops` tells how an operation runs on these parts. When no operation fits, the windows are written
out once, and from then on these windows are that ordinary tensor. All of it is made of
differentiable tensor functions, so the result is exact.
"""

import weakref
from collections.abc import Callable, Iterator
from typing import Any, NoReturn, Protocol

import torch
from torch import Tensor

from ..shifts import Numbers
from .moves import HALF, Piece, apart, cropped, cut, in_order
from .places import Places


class NotShareable(Exception):
    """The model does something to its windows that cannot be followed."""


class Run(Protocol):
    """The run of a model that windows belong to: it decides what a function does with them."""

    def follow(self, func: Callable[..., Any], args: tuple, kwargs: dict[str, Any]) -> Any:
        """The result of `func`, whose arguments hold windows."""

    def refuse(self, reason: str) -> NoReturn:
        """Ends sharing."""

    def keep(self, windows: "Windows") -> None:
        """Notes that `windows` belong to this run."""


class Aliases:
    """Windows that lie in one memory in the ordinary model, and what was written out of it.

    A write into this memory changes all of them there. Here they are separate, so a write is
    allowed only where nobody can tell the difference.
    """

    def __init__(self) -> None:
        self._members: list[weakref.ref[Windows]] = []
        self._outside: list[tuple[Tensor, int]] = []

    def join(self, windows: "Windows") -> None:
        """Notes that `windows` lie in this memory."""
        windows.aliases = self
        self._members.append(weakref.ref(windows))

    def write_out(self, tensor: Tensor) -> None:
        """Notes that the ordinary tensor `tensor` stands for a part of this memory."""
        self._outside.append((tensor, tensor._version))

    def dissolve(self) -> None:
        """Forget all windows, which then are of no use any more."""
        self._members.clear()

    def check(self) -> None:
        """Refuses if an ordinary tensor that stands for this memory was written to."""
        if any(tensor._version != version for tensor, version in self._outside):
            raise NotShareable("the model writes into a tensor and uses another view of it later")

    def check_write(self, writer: "Windows") -> None:
        """Refuses if somebody besides `writer` would see a write by it."""
        members = [ref() for ref in self._members]
        others = any(member is not None and member is not writer for member in members)
        if others or any(tensor is not writer.ordinary for tensor, _ in self._outside):
            raise NotShareable("the model writes into a tensor that has other views")

    def wrote(self) -> None:
        """Notes that the only ordinary tensor of this memory was written to by its own windows."""
        self._outside = [(tensor, tensor._version) for tensor, _ in self._outside]


class Windows(Tensor):
    """S windows onto one batch; behaves like the tensor (S * B, ...) that holds them all.

    Attributes:
        run: The run of the model these windows belong to.
        shared: (G * B, ..., M, ...), G maps of the batch.
        left: (S * B, ..., l, ...), the left strips, or None if there are none.
        right: (S * B, ..., r, ...), the right strips, or None.
        places: On which of the G maps each window lies, and where it starts; a strip may cover
            what is before the map.
        axis: The dimension of the sequence, 1 or more.
        width: The length W of a window.
        ordinary: The tensor that these windows have become, or None.
        aliases: Which other windows lie in the same memory in the ordinary model.
        in_order: Whether dimensions of the ordinary model's tensor are in memory in the order that
            they have. Where they are, the parts need not be, and operations choose what is fast.
    """

    run: Run
    shared: Tensor
    left: Tensor | None
    right: Tensor | None
    places: Places
    axis: int
    width: int
    ordinary: Tensor | None
    aliases: Aliases
    in_order: bool
    _cut: list[tuple[int, int, Tensor]]

    @staticmethod
    def __new__(
        cls,
        run: Run,
        shared: Tensor,
        left: Tensor | None,
        right: Tensor | None,
        places: Places,
        axis: int,
        width: int,
    ) -> "Windows":
        """Windows of `width` positions, strips included, onto these parts."""
        shape = list(shared.shape)
        shape[0] = places.count * (shared.size(0) // places.maps)
        shape[axis] = width

        def make() -> Windows:
            self = Tensor._make_wrapper_subclass(
                cls, shape, dtype=shared.dtype, device=shared.device
            )
            self.run, self.shared, self.left, self.right = run, shared, left, right
            self.places, self.axis, self.width = places, axis, width
            self.ordinary, self.in_order = None, in_order(shared)
            self._cut = []
            Aliases().join(self)
            return self

        parts = [part for part in (shared, left, right) if part is not None and part.requires_grad]
        self = _Trap.apply(parts[0], make) if parts and torch.is_grad_enabled() else make()
        run.keep(self)
        return self

    @classmethod
    def of(cls, run: Run, x: Tensor, starts: Numbers, axis: int, width: int) -> "Windows":
        """The windows of `width` positions along `axis` of `x` that begin at `starts`."""
        return cls(run, x, None, None, Places.on_one_map(starts), axis, width)

    def like(
        self,
        shared: Tensor,
        left: Tensor | None,
        right: Tensor | None,
        *,
        places: Places | None = None,
        axis: int | None = None,
        width: int | None = None,
    ) -> "Windows":
        """Windows of the same run with other parts, elsewhere the same if nothing else is told."""
        return Windows(
            self.run,
            shared,
            left,
            right,
            self.places if places is None else places,
            self.axis if axis is None else axis,
            self.width if width is None else width,
        )

    @property
    def needs_grad(self) -> bool:
        """Whether a gradient flows through one of the parts."""
        return any(
            part is not None and part.requires_grad for part in (self.shared, self.left, self.right)
        )

    @property
    def ends(self) -> tuple[int, int]:
        """The widths l and r of the strips."""
        return tuple(  # type: ignore[return-value]
            0 if strip is None else strip.size(self.axis) for strip in (self.left, self.right)
        )

    def each(
        self, function: Callable[..., Tensor], *others: "Windows", axis: int | None = None
    ) -> "Windows":
        """`function`, which treats every position alike, of these and other aligned windows."""
        shared, left, right = (
            None if parts[0] is None else function(*parts)
            for parts in zip(*((x.shared, x.left, x.right) for x in (self, *others)))
        )
        assert shared is not None
        return self.like(shared, left, right, axis=axis)

    def replace(self, other: "Windows") -> None:
        """Become `other`: what an in-place function does."""
        if other.needs_grad and not self.needs_grad:
            raise NotShareable("the model writes what has a gradient into what has none")
        self.shared, self.left, self.right = other.shared, other.left, other.right
        self.places = other.places
        self._cut = []

    def settle(self) -> None:
        """Bring the parts into the order in memory that the ordinary model's tensor has."""
        if self.in_order:
            self._cut = []
            self.shared = self.shared.contiguous()
            self.left = None if self.left is None else self.left.contiguous()
            self.right = None if self.right is None else self.right.contiguous()

    def pieces(self, *ranges: tuple[int, int], value: float = 0.0) -> tuple[Tensor, list[Tensor]]:
        """The maps, for further use, and positions `low` to `high` of every window, written out.

        Positions before and behind the windows have a value of their own, unless they are spaced.
        """
        if self.places.spaced:
            return self.shared, [self._unfolded(low, high) for low, high in ranges]
        known = [self._known(low, high) for low, high in ranges]
        if all(piece is not None for piece in known):
            return self.shared, known  # type: ignore[return-value]
        left, right = self.ends
        inner = self.width - right

        def within(low: int, high: int, start: int, stop: int) -> tuple[int, int]:
            first = min(max(low, start), stop)
            return first - start, max(first, min(high, stop)) - start

        pieces = []
        for low, high in ranges:
            first, last = within(low, high, left, inner)
            pieces.append(
                Piece(
                    max(0, min(high, 0) - low),
                    within(low, high, 0, left),
                    tuple((g, start + left + first) for g, start in self.places.of_windows),
                    last - first,
                    within(low, high, inner, self.width),
                    max(0, high - max(low, self.width)),
                    value,
                )
            )
        # From now on these maps are used, so that all gradients of maps meet in one place.
        self.shared, found = cut(
            self.shared, self.left, self.right, self.places.maps, self.axis, pieces
        )
        self._cut += [(low, high, piece) for (low, high), piece in zip(ranges, found)]
        return self.shared, found

    def _known(self, low: int, high: int) -> Tensor | None:
        """These positions, if they are a part of what was written out before."""
        for first, last, piece in self._cut:
            if max(first, 0) <= low and high <= min(last, self.width):
                return cropped(piece, self.axis, low - first, high - low)
        return None

    def piece(self, low: int, high: int) -> Tensor:
        """Positions `low` to `high` of every window, written out."""
        return self.pieces((low, high))[1][0]

    def write_out(self) -> Tensor:
        """The ordinary tensor of all windows, which these windows are from now on."""
        if self.ordinary is None:
            self._cut = []  # the model may write into what it gets
            written = self.piece(0, self.width)
            if self.in_order:
                self.ordinary = written.contiguous()
            else:
                # Strides in the order of the ordinary model's, so that a view there is a view here.
                strides = self.shared.stride()
                order = sorted(range(len(strides)), key=lambda d: (-strides[d], d))
                back = sorted(range(len(strides)), key=order.__getitem__)
                self.ordinary = written.permute(order).contiguous().permute(back)
            self.aliases.write_out(self.ordinary)
        return self.ordinary

    def by_map(self) -> tuple[Tensor, ...]:
        """Each of the maps, (B, ..., M, ...)."""
        return apart(self.shared, self.places.maps)

    def _unfolded(self, low: int, high: int) -> Tensor:
        """Positions `low` to `high` of spaced windows."""
        left, right = self.ends
        inner = self.width - right
        parts = []
        if self.left is not None and low < left:
            parts.append(cropped(self.left, self.axis, low, min(high, left) - low))
        if max(low, left) < min(high, inner):
            parts.append(self._core(max(low, left), min(high, inner)))
        if self.right is not None and high > inner:
            start = max(low, inner) - inner
            parts.append(cropped(self.right, self.axis, start, high - inner - start))
        return parts[0] if len(parts) == 1 else torch.cat(parts, self.axis)

    def _core(self, low: int, high: int) -> Tensor:
        rows: list[Tensor] = []
        for one_map, starts in zip(self.by_map(), self.places.starts):
            assert isinstance(starts, range)
            first, last = min(starts), max(starts)
            region = one_map.narrow(self.axis, first + low, last - first + high - low)
            # In float32 at least, since here the gradients of all windows are summed.
            if region.dtype in HALF:
                region = region.float()
            # (windows, B, ..., high - low, ...), without a copy
            windows = region.unfold(self.axis, high - low, abs(starts.step))
            windows = windows.movedim((self.axis, -1), (0, self.axis + 1))
            rows.append(windows if starts.step > 0 else windows.flip(0))
        return self.places.in_order(rows).flatten(0, 1).to(self.shared.dtype)

    @classmethod
    def __torch_function__(
        cls,
        func: Callable[..., Any],
        types: Any,
        args: tuple = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        """Asks the run of the windows."""
        kwargs = kwargs or {}
        return next(windows_in((args, kwargs))).run.follow(func, args, kwargs)

    @classmethod
    def __torch_dispatch__(  # type: ignore[override]
        cls, func: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        """Reached only past `__torch_function__`, where parts cannot be followed."""
        next(windows_in((args, kwargs))).run.refuse(f"`{func}` is called past Python")


def windows_in(value: Any) -> Iterator[Windows]:
    """All windows among arguments of a function, however nested."""
    if isinstance(value, Windows):
        yield value
    elif isinstance(value, tuple | list):
        for entry in value:
            yield from windows_in(entry)
    elif isinstance(value, dict):
        for entry in value.values():
            yield from windows_in(entry)


class _Trap(torch.autograd.Function):
    """Makes windows a result of their parts, so that no gradient is lost in silence.

    Gradients flow through the parts. One that flows into the windows themselves comes from a
    function that took them whole, such as an `autograd.Function`.
    """

    @staticmethod
    def forward(ctx: Any, part: Tensor, make: Callable[[], Windows]) -> Windows:
        return make()

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> Any:
        raise NotShareable("a custom autograd.Function takes tensors that are shared")
