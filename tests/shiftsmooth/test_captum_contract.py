"""ShiftSmooth where Captum's own tests put Saliency, and the contract that every method keeps."""

import copy

import pytest
import torch
from captum.attr import (
    DeepLift,
    FeatureAblation,
    GuidedBackprop,
    IntegratedGradients,
    KernelShap,
    Lime,
    NoiseTunnel,
    Saliency,
)
from captum.testing.attr.helpers.test_config import config
from captum.testing.helpers.basic import set_all_random_seeds
from torch import nn

from shiftsmooth import LayerShiftSmooth, ShiftSmooth
from tests.support.models import state
from tests.support.naive import naive

pytestmark = [
    pytest.mark.filterwarnings(f"ignore:{message}:UserWarning")
    for message in (
        "Setting forward, backward hooks",
        "Setting backward hooks",
        "You are providing multiple inputs for Lime",
        "Input Tensor . did not already require gradients",
        "additional_forward_args",
    )
]

ENTRIES = {e["name"]: e for e in config if Saliency in e["algorithms"]}
NOISY = {name for name, entry in ENTRIES.items() if entry.get("noise_tunnel")}
ENTRY = pytest.mark.parametrize("entry", ENTRIES.values(), ids=ENTRIES)
PAIRS = {
    f"{name}-{algorithm.__name__}": (entry, algorithm)
    for name, entry in ENTRIES.items()
    for algorithm in entry["algorithms"]
}
PAIR = pytest.mark.parametrize(("entry", "algorithm"), PAIRS.values(), ids=PAIRS)


def smoothed(entry, model):
    """ShiftSmooth where the entry has Saliency, and around it; so with the tunnel."""
    if not entry.get("noise_tunnel"):
        return [ShiftSmooth(model), ShiftSmooth(Saliency(model))]
    return [NoiseTunnel(ShiftSmooth(model)), ShiftSmooth(NoiseTunnel(Saliency(model)))]


def arguments(entry):
    """The entry's arguments; its inputs have three features, so shifts of 2 are the default."""
    return dict(entry["attribute_args"])


def as_tuple(value):
    return value if isinstance(value, tuple) else (value,)


def one_of(value, i, rows):
    """What belongs to example i in an argument for all examples."""
    if isinstance(value, tuple):
        return tuple(one_of(v, i, rows) for v in value)
    if isinstance(value, torch.Tensor) and value.dim() and value.size(0) == rows:
        return value[i : i + 1]
    if isinstance(value, list):
        return value[i]
    return value


@ENTRY
@pytest.mark.parametrize("dim", [-1, None, "first"])
def test_a_batch_gives_what_its_examples_give_alone(entry, dim):
    kwargs = arguments(entry)
    inputs = as_tuple(kwargs["inputs"])
    if dim == "first":  # only the first input has a sequence
        dim = (-1,) + (None,) * (len(inputs) - 1) if isinstance(kwargs["inputs"], tuple) else -1
    rows = inputs[0].size(0)
    for method in smoothed(entry, entry["model"]):
        together = as_tuple(method.attribute(**kwargs, dim=dim))
        for i in range(rows):
            mine = {k: one_of(kwargs[k], i, rows) for k in kwargs}
            alone = as_tuple(method.attribute(**mine, dim=dim))
            for a, b in zip(together, alone):
                torch.testing.assert_close(a[i : i + 1], b, atol=1e-4, rtol=1e-4)


@ENTRY
def test_the_shifts_are_those_of_the_naive_loop(entry):
    if entry["name"] in NOISY:  # without noise, and one tunnel's work less
        entry = {**entry, "noise_tunnel": False}
    kwargs = arguments(entry)
    for key in ("nt_samples", "nt_samples_batch_size", "stdevs"):
        kwargs.pop(key, None)
    inputs = as_tuple(kwargs["inputs"])
    saliency = Saliency(entry["model"])
    base = {k: v for k, v in kwargs.items() if k not in ("inputs", "max_shift")}

    def attribute(copies, move):
        leaves = tuple(c.clone().requires_grad_() for c in copies)
        return saliency.attribute(leaves, abs=False, **base)

    expected = naive(attribute, inputs, range(-2, 3), ((-1,),) * len(inputs))
    found = as_tuple(ShiftSmooth(entry["model"]).attribute(**kwargs))
    for a, b in zip(found, expected):
        torch.testing.assert_close(a.double(), b, atol=1e-4, rtol=1e-5)


@PAIR
def test_without_shifts_it_is_the_method_itself(entry, algorithm):
    if algorithm in (Lime, KernelShap):
        pytest.importorskip("sklearn")
    kwargs = dict(entry["attribute_args"])
    method = algorithm(entry["model"])
    if entry.get("noise_tunnel"):
        method = NoiseTunnel(method)
    set_all_random_seeds(5)
    expected = as_tuple(method.attribute(**kwargs))
    set_all_random_seeds(5)
    found = as_tuple(ShiftSmooth(method).attribute(**kwargs, max_shift=0))
    for a, b, x in zip(found, expected, as_tuple(kwargs["inputs"])):
        assert torch.equal(a, b.detach().to(x.dtype))


@ENTRY
def test_without_shifts_it_is_signed_saliency(entry):
    kwargs = dict(entry["attribute_args"])
    if entry.get("noise_tunnel"):
        expected = NoiseTunnel(Saliency(entry["model"])).attribute(**kwargs, abs=False)
        found = NoiseTunnel(ShiftSmooth(entry["model"])).attribute(**kwargs, max_shift=0)
    else:
        expected = Saliency(entry["model"]).attribute(**kwargs, abs=False)
        found = ShiftSmooth(entry["model"]).attribute(**kwargs, max_shift=0)
    for a, b in zip(as_tuple(found), as_tuple(expected)):
        assert torch.equal(a, b)


def hooks(model):
    return [
        len(getattr(module, kind))
        for module in model.modules()
        for kind in (
            "_forward_hooks",
            "_forward_pre_hooks",
            "_backward_hooks",
            "_backward_pre_hooks",
        )
    ]


@PAIR
def test_hooks_are_gone_after_success(entry, algorithm):
    if algorithm in (Lime, KernelShap):
        pytest.importorskip("sklearn")
    model = copy.deepcopy(entry["model"])
    method = algorithm(model)
    if entry.get("noise_tunnel"):
        method = NoiseTunnel(method)
    ShiftSmooth(method).attribute(**entry["attribute_args"], max_shift=1)
    assert not any(hooks(model))


def broken(*args):
    raise ArithmeticError("broken")


@PAIR
def test_hooks_are_gone_after_failure(entry, algorithm):
    model = copy.deepcopy(entry["model"])
    inner = getattr(model, "model", model)  # the several-inputs model wraps the other
    handle = inner.linear2.register_forward_hook(broken)
    method = algorithm(model)
    if entry.get("noise_tunnel"):
        method = NoiseTunnel(method)
    with pytest.raises(ArithmeticError, match="broken"):
        ShiftSmooth(method).attribute(**entry["attribute_args"], max_shift=1)
    handle.remove()
    assert not any(hooks(model))


# Targets


class Heads(nn.Module):
    """(B, 4, 12) -> (B, 2, 3), or any other shape of six outputs."""

    def __init__(self, *shape):
        super().__init__()
        self.linear = nn.Linear(48, 6).double()
        self.shape = shape

    def forward(self, x):
        return self.linear(x.flatten(1)).tanh().reshape(-1, *self.shape)


@pytest.fixture
def x():
    return torch.randn(3, 4, 12, dtype=torch.float64)


TARGETS = {
    "int": ((6,), 4, [4, 4, 4]),
    "negative int": ((6,), -1, [5, 5, 5]),
    "list": ((6,), [4, 0, 2], [4, 0, 2]),
    "0-d tensor": ((6,), torch.tensor(4), [4, 4, 4]),
    "1-d tensor of one": ((6,), torch.tensor([4]), [4, 4, 4]),
    "1-d tensor": ((6,), torch.tensor([4, 0, 2]), [4, 0, 2]),
    "tuple": ((2, 3), (1, 0), [3, 3, 3]),
    "tuple of one": ((6,), (4,), [4, 4, 4]),
    "list of tuples": ((2, 3), [(1, 0), (0, 2), (1, 2)], [3, 2, 5]),
}


@pytest.mark.parametrize("shifts_per_eval", [None, 1, 3])
@pytest.mark.parametrize(("shape", "target", "columns"), TARGETS.values(), ids=TARGETS)
def test_every_kind_of_target_chooses_its_output(x, shape, target, columns, shifts_per_eval):
    model = Heads(*shape)

    def attribute(copies, move):
        leaf = copies[0].clone().requires_grad_()
        model(leaf).flatten(1)[range(3), columns].sum().backward()
        return (leaf.grad,)

    options = {"target": target, "max_shift": 2, "shifts_per_eval": shifts_per_eval}
    (expected,) = naive(attribute, (x,), range(-2, 3), ((-1,),))
    torch.testing.assert_close(ShiftSmooth(model).attribute(x, **options), expected)
    (expected,) = naive(lambda *a: (attribute(*a)[0].abs(),), (x,), range(-2, 3), ((-1,),))
    found = ShiftSmooth(NoiseTunnel(Saliency(model))).attribute(
        x, nt_samples=2, stdevs=0.0, **options
    )
    torch.testing.assert_close(found, expected)


@pytest.mark.parametrize("shape", [(1,), ()])
def test_no_target_is_needed_for_one_output(x, shape):
    model = nn.Linear(48, 1).double()
    expected = ShiftSmooth(lambda x: model(x.flatten(1))).attribute(x, target=0)
    f = lambda x: model(x.flatten(1)).reshape(-1, *shape)  # noqa: E731
    assert torch.equal(ShiftSmooth(f).attribute(x), expected)


BAD_TARGETS = {
    "none": ((6,), None),
    "a list too short": ((6,), [0, 1]),
    "a list too long": ((6,), [0, 1, 2, 3]),
    "a tensor too short": ((6,), torch.tensor([0, 1])),
    "a tensor too long": ((6,), torch.tensor([0, 1, 2, 3])),
    "a tuple too long": ((6,), (0, 1)),
    "tuples too few": ((2, 3), [(0, 1)] * 2),
    "a tuple too short": ((2, 3), (1,)),
    "an int for two dimensions": ((2, 3), 1),
    "text": ((6,), "0"),
    "a fraction": ((6,), 0.5),
}


@pytest.mark.parametrize("wrap", [lambda m: m, Saliency, IntegratedGradients])
@pytest.mark.parametrize(("shape", "target"), BAD_TARGETS.values(), ids=BAD_TARGETS)
def test_a_bad_target_is_an_assertion_error(x, shape, target, wrap):
    model = Heads(*shape)
    with pytest.raises(AssertionError):
        Saliency(model).attribute(x.clone().requires_grad_(), target=target)
    with pytest.raises(AssertionError):
        ShiftSmooth(wrap(model)).attribute(x, target=target, max_shift=1)


@pytest.mark.parametrize("target", [6, -7, [0, 1, 6], torch.tensor([0, 1, 6]), [(0, 1)] * 3])
@pytest.mark.parametrize("share", [False, True])
def test_a_target_that_is_not_there_is_an_assertion_error_that_says_what_is(x, target, share):
    with pytest.raises(AssertionError, match=r"target: expected .* of shape \(6,\).*, 3, got"):
        ShiftSmooth(Heads(6), share).attribute(x, target=target, max_shift=1)


# The caller's things


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed = nn.Conv1d(4, 5, 3, padding=1)
        self.relu = nn.ReLU()
        self.dropout = nn.Dropout(0.5)
        self.linear = nn.Linear(60, 2)
        self.fail_at = None

    def forward(self, x, scale=None):
        h = self.dropout(self.relu(self.embed(x)))
        if self.fail_at == len(x):
            raise ArithmeticError("broken")
        y = self.linear(h.flatten(1))
        return y if scale is None else y * scale


METHODS = {
    "gradient": lambda model: ShiftSmooth(model),
    "integrated gradients": lambda model: ShiftSmooth(IntegratedGradients(model)),
    "deep lift": lambda model: ShiftSmooth(DeepLift(model)),
    "guided backprop": lambda model: ShiftSmooth(GuidedBackprop(model)),
    "ablation": lambda model: ShiftSmooth(FeatureAblation(model)),
    "noise tunnel outside": lambda model: NoiseTunnel(ShiftSmooth(model)),
    "layer": lambda model: LayerShiftSmooth(model, model.embed),
}
METHOD = pytest.mark.parametrize("build", METHODS.values(), ids=METHODS)


@METHOD
@pytest.mark.parametrize("fails", [False, True], ids=["success", "failure"])
@pytest.mark.parametrize("training", [False, True], ids=["eval", "train"])
@pytest.mark.parametrize("requires_grad", [False, True], ids=["plain", "leaf"])
def test_the_callers_things_are_as_before(build, fails, training, requires_grad):
    model = Net().train(training)
    model.linear.bias.requires_grad_(False)
    model.embed.weight.grad = torch.ones_like(model.embed.weight)
    model.linear.register_forward_hook(lambda *args: None)
    x = torch.randn(3, 4, 12, requires_grad=requires_grad)
    scale = torch.rand(3, 1)
    if requires_grad:
        x.grad = torch.ones_like(x)
    before, version = x.detach().clone(), x._version
    model_before = state(model)
    model.fail_at = 3 if fails else None
    options = {"additional_forward_args": scale, "max_shift": 2, "shifts_per_eval": 1}
    if fails:
        if build is METHODS["noise tunnel outside"]:
            model.fail_at = 15
        elif build in (METHODS["deep lift"],):
            model.fail_at = 6
        elif build is METHODS["integrated gradients"]:
            options["n_steps"] = 1
        with pytest.raises(ArithmeticError, match="broken"):
            build(model).attribute(x, target=1, **options)
    else:
        build(model).attribute(x, target=1, **options)
    assert torch.equal(x.detach(), before) and x._version == version
    assert x.requires_grad == requires_grad
    assert (x.grad == 1).all() if requires_grad else x.grad is None
    assert not scale.requires_grad
    assert state(model) == model_before
    assert torch.is_grad_enabled() and not torch.is_inference_mode_enabled()


@METHOD
@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode])
@pytest.mark.parametrize("where", ["outside", "inside"])
def test_it_works_without_grad_mode(build, mode, where):
    model = Net().eval()
    x, target = torch.randn(3, 4, 12), torch.tensor([0, 1, 1])
    options = {"max_shift": 2}
    if build is METHODS["noise tunnel outside"]:
        options["stdevs"] = 0.0
    expected = build(model).attribute(x, target=target, **options)
    with mode():
        mine, targets = (x.clone(), target.clone()) if where == "inside" else (x, target)
        found = build(model).attribute(mine, target=targets, **options)
        assert not torch.is_grad_enabled()
        assert torch.is_inference_mode_enabled() == (mode is torch.inference_mode)
    torch.testing.assert_close(found, expected)
    assert not found.requires_grad
    assert mine.requires_grad is False and mine.grad is None


def test_an_input_that_is_part_of_a_graph_is_left_in_it():
    model = Net().eval()
    leaf = torch.randn(3, 4, 12, requires_grad=True)
    x = leaf * 2
    found = ShiftSmooth(model).attribute(x, 0)
    assert not found.requires_grad
    x.sum().backward()
    assert (leaf.grad == 2).all()


def test_the_result_is_not_the_callers_input():
    x = torch.randn(3, 4, 12)
    found = ShiftSmooth(lambda x: x.flatten(1).sum(1)).attribute(x, dim=None)
    found.zero_()
    assert x.abs().min() > 0


# The methods and properties that Captum's own code looks for


def test_attribute_can_be_called_without_its_log():
    smooth, x = ShiftSmooth(Net().eval()), torch.randn(3, 4, 12)
    assert torch.equal(ShiftSmooth.attribute.__wrapped__(smooth, x, 1), smooth.attribute(x, 1))


def test_attribute_future_is_not_implemented():
    with pytest.raises(NotImplementedError, match="attribute_future"):
        ShiftSmooth(Net()).attribute_future()


def test_the_name_is_made_as_captum_makes_it():
    assert ShiftSmooth(Net()).get_name() == "Shift Smooth"
    model = Net()
    assert LayerShiftSmooth(model, model.embed).get_name() == "Layer Shift Smooth"


@pytest.mark.parametrize(
    ("method", "multiplies", "has_delta"),
    [
        (ShiftSmooth(Net()), False, False),
        (ShiftSmooth(Saliency(Net())), False, False),
        (ShiftSmooth(IntegratedGradients(Net())), True, True),
        (ShiftSmooth(IntegratedGradients(Net(), multiply_by_inputs=False)), False, True),
        (ShiftSmooth(DeepLift(Net())), True, True),
        (ShiftSmooth(FeatureAblation(Net())), True, False),
        (ShiftSmooth(NoiseTunnel(IntegratedGradients(Net()))), True, True),
    ],
)
def test_properties_are_those_of_the_smoothed_method(method, multiplies, has_delta):
    assert method.multiplies_by_inputs is multiplies
    assert method.has_convergence_delta() is has_delta


def test_the_model_can_be_found_and_replaced():
    # Captum's tools do so: captum.insights, DataParallel wrappers.
    model = Net().eval()
    assert ShiftSmooth(model).forward_func is model
    assert ShiftSmooth(IntegratedGradients(model)).forward_func is model
