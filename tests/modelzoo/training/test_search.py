import csv

import numpy as np
import pytest

from modelzoo.training import search as module
from modelzoo.training.expert import ExpertParams
from modelzoo.training.search import search


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    rows = np.random.default_rng(0).choice(list("ACGT"), (120, 20))
    path = tmp_path_factory.mktemp("peaks") / "Toy.fa"
    path.write_text("".join(f">{i}\n{''.join(row)}\n" for i, row in enumerate(rows)))
    return path


@pytest.fixture
def run(source, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "TRIAL_EPOCHS", 2)

    def run(trials, name="out", **arguments):
        best = search(source, trials, out=tmp_path / name, progress=False, **arguments)
        with open(tmp_path / name / "deepbind-toy.csv") as file:
            rows = list(csv.DictReader(file))
        recipe = ExpertParams.from_toml((tmp_path / name / "deepbind-toy.toml").read_text())
        return best, rows, recipe

    return run


def test_the_better_of_the_best_of_each_depth_on_all_peaks_is_the_recipe(run):
    best, rows, recipe = run(6)
    assert best == recipe
    done = [row for row in rows if row["state"] == "COMPLETE"]
    finalists = [row for row in rows if row["all_peaks_auc"]]
    depths = {row["filters"].count("+") for row in done}
    assert {row["filters"].count("+") for row in finalists} == depths
    for row in finalists:
        rivals = [r for r in done if r["filters"].count("+") == row["filters"].count("+")]
        assert float(row["validation_auc"]) == max(float(r["validation_auc"]) for r in rivals)
    top = max(finalists, key=lambda row: float(row["all_peaks_auc"]))
    assert top["filters"] == "+".join(map(str, best.filters))
    assert float(top["learning_rate"]) == best.learning_rate


def test_a_search_goes_on_where_it_ended(run, tmp_path):
    storage = tmp_path / "runs" / "toy.journal"
    _, first, _ = run(2, storage=storage)
    _, rows, _ = run(4, storage=storage)
    for before, after in zip(first, rows):
        assert {**after, "all_peaks_auc": before["all_peaks_auc"]} == before
    assert len(rows) == 4
    assert len({row["learning_rate"] for row in rows}) == 4
    _, again, _ = run(4, storage=storage)
    assert again == rows


def test_one_seed_is_one_search(run):
    assert run(2, "one")[1] == run(2, "two")[1]
    assert run(2, "other", seed=1)[1] != run(2, "one again")[1]
