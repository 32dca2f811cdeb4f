"""ExplaiNN: a linear model over small convolutional networks with one filter each, its units.

A unit is a filter, batch norm, exp and max pooling; a fully connected layer, batch norm, ReLU and
dropout; one more to a single number u_i, batch norm and ReLU (Novakovsky et al. 2023). Then

    logit_t = sum_i w_ti u_i + b_t

so unit i, whose filter is a motif, adds w_ti u_i to the logit of task t. The units share nothing,
but are computed together.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Annotated, Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from modelzoo.architectures.arguments import (
    Count,
    Name,
    Names,
    Positions,
    Probability,
    Width,
    length,
    whole,
)
from modelzoo.architectures.layers import Exp, as_input, pooled, windowed
from modelzoo.architectures.pretrained import (
    ARCHITECTURES,
    Pretrained,
    register,
)

POOL = 7  # positions, and the step


class UnitHeads(nn.Module):
    """Two fully connected layers for each unit, which give one number per unit.

    This is a grouped convolution with one group per unit, written as a batched matrix product: the
    same sums in a tenth of the time on a CPU.

    Args:
        units: Number U of units.
        inputs: Size P of the input of a unit's first layer.
        hidden: Nodes of its first layer.
        dropout: Probability that training drops a node.
    """

    def __init__(self, units: int, inputs: int, hidden: int, dropout: float) -> None:
        super().__init__()
        # no biases: batch norm follows, and has its own
        self.hidden = nn.Parameter(_uniform(units, inputs, hidden, fan_in=inputs))
        self.hidden_norm = nn.BatchNorm1d(units * hidden)
        self.dropout = nn.Dropout(dropout)
        self.output = nn.Parameter(_uniform(units, hidden, fan_in=hidden))
        self.output_norm = nn.BatchNorm1d(units)

    def forward(self, x: Tensor) -> Tensor:
        """Return the units' outputs, (B, U, P) -> (B, U); none is negative."""
        hidden = torch.bmm(x.transpose(0, 1), self.hidden).transpose(0, 1)  # (B, U, hidden)
        hidden = self.hidden_norm(hidden.flatten(1)).view_as(hidden).relu()
        output = (self.dropout(hidden) * self.output).sum(-1)
        return self.output_norm(output).relu()


@register
class ExplaiNN(Pretrained):
    """The model of the ExplaiNN paper (section "Model architectures").

    With fully connected layers a unit knows where its motif is, so the model reads windows of one
    length; `layers.windowed` crops or pads others. Without such layers it reads any length.

    Args:
        units: Number U of units.
        width: Width of every filter, in positions.
        hidden: Nodes of a unit's first fully connected layer; 0 for units without fully connected
            layers, whose output is the filter's highest activation.
        dropout: Probability that training drops a node of it.
        length: Positions L of the windows it is made for; not used where `hidden` is 0.
        tasks: Names of the outputs.
    """

    architecture = "explainn"

    def __init__(
        self,
        units: Count = 100,
        width: Width = 19,
        hidden: Annotated[int, whole(0, 65_536)] = 100,
        dropout: Probability = 0.3,
        length: Positions = 101,
        tasks: Names = ("binding",),
    ) -> None:
        super().__init__()
        self.tasks = tuple(tasks)
        self.width, self.length = width, length
        #: The shift-equivariant part, (B, 4, L) -> (B, U, L - width + 1).
        self.trunk = nn.Sequential(
            nn.Conv1d(4, units, width, bias=False),  # batch norm follows, and has its own
            nn.BatchNorm1d(units),
            Exp(),
        )
        self.heads = None
        if hidden:
            self.heads = UnitHeads(units, pooled(length, (width, POOL)), hidden, dropout)
        #: The weight of every unit for every task, (tasks, U), and the tasks' biases.
        self.final = nn.Linear(units, len(self.tasks))

    @property
    def filters(self) -> nn.Parameter:
        """The filters, (U, 4, width)."""
        return self.trunk[0].weight  # type: ignore[return-value]

    def forward(self, x: Tensor) -> Tensor:
        """Return the logits, (B, 4, L) of any dtype -> (B, tasks)."""
        return self.final(self.units(x))

    def units(self, x: Tensor) -> Tensor:
        """Return the units' outputs, (B, 4, L) -> (B, U)."""
        maps = self.activations(x)
        if self.heads is None:
            return maps.max(dim=-1).values
        return self.heads(F.max_pool1d(maps, POOL))

    def activations(self, x: Tensor) -> Tensor:
        """Return the filters' activations before pooling, (B, 4, L) -> (B, U, positions).

        The activation at position i is of the bases i to i + width - 1 of the window.
        """
        return self.trunk(self.window(x))

    def window(self, x: Tensor) -> Tensor:
        """Return the part of `x` that the filters read, (B, 4, L) -> (B, 4, length)."""
        x = as_input(x, self.final.weight)
        if self.heads is None:
            return windowed(x, max(x.shape[-1], self.width))
        return windowed(x, self.length)

    @torch.no_grad()
    def set_filters(self, filters: Tensor, *, frozen: bool = False) -> ExplaiNN:
        """Start from given filters, such as those of `modelzoo.training.initial_filters`.

        Args:
            filters: (U, 4, width).
            frozen: Whether training leaves them as they are.
        """
        if filters.shape != self.filters.shape:
            raise ValueError(
                f"filters: expected the shape {tuple(self.filters.shape)}, "
                f"got {tuple(filters.shape)}"
            )
        self.filters.copy_(filters)
        self.filters.requires_grad_(not frozen)
        return self


@register
class ModelUnits(Pretrained):
    """ExplaiNN with trained models in the place of its units (section "Plug-and-play").

    Every output of every model is a unit. The models are frozen; only the layers after them are
    trained. Thus the experts of a mixture become units, each with one weight per task.

    Args:
        models: The models by name: as modules, or as the configurations of models of the zoo,
            each with its `architecture`, which is how a saved one is built again.
        outputs: The number of outputs of every model that is a plain `nn.Module`; a model of
            the zoo has one per task.
        hidden: Nodes of a unit's first fully connected layer (the paper: 200); 0 for none, then
            the models' outputs are the units.
        dropout: Probability that training drops a node of it.
        tasks: Names of the outputs.
    """

    architecture = "explainn-models"

    def __init__(
        self,
        models: Annotated[Mapping[Name, Any], length(1, 64)],
        outputs: Mapping[str, Count] | None = None,
        hidden: Annotated[int, whole(0, 65_536)] = 0,
        dropout: Probability = 0.3,
        tasks: Names = ("binding",),
    ) -> None:
        super().__init__()
        self.tasks = tuple(tasks)
        built = {name: _module(model) for name, model in models.items()}
        #: The frozen models, by name; torch allows no dots in names.
        self.models = nn.ModuleDict({name.replace(".", "_"): m for name, m in built.items()})
        if len(self.models) < len(built):
            raise ValueError(f"models: expected names that differ without dots, got {list(built)}")
        self.models.requires_grad_(False).eval()
        sizes = {name: _outputs(name, model, outputs or {}) for name, model in built.items()}
        #: The names of the units, in the order of the columns of `units`.
        self.unit_names = tuple(
            name if size == 1 else f"{name}/{_task(built[name], column)}"
            for name, size in sizes.items()
            for column in range(size)
        )
        self.config |= {
            "models": {name: _config(model) for name, model in built.items()},
            "outputs": dict(outputs or {}),
        }
        count = len(self.unit_names)
        self.heads = UnitHeads(count, 1, hidden, dropout) if hidden else None
        self.final = nn.Linear(count, len(self.tasks))

    def forward(self, x: Tensor) -> Tensor:
        """Return the logits, (B, 4, L) of any dtype -> (B, tasks)."""
        return self.final(self.units(x))

    def units(self, x: Tensor) -> Tensor:
        """Return the units' outputs, (B, 4, L) -> (B, units)."""
        x = as_input(x, self.final.weight)
        parts = [model(x) for model in self.models.values()]
        units = torch.cat([p.unsqueeze(1) if p.dim() == 1 else p for p in parts], dim=1)
        return units if self.heads is None else self.heads(units.unsqueeze(-1))

    def train(self, mode: bool = True) -> ModelUnits:
        """Set the mode of the trained layers; the models stay in eval mode, their dropout off."""
        super().train(mode)
        self.models.eval()
        return self

    def _save_pretrained(self, save_directory: Any) -> None:
        if plain := [name for name, config in self.config["models"].items() if config is None]:
            raise ValueError(
                f"models: expected models of the zoo to save, whose classes a folder can name; "
                f"{plain} are not. Save the state dict instead"
            )
        super()._save_pretrained(save_directory)


def _uniform(*shape: int, fan_in: int) -> Tensor:
    """Return weights as drawn for a linear layer of `fan_in` inputs."""
    bound = 1 / math.sqrt(fan_in)
    return torch.empty(shape).uniform_(-bound, bound)


def _module(model: nn.Module | Mapping[str, Any]) -> nn.Module:
    if isinstance(model, nn.Module):
        return model
    config = dict(model)
    return ARCHITECTURES[config.pop("architecture")](**config)


def _config(model: nn.Module) -> dict[str, Any] | None:
    if not isinstance(model, Pretrained):
        return None
    return {"architecture": model.architecture, **model.config}


def _outputs(name: str, model: nn.Module, given: Mapping[str, int]) -> int:
    if name in given and not isinstance(model, Pretrained):
        return given[name]
    if not hasattr(model, "tasks"):
        raise ValueError(f"outputs: expected the number of outputs of {name!r}, got {dict(given)}")
    return len(model.tasks)  # type: ignore[arg-type]


def _task(model: nn.Module, column: int) -> str:
    return str(getattr(model, "tasks", range(column + 1))[column])
