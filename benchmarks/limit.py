"""How many gradients a call must cost at least, by counting multiplications.

Every column of a feature map that differs from all others, in any of the shifted windows, is
computed once. Columns that see the same columns below them, and padding at the same places, are the
same. A backward pass multiplies as often as a forward pass, so the ratio is that of forward passes.
"""

import numpy as np
import torch
from torch import Tensor, nn

Ids = np.ndarray  # (shifts, positions): equal numbers are equal columns; -1 is padding


def limit(model: nn.Module, x: Tensor, shifts: list[int]) -> float | None:
    """The multiplications of a call, relative to one gradient.

    None for a model of anything but convolutions, pooling and dense layers one after the other,
    with sums beside them. Dense layers run once per shift.
    """
    if any(isinstance(m, nn.RNNBase | nn.MultiheadAttention) for m in model.modules()):
        return None
    ids = np.stack([np.roll(np.arange(x.size(-1)), n) for n in shifts])
    shared = plain = 0

    def see(module: nn.Module, inputs: tuple[Tensor], output: Tensor) -> None:
        nonlocal ids, shared, plain
        if isinstance(module, nn.Conv1d | nn.MaxPool1d | nn.AvgPool1d):
            ids = slid(ids, *_geometry(module))
        if isinstance(module, nn.Conv1d):
            each = module.weight.numel()
            shared, plain = shared + each * len(np.unique(ids)), plain + each * output.size(-1)
        elif isinstance(module, nn.Linear):
            each = module.weight.numel()
            shared, plain = shared + each * len(shifts), plain + each

    handles = [module.register_forward_hook(see) for module in model.modules()]
    try:
        with torch.no_grad():
            model(x[:1])
    finally:
        for handle in handles:
            handle.remove()
    return shared / plain


def slid(ids: Ids, kernel: int, stride: int, padding: int, dilation: int) -> Ids:
    """The columns behind a layer that sees `kernel` columns at once."""
    padded = np.pad(ids, ((0, 0), (padding, padding)), constant_values=-1)
    seen = np.lib.stride_tricks.sliding_window_view(padded, dilation * (kernel - 1) + 1, axis=1)
    seen = seen[:, ::stride, ::dilation]
    _, found = np.unique(seen.reshape(-1, kernel), axis=0, return_inverse=True)
    return found.reshape(seen.shape[:2])


def _geometry(module: nn.Module) -> list[int]:
    """The kernel, stride, padding and dilation of a layer."""
    values = [getattr(module, name, 1) for name in ("kernel_size", "stride", "padding", "dilation")]
    return [value if isinstance(value, int) else value[0] for value in values]
