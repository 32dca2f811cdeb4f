"""Files of weights that may come from anywhere: checked before a number of them is read.

A `.safetensors` file is 8 bytes with the size of its header, the header, and the numbers. The
header is JSON: the type, the shape and the place of every tensor. A model is first built without
numbers; names, types and shapes of its tensors are compared with the header, and only then are the
numbers read and given to the model.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from modelzoo.files import sha256

CONFIG_FILE = "config.json"
WEIGHTS_FILE = "model.safetensors"
CONFIG_LIMIT = 256 * 2**10  # bytes
HEADER_LIMIT = 2**20
WEIGHTS_LIMIT = 2**30

_TYPES = {torch.float32: "F32", torch.float64: "F64", torch.int64: "I64"}
_HALF = "F16"  # float32 numbers may be kept in half of their bytes


class WeightsError(ValueError):
    """A model's files are not what they should be; none of them was used."""

    def __init__(self, message: str) -> None:
        super().__init__(printable(message))


def printable(text: str) -> str:
    """Return a text that may quote a file or a server, without codes that a terminal obeys."""
    shown = (c if c.isprintable() else c.encode("unicode_escape").decode() for c in text[:2000])
    return "".join(shown)


class without_numbers(TorchFunctionMode):
    """Build the models inside it on PyTorch's meta device, without memory for their numbers.

    Unlike `torch.device("meta")` it leaves out first numbers too: there is nothing to draw, and for
    normal ones PyTorch would import its compiler, which takes seconds.
    """

    MAKERS = frozenset({"empty", "zeros", "ones", "full", "tensor", "arange"})
    FILLERS = frozenset({"normal_", "uniform_", "fill_", "zero_", "mul_", "constant_"}) | {
        "kaiming_uniform_",
        "kaiming_normal_",
        "xavier_uniform_",
    }

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if func.__name__ in self.MAKERS and kwargs.get("device") is None:
            kwargs["device"] = "meta"
        elif func.__name__ in self.FILLERS:
            return kwargs["tensor"] if "tensor" in kwargs else args[0]
        return func(*args, **kwargs)


def size(model: nn.Module) -> int:
    """Return the most bytes that a file with the weights of a model can have."""
    return 8 + HEADER_LIMIT + sum(tensor.nbytes for tensor in model.state_dict().values())


def fill(model: nn.Module, path: Path, origin: str, checksum: str | None = None) -> None:
    """Give a model that was built without numbers those of a file.

    Args:
        model: Its tensors must have the names, types and shapes of the file's.
        path: The `.safetensors` file.
        origin: The file in the reader's terms, for errors.
        checksum: The file's sha256, if it is known.

    Raises:
        WeightsError: The file is another, is damaged, or has numbers that are not finite.
    """
    tensors = read_tensors(path, model.state_dict(), origin, checksum)
    for path_of, module in model.named_modules():  # as `load_state_dict` does, in half its time
        at = f"{path_of}." if path_of else ""
        for name, parameter in list(module.named_parameters(recurse=False)):
            value = nn.Parameter(tensors[at + name], requires_grad=parameter.requires_grad)
            setattr(module, name, value)
        for name, buffer in list(module.named_buffers(recurse=False)):
            setattr(module, name, tensors.get(at + name, buffer))


def read_tensors(
    path: Path,
    expected: Mapping[str, Tensor],
    origin: str,
    checksum: str | None = None,
    *,
    prefix: str | None = None,
) -> dict[str, Tensor]:
    """Return the tensors of a file, after checking them against those of a model.

    Args:
        path: The `.safetensors` file.
        expected: The model's tensors by name; their numbers do not matter.
        origin: The file in the reader's terms, for errors.
        checksum: The file's sha256, if it is known.
        prefix: What names in the file may begin with besides. The file may then hold more tensors,
            as that of a larger model does.
    """
    data = _read_checked(path, expected, origin, prefix)
    if checksum is not None and (found := sha256(data)) != checksum:
        raise WeightsError(f"{origin}: expected sha256 {checksum}, got {found}; it was not used")
    try:
        loaded = safetensors.torch.load(data)
    except SafetensorError as error:
        raise WeightsError(f"{origin} is not safetensors: {error}") from error
    tensors = {}
    for name, tensor in loaded.items():
        name = name.removeprefix(prefix or "")
        if name in expected:
            # A sum is quicker; that of finite numbers may be infinite too.
            if not math.isfinite(tensor.sum()) and not tensor.isfinite().all():
                raise WeightsError(f"{origin}: {name!r} has numbers that are not finite")
            # to memory that is aligned as PyTorch aligns it
            tensors[name] = tensor.to(expected[name].dtype, copy=True)
    return tensors


def _read_checked(
    path: Path, expected: Mapping[str, Tensor], origin: str, prefix: str | None
) -> bytes:
    """Return the bytes of a file whose header fits a model."""
    with _opened(path, origin) as file:
        total = os.fstat(file.fileno()).st_size
        if total > WEIGHTS_LIMIT:
            raise WeightsError(f"{origin}: expected at most {WEIGHTS_LIMIT} bytes, got {total}")
        head = file.read(8)
        length = int.from_bytes(head, "little")
        if length > min(HEADER_LIMIT, total - 8):
            raise WeightsError(f"{origin} is not safetensors: it has no header")
        text = file.read(length)
        header = parse_json(text, f"the header of {origin}")
        numbers = _compare(header, expected, origin, prefix)
        if prefix is None and total != 8 + length + numbers:
            raise WeightsError(f"{origin}: expected {8 + length + numbers} bytes, got {total}")
        file.seek(0)
        data = file.read(total + 1)
    if len(data) != total or data[8 : 8 + length] != text:
        raise WeightsError(f"{origin} changed while it was read")
    return data


def _compare(
    header: Mapping[str, Any], expected: Mapping[str, Tensor], origin: str, prefix: str | None
) -> int:
    """Return the size of the expected tensors, after checking that a header describes them."""
    names = [name for name in header if name != "__metadata__"]
    found = {name.removeprefix(prefix or ""): header[name] for name in names}
    if len(found) < len(names):
        raise WeightsError(f"{origin} has a tensor twice, with and without {prefix!r}")
    if missing := expected.keys() - found.keys():
        raise WeightsError(f"{origin} lacks {_listed(missing)}")
    if prefix is None and (others := found.keys() - expected.keys()):
        raise WeightsError(f"{origin} has, unexpected, {_listed(others)}")
    size = 0
    for name, tensor in expected.items():
        entry = found[name] if isinstance(found[name], dict) else {}
        told, shape, kind = entry.get("shape"), list(tensor.shape), _TYPES.get(tensor.dtype)
        if told != shape:
            raise WeightsError(f"{origin}: {name!r}: expected shape {shape}, got {told}")
        half = kind == "F32" and entry.get("dtype") == _HALF
        if entry.get("dtype") != kind and not half:
            raise WeightsError(f"{origin}: {name!r}: expected {kind}, got {entry.get('dtype')!r}")
        size += tensor.nbytes // 2 if half else tensor.nbytes
    return size


def parse_json(data: bytes, origin: str) -> dict[str, Any]:
    """Return the object that a JSON text holds; a key that comes twice is an error."""
    try:
        found = json.loads(data, object_pairs_hook=_unique)
    except (ValueError, RecursionError) as error:
        raise WeightsError(f"{origin} is not JSON: {error}") from error
    if not isinstance(found, dict):
        raise WeightsError(f"{origin}: expected a JSON object")
    return found


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a key comes twice")
    return found


def read_config(path: Path, origin: str) -> dict[str, Any]:
    """Return the configuration in a file, which has a bounded size."""
    return parse_json(read_bounded(path, origin), origin)


def read_bounded(path: Path, origin: str) -> bytes:
    """Return the bytes of a small file, `CONFIG_LIMIT` at most."""
    with _opened(path, origin) as file:
        data = file.read(CONFIG_LIMIT + 1)
    if len(data) > CONFIG_LIMIT:
        raise WeightsError(f"{origin}: expected at most {CONFIG_LIMIT} bytes")
    return data


@contextmanager
def _opened(path: Path, origin: str) -> Iterator[IO[bytes]]:
    """Open a regular file: a pipe, which may never end, is none."""
    if not os.path.isfile(path):
        raise WeightsError(f"{origin}: expected a file")
    try:
        with path.open("rb") as file:
            yield file
    except OSError as error:
        raise WeightsError(f"{origin}: {error.strerror}") from error


def _listed(names: Collection[str]) -> str:
    shown = ", ".join(map(repr, sorted(names)[:5]))
    return f"{shown} and {len(names) - 5} more" if len(names) > 5 else shown


def checksum(model: nn.Module) -> str:
    """Return the checksum of a model's weights: their names and numbers."""
    total = hashlib.sha256()
    for name, tensor in sorted(model.state_dict().items()):
        total.update(name.encode() + tensor.cpu().contiguous().numpy().tobytes())
    return total.hexdigest()
