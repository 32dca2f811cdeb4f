"""The model card: what a person who finds a model on the Hub reads, and what the Hub indexes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from huggingface_hub import EvalResult, ModelCard, ModelCardData

from modelzoo.catalog import ModelInfo

PAPER = "https://arxiv.org/abs/2507.09754"
LIBRARY = "shiftsmooth"
DATASET = "lab-rasool/TFBS"  # ENCODE's peaks as the paper's authors keep them
METRICS = {"roc_auc": "ROC AUC", "average_precision": "Average precision", "accuracy": "Accuracy"}

_BODY = """\
# {name}

A {architecture} model of transcription-factor binding in DNA. Input: one-hot sequence, (B, 4, L),
rows A, C, G, T. Output: one logit a task, here {tasks}. It belongs to the zoo of
[ShiftSmooth]({paper}).

## Use

```python
import modelzoo

model = modelzoo.load("{repo_id}")
logits = model(modelzoo.one_hot(["ACAGATAAGAATCAGATAAG"]))
```

`pip install "shiftsmooth[zoo]"` brings `modelzoo`.

## Training

{training}

## Scores

Measured once, on test sets that no choice was made by: as many peaks as negatives, and each
negative a shuffle of its peak with the same dinucleotide counts.

{scores}

## Limits

Trained on 101 bp ChIP-seq peaks of one cell line a factor against dinucleotide shuffles. A logit
says how peak-like a sequence is, not how strongly the factor binds; other negatives, cell lines or
windows move the scores. Not for clinical use.
"""


def model_card(info: ModelInfo) -> ModelCard:
    """Returns the card of a catalog model, with the metadata that the Hub understands.

    Args:
        info: The catalog's entry. Its recipe says how the model was trained.
    """
    results = [
        EvalResult(
            task_type="other",
            task_name="transcription-factor binding",
            dataset_type=DATASET,
            dataset_name=f"{dataset}, ChIP-seq peaks against dinucleotide shuffles",
            metric_type=metric,
            metric_name=METRICS.get(metric, metric),
            metric_value=round(value, 4),
        )
        for dataset, metrics in info.scores.items()
        for metric, value in metrics.items()
    ]
    data = ModelCardData(
        license="bsd-3-clause",
        library_name=LIBRARY,
        tags=["biology", "genomics", "dna", "transcription-factors", info.architecture],
        datasets=[DATASET],
        metrics=sorted({result.metric_type for result in results}),
        model_name=info.name,
        eval_results=results,
    )
    body = _BODY.format(
        name=info.name,
        architecture=info.architecture,
        tasks=", ".join(info.tasks),
        paper=PAPER,
        repo_id=info.repo_id,
        training=_training(info.recipe),
        scores=_scores(info),
    )
    return ModelCard(f"---\n{data.to_yaml()}\n---\n\n{body}")


def _training(recipe: Mapping[str, Any]) -> str:
    """Returns the recipe as a list, without what the catalog says already."""
    told = {"architecture", "config", "tasks", "scores"}
    return "\n".join(f"- {key}: {_inline(recipe[key])}" for key in recipe if key not in told)


def _inline(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {_inline(item)}" for key, item in value.items())
    if isinstance(value, list):
        return ", ".join(map(_inline, value))
    return f"`{value}`"


def _scores(info: ModelInfo) -> str:
    """Returns a table, a row a data set."""
    metrics = sorted({metric for scores in info.scores.values() for metric in scores})
    header = ["Data set", *(METRICS.get(metric, metric) for metric in metrics)]
    rows = [
        [dataset, *(f"{scores[metric]:.3f}" if metric in scores else "" for metric in metrics)]
        for dataset, scores in info.scores.items()
    ]
    return "\n".join(f"| {' | '.join(row)} |" for row in [header, ["---"] * len(header), *rows])
