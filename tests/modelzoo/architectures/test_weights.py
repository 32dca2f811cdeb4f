import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from modelzoo.architectures import ARCHITECTURES
from modelzoo.architectures.weights import (
    WeightsError,
    fill,
    printable,
    read_tensors,
    size,
    without_numbers,
)
from modelzoo.files import sha256

EXPERTS = {"a": {}, "b": {"architecture": "tower"}, "c": {"architecture": "danq-expert"}}
BERT = {
    "hidden_size": 16,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "intermediate_size": 24,
    "max_position_embeddings": 40,
}
LEAST = {  # what an architecture cannot be built without
    "moe": {"experts": EXPERTS},
    "explainn-models": {"models": {"a": {"architecture": "deepbind"}}, "hidden": 5},
    "dnabert": {"bert": BERT},
}


@pytest.fixture(params=ARCHITECTURES)
def build(request):
    return lambda: ARCHITECTURES[request.param](**LEAST.get(request.param, {}))


def test_a_model_without_numbers_has_the_tensors_of_the_other(build):
    with without_numbers():
        model = build()
    found, expected = model.state_dict(), build().state_dict()
    assert all(tensor.is_meta for tensor in [*found.values(), *model.parameters()])
    assert list(found) == list(expected)
    for name, tensor in expected.items():
        assert (found[name].shape, found[name].dtype) == (tensor.shape, tensor.dtype), name


def test_building_without_numbers_draws_none(build):
    torch.manual_seed(3)
    expected = torch.rand(2)
    torch.manual_seed(3)
    with without_numbers():
        build()
    assert torch.equal(torch.rand(2), expected)


def test_a_filled_model_is_the_one_that_was_saved(build, tmp_path):
    saved = build().eval()
    save_file(saved.state_dict(), tmp_path / "w.safetensors")
    with without_numbers():
        model = build()
    fill(model, tmp_path / "w.safetensors", "here")
    assert (tmp_path / "w.safetensors").stat().st_size < size(model)
    assert not [name for name, buffer in model.named_buffers() if buffer.is_meta]
    trained = {name: parameter.requires_grad for name, parameter in saved.named_parameters()}
    assert {name: p.requires_grad for name, p in model.named_parameters()} == trained
    x = torch.eye(4)[torch.arange(500) % 4].T[None]
    with torch.no_grad():
        assert torch.equal(model.eval()(x), saved(x))


class Small(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(2, 3)


@pytest.fixture
def file(tmp_path):
    save_file(Small().state_dict(), tmp_path / "w.safetensors")
    return tmp_path / "w.safetensors"


def test_the_checksum_is_compared(file):
    expected = Small().state_dict()
    good = sha256(file.read_bytes())
    assert read_tensors(file, expected, "here", good).keys() == expected.keys()
    with pytest.raises(WeightsError, match=f"here: expected sha256 0, got {good}; it was not used"):
        read_tensors(file, expected, "here", "0")


def test_a_type_that_differs_is_named(file):
    with pytest.raises(WeightsError, match=r"'layer\.weight': expected F64, got 'F32'"):
        read_tensors(file, Small().double().state_dict(), "here")


def test_tensors_are_aligned_as_pytorch_aligns_its_own(file):
    """What is computed with others could differ in the last bit."""
    for tensor in read_tensors(file, Small().state_dict(), "here").values():
        assert tensor.data_ptr() % 64 == 0


def test_numbers_may_be_kept_in_half_of_their_bytes(tmp_path):
    saved = nn.Linear(3, 2)
    save_file({n: t.half() for n, t in saved.state_dict().items()}, tmp_path / "w.safetensors")
    model = nn.Linear(3, 2)
    fill(model, tmp_path / "w.safetensors", "w")
    assert model.weight.dtype == torch.float32
    assert torch.equal(model.weight, saved.weight.half().float())
    (tmp_path / "w.safetensors").write_bytes((tmp_path / "w.safetensors").read_bytes() + b"x")
    with pytest.raises(WeightsError, match=r"w: expected \d+ bytes, got"):
        fill(model, tmp_path / "w.safetensors", "w")


def test_a_tensor_with_and_without_the_prefix_is_refused(file):
    state = Small().state_dict()
    save_file({**state, **{f"bert.{name}": t.clone() for name, t in state.items()}}, file)
    with pytest.raises(WeightsError, match="has a tensor twice"):
        read_tensors(file, state, "here", prefix="bert.")


def test_metadata_of_the_file_is_ignored(file):
    state = Small().state_dict()
    save_file(state, file, metadata={"format": "pt"})
    assert torch.equal(read_tensors(file, state, "here")["layer.bias"], state["layer.bias"])


def test_printable_text_stays_and_codes_are_written_out():
    assert printable("é ≥ 3") == "é ≥ 3"
    assert printable("a\x1b[2J\nb\ud800") == r"a\x1b[2J\nb\ud800"
    assert len(printable("x" * 10**6)) == 2000
