"""The units of an ExplaiNN: their weights for each task, and their importance for each sequence.

Unit i adds w_ti u_i(x) to the logit of task t: this is its importance. All importances and the bias
sum to the logit. A weight alone misleads where a unit is never active, so importances are taken
over the sequences that activate the unit's filter to half of its maximum (Novakovsky et al. 2023,
"Interpretability with ExplaiNN").
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from modelzoo.architectures.explainn import ExplaiNN, ModelUnits
from modelzoo.sequences import in_batches

if TYPE_CHECKING:
    from matplotlib.figure import Figure

HALF = 0.5  # of a filter's maximum


@dataclass(frozen=True, eq=False)
class Importances:
    """The importance of every unit of a model for every task and sequence.

    Attributes:
        tasks: Names of the tasks.
        units: Names of the units.
        values: The contribution of each unit to each logit, (n, tasks, U).
        active: Whether a sequence activates the unit's filter to half of its maximum, (n, U).
            Units that are models have no filter: every sequence activates them.
    """

    tasks: tuple[str, ...]
    units: tuple[str, ...]
    values: np.ndarray
    active: np.ndarray

    def of(self, unit: int, task: int) -> np.ndarray:
        """Return a unit's importances for a task over the sequences that activate it."""
        return self.values[self.active[:, unit], task, unit]

    @property
    def medians(self) -> np.ndarray:
        """The median of `of` for every unit and task, (U, tasks); 0 where no sequence is active."""
        units, tasks = range(len(self.units)), range(len(self.tasks))
        return np.array([[_median(self.of(u, t)) for t in tasks] for u in units])

    def ranked(self, task: int) -> np.ndarray:
        """Return the units by their median importance for a task, the highest first, (U,)."""
        return np.argsort(-self.medians[:, task], kind="stable")


def importances(model: ExplaiNN | ModelUnits, codes: np.ndarray) -> Importances:
    """Return the importance of every unit over sequences.

    Args:
        model: In eval mode.
        codes: (n, L), best those of `modelzoo.motifs.correctly_predicted`: the maximum of a filter
            is taken over them.
    """
    if not len(codes):
        raise ValueError("codes: expected at least one sequence, got none")
    weight = model.final.weight.detach()
    outputs = in_batches(model.units, codes, device=weight.device)
    highest = torch.ones_like(outputs)
    if isinstance(model, ExplaiNN):
        activations = model.activations
        highest = in_batches(lambda x: activations(x).amax(dim=-1), codes, device=weight.device)
    return Importances(
        tasks=model.tasks,
        units=_unit_names(model),
        values=(outputs[:, None] * weight.cpu()).numpy(),
        active=(highest >= HALF * highest.amax(dim=0)).numpy(),
    )


def weights_map(model: ExplaiNN | ModelUnits, labels: Sequence[str] | None = None) -> Figure:
    """Return the final weights as a heat map, units by tasks, units of similar weights together.

    Args:
        model: The model.
        labels: A label for each unit, such as the motif it matches; its name by default.
    """
    from matplotlib.figure import Figure
    from scipy.cluster.hierarchy import dendrogram

    labels = _labels(labels, _unit_names(model))
    weights: Tensor = model.final.weight.detach().cpu()
    order, tree = clustered(weights.T.numpy())
    figure = Figure(figsize=(2.6 + 0.5 * len(weights), 1.2 + 0.13 * len(order)))
    left, right = figure.subplots(1, 2, width_ratios=(1, 1 + 0.5 * len(weights)))
    if tree is not None:
        dendrogram(
            tree,
            orientation="left",
            ax=left,
            no_labels=True,
            color_threshold=0,
            above_threshold_color="#7F7F7F",
        )
        left.invert_yaxis()
    left.set_axis_off()
    limit = float(weights.abs().max()) or 1.0
    shown = right.imshow(
        weights.T[order].numpy(), cmap="RdBu_r", vmin=-limit, vmax=limit, aspect="auto"
    )
    right.set_xticks(range(len(model.tasks)), model.tasks, rotation=90)
    right.set_yticks(range(len(order)), [labels[i] for i in order], fontsize=6)
    right.yaxis.tick_right()
    figure.colorbar(shown, ax=[left, right], location="bottom", label="final weight", shrink=0.6)
    return figure


def importance_boxes(
    found: Importances,
    task: int,
    *,
    top: int = 20,
    labels: Sequence[str] | None = None,
) -> Figure:
    """Return box plots of the units that are most important for a task, the highest first.

    Args:
        found: The result of `importances`.
        task: The column of the task.
        top: How many units.
        labels: A label for each unit; its name by default.
    """
    from matplotlib.figure import Figure

    labels = _labels(labels, found.units)
    order = found.ranked(task)[:top]
    figure = Figure(figsize=(1.5 + 0.3 * len(order), 3.4), layout="constrained")
    axes = figure.subplots()
    axes.boxplot([found.of(unit, task) for unit in order], showfliers=False, widths=0.6)
    axes.axhline(0, color="#999999", lw=0.8, ls=":")
    axes.set_xticks(range(1, len(order) + 1), [labels[i] for i in order], rotation=90)
    axes.set(ylabel=f"unit importance for {found.tasks[task]}")
    return figure


def clustered(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
    """Return an order in which similar rows are neighbours, and the tree it is read from.

    Args:
        rows: (n, features). A single row has no tree.
    """
    from scipy.cluster.hierarchy import leaves_list, linkage

    if len(rows) < 2:
        return np.arange(len(rows)), None
    tree = linkage(rows, method="average", optimal_ordering=True)
    return leaves_list(tree), tree


def _unit_names(model: ExplaiNN | ModelUnits) -> tuple[str, ...]:
    if isinstance(model, ModelUnits):
        return model.unit_names
    return tuple(f"unit-{i}" for i in range(len(model.filters)))


def _labels(labels: Sequence[str] | None, units: Sequence[str]) -> Sequence[str]:
    if labels is not None and len(labels) != len(units):
        raise ValueError(f"labels: expected {len(units)}, one per unit, got {len(labels)}")
    return units if labels is None else labels


def _median(values: np.ndarray) -> float:
    return float(np.median(values)) if len(values) else 0.0
