import dataclasses
import json

import numpy as np
import pytest
import torch
from sklearn.metrics import roc_auc_score

from modelzoo.architectures.moe import MixtureOfExperts
from modelzoo.datasets.peaks import read_peaks, shuffled, split_peaks
from modelzoo.training import mixture as gate
from modelzoo.training.expert import VALIDATION_SEED, ExpertParams, TowerParams
from modelzoo.training.fit import seeded
from modelzoo.training.mixture import EmbeddedPeaks, GateParams, train_moe

MOTIFS = {"a": "GATAAGAT", "b": "CCGGAAGT"}
PARAMS = GateParams(batch_size=64, epochs=8)


@pytest.fixture(scope="module")
def sources(tmp_path_factory):
    folder, files = tmp_path_factory.mktemp("peaks"), {}
    for seed, (name, motif) in enumerate(MOTIFS.items()):
        rng = np.random.default_rng(seed)
        rows = rng.choice(list("ACGT"), (300, 40))
        for row, start in zip(rows, rng.integers(0, 32, 300)):
            row[start : start + 8] = list(motif)
        files[name] = folder / f"{name}.fa"
        files[name].write_text("".join(f">{i}\n{''.join(row)}\n" for i, row in enumerate(rows)))
    return files


@pytest.fixture
def experts():
    """Experts that look for the motifs, as if they had been trained."""
    models = {}
    for seed, (name, motif) in enumerate(MOTIFS.items()):
        with seeded(seed):
            model = ExpertParams(filters=(4,), widths=(9,), pooling="max").build(name).eval()
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
        return train_moe(experts, out=tmp_path / name, **defaults | arguments)

    return train


@pytest.fixture
def data(experts, sources):
    model = MixtureOfExperts.from_experts(experts).eval()
    peaks = {name: read_peaks(path) for name, path in sources.items()}
    return model, peaks, EmbeddedPeaks(model, peaks, seed=5)


def weights(folder):
    return (folder / "model.safetensors").read_bytes()


def test_defaults_are_the_papers():
    found = dataclasses.asdict(GateParams())
    paper = {"learning_rate": 0.01, "momentum": 0.98, "epochs": 500, "patience": 10}
    assert paper.items() <= found.items()


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


def test_one_seed_is_one_file_and_another_is_another(train):
    one, two, other = train("one"), train("two"), train("other", seed=1)
    assert weights(one) == weights(two) != weights(other)


def test_a_killed_run_resumes_to_the_same_bytes(train, tmp_path, monkeypatch):
    scores = []

    def killed(self, mixture):
        scores.append(score(self, mixture))
        if len(scores) == 3:
            raise KeyboardInterrupt
        return scores[-1]

    score = EmbeddedPeaks.validate
    with monkeypatch.context() as patched:
        patched.setattr(gate.EmbeddedPeaks, "validate", killed)
        with pytest.raises(KeyboardInterrupt):
            train("a")
    assert [path.name for path in tmp_path.iterdir()] == ["a.partial"]
    assert weights(train("a")) == weights(train("b"))


def test_an_epoch_is_every_training_peak_and_a_fresh_shuffle_of_each(data):
    model, peaks, embedded = data
    train = [split_peaks(codes)[0] for codes in peaks.values()]
    expected = torch.cat([gate.embed(model, codes) for codes in train])
    negatives = []
    for epoch in (0, 1, 2, 0):
        batches = list(embedded.batches(epoch, 50))
        x, y = torch.cat([x for x, _ in batches]), torch.cat([y for _, y in batches])[:, 0]
        torch.testing.assert_close(x[y == 1].sort(0).values, expected.sort(0).values)
        assert len(x[y == 0]) == len(expected)
        negatives.append(x[y == 0].sort(0).values)
    assert torch.equal(negatives[0], negatives[3])
    for one, other in ((0, 1), (0, 2), (1, 2)):
        assert not torch.equal(negatives[one], negatives[other])


def test_negatives_are_shuffles_of_the_training_peaks_alone(data, monkeypatch):
    _, peaks, embedded = data
    seen = []
    monkeypatch.setattr(gate, "shuffled", lambda c, s: (seen.append(c), shuffled(c, s))[1])
    embedded.batches(3, 50)
    for codes, used in zip(peaks.values(), seen, strict=True):
        assert np.array_equal(used, split_peaks(codes)[0])


def test_validation_is_the_mean_auc_over_factors_of_whole_models_on_held_out_peaks(data):
    model, peaks, embedded = data
    aucs = []
    for codes in peaks.values():
        _, held_out = split_peaks(codes)
        rows = np.concatenate([held_out, shuffled(held_out, VALIDATION_SEED)])
        with torch.no_grad():
            logits = model.mixture(gate.embed(model, rows))[:, 0]
        aucs.append(roc_auc_score(np.repeat([1, 0], len(held_out)), logits))
    assert embedded.validate(model.mixture) == pytest.approx(np.mean(aucs))


def test_a_mixture_takes_two_architectures_of_one_factor(sources, tmp_path):
    with seeded(0):
        tower = TowerParams(filters=3, stem=5, dilations=(2,)).build("a").eval()
        deepbind = ExpertParams(filters=(4,), widths=(9,)).build("a").eval()
    folder = train_moe(
        gate.named([deepbind, tower]),
        out=tmp_path / "moe",
        sources={"a": sources["a"]},
        params=dataclasses.replace(PARAMS, epochs=2),
        progress=False,
    )
    model = MixtureOfExperts.from_pretrained(folder)
    assert list(model.experts) == ["deepbind-a", "tower-a"]
    training = json.loads((folder / "training.json").read_text())
    assert training["command"] == "shiftsmooth train moe deepbind-a tower-a --seed 0 --epochs 2"


def test_half_precision_is_of_training_alone(data):
    model, peaks, embedded = data
    half = EmbeddedPeaks(model, peaks, seed=5, precision=torch.bfloat16)
    assert half.validate(model.mixture) == embedded.validate(model.mixture)
    for one, other in zip(embedded.batches(0, 50), half.batches(0, 50), strict=True):
        assert not torch.equal(one[0], other[0]) and other[0].dtype == torch.float32
        torch.testing.assert_close(one[0], other[0], rtol=0.05, atol=0.05)


def test_other_precisions_are_refused():
    with pytest.raises(ValueError, match="precision: expected 'float32' or 'bfloat16', got 'half'"):
        GateParams(precision="half")


def test_experts_are_named_by_their_factors_where_that_is_enough(experts):
    assert gate.named(list(experts.values())) == experts


def test_one_architecture_twice_for_a_factor_is_refused(experts):
    with pytest.raises(ValueError, match="experts: expected every architecture and factor once"):
        gate.named([experts["a"], experts["a"]])
