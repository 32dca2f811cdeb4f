"""ShiftSmooth of gradients against the loop that defines it, on every kind of model and call."""

import functools
import warnings

import numpy as np
import pytest
import torch
from captum.attr import Saliency
from captum.metrics import infidelity, sensitivity_max
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from shiftsmooth import ShiftSmooth
from tests.support import models
from tests.support.calls import calls
from tests.support.naive import gradient, naive

EXACT = {"atol": 1e-10, "rtol": 1e-10}


def close(found, expected, **tolerance):
    found = found if isinstance(found, tuple) else (found,)
    assert len(found) == len(expected)
    for a, b in zip(found, expected):
        torch.testing.assert_close(a.double(), b, **(tolerance or EXACT))


def around(n):
    return tuple(range(-n, n + 1))


@pytest.fixture
def x():
    return torch.randn(3, 4, 16, dtype=torch.float64)


@settings(deadline=None, max_examples=150)
@given(calls(), st.booleans())
def test_it_is_the_naive_loop_for_any_call(call, abs):
    model = models.mixer(*call.windows)
    expected = call.naive(gradient(lambda *xs: model(*xs)[:, 1], abs))
    close(ShiftSmooth(model).attribute(call.inputs, 1, abs=abs, **call.options), expected)


@pytest.mark.parametrize("max_shift", [0, 1, 5, 15])
def test_max_shift_stands_for_all_shifts_up_to_it(x, max_shift):
    model = models.strided()
    expected = naive(gradient(lambda x: model(x)[:, 0]), (x,), around(max_shift), ((-1,),))
    close(ShiftSmooth(model).attribute(x, target=0, max_shift=max_shift), expected)


def test_max_shift_is_five_when_not_given(x):
    smooth = ShiftSmooth(models.strided())
    assert torch.equal(smooth.attribute(x, 0), smooth.attribute(x, 0, max_shift=5))


def test_without_shifts_it_is_the_signed_gradient_exactly(x):
    model = models.strided()
    expected = Saliency(model).attribute(x.clone().requires_grad_(), target=1, abs=False)
    assert torch.equal(ShiftSmooth(model).attribute(x, target=1, max_shift=0), expected)


def test_it_is_the_gradient_of_the_mean_over_shifted_copies(x):
    model = models.strided()
    leaf = x.clone().requires_grad_()
    mean = torch.stack([model(leaf.roll(n, -1))[:, 1] for n in around(3)]).mean(0)
    mean.sum().backward()
    close(ShiftSmooth(model).attribute(x, 1, max_shift=3), (leaf.grad,))


def test_a_model_that_ignores_shifts_is_explained_as_without_them(x):
    model = models.circular()
    expected = Saliency(model).attribute(x.clone().requires_grad_(), target=0, abs=False)
    close(ShiftSmooth(model).attribute(x, target=0, max_shift=4), (expected,))


def test_a_model_that_does_not_is_explained_otherwise(x):
    smooth = ShiftSmooth(models.strided())
    none, some = (smooth.attribute(x, target=0, max_shift=n) for n in (0, 2))
    assert (none - some).abs().max() > 0.01


@pytest.mark.parametrize("shifts_per_eval", [1, 2, 3, 7, 8, 100])
def test_the_result_does_not_depend_on_how_many_shifts_run_at_once(x, shifts_per_eval):
    smooth = ShiftSmooth(models.strided())
    found = smooth.attribute(x, [0, 1, 0], max_shift=3, shifts_per_eval=shifts_per_eval)
    close(found, (smooth.attribute(x, [0, 1, 0], max_shift=3),))


def test_a_tensor_gives_a_tensor_and_a_tuple_a_tuple(x):
    smooth = ShiftSmooth(models.strided())
    alone, wrapped = smooth.attribute(x, 0), smooth.attribute((x,), 0)
    assert isinstance(alone, torch.Tensor) and isinstance(wrapped, tuple)
    assert torch.equal(alone, wrapped[0])


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.float16, torch.bfloat16])
@pytest.mark.parametrize(
    ("options", "reduction"),
    [
        ({}, np.nanmean),
        ({"abs": True}, np.nanmean),
        ({"reduction": "mean_square"}, lambda each, axis: np.square(each).mean(axis)),
    ],
    ids=["mean", "abs", "mean_square"],
)
def test_sums_are_taken_in_float32_at_least_and_the_result_has_the_inputs_type(
    dtype, options, reduction
):
    # 41 gradients, each rounded by the model; the mean of them is rounded once more, not 41 times.
    model = models.mixer((2, 48), dtype=dtype)
    x = torch.randn(2, 2, 48).to(dtype)
    expected = naive(
        gradient(lambda x: model(x)[:, 0], options.get("abs", False)),
        (x,),
        around(20),
        ((-1,),),
        reduction=reduction,
    )
    found = ShiftSmooth(model).attribute(x, 0, max_shift=20, **options)
    assert found.dtype == dtype
    eps = torch.finfo(dtype).eps
    close(found, expected, rtol=0.51 * eps + 1e-6 * (eps > 1e-8), atol=max(1e-8, eps * 1e-3))


def test_absolute_gradients_do_not_cancel(x):
    smooth = ShiftSmooth(models.strided())
    signed, absolute = smooth.attribute(x, 0), smooth.attribute(x, 0, abs=True)
    assert (absolute >= signed.abs() - 1e-12).all()
    assert (absolute > signed.abs() + 1e-3).any()


# Inputs and arguments


def test_inputs_of_different_lengths_are_rolled_along_dims_of_their_own():
    inputs = torch.randn(2, 4, 9), torch.randn(2, 5, 3), torch.randn(2, 6)
    inputs = tuple(x.double() for x in inputs)
    model = models.mixer((4, 9), (5, 3), (6,))
    dims = ((-1,), (-2,), ())
    expected = naive(gradient(lambda *xs: model(*xs)[:, 1]), inputs, around(3), dims)
    found = ShiftSmooth(model).attribute(inputs, 1, max_shift=3, dim=(2, 1, None))
    assert isinstance(found, tuple)
    close(found, expected)


def test_an_image_is_rolled_along_two_dimensions_together():
    x = torch.randn(2, 3, 6, 7, dtype=torch.float64)
    model = models.mixer((3, 6, 7))
    expected = naive(gradient(lambda x: model(x)[:, 0]), (x,), around(2), ((-2, -1),))
    close(ShiftSmooth(model).attribute(x, 0, max_shift=2, dim=(-2, -1)), expected)


def test_a_mask_rolls_with_the_sequence_when_named(x):
    model = models.strided()
    mask = torch.rand(3, 16).double().round()
    scale = torch.rand(3, 1).double()

    def masked(x, scale, mask):
        return model(x * mask.unsqueeze(-2)) * scale

    def attribute(copies, move):
        moved = move(mask, -1)
        return gradient(lambda x, s, m: masked(x, s, m)[:, 0])((copies[0], scale, moved))[:1]

    expected = naive(attribute, (x,), around(4), ((-1,),), region=(2, 15))
    found = ShiftSmooth(masked).attribute(
        x, 0, (scale, mask), max_shift=4, roll_args=(1,), region=(2, 15)
    )
    close(found, expected)
    unrolled = ShiftSmooth(masked).attribute(x, 0, (scale, mask), max_shift=4, region=(2, 15))
    assert (found - unrolled).abs().max() > 1e-3


@pytest.mark.parametrize("shape", [(16,), (1, 16), (1, 1, 16), (3, 1, 16), (3, 16), (4, 16)])
@pytest.mark.parametrize("batch", [1, 3, 16])
@pytest.mark.parametrize("edges", ["circular", "flanks"])
def test_an_argument_that_rolls_may_have_a_batch_or_not(shape, batch, edges):
    shape = (batch, *shape[1:]) if shape[0] == 3 else shape
    track = torch.rand(shape).double()
    x = torch.randn(batch, 4, 16).double()
    model = models.mixer((4, 16 if edges == "circular" else 12))

    def tracked(x, track):
        rows = track.dim() == 2 and track.size(0) != 4
        return model(x * (track.unsqueeze(-2) if rows else track))[:, 0]

    def attribute(copies, move):
        leaf = copies[0].clone().requires_grad_()
        return torch.autograd.grad(tracked(leaf, move(track, -1)).sum(), leaf)

    expected = naive(attribute, (x,), around(2), ((-1,),), edges=edges)
    options = {"max_shift": 2, "roll_args": [0], "edges": edges}
    close(ShiftSmooth(tracked).attribute(x, None, track, **options), expected)


class Keeper(nn.Module):
    """Remembers the arguments that came with each batch."""

    def __init__(self):
        super().__init__()
        self.calls = []

    def forward(self, x, *args):
        self.calls.append((len(x), args))
        return x.flatten(1).sum(1)


def test_arguments_with_a_row_per_example_are_repeated_and_others_passed_on(x):
    model = Keeper()
    rows, table, word = torch.arange(3.0)[:, None], torch.ones(7, 2), {"a": 1}
    args = (rows, table, None, "text", word, torch.tensor(3.0), 2)
    ShiftSmooth(model, share=False).attribute(x, None, args, max_shift=1, shifts_per_eval=3)
    ((size, found),) = model.calls
    assert size == 9
    assert found[0].tolist() == [[0.0], [1.0], [2.0]] * 3
    assert all(a is b for a, b in zip(found[1:], args[1:]))


def test_a_lone_argument_needs_no_tuple(x):
    model = Keeper()
    ShiftSmooth(model, share=False).attribute(x, None, "word", max_shift=1, shifts_per_eval=3)
    assert model.calls == [(9, ("word",))]


def test_an_ambiguous_argument_is_explained_in_the_error(x):
    def scaled(x, scale):  # three numbers, by chance as many as examples
        return (x * torch.cat([scale, torch.ones(1).double()])[:, None]).flatten(1).sum(1)

    smooth = ShiftSmooth(scaled)
    scale = torch.arange(3.0).double()
    with pytest.raises(RuntimeError) as error:
        smooth.attribute(x, None, scale, max_shift=1, shifts_per_eval=3)
    rows, note = error.value.__notes__
    assert "the 3 examples of one shift, and failed on 3 examples x 3 shifts" in rows
    for part in ("additional_forward_args[0]", "(3,)", "repeated 3 times", "functools.partial"):
        assert part in note
    bound = ShiftSmooth(functools.partial(scaled, scale=scale)).attribute(x, max_shift=1)
    close(smooth.attribute(x, None, scale, max_shift=1, shifts_per_eval=1), (bound,))


@pytest.mark.parametrize(("args", "shifts_per_eval"), [((), 3), ((torch.ones(3),), 1)])
def test_an_error_that_no_repeated_argument_caused_gets_no_note(x, args, shifts_per_eval):
    def broken(x, *args):
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine") as error:
        ShiftSmooth(broken).attribute(x, None, args, shifts_per_eval=shifts_per_eval)
    assert not hasattr(error.value, "__notes__")


# Flanks


def test_with_flanks_each_position_averages_the_windows_that_contain_it():
    weights = torch.tensor([1.0, 10.0, 100.0])
    found = ShiftSmooth(lambda x: (x * weights).sum((1, 2))).attribute(
        torch.zeros(1, 1, 5), max_shift=1, edges="flanks"
    )
    expected = [1, (10 + 1) / 2, (100 + 10 + 1) / 3, (100 + 10) / 2, 100]
    torch.testing.assert_close(found[0, 0], torch.tensor(expected))


def test_with_flanks_a_valid_convolution_is_explained_as_on_the_whole_sequence(x):
    conv = nn.Conv1d(4, 5, 3).double()

    def f(x):
        return conv(x).tanh().sum((1, 2))

    whole = Saliency(f).attribute(x.clone().requires_grad_(), abs=False)
    found = ShiftSmooth(f).attribute(x, max_shift=2, edges="flanks")
    inner = slice(6, 10)  # a filter's reach away from the end of every window that contains it
    close(found[..., inner], (whole[..., inner],))
    assert (found - whole).abs().max() > 1e-3


def test_with_flanks_only_inputs_with_a_sequence_carry_them():
    inputs = torch.randn(2, 4, 10).double(), torch.randn(2, 7, 3).double(), torch.randn(2, 6)
    inputs = (*inputs[:2], inputs[2].double())
    model = models.mixer((4, 6), (3, 3), (6,))
    dims = ((-1,), (-2,), ())
    expected = naive(
        gradient(lambda *xs: model(*xs)[:, 0]), inputs, around(2), dims, edges="flanks"
    )
    found = ShiftSmooth(model).attribute(inputs, 0, max_shift=2, dim=(-1, 1, None), edges="flanks")
    close(found, expected)


def test_with_flanks_the_model_sees_real_neighbours_only():
    seen = []

    def f(x):
        seen.append(x.detach().clone())
        return x.flatten(1).sum(1)

    x = torch.arange(7.0).reshape(1, 1, 7)
    ShiftSmooth(f).attribute(x, max_shift=2, edges="flanks", shifts_per_eval=1)
    assert [s.flatten().tolist() for s in seen] == [
        [4, 5, 6],
        [3, 4, 5],
        [2, 3, 4],
        [1, 2, 3],
        [0, 1, 2],
    ]


# Models


class Recurrent(nn.Module):
    def __init__(self, kind):
        super().__init__()
        self.rnn = kind(4, 5, batch_first=True, bidirectional=True)
        self.head = nn.Linear(10, 2)

    def forward(self, x):
        return self.head(self.rnn(x)[0][:, -1])


class Attentive(nn.Module):
    def __init__(self):
        super().__init__()
        layer = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)
        self.embed = nn.Linear(4, 8)
        self.position = nn.Parameter(torch.randn(12, 8))
        self.encoder = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        self.head = nn.Linear(8, 2)

    def forward(self, x):
        return self.head(self.encoder(self.embed(x) + self.position)[:, 0])


@pytest.mark.parametrize(
    "build",
    [lambda: Recurrent(nn.LSTM), lambda: Recurrent(nn.GRU), Attentive],
    ids=["lstm", "gru", "transformer"],
)
def test_models_with_the_sequence_first(build):
    model = build().double().eval()
    x = torch.randn(2, 12, 4).double()
    expected = naive(gradient(lambda x: model(x)[:, 1]), (x,), around(3), ((1,),))
    close(ShiftSmooth(model).attribute(x, 1, max_shift=3, dim=1), expected)


@pytest.mark.parametrize("wrap", [nn.DataParallel, torch.jit.script], ids=["parallel", "scripted"])
def test_wrapped_models_give_what_the_bare_one_gives(x, wrap):
    model = models.strided()
    expected = ShiftSmooth(model).attribute(x, [1, 0, 1])
    close(ShiftSmooth(wrap(model)).attribute(x, [1, 0, 1]), (expected,))


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["eager", "aot_eager"])
def test_compiled_models_give_what_the_bare_one_gives(x, backend):
    model = models.strided()
    compiled = torch.compile(model, backend=backend)
    expected = ShiftSmooth(model).attribute(x, [1, 0, 1], max_shift=3)
    for shifts_per_eval in (None, 2):
        found = ShiftSmooth(compiled).attribute(
            x, [1, 0, 1], max_shift=3, shifts_per_eval=shifts_per_eval
        )
        close(found, (expected,))


def test_a_model_that_changes_its_input_in_place_works(x):
    def f(x):
        return model(x.mul_(2))

    model = models.strided()
    before = x.clone()
    expected = ShiftSmooth(lambda x: model(x * 2)).attribute(x, 0)
    close(ShiftSmooth(f).attribute(x, 0), (expected,))
    assert torch.equal(x, before)


def test_any_callable_is_explained(x):
    model = models.strided()
    expected = ShiftSmooth(model).attribute(x, 1)
    for f in (model.forward, lambda x: model(x), functools.partial(nn.Module.__call__, model)):
        close(ShiftSmooth(f).attribute(x, 1), (expected,))


def test_an_rnn_that_cudnn_cannot_differentiate_gets_advice(x):
    def f(x):  # what cuDNN raises, on a machine that may have none
        raise RuntimeError("cudnn RNN backward can only be called in training mode")

    with pytest.raises(RuntimeError, match=r"rnn.train\(\).*cudnn.flags\(enabled=False\)") as error:
        ShiftSmooth(f).attribute(x)
    assert "training mode" in str(error.value.__cause__)


# Errors


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"max_shift": 16}, ValueError, r"max_shift.* below 16, .* inputs\[0\] along dim -1, got"),
        ({"shifts": [-16]}, ValueError, "got 16"),
        ({"shifts": [1, 1]}, ValueError, "shifts: expected every shift once"),
        ({"max_shift": 1.0}, TypeError, "max_shift: expected an integer, got 1.0"),
        ({"dim": 0}, ValueError, "dim: .* got 0, the batch"),
        ({"dim": 3}, ValueError, "dim: expected a dimension .* got 3"),
        ({"region": (4, 20)}, ValueError, r"region: expected .* 16, .* got \(4, 20\)"),
        ({"region": (4, 8), "max_shift": 4}, ValueError, "below 4"),
        (
            {"roll_args": (0,)},
            ValueError,
            r"roll_args: expected .* got 0; .* holds \[\]",
        ),
        ({"roll_args": 0}, TypeError, "roll_args: expected integers, got 0"),
        ({"edges": "reflect"}, ValueError, "edges: expected 'circular' or 'flanks', got 'reflect'"),
        (
            {"edges": "flanks", "max_shift": 8},
            ValueError,
            r"inputs\[0\]: .* flanks of 8 .* got 16",
        ),
        ({"reduction": "mode"}, ValueError, "reduction: expected one of .*, got 'mode'"),
        ({"shifts_per_eval": 0}, ValueError, "shifts_per_eval: expected None or 1 or more, got 0"),
        ({"shifts_per_eval": 1.5}, TypeError, "shifts_per_eval: expected an integer, got 1.5"),
        ({"n_steps": 5}, TypeError, r"n_steps: expected an argument of ShiftSmooth"),
    ],
)
def test_a_bad_argument_is_an_error_that_names_it(x, options, error, message):
    with pytest.raises(error, match=message):
        ShiftSmooth(models.strided()).attribute(x, 0, **options)


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (("word",), r"roll_args: expected .* a sequence dimension, got 0; .*\['str'\]"),
        ((torch.tensor(1.0),), "roll_args: expected .* got 0"),
        (
            (torch.zeros(3, 9),),
            r"additional_forward_args\[0\]: expected .* 16, .* in shape \(3, 9\)",
        ),
    ],
)
def test_an_argument_that_cannot_roll_is_an_error(x, args, message):
    with pytest.raises(ValueError, match=message):
        ShiftSmooth(models.strided()).attribute(x, 0, args, roll_args=(0,))


def test_an_argument_cannot_roll_where_no_input_does(x):
    with pytest.raises(ValueError, match="roll_args: expected an input that is shifted, got dim="):
        ShiftSmooth(models.strided()).attribute(x, 0, x, dim=None, roll_args=(0,))


@pytest.mark.parametrize(
    ("inputs", "error", "message"),
    [
        (
            torch.zeros(0, 4, 16),
            ValueError,
            r"inputs\[0\]: expected ex.*, got shape \(0, 4, 16\)",
        ),
        ((torch.zeros(2, 16), torch.zeros(3, 16)), ValueError, r"\[\(2, 16\), \(3, 16\)\]"),
        (torch.tensor(1.0), ValueError, "inputs: expected .* one first dimension"),
        ([torch.zeros(2, 16)], TypeError, r"inputs\[0\]: expected a tensor, got list"),
        ((torch.zeros(2, 16), None), TypeError, r"inputs\[1\]: expected a tensor, got NoneType"),
        (
            torch.zeros(2, 16).int(),
            TypeError,
            r"inputs\[0\]: .* torch.int32, .* LayerShiftSmooth",
        ),
        (torch.zeros(2, 16).bool(), TypeError, r"x.float\(\)"),
    ],
)
def test_bad_inputs_are_an_error_that_says_what_came(inputs, error, message):
    with pytest.raises(error, match=message):
        ShiftSmooth(lambda *xs: sum(x.flatten(1).sum(1) for x in xs)).attribute(inputs, max_shift=1)


@pytest.mark.parametrize("f", [lambda x: x.sum(), lambda x: x.flatten(1).sum(1)[:1]])
def test_a_model_without_a_row_per_example_is_an_error(x, f):
    with pytest.raises(ValueError, match=r"forward_func: .* row per example, 3 examples, got"):
        ShiftSmooth(f).attribute(x, max_shift=1, shifts_per_eval=1)


def test_something_that_cannot_be_called_is_an_error():
    with pytest.raises(TypeError, match=r"forward_func: .* a captum Attribution, got int"):
        ShiftSmooth(3)


@pytest.mark.parametrize("share", ["yes", 2, nn.Identity()], ids=str)
def test_share_is_true_false_or_auto(share):
    with pytest.raises(ValueError, match=r"share: expected True, False or 'auto', got"):
        ShiftSmooth(nn.Identity(), share)


def test_another_attribution_shares_nothing_and_says_so(x):
    smooth = ShiftSmooth(Saliency(models.strided()), share=True)
    smooth.attribute(x, 0)
    assert not smooth.sharing.shared and "another attribution" in smooth.sharing.reason


@pytest.mark.parametrize(("trunk", "share"), [("auto", "'auto'"), (nn.Identity(), "True")])
def test_trunk_is_deprecated_and_says_what_to_write_instead(trunk, share):
    with pytest.warns(DeprecationWarning, match=f"use share={share}") as caught:
        ShiftSmooth(nn.Conv1d(4, 5, 3), trunk=trunk)
    assert caught[0].filename == __file__


def test_a_trunk_of_another_kind_is_an_error():
    with pytest.raises(ValueError, match="trunk: expected a module, 'auto' or None, got 'first'"):
        ShiftSmooth(nn.Conv1d(4, 5, 3), trunk="first")


# Captum's metrics


def test_infidelity_to_the_mean_of_a_linear_model_over_shifts_is_nothing():
    f = nn.Sequential(nn.Flatten(), nn.Linear(64, 1)).double()
    x = torch.randn(3, 4, 16).double()

    def mean(x):
        return torch.stack([f(x.roll(n, -1)) for n in around(3)]).mean(0)

    def perturbed(x):
        noise = torch.randn_like(x)
        return noise, x - noise

    attribution = ShiftSmooth(f).attribute(x, max_shift=3)
    close(infidelity(mean, perturbed, x, attribution), (torch.zeros(3).double(),))
    assert (infidelity(f, perturbed, x, attribution) > 1e-3).all()


def test_its_sensitivity_on_a_linear_model_is_nothing(x):
    f = nn.Sequential(nn.Flatten(), nn.Linear(64, 1)).double()
    close(sensitivity_max(ShiftSmooth(f).attribute, x), (torch.zeros(3).double(),))


def test_it_is_less_sensitive_to_noise_than_the_gradient():
    attribute = ShiftSmooth(models.strided()).attribute
    x = torch.randn(20, 4, 16).double()
    options = {"target": 0, "n_perturb_samples": 20, "perturb_radius": 0.3}
    plain, smooth = (
        sensitivity_max(attribute, x, max_shift=n, **options).mean().item() for n in (0, 5)
    )
    assert 0 < smooth < 0.9 * plain


# Resources


class Rows(nn.Module):
    """A model that saves much for its backward pass and notes how many rows it sees."""

    def __init__(self, at_most=None):
        super().__init__()
        self.seen = []
        self.at_most = at_most
        self.weight = nn.Parameter(torch.ones(16))

    def forward(self, x, *args):
        self.seen.append(x.size(0))
        if self.at_most is not None and x.size(0) > self.at_most:
            raise torch.OutOfMemoryError("not today")
        return (x * self.weight).sin().exp().flatten(1).sum(1)


class Ledger:
    """The largest number of bytes that autograd keeps at any time."""

    class _Packed:
        def __init__(self, ledger, tensor):
            self.ledger, self.tensor = ledger, tensor.detach()
            ledger.now += tensor.nbytes
            ledger.peak = max(ledger.peak, ledger.now)

        def __del__(self):
            self.ledger.now -= self.tensor.nbytes

    def __init__(self):
        self.now = self.peak = 0

    def hooks(self):
        return torch.autograd.graph.saved_tensors_hooks(
            lambda t: self._Packed(self, t), lambda p: p.tensor
        )


def peak(x, **options):
    ledger = Ledger()
    with ledger.hooks():
        ShiftSmooth(Rows()).attribute(x, **options)
    assert ledger.now == 0
    return ledger.peak


@pytest.mark.parametrize("options", [{}, {"abs": True}])
def test_memory_grows_with_shifts_per_eval_and_not_with_max_shift(x, options):
    few, many = (peak(x, max_shift=n, shifts_per_eval=2, **options) for n in (2, 7))
    assert few == many > 0
    double = peak(x, max_shift=7, shifts_per_eval=4, **options)
    assert 1.8 * few < double <= 2 * few


def test_no_more_rows_run_at_once_than_asked_for(x):
    model = Rows()
    ShiftSmooth(model, share=False).attribute(x, max_shift=5, shifts_per_eval=4)
    assert max(model.seen) == 12
    assert sum(model.seen) == 33


def test_out_of_memory_halves_the_batch_and_goes_on():
    # The meta device stands for a GPU: all at once is tried first, and nothing is computed.
    model = Rows(at_most=10).to("meta")
    found = ShiftSmooth(model, share=False).attribute(
        torch.empty(3, 4, 16, device="meta"), max_shift=5
    )
    assert found.shape == (3, 4, 16)
    assert model.seen == [33, 15, 6, 6, 6, 6, 6, 3]


@pytest.mark.parametrize("share", [True, "auto"])
def test_out_of_memory_at_the_decision_to_share_is_no_error(x, share):
    model, x = Rows(at_most=10), x.float()
    smooth = ShiftSmooth(model, share)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = smooth.attribute(x, max_shift=5)
    assert model.seen[0] == 11  # shifts of one example
    close(found, (ShiftSmooth(Rows()).attribute(x, max_shift=5).double(),), atol=1e-6, rtol=1e-6)


@pytest.mark.parametrize("shifts_per_eval", [11, 4])
def test_out_of_memory_at_a_size_that_was_asked_for_is_raised(shifts_per_eval):
    model = Rows(at_most=10).to("meta")
    x = torch.empty(3, 4, 16, device="meta")
    with pytest.raises(torch.OutOfMemoryError, match="not today") as error:
        ShiftSmooth(model, share=False).attribute(
            x, None, x, max_shift=5, shifts_per_eval=shifts_per_eval
        )
    assert model.seen == [3 * shifts_per_eval]
    assert not hasattr(error.value, "__notes__")  # the arguments are not to blame


def test_out_of_memory_where_the_target_is_taken_does_not_blame_the_target(x):
    class Full(torch.Tensor):
        @classmethod
        def __torch_function__(cls, func, types, args=(), kwargs=None):
            if func is torch.Tensor.__getitem__:
                raise torch.OutOfMemoryError("not today")
            return super().__torch_function__(func, types, args, kwargs)

    model = models.strided()
    with pytest.raises(torch.OutOfMemoryError, match="not today"):
        ShiftSmooth(lambda x: model(x).as_subclass(Full), share=False).attribute(x, 0, max_shift=1)


def test_out_of_memory_with_a_single_shift_is_raised():
    model = Rows(at_most=2).to("meta")
    with pytest.raises(torch.OutOfMemoryError, match="not today"):
        ShiftSmooth(model, share=False).attribute(torch.empty(3, 4, 16, device="meta"), max_shift=1)
    assert model.seen == [9, 3]


def test_progress_counts_the_shifts(x, capsys):
    ShiftSmooth(models.strided()).attribute(x, 0, max_shift=2, show_progress=True)
    shown = "".join(capsys.readouterr())
    assert "Shifts" in shown and "5/5" in shown


def test_no_progress_is_shown_unasked(x, capsys):
    ShiftSmooth(models.strided()).attribute(x, 0, max_shift=2)
    assert capsys.readouterr() == ("", "")


needs_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")


@pytest.mark.gpu
@needs_gpu
@pytest.mark.parametrize("options", [{}, {"abs": True}, {"edges": "flanks", "max_shift": 0}])
def test_a_gpu_gives_what_the_cpu_gives(options):
    model = models.strided().float()
    x = torch.randn(3, 4, 16)
    expected = ShiftSmooth(model).attribute(x, [0, 1, 1], **options)
    found = ShiftSmooth(model.cuda()).attribute(x.cuda(), [0, 1, 1], **options)
    torch.testing.assert_close(found.cpu(), expected, atol=1e-5, rtol=1e-5)


@pytest.mark.gpu
@needs_gpu
def test_a_gpu_that_runs_out_of_memory_goes_on_with_fewer_shifts():
    x = torch.randn(4, 4, 16, device="cuda")

    def greedy(x):  # four of the eleven shifts at once are more than there is
        torch.empty(len(x) * (torch.cuda.mem_get_info()[1] // 14), dtype=torch.uint8, device="cuda")
        return x.sin().flatten(1).sum(1)

    torch.testing.assert_close(
        ShiftSmooth(greedy).attribute(x), ShiftSmooth(lambda x: x.sin().sum((1, 2))).attribute(x)
    )
    with pytest.raises(torch.OutOfMemoryError):
        ShiftSmooth(greedy).attribute(x, shifts_per_eval=11)


@pytest.mark.gpu
@needs_gpu
def test_an_rnn_in_eval_mode_on_cudnn_gets_advice():
    model = Recurrent(nn.LSTM).cuda().eval()
    x = torch.randn(2, 12, 4, device="cuda")
    with pytest.raises(RuntimeError, match=r"cudnn\.flags"):
        ShiftSmooth(model).attribute(x, 0, dim=1)
    with torch.backends.cudnn.flags(enabled=False):
        assert ShiftSmooth(model).attribute(x, 0, dim=1).shape == x.shape
