import matplotlib
import numpy as np
import pytest
import torch

from modelzoo.architectures.deepbind import DeepBind
from modelzoo.architectures.explainn import ExplaiNN, ModelUnits
from modelzoo.attribution.explainn_units import (
    clustered,
    importance_boxes,
    importances,
    weights_map,
)
from modelzoo.sequences import columns

matplotlib.use("agg")


def rows(count, seed=0):
    return np.random.default_rng(seed).integers(0, 4, (count, 60), dtype=np.uint8)


@pytest.fixture
def model():
    torch.manual_seed(0)
    model = ExplaiNN(units=6, hidden=8, length=60, tasks=["a", "b"])
    with torch.no_grad():
        for batch in range(20):  # running statistics that fit, so that units are not all zero
            model(columns(rows(32, batch)))
        model.final.bias.copy_(torch.tensor([3.0, -2.0]))
    return model.eval()


def test_importances_sum_to_the_logit_minus_the_bias(model):
    codes = rows(300)
    found = importances(model, codes)
    with torch.no_grad():
        expected = model(columns(codes)) - model.final.bias
    assert found.values.shape == (300, 2, 6)
    assert np.allclose(found.values.sum(axis=2), expected, atol=1e-5)
    assert np.abs(found.values).max() > 0.1


def test_a_sequence_is_active_where_the_filter_reaches_half_of_its_maximum(model):
    codes = rows(300)
    found = importances(model, codes)
    with torch.no_grad():
        highest = [model.activations(columns(row[None]))[0].numpy().max(1) for row in codes]
    for unit in range(6):
        top = max(row[unit] for row in highest)
        assert found.active[:, unit].tolist() == [row[unit] >= top / 2 for row in highest]
    assert 0 < found.active.mean() < 1


def test_medians_and_ranks_are_over_active_sequences(model):
    found = importances(model, rows(300))
    for unit in range(6):
        for task in range(2):
            own = sorted(found.values[i, task, unit] for i in range(300) if found.active[i, unit])
            middle = (own[(len(own) - 1) // 2] + own[len(own) // 2]) / 2
            assert found.medians[unit, task] == pytest.approx(middle)
    order = found.ranked(1)
    assert sorted(order) == list(range(6))
    assert (np.diff(found.medians[order, 1]) <= 0).all()


def test_models_as_units_are_active_everywhere():
    torch.manual_seed(0)
    experts = {n: DeepBind([3], [5], tasks=[n]).eval() for n in ("x", "y")}
    model = ModelUnits(experts, tasks=["a"]).eval()
    found = importances(model, rows(20))
    assert found.units == ("x", "y") and found.active.all()
    with torch.no_grad():
        expected = (model(columns(rows(20))) - model.final.bias)[:, 0]
    assert np.allclose(found.values.sum(2)[:, 0], expected, atol=1e-5)


def test_no_sequences_are_refused(model):
    with pytest.raises(ValueError, match="codes: expected at least one sequence"):
        importances(model, rows(0))


def test_like_rows_become_neighbours():
    table = np.array([[9.0, 0], [0, 9], [9.1, 0], [0, 9.1], [8.9, 0.1]])
    order = clustered(table)[0].tolist()
    places = sorted(order.index(i) for i in (0, 2, 4))
    assert sorted(order) == [0, 1, 2, 3, 4] and places in ([0, 1, 2], [2, 3, 4])
    assert clustered(table[:1])[0].tolist() == [0] and clustered(table[:1])[1] is None


def test_the_heat_map_shows_every_weight_in_the_order_of_its_labels(model):
    labels = [f"motif {i}" for i in range(6)]
    figure = weights_map(model, labels)
    axes = figure.axes[1]
    (image,) = axes.images
    shown = np.asarray(image.get_array())
    ticks = [text.get_text() for text in axes.get_yticklabels()]
    assert sorted(ticks) == labels
    for row, tick in zip(shown, ticks):
        unit = labels.index(tick)
        assert np.allclose(row, model.final.weight.detach()[:, unit])
    assert [text.get_text() for text in axes.get_xticklabels()] == ["a", "b"]


def test_the_tree_stands_beside_its_rows(model):
    """A leaf of the tree at height y belongs to the row that is drawn there."""
    figure = weights_map(model)
    left, right = figure.axes[:2]
    assert left.get_ylim()[0] > left.get_ylim()[1]  # as an image's rows: downwards
    assert right.get_ylim()[0] > right.get_ylim()[1]


def test_boxes_are_of_the_most_important_units(model):
    found = importances(model, rows(300))
    figure = importance_boxes(found, 1, top=3, labels=list("uvwxyz"))
    axes = figure.axes[0]
    names = [text.get_text() for text in axes.get_xticklabels()]
    assert names == ["uvwxyz"[i] for i in found.ranked(1)[:3]]
    middles = [line.get_ydata()[0] for line in axes.lines if len(set(line.get_ydata())) == 1]
    for unit in found.ranked(1)[:3]:
        assert any(m == pytest.approx(found.medians[unit, 1]) for m in middles)
    with pytest.raises(ValueError, match="labels: expected 6, one per unit, got 1"):
        importance_boxes(found, 0, labels=["u"])
