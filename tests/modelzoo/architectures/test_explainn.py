import numpy as np
import pytest
import torch
from torch import nn

from modelzoo.architectures.deepbind import DeepBind
from modelzoo.architectures.explainn import ExplaiNN, ModelUnits, windowed
from modelzoo.sequences import columns, one_hot
from modelzoo.zoo import hub
from shiftsmooth import ShiftSmooth

LENGTH = 60


def rows(count, length=LENGTH, seed=0):
    return np.random.default_rng(seed).integers(0, 4, (count, length), dtype=np.uint8)


def stirred(model, seed=0):
    """The model with every parameter and running statistic away from its initial value."""
    generator = torch.Generator().manual_seed(seed)
    for tensor in model.state_dict().values():
        if tensor.is_floating_point():
            tensor.copy_(torch.rand(tensor.shape, generator=generator) * 0.5 + 0.2)
    return model.eval()


def build(**config):
    torch.manual_seed(0)
    defaults = {"units": 5, "hidden": 7, "length": LENGTH, "tasks": ["a", "b"]}
    return ExplaiNN(**defaults | config)


class OneUnit(nn.Module):
    """A unit of the paper, layer by layer."""

    def __init__(self, positions, hidden):
        super().__init__()
        self.conv, self.norm = nn.Conv1d(4, 1, 19, bias=False), nn.BatchNorm1d(1)
        self.pool = nn.MaxPool1d(7, 7)
        self.first, self.first_norm = (
            nn.Linear(positions, hidden, bias=False),
            nn.BatchNorm1d(hidden),
        )
        self.second, self.second_norm = nn.Linear(hidden, 1, bias=False), nn.BatchNorm1d(1)

    def forward(self, x):
        x = self.pool(torch.exp(self.norm(self.conv(x)))).flatten(1)
        x = torch.relu(self.first_norm(self.first(x)))
        return torch.relu(self.second_norm(self.second(x)))[:, 0]


def unit_of(model, i):
    """Unit ``i`` of an ExplaiNN as a network of its own."""
    hidden = model.heads.output.shape[1]
    unit = OneUnit(model.heads.hidden.shape[1], hidden)
    with torch.no_grad():
        unit.conv.weight.copy_(model.filters[i : i + 1])
        unit.first.weight.copy_(model.heads.hidden[i].T)
        unit.second.weight.copy_(model.heads.output[i : i + 1])
        for own, theirs, part in (
            (unit.norm, model.trunk[1], slice(i, i + 1)),
            (unit.first_norm, model.heads.hidden_norm, slice(i * hidden, (i + 1) * hidden)),
            (unit.second_norm, model.heads.output_norm, slice(i, i + 1)),
        ):
            for name in ("weight", "bias", "running_mean", "running_var"):
                getattr(own, name).copy_(getattr(theirs, name)[part])
    return unit


@pytest.mark.parametrize("training", [False, True])
def test_units_are_separate_small_networks(training):
    model = build(dropout=0.0)
    if not training:
        stirred(model)
    x = columns(rows(8))
    apart = [unit_of(model, i).train(training)(x) for i in range(5)]
    model.train(training)
    assert torch.allclose(model.units(x), torch.stack(apart, dim=1), atol=1e-5)


def test_gradients_of_a_unit_stay_in_it():
    model = build(dropout=0.0)
    model.units(columns(rows(8)))[:, 2].sum().backward()
    touched = model.filters.grad.flatten(1).abs().sum(1) > 0
    assert touched.tolist() == [False, False, True, False, False]


def test_logits_are_linear_in_the_units():
    model = stirred(build())
    x = columns(rows(4))
    with torch.no_grad():
        expected = model.units(x) @ model.final.weight.T + model.final.bias
        assert torch.allclose(model(x), expected, atol=1e-6)


def test_without_fully_connected_layers_a_unit_is_the_highest_activation():
    model = stirred(build(hidden=0))
    x = columns(rows(4))
    assert torch.equal(model.units(x), model.activations(x).amax(-1))
    longer = torch.cat([x, x], dim=-1)
    assert (model.units(longer) >= model.units(x)).all()  # any length is read whole
    assert model(x[..., :5]).shape == (4, 2)


def test_activations_are_of_the_window_that_starts_there():
    model = stirred(build())
    x = columns(rows(2))
    maps = model.activations(x)
    assert maps.shape == (2, 5, LENGTH - 19 + 1)
    norm = model.trunk[1]
    for position in (0, 17, LENGTH - 19):
        sums = (model.filters * x[1, :, position : position + 19]).sum((1, 2))
        standard = (sums - norm.running_mean) / (norm.running_var + norm.eps).sqrt()
        expected = (standard * norm.weight + norm.bias).exp()
        assert torch.allclose(maps[1, :, position], expected, rtol=1e-4)


@pytest.mark.parametrize("length", [1, 18, 59, 61, 200])
def test_other_lengths_are_read_in_the_middle(length):
    model = stirred(build())
    x = one_hot("".join(np.random.default_rng(1).choice(list("ACGT"), length)))
    full = torch.full((1, 4, LENGTH), 0.25)
    left = abs(LENGTH - length) // 2 + (length > LENGTH) * (abs(LENGTH - length) % 2)
    if length <= LENGTH:
        full[..., left : left + length] = x
    else:
        full = x[..., left : left + LENGTH]
    assert torch.equal(windowed(x, LENGTH), full)
    assert torch.equal(model(x), model(full))


def test_any_dtype_is_read_alike():
    model = stirred(build())
    x = columns(rows(2))
    assert torch.equal(model(x.to(torch.int64)), model(x))
    assert model.double()(x).dtype == torch.float64


@pytest.mark.parametrize("hidden", [7, 0])
def test_the_trunk_can_be_shared_by_the_shifts(hidden):
    model = stirred(build(hidden=hidden)).double()
    x = columns(rows(3)).double()
    shared = ShiftSmooth(model, share=True).attribute(x, target=1, max_shift=4)
    plain = ShiftSmooth(model).attribute(x, target=1, max_shift=4)
    assert torch.allclose(shared, plain, atol=1e-10) and shared.abs().sum() > 0


@pytest.mark.parametrize("hidden", [7, 0])
def test_a_saved_model_is_read_back(tmp_path, hidden):
    model = stirred(build(hidden=hidden))
    model.save_pretrained(tmp_path)
    again = hub.load(tmp_path)
    x = columns(rows(2))
    assert torch.equal(again(x), model(x)) and again.tasks == ("a", "b")


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"units": 0}, "units: expected a whole number from 1 to 65536, got 0"),
        ({"length": 24}, "length: expected at least 25.*got 24"),
        ({"tasks": "GATA3"}, "tasks: expected a list, got 'GATA3'"),
        ({"tasks": []}, "tasks: expected 1 to 10000 values"),
    ],
)
def test_wrong_arguments_are_refused(config, message):
    with pytest.raises(ValueError, match=message):
        build(**config)


def test_the_shortest_windows_build():
    assert build(length=25)(columns(rows(2, 25)).repeat(2, 1, 1)).shape == (4, 2)


# Filters to start from


def step(model):
    parameters = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.Adam(parameters, lr=0.1)
    model.train()
    for seed in range(3):
        optimizer.zero_grad()
        model(columns(rows(16, seed=seed))).square().sum().backward()
        optimizer.step()
    return model


def test_frozen_filters_stay_put_to_the_bit_and_free_ones_do_not():
    filters = torch.rand(5, 4, 19)
    frozen = step(build().set_filters(filters, frozen=True))
    assert torch.equal(frozen.filters, filters)
    free = step(build().set_filters(filters))
    assert not torch.equal(free.filters, filters)
    assert not torch.equal(frozen.final.weight, build().final.weight)


def test_filters_of_another_shape_are_refused():
    with pytest.raises(ValueError, match=r"filters: expected the shape \(5, 4, 19\), got"):
        build().set_filters(torch.zeros(5, 4, 18))


# Models in the place of units


def experts():
    torch.manual_seed(1)
    return {
        "one": DeepBind([3], [5], tasks=["x"]).eval(),
        "two": DeepBind([3], [5], tasks=["y", "z"]).eval(),
    }


def test_every_output_of_a_model_is_a_unit():
    models = experts()
    model = ModelUnits(models, tasks=["a"]).eval()
    x = columns(rows(4))
    assert model.unit_names == ("one", "two/y", "two/z")
    expected = torch.cat([models["one"](x), models["two"](x)], dim=1)
    assert torch.equal(model.units(x), expected)
    assert torch.allclose(model(x), model.final(expected))


@pytest.mark.parametrize("hidden", [0, 8])
def test_the_models_stay_as_they_are(hidden):
    model = ModelUnits(experts(), hidden=hidden, tasks=["a"])
    before = {k: v.clone() for k, v in model.models.state_dict().items()}
    step(model)
    assert all(torch.equal(v, before[k]) for k, v in model.models.state_dict().items())
    assert not any(m.training for m in model.models.modules())
    assert (model.heads is None) == (hidden == 0)
    if hidden:
        x = columns(rows(4))
        assert (model.units(x) >= 0).all() and model.units(x).shape == (4, 3)


@pytest.mark.parametrize("hidden", [0, 8])
def test_models_of_the_zoo_are_saved_with_what_follows_them(tmp_path, hidden):
    model = stirred(ModelUnits(experts(), hidden=hidden, tasks=["a"]))
    model.save_pretrained(tmp_path)
    x = columns(rows(4))
    assert torch.equal(hub.load(tmp_path)(x), model(x))


class CountsGC(nn.Module):
    def forward(self, x):
        return x[:, 1:3].sum((1, 2))


def test_any_module_may_be_a_unit_but_has_no_name_to_be_saved_by(tmp_path):
    model = ModelUnits({"gc": CountsGC()}, {"gc": 1}).eval()
    x = columns(rows(4))
    assert torch.equal(model.units(x)[:, 0], x[:, 1:3].sum((1, 2)))
    with pytest.raises(ValueError, match=r"models: expected models of the zoo.*\['gc'\]"):
        model.save_pretrained(tmp_path)


def test_a_plain_module_must_say_how_many_outputs_it_has():
    with pytest.raises(ValueError, match="outputs: expected the number of outputs of 'gc'"):
        ModelUnits({"gc": CountsGC()})
    with pytest.raises(ValueError, match="models: expected 1 to 64 values"):
        ModelUnits({})


def test_a_model_of_the_zoo_has_an_output_per_task_whatever_is_said():
    model = ModelUnits({"a": DeepBind([4], [9], tasks=["x", "y"])}, outputs={"a": 5})
    assert model.unit_names == ("a/x", "a/y")
    assert model(columns(rows(3))).shape == (3, 1)


def test_names_that_are_one_without_dots_are_refused():
    expert = DeepBind([4], [9])
    with pytest.raises(ValueError, match=r"models: expected names that differ without dots, got"):
        ModelUnits({"a.b": expert, "a_b": expert})
