import dataclasses
import json

import numpy as np
import pytest
import torch
from sklearn.metrics import roc_auc_score

import modelzoo
from modelzoo.architectures.moe import MixtureOfExperts
from modelzoo.datasets.peaks import Peaks
from modelzoo.errors import WorkError
from modelzoo.sequences.batches import in_batches
from modelzoo.training import mixture as gate
from modelzoo.training.calibration import calibration
from modelzoo.training.expert import untrained
from modelzoo.training.fit import seeded
from modelzoo.training.mixture import EmbeddedPeaks, GateParams, train_moe
from tests.support.peaks import fasta, planted

MOTIFS = {"a": "GATAAGAT", "b": "CCGGAAGT"}
PARAMS = GateParams(batch_size=64, epochs=8)


@pytest.fixture(scope="module")
def sources(tmp_path_factory):
    folder = tmp_path_factory.mktemp("peaks")
    return [
        fasta(folder / f"{name}.fa", planted(300, motif, seed))
        for seed, (name, motif) in enumerate(MOTIFS.items())
    ]


@pytest.fixture
def experts():
    """Experts that look for the motifs, as if they had been trained."""
    models = {}
    for seed, (name, motif) in enumerate(MOTIFS.items()):
        config = {"filters": [4], "widths": [9], "pooling": "max"}
        model = untrained(name, config, seed=seed).eval()
        letters = torch.tensor(["ACGT".index(letter) for letter in motif])
        pattern = torch.nn.functional.one_hot(letters, 4).T.float() - 0.25
        with torch.no_grad():
            model.trunk[0].weight[0] = torch.nn.functional.pad(pattern, (0, 1))
        models[name] = model
    return models


@pytest.fixture
def train(experts, sources, tmp_path):
    def train(name, **arguments):
        defaults = {"sources": sources, "params": PARAMS, "progress": False}
        return train_moe(**{"experts": experts, "out": tmp_path / name} | defaults | arguments)

    return train


@pytest.fixture
def data(experts, sources):
    model = MixtureOfExperts.from_experts(experts).eval()
    peaks = [Peaks([path]) for path in sources]
    return model, peaks, EmbeddedPeaks(model, peaks, seed=5)


def test_the_mixture_learns_and_its_experts_do_not_change(train, experts):
    folder = train("moe")
    model = MixtureOfExperts.from_pretrained(folder).eval()
    for name, expert in experts.items():
        state = model.experts[name].state_dict()
        assert all(torch.equal(state[key], value) for key, value in expert.state_dict().items())
    training = json.loads((folder / "training.json").read_text())
    assert training["validation_auc"] > 0.85
    assert training["validation_auc_by_factor"].keys() == MOTIFS.keys()
    assert training["data"].keys() == {"a.fa", "b.fa"}


def test_one_seed_is_one_file_and_another_is_another(train, weights):
    short = dataclasses.replace(PARAMS, epochs=2)
    one, two, other = (train(f"{i}", params=short, seed=seed) for i, seed in enumerate((0, 0, 1)))
    assert weights(one) == weights(two) != weights(other)
    assert (one / "training.json").read_bytes() == (two / "training.json").read_bytes()


def test_a_killed_run_resumes_to_the_same_bytes(train, tmp_path, killed, weights):
    with killed(3, EmbeddedPeaks, "validate"):
        train("a")
    assert [path.name for path in tmp_path.iterdir()] == ["a.partial"]
    assert weights(train("a")) == weights(train("b"))


def test_a_run_does_not_resume_with_other_experts_or_other_peaks(
    train, experts, sources, tmp_path, killed
):
    with killed(2, EmbeddedPeaks, "validate"):
        train("a")
    other = {**experts, "b": untrained("b", {"filters": [4], "widths": [9]}, seed=9).eval()}
    with pytest.raises(ValueError, match=r"another run.*: config, initial weights;"):
        train("a", experts=other)
    changed = fasta(tmp_path / "a.fa", planted(299, MOTIFS["a"], 0))
    with pytest.raises(ValueError, match=r"another run, which differs in: data;"):
        train("a", sources=[changed, sources[1]])
    train("a")


def test_a_wrong_source_leaves_nothing(train, tmp_path):
    with pytest.raises(ValueError, match="source: expected one of"):
        train("a", sources=["absent.fa"])
    assert not list(tmp_path.iterdir())


def test_the_work_that_fails_was_no_wrong_call_and_leaves_nothing(train, tmp_path, monkeypatch):
    def fail(*arguments):
        raise ValueError("a library's")

    monkeypatch.setattr(gate, "embed", fail)
    with pytest.raises(WorkError, match="a library's"):
        train("a")
    assert not list(tmp_path.iterdir())


def test_the_mixture_is_calibrated_on_the_held_out_peaks_of_all_factors(train, sources):
    model = modelzoo.load(train("moe"))
    held_out = [Peaks([path]).held_out for path in sources]
    logits = torch.cat([in_batches(model, codes) for codes, _ in held_out])
    (fitted,) = calibration(logits, torch.cat([labels for _, labels in held_out]))
    assert model.calibration == [pytest.approx(fitted, rel=1e-3)]


def test_an_epoch_is_every_training_peak_and_a_fresh_shuffle_of_each(data):
    model, peaks, embedded = data
    expected = torch.cat([gate.embed(model, c) for part in peaks for c in part.train.values()])
    negatives = []
    for epoch in (0, 1, 2, 0):
        batches = list(embedded.batches(epoch, 50))
        x, y = torch.cat([x for x, _ in batches]), torch.cat([y for _, y in batches])[:, 0]
        torch.testing.assert_close(x[y == 1].sort(0).values, expected.sort(0).values)
        shuffles = [part.epoch(epoch, (5, i)) for i, part in enumerate(peaks)]
        own = [gate.embed(model, codes[labels[:, 0].numpy() == 0]) for codes, labels in shuffles]
        torch.testing.assert_close(x[y == 0].sort(0).values, torch.cat(own).sort(0).values)
        negatives.append(x[y == 0].sort(0).values)
    assert torch.equal(negatives[0], negatives[3])
    for one, other in ((0, 1), (0, 2), (1, 2)):
        assert not torch.equal(negatives[one], negatives[other])


def test_a_few_shuffles_are_embedded_once_each_and_taken_in_turn(experts, sources, monkeypatch):
    model = MixtureOfExperts.from_experts(experts).eval()
    peaks = [Peaks([path]) for path in sources]
    kept, anew = (EmbeddedPeaks(model, peaks, seed=5, shuffles=n) for n in (2, None))
    for epoch, same in enumerate((0, 1, 0, 1)):
        for one, other in zip(kept.negatives(epoch), anew.negatives(same), strict=True):
            assert torch.equal(one, other)
    monkeypatch.delattr(gate, "embed")
    assert len(kept.batches(7, 50)) == len(kept.batches(0, 50))


def test_a_choice_of_experts_sees_what_their_own_mixture_would(experts, sources):
    names, peaks = list(experts), [Peaks([path]) for path in sources]

    def view(order):
        model = MixtureOfExperts.from_experts({names[i]: experts[names[i]] for i in order}).eval()
        return EmbeddedPeaks(model, [peaks[i] for i in order], seed=5, shuffles=1)

    chosen, own = view([0, 1]).only([1]), view([1])
    assert torch.equal(chosen.positives[0], own.positives[0])
    assert torch.equal(chosen.held_out["b"][0], own.held_out["b"][0])
    assert chosen.held_out.keys() == own.held_out.keys()
    # shuffles follow from the factor's place, so they are other ones
    assert chosen.negatives(0)[0].shape == own.negatives(0)[0].shape
    turned = view([0, 1]).only([1, 0])
    mixture = MixtureOfExperts.from_experts(dict(reversed(experts.items()))).eval().mixture
    assert turned.scores(mixture) == pytest.approx(view([1, 0]).scores(mixture))


def test_a_new_expert_is_added_without_a_change_of_what_was_there(experts, sources):
    peaks = [Peaks([path]) for path in sources]
    with seeded(0):
        whole = MixtureOfExperts.from_experts(experts).eval()
        small = MixtureOfExperts.from_experts({"a": experts["a"]})
    data = EmbeddedPeaks(whole, peaks, seed=5, shuffles=1)
    gate.fit_gate(small, data.only([0]), PARAMS, progress=False)
    before = small.mixture(data.positives[0][:, :32])
    with seeded(0):
        larger = small.with_expert("b", experts["b"])
    gate.fit_new_expert(small, larger, data, dataclasses.replace(PARAMS, epochs=40))
    assert torch.equal(small.mixture(data.positives[0][:, :32]), before)
    old, new = small.mixture, larger.mixture
    assert torch.equal(new.gate.weight[0, :32], old.gate.weight[0])
    assert not new.gate.weight[0, 32:].any() and new.gate.weight[1].any()
    assert torch.equal(new.classifier.weight, old.classifier.weight)
    assert torch.equal(new.transforms[0].weight, old.transforms[0].weight)
    embedded, labels = data.held_out["b"]
    unseen = old(embedded[:, :32])[:, 0].detach()
    assert data.scores(new)["b"] > 0.8 > roc_auc_score(labels, unseen)
    assert all(p.requires_grad for p in new.parameters())


def test_a_choice_needs_kept_shuffles(data):
    with pytest.raises(ValueError, match="chosen: expected kept shuffles"):
        data[2].only([0])


def test_a_mixture_is_trained_on_so_many_peaks_of_each_factor(train):
    params = dataclasses.replace(PARAMS, per_factor=50, shuffles=2, epochs=3)
    training = json.loads((train("moe", params=params) / "training.json").read_text())
    assert training["command"].endswith("--epochs 3 --per-factor 50 --shuffles 2")
    assert training["params"]["per_factor"] == 50


@pytest.mark.parametrize("value", [0, 2.5, True])
def test_a_number_of_shuffles_that_is_none_is_refused(value):
    with pytest.raises(ValueError, match="shuffles: expected a whole number from 1 or None"):
        GateParams(shuffles=value)


def test_validation_is_the_mean_auc_over_factors_of_whole_models_on_held_out_peaks(data):
    model, peaks, embedded = data
    aucs = []
    for part in peaks:
        codes, labels = part.held_out
        with torch.no_grad():
            logits = model.mixture(gate.embed(model, codes))[:, 0]
        aucs.append(roc_auc_score(labels[:, 0], logits))
    assert embedded.validate(model.mixture) == pytest.approx(np.mean(aucs))


def test_a_mixture_takes_two_architectures_of_one_factor(sources, tmp_path):
    tower = untrained("a", {"filters": 3, "stem": 5, "dilations": (2,)}, "tower").eval()
    deepbind = untrained("a", {"filters": (4,), "widths": (9,)}).eval()
    folder = train_moe(
        gate.named([deepbind, tower]),
        out=tmp_path / "moe",
        sources=sources[:1],
        params=dataclasses.replace(PARAMS, epochs=2),
        progress=False,
    )
    model = MixtureOfExperts.from_pretrained(folder)
    assert list(model.experts) == ["deepbind-a", "tower-a"]
    training = json.loads((folder / "training.json").read_text())
    words = f"deepbind-a tower-a --peaks {sources[0]} --seed 0 --epochs 2"
    assert training["command"] == f"shiftsmooth train moe {words}"


def test_half_precision_is_of_training_alone(data):
    model, peaks, embedded = data
    half = EmbeddedPeaks(model, peaks, seed=5, precision=torch.bfloat16)
    assert half.validate(model.mixture) == embedded.validate(model.mixture)
    for one, other in zip(embedded.batches(0, 50), half.batches(0, 50), strict=True):
        assert not torch.equal(one[0], other[0]) and other[0].dtype == torch.float32
        torch.testing.assert_close(one[0], other[0], rtol=0.05, atol=0.05)


def test_experts_are_named_by_their_factors_where_that_is_enough(experts):
    assert gate.named(list(experts.values())) == experts


def test_one_architecture_twice_for_a_factor_is_refused(experts):
    with pytest.raises(ValueError, match="experts: expected every architecture and factor once"):
        gate.named([experts["a"], experts["a"]])
