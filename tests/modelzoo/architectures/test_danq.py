import numpy as np
import pytest
import torch

from modelzoo.architectures.danq import DanQExpert
from modelzoo.sequences import one_hot


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def lstm_by_steps(lstm, steps, layer, suffix):
    """One direction of one layer, by its equations: (T, channels) -> (T, state)."""
    weights = {
        kind: getattr(lstm, f"{kind}_l{layer}{suffix}").numpy()
        for kind in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
    }
    hidden = cell = np.zeros(lstm.hidden_size)
    out = []
    for step in steps:
        gates = weights["weight_ih"] @ step + weights["bias_ih"]
        gates = gates + weights["weight_hh"] @ hidden + weights["bias_hh"]
        into, forget, new, outof = gates.reshape(4, -1)
        cell = sigmoid(forget) * cell + sigmoid(into) * np.tanh(new)
        hidden = sigmoid(outof) * np.tanh(cell)
        out.append(hidden)
    return np.array(out)


def danq_by_steps(model, maps):
    """The prediction from one sequence's maps (channels, L): windows, LSTM and pooling by loops."""
    both = []
    for strand in (maps, maps[::-1, ::-1]):
        starts = range(0, strand.shape[1], model.pool)
        steps = np.array([strand[:, s : s + model.pool].max(axis=1) for s in starts])
        for layer in range(2):
            ahead = lstm_by_steps(model.recurrent.lstm, steps, layer, "")
            back = lstm_by_steps(model.recurrent.lstm, steps[::-1], layer, "_reverse")[::-1]
            steps = np.concatenate([ahead, back], axis=1)
        both.append(steps)
    pooled = np.maximum(both[0].max(0), both[1].max(0))
    if model.pooling == "max+mean":
        pooled = np.concatenate([pooled, both[0].mean(0) + both[1].mean(0)])
    hidden = np.maximum(model.hidden.weight.numpy() @ pooled + model.hidden.bias.numpy(), 0)
    return model.output.weight.numpy() @ hidden + model.output.bias.numpy()


@torch.no_grad()
@pytest.mark.parametrize("pooling", ["max", "max+mean"])
@pytest.mark.parametrize("length", [4, 5, 23])
def test_a_danq_expert_is_what_slow_steps_compute(pooling, length):
    torch.manual_seed(0)
    model = DanQExpert(filters=4, width=5, pool=5, state=3, pooling=pooling).double().eval()
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.5)
    letters = np.random.default_rng(0).choice(list("ACGT"), (3, length))
    x = one_hot(["".join(row) for row in letters]).double()
    expected = [danq_by_steps(model, maps.numpy()) for maps in model.trunk(x)]
    np.testing.assert_allclose(model(x).numpy(), expected, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"pool": 0}, "pool: expected a whole number from 1 to 10000, got 0"),
        ({"state": 0}, "state: expected a whole number from 1 to 65536, got 0"),
        ({"width": 4}, "width: expected an odd number from 1 to 9999, got 4"),
        ({"pooling": "mean"}, "pooling: expected one of .* got 'mean'"),
    ],
)
def test_arguments_that_make_no_model_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        DanQExpert(**arguments)
