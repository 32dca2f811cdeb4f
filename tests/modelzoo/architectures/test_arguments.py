import inspect
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, TypedDict, get_type_hints

import numpy as np
import pytest

from modelzoo.architectures import ARCHITECTURES
from modelzoo.architectures.arguments import Count, Name, check, checked, length, one_of, whole
from modelzoo.architectures.deepbind import DeepBind


class Options(TypedDict, total=False):
    size: Count
    kind: Annotated[str, one_of("a", "b")]


@pytest.mark.parametrize(
    ("value", "hint", "expected"),
    [
        (np.int64(3), Count, 3),
        (1, float, 1),
        (0.5, float, 0.5),
        ((1, 2), Sequence[int], [1, 2]),
        ((), Sequence[int], []),
        (None, Sequence[int] | None, None),
        ({"a": (1,)}, Mapping[str, Sequence[int]], {"a": [1]}),
        ({"size": 4}, Options, {"size": 4}),
        (pytest, Any, pytest),
    ],
)
def test_values_come_back_as_json_has_them(value, hint, expected):
    found = check("x", value, hint)
    assert found == expected and type(found) is type(expected)


@pytest.mark.parametrize(
    ("value", "hint", "message"),
    [
        (0, Count, "x: expected a whole number from 1 to 65536, got 0"),
        (65_537, Count, "x: expected a whole number from 1 to 65536, got 65537"),
        (8.0, Count, "x: expected a whole number, got 8.0"),
        (True, Count, "x: expected a whole number, got True"),
        ("8", Count, "x: expected a whole number, got '8'"),
        (None, Count, "x: expected a whole number, got None"),
        (False, float, "x: expected a number, got False"),
        (float("nan"), float, "x: expected a number, got nan"),
        (float("inf"), float, "x: expected a number, got inf"),
        (8, str, "x: expected text, got 8"),
        ("ab", Sequence[str], "x: expected a list, got 'ab'"),
        ({}, Sequence[str], "x: expected a list, got {}"),
        ([1, "a"], Sequence[int], "x: expected a whole number, got 'a'"),
        ([], Annotated[Sequence[int], length(1, 2)], "x: expected 1 to 2 values, got []"),
        ([], Mapping[str, int], "x: expected a mapping, got []"),
        ({1: 1}, Mapping[str, int], "x: expected text, got 1"),
        ({"a": "b"}, Mapping[str, int], "x: expected a whole number, got 'b'"),
        ({"other": 1}, Options, "x: expected some of size, kind, got 'other'"),
        ({"size": 0}, Options, "x.size: expected a whole number from 1 to 65536, got 0"),
        ({"kind": "c"}, Options, "x.kind: expected one of a, b, got 'c'"),
        ("", Name, "x: expected printable text of 1 to 200 characters, got ''"),
        ("\x1b[2J", Name, "x: expected printable text of 1 to 200 characters, got '\\x1b[2J'"),
        ("a" * 201, Name, f"x: expected printable text of 1 to 200 characters, got '{'a' * 76}..."),
        (
            5,
            Annotated[int, whole(1, 9), whole(6, 7)],
            "x: expected a whole number from 6 to 7, got 5",
        ),
    ],
)
def test_other_values_are_named_with_what_was_expected(value, hint, message):
    with pytest.raises(ValueError) as error:
        check("x", value, hint)
    assert str(error.value) == message


def test_a_constructor_is_checked_before_it_begins_and_its_arguments_are_kept():
    built = []

    class Model:
        @checked
        def __init__(self, size: Count, names: Sequence[str] = ("a",)):
            built.append((size, names))

    assert Model(2).config == {"size": 2, "names": ["a"]}
    with pytest.raises(ValueError, match="size: expected"):
        Model(0)
    with pytest.raises(TypeError, match="unexpected keyword argument 'width'"):
        Model(1, width=3)
    assert built == [(2, ["a"])]


def test_a_class_that_extends_another_keeps_its_own_arguments():
    class Base:
        @checked
        def __init__(self, size: Count):
            pass

    class Extended(Base):
        @checked
        def __init__(self, name: str):
            super().__init__(3)

    assert Extended("a").config == {"name": "a"}
    with pytest.raises(ValueError, match="name: expected text, got 3"):
        Extended(3)


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_every_argument_of_an_architecture_has_a_type_that_its_default_is_of(name):
    init = ARCHITECTURES[name].__init__
    hints = get_type_hints(init, include_extras=True)
    _, *parameters = inspect.signature(init).parameters.values()
    for parameter in parameters:
        assert parameter.kind is parameter.POSITIONAL_OR_KEYWORD
        if parameter.default is not parameter.empty:
            check(parameter.name, parameter.default, hints[parameter.name])
        else:
            with pytest.raises(ValueError, match=f"{parameter.name}: expected a mapping, got 3"):
                check(parameter.name, 3, hints[parameter.name])


def test_a_model_is_rebuilt_from_the_arguments_it_keeps():
    config = DeepBind([4], widths=(5,), dropout=0).config
    assert config == {
        "filters": [4],
        "widths": [5],
        "pooling": "max+mean",
        "dropout": 0,
        "embedding_size": 32,
        "tasks": ["binding"],
    }
    assert DeepBind(**config).config == config
