import dataclasses
import os
import time

import pytest

import modelzoo
from modelzoo.zoo import catalog


def test_lists_names_of_all_and_of_one_architecture(tiny):
    assert modelzoo.list_models() == ["tiny-gata3"]
    assert modelzoo.list_models("deepbind") == ["tiny-gata3"]


def test_unknown_architecture_names_those_there_are(tiny):
    with pytest.raises(ValueError, match="architecture: expected one of deepbind, got 'moa'"):
        modelzoo.list_models("moa")


def test_entry_is_typed_and_frozen(tiny):
    info = modelzoo.info("tiny-gata3")
    assert info.tasks == ("GATA3",)
    assert info.config == tiny.config
    assert info.scores["GATA3"]["roc_auc"] == 0.912345
    assert info.recipe["seed"] == 7
    with pytest.raises(dataclasses.FrozenInstanceError):
        info.sha256 = "0"


def test_own_score_is_the_mean_over_what_it_was_trained_on(tiny):
    assert tiny.info.sets == ("GATA3",) and tiny.info.own_auc == 0.912345
    experts = {"X": {"tasks": ["GATA3"]}, "Y": {"tasks": ["CTCF"]}, "Z": {"tasks": ["GATA3"]}}
    mixture = dataclasses.replace(tiny.info, tasks=("binding",), config={"experts": experts})
    assert mixture.sets == ("GATA3", "CTCF")
    assert mixture.own_auc == pytest.approx((0.912345 + 0.5) / 2)
    assert dataclasses.replace(tiny.info, scores={}).own_auc is None


def test_unknown_name_lists_the_names_and_the_nearest(tiny):
    with pytest.raises(catalog.UnknownModelError) as error:
        modelzoo.info("tiny-gata4")
    assert "did you mean 'tiny-gata3'?" in str(error.value)
    assert "There are: tiny-gata3" in str(error.value)


def test_names_are_made_of_architecture_and_factors():
    assert catalog.model_name("deepbind", "GATA3") == "deepbind-gata3"
    assert catalog.model_name("moe", "ARID3A", "FOXM1") == "moe-arid3a-foxm1"


# What is committed

SHIPPED = [name for name in catalog.list_models() if catalog.info(name).shipped]
MANY = "moe-12"  # experts, and sets: a minute of one core
JUDGED = [
    pytest.param(n, marks=(pytest.mark.slow, pytest.mark.nightly)) if n == MANY else n
    for n in SHIPPED
]


@pytest.mark.parametrize("name", SHIPPED)
def test_committed_model_loads_in_under_a_second_with_its_tasks(name):
    started = time.perf_counter()
    model = modelzoo.load(name, source="shipped")
    assert time.perf_counter() - started < 1
    assert model.tasks == modelzoo.info(name).tasks
    assert model(modelzoo.one_hot(["ACGTN" * 21])).shape == (1, len(model.tasks))


@pytest.mark.data
@pytest.mark.skipif("MODELZOO_DATA_DIR" not in os.environ, reason="needs MODELZOO_DATA_DIR")
@pytest.mark.parametrize("name", JUDGED)
def test_committed_scores_are_measured_again(name):
    from sklearn.metrics import roc_auc_score

    from modelzoo.datasets.planted import simulations
    from modelzoo.studies.peaks.scores import logits, task_score
    from modelzoo.studies.peaks.sets import judged_set
    from modelzoo.studies.shipped import judged_names, planted_set

    info, model = modelzoo.info(name), modelzoo.load(name, source="shipped")
    simulated = set(info.scores) & set(simulations())
    peaks = [] if simulated else map(judged_set, judged_names(info))
    sets = {data.name: data for data in [*peaks, *map(planted_set, simulated)]}
    assert info.scores.keys() == sets.keys()
    for dataset, data in sets.items():
        answers = task_score(logits(model, data.codes), model.tasks, dataset)
        measured = roc_auc_score(data.labels, answers)
        assert measured == pytest.approx(info.scores[dataset]["roc_auc"], abs=1e-4), dataset


@pytest.mark.parametrize(
    ("config", "recipe", "length"),
    [({"length": 77}, {"data": {"a": "1"}}, 77), ({}, {"data": {"a": "1"}}, 101), ({}, {}, None)],
)
def test_the_length_is_the_models_the_datas_or_unknown(tiny, config, recipe, length):
    info = dataclasses.replace(modelzoo.info("tiny-gata3"), config=config, recipe=recipe)
    assert info.length == length
