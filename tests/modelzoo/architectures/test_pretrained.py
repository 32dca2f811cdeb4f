import ast
import json
from pathlib import Path

import pytest
import torch

import modelzoo
from modelzoo import architectures
from modelzoo.architectures import ARCHITECTURES, register, registered
from modelzoo.architectures.baseline import Baseline
from modelzoo.architectures.deepbind import DeepBind
from modelzoo.architectures.expert import Expert
from modelzoo.architectures.weights import WeightsError


def test_every_class_that_names_an_architecture_is_registered_under_that_name():
    named = {}
    for file in Path(architectures.__file__).parent.glob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            match node:
                case ast.ClassDef(name=cls):
                    for line in node.body:
                        match line:
                            case ast.Assign(
                                targets=[ast.Name("architecture")], value=ast.Constant(value)
                            ):
                                named[value] = cls
    assert named == {name: cls.__name__ for name, cls in ARCHITECTURES.items()}


def test_kinds_are_told_apart_by_their_base_class():
    assert set(registered(Expert)) == {"deepbind", "tower", "danq-expert"}
    assert set(registered(Baseline)) == {"cnn1", "cnn1exp", "danq", "deepcnn", "deepstarr"}


def test_a_name_is_given_once():
    with pytest.raises(ValueError, match="architecture: expected a new name, got 'deepbind'"):

        @register
        class Other(Expert):
            architecture = "deepbind"

    assert ARCHITECTURES["deepbind"] is DeepBind


@pytest.fixture
def calibrated():
    model = DeepBind([3], [5], tasks=["A", "B"]).eval()
    model.calibrate([[0.5, -1.0], [2, 0.25]])
    return model


def test_probabilities_are_the_sigmoid_of_calibrated_logits(calibrated):
    logits = torch.tensor([[2.0, -1.0], [0.0, 3.0]])
    expected = torch.sigmoid(torch.tensor([[0.0, -1.75], [-1.0, 6.25]]))
    assert torch.allclose(calibrated.probabilities(logits), expected)
    calibrated.calibrate(None)
    assert torch.equal(calibrated.probabilities(logits), logits.sigmoid())


def test_a_calibration_is_saved_and_loaded_both_ways(calibrated, tmp_path):
    calibrated.save_pretrained(tmp_path)
    for again in (modelzoo.load(tmp_path), DeepBind.from_pretrained(tmp_path)):
        assert again.calibration == [[0.5, -1.0], [2, 0.25]]
        assert again.config == calibrated.config
    DeepBind([3], [5]).save_pretrained(tmp_path / "plain")
    for again in (modelzoo.load(tmp_path / "plain"), DeepBind.from_pretrained(tmp_path / "plain")):
        assert again.calibration is None


@pytest.mark.parametrize(
    "wrong", [[[1.0, 0.0]], [[1.0], [1.0]], [[1.0, float("nan")], [1.0, 0.0]], "ab", 1]
)
def test_a_calibration_that_does_not_fit_the_tasks_is_refused(calibrated, wrong, tmp_path):
    with pytest.raises(ValueError, match=r"calibration.*: expected"):
        calibrated.calibrate(wrong)
    calibrated.save_pretrained(tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps({**config, "calibration": wrong}))
    with pytest.raises(WeightsError):
        modelzoo.load(tmp_path)
