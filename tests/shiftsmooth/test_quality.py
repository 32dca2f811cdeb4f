import pytest
import torch
from torch import nn
from torch.nn import functional as F

from shiftsmooth import ShiftSmooth
from shiftsmooth._captum import select
from shiftsmooth.metrics import pearson, shift_stability
from shiftsmooth.quality import (
    POSITIONS,
    SAMPLE,
    Budget,
    Quality,
    evenly,
    explained,
    measure,
    quality,
)

ROWS, LENGTH = 24, 60
PLENTY = 1e9  # evaluations of a run


@pytest.fixture(scope="module")
def x():
    torch.manual_seed(1)
    return F.one_hot(torch.randint(4, (ROWS, LENGTH)), 4).mT.float()


def pooled():
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv1d(4, 8, 5, padding=2, padding_mode="circular"),
        nn.Softplus(),
        nn.AdaptiveAvgPool1d(1),
        nn.Flatten(),
        nn.Linear(8, 2),
    ).eval()


def strided():
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv1d(4, 16, 9, stride=6), nn.ReLU(), nn.Flatten(), nn.Linear(16 * 9, 2)
    ).eval()


def contributions_of(model):
    method = ShiftSmooth(model)

    def contributions(z, rows=None):
        maps = method.attribute(z, 0, max_shift=0)
        return ((maps - maps.mean(1, keepdim=True)) * z).sum(1).detach()

    return contributions


def found(model, x, run=PLENTY, cost=3, **kwargs):
    explain = contributions_of(model)
    with torch.no_grad():
        outputs = model(x)
    return quality(
        explain,
        lambda z, rows: model(z)[:, 0],
        x,
        explain(x),
        outputs,
        run=run,
        cost=cost,
        **kwargs,
    )


def test_a_model_that_does_not_know_where_its_window_begins_is_stable(x):
    stable = found(pooled(), x)["window stability"]
    assert stable.value == pytest.approx(1, abs=1e-4)
    assert (stable.verdict, stable.advice, stable.count) == ("good", "", ROWS)


def test_a_model_with_a_stride_is_not_and_what_to_do_is_said(x):
    of = found(strided(), x)
    assert of["window stability"].verdict == "poor"
    assert "shiftsmooth check" in of["window stability"].advice
    assert of.verdict == "poor"


def test_window_stability_is_that_of_the_metrics(x):
    explain = contributions_of(strided())
    each = shift_stability(explain, x, (-3, -2, -1, 1, 2, 3))
    moves = [1 + i % 3 for i in range(ROWS)]
    expected = torch.stack([each[i, [3 - m, 2 + m]].mean() for i, m in enumerate(moves)])
    known = found(strided(), x)["window stability"]
    assert known.value == pytest.approx(float(expected.median()), abs=1e-4)


def test_strand_agreement_is_the_correlation_with_the_other_strand(x):
    explain = contributions_of(strided())
    expected = pearson(explain(x), explain(x.flip(1, 2)).flip(1)).median()
    known = found(strided(), x)["strand agreement"]
    assert known.value == pytest.approx(float(expected), abs=1e-4)
    assert known.verdict == "poor"


def test_a_linear_model_agrees_with_mutagenesis_perfectly(x):
    torch.manual_seed(0)
    model = nn.Sequential(nn.Flatten(), nn.Linear(4 * LENGTH, 1)).eval()
    assert found(model, x)["mutagenesis"].value == 1


def test_agreement_is_that_with_tangermemes_mutagenesis(x):
    ism = pytest.importorskip("tangermeme.saturation_mutagenesis")
    from shiftsmooth.metrics import faithfulness

    model = strided()
    effects = ism.saturation_mutagenesis(
        model, x, target=0, device="cpu", fast=False, verbose=False
    ).sum(1)
    explain = contributions_of(model)(x)
    places = evenly(LENGTH, POSITIONS)
    at = [(places + 7 * i) % LENGTH for i in range(ROWS)]
    pairs = [torch.stack([m[i, at[i]] for i in range(ROWS)]) for m in (explain, effects)]
    expected = faithfulness(*pairs).median()
    assert found(model, x)["mutagenesis"].value == pytest.approx(float(expected), abs=1e-4)


@pytest.mark.parametrize(("steps", "verdict"), [(50, "good"), (2, "fair")])
def test_completeness_of_integrated_gradients_depends_on_steps(x, steps, verdict):
    from captum.attr import IntegratedGradients

    model = nn.Sequential(*pooled(), nn.Tanh())
    model[-2].weight.data *= 40
    method = IntegratedGradients(model, multiply_by_inputs=False)

    def explain(z, rows=None):
        maps = method.attribute(z, 0.25, 0, n_steps=steps, method="riemann_left").float()
        return ((maps - maps.mean(1, keepdim=True)) * z).sum(1)

    with torch.no_grad():
        outputs = model(x)
    of = quality(
        explain,
        lambda z, rows: model(z)[:, 0],
        x,
        explain(x),
        outputs,
        run=PLENTY,
        cost=3,
        complete=0.25,
    )
    assert of["completeness"].verdict == verdict


def test_a_method_that_is_not_complete_has_no_completeness(x):
    completeness = found(pooled(), x)["completeness"]
    assert (completeness.verdict, completeness.value) == ("not measured", None)


class Saturating(nn.Module):
    """A probability that is 1 to rounding for some sequences, and an output that is always 7."""

    def forward(self, x):
        score = 1000 * (x[:, 0].sum(1) - LENGTH / 4)
        return torch.stack([score.sigmoid(), torch.full_like(score, 7)], 1)


def test_outputs_that_are_saturated_or_constant_are_found(x):
    of = found(Saturating(), x, tasks=("bound", "dead"))
    with torch.no_grad():
        slopes = torch.sigmoid(1000 * (x[:, 0].sum(1) - LENGTH / 4))
    assert of["saturated"].value == pytest.approx(
        float(((slopes == 0) | (slopes == 1)).float().mean()), abs=1e-4
    )
    assert of["saturated"].verdict == "poor"
    assert of.constant == ("dead",)
    assert of["constant outputs"].value == 0.5


def test_a_constant_output_that_is_explained_is_poor(x):
    class Dead(nn.Module):
        def forward(self, z):
            return z.sum((1, 2), keepdim=True)[:, 0] * 0 + 1

    of = found(Dead(), x)
    assert of["constant outputs"].verdict == "poor"
    assert of["saturated"].value == 1
    assert of["window stability"].verdict == "not measured"


def test_a_live_model_has_nothing_dead(x):
    of = found(strided(), x)
    assert (of["saturated"].value, of["constant outputs"].value, of.constant) == (0, 0, ())


def test_sequences_unlike_the_others_are_named(x):
    odd = x.clone()
    odd[3] = F.one_hot(torch.tensor([1, 2] * (LENGTH // 2)), 4).mT.float()  # CGCG...
    odd[9, :, :30] = 0.25
    of = found(pooled(), odd, names=[f"seq{i}" for i in range(ROWS)])
    assert {name for name, _ in of.unlike} == {"seq3", "seq9"}
    assert dict(of.unlike)["seq9"] == "unknown letters"
    assert found(pooled(), x).unlike == ()


def test_signs_are_certain_where_windows_agree(x):
    assert found(pooled(), x)["window stability"].value > 0.999
    torch.manual_seed(0)
    noise = torch.randn(4 * ROWS, LENGTH)

    def random(z, rows):
        return noise[: len(z)]

    given = torch.randn(ROWS, LENGTH)
    outputs = torch.randn(ROWS, 1)
    of = quality(random, lambda z, r: torch.randn(len(z)), x, given, outputs, run=PLENTY, cost=3)
    assert of["certain signs"].verdict == "poor"


def test_sequences_whose_attributions_are_not_finite_are_left_out(x):
    given = contributions_of(strided())(x)
    given[5] = torch.nan
    outputs = strided()(x).detach()
    of = quality(
        contributions_of(strided()), lambda z, r: strided()(z)[:, 0], x, given, outputs,
        run=PLENTY, cost=3,
    )  # fmt: skip
    assert of.sequences == ROWS - 1
    assert of["window stability"].count == ROWS - 1


@pytest.mark.parametrize("run", [0, 10, 300, 5000, 10**6])
@pytest.mark.parametrize("cost", [3, 9, 264])
def test_the_budget_is_a_tenth_of_the_run(run, cost):
    budget = Budget.of(run, cost, POSITIONS, 11, setup=66)
    taken = 3 * cost * budget.again + 3 * POSITIONS * budget.mutated + 12 * budget.summed
    assert taken + 66 * (budget.again > 0) <= run / 10
    assert max(budget.again, budget.mutated, budget.summed) <= SAMPLE


@pytest.mark.parametrize("run", [200, 2000, 20_000])
def test_what_is_evaluated_is_what_was_budgeted(x, run):
    count = 0
    model = strided()

    def explain(z, rows):
        nonlocal count
        count += 3 * len(z)
        return contributions_of(model)(z)

    def predict(z, rows):
        nonlocal count
        count += len(z)
        return model(z)[:, 0]

    given, outputs = contributions_of(model)(x), model(x).detach()
    quality(explain, predict, x, given, outputs, run=run, cost=3, complete=0.25)
    assert 0 < count <= run / 10


def test_a_run_that_is_too_small_says_so(x):
    stable = found(strided(), x, run=10)["window stability"]
    assert stable.verdict == "not measured"
    assert "A tenth of this run" in stable.advice


def test_equal_runs_say_equal_things(x):
    assert found(strided(), x).to_json() == found(strided(), x).to_json()


def test_json_holds_everything(x):
    of = found(strided(), x, names=[str(i) for i in range(ROWS)])
    assert Quality.of_json(of.to_json()) == of


@pytest.mark.parametrize(
    ("name", "value", "verdict"),
    [
        ("window stability", 0.95, "good"),
        ("window stability", 0.9, "fair"),
        ("window stability", 0.5, "poor"),
        ("completeness", 0.01, "good"),
        ("completeness", 0.1, "fair"),
        ("completeness", 0.5, "poor"),
        ("completeness", None, "not measured"),
    ],
)
def test_verdicts_have_limits(name, value, verdict):
    assert measure(name, value, 10).verdict == verdict


@pytest.mark.parametrize("count", [1, 3])
def test_the_explained_output_is_captums(count):
    outputs = torch.randn(count, 4, 5)
    one, each = (2, 3), [(i % 4, i) for i in range(count)]
    for shape, target in (
        (outputs, one),
        (outputs, each),
        (outputs[:, :, 0], 2),
        (outputs[:, :, 0], -1),
        (outputs[:, :, 0], torch.tensor(2)),
        (outputs[:, :, 0], torch.tensor([2])),
        (outputs[:, :, 0], list(range(count))),
        (outputs[:, :, 0], torch.arange(count)),
        (outputs[:, :1, 0], None),
        (outputs[:, 0, 0], None),
    ):
        assert torch.equal(explained(shape, target), select(shape, target).reshape(count))


def test_rows_lie_evenly():
    assert evenly(10, 4).tolist() == [0, 2, 5, 7]
    assert evenly(3, 10).tolist() == [0, 1, 2]
    assert evenly(5, 0).tolist() == []
