import math

import pytest
import torch

from modelzoo.training.argminn import Params
from modelzoo.training.expert import ExpertParams
from modelzoo.training.mixture import GateParams
from modelzoo.training.multitask import MultiTaskParams

KINDS = (ExpertParams, GateParams, MultiTaskParams, Params)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("epochs", 0),
        ("batch_size", 0),
        ("epochs", 2.5),
        ("patience", True),
        ("learning_rate", -1.0),
        ("learning_rate", math.nan),
        ("learning_rate", "fast"),
    ],
)
def test_a_wrong_number_is_refused_by_name(kind, name, value):
    with pytest.raises(ValueError, match=f"{name}: expected a .*number from [01], got {value!r}"):
        kind(**{name: value})


@pytest.mark.parametrize("kind", KINDS)
def test_precision_is_one_of_two(kind):
    assert kind(precision="bfloat16").dtype is torch.bfloat16
    with pytest.raises(ValueError, match=r"precision: expected one of .*, got 'float16'"):
        kind(precision="float16")


def test_an_argminns_batches_hold_two_strands_of_two_classes():
    with pytest.raises(ValueError, match="batch_size: expected a multiple of 4, got 6"):
        Params(batch_size=6)
    assert Params(batch_size=32, batches=5).sequences == 80


def test_defaults_of_a_gate_are_the_papers():
    paper = {"learning_rate": 0.01, "momentum": 0.98, "epochs": 500, "patience": 10}
    assert paper.items() <= vars(GateParams()).items()


def test_a_loss_is_a_known_one():
    with pytest.raises(ValueError, match=r"loss: expected one of binary, .*, got 'hinge'"):
        MultiTaskParams(loss="hinge")
