import csv

import pytest

from modelzoo.training.expert import Recipe
from modelzoo.training.search import search
from tests.support.peaks import fasta, planted


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    return fasta(tmp_path_factory.mktemp("peaks") / "Toy.fa", planted(120, "GA", length=20))


@pytest.fixture
def run(source, tmp_path):
    def run(trials, name="out", **arguments):
        defaults = {"trial_epochs": 2, "trial_peaks": 60, "progress": False}
        best = search(source, trials, out=tmp_path / name, **defaults | arguments)
        with open(tmp_path / name / "deepbind-toy.csv") as file:
            rows = list(csv.DictReader(file))
        recipe = Recipe.from_toml((tmp_path / name / "deepbind-toy.toml").read_text())
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
    assert top["filters"] == "+".join(map(str, best.config["filters"]))
    assert float(top["learning_rate"]) == best.params.learning_rate


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


def test_the_journal_of_another_search_is_refused(run, tmp_path):
    storage = tmp_path / "toy.journal"
    run(1, storage=storage)
    other = fasta(tmp_path / "Toy.fa", planted(120, "GA", seed=1, length=20))
    options = {"storage": storage, "out": tmp_path / "b", "trial_epochs": 2, "trial_peaks": 60}
    with pytest.raises(ValueError, match=r"toy\.journal belongs to another run.*: data;"):
        search(other, 1, progress=False, **options)
    with pytest.raises(ValueError, match=r"toy\.journal belongs to another run.*seed"):
        run(1, "b", seed=1, storage=storage)
    assert not (tmp_path / "b").exists()


def test_a_damaged_journal_is_named(run, tmp_path):
    storage = tmp_path / "toy.journal"
    run(1, storage=storage)
    text = storage.read_text()
    storage.write_text(text[: len(text) // 2] + "\n" + text[len(text) // 2 :])
    with pytest.raises(ValueError, match=r"storage: expected an Optuna journal, .*toy\.journal"):
        run(2, storage=storage)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"trials": 0}, "trials: expected at least 1, got 0"),
        ({"seed": -1}, "seed: expected a whole number from 0, got -1"),
        ({"source": "absent.fa"}, "source: expected one of"),
        ({"out": "file"}, "out: expected a folder, got the file"),
    ],
)
def test_a_wrong_call_leaves_nothing(source, tmp_path, options, message):
    (tmp_path / "file").touch()
    options = {"source": source, "out": "o", "storage": tmp_path / "s" / "j"} | options
    with pytest.raises(ValueError, match=message):
        search(**options | {"out": tmp_path / options["out"]}, progress=False)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
