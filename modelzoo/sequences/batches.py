"""Many sequences through a model, a batch at a time."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn

from modelzoo.sequences.encoding import columns


def in_batches(
    function: Callable[[Tensor], Tensor],
    codes: np.ndarray,
    *,
    batch_size: int = 128,
    device: torch.device | str | None = None,
) -> Tensor:
    """Return what `function`, often a model in eval mode, gives for many sequences, on the CPU.

    Args:
        function: From one-hot sequences (B, 4, L) to a tensor (B, ...).
        codes: (N, L), one length.
        batch_size: Sequences at once; changes time and memory, never the result.
        device: Where `function` takes its sequences; where a module's first parameter is, by
            default.
    """
    if device is None and isinstance(function, nn.Module):
        device = next((p.device for p in function.parameters()), None)
    with torch.no_grad():
        parts = torch.from_numpy(codes).split(batch_size)
        return torch.cat([function(columns(part).to(device or "cpu")).cpu() for part in parts])
