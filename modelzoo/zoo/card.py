"""The model card: the page of a model on the Hub, and the metadata that the Hub indexes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from huggingface_hub import EvalResult, ModelCard, ModelCardData

from modelzoo.datasets.chipseq import SHA256
from modelzoo.zoo.catalog import SPACE, ModelInfo
from modelzoo.zoo.downloads import address

PAPER = "https://arxiv.org/abs/2507.09754"
LIBRARY = "shiftsmooth"
METRICS = {"roc_auc": "ROC AUC", "average_precision": "Average precision", "accuracy": "Accuracy"}

_BODY = """\
# {name}

A {architecture} model of transcription-factor binding in DNA. Input: one-hot sequence, (B, 4, L),
rows A, C, G, T. Output: one logit per task, here {tasks}. It belongs to the zoo of
[ShiftSmooth]({paper}).

## Use

```python
import modelzoo

model = modelzoo.load("{repo_id}")
logits = model(modelzoo.one_hot(["ACAGATAAGAATCAGATAAG"]))
```

`pip install "shiftsmooth[zoo]"` brings `modelzoo`. In a browser, without Python:
[the explorer]({explorer}).

## Training

{training}

## Scores

{measured}

{scores}

## Limits

{limits} Not for clinical use.
"""


class _Data(NamedTuple):
    """The text about the sequences that a model was trained on."""

    measured: str
    limits: str


_PEAKS = _Data(
    """\
Measured once, on test sets that no choice was made by: as many ENCODE ChIP-seq peaks as negatives,
and each negative a shuffle of its peak with the same dinucleotide counts.""",
    """\
Trained on 101 bp ChIP-seq peaks of one cell line per factor against {negatives}. A logit
says how peak-like a sequence is, not how strongly the factor binds; other negatives, cell lines or
windows move the scores.{notes}""",
)
_NEGATIVES = {
    "shuffles": "dinucleotide shuffles",
    "others": "peaks of other factors",
    "both": "dinucleotide shuffles and peaks of other factors, half and half",
}
_NOTES = {  # where the own motif is not what is enriched
    "ARID3A": "ARID3A's peaks in HepG2 lie at sites of FOXA, and it is these that are found.",
    "FOXM1": "FOXM1's peaks in GM12878 lie at sites of BATF, and it is these that are found.",
}
_SIMULATED = _Data(
    "Measured once, on simulated sequences that were not trained on.",
    "Trained on simulated sequences. What a logit says of a genome's sequences is not known.",
)


def model_card(info: ModelInfo, repo_id: str | None = None) -> ModelCard:
    """Return the card of a catalog model, with the metadata that the Hub understands.

    Args:
        info: The catalog's entry. Its recipe says how the model was trained.
        repo_id: The repository that the card is for, which readers are told to load; by default
            the catalog's.
    """
    recipe = info.recipe
    # only the files of peaks have this suffix
    peaks = [file for file in recipe.get("data", ()) if ".seq" in file]
    data = _PEAKS if peaks else _SIMULATED
    repository = _repository(peaks[0]) if peaks else None
    negatives = _NEGATIVES[recipe.get("params", {}).get("negatives", "shuffles")]
    notes = "".join(f" {_NOTES[name]}" for name in info.sets if name in _NOTES)
    results = [
        EvalResult(
            task_type="other",
            task_name="transcription-factor binding",
            dataset_type=repository or "simulated",
            dataset_name=dataset,
            dataset_config=dataset,  # tells results apart in the Hub's index; the name does not
            dataset_split="test",
            metric_type=metric,
            metric_name=METRICS.get(metric, metric),
            metric_value=round(value, 4),
        )
        for dataset, metrics in info.scores.items()
        for metric, value in metrics.items()
    ]
    metadata = ModelCardData(
        license="bsd-3-clause",
        library_name=LIBRARY,
        tags=["biology", "genomics", "dna", "transcription-factors", info.architecture],
        datasets=[repository] if repository else None,
        metrics=sorted({result.metric_type for result in results}),
        model_name=info.name,
        eval_results=results or None,
    )
    body = _BODY.format(
        name=info.name,
        architecture=info.architecture,
        tasks=", ".join(info.tasks),
        paper=PAPER,
        repo_id=repo_id or info.repo_id,
        explorer=address(f"spaces/{SPACE}"),
        training=_training(recipe),
        measured=data.measured,
        scores=_scores(info),
        limits=data.limits.format(negatives=negatives, notes=notes),
    )
    return ModelCard(f"---\n{metadata.to_yaml()}\n---\n\n{body}")


def _repository(file: str) -> str:
    """Return the repository that a file of peaks is from, as the Hub's metadata name a data set."""
    theirs = any(name.startswith("deepbind/") and name.endswith(file) for name in SHA256)
    return "jisraeli/DeepBind" if theirs else "lab-rasool/TFBS"


def _training(recipe: Mapping[str, Any]) -> str:
    """Return the recipe as a list, without what the card says elsewhere."""
    told = {"architecture", "config", "tasks", "scores"}
    return "\n".join(f"- {key}: {_inline(recipe[key])}" for key in recipe if key not in told)


def _inline(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {_inline(item)}" for key, item in value.items())
    if isinstance(value, list):
        return ", ".join(map(_inline, value))
    return f"`{value}`"


def _scores(info: ModelInfo) -> str:
    """Return a table with one row per data set."""
    metrics = sorted({metric for scores in info.scores.values() for metric in scores})
    header = ["Data set", *(METRICS.get(metric, metric) for metric in metrics)]
    rows = [
        [dataset, *(f"{scores[metric]:.3f}" if metric in scores else "" for metric in metrics)]
        for dataset, scores in info.scores.items()
    ]
    return "\n".join(f"| {' | '.join(row)} |" for row in [header, ["---"] * len(header), *rows])
