import json

import pytest
import torch

from modelzoo.architectures import registered
from modelzoo.architectures.baseline import Baseline
from modelzoo.architectures.deepbind import DeepBind
from modelzoo.architectures.explainn import ExplaiNN
from modelzoo.datasets.peaks import Peaks
from modelzoo.training.initial_filters import jaspar_filters
from modelzoo.training.multitask import (
    MultiTaskParams,
    train_baseline,
    train_explainn,
    train_model_units,
)
from modelzoo.training.validation import Validation
from modelzoo.zoo import hub
from tests.support.peaks import fasta, planted
from tests.support.tables import labelled_rows, table

CONFIG = {"units": 6, "hidden": 8, "width": 9}
PARAMS = MultiTaskParams(learning_rate=0.01, batch_size=50, epochs=4)


@pytest.fixture(scope="module")
def peaks(tmp_path_factory):
    """Two files of peaks: GATAAGAT is planted in one, TGACTCAT in the other."""
    folder = tmp_path_factory.mktemp("peaks")
    return [
        fasta(folder / "gata.fa", planted(200, "GATAAGAT", 0)),
        fasta(folder / "ap1.fa", planted(220, "TGACTCAT", 1)),
    ]


def train(out, data, **arguments):
    return train_explainn(
        data, out=out, **{"params": PARAMS, "progress": False} | CONFIG | arguments
    )


def test_a_short_training_improves_and_is_written_down(peaks, tmp_path):
    folder = train(tmp_path / "a", peaks)
    model = hub.load(folder)
    training = json.loads((folder / "training.json").read_text())
    assert model.tasks == ("gata", "ap1") and model.length == 40
    validation = Validation(Peaks(peaks), strands=2)
    assert validation(model) == pytest.approx(training["validation_auc"], abs=1e-6)
    assert validation(model) > 0.8
    torch.manual_seed(0)
    assert validation(ExplaiNN(**CONFIG, length=40, tasks=model.tasks).eval()) < 0.7
    assert training["data"].keys() == {"gata.fa", "ap1.fa"} and training["epochs"] == 4
    assert training["validation_auc_by_task"].keys() == {"gata", "ap1"}
    assert training["params"]["learning_rate"] == 0.01
    assert training["command"].endswith("gata.fa --data " + str(peaks[1]) + " --epochs 4 --seed 0")


@pytest.mark.parametrize("loss", ["binary", "multiclass", "mse", "poisson", "pearson"])
def test_every_loss_trains_on_a_table_with_missing_labels(tmp_path, loss):
    rows = [(name, s, a, 1 - a if b != "" else "") for name, s, a, b in labelled_rows()]
    path = table(tmp_path / "t.tsv", rows)
    params = MultiTaskParams(loss=loss, learning_rate=0.01, batch_size=50, epochs=2)
    folder = train(tmp_path / "a", [path], params=params)
    model = hub.load(folder)
    assert all(v.isfinite().all() for v in model.state_dict().values())
    training = json.loads((folder / "training.json").read_text())
    classes = loss in ("binary", "multiclass")
    assert ("validation_auc" if classes else "validation_correlation") in training


def test_one_seed_is_one_file_and_a_killed_run_resumes_to_it(peaks, tmp_path, killed, weights):
    short = {"params": MultiTaskParams(batch_size=50, epochs=2)}
    whole = train(tmp_path / "whole", peaks, **short)
    with killed(2):
        train(tmp_path / "a", peaks, **short)
    with pytest.raises(ValueError, match="another run"):
        train(tmp_path / "a", peaks, seed=1, **short)
    resumed = train(tmp_path / "a", peaks, **short)
    assert weights(resumed) == weights(whole)
    assert weights(train(tmp_path / "b", peaks, seed=1, **short)) != weights(whole)
    assert (resumed / "training.json").read_bytes() == (whole / "training.json").read_bytes()


@pytest.mark.parametrize("changed", [{"hidden": 5}, {"units": 7}, {"dropout": 0.5}, "table"])
def test_a_run_does_not_resume_on_another_table_nor_as_another_network(tmp_path, killed, changed):
    rows = list(labelled_rows(100))
    path = table(tmp_path / "t.tsv", rows)
    with killed(2):
        train(tmp_path / "a", [path])
    if changed == "table":
        rows[0] = (*rows[0][:2], 1 - rows[0][2], rows[0][3])
        table(path, rows)
    with pytest.raises(ValueError, match=r"another run, which differs in: (config|data)"):
        train(tmp_path / "a", [path], **({} if changed == "table" else changed))


def test_equal_labels_are_refused_before_the_work(tmp_path):
    rows = [(i, s, 1) for i, s in enumerate(planted(60, "GATA"))]
    path = table(tmp_path / "t.tsv", rows, ("id", "sequence", "a"))
    with pytest.raises(ValueError, match="data: expected different labels to validate by"):
        train(tmp_path / "a", [path])
    assert list(tmp_path.iterdir()) == [path]


def test_the_recipe_has_epochs_for_every_model_of_the_paper():
    for name in ("explainn", *registered(Baseline)):
        rate = 0.001 if name == "danq" else 0.003  # the paper's; see the recipe
        assert MultiTaskParams.of(name).learning_rate == rate
        assert MultiTaskParams.of(name).batch_size == 100
    assert MultiTaskParams.of("danq", epochs=2).epochs == 2
    assert MultiTaskParams.of("another") == MultiTaskParams()


def test_a_baseline_trains_by_its_name(peaks, tmp_path):
    config = {"filters": 4, "state": 4, "hidden": 6}
    params = MultiTaskParams(epochs=1)
    folder = train_baseline(
        "danq", peaks, out=tmp_path / "a", params=params, progress=False, **config
    )
    training = json.loads((folder / "training.json").read_text())
    assert hub.load(folder).config.items() >= config.items()
    assert training["command"].startswith("shiftsmooth train baseline danq --data")


@pytest.mark.slow
def test_filters_start_from_jaspar_and_stay_if_frozen(peaks, tmp_path):
    arguments = {"units": 4, "params": MultiTaskParams(epochs=1), "width": 19}
    frozen = train(tmp_path / "frozen", peaks, filters="jaspar-frozen", **arguments)
    free = train(tmp_path / "free", peaks, filters="jaspar", **arguments)
    start, names = jaspar_filters(2)
    assert torch.equal(hub.load(frozen).filters, start)
    difference = (hub.load(free).filters - start).abs().max()
    assert 0 < difference < 0.5
    training = json.loads((free / "training.json").read_text())
    assert training["filters"] == list(names) and "--filters jaspar " in training["command"]
    with pytest.raises(ValueError, match=r"units: expected an even number.*got 3"):
        train(tmp_path / "odd", peaks, filters="jaspar", units=3)


@pytest.mark.parametrize("hidden", [0, 4])
def test_trained_models_become_units(peaks, tmp_path, hidden):
    torch.manual_seed(0)
    experts = {name: DeepBind([3], [5], tasks=[name]).eval() for name in ("x", "y")}
    params = MultiTaskParams(epochs=1)
    folder = train_model_units(
        experts, peaks, out=tmp_path / "a", hidden=hidden, params=params, progress=False
    )
    model = hub.load(folder)
    assert model.tasks == ("gata", "ap1") and model.unit_names == ("x", "y")
    for name, expert in experts.items():
        kept = model.models[name].state_dict()
        assert all(torch.equal(kept[key], value) for key, value in expert.state_dict().items())
