import csv

import numpy as np
import pytest

from modelzoo.training import search as module
from modelzoo.training.experts import ExpertParams
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


def test_the_best_trial_is_the_recipe(run):
    best, rows, recipe = run(3)
    assert best == recipe
    done = [row for row in rows if row["state"] == "COMPLETE"]
    top = max(done, key=lambda row: float(row["validation_auc"]))
    assert top["filters"] == "+".join(map(str, best.filters))
    assert float(top["learning_rate"]) == best.learning_rate


def test_a_search_goes_on_where_it_ended(run, tmp_path):
    storage = tmp_path / "runs" / "toy.journal"
    _, first, _ = run(2, storage=storage)
    _, rows, _ = run(4, storage=storage)
    assert rows[:2] == first and len(rows) == 4
    assert len({row["learning_rate"] for row in rows}) == 4
    _, again, _ = run(4, storage=storage)
    assert again == rows


def test_one_seed_is_one_search(run):
    assert run(2, "one")[1] == run(2, "two")[1]
    assert run(2, "other", seed=1)[1] != run(2, "one again")[1]
