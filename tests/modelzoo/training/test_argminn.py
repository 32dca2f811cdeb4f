"""Filters that are centred and mirrored, epochs that count, and trainings that resume."""

import copy
import dataclasses
import json

import numpy as np
import pytest
import torch
from torch import nn

import modelzoo
from modelzoo.architectures.argminn import ARGMINN, PlainCNN
from modelzoo.datasets.examples import Simulated
from modelzoo.datasets.peaks import Peaks
from modelzoo.sequences import columns, reverse_complement
from modelzoo.sequences.batches import in_batches
from modelzoo.training import argminn
from modelzoo.training.argminn import (
    Objective,
    Params,
    best_threshold,
    centre_filters,
    examples,
    fit_one,
    mirror_filters,
    train_argminn,
)
from modelzoo.training.checkpoints import Checkpoint
from modelzoo.training.losses import filter_overlap
from modelzoo.training.validation import Validation
from tests.support.peaks import fasta, planted

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


TINY = Params(epochs=3, batches=3, held_out=400)


@pytest.fixture
def easy(tmp_path):
    path = tmp_path / "easy.toml"
    path.write_text(EASY)
    return path


@pytest.fixture
def data(easy):
    """Gives what to train on, for some parameters."""
    return lambda params: examples(easy, params)


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


def test_filters_are_centred_before_the_regularisers_come_and_mirrored_once(data, monkeypatch):
    params, events = Params(epochs=16, batches=1, batch_size=4, candidates=1, held_out=40), []
    work = data(params)
    drawn = work.epoch
    monkeypatch.setattr(argminn, "centre_filters", lambda weight: events.append(weight.shape))
    monkeypatch.setattr(argminn, "mirror_filters", lambda model, x, y: events.append((len(x), y)))
    monkeypatch.setattr(work, "epoch", lambda *a: [events.append(a[0]), drawn(*a)][1])
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


@pytest.mark.slow
def test_two_epochs_improve_and_the_same_seed_gives_the_same_weights(data):
    params = Params(epochs=2, batches=40, learning_rate=5e-3, candidates=2, held_out=400)
    work, trained = data(params), []
    validate = Validation(work)
    before = validate(ARGMINN(filters=4, heads=2).eval())
    for _ in range(2):
        model, history = fit_one(
            lambda: ARGMINN(filters=4, heads=2), work, seed=0, params=params, progress=False
        )
        trained.append(model.state_dict())
    assert validate(model) == pytest.approx(history.best_score, abs=1e-9)
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


def test_a_trained_network_decides_at_one_half(data):
    """Whatever its bias was: it says what validation sequences say."""
    work = data(TINY)
    model, _ = fit_one(lambda: PlainCNN(60), work, seed=0, params=TINY, progress=False)
    codes, labels = work.held_out
    logits = in_batches(model, codes)[:, 0].numpy()
    assert abs(best_threshold(logits, labels[:, 0].numpy())) < 1e-5


def test_epochs_before_the_regularisers_are_settled_are_not_judged(data):
    params = dataclasses.replace(TINY, epochs=4, batches=1)
    _, history = fit_one(
        ARGMINN, data(params), seed=0, params=params, regularised=True, progress=False
    )
    assert history.scores[:3] == [None] * 3 and history.best_epoch == 3


def test_the_rate_follows_the_schedule(data, monkeypatch):
    monkeypatch.setattr(argminn, "falling", lambda done: 0.0)
    before = PlainCNN(60)
    model, _ = fit_one(
        lambda: copy.deepcopy(before), data(TINY), seed=0, params=TINY, progress=False
    )
    assert torch.equal(model.scanners.weight, before.scanners.weight)


def test_the_regulariser_on_an_ordinary_network(data, monkeypatch):
    monkeypatch.setattr(argminn, "L1", (0.5, 0.5))
    params = dataclasses.replace(TINY, batches=10, candidates=1)
    sizes = {}
    for regularised in (False, True):
        options = {"params": params, "regularised": regularised, "progress": False}
        model, _ = fit_one(lambda: PlainCNN(length=60), data(params), seed=0, **options)
        sizes[regularised] = float(model.scanners.weight.detach().abs().sum())
    assert sizes[True] < 0.7 * sizes[False]


def test_training_from_start_to_a_folder_that_loads(easy, tmp_path):
    params = dataclasses.replace(TINY, epochs=1)
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
    assert Validation(examples(easy, params))(model) == max(scores)


@pytest.mark.parametrize(
    ("source", "options", "message"),
    [
        ("absent.fa", {}, "source: expected one of"),
        ("easy.toml", {"initialisations": 0}, "initialisations: expected at least 1, got 0"),
        ("easy.toml", {"seed": -1}, "seed: expected a whole number from 0, got -1"),
    ],
)
def test_a_wrong_call_leaves_nothing(easy, tmp_path, source, options, message):
    with pytest.raises(ValueError, match=message):
        train_argminn(
            tmp_path / source, out=tmp_path / "run", params=TINY, progress=False, **options
        )
    assert list(tmp_path.iterdir()) == [easy]


@pytest.mark.parametrize("stop", [2, 4])  # of a candidate, and of the one that is chosen
def test_a_stopped_training_resumes_to_the_same_weights(data, tmp_path, killed, stop):
    params = dataclasses.replace(TINY, candidates=2)
    work = data(params)

    def run(checkpoint):
        options = {"params": params, "checkpoint": checkpoint, "progress": False}
        model, history = fit_one(lambda: PlainCNN(length=60), work, seed=1, **options)
        return model.state_dict(), history.scores

    whole, scores = run(None)
    with killed(stop):
        run(Checkpoint(tmp_path / "c.safetensors", {}))
    resumed, again = run(Checkpoint(tmp_path / "c.safetensors", {}))
    assert scores == again and len(scores) == 3
    assert all(torch.equal(whole[key], resumed[key]) for key in whole)
    assert [path.name for path in tmp_path.glob("*.safetensors")] == ["c.safetensors"]


def test_a_simulation_that_changed_is_not_resumed_on(easy, tmp_path, killed):
    options = {"out": tmp_path / "run", "initialisations": 1, "params": TINY, "progress": False}
    with killed(2):
        train_argminn(easy, **options)
    easy.write_text(EASY.replace("TGACTCAG", "TGACTCAT"))
    with pytest.raises(ValueError, match=r"run\.partial belongs to another run.*: data;"):
        train_argminn(easy, **options)


@pytest.mark.parametrize(
    ("regularised", "noted"),
    [(False, [0.8, 0.5, 0.7]), (True, [None, None, 0.5])],  # unsettled, only the race is judged
)
def test_the_best_candidate_is_trained_on(data, monkeypatch, regularised, noted):
    scores = {0: [0.6], 1: [0.8, 0.5, 0.7], 2: [0.7]}
    built = []

    def build():
        model = PlainCNN(60)
        built.append(model.scanners.weight.detach().clone())
        return model

    def validate(self, module):
        weight = getattr(module, "model", module).scanners.weight
        (own,) = (i for i, first in enumerate(built[:3]) if torch.equal(first, weight))
        return scores[own].pop(0)

    monkeypatch.setattr(argminn, "falling", lambda done: 0.0)  # so that weights tell who it is
    monkeypatch.setattr(Validation, "__call__", validate)
    params = dataclasses.replace(TINY, batches=1, candidates=3)
    options = {"params": params, "regularised": regularised, "progress": False}
    _, history = fit_one(build, data(params), seed=0, **options)
    assert history.scores == noted
    assert not torch.equal(built[0], built[1])


def test_a_source_is_a_simulation_or_peaks(easy, tmp_path):
    path = fasta(tmp_path / "mine.fa", planted(80, "GATA"))
    peaks, simulated = examples(path, TINY), examples(easy, TINY)
    assert isinstance(peaks, Peaks) and isinstance(simulated, Simulated)
    for data in (peaks, simulated):
        codes, labels = data.epoch(0, 0)
        assert len(codes) == TINY.sequences == 96 and labels.sum() == 48
