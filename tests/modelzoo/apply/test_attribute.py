import hashlib
import os
import signal
import subprocess
import sys
import time

import h5py
import numpy as np
import pytest
import torch

from modelzoo.apply import attribute
from modelzoo.apply.attribute import STEPS, Attributions, collect
from modelzoo.architectures.deepbind import DeepBind
from modelzoo.sequences import Record, columns, encode
from shiftsmooth.functional import shift_smooth

SEQUENCES = ["ACGTTGCAAC", "TTGACCNATG", "GGGATAAGCA", "CATTTATCCC", "AAAAAAAAAA"]
NAMES = ["one", "two", "<b>three</b>", "four/..", "five"]


@pytest.fixture
def model():
    torch.manual_seed(0)
    return DeepBind(filters=[4], widths=[5], tasks=["GATA3", "FOXM1"]).eval()


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch):
    monkeypatch.setattr(attribute, "CHUNK", 2)


def attributed(folder, model, **arguments):
    attributions = Attributions(folder, model, NAMES, encode(SEQUENCES), **arguments)
    attributions.run()
    return attributions


def contents(attributions):
    with h5py.File(attributions.path) as file:
        return {name: file[name][()] for name in file}


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


def test_projected_scores_are_those_of_the_letters_present(model, tmp_path):
    found = contents(attributed(tmp_path, model))
    for row, sequence in enumerate(SEQUENCES):
        for position, letter in enumerate(sequence):
            if letter == "N":
                assert not found["one_hot"][row, :, position].any()
                assert found["projected"][row, position] == 0
                continue
            base = "ACGT".index(letter)
            assert found["one_hot"][row, :, position].tolist() == np.eye(4)[base].tolist()
            expected = found["hypothetical"][row, base, position]
            assert found["projected"][row, position] == expected
    assert [name.decode() for name in found["ids"]] == NAMES


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

    def until_the_second(chunks):
        for number, chunk in enumerate(chunks):
            if number == 1:
                raise KeyboardInterrupt
            yield chunk

    stopped = Attributions(tmp_path / "a", model, NAMES, encode(SEQUENCES), method=method)
    with pytest.raises(KeyboardInterrupt):
        stopped.run(until_the_second)
    again = Attributions(tmp_path / "a", model, NAMES, encode(SEQUENCES), method=method)
    assert again.done == 2
    chunks = []
    again.run(lambda starts: (chunks.append(start) or start for start in starts))
    assert chunks == [2, 4]
    for name, values in contents(again).items():
        assert np.array_equal(values, whole[name]), name


def test_structure_of_the_file_is_there_before_the_first_attribution(model, tmp_path):
    attributions = Attributions(tmp_path, model, NAMES, encode(SEQUENCES))
    with h5py.File(attributions.path) as file:
        places = {name: file[name].id.get_offset() for name in ("hypothetical", "logits", "done")}
    size = attributions.path.stat().st_size
    before = bytearray(attributions.path.read_bytes())
    attributions.run()
    after = bytearray(attributions.path.read_bytes())
    assert len(after) == size
    with h5py.File(attributions.path) as file:
        for name in ("hypothetical", "projected", "logits", "done"):
            offset, length = file[name].id.get_offset(), file[name].id.get_storage_size()
            assert name not in places or places[name] == offset
            before[offset : offset + length] = after[offset : offset + length]
    # Nothing but numbers has changed, so a kill has nothing to break.
    assert hashlib.sha256(before).digest() == hashlib.sha256(after).digest()


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
        ({"method": "magic"}, "method: expected one of gradient.*got magic"),
        ({"task": "CTCF"}, "task: expected one of GATA3, FOXM1, got 'CTCF'"),
        ({"max_shift": 10}, "max_shift: expected 0 to 9, got 10"),
    ],
)
def test_wrong_argument_is_named(model, tmp_path, arguments, message):
    with pytest.raises(ValueError, match=message):
        attributed(tmp_path, model, **arguments)


def test_npz_pair_is_what_numpy_would_write(model, tmp_path):
    attributions = attributed(tmp_path, model)
    found = contents(attributions)
    for path in attributions.save_npz():
        with np.load(path) as archive:
            assert archive.files == ["arr_0"]
            assert np.array_equal(archive["arr_0"], found[path.stem])
            assert archive["arr_0"].dtype == found[path.stem].dtype


def test_top_are_those_with_the_highest_logits(model, tmp_path):
    attributions = attributed(tmp_path, model, task="FOXM1")
    found = contents(attributions)
    order = sorted(range(5), key=lambda row: -found["logits"][row, 1])[:3]
    assert [name for name, *_ in attributions.top(3)] == [NAMES[row] for row in order]
    assert len(list(attributions.top(9))) == 5


def test_records_of_another_length_are_left_out_by_name():
    rejected = []
    records = [Record("a", "ACGT"), Record("b", "ACG"), Record("c", "TTTN")]
    names, codes = collect(records, rejected.append)
    assert names == ["a", "c"]
    assert codes.tolist() == [[0, 1, 2, 3], [3, 3, 3, 4]]
    assert [str(error) for error in rejected] == ["'b' has 3 positions; expected 4"]


def test_nothing_to_attribute_is_an_error():
    with pytest.raises(ValueError, match="no sequence"):
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
    assert "going on after" in again.communicate()[1]
    whole.communicate()
    assert (again.returncode, whole.returncode) == (0, 0)
    for name in ("hypothetical.npz", "one_hot.npz"):
        with np.load(tmp_path / "killed" / name) as a, np.load(tmp_path / "whole" / name) as b:
            assert np.array_equal(a["arr_0"], b["arr_0"])
