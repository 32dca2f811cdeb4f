"""How good a model is on the examples that were held out: the score that training goes by."""

from __future__ import annotations

import math
import statistics

import numpy as np
from sklearn.metrics import roc_auc_score
from torch import Tensor, nn

from modelzoo.datasets.examples import Examples
from modelzoo.sequences.batches import in_batches
from modelzoo.training.batches import both_strands
from modelzoo.training.losses import LOSSES

CLASSIFYING = ("binary", "multiclass")  # validated by ROC AUC


class Validation:
    """Scores a model on the held-out examples; higher is better, NaN is no score.

    Classes by ROC AUC and numbers by their correlation, each the mean over tasks; a profile over
    tasks (loss `"pearson"`) by its correlation over them.

    Args:
        data: Whose held-out examples.
        loss: What the labels are, a key of `modelzoo.training.losses.LOSSES`.
        strands: 1, or 2 to judge every sequence on both of its strands.

    Raises:
        ValueError: No task has different labels to judge by.
    """

    def __init__(self, data: Examples, loss: str = "binary", *, strands: int = 1) -> None:
        self.tasks, self.loss = data.tasks, loss
        codes, labels = data.held_out
        self.codes, self.labels = (codes, labels) if strands == 1 else both_strands(codes, labels)
        if loss != "pearson" and not any(len(set(known)) > 1 for known in self._known()):
            raise ValueError("data: expected different labels to validate by, got equal ones")

    def __call__(self, model: nn.Module) -> float:
        """Return the score."""
        outputs = in_batches(model, self.codes)
        if self.loss == "pearson":
            return 1 - float(LOSSES["pearson"](outputs, self.labels))
        return statistics.fmean(self._by_task(outputs).values())

    def by_task(self, model: nn.Module) -> dict[str, float]:
        """Return the score of every task that has one; none for a profile."""
        return {} if self.loss == "pearson" else self._by_task(in_batches(model, self.codes))

    def _known(self) -> list[np.ndarray]:
        return [column[~np.isnan(column)] for column in self.labels.T.numpy()]

    def _by_task(self, outputs: Tensor) -> dict[str, float]:
        scores = {}
        for task, y, t in zip(self.tasks, outputs.T.double().numpy(), self.labels.T.numpy()):
            y, t = y[~np.isnan(t)], t[~np.isnan(t)]
            if len(set(t)) < 2:
                continue  # one class, or a constant, tells nothing
            if self.loss in CLASSIFYING:
                scores[task] = auc(t >= 0.5, y)
            else:
                scores[task] = float(np.corrcoef(y, t)[0, 1]) if np.ptp(y) else 0.0
        return scores


def auc(labels: np.ndarray, scores: np.ndarray) -> float:
    """Return the ROC AUC of scores (N,) for labels (N,); NaN where a score is no number."""
    return float(roc_auc_score(labels, scores)) if np.isfinite(scores).all() else math.nan
