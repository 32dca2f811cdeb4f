import dataclasses
import json

import pytest
import torch

import modelzoo
from modelzoo.architectures import registered
from modelzoo.architectures.expert import Expert
from modelzoo.datasets import chipseq, negatives
from modelzoo.datasets.peaks import Peaks, read_peaks
from modelzoo.sequences import encode
from modelzoo.sequences.batches import in_batches
from modelzoo.training.calibration import calibration
from modelzoo.training.expert import (
    DROPOUT,
    ExpertParams,
    Recipe,
    fit_expert,
    train_expert,
    untrained,
)
from modelzoo.training.validation import Validation
from tests.support.peaks import fasta, planted

FAST = ExpertParams(learning_rate=0.02, batch_size=32, epochs=5)
RECIPES = {
    "deepbind": Recipe(FAST, {"filters": [8], "widths": [9]}),
    "tower": Recipe(FAST, {"filters": 6, "stem": 9, "dilations": [1, 2]}),
    "danq-expert": Recipe(
        dataclasses.replace(FAST, epochs=10), {"filters": 8, "width": 9, "pool": 5, "state": 8}
    ),
}


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    return fasta(tmp_path_factory.mktemp("peaks") / "toy.fa", planted(400, "GATAAGAT"))


@pytest.fixture
def train(source, tmp_path):
    def train(name, architecture="deepbind", **arguments):
        defaults = {"recipe": RECIPES[architecture], "progress": False}
        out = tmp_path / name
        return train_expert(source, out=out, architecture=architecture, **defaults | arguments)

    return train


@pytest.mark.parametrize("architecture", RECIPES)
def test_an_expert_learns_a_planted_motif_from_a_users_own_peaks(train, source, architecture):
    folder = train("a", architecture)
    model = modelzoo.load(folder)
    assert type(model) is registered(Expert)[architecture] and model.tasks == ("toy",)
    training = json.loads((folder / "training.json").read_text())
    score = Validation(Peaks([source]))(model)
    assert score > 0.9 and training["validation_auc"] == pytest.approx(score, abs=1e-6)
    assert training["command"].endswith(f"toy.fa --architecture {architecture} --seed 0")
    params, config = RECIPES[architecture]
    assert training["params"] == dataclasses.asdict(params)
    assert model.config.items() >= {**config, "dropout": DROPOUT}.items()
    codes, labels = Peaks([source]).held_out
    (fitted,) = calibration(in_batches(model, codes), labels)
    assert model.calibration == [pytest.approx(fitted, rel=1e-3)]


def test_one_seed_is_one_file_and_another_is_another(train, weights):
    quick = Recipe(dataclasses.replace(FAST, epochs=2), RECIPES["deepbind"].config)
    one, two, other = (train(f"{i}", recipe=quick, seed=seed) for i, seed in enumerate((3, 3, 4)))
    assert weights(one) == weights(two) != weights(other)
    for name in ("training.json", "config.json"):
        assert (one / name).read_bytes() == (two / name).read_bytes()


@pytest.mark.parametrize("architecture", ["deepbind", "tower"])
def test_a_killed_run_leaves_no_model_and_resumes_to_the_same_bytes(
    train, tmp_path, killed, weights, architecture
):
    recipe = RECIPES[architecture]
    options = {"recipe": recipe._replace(params=dataclasses.replace(FAST, epochs=3))}
    with killed(3):
        train("a", architecture, **options)
    assert [path.name for path in tmp_path.iterdir()] == ["a.partial"]
    with pytest.raises(ValueError, match=r"a\.partial belongs to another run.*seed"):
        train("a", architecture, seed=1, **options)
    resumed, whole = train("a", architecture, **options), train("b", architecture, **options)
    assert weights(resumed) == weights(whole)
    assert {path.name for path in tmp_path.iterdir()} == {"a", "b"}
    assert not (resumed / "checkpoint.safetensors").exists()


def test_a_run_does_not_resume_on_other_peaks_in_the_same_file(tmp_path, killed):
    path, rows = tmp_path / "toy.fa", planted(200, "GATAAGAT")
    options = {"out": tmp_path / "a", "recipe": RECIPES["deepbind"], "progress": False}
    with killed(2):
        train_expert(fasta(path, rows), **options)
    with pytest.raises(ValueError, match=r"another run, which differs in: data; remove it"):
        train_expert(fasta(path, rows[:-1]), **options)
    assert train_expert(fasta(path, rows), **options) == tmp_path / "a"


def test_a_file_that_changes_in_mid_run_is_noticed(tmp_path, monkeypatch):
    path, rows = tmp_path / "toy.fa", planted(200, "GATAAGAT")
    recipe = Recipe(dataclasses.replace(FAST, epochs=1), RECIPES["deepbind"].config)
    validate = Validation.__call__

    def change(self, model):
        fasta(path, rows[:100])
        return validate(self, model)

    first = Peaks([fasta(path, rows)]).sources[path]
    monkeypatch.setattr(Validation, "__call__", change)
    with pytest.warns(UserWarning, match=r"toy\.fa has changed during the training"):
        folder = train_expert(path, out=tmp_path / "a", recipe=recipe, progress=False)
    training = json.loads((folder / "training.json").read_text())
    assert training["data"] == {"toy.fa": first}  # what was trained on


@pytest.mark.parametrize(
    ("source", "message"),
    [("GATA4", "source: expected one of"), ("one.fa", "expected peaks to train and validate on")],
)
def test_a_wrong_source_is_refused_and_leaves_nothing(tmp_path, source, message):
    fasta(tmp_path / "one.fa", ["ACGTACGT"])
    path = tmp_path / source if source.endswith(".fa") else source
    with pytest.raises(ValueError, match=message):
        train_expert(path, out=tmp_path / "a", progress=False)
    assert [path.name for path in tmp_path.iterdir()] == ["one.fa"]


def test_a_negative_seed_is_named(train, tmp_path):
    with pytest.raises(ValueError, match="seed: expected a whole number from 0, got -1"):
        train("a", seed=-1)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("architecture", RECIPES)
def test_a_recipe_survives_its_file(architecture):
    recipe = RECIPES[architecture]
    assert Recipe.from_toml(recipe.to_toml(), architecture) == recipe


def test_a_recipe_may_name_a_few_things_only():
    recipe = Recipe.from_toml("epochs = 2\npooling = 'max'\n")
    assert recipe == (ExpertParams(epochs=2), {"pooling": "max"})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("depth = 2", r"recipe: expected some of .*'widths'\], got \['depth'\] too"),
        ("tasks = ['a']", r"got \['tasks'\] too"),
        ("epochs = 0", "epochs: expected a whole number from 1, got 0"),
    ],
)
def test_a_wrong_recipe_is_refused(text, message):
    with pytest.raises(ValueError, match=message):
        Recipe.from_toml(text)


def test_a_task_without_a_recipe_has_the_defaults():
    assert Recipe.found("toy", "tower") == Recipe() == (ExpertParams(), {})
    model = untrained("toy", {}, "tower")
    assert model.tasks == ("toy",) and model.config["dropout"] == DROPOUT


def test_an_architecture_that_is_no_experts_is_refused():
    with pytest.raises(ValueError, match=r"architecture: expected one of .*tower.*, got 'moe'"):
        Recipe.found("toy", "moe")


@pytest.mark.parametrize("factor", chipseq.FACTORS)
@pytest.mark.parametrize("architecture", registered(Expert))
def test_a_factors_recipe_is_found_and_builds(factor, architecture):
    params, config = Recipe.found(factor, architecture)
    assert params != ExpertParams()
    assert untrained(factor, config, architecture).config.items() >= config.items()


def test_an_expert_is_trained_in_place_on_peaks_in_memory(source):
    model = untrained("toy", RECIPES["deepbind"].config)
    before = model.hidden.weight.detach().clone()
    history = fit_expert(
        model,
        Peaks({"toy": read_peaks(source)}),
        dataclasses.replace(FAST, epochs=1),
        progress=False,
    )
    assert len(history.scores) == 1 and not torch.equal(before, model.hidden.weight)


def test_negatives_are_named_in_the_recipe_and_judged_by_kind(train, source, monkeypatch):
    """The other factors' peaks are of one factor here, with a motif of its own."""

    class Others:
        def __init__(self, source):
            self.sources = {}

        def __call__(self, peaks, seed, *, held_out):
            return encode(planted(len(peaks), "CCGGAAGT", seed))

    monkeypatch.setattr(negatives, "OtherPeaks", Others)
    params, config = RECIPES["deepbind"]
    recipe = Recipe(dataclasses.replace(params, negatives="both"), config)
    folder = train("a", recipe=recipe)
    training = json.loads((folder / "training.json").read_text())
    assert training["command"].endswith("--seed 0 --negatives both")
    assert training["params"]["negatives"] == "both"
    data = Peaks([source], negatives=Others(source))
    scores = training["validation_auc_by_negatives"]
    assert scores["others"] == pytest.approx(Validation(data)(modelzoo.load(folder)), abs=1e-6)
    assert scores["shuffles"] > 0.9 and scores["others"] > 0.9


def test_unknown_negatives_are_refused():
    with pytest.raises(ValueError, match=r"negatives: expected one of .*, got 'easy'"):
        ExpertParams(negatives="easy")


@pytest.mark.slow
def test_augmentation_is_named_in_the_recipe_and_changes_what_is_trained_on_alone(train, source):
    params, config = RECIPES["deepbind"]
    recipe = Recipe(dataclasses.replace(params, augment="both"), config)
    plain, changed = train("a"), train("b", recipe=recipe)
    training = json.loads((changed / "training.json").read_text())
    assert training["command"].endswith("--seed 0 --augment both")
    assert training["params"]["augment"] == "both"
    weights = [modelzoo.load(folder).hidden.weight for folder in (plain, changed)]
    assert not torch.equal(*weights)
    score = Validation(Peaks([source]))(modelzoo.load(changed))
    assert training["validation_auc"] == pytest.approx(score, abs=1e-6) and score > 0.8


def test_unknown_augmentation_is_refused():
    with pytest.raises(ValueError, match=r"augment: expected one of .*, got 'flips'"):
        ExpertParams(augment="flips")
