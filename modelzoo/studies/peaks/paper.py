"""Which models are the mixture paper's, and what it published about them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from modelzoo.datasets.chipseq import FACTORS
from modelzoo.studies.published import published
from modelzoo.zoo.catalog import ModelInfo

MIXTURE = "MoE"  # the mixture's name in the paper's tables


def is_mixture(model: Any) -> bool:
    """Return whether a model weighs experts by a gate."""
    return hasattr(model, "gate") and hasattr(model, "experts")


def published_name(model: Any) -> str | None:
    """Return what the mixture paper's tables call a model, None if it is not one of them."""
    if is_mixture(model):
        kinds = [getattr(expert, "architecture", None) for expert in model.experts.children()]
        return _mixture(model.experts.keys(), kinds)
    return _expert(getattr(model, "architecture", None), getattr(model, "tasks", ()))


def is_published(info: ModelInfo) -> bool:
    """Return whether a model of the catalog has a `published_name`, without loading it."""
    if info.architecture == "moe":
        experts = info.config["experts"]
        kinds = [expert.get("architecture", "deepbind") for expert in experts.values()]
        return _mixture(experts, kinds) is not None
    return _expert(info.architecture, info.tasks) is not None


def published_auc(table: str, factor: str, model: str | None) -> float | None:
    """Return a published mean AUC, None where there is none.

    Args:
        table: `"moe_auc_published"` or `"moe_auc_rigorous"`.
        factor: The data set.
        model: A name as of `published_name`.
    """
    for row in published(table):
        if row["dataset_tf"] == factor and f"mean_{model}" in row:
            return float(row[f"mean_{model}"])
    return None


def _mixture(factors: Iterable[str], architectures: Iterable[str | None]) -> str | None:
    """The mixture of DeepBind experts of the paper's factors."""
    return MIXTURE if set(factors) <= {*FACTORS} and set(architectures) == {"deepbind"} else None


def _expert(architecture: str | None, tasks: tuple[str, ...]) -> str | None:
    """The factor of a DeepBind expert of one of the paper's factors."""
    is_expert = architecture == "deepbind" and len(tasks) == 1 and tasks[0] in FACTORS
    return tasks[0] if is_expert else None
