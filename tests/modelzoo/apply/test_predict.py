from itertools import count, islice

import pytest
import torch

from modelzoo.apply import inputs
from modelzoo.apply.predict import WINDOW, predict, predict_in_parts
from modelzoo.architectures.deepbind import DeepBind
from modelzoo.architectures.moe import MixtureOfExperts
from modelzoo.sequences import Record, one_hot

EXPERT = {"filters": [4], "widths": [9], "embedding_size": 32}


@pytest.fixture
def expert():
    torch.manual_seed(0)
    return DeepBind(**EXPERT, tasks=["GATA3"]).eval()


@pytest.fixture
def mixture():
    torch.manual_seed(0)
    return MixtureOfExperts({"ARID3A": EXPERT, "GATA3": EXPERT}).eval()


def records(lengths):
    generator = torch.Generator().manual_seed(2)
    for number, length in enumerate(lengths):
        codes = torch.randint(5, (length,), generator=generator)
        yield Record(f"r{number}", "".join("ACGTN"[code] for code in codes))


@pytest.mark.parametrize("name", ["expert", "mixture"])
@pytest.mark.parametrize("batch_size", [None, 2])
def test_each_record_gets_what_the_model_says_of_it_alone(request, name, batch_size):
    model = request.getfixturevalue(name)
    given = list(records([30, 20, 30, 1, 20, 30, 500]))
    made = list(predict(model, given, batch_size=batch_size))
    assert [prediction.name for prediction in made] == [record.name for record in given]
    for prediction, record in zip(made, given, strict=True):
        x = one_hot(record.sequence)
        with torch.no_grad():
            logits = model(x)[0]
            gate = model.gate(x)[0] if name == "mixture" else torch.empty(0)
        assert torch.allclose(torch.tensor(prediction.logits), logits, atol=1e-5)
        assert torch.allclose(torch.tensor(prediction.probabilities), logits.sigmoid(), atol=1e-6)
        assert torch.allclose(torch.tensor(prediction.gate), gate, atol=1e-5)


def test_probabilities_are_calibrated_where_the_model_is(expert):
    expert.calibrate([[0.5, -1.0]])
    (prediction,) = predict(expert, ["ACAGATAAGATTT"])
    expected = torch.tensor(0.5 * prediction.logits[0] - 1.0).sigmoid().item()
    assert prediction.probabilities == [pytest.approx(expected, abs=1e-6)]


def test_more_records_than_are_sorted_together_keep_their_order(expert):
    given = [*records([10, 20] * (WINDOW // 2)), *records([20, 10, 20])]
    made = list(predict(expert, given))
    assert [prediction.name for prediction in made] == [record.name for record in given]
    for row in (0, WINDOW - 1, WINDOW, WINDOW + 2):
        (alone,) = predict(expert, [given[row]])
        assert made[row].logits == pytest.approx(alone.logits, abs=1e-5)


def test_a_batch_is_no_larger_than_asked_for(expert):
    seen = []
    expert.register_forward_pre_hook(lambda model, inputs: seen.append(len(inputs[0])))
    list(predict(expert, records([10] * 7), batch_size=3))
    assert seen == [3, 3, 1]


@pytest.mark.parametrize("size", [0, -1])
def test_a_batch_of_none_is_refused(expert, size):
    with pytest.raises(ValueError, match=f"batch_size: expected 1 or more, got {size}"):
        predict(expert, records([10]), batch_size=size)


def test_long_sequences_go_through_the_model_a_few_at_a_time(expert):
    seen = []
    expert.register_forward_pre_hook(lambda model, inputs: seen.append(len(inputs[0])))
    list(predict(expert, records([5000] * 7)))
    assert seen == [3, 3, 1]


def test_records_are_read_as_predictions_are_taken(expert):
    endless = (Record(f"r{number}", "ACGTACGTACGT") for number in count())
    assert len(list(islice(predict(expert, endless), 10))) == 10


def test_no_records_no_predictions(expert):
    assert list(predict(expert, [])) == []


def test_columns_of_one_task_many_tasks_and_a_mixture(expert, mixture):
    assert predict(expert, []).columns == ["id", "logit", "probability"]
    assert predict(mixture, []).columns == [
        *("id", "logit", "probability", "gate_ARID3A", "gate_GATA3")
    ]
    two = DeepBind(**EXPERT, tasks=["A", "B"]).eval()
    names = ["id", "logit_A", "logit_B", "probability_A", "probability_B"]
    assert predict(two, []).columns == names
    for model in (expert, mixture, two):
        made = predict(model, records([20]))
        (prediction,) = made
        assert len(prediction.cells()) == len(made.columns)


def test_records_without_a_number_are_named_and_left_out(expert):
    rejected = []
    expert.register_forward_hook(lambda m, i, out: out.index_fill(0, torch.tensor([1]), torch.nan))
    made = list(predict(expert, records([20, 20, 20]), reject=rejected.append))
    assert [prediction.name for prediction in made] == ["r0", "r2"]
    assert [str(e) for e in rejected] == [
        "predictions of 'r1': expected finite numbers, got nan, nan"
    ]


def test_parts_of_another_calibration_are_not_taken(expert, tmp_path):
    path = tmp_path / "some.fa"
    path.write_text(">a\nACAGATAAGATTT\n")
    keys = []
    for number, calibration in enumerate((None, [[0.5, -1.0]], [[0.5, 1.0]])):
        expert.calibrate(calibration)
        folder = tmp_path / str(number)  # a process loads a name once
        expert.save_pretrained(folder)
        keys.append(predict_in_parts(inputs.Named(str(folder)), inputs.Source(path)).key)
    assert len(set(keys)) == 3
