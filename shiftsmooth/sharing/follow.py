"""One run of a model on windows: each function is followed, or written out for, or refused.

There are three kinds of functions, and what is in none of them is refused:

- operations (`ops`) run on the parts of windows;
- pure functions, which only compute, run on the windows written out once; so does an operation
  that does not fit;
- questions about shape and type are answered by the windows themselves.

A refusal is remembered, so a model that catches the exception does not hide it.
"""

import sys
import weakref
from collections.abc import Callable, Iterator
from itertools import chain
from typing import Any, NoReturn

import torch
from torch import Tensor
from torch.nn import Module
from torch.overrides import TorchFunctionMode, get_overridable_functions
from torch.utils._pytree import tree_leaves, tree_map

from .. import _torch
from .costs import TooMany
from .ops import OPERATIONS, Operation
from .windows import NotShareable, Windows, windows_in


class Following(TorchFunctionMode):
    """A run of a model, from the first module to the output at the target.

    Attributes:
        ended: For each function for which windows were written out, its name and its module's.
        followed: The functions that ran on parts.
        refused_in: The name of the module in which something was refused, or "".
    """

    def __init__(
        self, modules: dict[Module, str], constants: list[Tensor], apart: frozenset[str]
    ) -> None:
        """Set up for one run of a model.

        Args:
            modules: The names of the modules of the model.
            constants: Further tensors that do not depend on the inputs.
            apart: Names of modules in which nothing is followed.
        """
        super().__init__()
        self.modules, self.constants, self.apart = modules, constants, apart
        self.refused_in = ""
        self.active = False
        self.reason: str | None = None
        self.ended: list[tuple[str, str]] = []
        self.followed: list[str] = []
        self._made: list[weakref.ref[Tensor]] = []

    def __enter__(self) -> "Following":
        self.active = True
        return super().__enter__()

    def __exit__(self, *error: Any) -> None:
        self.active = False
        super().__exit__(*error)

    def keep(self, made: Tensor) -> None:
        """Notes that windows, or unknown integers, were made in this run."""
        self._made.append(weakref.ref(made))

    def finish(self) -> None:
        """Makes ordinary tensors of windows that the model has kept; call it after the run.

        Raises:
            NotShareable: If anything was refused.
        """
        kept = [made for ref in self._made if (made := ref()) is not None]
        windows = [x for x in kept if isinstance(x, Windows)]
        if len(windows) < len(kept):
            self.reason = self.reason or "the model keeps the places of largest values (`max`)"
        written = [x.write_out() for x in windows]
        self._made.clear()  # weak references forbid a swap
        for x in windows:
            x.aliases.dissolve()
        for x, ordinary in zip(windows, written):
            try:
                torch.utils.swap_tensors(x, ordinary.view_as(ordinary))
            except RuntimeError:  # something in torch holds it too
                self.reason = self.reason or "the model keeps its activations"
        if self.reason is not None:
            raise NotShareable(self.reason)

    def refuse(self, reason: str) -> NoReturn:
        """Ends sharing of this call.

        Raises:
            NotShareable: Always.
        """
        where = self._module()
        if self.reason is None:
            self.refused_in = where
        self.reason = self.reason or (f"{reason}, in module '{where}'" if where else reason)
        raise NotShareable(self.reason)

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple = (), kwargs: Any = None
    ) -> Any:
        """Sees every function, also of ordinary tensors, which may lie in the memory of windows."""
        kwargs = kwargs or {}
        if func in _ESCAPES or (args and isinstance(args[0], Tensor) and _in_place(func)):
            first = next((x for x in tree_leaves((args, kwargs)) if isinstance(x, Tensor)), None)
            self._watch(func, first)
        return func(*args, **kwargs)

    def follow(self, func: Callable[..., Any], args: tuple, kwargs: dict[str, Any]) -> Any:
        """The result of `func`, whose arguments hold windows."""
        if func in _QUESTIONS:
            with _torch.plainly():
                return func(*args, **kwargs)
        name = _torch.name_of(func)
        windows = list(windows_in((args, kwargs)))
        if not self.active or any(x.run is not self for x in windows):
            self.refuse(f"the model uses its activations outside of the forward pass (`{name}`)")
        try:
            return self._follow(func, name, windows, args, kwargs)
        except NotShareable as error:
            self.refuse(str(error))
        except (torch.OutOfMemoryError, TooMany):
            raise
        except Exception as error:
            # Also where the model would catch it: in an ordinary run there may be none.
            self.reason = self.reason or f"`{name}` failed on shared tensors ({error})"
            raise

    def _follow(
        self,
        func: Callable[..., Any],
        name: str,
        windows: list[Windows],
        args: tuple,
        kwargs: dict[str, Any],
    ) -> Any:
        if not torch.is_grad_enabled() and any(x.needs_grad for x in windows):
            self.refuse(
                f"`{name}` runs where gradients are switched off: in a custom autograd.Function, "
                "in torch.no_grad or in activation checkpointing"
            )
        operation = OPERATIONS.get(func)
        if kwargs.get("out") is not None or (operation is None and func not in _pure()):
            self.refuse(f"`{name}` is not known to only compute a result")
        for x in windows:
            x.aliases.check()
        if operation is not None:
            bound = operation.bind(args, kwargs)
            result = NotImplemented
            writes = operation.writes
            if bound is not None:
                writes = writes or bool(bound.arguments.pop("inplace", False))
                if not _draws(operation, bound.arguments):
                    result = self._run(operation, windows, bound.args, bound.kwargs)
            target = args[0] if args else kwargs.get("input")
            if writes and isinstance(target, Windows):
                return self._write(func, target, result, args, kwargs)
            if result is not NotImplemented and not writes:
                self.followed.append(name)
                self._join(operation, windows[0], result)
                return result
        return self._written_out(func, name, windows, args, kwargs)

    def _run(
        self, operation: Operation, windows: list[Windows], args: tuple, kwargs: dict[str, Any]
    ) -> Any:
        if any(x.ordinary is not None for x in windows):
            return NotImplemented
        if self.apart and any(name in self.apart for name in self._running()):
            return NotImplemented
        ordered = not operation.permutes and all(x.in_order for x in windows)
        if not ordered:
            for x in windows:
                x.settle()
        with _torch.unseen():  # these are functions of the parts
            result = operation.run(*args, **kwargs)
        if ordered:
            for x in windows_in(result):
                x.in_order = True
        return result

    def _join(self, operation: Operation, source: Windows, result: Any) -> None:
        if not operation.aliases:
            return
        for x in result if isinstance(result, tuple) else (result,):
            if isinstance(x, Windows):
                source.aliases.join(x)
            else:
                source.aliases.write_out(x)

    def _write(
        self, func: Any, x: Windows, result: Any, args: tuple, kwargs: dict[str, Any]
    ) -> Any:
        """An in-place function: its first argument `x` becomes the result."""
        name = _torch.name_of(func)
        x.aliases.check_write(x)
        if isinstance(result, Windows) and result.shape == x.shape and result.dtype == x.dtype:
            self.followed.append(name)
            x.replace(result)
            return x
        self._end(name)
        plain_args, plain_kwargs = tree_map(_ordinary, (args, kwargs))
        func(*plain_args, **plain_kwargs)
        x.aliases.wrote()
        return x

    def _written_out(
        self,
        func: Any,
        name: str,
        windows: list[Windows],
        args: tuple,
        kwargs: dict[str, Any],
    ) -> Any:
        if any(x.ordinary is None for x in windows):
            self._end(name)
        plain_args, plain_kwargs = tree_map(_ordinary, (args, kwargs))
        result = func(*plain_args, **plain_kwargs)
        for x in windows:
            if result is x.ordinary:
                return x
        if isinstance(result, Tensor) and result.dim() == 0:
            self.refuse(f"`{name}` looks at the whole batch at once")
        return result

    def _end(self, name: str) -> None:
        self.ended.append((name, self._module()))

    def _watch(self, func: Any, first: Tensor | None) -> None:
        """Refuses a function of ordinary tensors that could change or leave what is computed."""
        name = _torch.name_of(func)
        constant = first is not None and self._constant(first)
        if func in _ESCAPES and func not in _VALUES:
            self.refuse(f"`{name}` reaches behind autograd")
        if func in _VALUES and not constant:
            self.refuse(f"`{name}` lets Python decide on values that depend on the input")
        if _in_place(func) and constant:
            self.refuse(f"`{name}` changes a parameter or buffer of the model")

    def _constant(self, tensor: Tensor) -> bool:
        """Whether a tensor was there before the model ran."""
        known = chain.from_iterable(
            (*module._parameters.values(), *module._buffers.values()) for module in self.modules
        )
        return any(tensor is x for x in chain(self.constants, known))

    def _module(self) -> str:
        """The name of the innermost module that is running."""
        return next(self._running(), "")

    def _running(self) -> Iterator[str]:
        """The names of the modules that are running, the innermost first."""
        frame = sys._getframe()
        while frame is not None:
            owner = frame.f_locals.get("self")
            if isinstance(owner, Module) and owner in self.modules:
                yield self.modules[owner]
            frame = frame.f_back  # type: ignore[assignment]


def _ordinary(value: Any) -> Any:
    return value.write_out() if isinstance(value, Windows) else value


def _draws(operation: Operation, arguments: dict[str, Any]) -> bool:
    """Whether dropout is asked to drop."""
    parameters = operation.signature.parameters
    for name in ("training", "train"):
        if name in parameters and "p" in parameters:
            return bool(arguments.get(name, parameters[name].default))
    return False


def _in_place(func: Any) -> bool:
    name = _torch.name_of(func)
    return name == "__setitem__" or (name.endswith("_") and not name.endswith("__"))


def _tensor_functions(names: str) -> set[Any]:
    found = set()
    for name in names.split():
        member = getattr(Tensor, name, None)
        if type(member).__name__ == "getset_descriptor":
            found |= {member.__get__, member.__set__}  # type: ignore[union-attr]
        elif member is not None:
            found.add(member)
    return found


# Questions about the windows, which the wrapper answers.
_QUESTIONS = {
    *(getattr(Tensor, name).__get__ for name in (
        "shape", "dtype", "device", "layout", "ndim", "is_cuda", "is_sparse", "is_quantized",
        "is_meta", "is_mkldnn", "is_mps", "is_xla", "is_nested", "requires_grad", "is_leaf",
        "itemsize",
    )),
    *_tensor_functions(
        "size dim ndimension numel nelement is_floating_point is_complex is_signed element_size "
        "get_device __len__ __hash__ is_same_size"
    ),
    torch.is_floating_point, torch.is_complex, torch.numel, torch.is_tensor,
}  # fmt: skip
# What hands values to Python.
_VALUES = _tensor_functions(
    "item tolist __bool__ __int__ __float__ __complex__ __index__ __contains__ nonzero"
) | {torch.nonzero, torch.is_nonzero, torch.equal, torch.allclose, Tensor.equal, Tensor.allclose}
# What reaches memory or the graph behind the back of autograd.
_ESCAPES = (
    _VALUES
    | _tensor_functions(
        "data numpy __array__ data_ptr untyped_storage storage __dlpack__ set_ resize_ resize_as_ "
        "register_hook register_post_accumulate_grad_hook retain_grad requires_grad_ detach_ "
        "backward share_memory_ as_strided_"
    )
    | {torch.autograd.grad, torch.autograd.backward}
)

_PURE: set[Any] = set()


def _pure() -> set[Any]:
    """The functions of torch that only compute a result from their arguments."""
    if not _PURE:
        homes: list[Any] = [torch, torch.functional, torch.nn.functional, torch.linalg, torch.fft]
        homes += [torch.special, Tensor]
        known = get_overridable_functions()
        for home in homes:
            _PURE.update(f for f in known.get(home, ()) if _computes(f))
        for name in ("T", "mT", "H", "mH", "real", "imag"):
            _PURE.add(getattr(Tensor, name).__get__)
        _PURE.update({Tensor.__repr__, Tensor.__format__})
    return _PURE


def _computes(func: Any) -> bool:
    name = _torch.name_of(func)
    if func in _ESCAPES or func in _QUESTIONS or _in_place(func):
        return False
    return name not in _IMPURE and not (name.startswith("__i") and name.endswith("__"))


_IMPURE = {
    "__get__", "__set__", "__delitem__", "__reduce_ex__", "__reduce__", "__setstate__",
    "__deepcopy__", "__cuda_array_interface__", "__dlpack_device__", "__array_wrap__",
    "unflatten_dense_tensors", "pin_memory", "record_stream", "data_ptr", "untyped_storage",
    "storage", "is_shared", "storage_type", "module_load", "apply_", "map_", "map2_",
    "batch_norm", "instance_norm", "native_batch_norm", "embedding_renorm_", "to_dlpack",
    "as_strided", "as_strided_copy", "as_strided_scatter", "storage_offset", "_make_subclass",
    "_make_wrapper_subclass", "set_",
    "resize_as_sparse_", "const_data_ptr", "mutable_data_ptr",
}  # fmt: skip
