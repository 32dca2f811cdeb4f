"""What is decided: when sharing is checked, when it pays, and what the caller is told."""

import warnings

import pytest
import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import FlopCounterMode

from shiftsmooth import ShiftSmooth
from shiftsmooth.sharing.costs import Cost, Counter
from tests.support.sharing import Net, attributed, check_shared, close, expected, one_hot


@pytest.fixture
def x():
    return one_hot(3, 30)


def double(h):
    """Wrong on what it has not seen written out: only a comparison can tell."""
    return h * (1 if type(h) is torch.Tensor else 1.5)


# The comparison.


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float32])
def test_a_difference_is_seen_in_every_precision(x, dtype):
    model = Net(lambda h: h + 0.001 * double(h)).to(dtype)
    found, told = attributed(model, x.to(dtype))
    assert not told.shared and "differed" in told.reason
    assert found.dtype == dtype


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32])
def test_a_right_model_shares_in_every_precision(x, dtype):
    model = Net(torch.tanh).to(dtype)
    found, told = attributed(model, x.to(dtype))
    assert told.shared
    exact = Net(torch.tanh)
    exact.load_state_dict({k: v.double() for k, v in model.state_dict().items()})
    close(found, expected(exact, x), 0.05 if dtype == torch.bfloat16 else 1e-5)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_large_constant_does_not_hide_a_difference(x, dtype):
    model = Net(double, head=lambda h: h.mean(-1)[:, :2] + 2000).to(dtype)
    _, told = attributed(model, x.to(dtype))
    assert not told.shared and "differed" in told.reason


def test_a_large_constant_does_not_prevent_sharing(x):
    model = Net(torch.tanh, head=lambda h: h.mean(-1)[:, :2] + 2000).float()
    assert attributed(model, x.float())[1].shared


def test_a_function_that_has_no_float64_is_compared_as_it_is(x):
    wrong, right = Net(double).float(), Net(torch.tanh).float()
    _, told = attributed(lambda x: wrong(x), x.float())
    assert not told.shared and "differed" in told.reason
    assert attributed(lambda x: right(x), x.float())[1].shared


def test_a_model_with_a_type_of_its_own_is_compared_as_it_is(x):
    class Single(Net):
        def forward(self, x):
            return super().forward(x.float())

    _, told = attributed(Single(double).float(), x)
    assert not told.shared and "differed" in told.reason
    assert attributed(Single(torch.tanh).float(), x)[1].shared


def test_equal_outputs_do_not_hide_a_wrong_gradient(x):
    model = Net(lambda h: h + (h - h.detach()) * (type(h) is not torch.Tensor))
    found, told = attributed(model, x)
    assert not told.shared and "gradients differed" in told.reason
    close(found, expected(model, x))


def test_a_comparison_leaves_modules_of_two_names_and_shared_weights_as_they_were(x):
    class Twice(nn.Module):
        def __init__(self):
            super().__init__()
            self.first, self.second = nn.Conv1d(4, 4, 3), nn.Conv1d(4, 4, 3)
            self.second.weight = self.first.weight
            self.both = nn.Sequential(self.first, self.second)

        def forward(self, x):
            return self.both(x).tanh().mean((-2, -1))[:, None]

    model = Twice()
    before = dict(model.named_parameters())
    smooth = ShiftSmooth(model, share=True)
    smooth.attribute(x.float(), 0, max_shift=3)
    assert smooth.sharing.shared
    assert all(parameter is before[name] for name, parameter in model.named_parameters())
    assert model.both[0].weight is model.second.weight is before["first.weight"]


def test_a_first_example_whose_output_is_dead_hides_nothing(x):
    model = Net(double, head=lambda h: (h.mean(-1)[:, :2]).relu())
    dead = torch.cat([torch.zeros_like(x[:1]), x])
    found, told = attributed(model, dead)
    assert not told.shared
    close(found, expected(model, dead))


def test_what_cannot_be_checked_is_not_remembered(x):
    model = Net(torch.tanh, head=lambda h: (h.amax(-1)[:, :2] - 0.1).relu())
    with torch.no_grad():
        model.first.bias.zero_()
    smooth = ShiftSmooth(model, share=True)
    dead = torch.zeros_like(x)
    close(smooth.attribute(dead, 0, max_shift=3), expected(model, dead))
    assert not smooth.sharing.shared and "nothing can be checked" in smooth.sharing.reason
    close(smooth.attribute(x, 0, max_shift=3), expected(model, x))
    assert smooth.sharing.shared


def test_outputs_that_are_not_finite_are_not_remembered(x):
    factor = [torch.inf]
    model = Net(torch.tanh, head=lambda h: h.mean(-1)[:, :2] * factor[0])
    smooth = ShiftSmooth(model, share=True)
    smooth.attribute(x, 0, max_shift=3)
    assert not smooth.sharing.shared and "nothing can be checked" in smooth.sharing.reason
    factor[0] = 2.0
    smooth.attribute(x, 0, max_shift=3)
    assert smooth.sharing.shared


def test_a_bad_target_is_an_error_and_not_remembered(x):
    smooth = ShiftSmooth(Net(torch.tanh), share=True)
    with pytest.raises((AssertionError, IndexError)):
        smooth.attribute(x, 7, max_shift=3)
    smooth.attribute(x, 1, max_shift=3)
    assert smooth.sharing.shared


def test_the_check_draws_nothing_from_the_random_numbers_of_the_caller(x):
    model = Net(torch.tanh)
    torch.manual_seed(5)
    wanted = torch.rand(3)
    torch.manual_seed(5)
    ShiftSmooth(model, share=True).attribute(x, 0, max_shift=3)
    assert torch.equal(torch.rand(3), wanted)


def test_the_check_leaves_the_model_as_it_was(x):
    model = Net(nn.BatchNorm1d(6)).float()
    before = {name: (id(p), p.dtype, p.clone()) for name, p in model.named_parameters()}
    ShiftSmooth(model, share=True).attribute(x.float(), 0, max_shift=3)
    for name, p in model.named_parameters():
        assert (id(p), p.dtype) == before[name][:2] and torch.equal(p, before[name][2])
        assert p.grad is None


def test_half_precision_is_no_less_exact_with_sharing_than_without(x):
    exact, half = Net(torch.tanh), Net(torch.tanh).bfloat16()
    exact.load_state_dict({k: v.double() for k, v in half.state_dict().items()})
    wanted = expected(exact, x, max_shift=10)
    apart = ShiftSmooth(half, share=False).attribute(x.bfloat16(), 0, max_shift=10)
    found, told = attributed(half, x.bfloat16(), max_shift=10)
    assert told.shared
    assert (found - wanted).norm() <= 1.5 * (apart - wanted).norm()


# The decision.


def wide(length=400):
    """A model that sharing makes many times faster."""
    return one_hot(4, length, dtype=torch.float32), nn.Sequential(
        nn.Conv1d(4, 64, 19, padding=9), nn.ReLU(), nn.AdaptiveMaxPool1d(1), nn.Flatten(),
        nn.Linear(64, 1),
    ).eval()  # fmt: skip


def test_auto_shares_where_it_is_much_faster_and_not_where_calls_cost_most():
    x, model = wide()
    smooth = ShiftSmooth(model, share="auto")
    smooth.attribute(x, 0)
    assert smooth.sharing.shared
    small = one_hot(1, 40, dtype=torch.float32)
    smooth.attribute(small, 0, max_shift=1)
    assert not smooth.sharing.shared and "not be faster" in smooth.sharing.reason


def test_a_model_of_thousands_of_calls_is_not_counted_to_the_end():
    def steps(x):
        h = x.cumsum(-1)
        for _ in range(6000):
            h = h + 1
        return h.sum((1, 2))

    smooth = ShiftSmooth(lambda x: steps(x.relu()), share="auto")
    smooth.attribute(torch.rand(2, 4, 9), max_shift=1)
    assert "thousands of small calls" in smooth.sharing.reason


def test_the_choice_is_the_same_every_time():
    x, model = wide(60)
    for size in range(20, 61, 8):
        told = set()
        for _ in range(3):
            smooth = ShiftSmooth(model, share="auto")
            smooth.attribute(x[:, :, :size], 0, max_shift=2)
            told.add(smooth.sharing)
        assert len(told) == 1


def multiplications(smooth, x, **options):
    with FlopCounterMode(display=False) as counter:
        smooth.attribute(x, 0, **options)
    return counter.get_total_flops()


def test_what_is_saved_is_what_is_counted():
    x, model = wide()
    smooth = ShiftSmooth(model, share=True)
    smooth.attribute(x, 0, max_shift=10)
    shared = multiplications(smooth, x, max_shift=10)
    assert smooth.sharing.shared
    apart = multiplications(ShiftSmooth(model, share=False), x, max_shift=10)
    assert smooth.sharing.saved == pytest.approx(1 - shared / apart, abs=0.01)
    assert smooth.sharing.saved > 0.8


def test_a_stride_one_trunk_costs_little_more_than_one_window():
    model = nn.Sequential(
        nn.Conv1d(4, 8, 9, padding=4), nn.ReLU(), nn.Conv1d(8, 8, 5, padding=4, dilation=2),
        nn.AdaptiveMaxPool1d(1), nn.Flatten(), nn.Linear(8, 1),
    ).eval()  # fmt: skip
    x = torch.randn(2, 4, 500)
    smooth = ShiftSmooth(model, share=True)
    smooth.attribute(x, 0, max_shift=10)
    shared = multiplications(smooth, x, max_shift=10)
    assert shared < multiplications(ShiftSmooth(model, share=False), x, max_shift=10) / 8


def test_the_first_call_of_a_length_runs_the_model_a_few_times_at_most():
    x, model = wide()
    smooth = ShiftSmooth(model, share=True)
    calls = []
    inner = model[0].forward
    model[0].forward = lambda h: (calls.append(h.shape[0]), inner(h))[1]
    smooth.attribute(x, 0)
    first = sum(calls)
    calls.clear()
    smooth.attribute(x[:, :, :300], 0)
    assert sum(calls) < first  # a second length is not compared again
    calls.clear()
    smooth.attribute(x[:, :, :300], 0)
    assert sum(calls) == 4 * 11


def test_memory_does_not_grow_with_the_number_of_shifts():
    x, model = wide(1000)
    kept = {}
    for reach in (10, 100):
        smooth = ShiftSmooth(nn.Sequential(model[0], nn.Flatten(), nn.LazyLinear(1)), share=True)
        smooth.attribute(x, 0, max_shift=reach)
        live = peak = 0

        class Packed:
            def __init__(self, tensor):
                nonlocal live, peak
                self.tensor = tensor
                live += tensor.numel() * tensor.element_size()
                peak = max(peak, live)

            def __del__(self):
                nonlocal live
                live -= self.tensor.numel() * self.tensor.element_size()

        with torch.autograd.graph.saved_tensors_hooks(Packed, lambda p: p.tensor):
            smooth.attribute(x, 0, max_shift=reach)
        assert smooth.sharing.shared
        kept[reach] = peak
    assert kept[100] < 2 * kept[10] or kept[100] < 200 << 20


@pytest.mark.parametrize("shifts_per_eval", [2, 3, 7, 50])
def test_shifts_per_eval_is_followed(x, shifts_per_eval):
    model, rows = Net(torch.tanh), []

    def watched(x):
        rows.append(x.shape[0])
        return model(x)

    smooth = ShiftSmooth(watched, share=True)
    found = smooth.attribute(x, 0, max_shift=3, shifts_per_eval=shifts_per_eval)
    assert smooth.sharing.shared and max(rows) <= 3 * shifts_per_eval
    close(found, expected(model, x))


# What is told.


def test_nothing_is_told_before_a_call():
    assert ShiftSmooth(Net(torch.tanh)).sharing is None


def test_the_function_and_the_module_that_end_sharing_are_named(x):
    class Block(nn.Module):
        def forward(self, h):
            return h.cumsum(-1)

    model = Net(nn.Sequential(nn.ReLU(), Block()))
    _, told = attributed(model, x)
    assert (told.shared, told.ended_by, told.ended_in) == (True, "cumsum", "function.1")
    assert "`cumsum` in module 'function.1'" in str(told)


@pytest.mark.parametrize(
    "options, reason",
    [
        ({"abs": True}, "signed gradients"),
        ({"reduction": "variance"}, "signed gradients"),
        ({"region": (3, 17)}, "`region`"),
        ({"dim": (1, 2), "max_shift": 2}, "`dim`"),
        ({"max_shift": 0}, "only one shift"),
        ({"shifts_per_eval": 1}, "`shifts_per_eval=1`"),
    ],
    ids=str,
)
def test_calls_that_cannot_share_run_as_without_and_say_so(options, reason):
    model = nn.Sequential(nn.Conv1d(4, 5, 3), nn.Flatten(), nn.LazyLinear(1)).double()
    x = torch.randn(2, 4, 20, dtype=torch.float64)
    wanted = ShiftSmooth(model, share=False).attribute(x, 0, **options)
    smooth = ShiftSmooth(model, share=True)
    found = smooth.attribute(x, 0, **options)
    assert not smooth.sharing.shared and reason in smooth.sharing.reason
    torch.testing.assert_close(found, wanted, rtol=0, atol=0)


def test_share_false_says_so(x):
    smooth = ShiftSmooth(Net(torch.tanh), share=False)
    smooth.attribute(x, 0, max_shift=2)
    assert smooth.sharing.reason == "`share=False`"


def test_a_refusal_where_sharing_was_asked_for_warns_once(x):
    smooth = ShiftSmooth(Net(double), share=True)
    with pytest.warns(UserWarning, match="shares nothing"):
        smooth.attribute(x, 0, max_shift=3)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        smooth.attribute(x, 0, max_shift=3)
        smooth.attribute(x[:1], 0, max_shift=3)


def test_reasons_have_no_words_of_the_package(x):
    for function in (
        double,
        lambda h: [h, h.register_hook(print)][0],
        lambda h: [h, h[:, :2].relu_()][0],
    ):
        reason = attributed(Net(function), x)[1].reason or ""
        assert not any(word in reason for word in ("Windows", "shiftsmooth", "NotShareable"))


def test_the_result_cannot_be_differentiated_again(x):
    check_shared(Net(torch.tanh), x)
    x = x.requires_grad_()
    assert not ShiftSmooth(Net(torch.tanh), share=True).attribute(x, 0, max_shift=3).requires_grad


def test_out_of_memory_is_not_remembered(x):
    model, fails = Net(torch.tanh), [True]

    def greedy(x):
        if fails[0]:
            raise torch.OutOfMemoryError("not today")
        return model(x)

    smooth = ShiftSmooth(greedy, share=True)
    with pytest.raises(torch.OutOfMemoryError):
        smooth.attribute(x, 0, max_shift=3)
    fails[0] = False
    close(smooth.attribute(x, 0, max_shift=3), expected(model, x))
    assert smooth.sharing.shared


class Small(TorchDispatchMode):
    """A memory that holds no tensor of more numbers than this."""

    def __init__(self, numbers):
        super().__init__()
        self.numbers, self.refused = numbers, 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        result = func(*args, **(kwargs or {}))
        if isinstance(result, torch.Tensor) and result.numel() > self.numbers:
            self.refused += 1
            raise torch.OutOfMemoryError("not today")
        return result


def test_out_of_memory_in_a_shared_run_shares_among_fewer_shifts(x):
    model = Net(torch.tanh)
    smooth = ShiftSmooth(model, share=True)
    with Small(1000) as memory:  # one example takes less, three take more
        found = smooth.attribute(x, 0, max_shift=10)
    assert memory.refused and smooth.sharing.shared
    close(found, expected(model, x, max_shift=10))


@pytest.mark.slow
def test_shifts_of_a_long_sequence_run_together_though_their_maps_outgrow_the_limit():
    class Counted(nn.Sequential):
        calls = 0

        def forward(self, x):
            self.calls += 1
            return super().forward(x)

    layers = [
        layer for i in range(3) for layer in (nn.Conv1d(4 if i == 0 else 32, 32, 3), nn.ReLU())
    ]
    model = Counted(*layers, nn.AdaptiveAvgPool1d(1), nn.Flatten())
    x = one_hot(1, 400_000).float()
    smooth = ShiftSmooth(model, share=True)
    smooth.attribute(x, 0, max_shift=3)
    model.calls = 0
    smooth.attribute(x, 0, max_shift=3)
    assert model.calls == 1


def test_a_gpu_computes_while_python_prepares_calls_and_a_cpu_does_not():
    cpu, gpu = torch.device("cpu"), torch.device("cuda")
    large, many = Cost(calls=1, bytes=1e12), Cost(calls=1e6)
    both = Cost(calls=1e6, bytes=1e12)
    assert both.seconds(gpu) == max(large.seconds(gpu), many.seconds(gpu))
    assert both.seconds(cpu) > 0.99 * (large.seconds(cpu) + many.seconds(cpu))


@pytest.mark.parametrize("reach", [1, 4])
def test_what_one_example_promises_is_what_a_call_costs(monkeypatch, reach):
    """Weights too, which a batch reads once."""
    layers = nn.Conv1d(4, 8, 5), nn.ReLU(), nn.Flatten(), nn.Linear(8 * 56, 64), nn.Linear(64, 1)
    model, x = nn.Sequential(*layers), torch.rand(16, 4, 60)
    promised = []
    seconds = Cost.seconds
    monkeypatch.setattr(
        Cost, "seconds", lambda cost, *args: promised.append(cost) or seconds(cost, *args)
    )
    ShiftSmooth(model).attribute(x, 0, max_shift=reach)
    for share, cost in zip((True, False), promised[:2]):
        smooth = ShiftSmooth(model, share=share)
        smooth.attribute(x, 0, max_shift=reach)  # what a shape decides has been decided
        with Counter() as counter:
            smooth.attribute(x, 0, max_shift=reach)
        assert cost.operations == counter.cost.operations
        assert cost.weights == counter.cost.weights > 0
