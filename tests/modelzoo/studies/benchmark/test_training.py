"""A training's part knows by which recipe and on which labels the weights were made."""

from dataclasses import replace

import pytest
import torch

from modelzoo.studies.benchmark.models import MODELS
from modelzoo.studies.benchmark.settings import Settings
from modelzoo.studies.benchmark.training import built, loaded, training

SMALL = Settings(train=64, validation=32, epochs=2, permuted_epochs=1, test=32)


def test_weights_of_another_recipe_do_not_count(tmp_path, monkeypatch):
    before = training(tmp_path, SMALL, "or", "basset", 0)
    other = replace(MODELS["basset"].recipe, rate=1e-3)
    monkeypatch.setitem(MODELS, "basset", replace(MODELS["basset"], recipe=other))
    after = training(tmp_path, SMALL, "or", "basset", 0)
    assert before.path == after.path and before.key != after.key


def test_permuted_labels_have_weights_of_their_own_for_each_seed(tmp_path):
    parts = [
        training(tmp_path, SMALL, "or", "basset", seed, permuted=permuted)
        for seed in (0, 1)
        for permuted in (False, True)
    ]
    assert len({part.path for part in parts}) == len({part.key for part in parts}) == 4


@pytest.mark.parametrize("model", ["global-max", "lstm", "transformer"])
def test_a_training_changes_weights_the_same_way_each_time(tmp_path, model):
    found = []
    for run in ("one", "two"):
        (tmp_path / run / "models").mkdir(parents=True)
        part = training(tmp_path / run, SMALL, "or", model, 0)
        found.append(dict(loaded(part, "or", model)[0].named_parameters()))
    for name, before in built("or", model, 0).named_parameters():
        assert torch.equal(found[0][name], found[1][name])
        assert not torch.equal(found[0][name], before)
