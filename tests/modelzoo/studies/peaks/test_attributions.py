"""The attribution evaluation on models whose motif is known."""

import shutil

import numpy as np
import pytest
import torch

from modelzoo.architectures.deepbind import DeepBind
from modelzoo.jobs import Where
from modelzoo.studies.peaks.attributions import evaluate_attributions
from modelzoo.studies.peaks.measures import METRICS

FEW = ["gradient", "smoothgrad", "shiftsmooth-5", "shift-and-noise"]


@pytest.fixture(scope="module")
def problem(toy_models, toy_sets):
    experts = {"GATA3": toy_models["deepbind-gata3"], "FOXM1": toy_models["deepbind-foxm1"]}
    peaks = {s.name: s.codes[s.labels == 1][:4] for s in toy_sets if s.name in experts}
    return experts, toy_models["moe-arid3a-foxm1-gata3"], peaks


def run(folder, problem, **arguments):
    arguments = {
        "methods": FEW,
        "planted": 4,
        "resamples": 50,
        "where": Where(workers=1),
    } | arguments
    return evaluate_attributions(folder, *problem, progress=False, **arguments)


@pytest.fixture(scope="module")
def done(tmp_path_factory, problem):
    folder = tmp_path_factory.mktemp("cells")
    return folder, run(folder, problem)


def row(rows, **where):
    found = [r for r in rows if all(r[k] == v for k, v in where.items())]
    assert len(found) == 1, found
    return found[0]


def test_every_metric_of_every_method_is_there(done):
    _, result = done
    keys = [
        (r["metric"], r["method"], r["model_class"], r["factor"], r["corrected"])
        for r in result.scores
    ]
    assert len(keys) == len(set(keys)) == len(METRICS) * (len(FEW) + 1) * 2 * 3 * 2
    for r in result.scores:
        assert r["n"] <= (8 if r["factor"] == "all" else 4)
        if r["mean"] is not None:
            assert r["low"] - 1e-9 <= r["mean"] <= r["high"] + 1e-9
    assert result.peaks == {"GATA3": 4, "FOXM1": 4}


def test_mutagenesis_is_perfectly_faithful_to_itself(done):
    _, result = done
    found = row(
        result.scores, metric="faithfulness", method="ism", model_class="expert", factor="all",
        corrected=True,
    )  # fmt: skip
    assert found["mean"] == pytest.approx(1)


def test_attributions_of_a_motif_scanner_lie_on_the_motif(done):
    _, result = done
    for method in ("gradient", "shiftsmooth-5", "ism"):
        found = row(
            result.scores, metric="planted_auroc", method=method, model_class="expert",
            factor="FOXM1", corrected=True,
        )  # fmt: skip
        assert found["mean"] > 0.75


def test_differences_are_those_of_the_means(done):
    _, result = done
    for r in result.comparisons:
        if r["metric"] != "faithfulness":
            continue
        where = {k: r[k] for k in ("metric", "model_class", "corrected")} | {"factor": "all"}
        first = row(result.scores, method=r["method"], **where)["mean"]
        second = row(result.scores, method=r["against"], **where)["mean"]
        assert r["difference"] == pytest.approx(first - second)
        assert r["low"] <= r["difference"] <= r["high"]
        assert r["p"] <= r["p_holm"]
    pairs = {(r["method"], r["against"]) for r in result.comparisons}
    assert ("shiftsmooth-5", "gradient") in pairs and ("shift-and-noise", "smoothgrad") in pairs


def test_the_same_seed_gives_the_same_numbers_and_noise_another(done, problem, tmp_path):
    _, result = done
    again = run(tmp_path / "again", problem)
    assert again.scores == result.scores and again.comparisons == result.comparisons
    assert again.edges == result.edges
    one = {name: {"GATA3": part["GATA3"]} for name, part in (("e", problem[0]), ("p", problem[2]))}
    few = {"methods": ["smoothgrad"], "planted": 2}
    found = [run(tmp_path / str(s), (one["e"], None, one["p"]), seed=s, **few) for s in (1, 2)]
    assert found[0].scores != found[1].scores


@pytest.mark.slow
def test_workers_do_not_change_the_numbers(tmp_path, problem):
    """Only models whose class can be imported travel to another process, so not the toys."""
    from modelzoo.architectures.deepbind import DeepBind

    torch.manual_seed(0)
    experts = {"GATA3": DeepBind(filters=(4,), widths=(9,), tasks=["GATA3"]).eval()}
    one = (experts, None, {"GATA3": problem[2]["GATA3"][:2]})
    arguments = {"methods": ["gradient", "smoothgrad"], "planted": 2}
    with_one = run(tmp_path / "one", one, **arguments)
    with_two = run(tmp_path / "two", one, where=Where(workers=2), **arguments)
    assert with_one.scores == with_two.scores and with_one.edges == with_two.edges


@pytest.mark.slow
def test_jobs_of_an_array_leave_what_one_process_leaves(done, problem, tmp_path):
    folder, result = done
    for number in (2, 1):
        assert run(tmp_path, problem, where=Where(workers=1, part=(number, 2))) is None
    merged = run(tmp_path, problem, where=Where(only_merge=True))
    assert merged.scores == result.scores and merged.edges == result.edges
    for path in folder.glob("*.part"):
        assert path.read_bytes() == (tmp_path / path.name).read_bytes()


def test_finished_parts_are_not_computed_again(done, problem):
    folder, result = done
    before = {path: path.stat().st_mtime_ns for path in folder.glob("*.part")}
    assert len(before) == 2 * 2 * (len(FEW) + 3)
    assert run(folder, problem).scores == result.scores
    assert {path: path.stat().st_mtime_ns for path in folder.glob("*.part")} == before


def test_a_damaged_or_foreign_file_is_computed_again(tmp_path, problem, done):
    shutil.copytree(done[0], tmp_path, dirs_exist_ok=True)
    victim = tmp_path / "GATA3-expert-gradient.part"
    victim.write_bytes(victim.read_bytes()[:100])
    foreign = tmp_path / "GATA3-expert-smoothgrad.part"
    foreign.write_bytes((tmp_path / "FOXM1-expert-smoothgrad.part").read_bytes())
    assert run(tmp_path, problem).scores == done[1].scores
    for path in (victim, foreign):
        assert path.read_bytes() == (done[0] / path.name).read_bytes()


def test_the_models_given_are_not_changed(tmp_path):
    model = DeepBind(filters=(4,), widths=(9,), tasks=["GATA3"]).eval()
    peaks = np.random.default_rng(0).integers(0, 4, (2, 101), dtype=np.uint8)
    run(tmp_path, ({"GATA3": model}, None, {"GATA3": peaks}), methods=["gradient"], planted=2)
    assert all(parameter.requires_grad for parameter in model.parameters())


def test_other_weights_are_other_cells(done, problem, tmp_path):
    folder, result = done
    experts, mixture, peaks = problem
    shutil.copytree(folder, tmp_path, dirs_exist_ok=True)
    other = run(tmp_path, ({**experts, "GATA3": experts["FOXM1"]}, mixture, peaks))
    where = {"metric": "planted_auroc", "method": "gradient", "factor": "GATA3", "corrected": True}
    assert (
        row(other.scores, model_class="expert", **where)["mean"]
        < row(result.scores, model_class="expert", **where)["mean"]
    )


def test_circular_and_flanked_shifts_agree_away_from_the_edges(done):
    _, result = done
    for r in result.edges:
        assert r["wrap_around"] == pytest.approx(r["circular"] - r["flanks"], abs=1e-9)
    one = row(
        result.edges, metric="faithfulness", model_class="expert", corrected=True, max_shift=1
    )
    assert one["agreement"] > 0.8


def test_only_the_ends_and_the_winners_depend_on_the_window(tmp_path, toy_sets):
    codes = toy_sets[2].codes[:6]
    torch.manual_seed(0)
    mean = DeepBind(filters=[6], widths=[9], pooling="max+mean").eval()
    with torch.no_grad():
        mean.hidden.weight[:, :6] = 0  # nothing of the maxima is left
        mean.hidden.bias.fill_(9)  # nor of the ReLU after them
    result = evaluate_attributions(
        tmp_path, {"GATA3": mean}, None, {"GATA3": codes}, methods=["gradient"], planted=2,
        resamples=20, where=Where(workers=1), progress=False,
    )  # fmt: skip
    for r in result.why:
        assert r["inner"] == pytest.approx(1, abs=1e-6)
        assert r["whole"] < 0.9999
        assert 0 < r["winners"] < 1


def test_wrong_arguments_are_named(tmp_path, problem):
    with pytest.raises(ValueError, match=r"methods: expected some of gradient.* got 'lime'"):
        run(tmp_path, problem, methods=["lime"])
    with pytest.raises(ValueError, match="peaks: expected those of"):
        run(tmp_path, (problem[0], problem[1], {}))
