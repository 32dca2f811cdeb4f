import doctest

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.stats import pearsonr, spearmanr
from sklearn.metrics import average_precision_score, roc_auc_score
from torch import nn

from shiftsmooth import metrics


def sequences(batch, length, seed=0):
    generator = torch.Generator().manual_seed(seed)
    letters = torch.randint(4, (batch, length), generator=generator)
    return nn.functional.one_hot(letters, 4).transpose(1, 2).float()


def values(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def convolution(seed=0):
    """An explainer that sees neighbours, but not where in the window it is (circular padding)."""
    weight = values(4, 4, 3, seed=seed)
    return lambda x: nn.functional.conv1d(nn.functional.pad(x, (1, 1), mode="circular"), weight)


def position_bound(x):
    """An explainer that only looks at the frame: the same map whatever the sequence."""
    return torch.arange(x.shape[-1], dtype=torch.float32).expand_as(x)


# Few distinct values, so that ties are the rule rather than the exception.
tied = st.integers(2, 40).flatmap(
    lambda n: st.tuples(
        arrays(np.int64, (3, n), elements=st.integers(-3, 3)),
        arrays(np.int64, (3, n), elements=st.integers(-3, 3)),
        arrays(bool, (3, n)),
    )
)


def test_docstring_examples_hold():
    outcome = doctest.testmod(metrics)
    assert outcome.attempted > 0
    assert outcome.failed == 0


@given(tied)
@settings(max_examples=150, deadline=None)
def test_faithfulness_is_scipys_spearman(case):
    a, b, _ = case
    result = metrics.faithfulness(torch.tensor(a).float(), torch.tensor(b).float())
    for row, x, y in zip(result, a, b):
        if np.ptp(x) == 0 or np.ptp(y) == 0:
            assert row.isnan()
        else:
            assert row.item() == pytest.approx(spearmanr(x, y).statistic, abs=1e-12)


@given(tied)
@settings(max_examples=150, deadline=None)
def test_auroc_is_scikit_learns(case):
    attribution, _, mask = case
    result = metrics.auroc(torch.tensor(attribution).float(), torch.tensor(mask))
    for row, x, m in zip(result, attribution, mask):
        if m.all() or not m.any():
            assert row.isnan()
        else:
            assert row.item() == pytest.approx(roc_auc_score(m, abs(x)), abs=1e-12)


@given(tied)
@settings(max_examples=150, deadline=None)
def test_average_precision_is_scikit_learns(case):
    attribution, _, mask = case
    result = metrics.average_precision(torch.tensor(attribution).float(), torch.tensor(mask))
    for row, x, m in zip(result, attribution, mask):
        if not m.any():
            assert row.isnan()
        else:
            assert row.item() == pytest.approx(average_precision_score(m, abs(x)), abs=1e-12)


@given(tied, st.data())
@settings(max_examples=60, deadline=None)
def test_top_k_hit_rate_is_the_mean_over_random_tie_breaks(case, data):
    attribution, _, mask = (part[:1] for part in case)
    k = data.draw(st.integers(1, mask.shape[1]))
    result = metrics.top_k_hit_rate(torch.tensor(attribution).float(), torch.tensor(mask), k)
    if not mask.any():
        assert result.isnan().all()
        return
    # Of a group of ties the expected share is exact without sampling: positions of the group
    # that still fit in the top k, each a hit with the group's share of hits.
    left, hits = k, 0.0
    for value in sorted(set(abs(attribution[0])), reverse=True):
        group = mask[0][abs(attribution[0]) == value]
        taken = min(left, len(group))
        hits, left = hits + taken * group.mean(), left - taken
    assert result.item() == pytest.approx(hits / k, abs=1e-12)


def test_top_k_hit_rate_takes_k_from_each_mask():
    attribution = torch.tensor([[5.0, -4.0, 3.0, 2.0], [5.0, 4.0, 3.0, 2.0]])
    mask = torch.tensor([[True, True, False, False], [False, True, True, True]])
    assert metrics.top_k_hit_rate(attribution, mask).tolist() == pytest.approx([1.0, 2 / 3])


@pytest.mark.parametrize(
    ("metric", "chance"),
    [(metrics.auroc, 0.5), (metrics.average_precision, 0.25), (metrics.top_k_hit_rate, 0.25)],
)
def test_a_constant_attribution_scores_chance(metric, chance):
    mask = torch.tensor([False, True, False, False])
    assert metric(torch.full((2, 4), -0.3), mask).tolist() == [chance, chance]


@pytest.mark.parametrize(
    "metric", [metrics.auroc, metrics.average_precision, metrics.top_k_hit_rate]
)
def test_an_empty_mask_is_nan_and_leaves_its_neighbours_alone(metric):
    mask = torch.tensor([[False, False, False], [False, False, True]])
    scores = metric(torch.tensor([[1.0, 2.0, 3.0], [1.0, 2.0, 3.0]]), mask)
    assert scores[0].isnan()
    assert scores[1] == 1.0


@pytest.mark.parametrize(
    "metric", [metrics.auroc, metrics.average_precision, metrics.top_k_hit_rate]
)
def test_location_ignores_sign_and_scale(metric):
    attribution, mask = values(5, 50), values(5, 50, seed=1) > 1
    torch.testing.assert_close(metric(attribution, mask), metric(-1e-30 * attribution, mask))


def test_location_of_long_sequences_is_quick_enough_for_a_genome():
    attribution, mask = values(4, 100_000), values(4, 100_000, seed=1) > 2
    expected = [roc_auc_score(m, a) for m, a in zip(mask, attribution.abs())]
    assert metrics.auroc(attribution, mask).tolist() == pytest.approx(expected)


def test_faithfulness_of_tiny_values_does_not_underflow():
    a = values(1, 20)
    assert metrics.faithfulness(1e-38 * a, a).item() == pytest.approx(1.0, abs=1e-2)


def test_faithfulness_is_nan_for_a_constant_that_no_float_holds_exactly():
    assert metrics.faithfulness(torch.full((1, 7), 0.1), values(1, 7)).isnan().all()


def test_a_pointwise_or_equivariant_explainer_is_perfectly_shift_stable():
    x = values(3, 4, 20)
    stability = metrics.shift_stability(convolution(), x, range(-4, 5))
    torch.testing.assert_close(stability, torch.ones(3, 9, dtype=torch.float64))


@pytest.mark.parametrize("correlation", ["pearson", "spearman"])
@pytest.mark.parametrize("dim", [1, 2, -1])
def test_shift_stability_matches_a_loop_over_examples(correlation, dim):
    x, shifts = values(3, 9, 9), (-3, 1, 4)

    def explain(x):  # sees the frame: weights differ from place to place
        return x.cumsum(dim) * x

    result = metrics.shift_stability(explain, x, shifts, dim=dim, correlation=correlation)
    oracle = {"pearson": pearsonr, "spearman": spearmanr}[correlation]
    for i in range(3):
        for j, shift in enumerate(shifts):
            still = explain(x[i : i + 1]).flatten()
            moved = explain(x[i : i + 1].roll(shift, dim)).roll(-shift, dim).flatten()
            assert result[i, j].item() == pytest.approx(oracle(still, moved).statistic, abs=1e-6)


def test_flanks_compare_the_positions_that_both_windows_hold():
    x, shifts = values(2, 4, 30), (-5, 2)
    result = metrics.shift_stability(lambda x: x.cumsum(-1), x, shifts, edges="flanks")
    for i in range(2):
        still = x[i, :, 5:25].cumsum(-1)
        later = x[i, :, 10:30].cumsum(-1)  # shift -5: the window starts 5 positions later
        earlier = x[i, :, 3:23].cumsum(-1)
        expected = [
            pearsonr(still[:, 5:].flatten(), later[:, :15].flatten()).statistic,
            pearsonr(still[:, :18].flatten(), earlier[:, 2:].flatten()).statistic,
        ]
        assert result[i].tolist() == pytest.approx(expected, abs=1e-6)


def test_with_flanks_a_pointwise_explainer_is_perfectly_stable():
    result = metrics.shift_stability(torch.square, values(2, 4, 30), (-5, 5), edges="flanks")
    torch.testing.assert_close(result, torch.ones(2, 2, dtype=torch.float64))


def test_shift_stability_takes_explainers_that_sum_channels_away():
    result = metrics.shift_stability(lambda x: (x * x.cumsum(-1)).sum(1), values(2, 4, 9), (1,))
    assert result.shape == (2, 1)


def test_an_explainer_bound_to_the_frame_loses_stability_with_distance():
    near, far = metrics.shift_stability(position_bound, values(1, 4, 40), (1, 10))[0]
    assert 1 > near > far


def test_mutation_stability_never_touches_the_motif_and_mutates_as_many_as_asked():
    x, motif = sequences(6, 30), torch.zeros(6, 30, dtype=torch.bool)
    motif[:, 10:20] = True
    seen = []
    metrics.mutation_stability(
        lambda x: seen.append(x) or x.cumsum(-1), x, motif, n_mutations=3, n_trials=4
    )
    assert len(seen) == 1 + 4
    assert seen[0].equal(x)
    for mutated in seen[1:]:
        changed = (mutated != x).any(1)
        assert changed.sum(1).tolist() == [3] * 6
        assert not (changed & motif).any()
        assert mutated.sum(1).eq(1).all()
        assert mutated.dtype == x.dtype


def test_mutation_stability_leaves_out_the_mutated_positions():
    result = metrics.mutation_stability(lambda x: 2 * x, sequences(3, 12), torch.zeros(12).bool())
    torch.testing.assert_close(result, torch.ones(3, 10, dtype=torch.float64))


def test_more_mutations_move_an_explainer_that_sees_neighbours_further():
    x, nowhere = sequences(3, 40), torch.zeros(40).bool()
    one, ten = (
        metrics.mutation_stability(convolution(), x, nowhere, n_mutations=n).mean() for n in (1, 10)
    )
    assert ten < one < 1


def test_mutation_stability_depends_on_its_seed_and_on_nothing_else():
    def run(seed):
        return metrics.mutation_stability(convolution(), sequences(2, 30), mask, seed=seed)

    mask = torch.zeros(30).bool()
    first = run(1)
    torch.rand(3)
    assert run(1).equal(first)
    assert not run(2).equal(first)


def test_mutation_stability_is_nan_where_too_little_lies_outside_the_motif():
    motif = torch.zeros(2, 12).bool()
    motif[0, 1:] = True
    result = metrics.mutation_stability(
        lambda x: x.cumsum(-1), sequences(2, 12), motif, n_mutations=2
    )
    assert result[0].isnan().all()
    assert result[1].isfinite().all()


def test_evalattai_follows_the_score_along_the_scaled_attribution():
    x, a = values(2, 4, 6), values(2, 4, 6, seed=1)
    curve = metrics.evalattai(lambda x: x.square().sum((1, 2)), x, a, n_steps=3, step_size=0.2)
    for i in range(2):
        unit = a[i] * x[i].norm() / a[i].norm()
        expected = [(x[i] + k * 0.2 * unit).square().sum().item() for k in range(4)]
        assert curve[i].tolist() == pytest.approx(expected, rel=1e-5)


def test_evalattai_ranks_the_gradient_over_noise_and_its_opposite():
    weight = values(4, 10)
    x = sequences(5, 10)

    def rise(a):
        curve = metrics.evalattai(lambda x: (x * weight).sum((1, 2)).tanh(), x, a)
        return (curve[:, 1:] - curve[:, :1]).mean()

    gradient = weight.expand_as(x)
    assert rise(gradient) > rise(values(5, 4, 10, seed=3)) > rise(-gradient)


def test_evalattai_does_not_see_the_scale_of_an_attribution_and_takes_integer_inputs():
    def curve(a):
        return metrics.evalattai(lambda x: x.square().sum((1, 2)), x, a)

    x, a = sequences(3, 8).to(torch.int8), values(3, 4, 8)
    assert curve(1024 * a).equal(curve(a))  # a power of two: no rounding


def test_evalattai_is_flat_for_a_zero_attribution():
    curve = metrics.evalattai(lambda x: x.sum(1), torch.ones(1, 3), torch.zeros(1, 3), n_steps=2)
    assert curve.tolist() == [[3.0, 3.0, 3.0]]


X = torch.ones(2, 4, 10)
A = torch.arange(20.0).view(2, 10)
M = torch.zeros(2, 10).bool()


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda: metrics.auroc(X, M), ValueError, r"attribution: .*\(B, L\).*\(2, 4, 10\)"),
        (lambda: metrics.auroc(A, M.float()), TypeError, "mask: expected a boolean.*float32"),
        (lambda: metrics.auroc(A, M[:, :9]), ValueError, r"mask: .*\(2, 10\).*got \(2, 9\)"),
        (lambda: metrics.auroc(A / 0, M), ValueError, "attribution: .*got NaN"),
        (lambda: metrics.top_k_hit_rate(A, M, 0), ValueError, "k: expected a positive.*0"),
        (lambda: metrics.top_k_hit_rate(A, M, 11), ValueError, "k: expected at most.*10, got 11"),
        (
            lambda: metrics.faithfulness(A, A[:, 1:]),
            ValueError,
            r"reference: .* got \(2, 9\)",
        ),
        (lambda: metrics.faithfulness(A[0], A[0]), ValueError, "attribution: .*batch dimension"),
        (
            lambda: metrics.shift_stability(abs, X, ()),
            ValueError,
            "shifts: expected at least one",
        ),
        (
            lambda: metrics.shift_stability(abs, X, (1.5,)),
            TypeError,
            "shifts: .* integer, got 1.5",
        ),
        (
            lambda: metrics.shift_stability(abs, X, (1, -10)),
            ValueError,
            "shifts: .* 10 pos.* got 10",
        ),
        (
            lambda: metrics.shift_stability(abs, X, (5,), edges="flanks"),
            ValueError,
            "shifts: expected shifts below .* 0 positions .*, got 5",
        ),
        (lambda: metrics.shift_stability(abs, X, edges="zero"), ValueError, "edges: .*'zero'"),
        (lambda: metrics.shift_stability(abs, X, dim=0), ValueError, "dim: .*got 0"),
        (lambda: metrics.shift_stability(abs, X, dim=3), ValueError, "dim: .*got 3"),
        (
            lambda: metrics.shift_stability(abs, X, correlation="kendall"),
            ValueError,
            "correlation: expected one of 'pearson', 'spearman', got 'kendall'",
        ),
        (lambda: metrics.shift_stability(lambda x: (x,), X), TypeError, "explain: .*got tuple"),
        (
            lambda: metrics.shift_stability(lambda x: x[..., 1:], X),
            ValueError,
            r"explain: .*10.*got \(2, 4, 9\)",
        ),
        (lambda: metrics.mutation_stability(abs, X[0], M), ValueError, r"inputs: .*\(4, 10\)"),
        (
            lambda: metrics.mutation_stability(abs, X, M[:1, 1:]),
            ValueError,
            "motif: .*shape",
        ),
        (
            lambda: metrics.mutation_stability(abs, X, M, n_mutations=10),
            ValueError,
            "n_mutations: expected less than .* 10, got 10",
        ),
        (
            lambda: metrics.mutation_stability(abs, X, M, n_trials=0),
            ValueError,
            "n_trials: expected a positive",
        ),
        (lambda: metrics.evalattai(torch.sum, X, A), ValueError, "attribution: expected the shape"),
        (
            lambda: metrics.evalattai(torch.sum, A.long(), A.long()),
            TypeError,
            "attribution: .*int64",
        ),
        (lambda: metrics.evalattai(torch.sum, A, A), ValueError, r"score: .*\(2,\), got \(\)"),
        (
            lambda: metrics.evalattai(torch.sum, A, A, step_size=0),
            ValueError,
            "step_size: expected a positive",
        ),
    ],
)
def test_a_bad_argument_is_named(call, error, words):
    with pytest.raises(error, match=words):
        call()
