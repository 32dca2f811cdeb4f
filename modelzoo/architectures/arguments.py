"""The arguments of architectures: their types and ranges, checked before anything is built.

A constructor's annotations are the whole list. `filters: Count = 8` is a whole number of a range,
and another value is an error that names the argument:

    filters: expected a whole number from 1 to 65536, got 0
"""

from __future__ import annotations

import functools
import inspect
import math
from collections.abc import Callable, Mapping, Sequence
from numbers import Integral, Real
from types import UnionType
from typing import (
    Annotated,
    Any,
    NamedTuple,
    Union,
    get_args,
    get_origin,
    get_type_hints,
    is_typeddict,
)


class Expected(NamedTuple):
    """A condition on a value beyond its type, for `Annotated`.

    Attributes:
        what: The values that are expected, for the message.
        holds: Whether a value of the right type is one of them.
    """

    what: str
    holds: Callable[[Any], bool]


def whole(low: int, high: int) -> Expected:
    """Return the condition of a whole number between two, both included."""
    return Expected(f"a whole number from {low} to {high}", lambda value: low <= value <= high)


def one_of(*names: str) -> Expected:
    """Return the condition of a text that is one of some."""
    return Expected(f"one of {', '.join(names)}", lambda value: value in names)


def length(low: int, high: int) -> Expected:
    """Return the condition on the length of a list or mapping, both ends included."""
    return Expected(f"{low} to {high} values", lambda value: low <= len(value) <= high)


Count = Annotated[int, whole(1, 65_536)]
Odd = Annotated[int, Expected("an odd number from 1 to 9999", lambda n: n in range(1, 10_000, 2))]
Even = Annotated[int, Expected("an even number from 2 to 9998", lambda n: n in range(2, 9_999, 2))]
Width = Annotated[int, whole(1, 10_000)]
Counts = Annotated[Sequence[Count], length(1, 100)]
Odds = Annotated[Sequence[Odd], length(1, 100)]
Layers = Annotated[int, whole(1, 100)]
Positions = Annotated[int, whole(1, 1_000_000)]
Probability = Annotated[float, Expected("a number from 0 to 1", lambda value: 0 <= value <= 1)]
Name = Annotated[
    str,
    Expected(
        "printable text of 1 to 200 characters", lambda t: t.isprintable() and 0 < len(t) <= 200
    ),
]
Names = Annotated[Sequence[Name], length(1, 10_000)]
Pooling = Annotated[str, one_of("max", "max+mean")]

_TYPES: dict[Any, tuple[Any, str]] = {
    int: (Integral, "a whole number"),
    float: (Real, "a number"),
    str: (str, "text"),
    Sequence: (Sequence, "a list"),
    Mapping: (Mapping, "a mapping"),
}


def checked(init: Callable[..., None]) -> Callable[..., None]:
    """Return a constructor that checks its arguments first, and keeps them as `self.config`.

    Both get them as JSON has them: lists for sequences, dicts for mappings.
    """
    signature = inspect.signature(init)

    @functools.wraps(init)
    def checking(self: Any, *args: Any, **kwargs: Any) -> None:
        bound = signature.bind(self, *args, **kwargs)
        bound.apply_defaults()
        _, *given = bound.arguments.items()
        hints = _hints(init)
        values = {name: check(name, value, hints[name]) for name, value in given}
        # A registered class may extend another one; the outer one's arguments rebuild it.
        self.__dict__.setdefault("config", values)
        init(self, **values)

    return checking


@functools.cache
def _hints(init: Any) -> dict[str, Any]:
    return get_type_hints(init, include_extras=True)  # at the first call: names may be defined late


def check(name: str, value: Any, hint: Any) -> Any:
    """Return an argument's value as JSON has it, after checking its type and range.

    Args:
        name: The argument's name, for the message.
        value: Its value.
        hint: Its annotation: `int`, `float`, `str`, `Any`, a `Sequence`, `Mapping` or `TypedDict`
            of these, `X | None`, or `Annotated` with an `Expected`.
    """
    origin, arguments = get_origin(hint), get_args(hint)
    if hint is Any:
        return value
    if origin is Annotated:
        base, *conditions = arguments
        value = check(name, value, base)
        for condition in conditions:
            if not condition.holds(value):
                raise _refused(name, condition.what, value)
        return value
    if origin in (Union, UnionType):  # X | None is the only one there is
        return None if value is None else check(name, value, arguments[0])
    kind, called = _TYPES[Mapping if is_typeddict(hint) else origin or hint]
    mistaken = (bool, str) if kind is not str else ()  # True is no number, "text" no list
    if isinstance(value, mistaken) or not isinstance(value, kind):
        raise _refused(name, called, value)
    if kind is Sequence:
        return [check(name, item, arguments[0]) for item in value]
    if kind is Mapping:
        return _check_mapping(name, value, hint)
    if kind is Real and not math.isfinite(value):
        raise _refused(name, called, value)
    return int(value) if kind is Integral else value


def _check_mapping(name: str, value: Mapping[Any, Any], hint: Any) -> dict[str, Any]:
    if not is_typeddict(hint):
        of_keys, of_values = get_args(hint)
        return {check(name, k, of_keys): check(name, v, of_values) for k, v in value.items()}
    fields = _hints(hint)
    if unknown := [key for key in value if key not in fields]:
        raise _refused(name, f"some of {', '.join(fields)}", unknown[0])
    return {key: check(f"{name}.{key}", item, fields[key]) for key, item in value.items()}


def _refused(name: str, expected: str, value: Any) -> ValueError:
    text = repr(value)
    shown = text if len(text) <= 80 else f"{text[:77]}..."
    return ValueError(f"{name}: expected {expected}, got {shown}")
