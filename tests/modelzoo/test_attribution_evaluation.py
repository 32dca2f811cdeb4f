"""The attribution evaluation on models whose motif is known."""

import shutil

import numpy as np
import pytest
import torch

from modelzoo.evaluation import attribution
from modelzoo.evaluation.attribution import (
    METHODS,
    METRICS,
    Problem,
    evaluate_attributions,
    importance,
    maps,
)
from modelzoo.sequences import columns

FEW = ["gradient", "smoothgrad", "shiftsmooth-5", "shift-and-noise"]


@pytest.fixture(scope="module")
def problem(toy_models, toy_sets):
    experts = {"GATA3": toy_models["deepbind-gata3"], "FOXM1": toy_models["deepbind-foxm1"]}
    peaks = {s.name: s.codes[s.labels == 1][:6] for s in toy_sets if s.name in experts}
    return experts, toy_models["moe-arid3a-foxm1-gata3"], peaks


def run(folder, problem, **arguments):
    arguments = {"methods": FEW, "planted": 6, "resamples": 50, "workers": 1} | arguments
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
        assert r["n"] <= (12 if r["factor"] == "all" else 6)
        if r["mean"] is not None:
            assert r["low"] - 1e-9 <= r["mean"] <= r["high"] + 1e-9
    assert result.peaks == {"GATA3": 6, "FOXM1": 6}


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
    one = (experts, None, {"GATA3": problem[2]["GATA3"][:4]})
    arguments = {"methods": ["gradient", "smoothgrad"], "planted": 4}
    with_one = run(tmp_path / "one", one, **arguments)
    with_two = run(tmp_path / "two", one, workers=2, **arguments)
    assert with_one.scores == with_two.scores and with_one.edges == with_two.edges


def test_finished_cells_are_not_computed_again(done, problem, monkeypatch):
    folder, result = done
    before = {path: path.stat().st_mtime_ns for path in folder.iterdir()}
    monkeypatch.setattr(attribution, "_compute", lambda cell: pytest.fail("computed again"))
    assert run(folder, problem).scores == result.scores
    assert {path: path.stat().st_mtime_ns for path in folder.iterdir()} == before


def test_interrupted_work_goes_on_where_it_was(tmp_path, problem, monkeypatch, done):
    computed, compute = [], attribution._compute

    def interrupted(cell):
        if len(computed) == 5:
            raise KeyboardInterrupt
        compute(cell)
        computed.append(cell.path)

    monkeypatch.setattr(attribution, "_compute", interrupted)
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path, problem)
    assert sorted(tmp_path.iterdir()) == sorted(computed)
    monkeypatch.setattr(attribution, "_compute", lambda c: (compute(c), computed.append(c.path)))
    assert run(tmp_path, problem).scores == done[1].scores
    assert len(computed) == len(set(computed)) == len(list(tmp_path.iterdir()))


def test_a_damaged_or_foreign_file_is_computed_again(tmp_path, problem, done):
    shutil.copytree(done[0], tmp_path, dirs_exist_ok=True)
    victim = tmp_path / "GATA3-expert-gradient.npz"
    victim.write_bytes(victim.read_bytes()[:100])
    foreign = tmp_path / "GATA3-expert-smoothgrad.npz"
    foreign.write_bytes((tmp_path / "FOXM1-expert-smoothgrad.npz").read_bytes())
    assert run(tmp_path, problem).scores == done[1].scores


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


@pytest.mark.parametrize("method", METHODS)
def test_maps_do_not_depend_on_the_batch_beyond_rounding(method, toy_models, toy_sets):
    if method in ("smoothgrad", "shift-and-noise"):
        pytest.skip("noise is drawn a batch at a time")
    x = columns(toy_sets[2].codes[:3])
    model = toy_models["deepbind-gata3"]
    if method == "deep-lift-shap":
        x = x[:1]
    together = maps(model, x, method)
    assert together.shape == x.shape and torch.isfinite(together).all()
    alone = torch.cat([maps(model, one[None], method) for one in x])
    torch.testing.assert_close(together, alone, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("method", ["gradient", "shiftsmooth-2", "integrated-gradients"])
def test_the_correction_takes_the_mean_over_the_bases_away(method, toy_models, toy_sets):
    x = columns(toy_sets[2].codes[:3])
    model = toy_models["deepbind-gata3"]
    with_, without = (maps(model, x, method, corrected=c) for c in (True, False))
    torch.testing.assert_close(with_, without - without.mean(1, keepdim=True))


def test_noise_is_seeded_and_differs_between_windows(toy_models, toy_sets):
    x = columns(toy_sets[2].codes[:4])
    model = toy_models["deepbind-gata3"]
    one, same = (maps(model, x, "smoothgrad", seed=1) for _ in range(2))
    torch.testing.assert_close(one, same, rtol=0, atol=0)
    state = torch.random.get_rng_state()
    assert (maps(model, x, "smoothgrad", seed=2) != one).any()
    assert torch.equal(torch.random.get_rng_state(), state)


def test_saliency_and_input_x_gradient_are_what_captum_calls_so(toy_models, toy_sets):
    from captum.attr import InputXGradient, Saliency

    x = columns(toy_sets[2].codes[:4])
    model = toy_models["deepbind-gata3"]
    expected = Saliency(model).attribute(x.clone().requires_grad_(), target=0)
    torch.testing.assert_close(maps(model, x, "saliency", corrected=False), expected)
    expected = InputXGradient(model).attribute(x.clone().requires_grad_(), target=0)
    torch.testing.assert_close(maps(model, x, "input-x-gradient", corrected=False), expected)


def test_mutagenesis_by_hand(toy_models, toy_sets):
    x = columns(toy_sets[2].codes[:1])
    model = toy_models["deepbind-gata3"]
    found = maps(model, x, "ism", corrected=False)
    for position in (0, 37, 50):
        logits = []
        for base in range(4):
            mutated = x.clone()
            mutated[0, :, position] = torch.eye(4)[base]
            logits.append(model(mutated)[0, 0])
        expected = torch.stack(logits) - torch.stack(logits).mean()
        torch.testing.assert_close(found[0, :, position], expected, atol=1e-4, rtol=1e-4)


def test_importance_is_the_map_at_the_base_present():
    x = columns(np.array([[2, 0]], dtype=np.uint8))
    found = importance(torch.arange(8.0).reshape(1, 4, 2), x)
    assert found.tolist() == [[4.0, 1.0]]


def test_hits_are_where_the_motif_was_planted(toy_sets):
    data = next(s for s in toy_sets if s.name == "FOXM1")
    found = Problem.of("FOXM1", data.codes, planted=10, seed=0)
    assert found.hits[data.labels == 1].any(1).mean() > 0.5
    assert found.hits[data.labels == 0].any(1).mean() < 0.1
    assert (found.truth.sum(1) == found.truth[0].sum()).all()
    assert found.truth[:, 10:-10].sum() == found.truth.sum()


def test_circular_and_flanked_shifts_agree_away_from_the_edges(done):
    _, result = done
    for r in result.edges:
        assert r["wrap_around"] == pytest.approx(r["circular"] - r["flanks"], abs=1e-9)
    one = row(
        result.edges, metric="faithfulness", model_class="expert", corrected=True, max_shift=1
    )
    assert one["agreement"] > 0.8


def test_wrong_arguments_are_named(tmp_path, problem):
    with pytest.raises(ValueError, match=r"methods: expected some of gradient.* got 'lime'"):
        run(tmp_path, problem, methods=["lime"])
    with pytest.raises(ValueError, match="peaks: expected those of"):
        run(tmp_path, (problem[0], problem[1], {}))
    with pytest.raises(ValueError, match="factor: expected one of ARID3A, FOXM1, GATA3"):
        Problem.of("CTCF", problem[2]["GATA3"], planted=3, seed=0)
