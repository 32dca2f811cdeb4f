"""Model folders and repositories that lie: `load` refuses them soon, with an error of its own."""

import contextlib
import inspect
import json
import os
import pickle
import subprocess
import sys
import time

import pytest
import torch
from safetensors.torch import save_file

import modelzoo
from modelzoo.architectures import ARCHITECTURES
from modelzoo.architectures.dnabert import DNABERT
from modelzoo.architectures.weights import (
    CONFIG_LIMIT,
    HEADER_LIMIT,
    WEIGHTS_LIMIT,
    WeightsError,
    without_numbers,
)
from modelzoo.zoo.catalog import UnknownModelError
from modelzoo.zoo.hub import bert_folder
from tests.modelzoo.architectures.test_dnabert import BERT, save_bert

REPO = "someone/binding"
ESCAPE = "\x1b[2J\x1b]0;owned\x07"
LEAST = {  # what an architecture cannot be built without
    "moe": {"experts": {"a": {}}},
    "explainn-models": {"models": {"a": {"architecture": "deepbind"}}},
    "dnabert": {"bert": BERT},
}
LARGE = [
    ("cnn1", {"length": 10**7}),
    ("cnn1", {"length": 10**6}),
    ("deepstarr", {"length": 10**6}),
    ("danq", {"length": 10**6, "state": 60_000, "hidden": 60_000}),
    ("plain-cnn", {"filters": 10**9}),
    ("explainn", {"units": 10**9}),
    ("explainn", {"units": 60_000, "hidden": 60_000}),
    ("argminn", {"filters": 10**9}),
    ("argminn", {"filters": 60_000, "stream_size": 60_000, "layers": 100, "position_size": 16}),
    ("deepbind", {"filters": [60_000] * 100, "widths": [9_999] * 100}),
    ("deepbind", {"filters": [8] * 10**5, "widths": [9] * 10**5}),
    ("tower", {"dilations": [1] * 10**5}),
    ("tower", {"filters": 60_000, "dilations": [10_000] * 100}),
    ("danq-expert", {"filters": 60_000, "state": 60_000}),
    ("dnabert", {"bert": {**BERT, "hidden_size": 8192, "num_hidden_layers": 100}}),
    ("dnabert", {"bert": {**BERT, "hidden_size": 10**9}}),
    ("moe", {"experts": {str(i): {} for i in range(10_000)}}),
    ("moe", {"experts": {str(i): {"embedding_size": 60_000} for i in range(64)}}),
    (
        "explainn-models",
        {"models": {str(i): {"architecture": "moe", "experts": {"a": {}}} for i in range(10_000)}},
    ),
    ("deepbind", {"tasks": ["t"] * 10**5}),
]


@pytest.fixture
def folder(tmp_path):
    """A folder of a small DeepBind; `folder.write` replaces one of its files."""
    model = ARCHITECTURES["deepbind"]([4], [9])
    model.save_pretrained(tmp_path / "model")
    return tmp_path / "model"


def configure(folder, text):
    text = text if isinstance(text, str | bytes) else json.dumps(text)
    (folder / "config.json").write_bytes(text.encode() if isinstance(text, str) else text)
    return folder


def refused(folder, match=None, seconds=10):
    """Loads the folder; returns the error, which says nothing that a terminal obeys."""
    started = time.process_time()
    with pytest.raises(WeightsError, match=match) as error:
        modelzoo.load(folder)
    assert time.process_time() - started < seconds
    assert str(error.value).isprintable()
    assert len(str(error.value)) < 3000
    return str(error.value)


# Configurations


@pytest.mark.parametrize(("architecture", "config"), LARGE, ids=lambda value: str(value)[:40])
def test_a_large_model_is_refused_before_it_is_built(folder, architecture, config):
    refused(configure(folder, {"architecture": architecture, **config}))


def test_a_large_model_is_not_built_by_the_mixin_either(folder):
    """In a process that may have 4 GB: with its numbers the model would take 13."""
    configure(folder, {"architecture": "cnn1", "length": 10**6})
    code = f"""
import resource
resource.setrlimit(resource.RLIMIT_DATA, (2**32, 2**32))
from modelzoo.architectures import ARCHITECTURES
ARCHITECTURES["cnn1"].from_pretrained({str(folder)!r})
"""
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert "WeightsError" in run.stderr


WRONG = [None, True, -1, 0, 1.5, 1e308, "x", "", [], [[]], [None], [-1], {}, {"a": 1}, [1, "a"]]


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_an_argument_of_a_wrong_type_or_range_is_refused_by_its_name(folder, architecture):
    parameters = list(inspect.signature(ARCHITECTURES[architecture]).parameters)
    for parameter in parameters:
        for value in WRONG:
            config = {"architecture": architecture, **LEAST.get(architecture, {}), parameter: value}
            refused(configure(folder, config))


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"\xff\xfe\x00",
        b"[" * 100_000,
        b'{"a":' * 100_000,
        b"[]",
        b"null",
        b"{}",
        b'{"architecture": ["deepbind"]}',
        b'{"architecture": {"deepbind": 1}}',
        b'{"architecture": 1}',
        b'{"architecture": null}',
        b'{"architecture": "deepbind", "architecture": "moe"}',
        b'{"architecture": "deepbind", "filters": [1e999]}',
        b'{"architecture": "deepbind", "filters": [NaN]}',
        b'{"architecture": "deepbind", "filters": [' + b"9" * 5000 + b"]}",
        b'{"architecture": "deepbind", "self": 1}',
        b'{"architecture": "deepbind", "auto_map": {"AutoModel": "evil.Model"}}',
        b'{"architecture": "deepbind", "quantization_config": {}}',
        b'{"architecture": "explainn-models", "models": {"a": {}}}',
        b'{"architecture": "explainn-models", "models": {"a": {"architecture": []}}}',
        b'{"architecture": "explainn-models", "models": {"": {"architecture": "deepbind"}}}',
        b'{"architecture": "explainn-models", "models": {"items": {"architecture": "deepbind"}}}',
        b'{"architecture": "moe", "experts": {"a.b": {}}}',
        b'{"architecture": "moe", "experts": {"keys": {}}}',
        b'{"architecture": "moe", "experts": {"a": {"architecture": []}}}',
        b'{"architecture": "moe", "experts": {"a": {"architecture": "moe"}}}',
        b" " * (CONFIG_LIMIT + 1),
    ],
    ids=lambda text: repr(text[:60]),
)
def test_a_configuration_that_is_none_is_refused(folder, text):
    refused(configure(folder, text))


def test_a_key_that_comes_twice_is_refused(folder):
    good = (folder / "config.json").read_text()
    refused(configure(folder, '{"filters": [5],' + good[1:]), "a key comes twice")


def test_a_configuration_above_the_limit_is_not_read(folder):
    good = (folder / "config.json").read_text()
    refused(configure(folder, good + " " * CONFIG_LIMIT), f"at most {CONFIG_LIMIT} bytes")


def test_a_configuration_of_models_in_models_is_refused_soon(folder):
    text = '{"architecture": "deepbind"}'
    while len(text) < CONFIG_LIMIT - 100:
        text = f'{{"architecture": "explainn-models", "models": {{"a": {text}}}}}'
    refused(configure(folder, text))


@pytest.mark.parametrize("key", ["tasks", "architecture", ESCAPE])
def test_codes_for_the_terminal_are_not_repeated(folder, key):
    config = {"architecture": "deepbind", "filters": [4], "widths": [9]}
    refused(configure(folder, {**config, key: [ESCAPE]}))
    if key == "architecture":
        refused(configure(folder, {**config, key: ESCAPE}))


def test_a_configuration_that_is_no_file_is_refused(folder):
    (folder / "config.json").unlink()
    refused(folder, "no config.json")
    (folder / "config.json").mkdir()
    refused(folder, "no config.json")
    (folder / "config.json").rmdir()
    os.mkfifo(folder / "config.json")
    refused(folder, "no config.json")


@pytest.mark.parametrize("name", ["a\0b", "x" * 5000, "../" * 2000, ESCAPE, "a/b/c", ""])
def test_a_name_that_is_none_is_unknown(name):
    with pytest.raises(UnknownModelError):
        modelzoo.load(name)


# Weights


def weights(folder):
    return folder / "model.safetensors"


def with_header(folder, change):
    """Rewrites the header of the folder's weights."""
    data = weights(folder).read_bytes()
    end = 8 + int.from_bytes(data[:8], "little")
    header = json.loads(data[8:end])
    text = change(header)
    text = text if isinstance(text, bytes) else json.dumps(text).encode()
    weights(folder).write_bytes(len(text).to_bytes(8, "little") + text + data[end:])
    return folder


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_numbers_that_are_not_finite_are_refused_by_their_tensor(folder, value):
    model = modelzoo.load(folder)
    state = model.state_dict()
    state["hidden.bias"][3] = value
    save_file(state, weights(folder))
    refused(folder, "'hidden.bias' has numbers that are not finite")


def test_large_numbers_that_are_finite_are_loaded(folder):
    state = modelzoo.load(folder).state_dict()
    state["hidden.bias"][:] = torch.finfo(torch.float32).max
    save_file(state, weights(folder))
    assert torch.equal(modelzoo.load(folder).hidden.bias, state["hidden.bias"])


@pytest.mark.parametrize(
    "change",
    [
        lambda header: b"",
        lambda header: b"[]",
        lambda header: b"{",
        lambda header: b"[" * 100_000,
        lambda header: b"\xff" * 10,
        lambda header: b" " * (HEADER_LIMIT + 1),
        lambda header: {},
        lambda header: {**header, "output.bias": None},
        lambda header: {**header, "output.bias": []},
        lambda header: {**header, "output.bias": {}},
        lambda header: {**header, "output.bias": {**header["output.bias"], "shape": None}},
        lambda header: {**header, "output.bias": {**header["output.bias"], "shape": [10**30]}},
        lambda header: {**header, "output.bias": {**header["output.bias"], "dtype": "F16"}},
        lambda header: {**header, "output.bias": {**header["output.bias"], "dtype": ["F32"]}},
        lambda header: {**header, "output.bias": {**header["output.bias"], "data_offsets": [0, 4]}},
        lambda header: {**header, "output.bias": {**header["output.bias"], "data_offsets": None}},
        lambda header: {**header, ESCAPE: header["output.bias"]},
        lambda header: {**header, "x" * 10**5: header["output.bias"]},
        lambda header: {**header, **{f"{ESCAPE}{i}": None for i in range(1000)}},
        lambda header: {name: header[name] for name in list(header)[:-1]},
        lambda header: json.dumps(header).encode()[:-1] + b', "output.bias": {}}',
    ],
)
def test_a_header_that_does_not_fit_is_refused(folder, change):
    refused(with_header(folder, change))


def test_a_tensor_that_comes_twice_is_refused(folder):
    def twice(header):
        return b'{"output.bias": {},' + json.dumps(header).encode()[1:]

    refused(with_header(folder, twice), "a key comes twice")


def test_a_header_above_the_limit_is_not_read(folder):
    def padded(header):
        return json.dumps(header).encode() + b" " * HEADER_LIMIT

    refused(with_header(folder, padded), "has no header")


def test_weights_above_the_limit_are_not_read(folder):
    """The configuration and the header fit each other, and the file is sparse."""
    config = {"length": 40_000}
    with without_numbers():
        state = ARCHITECTURES["cnn1"](**config).state_dict()
    header, at = {}, 0
    for name, tensor in state.items():
        kind = "I64" if tensor.dtype == torch.int64 else "F32"
        place = [at, at + tensor.nbytes]
        header[name] = {"dtype": kind, "shape": list(tensor.shape), "data_offsets": place}
        at = place[1]
    assert at > WEIGHTS_LIMIT
    with_header(configure(folder, {"architecture": "cnn1", **config}), lambda _: header)
    os.truncate(weights(folder), 8 + len(json.dumps(header)) + at)
    refused(folder, f"expected at most {WEIGHTS_LIMIT} bytes")


def test_numbers_are_not_read_where_the_header_does_not_fit(folder):
    """A sparse file of 900 MB, within the limit: reading it would show in the memory."""
    import resource

    configure(folder, {"architecture": "deepbind", "filters": [5], "widths": [9]})
    os.truncate(weights(folder), 900 * 2**20)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    refused(folder, "expected .*shape")
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert grown < 100 * 2**10  # in KiB


@pytest.mark.parametrize("size", [0, 1, 7, 8, 100, 20 * 2**30])
def test_a_file_of_another_size_is_refused(folder, size):
    os.truncate(weights(folder), size)
    refused(folder)


def test_more_bytes_than_the_header_tells_are_refused(folder):
    with weights(folder).open("ab") as file:
        file.write(b"more")
    refused(folder, r"expected \d+ bytes, got")


@pytest.mark.parametrize("size", [WEIGHTS_LIMIT, 2**62])
def test_a_header_that_says_it_is_huge_is_refused(folder, size):
    data = weights(folder).read_bytes()
    weights(folder).write_bytes(size.to_bytes(8, "little") + data[8:])
    refused(folder, "has no header")


def test_weights_that_are_no_file_are_refused(folder):
    weights(folder).unlink()
    os.mkfifo(weights(folder))
    refused(folder, "no model.safetensors")


def test_weights_that_cannot_be_read_are_refused(folder):
    weights(folder).unlink()
    weights(folder).symlink_to("model.safetensors")
    refused(folder, "no model.safetensors")


def test_a_pickle_is_not_read(folder, tmp_path):
    trace = tmp_path / "trace"

    class Bomb:
        def __reduce__(self):
            return os.mkdir, (str(trace),)

    weights(folder).write_bytes(pickle.dumps(Bomb()))
    refused(folder, "not safetensors")
    assert not trace.exists()


@pytest.mark.slow
def test_whatever_bytes_change_the_error_is_one_of_ours(folder):
    rng = torch.Generator().manual_seed(0)
    for name in ("config.json", "model.safetensors"):
        good = (folder / name).read_bytes()
        for _ in range(2000):
            data = bytearray(good)
            for _ in range(int(torch.randint(1, 4, (), generator=rng))):
                at = int(torch.randint(min(len(data), 600), (), generator=rng))
                match int(torch.randint(3, (), generator=rng)):
                    case 0:
                        data[at] = int(torch.randint(256, (), generator=rng))
                    case 1:
                        del data[at : at + int(torch.randint(20, (), generator=rng))]
                    case 2:
                        data[at:at] = data[: int(torch.randint(20, (), generator=rng))]
            (folder / name).write_bytes(data)
            with contextlib.suppress(WeightsError):
                modelzoo.load(folder)
        (folder / name).write_bytes(good)


# BERT


@pytest.fixture
def bert(tmp_path):
    save_bert(tmp_path / "bert")
    return tmp_path / "bert"


def change_config(folder, **change):
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, **change}))
    return folder


CODE = [
    {"attn_implementation": "evil/kernel"},
    {"_attn_implementation": "evil/kernel"},
    {"_attn_implementation_internal": "evil/kernel"},
    {"auto_map": {"AutoModel": "evil--model.Model"}},
    {"quantization_config": {"quant_method": "evil"}},
    {"torch_dtype": "float16"},
    {"vocab_size": 10**9},
    {"return_dict": False},
]


@pytest.mark.parametrize("options", CODE, ids=lambda options: next(iter(options)))
def test_arguments_of_a_bert_that_are_not_ours_are_refused(folder, options):
    configure(folder, {"architecture": "dnabert", "bert": {**BERT, **options}})
    assert next(iter(options)) in refused(folder, "bert: expected some of hidden_size")


@pytest.mark.parametrize("options", CODE[:3], ids=lambda options: next(iter(options)))
def test_a_trained_bert_brings_no_code(bert, options, monkeypatch):
    """transformers would import a repository through the package `kernels`, were it there."""
    monkeypatch.setitem(sys.modules, "kernels", None)
    model = DNABERT.from_bert(change_config(bert, **options))
    assert model.bert.config._attn_implementation in ("eager", "sdpa")


@pytest.mark.parametrize(
    "change",
    [
        *CODE[3:5],
        {"model_type": "gpt2"},
        {"position_embedding_type": "relative_key"},
        {"is_decoder": True},
        {"hidden_size": 10**9},
        {"hidden_size": "16"},
        {"num_hidden_layers": 10**6},
        {"hidden_size": 32},
    ],
    ids=str,
)
def test_a_trained_bert_of_another_kind_or_size_is_refused(bert, change):
    with pytest.raises(WeightsError) as error:
        DNABERT.from_bert(change_config(bert, **change))
    assert next(iter(change)) in str(error.value) or "shape" in str(error.value)


def test_a_trained_bert_that_lacks_tensors_is_refused(bert):
    from safetensors.torch import load_file

    tensors = load_file(bert / "model.safetensors")
    del tensors["encoder.layer.1.output.dense.weight"]
    save_file(tensors, bert / "model.safetensors")
    with pytest.raises(WeightsError, match=r"lacks 'encoder\.layer\.1\.output\.dense\.weight'"):
        DNABERT.from_bert(bert)


def test_a_trained_bert_inside_a_larger_model_is_taken_out(bert):
    from safetensors.torch import load_file

    expected = DNABERT.from_bert(bert).bert.state_dict()
    tensors = {f"bert.{k}": v for k, v in load_file(bert / "model.safetensors").items()}
    save_file({**tensors, "cls.predictions.bias": torch.zeros(3)}, bert / "model.safetensors")
    found = DNABERT.from_bert(bert).bert.state_dict()
    assert all(torch.equal(found[name], value) for name, value in expected.items())


def test_a_trained_bert_that_is_a_pickle_is_refused(bert):
    from safetensors.torch import load_file

    torch.save(load_file(bert / "model.safetensors"), bert / "pytorch_model.bin")
    (bert / "model.safetensors").unlink()
    with pytest.raises(WeightsError, match=r"model\.safetensors: expected a file"):
        DNABERT.from_bert(bert)


def test_a_bert_s_configuration_is_read_before_its_weights_are_fetched(hub, bert):
    content = {path.name: path.read_bytes() for path in bert.iterdir()}
    hub.add(REPO, content)
    assert DNABERT.from_bert(bert_folder(REPO)).bert.config.hidden_size == 16
    change_config(bert, auto_map={"AutoModel": "evil"})
    hub.add(REPO, {"config.json": (bert / "config.json").read_bytes()})
    fetched = len(hub.requests)
    with pytest.raises(WeightsError, match="auto_map"):
        bert_folder(REPO)
    assert not [r for r in hub.requests[fetched:] if "config.json" not in r]
