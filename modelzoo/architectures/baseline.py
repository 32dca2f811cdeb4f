"""Baseline: the convolutional networks that the ExplaiNN paper compares with, in its layer sizes.

All are multi-task, read windows of one length (`layers.windowed` says what becomes of others) and
give logits.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from modelzoo.architectures.layers import as_input, windowed
from modelzoo.architectures.pretrained import Pretrained, checked_tasks


class Baseline(Pretrained):
    """A trunk up to the first pooling, then the rest; the base class of the baselines.

    Args:
        trunk: The shift-equivariant part, (B, 4, L) -> (B, channels, positions).
        rest: From its maps to (B, features).
        length: Positions L of the windows it is made for.
        tasks: Names of the outputs.
        config: The other arguments of the class.
    """

    def __init__(
        self,
        trunk: nn.Module,
        rest: nn.Module,
        length: int,
        tasks: Sequence[str],
        **config: Any,
    ) -> None:
        super().__init__()
        self.tasks = checked_tasks(tasks)
        self.length = length
        self.config: dict[str, Any] = {"length": length, "tasks": list(tasks), **config}
        self.trunk, self.rest = trunk, rest
        self.eval()  # so that no running statistics move
        try:
            with torch.no_grad():  # the lazy layers find their sizes here
                features = rest(trunk(torch.zeros(1, 4, length))).shape[1]
        except RuntimeError as error:
            raise ValueError(
                f"length: {length} positions are too few for {self.architecture}: {error}"
            ) from error
        self.train()
        self.output = nn.Linear(features, len(self.tasks))

    def forward(self, x: Tensor) -> Tensor:
        """Return the logits, (B, 4, L) of any dtype -> (B, tasks)."""
        return self.output(self.rest(self.activations(x)))

    def activations(self, x: Tensor) -> Tensor:
        """Return the first filters' activations before pooling, (B, 4, L) -> (B, filters, ...)."""
        return self.trunk(windowed(as_input(x, self.output.weight), self.length))
