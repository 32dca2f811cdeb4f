"""Does adding experts help? Mixtures over more and more of the experts, on factors none has seen.

The experts embed every peak, and a few shuffles of it, once. A mixture over some of the experts
sees their columns and their factors' peaks, so that only its gate costs anything.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import nn

from modelzoo.architectures.expert import Expert
from modelzoo.architectures.moe import MixtureOfExperts
from modelzoo.datasets.peaks import Peaks
from modelzoo.reports.tables import Row
from modelzoo.studies import statistics
from modelzoo.studies.peaks.scores import logits
from modelzoo.studies.peaks.sets import LabelledSet
from modelzoo.studies.shipped import MOE12_PARAMS
from modelzoo.training.fit import seeded
from modelzoo.training.mixture import EmbeddedPeaks, GateParams, embed, fit_gate, fit_new_expert


@dataclass(frozen=True)
class Plan:
    """How much is trained.

    Attributes:
        counts: Numbers of experts in a mixture.
        subsets: Random choices of so many experts.
        params: Of the gates' training; shuffles must be kept.
    """

    counts: tuple[int, ...] = (1, 2, 3, 4, 6, 9, 12)
    subsets: int = 3
    params: GateParams = MOE12_PARAMS


QUICK = Plan((1, 2), 1, GateParams(per_factor=60, shuffles=1, epochs=2))


class Grown:
    """Mixtures over any of the experts, trained on the same embeddings, judged on the same sets.

    Args:
        experts: By factor.
        peaks: The peaks of each of these factors, in their order.
        unseen: The sets that no mixture is trained on, with their `shared` peaks found.
        plan: How much is trained.
        seed: Decides choices, weights, order and shuffles.
    """

    def __init__(
        self,
        experts: Mapping[str, Expert],
        peaks: Sequence[Peaks],
        unseen: Sequence[LabelledSet],
        plan: Plan,
        seed: int = 0,
    ) -> None:
        self.experts, self.unseen, self.plan, self.seed = dict(experts), unseen, plan, seed
        whole = MixtureOfExperts.from_experts(experts).eval()
        params = plan.params
        if params.per_factor is not None:
            peaks = [part.fewer(params.per_factor, seed) for part in peaks]
        self.seen = EmbeddedPeaks(whole, peaks, seed, params.dtype, params.shuffles)
        self.embedded = [embed(whole, data.codes) for data in unseen]
        self.width = whole.mixture.classifier.in_features

    def train(self, chosen: Sequence[int]) -> MixtureOfExperts:
        """Return a mixture over some of the experts, its gate trained from nothing."""
        model = self._untrained(chosen)
        fit_gate(model, self.seen.only(chosen), self.plan.params, seed=self.seed, progress=False)
        return model

    def judge(self, model: MixtureOfExperts, chosen: Sequence[int]) -> list[np.ndarray]:
        """Return the logits of a mixture over some of the experts on every unseen set."""
        columns = torch.cat([torch.arange(self.width) + self.width * i for i in chosen])
        with torch.no_grad():
            return [
                model.mixture(part[:, columns])[:, 0].double().numpy() for part in self.embedded
            ]

    def curve(self) -> tuple[list[Row], list[list[np.ndarray]]]:
        """Return a row for each choice of experts, and its logits on every unseen set."""
        rng = np.random.default_rng(self.seed)
        rows, answers = [], []
        for count in self.plan.counts:
            # there is one choice of all
            for _ in range(self.plan.subsets if count < len(self.experts) else 1):
                chosen = sorted(rng.choice(len(self.experts), count, replace=False).tolist())
                model = self.train(chosen)
                names = list(model.experts)
                validation = self.seen.only(chosen).validate(model.mixture)
                rows.append({"experts": count, "names": " ".join(names), "validation": validation})
                answers.append(self.judge(model, chosen))
        return rows, answers

    def additions(self, first: Sequence[int]) -> tuple[list[Row], list[list[np.ndarray]]]:
        """Add each other expert to a trained mixture: only its own part trained, or all of it.

        Args:
            first: The experts of the first mixture.
        """
        small = self.train(first)
        rows, answers = [], []
        for number in range(len(self.experts)):
            if number in first:
                continue
            chosen, name = [*first, number], list(self.experts)[number]
            data = self.seen.only(chosen)
            started = time.process_time()
            larger = small.with_expert(name, self.experts[name])
            fit_new_expert(small, larger, data, self.plan.params, seed=self.seed)
            middle = time.process_time()
            anew = self.train(chosen)
            ended = time.process_time()
            for how, model, seconds in (
                ("new part alone", larger, middle - started),
                ("from nothing", anew, ended - middle),
            ):
                validation = data.validate(model.mixture)
                row = {"added": name, "trained": how, "validation": validation, "seconds": seconds}
                rows.append(row)
                answers.append(self.judge(model, chosen))
        return rows, answers

    def _untrained(self, chosen: Sequence[int]) -> MixtureOfExperts:
        names = list(self.experts)
        with seeded(self.seed):
            return MixtureOfExperts.from_experts({names[i]: self.experts[names[i]] for i in chosen})


def unseen_scores(
    answers: Sequence[Sequence[np.ndarray]],
    sets: Sequence[LabelledSet],
    *,
    resamples: int = 1000,
    seed: int = 0,
) -> tuple[list[Row], np.ndarray]:
    """Return the mean AUC over sets of every model, on all peaks and on disjoint ones.

    Args:
        answers: Of every model, its scores on each set.
        sets: The sets, with their `shared` peaks found.
        resamples: Bootstrap resamples, each of a peak with its shuffle, the same for all models.
        seed: The same seed gives the same numbers.

    Returns:
        A row for each model, and the resampled disjoint means, shape (resamples, models).
    """
    whole, disjoint, drawn = [], [], []
    for number, data in enumerate(sets):
        scores, kept = np.stack([model[number] for model in answers]), data.disjoint
        whole.append(statistics.auc(data.labels, scores))
        disjoint.append(statistics.auc(data.labels[kept], scores[:, kept]))
        samples = statistics.bootstrap(
            data.labels[kept],
            scores[:, kept],
            resamples=resamples,
            seed=seed + number,
            groups=data.groups[kept],
        )
        drawn.append(samples["roc_auc"])
    means = np.mean(drawn, axis=0)
    low, high = statistics.interval(means)
    rows = [
        {
            "roc_auc": float(every),
            "roc_auc_disjoint": float(left),
            "disjoint_low": float(low[i]),
            "disjoint_high": float(high[i]),
            **{f"disjoint {data.name}": float(disjoint[n][i]) for n, data in enumerate(sets)},
        }
        for i, (every, left) in enumerate(zip(np.mean(whole, axis=0), np.mean(disjoint, axis=0)))
    ]
    return rows, means


def answers_of(models: Mapping[str, nn.Module], sets: Sequence[LabelledSet]) -> list[Any]:
    """Return the scores of whole models of one task on every set."""
    return [[logits(model, data.codes)[:, 0] for data in sets] for model in models.values()]
