import dataclasses
import json

import numpy as np
import pytest
import torch
from sklearn.metrics import roc_auc_score

import modelzoo
from modelzoo.architectures.deepbind import DeepBind
from modelzoo.architectures.deepstarr import DeepSTARR
from modelzoo.datasets import chipseq
from modelzoo.datasets.peaks import Peaks
from modelzoo.datasets.planted import Simulation, simulations
from modelzoo.files import sha256
from modelzoo.sequences.batches import in_batches
from modelzoo.studies import shipped as release
from modelzoo.studies.peaks.scores import LabelledSet
from modelzoo.studies.planted.measures import TEST_SEED
from modelzoo.training.calibration import calibration
from modelzoo.training.expert import ExpertParams
from modelzoo.training.fit import History
from modelzoo.training.run_folder import Run
from modelzoo.zoo import catalog
from tests.support.peaks import fasta, planted

MODELS = tuple(release.trainings())
SIMULATED = [f"argminn-{source}" for source in simulations()]


@pytest.fixture
def shipped(tmp_path, monkeypatch):
    """Small models, shipped into a tree of their own; experts stand in for all of them.

    Half precision holds their weights as they are.
    """
    for folder in ("weights", "recipes"):
        (tmp_path / folder).mkdir()
        monkeypatch.setattr(catalog, folder.upper(), tmp_path / folder)
    models = {}
    for seed, name in enumerate(MODELS):
        torch.manual_seed(seed)
        models[name] = DeepBind([3], [5], tasks=[f"task{seed}"]).half().float().eval()
        with Run(tmp_path / "runs" / name, {}) as run:
            told = {"command": "make it", "seed": seed, "validation_auc": 0.9}
            release.ship(run.finish(models[name], History([0.9]), ExpertParams(), **told))
    return models


def test_what_is_shipped_rebuilds_the_model_and_tells_how_it_was_made(shipped, tmp_path):
    for seed, (name, model) in enumerate(shipped.items()):
        recipe = json.loads((tmp_path / "recipes" / f"{name}.json").read_text())
        assert recipe["config"] == model.config and recipe["tasks"] == [f"task{seed}"]
        assert (recipe["command"], recipe["seed"], recipe["scores"]) == ("make it", seed, {})
        rebuilt = release._load(catalog.info(name), tmp_path / "runs").state_dict()
        assert all(torch.equal(rebuilt[k], v) for k, v in model.state_dict().items())


def test_judging_notes_the_scores_of_every_model_on_every_set(shipped, tmp_path):
    rng = np.random.default_rng(0)
    codes = rng.integers(0, 4, (60, 20), dtype=np.uint8)
    labels = np.repeat([1, 0], 30)
    toy = LabelledSet("TOY", "in distribution", codes, labels, np.arange(60) % 30)
    rows = release.judge(tmp_path / "runs", sets=[toy], size=40)
    assert [row["model"] for row in rows] == list(MODELS)
    for row in rows:
        if row["model"] in SIMULATED:
            continue
        expected = roc_auc_score(labels, in_batches(shipped[row["model"]], codes)[:, 0])
        recipe = json.loads((tmp_path / "recipes" / f"{row['model']}.json").read_text())
        assert row["TOY"] == recipe["scores"]["TOY"]["roc_auc"] == pytest.approx(expected)


@pytest.mark.parametrize(
    "name", ["argminn-spi1", "argminn-tal-gata", "argminn-e2f6", "argminn-rest"]
)
def test_what_learned_from_a_simulation_is_judged_on_new_sequences_of_it(name, shipped, tmp_path):
    (row,) = release.judge(tmp_path / "runs", [name], sets=[], size=40)
    source = name.removeprefix("argminn-")
    batch = Simulation.load(source).sample(40, seed=TEST_SEED)
    logits = in_batches(shipped[name], batch.codes)[:, 0].numpy()
    scores = json.loads((tmp_path / "recipes" / f"{name}.json").read_text())["scores"][source]
    assert scores["accuracy"] == ((logits > 0) == batch.labels).mean()
    assert scores["roc_auc"] == row[source] == pytest.approx(roc_auc_score(batch.labels, logits))


def test_weights_that_are_not_shipped_are_summed_and_judged_from_the_runs(shipped, tmp_path):
    name, runs = MODELS[-1], tmp_path / "runs"
    catalog.info(name).weights.unlink()
    release.ship(runs / name, weights=False)
    info = catalog.info(name)
    assert info.sha256 == sha256((runs / name / "model.safetensors").read_bytes())
    assert not info.shipped
    rebuilt = release._load(info, runs).state_dict()
    assert all(torch.equal(rebuilt[k], v) for k, v in shipped[name].state_dict().items())
    with pytest.raises(ValueError, match="expected sha256 0, got"):
        release._load(dataclasses.replace(info, sha256="0"), runs)


def test_the_weights_of_baselines_are_not_shipped(shipped, tmp_path):
    name = "deepstarr-arid3a-foxm1-gata3"
    catalog.info(name).weights.unlink()
    release.ship(baseline(tmp_path / "runs2" / name))
    assert not catalog.info(name).shipped


def baseline(folder):
    with Run(folder, {}) as run:
        return run.finish(DeepSTARR(), History([0.9]), ExpertParams(), command="make it", seed=0)


def test_every_model_of_the_catalog_has_a_training_and_no_other():
    assert set(MODELS) == set(catalog.list_models())


def test_every_data_set_has_an_expert_in_the_catalog():
    names = {f"deepbind-{name.lower()}" for name in chipseq.sets("train")}
    assert names <= set(catalog.list_models())


def test_all_but_the_papers_are_shipped_in_half_precision_where_it_holds_them(
    tmp_path, monkeypatch
):
    for folder in ("weights", "recipes"):
        (tmp_path / folder).mkdir()
        monkeypatch.setattr(catalog, folder.upper(), tmp_path / folder)
    torch.manual_seed(0)
    for name, half in (("deepbind-gata3", False), ("deepbind-elk1", True)):
        model = DeepBind([30], [5], tasks=["one"]).eval()
        torch.nn.init.constant_(model.output.bias, 1e5)  # too large
        with Run(tmp_path / "runs" / name, {}) as run:
            release.ship(run.finish(model, History([0.9]), ExpertParams(), command="", seed=0))
        info, full = catalog.info(name), (tmp_path / "runs" / name / "model.safetensors")
        assert (info.weights.stat().st_size < 0.6 * full.stat().st_size) == half
        rebuilt = modelzoo.load(name, source="shipped").state_dict()
        for key, value in model.state_dict().items():
            kept = value.half().float() if half and key != "output.bias" else value
            assert torch.equal(rebuilt[key], kept)


def test_experts_and_mixtures_are_calibrated_on_their_held_out_peaks(
    shipped, tmp_path, monkeypatch
):
    """Two models of the catalog, with peaks of few data sets in the place of the real ones."""
    source = fasta(tmp_path / "task0.fa", planted(200, "GATAAGAT"))
    peaks = Peaks([source])
    monkeypatch.setattr(release, "Peaks", lambda *_, **__: peaks)
    name = MODELS[0]
    release.calibrate([name, "cnn1-arid3a-foxm1-gata3"])
    codes, labels = peaks.held_out
    (fitted,) = calibration(in_batches(shipped[name], codes), labels)
    assert modelzoo.load(name).calibration == [pytest.approx(fitted, rel=1e-3)]
    assert catalog.info(name).recipe["command"] == "make it"


@pytest.mark.parametrize("name", catalog.list_models())
def test_shipped_recipes_say_how_the_weights_were_made(name):
    recipe = catalog.info(name).recipe
    assert recipe.keys() >= {"command", "seed", "data", "versions", "validation_auc", "date"}
    sums = {path.rpartition("/")[2]: sha256 for path, sha256 in chipseq.SHA256.items()}
    assert all(sums[file] == sha for file, sha in recipe["data"].items())
    simulated = name in SIMULATED
    assert bool(recipe["data"]) != simulated
    judged = set(release.judged_names(catalog.info(name)))
    assert recipe["scores"].keys() == ({name.removeprefix("argminn-")} if simulated else judged)
