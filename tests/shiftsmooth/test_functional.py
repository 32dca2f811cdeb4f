"""shift_smooth against its definition, and inside the pipelines it is made for."""

import pytest
import torch
from tangermeme.ablate import ablate
from tangermeme.marginalize import marginalize
from tangermeme.plot import plot_logo
from tangermeme.product import apply_pairwise, apply_product
from tangermeme.saliency import saliency
from tangermeme.seqlet import recursive_seqlets
from tangermeme.utils import random_one_hot
from tangermeme.variant_effect import substitution_effect
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from shiftsmooth import gradients
from shiftsmooth.functional import shift_smooth


class Net(nn.Module):
    """Strided and padded, so that shifts matter; two tasks; an optional covariate of 3 numbers."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv1d(4, 6, 5, padding=2, stride=2)
        self.dropout = nn.Dropout(0.5)
        self.norm = nn.BatchNorm1d(6)
        self.head = nn.Linear(6, 2)
        self.covariate = nn.Linear(3, 6)

    def forward(self, x, covariate=None):
        h = self.dropout(self.norm(self.conv(x).relu())).amax(2)
        return self.head(h if covariate is None else h * self.covariate(covariate).tanh())


@pytest.fixture(scope="module")
def model():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return Net()


@pytest.fixture(scope="module")
def X():
    return random_one_hot((7, 4, 30), random_state=0)  # int8


def covariates(rows, seed=0):
    return torch.randn(rows, 3, generator=torch.Generator().manual_seed(seed))


def loop(model, X, target=0, max_shift=5, args=()):
    """The hypothetical contributions by definition: one sequence, one shift at a time."""
    model = model.eval()
    result = torch.zeros(X.shape, dtype=torch.float64)
    for i in range(len(X)):
        for n in range(-max_shift, max_shift + 1):
            x = X[i : i + 1].float().roll(n, -1).requires_grad_()
            score = model(x, *(a[i : i + 1] for a in args))[0, target]
            (gradient,) = torch.autograd.grad(score, x)
            result[i] += gradient[0].roll(-n, -1) / (2 * max_shift + 1)
    model.train()
    return result - result.mean(1, keepdim=True)


def test_it_is_the_corrected_mean_gradient_times_the_letters_present(model, X):
    expected = loop(model, X, target=1, max_shift=3)
    found = shift_smooth(model, X, target=1, max_shift=3)
    torch.testing.assert_close(found.double(), expected * X, atol=1e-6, rtol=1e-5)


def test_hypothetical_gives_every_letter_its_value_and_they_sum_to_zero(model, X):
    found = shift_smooth(model, X, hypothetical=True)
    torch.testing.assert_close(found.double(), loop(model, X), atol=1e-6, rtol=1e-5)
    torch.testing.assert_close(found.sum(1), torch.zeros(7, 30), atol=1e-6, rtol=0)


def test_without_shifts_it_is_tangermemes_saliency(model, X):
    for options in (
        {},
        {"hypothetical": True},
        {"gradient_correction": False},
        {"target": 1, "gradient_correction": False, "hypothetical": True},
        {"args": [covariates(7)]},
    ):
        torch.testing.assert_close(
            shift_smooth(model, X, max_shift=0, **options), saliency(model, X, **options)
        )


@pytest.mark.parametrize("batch_size", [1, 2, 3, 100])
def test_the_result_does_not_depend_on_the_batch_size(model, X, batch_size):
    args = (covariates(7),)
    found = shift_smooth(model, X, args, batch_size=batch_size)
    torch.testing.assert_close(found, shift_smooth(model, X, args), atol=1e-6, rtol=0)


def test_extra_args_come_as_a_list_or_a_tuple_and_belong_to_their_sequence(model, X):
    extra = covariates(7)
    expected = loop(model, X, args=(extra,)) * X
    for args in ([extra], (extra,)):
        found = shift_smooth(model, X, args, batch_size=2)
        torch.testing.assert_close(found.double(), expected, atol=1e-6, rtol=1e-5)


def test_integer_args_stay_indices(X):
    embedding = nn.Embedding(9, 4)

    def model(x, index):
        return (x.sum(2) * embedding(index)).sum(1)

    index = torch.arange(7)
    found = shift_smooth(model, X, [index], target=None, gradient_correction=False)
    expected = embedding(index)[:, :, None].expand(-1, -1, 30) * X
    torch.testing.assert_close(found, expected.detach())


@pytest.mark.parametrize("dtype", [torch.int8, torch.bool, torch.uint8, torch.float64])
def test_sequences_of_any_dtype_give_the_same(model, X, dtype):
    assert shift_smooth(model, X.to(dtype)).equal(shift_smooth(model, X.float()))


@pytest.mark.parametrize("dtype", [torch.bfloat16, "bfloat16"])
def test_half_precision_comes_close_and_says_so(model, X, dtype):
    found = shift_smooth(model, X, dtype=dtype)
    assert found.dtype == torch.bfloat16
    exact = shift_smooth(model, X)
    assert (found.float() - exact).norm() < 0.05 * exact.norm()


def test_a_double_model_is_explained_in_double(model, X):
    double = Net().double()
    assert shift_smooth(double, X).dtype == torch.float64


def test_the_model_comes_back_as_it_was_module_by_module(model, X):
    model.train()
    model.norm.eval()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    shift_smooth(model, X)
    assert model.training and model.dropout.training and not model.norm.training
    assert all(before[name].equal(tensor) for name, tensor in model.state_dict().items())
    assert all(parameter.grad is None for parameter in model.parameters())
    with pytest.raises(AssertionError, match="target: "):
        shift_smooth(model, X, target=9)
    assert model.training and not model.norm.training
    model.norm.train()


def test_it_works_under_no_grad_and_leaves_nothing_to_differentiate(model, X):
    with torch.no_grad():
        found = shift_smooth(model, X)
    assert not found.requires_grad
    assert found.equal(shift_smooth(model, X))


def test_a_function_will_do_for_a_model(X):
    found = shift_smooth(lambda x: x[:, 2].sum(1, keepdim=True), X, gradient_correction=False)
    torch.testing.assert_close(found, X * torch.tensor([0.0, 0, 1, 0])[:, None])


def test_outputs_of_more_dimensions_take_a_tuple_as_target(X):
    found = shift_smooth(lambda x: x, X, target=(3, 4), max_shift=0, hypothetical=True)
    assert found[:, :, 4].tolist() == [[-0.25, -0.25, -0.25, 0.75]] * 7
    assert found.count_nonzero() == 28


@pytest.mark.parametrize("kind", [list, torch.tensor])
def test_a_target_per_sequence_goes_with_its_batch(model, X, kind):
    targets = [0, 1, 1, 0, 1, 0, 0]
    both = [shift_smooth(model, X, target=t) for t in (0, 1)]
    expected = torch.stack([both[t][i] for i, t in enumerate(targets)])
    found = shift_smooth(model, X, target=kind(targets), batch_size=3)
    torch.testing.assert_close(found, expected, atol=1e-6, rtol=1e-5)


def test_no_sequences_give_no_contributions(model, X):
    assert shift_smooth(model, X[:0]).shape == (0, 4, 30)


def test_verbose_shows_progress_and_what_was_shared(model, X, capsys):
    shift_smooth(model, X, batch_size=2)
    assert capsys.readouterr() == ("", "")
    shift_smooth(model, X, batch_size=2, verbose=True)
    told = capsys.readouterr().err
    assert "7/7" in told and "ShiftSmooth: " in told and "shift" in told.split("ShiftSmooth: ")[-1]


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        ({"X": [1]}, TypeError, "X: expected a tensor, got list"),
        ({"X": torch.ones(4, 9)}, ValueError, r"X: expected .*\(4, 9\): .* X\[None\]"),
        ({"target": [0, 1]}, ValueError, "target: expected one per sequence, 7, got 2"),
        ({"batch_size": 0}, ValueError, "batch_size: .*got 0"),
        ({"args": torch.ones(7, 3)}, TypeError, "args: expected a list or tuple.*Tensor"),
        ({"args": [torch.ones(6, 3)]}, ValueError, r"args\[0\]: .*7 rows.*\(6, 3\)"),
        ({"args": (None,)}, ValueError, r"args\[0\]: .*NoneType"),
        ({"dtype": "int8"}, ValueError, "dtype: .*'int8'"),
        ({"dtype": "float23"}, ValueError, "dtype: .*'float23'"),
        ({"max_shift": 30}, ValueError, "max_shift.* below 30, .* got 30"),
        ({"strands": 3}, ValueError, "strands: .*3"),
        ({"max_shift": -1}, ValueError, "max_shift: .*-1"),
    ],
)
def test_a_bad_argument_is_named(model, X, change, error, words):
    with pytest.raises(error, match=words):
        shift_smooth(model, **({"X": X} | change))


def views(models, X, target=0, max_shift=5, strands=1):
    """The corrected gradient of each model, strand and window: (views, N, 4, L)."""
    found = []
    for model in models:
        for strand in range(strands):
            for n in range(-max_shift, max_shift + 1):
                leaf = X.float().requires_grad_()
                window = leaf.roll(n, -1)
                model.eval()(window.flip((1, 2)) if strand else window)[:, target].sum().backward()
                found.append(leaf.grad - leaf.grad.mean(1, keepdim=True))
                model.train()
    return torch.stack(found)


def folds(count):
    nets = []
    for seed in range(count):
        torch.manual_seed(seed)
        nets.append(Net())
    return nets


@pytest.mark.parametrize("hypothetical", [False, True])
@pytest.mark.parametrize(("count", "strands"), [(1, 1), (1, 2), (3, 1), (3, 2)])
def test_models_and_strands_are_averaged_and_their_spread_comes_along(
    X, count, strands, hypothetical
):
    nets = folds(count)
    each = views(nets, X, 1, 2, strands)
    letters = 1 if hypothetical else X
    options = {"target": 1, "max_shift": 2, "strands": strands, "hypothetical": hypothetical}
    given = nets if count > 1 else nets[0]
    alone = shift_smooth(given, X, **options)
    mean, spread = shift_smooth(given, X, spread=True, batch_size=3, **options)
    torch.testing.assert_close(alone, each.mean(0) * letters, atol=1e-6, rtol=1e-5)
    torch.testing.assert_close(mean, alone, atol=1e-6, rtol=1e-5)
    expected = each.double().std(0, correction=0).float() * letters
    torch.testing.assert_close(spread, expected, atol=1e-6, rtol=1e-4)
    assert all(net.training for net in nets)


def test_the_spread_without_correction_is_that_of_the_gradients(model, X):
    options = {"gradient_correction": False, "hypothetical": True, "max_shift": 2}
    _, spread = shift_smooth(model, X, spread=True, **options)
    each = torch.stack(
        [
            shift_smooth(model, X.roll(n, -1), **{**options, "max_shift": 0}).roll(-n, -1)
            for n in range(-2, 3)
        ]
    )
    expected = each.std(0, correction=0)
    torch.testing.assert_close(spread, expected, atol=1e-6, rtol=1e-4)


def test_a_function_of_the_output_is_applied_before_the_target_is_chosen(X):
    profile = nn.Conv1d(4, 2, 5, padding=2)
    found = shift_smooth(profile, X, target=1, func=lambda y: y.logsumexp(-1))
    expected = shift_smooth(lambda x: profile(x).logsumexp(-1), X, target=1)
    torch.testing.assert_close(found, expected)


def test_it_shares_as_shiftsmooth_does(X, monkeypatch):
    net = nn.Sequential(nn.Conv1d(4, 64, 9, padding=4), nn.AdaptiveMaxPool1d(1), nn.Flatten())
    found, work = [], []
    for share in (False, True):
        monkeypatch.setattr(gradients, "SHARE", share)
        with FlopCounterMode(display=False) as counter:
            found.append(shift_smooth(net, X.repeat(1, 1, 20), batch_size=2))
        work.append(counter.get_total_flops())
    torch.testing.assert_close(*found, atol=1e-6, rtol=1e-5)
    assert work[1] < work[0] / 3


# The pipelines. Each is checked to have called shift_smooth on what it says it did.


def test_marginalize(model, X):
    before, after = marginalize(model, X, "TGACTCA", func=shift_smooth, max_shift=2)
    with_motif = X.clone()
    start = 30 // 2 - 7 // 2
    with_motif[:, :, start : start + 7] = nn.functional.one_hot(
        torch.tensor([3, 2, 0, 1, 3, 1, 0]), 4
    ).T
    torch.testing.assert_close(before, shift_smooth(model, X, max_shift=2))
    torch.testing.assert_close(after, shift_smooth(model, with_motif, max_shift=2))


def test_ablate(model, X):
    before, after = ablate(
        model, X, 10, 20, n=3, args=(covariates(7),), func=shift_smooth, random_state=0
    )
    torch.testing.assert_close(before, shift_smooth(model, X, (covariates(7),)))
    assert after.shape == (7, 3, 4, 30)
    assert not after[:, 0].equal(before)


def test_variant_effect(model, X):
    edits = torch.tensor([[0, 12, 3], [4, 5, 0]])  # sequence, position, letter
    before, after = substitution_effect(model, X, edits, func=shift_smooth, max_shift=1)
    edited = X.clone()
    for i, position, letter in edits.tolist():
        edited[i, :, position] = 0
        edited[i, letter, position] = 1
    torch.testing.assert_close(before, shift_smooth(model, X, max_shift=1))
    torch.testing.assert_close(after, shift_smooth(model, edited, max_shift=1))


def test_products(model, X):
    cells = covariates(2)
    for apply in (apply_pairwise, apply_product):
        found = apply(shift_smooth, model, X, args=(cells,), batch_size=3, max_shift=1)
        assert found.shape == (7, 2, 4, 30)
        for i in range(2):
            expected = shift_smooth(model, X, [cells[i].expand(7, -1)], max_shift=1)
            torch.testing.assert_close(found[:, i], expected, atol=1e-6, rtol=1e-5)


MOTIF = "TGACTCA"


@pytest.fixture(scope="module")
def planted():
    """A model of one motif's occupancy, 300 sequences that hold it, and where."""
    weight = nn.functional.one_hot(torch.tensor(["ACGT".index(c) for c in MOTIF]), 4).T.float()
    model = nn.Sequential(
        nn.Conv1d(4, 1, 7, padding=3), nn.Softplus(), nn.AdaptiveAvgPool1d(1), nn.Flatten()
    )
    with torch.no_grad():
        model[0].weight.copy_(2 * weight - 0.5)
        model[0].bias.fill_(-6.0)
    X = random_one_hot((300, 4, 100), random_state=1)
    starts = torch.randint(30, 60, (300,), generator=torch.Generator().manual_seed(0)).tolist()
    for x, start in zip(X, starts):
        x[:, start : start + 7] = weight
    return model, X, starts


@pytest.mark.slow  # numba compiles the caller, for 15 s
@pytest.mark.xdist_group("numba")
def test_recursive_seqlets_finds_the_planted_motif(planted):
    model, X, starts = planted
    contributions = shift_smooth(model, X).sum(1)
    seqlets = recursive_seqlets(contributions, additional_flanks=1)
    found = {
        row.example_idx
        for row in seqlets.itertuples()
        if row.start <= starts[row.example_idx] + 3 < row.end
    }
    assert len(found) > 250


def test_plot_logo_draws_it(planted):
    from matplotlib.figure import Figure

    model, X, starts = planted
    axes = Figure().add_subplot()
    plot_logo(shift_smooth(model, X[:1])[0], ax=axes)
    tallest = max(axes.collections[0].get_paths(), key=lambda path: path.get_extents().height)
    assert starts[0] <= tallest.get_extents().x0 + 0.5 < starts[0] + 7


@pytest.mark.slow  # numba compiles TF-MoDISco, for 25 s
@pytest.mark.xdist_group("numba")
def test_modisco_gets_the_motif_back_from_hypothetical_contributions(planted):
    from modiscolite.tfmodisco import TFMoDISco

    model, X, _ = planted
    X = X[:120]
    hypothetical = shift_smooth(model, X, hypothetical=True)
    positive, _ = TFMoDISco(
        X.mT.float().numpy(),
        hypothetical.mT.numpy(),
        sliding_window_size=15,
        flank_size=5,
        min_metacluster_size=20,
        n_leiden_runs=1,
    )
    consensus = "".join("ACGT"[i] for i in positive[0].sequence.argmax(1))
    assert MOTIF in consensus or "TGAGTCA" in consensus


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_batches_go_to_the_gpu_and_the_result_and_the_model_come_back(model, X):
    found = shift_smooth(model, X, [covariates(7)], batch_size=2, device="cuda")
    assert found.device.type == "cpu"
    assert next(model.parameters()).device.type == "cpu"
    torch.testing.assert_close(
        found, shift_smooth(model, X, [covariates(7)], device="cpu"), atol=1e-5, rtol=1e-4
    )


def test_quality_comes_last_and_leaves_the_rest_as_it_is():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv1d(4, 4, 5, stride=4), nn.ReLU(), nn.Flatten(), nn.Linear(16, 2))
    X = torch.nn.functional.one_hot(torch.randint(4, (300, 20)), 4).mT.char()
    plain = shift_smooth(model, X, max_shift=2, spread=True, device="cpu")
    *found, quality = shift_smooth(model, X, max_shift=2, spread=True, quality=True, device="cpu")
    assert all(a.equal(b) for a, b in zip(plain, found, strict=True))
    stable = quality["window stability"]
    assert stable.count >= 3 and -1 < stable.value < 0.999
    assert quality["mutagenesis"].count > 0


def test_quality_takes_a_tenth_of_the_evaluations_at_most():
    class Counting(nn.Module):
        count = 0

        def forward(self, x):
            self.count += len(x) * (3 if torch.is_grad_enabled() else 1)
            return (x * weight).flatten(1).sum(1, keepdim=True).square()

    torch.manual_seed(0)
    weight = torch.randn(4, 20)
    X = torch.nn.functional.one_hot(torch.randint(4, (400, 20)), 4).mT.char()
    counts = []
    for on in (False, True):
        model = Counting()
        shift_smooth(model, X, max_shift=2, quality=on, device="cpu")
        counts.append(model.count)
    assert counts[0] < counts[1] <= 1.1 * counts[0]


def test_quality_knows_the_target_and_the_arguments_of_each_row():
    class Shifted(nn.Module):
        def forward(self, x, factor):
            return torch.stack([x[:, 0, 3:5].sum(1), x[:, 1, 7:9].sum(1)], 1) * factor[:, None]

    X = torch.nn.functional.one_hot(torch.randint(4, (300, 20)), 4).mT.char()
    targets = [i % 2 for i in range(300)]
    factor = torch.where(torch.arange(300) % 2 == 0, 1.0, -1.0)
    _, known = shift_smooth(
        Shifted(), X, [factor], targets, max_shift=0, quality=True, device="cpu"
    )
    assert known["mutagenesis"].value == 1
