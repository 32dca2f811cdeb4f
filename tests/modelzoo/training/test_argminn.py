"""Eq. 2 against its sum, the schedules, the batches, and trainings that improve and resume."""

import copy
import json

import numpy as np
import pytest
import torch
from torch import nn

import modelzoo
from modelzoo.architectures.argminn import ARGMINN, PlainCNN
from modelzoo.datasets.planted.simulation import Simulation
from modelzoo.sequences import columns, reverse_complement
from modelzoo.training import argminn
from modelzoo.training.argminn import (
    L1,
    OVERLAP,
    Doubled,
    Objective,
    Params,
    SimulatedTask,
    best_threshold,
    centre_filters,
    filter_overlap,
    fit_one,
    mirror_filters,
    ramp,
    task,
    train_argminn,
)
from modelzoo.training.expert import predict

EASY = """
length = 60
region = 14
[motifs.SITE]
consensus = "TGACTCAG"
[[positives]]
share = 1.0
motifs = ["SITE"]
[[negatives]]
share = 1.0
motifs = []
"""


@pytest.fixture
def easy(tmp_path, monkeypatch):
    monkeypatch.setattr(argminn, "VALIDATION_SIZE", 1000)
    path = tmp_path / "easy.toml"
    path.write_text(EASY)
    return path


def direct_overlap(activations, weight):
    """Eq. 2 term by term, in the paper's own indices."""
    filters, _, width = weight.shape
    norms, total = weight.abs().sum(1), 0.0
    for a in activations:
        length = a.shape[1]
        for i in range(length):
            top = int(a[:, i].argmax())
            if a[top, i] == 0:
                continue
            for b in set(range(filters)) - {top}:
                for j in range(max(0, i - width + 1), min(length, i + width)):
                    own = slice(max(0, j - i), width - max(0, i - j))
                    other = slice(max(0, i - j), width - max(0, j - i))
                    total += a[b, j] * norms[top, own].sum() * norms[b, other].sum()
    return total


@pytest.mark.parametrize("filters", [1, 2, 4])
@pytest.mark.parametrize("width", [1, 2, 5])
def test_overlap_is_the_sum_of_the_paper(filters, width):
    torch.manual_seed(filters * width)
    activations = torch.relu(torch.randn(3, filters, 11).double())
    weight = torch.randn(filters, 4, width).double()
    terms = 3 * 11 * filters * (2 * width - 1) * (4 * width) ** 2
    expected = direct_overlap(activations, weight) / terms
    assert float(filter_overlap(activations, weight)) == pytest.approx(float(expected))
    assert (expected > 0) == (filters > 1)


def unnormalised(activations, weight):
    filters, _, width = weight.shape
    scale = activations.shape[0] * activations.shape[2] * filters * (2 * width - 1)
    return float(filter_overlap(activations, weight)) * scale * (4 * width) ** 2


def test_overlap_by_hand():
    weight = torch.zeros(2, 4, 3)
    weight[0, 0] = torch.tensor([1.0, 2.0, 3.0])  # filter 0, L1 norms by position
    weight[1, 1] = torch.tensor([0.0, -5.0, 7.0])
    seen = torch.zeros(1, 2, 6)
    seen[0, 0, 2] = 4.0  # filter 0 protects positions 2 to 4
    assert unnormalised(seen, weight) == 0  # no other filter is active
    seen[0, 1, 3] = 0.5
    # At 2 filter 0 is the strongest, and filter 1's window at 3 covers its positions 1 and 2 with
    # its own 0 and 1: 0.5 (2 + 3) (0 + 5). At 3 filter 1 is alone, so it protects positions 3 to 5:
    # filter 0 at 2 pays 4 (2 + 3) (0 + 5).
    assert unnormalised(seen, weight) == pytest.approx(12.5 + 100)
    seen[0, 1, 3], seen[0, 1, 5] = 0, 0.5  # windows 2-4 and 5-7 only touch
    assert unnormalised(seen, weight) == 0


def test_a_position_without_activity_protects_nothing():
    weight = torch.ones(2, 4, 3)
    seen = torch.zeros(1, 2, 9)
    seen[0, 1, 4] = 1.0  # the first filter, which argmax names at all other positions, is silent
    assert unnormalised(seen, weight) == 0


def test_overlap_pushes_the_weaker_filter_down():
    weight = torch.ones(2, 4, 3, requires_grad=True)
    seen = torch.tensor([[[0.0, 2.0, 0.0], [0.0, 1.0, 0.0]]], requires_grad=True)
    filter_overlap(seen, weight).backward()
    assert seen.grad[0, 1, 1] > 0 == seen.grad[0, 0, 1]
    assert (weight.grad > 0).all()


def columns_of(*weights):
    """A filter that is heavy in some positions, (1, 4, width)."""
    return (torch.tensor(weights) * torch.tensor([1.0, -1.0, 0.5, -0.5])[:, None])[None]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ([8.0, 6, 0, 0, 0, 0], [0.0, 0, 8, 6, 0, 0]),
        ([0.0, 0, 0, 0, 0, 5], [0.0, 0, 0, 5, 0, 0]),
        ([1.0, 1, 0, 0, 8, 4], [0.0, 0, 8, 4, 0, 0]),  # what hardly weighs may fall out
        ([0.0, 3, 9, 3, 0, 0], [0.0, 3, 9, 3, 0, 0]),  # half a position cannot be moved
        ([3.0, 3, 9, 3, 3, 3], [3.0, 3, 9, 3, 3, 3]),
        ([0.0, 0, 0, 0, 0, 0], [0.0, 0, 0, 0, 0, 0]),
    ],
)
def test_what_a_filter_looks_for_moves_to_its_middle(before, after):
    weight = torch.cat([columns_of(*before), columns_of(1.0, 2, 3, 3, 2, 1)])
    expected = torch.cat([columns_of(*after), columns_of(1.0, 2, 3, 3, 2, 1)])
    centre_filters(weight)
    torch.testing.assert_close(weight, expected)


def test_filters_are_centred_before_the_regularisers_come_and_mirrored_once(easy, monkeypatch):
    work, events = SimulatedTask(Simulation.load(easy)), []
    batches = work.batches
    monkeypatch.setattr(argminn, "centre_filters", lambda weight: events.append(weight.shape))
    monkeypatch.setattr(argminn, "mirror_filters", lambda model, x, y: events.append((len(x), y)))
    monkeypatch.setattr(work, "batches", lambda *a: [events.append(a[1]), batches(*a)][1])
    params = Params(16, 1, 4, candidates=1)
    fit_one(ARGMINN, work, seed=0, params=params, regularised=True, progress=False)
    shape, y = (8, 4, 10), torch.tensor([[0.0], [1.0], [0.0], [1.0]])
    (mirrored,) = [event for event in events if isinstance(event, tuple) and event[0] == 4]
    assert events.index(mirrored) == 5 and torch.equal(mirrored[1], y)
    events.remove(mirrored)
    assert events == [0, 1, shape, 2, shape, 3, shape, 4, shape, *range(5, 16)]


def test_mirrored_filters_see_on_one_strand_what_their_originals_see_on_the_other():
    torch.manual_seed(0)
    model, x = ARGMINN().eval(), columns(np.random.default_rng(0).integers(0, 4, (40, 60)))
    y = torch.ones(40, 1)
    losses = []
    for index in range(8):
        without = ARGMINN().eval()
        without.load_state_dict(model.state_dict())
        with torch.no_grad():
            without.scanners.weight[index], without.scanners.bias[index] = 0, -1
            losses.append(nn.functional.binary_cross_entropy_with_logits(without(x), y).item())
    best = np.argsort(losses)[4:]
    before = model.scanners.weight.detach().clone()
    mirror_filters(model, x, y)
    after = model.scanners.weight.detach()
    kept = [i for i in range(8) if torch.equal(before[i], after[i])]
    assert kept == sorted(best) and not model.training
    # Without positions, and with every filter's partner treated as itself, no strand is special.
    with torch.no_grad():
        for layer in model.layers:
            layer.key.weight[:, 8:] = layer.value.weight[:, 8:] = 0
    torch.testing.assert_close(model(x), model(reverse_complement(x)))
    assert model(x).std() > 0


def test_one_filter_has_no_other_to_mirror():
    model = ARGMINN(filters=1, position_size=2, heads=1)
    before = model.scanners.weight.detach().clone()
    mirror_filters(model, columns(np.zeros((2, 20), dtype=int)), torch.ones(2, 1))
    assert torch.equal(model.scanners.weight, before)


def test_schedules_are_the_papers():
    overlap = [ramp(epoch, 40, OVERLAP) for epoch in range(40)]
    assert overlap[:10] == [0] * 10
    np.testing.assert_allclose(overlap[10:30], np.logspace(0.5, 4, 20))
    np.testing.assert_allclose(overlap[30:], 1e4)
    l1 = [ramp(epoch, 40, L1) for epoch in range(40)]
    assert l1[:10] == [0] * 10
    np.testing.assert_allclose(l1[10:30], np.logspace(-4, -3, 20))
    np.testing.assert_allclose(l1[30:], 1e-3)


@pytest.mark.parametrize("epochs", [2, 3, 5, 8])
def test_short_schedules_rise_to_the_end(epochs):
    weights = [ramp(epoch, epochs, L1) for epoch in range(epochs)]
    assert weights == sorted(weights)
    assert weights[-1] == pytest.approx(L1[1])


def test_loss_is_eq_4():
    torch.manual_seed(0)
    model = ARGMINN().eval()
    objective = Objective(model, model.scanners, 40)
    x = columns(np.random.default_rng(0).integers(0, 4, (6, 50)))
    y = torch.ones(6, 1)
    logits = objective(x)
    plain = nn.functional.binary_cross_entropy_with_logits(logits, y)
    torch.testing.assert_close(objective.loss(logits, y), plain)
    objective.epoch = 35
    weight = model.scanners.weight
    overlap = filter_overlap(model.activations(x)[::4], weight)  # some rows stand for all
    expected = plain + 1e4 * overlap + 1e-3 * weight.abs().sum()
    assert overlap > 0
    torch.testing.assert_close(objective.loss(objective(x), y), expected)
    objective.release()
    assert not model.scanners._forward_hooks


def test_batches_are_balanced_and_carry_both_strands():
    rng = np.random.default_rng(0)
    codes = rng.integers(0, 4, (96, 20), dtype=np.uint8)
    labels = rng.permutation(np.arange(96) % 2)
    batches = Doubled(codes, labels, 32)
    assert len(batches) == 6
    seen = []
    for x, y in batches:
        assert x.shape == (32, 4, 20) and y.shape == (32, 1)
        assert y.sum() == 16
        torch.testing.assert_close(x[16:], reverse_complement(x[:16]))
        torch.testing.assert_close(y[16:], y[:16])
        seen += [(row.argmax(0).tolist(), int(label)) for row, label in zip(x[:16], y)]
    assert sorted(seen) == sorted((row.tolist(), int(label)) for row, label in zip(codes, labels))


def test_two_epochs_improve_and_the_same_seed_gives_the_same_weights(easy):
    work, params = task(easy), Params(epochs=2, batches=60, learning_rate=5e-3)
    trained = []
    before = work.validate(ARGMINN(filters=4, heads=2).eval())
    for _ in range(2):
        model, history = fit_one(
            lambda: ARGMINN(filters=4, heads=2), work, seed=0, params=params, progress=False
        )
        trained.append(model.state_dict())
    assert work.validate(model) == pytest.approx(history.best_score, abs=1e-9)
    assert history.best_score > max(before, history.scores[0], 0.6)
    assert all(torch.equal(trained[0][key], trained[1][key]) for key in trained[0])


@pytest.mark.parametrize("seed", range(5))
def test_the_threshold_makes_the_fewest_errors(seed):
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 2, 40)
    logits = rng.normal(size=40) + seed * labels

    def errors(threshold):
        return ((logits > threshold) != labels).sum()

    fewest = min(errors(t) for t in [*logits, -100, 100])
    assert errors(best_threshold(logits, labels)) == fewest


def test_a_trained_network_decides_at_one_half(easy):
    """Whatever its bias was: it says what validation sequences say."""
    work, params = SimulatedTask(Simulation.load(easy)), Params(epochs=2, batches=10)
    model, _ = fit_one(lambda: PlainCNN(60), work, seed=0, params=params, progress=False)
    logits = predict(model, work.held_out.codes)[:, 0].numpy()
    assert abs(best_threshold(logits, work.held_out.labels)) < 1e-5


def test_epochs_before_the_regularisers_are_settled_are_not_chosen(easy):
    params = Params(epochs=4, batches=1)
    _, history = fit_one(ARGMINN, task(easy), seed=0, params=params, regularised=True)
    assert [score < 0 for score in history.scores] == [True, True, True, False]


def test_the_rate_falls_to_nothing(easy, monkeypatch):
    rates = [argminn.falling(done) for done in np.linspace(0, 1, 9)]
    assert rates[0] == 1 and abs(rates[-1]) < 1e-12 and rates[4] == pytest.approx(0.5)
    assert rates == sorted(rates, reverse=True)
    monkeypatch.setattr(argminn, "falling", lambda done: 0.0)
    before = PlainCNN(60)
    params = Params(epochs=2, batches=3)
    model, _ = fit_one(
        lambda: copy.deepcopy(before), task(easy), seed=0, params=params, progress=False
    )
    assert torch.equal(model.scanners.weight, before.scanners.weight)


def test_the_regulariser_on_an_ordinary_network(easy, monkeypatch):
    monkeypatch.setattr(argminn, "L1", (0.1, 0.1))
    params = Params(epochs=3, batches=30)
    sizes = {}
    for regularised in (False, True):
        options = {"params": params, "regularised": regularised, "progress": False}
        model, _ = fit_one(lambda: PlainCNN(length=60), task(easy), seed=0, **options)
        sizes[regularised] = float(model.scanners.weight.detach().abs().sum())
    assert sizes[True] < 0.7 * sizes[False]


def test_training_from_start_to_a_folder_that_loads(easy, tmp_path):
    params = Params(epochs=1, batches=4)
    out = train_argminn(
        easy, out=tmp_path / "run", params=params, initialisations=2, progress=False
    )
    assert not list(out.glob("[0-9]*")) and not (tmp_path / "run.partial").exists()
    training = json.loads((out / "training.json").read_text())
    assert training["command"] == f"shiftsmooth train argminn {easy} --seed 0"
    scores = training["validation_auc_of_initialisations"]
    assert len(scores) == 2 and training["validation_auc"] == max(scores)
    model = modelzoo.load(out)
    assert model.tasks == ("easy",)
    assert task(easy).validate(model) == max(scores)


@pytest.mark.parametrize("stop", [2, 4])  # of a candidate, and of the one that goes on
def test_a_stopped_training_goes_on_to_the_same_weights(easy, tmp_path, stop):
    work, params = task(easy), Params(epochs=3, batches=3)

    def run(checkpoint, stop=None):
        count = 0

        def validate(module):
            nonlocal count
            count += 1
            if count == stop:
                raise KeyboardInterrupt
            return SimulatedTask.validate(work, module)

        work.validate = validate
        options = {"params": params, "checkpoint": checkpoint, "progress": False}
        model, history = fit_one(lambda: PlainCNN(length=60), work, seed=1, **options)
        return model.state_dict(), history.scores

    whole, scores = run(None)
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "c.safetensors", stop=stop)
    resumed, again = run(tmp_path / "c.safetensors")
    assert scores == again and len(scores) == 3
    assert all(torch.equal(whole[key], resumed[key]) for key in whole)
    assert [path.name for path in tmp_path.glob("*.safetensors")] == ["c.safetensors"]


@pytest.mark.parametrize(
    ("regularised", "noted"),
    [(False, [0.8, 0.5, 0.7]), (True, [-0.2, -1, 0.5])],  # unsettled, only the race is judged
)
def test_the_best_candidate_goes_on(easy, monkeypatch, regularised, noted):
    work = task(easy)
    scores = {0: [0.6], 1: [0.8, 0.5, 0.7], 2: [0.7]}
    built = []

    def build():
        model = PlainCNN(60)
        built.append(model.scanners.weight.detach().clone())
        return model

    def validate(objective):
        weight = objective.model.scanners.weight
        (own,) = (i for i, first in enumerate(built[:3]) if torch.equal(first, weight))
        return scores[own].pop(0)

    monkeypatch.setattr(argminn, "falling", lambda done: 0.0)  # so that weights tell who it is
    monkeypatch.setattr(work, "validate", validate)
    params = Params(epochs=3, batches=1, candidates=3)
    options = {"params": params, "regularised": regularised, "progress": False}
    _, history = fit_one(build, work, seed=0, **options)
    assert history.scores == pytest.approx(noted)
    assert not torch.equal(built[0], built[1])


def test_peaks_are_trained_on_against_new_shuffles(tmp_path):
    rng = np.random.default_rng(0)
    codes = rng.integers(0, 4, (80, 40))
    text = "".join(f">{i}\n{''.join('ACGT'[c] for c in row)}\n" for i, row in enumerate(codes))
    (tmp_path / "mine.fa").write_text(text)
    work, params = task(tmp_path / "mine.fa"), Params(batches=2)
    assert (work.name, work.length) == ("mine", 40)
    first, second = (list(work.batches(0, epoch, params)) for epoch in (0, 1))
    peaks = {row.tobytes() for row in work.peaks}
    for x, y in first:
        for row, label in zip(x[:32], y[:32]):
            known = row.argmax(0).numpy().astype(np.uint8).tobytes() in peaks
            assert known == bool(label)
    assert not torch.equal(first[0][0], second[0][0])
    assert torch.equal(first[0][0], next(iter(work.batches(0, 0, params)))[0])
