import dataclasses
import json
import os
import time

import pytest

import modelzoo
from modelzoo.zoo import catalog


def test_lists_names_of_all_and_of_one_architecture(tiny):
    assert modelzoo.list_models() == ["tiny-gata3"]
    assert modelzoo.list_models("deepbind") == ["tiny-gata3"]


def test_unknown_architecture_names_those_there_are(tiny):
    with pytest.raises(ValueError, match="architecture is 'moa'; expected one of deepbind"):
        modelzoo.list_models("moa")


def test_entry_is_typed_and_frozen(tiny):
    info = modelzoo.info("tiny-gata3")
    assert info.tasks == ("GATA3",)
    assert info.config == tiny.config
    assert info.scores["GATA3"]["roc_auc"] == 0.912345
    assert info.recipe["seed"] == 7
    with pytest.raises(dataclasses.FrozenInstanceError):
        info.sha256 = "0"


def test_unknown_name_lists_the_names_and_the_nearest(tiny):
    with pytest.raises(catalog.UnknownModelError) as error:
        modelzoo.info("tiny-gata4")
    assert "did you mean 'tiny-gata3'?" in str(error.value)
    assert "There are: tiny-gata3" in str(error.value)


def test_built_sum_is_that_of_the_file(tiny):
    # The oracle is the system's own sha256sum format: hashlib over the file in pieces.
    import hashlib

    digest = hashlib.sha256()
    with tiny.info.weights.open("rb") as file:
        while piece := file.read(100):
            digest.update(piece)
    assert tiny.info.sha256 == digest.hexdigest()


def test_check_finds_drift(tiny, monkeypatch):
    monkeypatch.setattr("sys.argv", ["catalog", "--check"])
    catalog.main()
    tiny.info.weights.write_bytes(tiny.info.weights.read_bytes()[:-1] + b"!")
    with pytest.raises(SystemExit, match="drifted"):
        catalog.main()


def test_what_is_too_large_to_ship_is_listed_by_the_sum_in_its_recipe(tiny):
    recipe = tiny.info.recipe | {"sha256": tiny.info.sha256}
    (catalog.RECIPES / "tiny-gata3.json").write_text(json.dumps(recipe))
    assert modelzoo.info("tiny-gata3").shipped
    tiny.info.weights.unlink()
    catalog.CATALOG.write_text(catalog.build())
    info = modelzoo.info("tiny-gata3")
    assert not info.shipped and info.sha256 == tiny.info.sha256


# What is committed

SHIPPED = [name for name in catalog.list_models() if catalog.info(name).shipped]


def test_committed_catalog_is_the_one_built_from_weights_and_recipes():
    assert catalog.build() == catalog.CATALOG.read_text(encoding="utf-8")


@pytest.mark.parametrize("name", SHIPPED)
def test_committed_model_loads_in_under_a_second_with_its_tasks(name):
    started = time.perf_counter()
    model = modelzoo.load(name, source="shipped")
    assert time.perf_counter() - started < 1
    assert model.tasks == modelzoo.info(name).tasks
    assert model(modelzoo.one_hot(["ACGTN" * 21])).shape == (1, len(model.tasks))


@pytest.mark.data
@pytest.mark.skipif("MODELZOO_DATA_DIR" not in os.environ, reason="needs MODELZOO_DATA_DIR")
@pytest.mark.parametrize("name", SHIPPED)
def test_committed_scores_are_measured_again(name):
    from sklearn.metrics import roc_auc_score

    from modelzoo.datasets import chipseq
    from modelzoo.studies.peaks.scores import logits, task_score
    from modelzoo.studies.peaks.sets import paper_sets
    from modelzoo.studies.shipped import planted_set

    info, model = modelzoo.info(name), modelzoo.load(name, source="shipped")
    simulated = set(info.scores) - {*chipseq.FACTORS, *chipseq.OOD_FACTORS}
    nine = [] if simulated else paper_sets()
    sets = {data.name: data for data in [*nine, *map(planted_set, simulated)]}
    assert info.scores.keys() == sets.keys()
    for dataset, data in sets.items():
        answers = task_score(logits(model, data.codes), model.tasks, dataset)
        measured = roc_auc_score(data.labels, answers)
        assert measured == pytest.approx(info.scores[dataset]["roc_auc"], abs=1e-4), dataset
