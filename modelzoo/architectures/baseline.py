"""Baseline: the convolutional networks that the ExplaiNN paper compares with, in its layer sizes.

All are multi-task, read windows of one length (`layers.windowed` says what becomes of others) and
give logits.
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from modelzoo.architectures.layers import as_input, windowed
from modelzoo.architectures.pretrained import Pretrained


class Baseline(Pretrained):
    """A trunk up to the first pooling, then the rest; the base class of the baselines.

    Args:
        trunk: The shift-equivariant part, (B, 4, L) -> (B, channels, positions).
        rest: From its maps to (B, features).
        features: Size of the output of `rest`.
        length: Positions L of the windows it is made for.
        tasks: Names of the outputs.
    """

    def __init__(
        self,
        trunk: nn.Module,
        rest: nn.Module,
        features: int,
        length: int,
        tasks: Sequence[str],
    ) -> None:
        super().__init__()
        self.tasks = tuple(tasks)
        self.length = length
        self.trunk, self.rest = trunk, rest
        self.output = nn.Linear(features, len(self.tasks))

    def forward(self, x: Tensor) -> Tensor:
        """Return the logits, (B, 4, L) of any dtype -> (B, tasks)."""
        return self.output(self.rest(self.activations(x)))

    def activations(self, x: Tensor) -> Tensor:
        """Return the first filters' activations before pooling, (B, 4, L) -> (B, filters, ...)."""
        return self.trunk(windowed(as_input(x, self.output.weight), self.length))
