"""The numbers behind the page, against the model itself and against the library's own functions."""

from itertools import pairwise

import pytest
import torch

import modelzoo
from modelzoo.app import explain
from modelzoo.app.explain import Models, Question
from modelzoo.attribution.methods import METHODS, importance, maps
from modelzoo.sequences import reverse_complement

MIXTURE = "moe-arid3a-foxm1-gata3"
PEAK = explain.EXAMPLES["GATA on both strands"]


@pytest.fixture(scope="module")
def models():
    return Models()


@pytest.fixture(scope="module")
def peak(models):
    return Question.of(models, MIXTURE, PEAK)


@pytest.fixture(scope="module")
def shown(peak):
    return explain.quick(peak)


@pytest.fixture(scope="module")
def effects(peak):
    return explain.mutations(peak)


def test_the_mixture_and_every_expert_answer_as_the_models_themselves(shown):
    mixture, x = modelzoo.load(MIXTURE), modelzoo.one_hot(PEAK)
    answers = {answer["name"]: answer for answer in shown["answers"]}
    alone = {name: modelzoo.load(f"deepbind-{name.lower()}") for name in mixture.experts}
    for name, model in {"binding": mixture, **alone}.items():
        logits = model(x)
        assert answers[name]["number"] == pytest.approx(logits.item(), abs=1e-5)
        chance = model.probabilities(logits).item()
        assert answers[name]["probability"] == pytest.approx(chance, abs=1e-6)
        assert answers[name]["calibrated"] and model.calibration is not None


def test_an_expert_that_the_catalog_has_not_is_said_to_be_uncalibrated(models, monkeypatch):
    module = modelzoo.load(MIXTURE)
    with torch.no_grad():
        module.experts["FOXM1"].output.bias += 1
    monkeypatch.setattr(
        explain, "load_any", lambda name: module if name == "mine" else modelzoo.load(name)
    )
    found, _ = explain.answers(Question.of(Models(["mine"]), "mine", PEAK))
    assert [one.calibrated for one in found] == [True, True, False, True]
    assert found[2].probability == pytest.approx(torch.tensor(found[2].number).sigmoid().item())


def test_the_gate_is_the_models(shown):
    wanted = modelzoo.load(MIXTURE).gate(modelzoo.one_hot(PEAK))[0].tolist()
    assert list(shown["gate"]) == ["ARID3A", "FOXM1", "GATA3"]
    assert list(shown["gate"].values()) == pytest.approx(wanted, abs=1e-6)


def test_the_letters_are_those_of_the_registry(shown, peak, effects):
    model, x = modelzoo.load(MIXTURE), modelzoo.one_hot(PEAK)
    rows = {**shown["rows"], explain.MUTAGENESIS: explain.mutated_row(peak, effects)}
    assert list(rows) == ["gradient", "shiftsmooth", "shiftsmooth-ig", "ism"]
    for name, row in rows.items():
        wanted = importance(maps(model, x, METHODS[name]), x)[0]
        assert row["heights"] == pytest.approx(wanted.tolist(), abs=1e-5), name


def test_the_number_of_shifts_changes_only_what_shifts(models, shown):
    wide = explain.quick(Question.of(models, MIXTURE, PEAK, max_shift=12))
    assert wide["rows"]["gradient"]["heights"] == shown["rows"]["gradient"]["heights"]
    assert wide["rows"]["shiftsmooth"]["title"] == "ShiftSmooth N=12"
    assert wide["rows"]["shiftsmooth"]["heights"] != shown["rows"]["shiftsmooth"]["heights"]


def test_the_error_bars_are_those_of_single_windows(peak, shown):
    model, x = modelzoo.load(MIXTURE), modelzoo.one_hot(PEAK)
    rows = {name: row["spread"] for name, row in shown["rows"].items()}
    rows |= explain.bars(peak)
    single = {"gradient": "gradient", "shiftsmooth": "gradient"}
    for name, method in {**single, "shiftsmooth-ig": "integrated-gradients"}.items():
        windows = [
            importance(maps(model, x.roll(n, 2), METHODS[method]).roll(-n, 2), x)
            for n in range(-5, 6)
        ]
        wanted = torch.cat(windows).std(0, correction=0)
        assert rows[name] == pytest.approx(wanted.tolist(), abs=1e-5), name
    assert list(rows) == ["gradient", "shiftsmooth", "shiftsmooth-ig", "ism"]
    assert min(rows["ism"][49:57]) > 0


def test_mutagenesis_has_error_bars_of_as_many_shifts_as_there_is_time_for(models):
    for length, most, wanted in (
        (50, 5, range(-5, 6)),
        (101, 6, [-6, -3, 0, 3, 6]),
        (500, 4, [-4, 0, 4]),
    ):
        question = Question(models[MIXTURE], "A" * length, 0, most)
        assert explain.shifts(question, "shiftsmooth-ig") == [*range(-most, most + 1)]
        assert explain.shifts(question, "ism") == [*wanted]


def test_mutations_are_the_change_of_the_logit(effects):
    model = modelzoo.load(MIXTURE)
    here = model(modelzoo.one_hot(PEAK)).item()
    for position in (4, 51, 52, 100):
        for row, base in enumerate("ACGT"):
            changed = PEAK[:position] + base + PEAK[position + 1 :]
            wanted = model(modelzoo.one_hot(changed)).item() - here
            assert effects[row, position].item() == pytest.approx(wanted, abs=1e-5)


@pytest.mark.slow
def test_hits_name_the_gata_sites_and_do_not_overlap(peak):
    found = explain.hits(peak)
    # three of a family with nearly the same motif
    spans = [(hit["title"], hit["start"], hit["stop"]) for hit in found]
    assert ("TRPS1 / Gata3 / GATA6", 49, 57) in spans
    for before, after in pairwise(found):
        assert before["stop"] <= after["start"]
    heights = torch.tensor(maps_of_shiftsmooth())
    for hit in found:
        wanted = heights[hit["start"] : hit["stop"]].sum().item()
        assert 0 < hit["attribution"] == pytest.approx(wanted, abs=1e-4)


def maps_of_shiftsmooth():
    model, x = modelzoo.load(MIXTURE), modelzoo.one_hot(PEAK)
    return importance(maps(model, x, METHODS["shiftsmooth"]), x)[0].tolist()


def test_ambiguous_letters_contribute_nothing(models):
    shown = explain.quick(Question.of(models, MIXTURE, "ACNNGATAAG"))
    for row in shown["rows"].values():
        assert row["heights"][2:4] == [0, 0]
    assert shown["rows"]["shiftsmooth"]["spread"][2:4] == [0, 0]


@pytest.mark.slow
def test_a_long_sequence_has_no_mutagenesis_and_the_rest(models):
    later = explain.slow(Question.of(models, "deepbind-gata3", PEAK * 10))
    assert later["row"] is None and later["effects"] is None and later["hits"]


def test_a_model_without_experts_has_one_answer_and_no_gate(models):
    shown = explain.quick(Question.of(models, "deepbind-gata3", PEAK))
    assert [answer["name"] for answer in shown["answers"]] == ["GATA3"]
    assert shown["gate"] == {}


def test_every_task_can_be_explained(models):
    name = "explainn-arid3a-foxm1-gata3"
    first, last = (explain.quick(Question.of(models, name, PEAK, task)) for task in (0, 2))
    assert first["tasks"] == ["ARID3A", "FOXM1", "GATA3"]
    assert first["rows"]["gradient"] != last["rows"]["gradient"]


OWN = """
from torch import nn

def build():
    return nn.Sequential(nn.Flatten(), nn.Linear(4 * 20, 3)).eval()
"""


@pytest.fixture
def own(tmp_path):
    path = tmp_path / "own.py"
    path.write_text(OWN)
    return f"{path}:build"


def test_an_own_model_has_outputs_and_no_probability(own):
    shown = explain.quick(Question.of(Models([own]), own, "ACGTACGTACGTACGTACGT", 2))
    assert (shown["kind"], shown["tasks"]) == ("output", ["0", "1", "2"])
    assert {answer["probability"] for answer in shown["answers"]} == {None}


def test_a_length_that_a_model_cannot_take_is_said_in_words(own):
    with pytest.raises(ValueError, match="sequence: the model cannot take 7 positions"):
        Question.of(Models([own]), own, "ACGTACG")


def test_only_the_command_line_names_models(own):
    with pytest.raises(ValueError, match=r"model: expected one of .*, got"):
        Models()[own]


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"sequence": " \n"}, "sequence: expected letters, got none"),
        (
            {"sequence": "ACGX"},
            "sequence: expected IUPAC nucleotide letters, got 'X' at position 3",
        ),
        (
            {"sequence": "ACGß"},
            "sequence: expected IUPAC nucleotide letters, got 'ß' at position 3",
        ),
        ({"sequence": "A" * 10_001}, "sequence: expected 10,000 letters at most, got 10,001"),
        ({"task": 1}, "task: expected 0 to 0, got 1"),
        ({"max_shift": -1}, "max_shift: expected 0 to 20, got -1"),
        ({"max_shift": 21}, "max_shift: expected 0 to 20, got 21"),
        ({"sequence": "ACGT", "max_shift": 4}, "max_shift: expected 0 to 3, got 4"),
    ],
)
def test_what_is_wrong_is_said_of_its_field(models, changed, message):
    with pytest.raises(ValueError, match=message):
        Question.of(models, **{"model": MIXTURE, "sequence": PEAK, **changed})


def test_white_space_and_lower_case_are_no_errors():
    assert explain.checked_letters(" ac\r\ngt\tn ") == "ACGTN"


def test_the_other_strand_is_the_librarys():
    there = explain.edited(PEAK, "reverse")
    assert torch.equal(modelzoo.one_hot(there), reverse_complement(modelzoo.one_hot(PEAK)))


def test_a_shuffle_keeps_the_dinucleotides():
    def pairs(letters):
        return sorted(letters[i : i + 2] for i in range(len(letters) - 1))

    there = explain.edited(PEAK, "shuffle", seed=1)
    assert there != PEAK and pairs(there) == pairs(PEAK)


def test_a_random_sequence_is_as_long_and_follows_its_seed():
    assert len(explain.edited("ACGT", "random")) == 4
    assert explain.edited("", "random", 1) == explain.edited("", "random", 1)
    assert explain.edited("", "random", 1) != explain.edited("", "random", 2)
