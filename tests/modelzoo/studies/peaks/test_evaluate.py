"""The whole evaluation on small simulated data, and the page it makes."""

import csv
import json
from dataclasses import replace

import pytest

import modelzoo
from modelzoo.architectures.deepbind import DeepBind
from modelzoo.studies.peaks.evaluate import QUICK, evaluate

FEW = replace(QUICK, peaks=4, resamples=50)


def run(out, toy_models, toy_sets, **arguments):
    arguments = {"quick": True, "settings": FEW, "workers": 1, "progress": False} | arguments
    return evaluate(out, models=toy_models, sets=toy_sets, **arguments)


@pytest.fixture(scope="module")
def report(tmp_path_factory, toy_models, toy_sets):
    return run(tmp_path_factory.mktemp("report"), toy_models, toy_sets).parent


def test_the_folder_holds_what_it_should(report):
    names = {path.stem for path in (report / "tables").iterdir()}
    assert {"performance_in_distribution", "performance_out_of_distribution", "comparisons",
            "gate_weights", "attribution", "attribution_differences", "edges"} <= names  # fmt: skip
    for name in names:
        for ending in ("csv", "md"):
            assert (report / "tables" / f"{name}.{ending}").stat().st_size > 0
    latex = {path.stem for path in (report / "tables").glob("*.tex")}
    assert latex == {"performance_in_distribution", "performance_out_of_distribution",
                     "comparisons", "attribution"}  # fmt: skip
    drawn = {path.stem for path in (report / "figures").iterdir()}
    assert {"roc_in_distribution", "auc_out_of_distribution", "intervals_in_distribution",
            "gate_weights", "attribution_scores", "max_shift",
            "track_random_expert_gradient",
            "track_random_mixture_shiftsmooth-5"} <= drawn  # fmt: skip


def test_every_figure_is_on_the_page(report):
    text = (report / "index.html").read_text()
    for path in (report / "figures").glob("*.svg"):
        assert text.count(f'id="{path.stem}"') == 1
    assert "do not cite" in text


def test_tables_say_what_the_results_say(report):
    results = json.loads((report / "results.json").read_text())
    with open(report / "tables" / "performance_in_distribution.csv") as file:
        rows = list(csv.DictReader(file))
    kept = [r for r in results["performance"]["scores"] if r["kind"] == "in distribution"]
    assert len(rows) == len(kept) == 12
    for row, expected in zip(rows, kept):
        assert (row["set"], row["model"]) == (expected["set"], expected["model"])
        assert float(row["roc_auc"]) == pytest.approx(expected["roc_auc"], rel=1e-5)
    markdown = (report / "tables" / "performance_in_distribution.md").read_text()
    assert f"{kept[0]['roc_auc']:.3f}" in markdown and f"{kept[0]['paper_roc_auc']:.3f}" in markdown


def test_results_hold_seed_versions_and_sums_and_no_clock(report, toy_sets):
    results = json.loads((report / "results.json").read_text())
    assert results["settings"]["seed"] == 0
    assert {"torch", "captum", "shiftsmooth"} <= set(results["versions"])
    assert set(results["data"]) == {s.name for s in toy_sets}
    assert all(len(sum_) == 64 for sum_ in results["models"].values())
    assert "seconds" not in (report / "results.json").read_text()
    assert json.loads((report / "timings.json").read_text())["performance_seconds"] > 0


def test_the_same_seed_gives_the_same_results(tmp_path, toy_models, toy_sets):
    gata = [one for one in toy_sets if one.name == "GATA3"]
    only = {"deepbind-gata3": toy_models["deepbind-gata3"]}
    noise = replace(FEW, methods=("smoothgrad",))
    one, same, other = (
        contents(run(tmp_path / name, only, gata, settings=noise, seed=seed).parent)
        for name, seed in (("one", 1), ("same", 1), ("other", 2))
    )
    assert one == same
    assert one["results.json"] != other["results.json"]


def contents(folder):
    """The bytes of every file but the times."""
    files = {str(path.relative_to(folder)): path for path in folder.rglob("*") if path.is_file()}
    return {name: path.read_bytes() for name, path in files.items() if name != "timings.json"}


def test_the_papers_protocol_has_an_anova_and_says_what_it_is_worth(tmp_path, toy_models, toy_sets):
    index = run(tmp_path, toy_models, toy_sets, protocol="paper", attributions=False)
    text = index.read_text()
    assert "the paper's own protocol" in text.replace("&#x27;", "'")
    assert (tmp_path / "tables" / "anova.csv").exists()
    assert not (tmp_path / "tables" / "comparisons.csv").exists()
    assert "attribution" not in json.loads((tmp_path / "results.json").read_text())


def test_the_rigorous_protocol_says_why_there_is_no_anova(report):
    text = (report / "index.html").read_text()
    assert "no analysis of variance" in text and not (report / "tables" / "anova.csv").exists()


def test_models_without_a_mixture_or_an_expert_are_evaluated_too(tmp_path, toy_models, toy_sets):
    only = {"deepbind-gata3": toy_models["deepbind-gata3"]}
    index = run(tmp_path, only, toy_sets[:1], attributions=False)
    assert index.exists()
    assert not (tmp_path / "figures" / "gate_weights.svg").exists()


def test_an_empty_catalog_is_an_error(tmp_path, monkeypatch, toy_sets):
    monkeypatch.setattr("modelzoo.list_models", lambda: [])
    with pytest.raises(ValueError, match="models: expected at least one"):
        evaluate(tmp_path, sets=toy_sets)


def test_the_models_given_are_not_changed(tmp_path, toy_sets):
    model = DeepBind(filters=(4,), widths=(9,), tasks=["GATA3"]).train()
    gata = [one.first(10) for one in toy_sets if one.name == "GATA3"]
    run(tmp_path, {"mine": model}, gata, settings=replace(FEW, methods=("gradient",)))
    assert model.training and all(p.requires_grad for p in model.parameters())


def test_only_the_papers_models_are_loaded_from_the_catalog(tmp_path, monkeypatch, toy_sets):
    loaded, load = [], modelzoo.load
    monkeypatch.setattr("modelzoo.load", lambda n, **a: loaded.append(n) or load(n, **a))
    evaluate(tmp_path, sets=toy_sets[:1], attributions=False, settings=FEW)
    assert loaded == [
        "deepbind-arid3a", "deepbind-foxm1", "deepbind-gata3", "moe-arid3a-foxm1-gata3"
    ]  # fmt: skip
