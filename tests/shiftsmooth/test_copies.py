"""What an error of the model, or about what it returns, tells the caller."""

from dataclasses import dataclass
from types import SimpleNamespace

import pytest
import torch
from captum.attr import IntegratedGradients
from torch import nn

from shiftsmooth import LayerShiftSmooth, ShiftSmooth
from tests.support import models


@pytest.fixture
def x():
    return torch.randn(2, 4, 16).double()


@dataclass
class Output:
    hidden: object
    logits: torch.Tensor


class Profile(nn.Module):
    """(B, 4, 16) -> (B, 3, 8), a profile per task."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv1d(4, 3, 2, stride=2).double()

    def forward(self, x):
        return self.conv(x)


@pytest.mark.parametrize(
    ("wrap", "kind", "part"),
    [
        (lambda y: (y, 1), "tuple", "[0]"),
        (lambda y: [None, y], "list", "[1]"),
        (lambda y: {"loss": None, "logits": y}, "dict", "['logits']"),
        (lambda y: Output(None, y), "Output", ".logits"),
        (lambda y: SimpleNamespace(y=y), "SimpleNamespace", ".y"),
    ],
)
@pytest.mark.parametrize("share", [False, True])
def test_an_output_that_is_no_tensor_is_an_error_that_shows_how_to_wrap(x, wrap, kind, part, share):
    model = models.strided()
    with pytest.raises(TypeError) as error:
        ShiftSmooth(lambda x: wrap(model(x)), share).attribute(x, 0)
    assert f"got {kind}: " in str(error.value)
    assert str(error.value).endswith(f"`lambda *args: model(*args){part}`")


def test_the_advice_for_a_tuple_works(x):
    inner = models.strided()
    model = lambda x: (inner(x), None)  # noqa: E731
    found = ShiftSmooth(lambda *args: model(*args)[0]).attribute(x, 0)
    assert torch.equal(found, ShiftSmooth(inner).attribute(x, 0))


def test_an_output_without_a_tensor_is_an_error_too(x):
    with pytest.raises(TypeError, match=r"forward_func: expected a tensor as output, got float$"):
        ShiftSmooth(lambda x: 1.0).attribute(x)


def test_rows_are_counted_as_examples_and_shifts(x):
    with pytest.raises(ValueError, match=r"per example, 2 examples x 3 shifts, got .* \(1,\)"):
        ShiftSmooth(lambda x: models.strided()(x)[:1]).attribute(x, 0, shifts_per_eval=3)
    with pytest.raises(ValueError, match=r"per example, 1 example x 11 shifts, got"):
        ShiftSmooth(lambda x: x.sum()).attribute(x[:1], shifts_per_eval=11)


def test_a_profile_with_one_index_is_an_error_that_says_what_is_missing(x):
    model = Profile()
    with pytest.raises(AssertionError, match=r"got 1, which chooses shape \(8,\).*sum\(-1\)"):
        ShiftSmooth(model).attribute(x, 1)
    ShiftSmooth(model).attribute(x, (1, 3))
    ShiftSmooth(lambda *args: model(*args).sum(-1)).attribute(x, 1)


def test_no_target_where_one_is_needed_is_an_error_that_shows_the_outputs(x):
    with pytest.raises(AssertionError, match=r"outputs have shape \(3, 8\) per example, got None"):
        ShiftSmooth(Profile()).attribute(x)


@pytest.mark.parametrize(
    "wrap",
    [
        torch.no_grad(),
        lambda model: lambda x: model(x).detach(),
        lambda model: lambda x: model(x).argmax(1, keepdim=True),
    ],
    ids=["no_grad", "detach", "integers"],
)
@pytest.mark.parametrize("share", [False, True])
def test_a_forward_without_a_graph_is_an_error_that_says_so(x, wrap, share):
    with pytest.raises(ValueError, match=r"without a graph: .*no_grad, detach"):
        ShiftSmooth(wrap(models.strided().forward), share).attribute(x, 0)


def fixed(x):
    if len(x) != 2:
        raise RuntimeError(f"expected 2 rows, got {len(x)}")
    return models.strided()(x)


def test_a_fixed_batch_size_is_an_error_that_says_what_helps(x):
    with pytest.raises(RuntimeError, match="expected 2 rows") as error:
        ShiftSmooth(fixed).attribute(x, 0, max_shift=2)
    (note,) = error.value.__notes__
    assert "2 examples x 5 shifts" in note and "shifts_per_eval=1" in note
    expected = ShiftSmooth(models.strided()).attribute(x, 0, max_shift=2)
    found = ShiftSmooth(fixed).attribute(x, 0, max_shift=2, shifts_per_eval=1)
    torch.testing.assert_close(found, expected)


def test_a_static_export_is_an_error_that_says_what_helps(x):
    model = models.strided()
    exported = torch.export.export(model, (x,)).module()
    with pytest.raises(Exception) as error:
        ShiftSmooth(exported).attribute(x, 0)
    assert any("shifts_per_eval=1" in note for note in error.value.__notes__)
    found = ShiftSmooth(exported).attribute(x, 0, shifts_per_eval=1)
    torch.testing.assert_close(found, ShiftSmooth(model).attribute(x, 0))


def test_a_method_inside_gets_the_same_advice(x):
    with pytest.raises(RuntimeError) as error:
        ShiftSmooth(IntegratedGradients(fixed)).attribute(x, 0, n_steps=1, shifts_per_eval=3)
    assert any("shifts_per_eval=1" in note for note in error.value.__notes__)


def test_a_layer_gets_the_same_advice(x):
    model = models.strided()

    def f(x):
        return fixed(x) + 0 * model(x)

    with pytest.raises(RuntimeError) as error:
        LayerShiftSmooth(f, model.conv).attribute(x, 0, attribute_to_layer_input=True)
    assert any("shifts_per_eval=1" in note for note in error.value.__notes__)


def test_an_input_without_a_batch_is_an_error_that_says_how_to_give_one():
    model = models.strided()
    x = torch.randn(4, 16).double()
    with pytest.raises(RuntimeError) as error:
        ShiftSmooth(model).attribute(x, 0)
    assert any("taken as 4 examples" in n and "x[None]" in n for n in error.value.__notes__)
    ShiftSmooth(model).attribute(x[None], 0)


def test_an_error_of_the_models_own_gets_no_note(x):
    def broken(x):
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine") as error:
        ShiftSmooth(broken).attribute(x, shifts_per_eval=3)
    assert not hasattr(error.value, "__notes__")
