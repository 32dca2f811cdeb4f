"""ARGMINN: attention as its equations say it, motif instances, shapes, the way to a folder."""

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F

import modelzoo
from modelzoo.architectures.argminn import ARGMINN, MemoryAttention, PlainCNN, sinusoids
from modelzoo.datasets.planted.simulation import Simulation
from modelzoo.sequences import one_hot


def sequences(n, length, seed=0):
    codes = torch.randint(0, 4, (n, length), generator=torch.Generator().manual_seed(seed))
    return F.one_hot(codes, 4).mT.float()


@pytest.fixture
def model():
    torch.manual_seed(0)
    return ARGMINN().eval()


def token_by_token(layer, stream, tokens):
    """Eq. 3 with a key and a value for every token, head by head; tokens (T, d), stream (s,)."""
    size = tokens.shape[1] // layer.heads
    query, keys, values = layer.query(stream), layer.key(tokens), layer.value(tokens)
    context, attention = [], []
    for head in range(layer.heads):
        own = slice(head * size, (head + 1) * size)
        scores = keys[:, own] @ query[own] / math.sqrt(tokens.shape[1])
        attention.append(scores.softmax(0))
        context.append(attention[-1] @ values[:, own])
    return stream + layer.update(layer.context(torch.cat(context)[None]))[0], attention


def test_attention_without_keys_and_values_is_attention_with_them():
    torch.manual_seed(1)
    layer = MemoryAttention(token_size=12, stream_size=7, heads=3, dropout=0.1).double().eval()
    activations, positions = torch.rand(4, 8, 20).double(), torch.randn(4, 20).double()
    stream = torch.randn(4, 7).double()
    updated, attention = layer(stream, activations, positions)
    for row in range(4):
        tokens = torch.cat([activations[row], positions]).T
        expected, paid = token_by_token(layer, stream[row], tokens)
        torch.testing.assert_close(updated[row], expected)
        torch.testing.assert_close(attention[row], torch.stack(paid))


def test_a_dropped_score_takes_no_part_in_the_softmax():
    torch.manual_seed(0)
    layer = MemoryAttention(token_size=12, stream_size=7, heads=3, dropout=0.5)
    activations, positions = 5 * torch.rand(2, 8, 50), torch.randn(4, 50)
    stream = torch.randn(2, 7)
    _, everything = layer.eval()(stream, activations, positions)
    layer.train()
    _, attention = layer(stream, activations, positions)
    kept = attention > 0
    assert 0.3 < kept.float().mean() < 0.7
    shares = everything * kept
    torch.testing.assert_close(attention, shares / shares.sum(-1, keepdim=True))


def test_attention_is_even_where_everything_is_dropped():
    layer = MemoryAttention(token_size=12, stream_size=7, heads=3, dropout=1.0).train()
    _, attention = layer(torch.randn(2, 7), torch.rand(2, 8, 50), torch.randn(4, 50))
    torch.testing.assert_close(attention, torch.full((2, 3, 50), 1 / 50))


def test_the_whole_network_by_hand(model):
    x = sequences(3, 60)
    trace = model.trace(x)
    for row in range(3):
        seen = torch.relu(model.scanners(x[row]))
        tokens = torch.cat([seen, sinusoids(51, 16)]).T
        stream = torch.ones(128)
        for index, layer in enumerate(model.layers):
            stream, paid = token_by_token(layer, stream, tokens)
            torch.testing.assert_close(trace.attention[row, index], torch.stack(paid))
        torch.testing.assert_close(trace.logits[row], model.output(stream))
        torch.testing.assert_close(trace.activations[row], seen)


def test_rows_of_attention_sum_to_one(model):
    attention = model.trace(sequences(5, 80)).attention
    assert attention.shape == (5, 2, 4, 71)
    assert (attention >= 0).all()
    torch.testing.assert_close(attention.sum(-1), torch.ones(5, 2, 4))


def test_attention_is_not_even_before_training(model):
    """With PyTorch's own initialisation it covers 490 of 491 positions and often stays there."""
    attention = model.trace(sequences(8, 500)).attention
    covered = torch.special.entr(attention).sum(-1).exp().mean(dim=(0, 2))
    assert (covered < 0.75 * 491).all()


def test_the_paper_s_sizes(model):
    assert model.scanners.weight.shape == (8, 4, 10)
    assert len(model.layers) == 2 and model.layers[0].key.in_features == 24
    plain = PlainCNN()
    assert [tuple(p.shape) for p in plain.parameters() if p.dim() > 1] == [
        (8, 4, 10),
        (8, 8, 5),
        (8, 8, 5),
        (10, 96),
        (5, 10),
        (1, 5),
    ]


@pytest.mark.parametrize("length", [1, 9, 10, 101])
@pytest.mark.parametrize("dtype", [torch.float64, torch.int8])
def test_any_length_and_dtype(model, length, dtype):
    x = sequences(2, length)
    torch.testing.assert_close(model(x.to(dtype)), model(x))
    assert model(x).shape == (2, 1)


def test_batches_change_nothing(model):
    x = sequences(6, 70)
    torch.testing.assert_close(model(x), torch.cat([model(part) for part in x.split(4)]))


def planted_reader():
    """An ARGMINN that scans for GATTACAGAT and TTTTTCCCCC, and attends to the second alone."""
    torch.manual_seed(0)
    model = ARGMINN(filters=2, layers=1, heads=2).eval()
    with torch.no_grad():
        model.scanners.weight.copy_(one_hot(["GATTACAGAT", "TTTTTCCCCC"]))
        model.scanners.bias.fill_(-8.0)
        layer = model.layers[0]
        layer.query.weight.zero_()
        layer.query.bias.fill_(1.0)
        layer.key.weight.zero_()
        layer.key.weight[:, 1] = 50.0
    return model


def test_instances_are_found_where_they_were_planted():
    model = planted_reader()
    toml = """
        length = 80
        region = 60
        [motifs.FIRST]
        consensus = "GATTACAGAT"
        [motifs.SECOND]
        consensus = "TTTTTCCCCC"
        [[positives]]
        share = 1
        motifs = ["FIRST", "SECOND"]
        spacing = [5]
        [[negatives]]
        share = 1
        motifs = []
    """
    batch = Simulation.from_toml(toml).sample(40, seed=0, positives=40)
    found = model.instances(batch.one_hot())
    forward = batch.strands[:, 1] > 0
    expected = {(row, batch.starts[row, 1]) for row in np.flatnonzero(forward)}
    assert {(i.sequence, i.start) for i in found} == expected
    assert {i.filter for i in found} == {1}
    assert all(i.attention >= 0.9 and i.activation == pytest.approx(2) for i in found)


def test_instances_need_a_filter_at_its_mean_and_are_ranked():
    model = planted_reader()
    x = one_hot(
        [
            "A" * 10 + "TTTTTCCCCC" + "A" * 10 + "GATTACAGAT",  # attention goes to the second only
            "A" * 10 + "TTTTTCCCCA" + "A" * 20,  # a weaker match
        ]
    )
    found = model.instances(x)
    assert [(i.sequence, i.start, i.filter) for i in found] == [(0, 10, 1), (1, 10, 1)]
    assert found[0].attention >= found[1].attention
    # With no least attention every match that is strong enough is ranked, the unattended one last.
    ranked = model.instances(x, minimum=0)
    assert [(i.sequence, i.start, i.filter) for i in ranked] == [(0, 10, 1), (1, 10, 1), (0, 30, 0)]
    assert model.instances(one_hot("ACGT" * 20)) == []


def test_an_instance_below_the_filter_s_mean_is_not_called():
    model = planted_reader()
    with torch.no_grad():
        model.scanners.bias.fill_(-1.0)  # everything is above 0 now, and the means are too
    x = one_hot(["TTTTTCCCCC" * 6, "G" * 60])
    trace = model.trace(x)
    called = model.instances(x, minimum=0)
    means = trace.activations.mean((0, 2))
    assert called and all(i.activation >= means[i.filter] for i in called)
    assert len(called) < (trace.activations > 0).sum()


def test_the_plain_network_by_its_definition():
    torch.manual_seed(0)
    model = PlainCNN(length=130)
    for _ in range(3):
        model(sequences(20, 130))  # moves the running means
    model.eval()
    x = sequences(4, 130)
    modules = list(model.layers)
    convolutions = [m for m in modules if isinstance(m, torch.nn.Conv1d)]
    norms = [m for m in modules if isinstance(m, torch.nn.BatchNorm1d)]
    linear = [m for m in modules if isinstance(m, torch.nn.Linear)]

    def normal(norm, y):
        shape = (-1, 1) if y.dim() == 3 else (-1,)
        mean, var = norm.running_mean.view(shape), norm.running_var.view(shape)
        scaled = (y - mean) / torch.sqrt(var + 1e-5)
        return scaled * norm.weight.view(shape) + norm.bias.view(shape)

    y = x
    for convolution, norm in zip(convolutions, norms):
        y = normal(norm, F.conv1d(y, convolution.weight, convolution.bias).clamp(min=0))
    y = torch.stack([y[..., i : i + 40].amax(-1) for i in range(0, 80, 40)], -1).flatten(1)
    for hidden, norm in zip(linear, norms[3:]):
        y = normal(norm, hidden(y).clamp(min=0))
    torch.testing.assert_close(model(x), linear[2](y))
    torch.testing.assert_close(model.activations(x), model.scanners(x).clamp(min=0))


def test_the_plain_network_takes_one_length():
    with pytest.raises(ValueError, match="x: expected 130 bases, got 131"):
        PlainCNN(length=130)(sequences(1, 131))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: ARGMINN(filters=0), "filters, width, .* got 0, 10, 128 and 2"),
        (lambda: ARGMINN(position_size=5), "position_size: expected an even number, got 5"),
        (lambda: ARGMINN(heads=5), "heads: expected a divisor of the token's size 24, got 5"),
        (lambda: ARGMINN(tasks="one"), "tasks: expected names, at least one, got 'one'"),
        (lambda: PlainCNN(length=50), "length: expected at least 57, got 50"),
        (lambda: ARGMINN()(torch.zeros(2, 5, 9)), r"x: expected the shape \(B, 4, L\)"),
    ],
)
def test_wrong_arguments_are_named(make, message):
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.parametrize("make", [lambda: ARGMINN(filters=4, width=7), lambda: PlainCNN(101)])
def test_to_a_folder_and_back(make, tmp_path):
    torch.manual_seed(0)
    model = make().eval()
    model.save_pretrained(tmp_path / "saved")
    loaded = modelzoo.load(tmp_path / "saved")
    x = sequences(2, 101)
    assert type(loaded) is type(model) and loaded.config == model.config
    torch.testing.assert_close(loaded(x), model(x))
