import numpy as np
import pytest
import torch
from sklearn.metrics import roc_auc_score

from modelzoo.architectures.moe import MixtureOfExperts
from modelzoo.datasets.peaks import Peaks
from modelzoo.studies.factors.mixtures import Grown, Plan, answers_of, unseen_scores
from modelzoo.training.expert import untrained
from modelzoo.training.mixture import GateParams
from tests.support.peaks import fasta, planted

PLAN = Plan((1, 2, 3), 2, GateParams(batch_size=64, per_factor=100, shuffles=1, epochs=2))


@pytest.fixture
def grown(tmp_path, toy_sets):
    experts, peaks = {}, []
    for seed, name in enumerate("abc"):
        experts[name] = untrained(name, {"filters": [3], "widths": [9]}, seed=seed).eval()
        rows = planted(150, "GATAAGAT", seed, length=101)
        peaks.append(Peaks([fasta(tmp_path / f"{name}.fa", rows)]))
    return Grown(experts, peaks, toy_sets[:2], PLAN, tmp_path / "parts")


def test_a_mixture_over_some_experts_answers_as_the_whole_model_would(grown):
    model = grown.train([2, 0])
    assert list(model.experts) == ["c", "a"]
    for cached, whole in zip(grown.judge(model, [2, 0]), answers_of({"m": model}, grown.unseen)[0]):
        np.testing.assert_allclose(cached, whole, atol=1e-4)


def test_a_curve_has_every_count_and_one_choice_of_all(grown):
    rows, answers = grown.curve()
    assert [row["experts"] for row in rows] == [1, 1, 2, 2, 3] and len(answers) == 5
    assert rows[-1]["names"] == "a b c"


def test_a_stopped_run_goes_on_where_it_was(grown, monkeypatch):
    rows, answers = grown.curve()
    last = max(grown.parts.iterdir(), key=lambda path: path.stat().st_mtime_ns)
    kept = last.read_bytes()
    last.unlink()
    trained, train = [], grown.train
    monkeypatch.setattr(grown, "train", lambda chosen: trained.append(chosen) or train(chosen))
    again, same = grown.curve()
    assert trained == [[0, 1, 2]]  # the others have their files
    assert [row["validation"] for row in again] == [row["validation"] for row in rows]
    assert all(np.array_equal(x, y) for a, b in zip(answers, same) for x, y in zip(a, b))
    assert last.is_file() and len(kept) > 100


def test_each_other_expert_is_added_in_two_ways(grown):
    rows, answers = grown.additions([1])
    told = [(row["added"], row["trained"]) for row in rows]
    ways = ("new part alone", "from nothing")
    assert told == [(name, how) for name in ("a", "c") for how in ways]
    for path in grown.parts.iterdir():
        path.unlink()
    again = [row["validation"] for row in grown.additions([1])[0]]
    assert again == [row["validation"] for row in rows]  # they follow from the seed
    assert len(answers) == 4 and not np.array_equal(answers[0][0], answers[1][0])


def test_a_linear_readout_is_chosen_by_held_out_peaks_and_reads_embeddings_as_they_are(grown):
    row, answers = grown.readout()
    lines = {penalty: grown._fitted(penalty) for penalty in PLAN.penalties}
    scores = {penalty: grown.seen.validate(line) for penalty, line in lines.items()}
    assert row["validation"] == max(scores.values()) == scores[row["penalty"]]
    read = lines[row["penalty"]](grown.embedded[0])[:, 0].detach()
    np.testing.assert_allclose(answers[0], read, rtol=1e-6)
    weak, *_, strong = (line.weight.norm() for line in lines.values())
    assert weak < strong


def test_scores_on_unseen_sets_are_means_over_sets_of_all_and_of_disjoint_peaks(toy_sets):
    rng = np.random.default_rng(0)
    shared = [np.zeros(120, bool), (toy_sets[1].labels == 1) & (rng.random(120) < 0.5)]
    sets = [
        type(data)(data.name, data.kind, data.codes, data.labels, data.groups, shared=mask)
        for data, mask in zip(toy_sets, shared)
    ]
    answers = [[rng.normal(data.labels, 1) for data in sets] for _ in range(2)]
    rows, drawn = unseen_scores(answers, sets, resamples=30)
    for row, own in zip(rows, answers, strict=True):
        left = [
            roc_auc_score(d.labels[d.disjoint], a[d.disjoint])
            for d, a in zip(sets, own, strict=True)
        ]
        every = [roc_auc_score(d.labels, a) for d, a in zip(sets, own, strict=True)]
        assert row["roc_auc"] == pytest.approx(np.mean(every))
        assert row["roc_auc_disjoint"] == pytest.approx(np.mean(left))
        assert row["disjoint_low"] < row["roc_auc_disjoint"] < row["disjoint_high"]
    assert drawn.shape == (30, 2)


def test_the_whole_mixture_is_that_of_all_experts(grown):
    model = grown.train([0, 1, 2])
    assert isinstance(model, MixtureOfExperts)
    assert torch.equal(model.experts["a"].hidden.weight, grown.experts["a"].hidden.weight)
