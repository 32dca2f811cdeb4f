"""Models made to deceive: each is followed exactly, or refused, and the result is right."""

import gc
import warnings
import weakref

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from shiftsmooth import ShiftSmooth
from shiftsmooth.sharing.windows import NotShareable, Windows
from tests.support.sharing import (
    Net,
    attributed,
    check_refused,
    check_shared,
    close,
    expected,
    one_hot,
)


@pytest.fixture
def x():
    return one_hot(3, 30)


# The gradient is not what the outputs tell.


class Swish(torch.autograd.Function):
    @staticmethod
    def forward(ctx, h):
        ctx.save_for_backward(h)
        return h * h.sigmoid()

    @staticmethod
    def backward(ctx, gradient):
        (h,) = ctx.saved_tensors
        s = h.sigmoid()
        return gradient * (s + h * s * (1 - s))


class Reversal(torch.autograd.Function):
    @staticmethod
    def forward(ctx, h):
        return h

    @staticmethod
    def backward(ctx, gradient):
        return -gradient


class ReversalOfAView(Reversal):
    @staticmethod
    def forward(ctx, h):
        return h.view_as(h)


class StraightThrough(Reversal):
    @staticmethod
    def forward(ctx, h):
        return (h > 0).to(h.dtype)


class GuidedReLU(torch.autograd.Function):
    @staticmethod
    def forward(ctx, h):
        ctx.save_for_backward(h)
        return h.clamp(min=0)

    @staticmethod
    def backward(ctx, gradient):
        (h,) = ctx.saved_tensors
        return gradient.clamp(min=0) * (h > 0)


class OnlyItsShape(Reversal):
    """Looks at nothing of its argument but the shape, and gives it a gradient all the same."""

    @staticmethod
    def forward(ctx, h, other):
        return other * h.shape[1]

    @staticmethod
    def backward(ctx, gradient):
        return gradient.clone(), gradient * gradient.shape[1]


class NotEvenItsShape(OnlyItsShape):
    @staticmethod
    def forward(ctx, h, other):
        return other * 1.0

    @staticmethod
    def backward(ctx, gradient):
        return 3 * gradient, gradient


class Sparsemax(torch.autograd.Function):
    @staticmethod
    def forward(ctx, h):
        ordered, _ = h.sort(1, descending=True)
        ranks = torch.arange(1, h.shape[1] + 1, dtype=h.dtype)[:, None]
        inside = 1 + ranks * ordered > ordered.cumsum(1)
        count = inside.sum(1, keepdim=True)
        threshold = ((ordered * inside).sum(1, keepdim=True) - 1) / count
        result = (h - threshold).clamp(min=0)
        ctx.save_for_backward(result)
        return result

    @staticmethod
    def backward(ctx, gradient):
        (result,) = ctx.saved_tensors
        inside = (result > 0).to(gradient.dtype)
        mean = (gradient * inside).sum(1, keepdim=True) / inside.sum(1, keepdim=True)
        return inside * (gradient - mean)


@pytest.mark.parametrize(
    "function", [Swish, Reversal, ReversalOfAView, StraightThrough, GuidedReLU, Sparsemax]
)
def test_a_custom_function_on_shared_tensors_is_refused(x, function):
    check_refused(Net(function.apply), x, "gradients are switched off")


@pytest.mark.parametrize("function", [Swish, Reversal, GuidedReLU, Sparsemax])
def test_a_custom_function_behind_the_end_of_sharing_is_as_always(x, function):
    weights = torch.randn(180, 2, dtype=torch.float64)

    def head(h):
        return function.apply(h.flatten(1).sin()[..., None])[..., 0] @ weights

    check_shared(Net(lambda h: h, channels=6, second=False, head=head), x, "flatten")


def test_a_custom_function_that_sees_a_shape_only_is_refused(x):
    model = Net(lambda h: OnlyItsShape.apply(h, torch.ones(h.shape[0], 6, 30).double()) + h)
    found, told = attributed(model, x)
    assert not told.shared
    close(found, expected(model, x))


def test_a_custom_function_that_sees_nothing_is_refused(x):
    model = Net(lambda h: h, head=lambda h: (a := h.amax(-1)) + NotEvenItsShape.apply(h, a))
    model.head = lambda h: NotEvenItsShape.apply(h, h.sum(-1, keepdim=True) * torch.ones(30)).sum(2)
    found, told = attributed(model, x)
    assert not told.shared
    close(found, expected(model, x))


def test_a_gradient_that_is_lost_to_no_grad_is_refused(x):
    def half(h):
        with torch.no_grad():
            scale = h.abs() + 1
        return h / scale

    check_refused(Net(half), x, "gradients are switched off")


def test_activation_checkpointing_is_refused(x):
    from torch.utils.checkpoint import checkpoint

    model = Net(lambda h: checkpoint(torch.tanh, h, use_reentrant=False))
    found, told = attributed(model, x)
    assert not told.shared
    close(found, expected(model, x))


def halve(h):
    if h.requires_grad:
        h.register_hook(lambda gradient: gradient / 2)
    return h


def test_a_hook_of_a_tensor_is_refused(x):
    check_refused(Net(halve), x, "`register_hook`")


def test_a_hook_of_a_tensor_behind_the_end_of_sharing_is_refused(x):
    model = Net(lambda h: h, head=lambda h: halve(h.flatten(1).tanh())[:, :2])
    check_refused(model, x, "`register_hook`")


@pytest.mark.parametrize("name", ["requires_grad_", "retain_grad"])
def test_what_changes_the_graph_is_refused(x, name):
    model = Net(lambda h: [h, h.requires_grad and getattr(h, name)()][0])
    check_refused(model, x, name)


@pytest.mark.parametrize(
    "register",
    [
        lambda m: m.register_full_backward_hook(lambda m, i, o: tuple(g / 2 for g in i)),
        lambda m: m.register_full_backward_pre_hook(lambda m, o: tuple(g / 2 for g in o)),
    ],
)
def test_backward_hooks_of_a_module_are_refused(x, register):
    model = Net(torch.tanh)
    register(model.second)
    check_refused(model, x, "module 'second' has a backward hook")


def test_backward_hooks_that_the_model_is_not_seen_to_have_are_refused(x):
    inner = Net(torch.tanh)
    inner.second.register_full_backward_hook(lambda m, i, o: tuple(g / 2 for g in i))
    hidden = {"deep": [[[[[inner]]]]]}

    class Hides:
        def __call__(self, x):
            return hidden["deep"][0][0][0][0][0](x)

    found, told = attributed(Hides(), x)
    assert not told.shared
    close(found, expected(inner, x))


def test_forward_hooks_see_what_they_always_see(x):
    model, seen = Net(torch.tanh), []
    model.second.register_forward_hook(lambda m, i, o: seen.extend([type(i[0]), type(o)]))
    check_refused(model, x, "module 'second' has a forward hook")
    assert set(seen) == {torch.Tensor}


def test_hooks_for_all_modules_are_refused(x):
    types = []
    handle = nn.modules.module.register_module_forward_hook(lambda m, i, o: types.append(type(o)))
    try:
        found, told = attributed(Net(torch.tanh), x)
    finally:
        handle.remove()
    assert not told.shared and set(types) == {torch.Tensor}
    close(found, expected(Net(torch.tanh), x))


def test_the_hook_of_weight_norm_only_makes_a_weight(x):
    model = Net(torch.tanh)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        nn.utils.weight_norm(model.second)
    check_shared(model, x)


# Writing.


def write_channels(h):
    h[:, :4].clamp_(max=0.3)
    return h


def write_view(h):
    h.view(h.shape[0], -1).clamp_(max=0.3)
    return h


def write_transposed(h):
    h.transpose(1, 2).clamp_(max=0.3)
    return h


def write_item(h):
    h[:, :, 2] = 0
    return h


def write_select(h):
    h[..., 0].clamp_(max=0.3)
    return h


def write_chunk(h):
    h.tensor_split(2, 1)[0][:, 1:].detach().relu_()
    return h


def write_detached(h):
    h.detach().clamp_(max=0.3)
    return h


def write_same(h):
    again = h.contiguous()
    again.relu_()
    return h


def write_dropped(h):
    again = F.dropout(h, 0.5, False)
    again.relu_()
    return h


def write_positive(h):
    again = +h
    again.relu_()
    return h


def write_converted(h):
    again = h.to(torch.float64)
    again.relu_()
    return h


def write_reshaped(h):
    again = h.reshape(h.shape[0], -1)
    again.relu_()
    return h


def write_flat_half(h):
    half = h[:, :3]
    flat = half.flatten(1)  # a copy in an ordinary model
    flat.relu_()
    return h


def write_data(h):
    flat = h.view(h.shape[0], -1)
    flat.data.clamp_(max=0.3)
    return h


def write_numpy(h):
    flat = h.view(h.shape[0], -1)
    flat.detach().numpy().clip(max=0.3, out=flat.detach().numpy())
    return h


def write_a_part_that_another_shares(h):
    padded = F.pad(h, (0, 1))
    h[..., 0].mul_(2)
    return padded[..., :-1] + h


WRITES = [value for name, value in list(globals().items()) if name.startswith("write_")]


@pytest.mark.parametrize("write", WRITES, ids=lambda f: f.__name__)
def test_a_write_that_another_view_sees_is_refused(x, write):
    model = Net(write)
    found, told = attributed(model, x)
    assert not told.shared
    close(found, expected(model, x))


@pytest.mark.parametrize("write", WRITES, ids=lambda f: f.__name__)
def test_a_write_that_only_a_later_call_reaches_is_refused_then(x, write):
    # The first call has nothing above the bound; the second has.
    model = Net(write)
    wide = Net(lambda h: write(h / 4) * 4)
    for net in (model, wide):
        smooth = ShiftSmooth(net, share=True)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            for scale in (0.01, 1):
                close(smooth.attribute(scale * x, 0, max_shift=3), expected(net, scale * x))


IN_PLACE = [
    lambda h: h.relu_(),
    lambda h: F.relu(h, True),
    lambda h: F.relu(input=h, inplace=True),
    lambda h: F.leaky_relu(h, 0.1, True),
    lambda h: h.clamp_(min=0).mul_(2).add_(1),
    lambda h: torch.relu_(h),
    nn.ELU(inplace=True),
    nn.Hardtanh(inplace=True),
]


@pytest.mark.parametrize("function", IN_PLACE)
def test_a_write_that_nobody_else_sees_is_followed(x, function):
    check_shared(Net(function), x)


def test_adding_a_branch_in_place_is_followed(x):
    def residual(h):
        kept = h.tanh()
        h += kept
        return h

    check_shared(Net(residual), x)


def test_adding_to_an_ordinary_tensor_in_place_is_as_always(x):
    def residual(h):
        total = h.cumsum(-1)
        total += h.tanh()
        return total

    check_shared(Net(residual), x, "cumsum")


def test_a_write_behind_the_end_of_sharing_is_as_always(x):
    model = Net(lambda h: h, head=lambda h: F.relu(h.flatten(1), inplace=True)[:, :2])
    check_shared(model, x, "flatten")


def test_a_write_into_an_item_leaves_copies_alone(x):
    def padded(h):
        copy = F.pad(h, (0, 1))
        h[..., 0].mul_(2)
        return copy[..., :-1]

    check_shared(Net(padded), x)


def test_a_write_that_a_view_written_out_before_sees_is_followed(x):
    def flat(h):
        view = h.flatten(1)
        h.relu_()
        return h + view.view(h.shape)

    check_shared(Net(flat), x, "flatten")


def test_a_write_into_what_was_written_out_is_followed(x):
    def cumulated(h):
        total = h.cumsum(-1)
        h += total
        return h

    check_shared(Net(cumulated), x, "cumsum")


def test_a_model_that_catches_the_refusal_does_not_hide_it(x):
    def careful(h):
        try:
            return Swish.apply(h)
        except Exception:
            return h

    check_refused(Net(careful), x, "gradients are switched off")


def test_a_write_into_a_buffer_is_refused(x):
    class Counts(Net):
        def forward(self, x):
            self.calls.add_(1)
            return super().forward(x)

    model = Counts(torch.tanh)
    model.register_buffer("calls", torch.zeros(()))
    check_refused(model, x, "changes a parameter or buffer")


def test_a_model_that_catches_an_error_of_a_transform_does_not_hide_it(x):
    def careful(h):
        try:
            return torch.func.vmap(torch.sin)(h)
        except Exception:
            return h

    found, told = attributed(Net(careful), x)
    assert not told.shared
    close(found, expected(Net(careful), x))


def test_a_write_of_what_has_a_gradient_into_what_has_none_is_refused(x):
    model = Net(lambda h: h.detach().clone().add_(h))
    check_refused(model, x, "writes what has a gradient into what has none")


def test_a_function_that_is_called_past_python_is_refused(x):
    def past(h):
        with torch._C.DisableTorchFunction():
            return h.tanh()

    check_refused(Net(past), x, "is called past Python")


def test_what_a_function_gives_back_unchanged_is_the_same_object(x):
    def same(h):
        total = h.cumsum(-1)
        return total if h.contiguous() is h else -total

    check_shared(Net(same), x, "cumsum")


def test_memory_is_not_reached_by_strides(x):
    def strided(h):
        part = h[:, :3]
        return part.as_strided(h.shape, (h.shape[1] * h.shape[2], h.shape[2], 1))

    check_refused(Net(strided), x, "`as_strided`")


@pytest.mark.parametrize(
    "mix",
    [
        lambda h: h - h.mean(0),
        lambda h: h + h[:1],
        lambda h: h + h.flip(0),
        lambda h: h * h.mean((0, 1, 2), keepdim=True),
        lambda h: h * h.amax((0, 1, 2), keepdim=True),
    ],
)
def test_a_model_that_mixes_examples_is_refused(x, mix):
    smooth = ShiftSmooth(Net(mix), share=True)
    with pytest.warns(UserWarning, match="depends on the others in its batch"):
        smooth.attribute(x, 0, max_shift=3)
    assert not smooth.sharing.shared


def test_one_output_in_a_column_of_its_own_is_shared(x):
    model = Net(lambda h: h.tanh())
    smooth = ShiftSmooth(lambda x: model(x)[:, :1], share=True)
    found = smooth.attribute(x, max_shift=3)
    assert smooth.sharing.shared
    close(found, ShiftSmooth(lambda x: model(x)[:, :1], share=False).attribute(x, max_shift=3))


def test_a_compiled_function_inside_the_model_runs_uncompiled(x):
    inner = torch.compile(lambda h: h.tanh() * 2, backend="eager")
    model = Net(lambda h: inner(h))
    found, told = attributed(model, x)
    assert told.shared
    close(found, expected(model, x))


class Mapped(nn.Module):
    """Calls a transform on what a layer of its own gives."""

    def __init__(self):
        super().__init__()
        self.scale = nn.Conv1d(6, 6, 1).double()

    def forward(self, h):
        return torch.func.vmap(torch.sin)(self.scale(h))


class Swished(Mapped):
    def forward(self, h):
        return Swish.apply(self.scale(h))


class SwishedFirst(Mapped):
    def forward(self, h):
        return self.scale(Swish.apply(h))


@pytest.mark.parametrize("module", [Mapped, Swished])
def test_sharing_ends_in_a_module_that_does_what_is_refused_later(x, module):
    model = Net(module())
    found, told = attributed(model, x)
    assert (told.shared, told.ended_by, told.ended_in) == (True, "conv1d", "function.scale")
    close(found, expected(model, x))


def test_a_module_that_does_what_is_refused_at_once_is_refused(x):
    check_refused(Net(SwishedFirst()), x, "gradients are switched off")


# What Python sees.


def test_a_branch_on_values_is_refused(x):
    for choose in (
        lambda h: h.max() > 0.4,
        lambda h: (h > 0.4).any(),
        lambda h: h.mean().item() > 0,
        lambda h: h.flatten(1).sum(1)[0] > 0,
    ):
        model = Net(lambda h, choose=choose: h.tanh() if choose(h) else h)
        assert not attributed(model, x)[1].shared


def test_a_branch_taken_in_a_later_call_is_right_then(x):
    def branch(h):
        return Swish.apply(h) if h.shape[0] % 2 else h.tanh()

    model = Net(branch)
    smooth = ShiftSmooth(model, share=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for rows in (2, 3, 2, 1):
            part = x[:rows]
            found = smooth.attribute(part, 0, max_shift=3)
            wanted = ShiftSmooth(model, share=False).attribute(part, 0, max_shift=3)
            close(found, wanted)


def test_what_is_refused_in_a_later_call_only_is_right_then(x):
    later = []
    model = Net(lambda h: Swish.apply(h) if later else h.tanh())
    smooth = ShiftSmooth(model, share=True)
    smooth.attribute(x, 0, max_shift=3)
    assert smooth.sharing.shared
    later.append(True)
    with pytest.warns(UserWarning, match="shares nothing"):
        found = smooth.attribute(x, 0, max_shift=3)
    close(found, expected(model, x))
    assert not smooth.sharing.shared


def test_places_of_the_largest_values_are_refused_where_they_are_used(x):
    def used(h):
        values, places = h.max(-1)
        return torch.stack([values[:, 0], places[:, 0] * values[:, 1]], 1)

    model = Net(lambda h: h, head=used)
    check_refused(model, x, "places of the largest values")
    check_shared(Net(lambda h: h, head=lambda h: h.max(-1)[0][:, :2]), x)


def test_places_of_the_largest_values_are_refused_where_they_are_kept(x):
    class Keeps(Net):
        def forward(self, x):
            values, self.places = self.function(self.first(x)).max(-1)
            return self.dense(values[:, :5])

    model = Keeps(torch.tanh)
    check_refused(model, x, "keeps the places of largest values")
    assert type(model.places) is torch.Tensor


def test_indices_of_a_pooling_are_those_of_an_ordinary_tensor(x):
    def unpooled(h):
        values, places = F.max_pool1d(h, 2, return_indices=True)
        return F.max_unpool1d(values, places, 2)

    check_shared(Net(unpooled), x, "max_pool1d_with_indices")


def test_a_model_that_looks_at_the_type_is_refused(x):
    model = Net(lambda h: h * (1 if type(h) is torch.Tensor else 2))
    found, told = attributed(model, x)
    assert not told.shared and "outputs differed" in told.reason
    close(found, expected(model, x))


@pytest.mark.parametrize("make", [torch.jit.script, "trace", "vmap", "compile", "export"])
def test_models_that_are_not_run_by_python_are_refused(x, make):
    inner = nn.Sequential(nn.Conv1d(4, 3, 3), nn.ReLU(), nn.AdaptiveAvgPool1d(1), nn.Flatten())
    inner = inner.double().eval()
    if make == "trace":
        model = torch.jit.trace(inner, x)
    elif make == "vmap":
        model = torch.func.vmap(lambda one: inner(one[None])[0])
    elif make == "compile":
        model = torch.compile(inner, backend="eager")
    elif make == "export":
        batch = torch.export.Dim("batch")
        model = torch.export.export(inner, (x,), dynamic_shapes=({0: batch},)).module()
    else:
        model = make(inner)
    found, told = attributed(model, x)
    assert not told.shared
    close(found, expected(inner, x))


def test_a_compiled_module_of_the_model_is_refused(x):
    model = Net(torch.compile(nn.Tanh(), backend="eager"))
    assert "module 'function' was compiled" in attributed(model, x)[1].reason


def test_complex_inputs_are_refused(x):
    model, z = Net(torch.tanh), x * (1 + 2j)

    def split(z):
        return model(z.real) * model(z.imag)

    found, told = attributed(split, z)
    assert not told.shared and told.reason == "inputs are complex"
    torch.testing.assert_close(found, ShiftSmooth(split, False).attribute(z, 0, max_shift=3))


def test_modules_in_a_dictionary_are_found(x):
    models = {"net": Net(nn.BatchNorm1d(6)).train()}
    with pytest.warns(UserWarning, match="batch norm 'function' is in training mode"):
        ShiftSmooth(lambda x: models["net"](x), True).attribute(x, 0, max_shift=3)


def test_a_name_that_is_not_bound_yet_is_no_error(x):
    model = Net(torch.tanh)

    def f(x):
        return model(x) if x.dim() else later

    found, told = attributed(f, x)
    later = None
    assert told.shared and later is None
    close(found, expected(model, x))


def test_a_frozen_model_is_refused(x):
    inner = nn.Sequential(nn.Conv1d(4, 3, 3), nn.ReLU(), nn.AdaptiveAvgPool1d(1), nn.Flatten())
    inner = inner.double().eval()
    frozen = torch.jit.freeze(torch.jit.script(inner))
    found, told = attributed(frozen, x)
    assert not told.shared and "scripted" in told.reason
    close(found, expected(inner, x))


def test_a_custom_operator_with_the_name_of_a_known_one_is_refused(x):
    @torch.library.custom_op("shiftsmooth_tests::relu", mutates_args=())
    def relu(h: torch.Tensor) -> torch.Tensor:
        return h.sin()

    relu.register_autograd(
        lambda ctx, gradient: gradient * ctx.saved_tensors[0].cos(),
        setup_context=lambda ctx, inputs, output: ctx.save_for_backward(*inputs),
    )
    found, told = attributed(Net(lambda h: torch.ops.shiftsmooth_tests.relu(h)), x)
    assert not told.shared
    close(found, expected(Net(torch.sin), x))


# What stays behind.


def test_a_model_that_keeps_its_activations_keeps_ordinary_tensors(x):
    class Keeps(Net):
        def forward(self, x):
            self.kept = [self.first(x).tanh()]
            self.kept.append(self.kept[0][:, :3])
            return self.dense(self.second(self.kept[0]).mean(-1))

    model = Keeps(None)
    found, told = attributed(model, x)
    assert told.shared
    close(found, expected(model, x))
    model.kept.clear()
    attributed(model, x)
    assert [type(h) for h in model.kept] == [torch.Tensor] * 2
    rolled = torch.cat([x.roll(n, -1) for n in range(-3, 4)])
    close(model.kept[0].detach(), model.first(rolled).tanh().detach())
    close(model.kept[1].detach(), model.first(rolled).tanh()[:, :3].detach())


def test_no_windows_outlive_a_call(x):
    attributed(Net(torch.tanh), x)
    attributed(Net(Swish.apply), x)
    gc.collect()
    assert not [found for found in gc.get_objects() if type(found) is Windows]


def test_windows_are_of_no_use_outside_their_run(x):
    kept = []

    class Keeps(Net):
        def forward(self, x):
            kept.append(self.first(x))
            return self.dense(self.second(kept[-1]).mean(-1)) + kept[0].mean()

    assert not attributed(Keeps(None), x)[1].shared


def test_kept_windows_that_cannot_become_ordinary_are_an_error_where_they_are_used(x):
    kept, watched = [], []

    def keeps(h):
        kept.append(h.tanh())
        watched.append(weakref.ref(kept[-1]))  # forbids that another tensor takes its place
        return kept[-1] + kept[0] if len(kept) > 1 else kept[-1]

    with pytest.raises(NotShareable, match="keeps its activations"):
        attributed(Net(keeps), x)


# Training.


def test_batch_norm_in_training_mode_is_refused_with_a_warning(x):
    model = Net(nn.BatchNorm1d(6)).train()
    smooth = ShiftSmooth(model, share="auto")
    with pytest.warns(UserWarning, match=r"batch norm 'function' is in training mode"):
        smooth.attribute(x, 0, max_shift=3, shifts_per_eval=1)
    assert "training mode" in smooth.sharing.reason


def test_batch_norm_of_the_batch_is_refused(x):
    model = Net(lambda h: F.batch_norm(h, None, None, training=True))
    assert "training mode" in attributed(model, x)[1].reason


def test_dropout_in_training_mode_is_drawn_for_each_copy(x):
    model = Net(nn.Dropout(0.5)).train()
    torch.manual_seed(0)
    found, told = attributed(model, x)
    assert told.shared and told.ended_by == "dropout"
    torch.manual_seed(0)
    wanted = ShiftSmooth(model, share=False).attribute(x, 0, max_shift=3, shifts_per_eval=7)
    close(found, wanted)
