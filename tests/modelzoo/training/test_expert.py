import dataclasses
import json
from collections import Counter
from itertools import pairwise

import numpy as np
import pytest
import torch
from sklearn.metrics import roc_auc_score

import modelzoo
from modelzoo.architectures.danq import DanQExpert
from modelzoo.architectures.deepbind import DeepBind
from modelzoo.architectures.tower import Tower
from modelzoo.datasets import chipseq
from modelzoo.datasets.peaks import read_peaks, shuffled, split_peaks
from modelzoo.sequences import columns
from modelzoo.training import expert as experts
from modelzoo.training.expert import (
    DanQParams,
    ExpertParams,
    PeakBatches,
    TowerParams,
    Validation,
    train_expert,
)

PARAMS = ExpertParams(filters=(8,), widths=(9,), learning_rate=0.02, batch_size=32, epochs=6)
TOWER = TowerParams(
    filters=6, stem=9, dilations=(1, 2), learning_rate=0.02, batch_size=32, epochs=5
)
DANQ = DanQParams(filters=8, width=9, pool=5, state=8, learning_rate=0.02, batch_size=32, epochs=10)


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    """A file of 400 peaks with a planted GATAAGAT."""
    rng = np.random.default_rng(0)
    rows = rng.choice(list("ACGT"), (400, 40))
    for row, start in zip(rows, rng.integers(0, 32, 400)):
        row[start : start + 8] = list("GATAAGAT")
    path = tmp_path_factory.mktemp("peaks") / "toy.fa"
    path.write_text("".join(f">p{i}\n{''.join(row)}\n" for i, row in enumerate(rows)))
    return path


@pytest.fixture
def train(source, tmp_path):
    def train(name, **arguments):
        defaults = {"params": PARAMS, "progress": False}
        return train_expert(source, out=tmp_path / name, **defaults | arguments)

    return train


def weights(folder):
    return (folder / "model.safetensors").read_bytes()


def test_an_expert_learns_a_planted_motif_from_a_users_own_peaks(train, source):
    folder = train("a")
    assert {p.name for p in folder.iterdir()} >= {"config.json", "model.safetensors"}
    model = DeepBind.from_pretrained(folder).eval()
    assert model.tasks == ("toy",)
    _, held_out = split_peaks(read_peaks(source))
    validation = Validation(held_out)
    assert validation(model) > 0.9
    recorded = json.loads((folder / "training.json").read_text())["validation_auc"]
    assert recorded == pytest.approx(validation(model), abs=1e-6)


@pytest.mark.parametrize(("params", "cls"), [(TOWER, Tower), (DANQ, DanQExpert)])
def test_other_experts_learn_it_too_and_are_loaded_by_their_names(train, source, params, cls):
    folder = train("a", params=params)
    model = modelzoo.load(folder)
    assert isinstance(model, cls) and model.tasks == ("toy",)
    _, held_out = split_peaks(read_peaks(source))
    assert Validation(held_out)(model) > 0.9
    training = json.loads((folder / "training.json").read_text())
    assert training["command"].endswith(f"--architecture {cls.architecture} --seed 0")
    assert training["params"] == json.loads(json.dumps(dataclasses.asdict(params)))


def test_a_killed_tower_resumes_to_the_same_bytes(train, tmp_path, monkeypatch):
    epochs = []

    class Killed(Validation):
        def __call__(self, model):
            epochs.append(super().__call__(model))
            if len(epochs) == 2:
                raise KeyboardInterrupt
            return epochs[-1]

    params = dataclasses.replace(TOWER, epochs=2)
    with monkeypatch.context() as patched:
        patched.setattr(experts, "Validation", Killed)
        with pytest.raises(KeyboardInterrupt):
            train("a", params=params)
    assert weights(train("a", params=params)) == weights(train("b", params=params))


def test_how_it_was_made_is_written_down(train, source):
    training = json.loads((train("a", seed=3) / "training.json").read_text())
    assert training["seed"] == 3 and training["command"].startswith("shiftsmooth train expert")
    assert training["data"].keys() == {"toy.fa"} and len(training["data"]["toy.fa"]) == 64
    assert training["versions"]["torch"] == torch.__version__
    assert training["params"]["filters"] == [8] and training["date"][:2] == "20"


def test_one_seed_is_one_file_and_another_is_another(train):
    one, two, other = train("one"), train("two"), train("other", seed=1)
    assert weights(one) == weights(two) != weights(other)


def test_a_killed_run_leaves_no_model_and_resumes_to_the_same_bytes(train, tmp_path, monkeypatch):
    scores = []

    class Killed(Validation):
        def __call__(self, model):
            scores.append(super().__call__(model))
            if len(scores) == 3:
                raise KeyboardInterrupt
            return scores[-1]

    with monkeypatch.context() as patched:
        patched.setattr(experts, "Validation", Killed)
        with pytest.raises(KeyboardInterrupt):
            train("a")
    assert [path.name for path in tmp_path.iterdir()] == ["a.partial"]
    with pytest.raises(ValueError, match=r"another run.*remove the file"):
        train("a", seed=1)
    assert weights(train("a")) == weights(train("b"))
    assert {path.name for path in tmp_path.iterdir()} == {"a", "b"}
    assert not (tmp_path / "a" / "checkpoint.safetensors").exists()


def test_nothing_is_overwritten(train, tmp_path):
    (tmp_path / "a").mkdir()
    with pytest.raises(FileExistsError, match=r"out: .*a exists already"):
        train("a")


def test_too_few_peaks_are_refused(tmp_path):
    path = tmp_path / "one.fa"
    path.write_text(">a\nACGTACGT\n")
    with pytest.raises(ValueError, match="source: expected peaks to train and validate on"):
        train_expert(path, out=tmp_path / "a", progress=False)


def test_an_epoch_is_every_peak_and_a_fresh_shuffle_of_each():
    peaks = np.random.default_rng(1).integers(0, 4, (30, 25), dtype=np.uint8)
    data = PeakBatches(peaks, seed=0)
    epochs = []
    for epoch in (0, 1, 0):
        batches = list(data(epoch, 16))
        x, y = torch.cat([x for x, _ in batches]), torch.cat([y for _, y in batches])[:, 0]
        assert sorted(map(bytes, x[y == 1].argmax(1).byte().numpy())) == sorted(map(bytes, peaks))
        epochs.append((x, sorted(tuple(s) for s in x[y == 0].argmax(1).tolist())))
        pairs = sorted(str(sorted(Counter(pairwise(s)).items())) for s in epochs[-1][1])
        assert pairs == sorted(str(sorted(Counter(pairwise(s)).items())) for s in peaks.tolist())
    assert torch.equal(epochs[0][0], epochs[2][0])
    assert not set(epochs[0][1]) & set(epochs[1][1])


def test_kept_shuffles_are_the_ones_that_would_be_made():
    peaks = np.random.default_rng(1).integers(0, 4, (5, 25), dtype=np.uint8)
    kept = PeakBatches(peaks, 0, keep=True)
    assert kept.negatives(3) is kept.negatives(3)
    assert np.array_equal(kept.negatives(3), PeakBatches(peaks, 0).negatives(3))


def test_validation_is_the_auc_of_peaks_against_one_fixed_shuffle():
    peaks = np.random.default_rng(2).integers(0, 4, (40, 25), dtype=np.uint8)
    model = PARAMS.build("toy").eval()
    with torch.no_grad():
        rows = np.concatenate([peaks, shuffled(peaks, experts.VALIDATION_SEED)])
        logits = model(columns(rows))[:, 0]
    expected = roc_auc_score([1] * 40 + [0] * 40, logits)
    assert Validation(peaks)(model) == pytest.approx(expected)


def test_params_survive_a_recipe():
    assert ExpertParams.from_toml(PARAMS.to_toml()) == PARAMS
    assert TowerParams.from_toml(TOWER.to_toml()) == TOWER


def test_a_recipe_with_an_unknown_name_is_refused():
    with pytest.raises(ValueError, match=r"params: expected some of .*got \['depth'\] too"):
        ExpertParams.from_toml("depth = 2\n")


def test_a_task_without_a_recipe_has_the_defaults():
    assert experts.found_params("toy") == ExpertParams()
    assert ExpertParams().build("toy").tasks == ("toy",)
    assert experts.found_params("toy", "tower") == TowerParams()


def test_an_architecture_that_is_no_experts_is_refused():
    with pytest.raises(ValueError, match=r"architecture: expected one of .*tower.*, got 'moe'"):
        experts.found_params("toy", "moe")


@pytest.mark.parametrize("params", [PARAMS, TOWER], ids=type)
def test_every_parameter_reaches_the_model(params):
    built = params.build("toy").config
    asked = dataclasses.asdict(params)
    assert {k: built[k] for k in built.keys() & asked} == {
        k: list(v) if isinstance(v, tuple) else v for k, v in asked.items() if k in built
    }
    assert built.keys() - asked.keys() == {"embedding_size", "tasks"}


@pytest.mark.parametrize("factor", chipseq.FACTORS)
def test_a_factors_recipe_is_found_and_builds(factor):
    params = experts.found_params(factor)
    assert params != ExpertParams() and params.build(factor).tasks == (factor,)
