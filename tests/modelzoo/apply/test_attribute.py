import os
import signal
import subprocess
import sys
import time

import h5py
import numpy as np
import pytest
import torch

from modelzoo.apply.attribute import attribute, collect
from modelzoo.architectures.deepbind import DeepBind
from modelzoo.attribution.methods import STEPS
from modelzoo.errors import WorkError
from modelzoo.sequences import Record, columns, encode
from shiftsmooth.functional import shift_smooth

SEQUENCES = ["ACGTTGCAAC", "TTGACCNATG", "GGGATAAGCA", "CATTTATCCC", "AAAAAAAAAA"]
NAMES = ["one", "two", "<b>three</b>", "four/..", "five"]
RECORDS = [Record(name, sequence) for name, sequence in zip(NAMES, SEQUENCES)]


@pytest.fixture
def model():
    torch.manual_seed(0)
    return DeepBind(filters=[4], widths=[5], tasks=["GATA3", "FOXM1"]).eval()


def attributed(folder, model, **arguments):
    return attribute(model, RECORDS, folder, **{"batch_size": 2, **arguments})


def contents(file):
    with h5py.File(file.path) as opened:
        return {name: opened[name][()] for name in opened}


def test_shiftsmooth_is_that_of_the_one_call_form(model, tmp_path):
    found = contents(attributed(tmp_path, model, max_shift=3))
    x = columns(encode(SEQUENCES))
    expected = shift_smooth(model, x, max_shift=3, hypothetical=True, device="cpu")
    assert np.allclose(found["hypothetical"], expected, atol=1e-6)
    with torch.no_grad():
        assert np.allclose(found["logits"], model(x), atol=1e-6)


def test_gradient_is_autograds_less_its_mean(model, tmp_path):
    found = contents(attributed(tmp_path, model, method="gradient", task="FOXM1"))
    x = columns(encode(SEQUENCES)).requires_grad_()
    (gradient,) = torch.autograd.grad(model(x)[:, 1].sum(), x)
    expected = gradient - gradient.mean(1, keepdim=True)
    assert np.allclose(found["hypothetical"], expected, atol=1e-6)


def test_shiftsmooth_over_integrated_gradients_by_hand(model, tmp_path):
    found = contents(attributed(tmp_path, model, method="shiftsmooth-ig", max_shift=2))
    x = columns(encode(SEQUENCES))
    points, weights = np.polynomial.legendre.leggauss(STEPS)
    expected = torch.zeros_like(x)
    for shift in range(-2, 3):
        for point, weight in zip((points + 1) / 2, weights / 2):
            on_path = (0.25 + point * (x.roll(shift, -1) - 0.25)).float().requires_grad_()
            (gradient,) = torch.autograd.grad(model(on_path)[:, 0].sum(), on_path)
            expected += weight * gradient.roll(-shift, -1) / 5
    expected -= expected.mean(1, keepdim=True)
    assert np.allclose(found["hypothetical"], expected, atol=1e-5)


@pytest.mark.parametrize("method", ["smoothgrad", "shift-and-noise"])
def test_noise_comes_from_the_seed_alone(model, tmp_path, method):
    first = contents(attributed(tmp_path / "a", model, method=method))
    torch.rand(7)
    before = torch.get_rng_state()
    second = contents(attributed(tmp_path / "b", model, method=method))
    assert torch.equal(torch.get_rng_state(), before)
    other = contents(attributed(tmp_path / "c", model, method=method, seed=1))
    assert np.array_equal(first["hypothetical"], second["hypothetical"])
    assert not np.allclose(first["hypothetical"], other["hypothetical"])


@pytest.mark.parametrize("method", ["shiftsmooth", "smoothgrad"])
def test_stopped_run_goes_on_where_it_was(model, tmp_path, method):
    whole = contents(attributed(tmp_path / "whole", model, method=method))

    def until_the_second(starts):
        for number, start in enumerate(starts):
            if number == 1:
                raise KeyboardInterrupt
            yield start

    with pytest.raises(KeyboardInterrupt):
        attributed(tmp_path / "a", model, method=method, track=until_the_second)
    assert not (tmp_path / "a" / "hypothetical.npz").exists()
    parts = []
    again = attributed(
        tmp_path / "a", model, method=method, track=lambda starts: parts.append(starts) or starts
    )
    assert parts == [range(2, 5, 2)]
    for name, values in contents(again).items():
        assert np.array_equal(values, whole[name]), name


@pytest.mark.parametrize(
    "change", [{"max_shift": 4}, {"method": "gradient"}, {"task": "FOXM1"}, {"seed": 3}]
)
def test_folder_of_another_run_is_refused(model, tmp_path, change):
    attributed(tmp_path, model)
    with pytest.raises(ValueError, match="is of another run"):
        attributed(tmp_path, model, **change)


def test_folder_of_other_weights_is_refused(model, tmp_path):
    attributed(tmp_path, model)
    model.output.bias.data += 1
    with pytest.raises(ValueError, match="is of another run"):
        attributed(tmp_path, model)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"batch_size": 0}, "batch_size: expected 1 or more, got 0"),
        ({"seed": -1}, "seed: expected 0 or more, got -1"),
        ({"max_shift": 10**9}, "max_shift: expected 0 to 9, got 1000000000"),
        ({"method": "magic"}, "method: expected one of gradient.*got 'magic'"),
        ({"task": "CTCF"}, "task: expected one of GATA3, FOXM1, got 'CTCF'"),
        ({"max_shift": 10}, "max_shift: expected 0 to 9, got 10"),
        ({"spread": True, "method": "ism"}, "spread: expected the method shiftsmooth, got ism"),
    ],
)
def test_wrong_argument_is_named_before_anything_is_written(model, tmp_path, arguments, message):
    with pytest.raises(ValueError, match=message):
        attributed(tmp_path / "out", model, **arguments)
    assert not (tmp_path / "out").exists()


def test_a_value_error_of_the_model_is_not_a_wrong_argument(model, tmp_path):
    def fail(model, inputs):
        raise ValueError("no such letter")

    model.register_forward_pre_hook(fail)
    with pytest.raises(WorkError, match="no such letter"):
        attributed(tmp_path, model)


def test_sequences_whose_attributions_are_not_numbers_are_named(model, tmp_path):
    model.output.weight.data[0] = float("nan")
    rejected = []
    attributed(tmp_path, model, reject=rejected.append)
    assert [str(error).split()[0] for error in rejected] == [repr(name) for name in NAMES]
    assert "not finite" in str(rejected[0])


def test_long_sequences_are_attributed_a_few_at_a_time(model, tmp_path):
    parts = []
    records = [Record(str(number), "ACGTT" * 4000) for number in range(4)]
    attribute(model, records, tmp_path, method="gradient", track=lambda s: parts.append(s) or s)
    assert parts == [range(0, 4, 3)]


def test_records_of_another_length_are_left_out_by_name():
    rejected = []
    records = [Record("a", "ACGT"), Record("b", "ACG"), Record("c", "TTTN")]
    names, codes, intervals = collect(records, rejected.append)
    assert names == ["a", "c"]
    assert intervals is None
    assert codes.tolist() == [[0, 1, 2, 3], [3, 3, 3, 4]]
    assert [str(error) for error in rejected] == ["'b' has 3 positions; expected 4"]


def test_nothing_to_attribute_is_an_error():
    with pytest.raises(ValueError, match="sequences: expected at least one, got none"):
        collect([], print)


@pytest.mark.slow
def test_killed_command_goes_on_to_the_same_result(tmp_path):
    torch.manual_seed(0)
    DeepBind(filters=[64], widths=[21]).save_pretrained(tmp_path / "model")
    letters = np.array(list("ACGT"))[np.random.default_rng(0).integers(0, 4, (640, 101))]
    with open(tmp_path / "a.fa", "w") as file:
        file.writelines(f">r{i}\n{''.join(row)}\n" for i, row in enumerate(letters))

    def start(out):
        command = [sys.executable, "-m", "modelzoo.cli.main", "attribute", "a.fa", "-m", "model"]
        return subprocess.Popen(
            [*command, "-o", out, "--top", "1"], cwd=tmp_path, stderr=subprocess.PIPE, text=True
        )

    def done(out):
        try:
            with h5py.File(tmp_path / out / "attributions.h5", locking=False) as file:
                return int(file["done"][()])
        except OSError:
            return 0

    process = start("killed")
    while not done("killed") and process.poll() is None:
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    assert 0 < done("killed") < 640
    again, whole = start("killed"), start("whole")
    assert "resuming after" in again.communicate()[1]
    whole.communicate()
    assert (again.returncode, whole.returncode) == (0, 0)
    for name in ("hypothetical.npz", "one_hot.npz"):
        with np.load(tmp_path / "killed" / name) as a, np.load(tmp_path / "whole" / name) as b:
            assert np.array_equal(a["arr_0"], b["arr_0"])
