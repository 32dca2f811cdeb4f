"""Does adding experts help? Mixtures over more and more of the experts, on factors none has seen.

The experts embed every peak, and a few shuffles of it, once. A mixture over some of the experts
sees their columns and their factors' peaks, so that only its gate costs anything.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler
from torch import nn

from modelzoo.architectures.expert import Expert
from modelzoo.architectures.moe import MixtureOfExperts
from modelzoo.datasets.peaks import Peaks
from modelzoo.files import sha256, write_atomically
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
        penalties: Strengths of L2, as of scikit-learn's C, of a linear readout.
    """

    counts: tuple[int, ...] = (1, 2, 3, 4, 6, 9, 12)
    subsets: int = 3
    params: GateParams = MOE12_PARAMS
    penalties: tuple[float, ...] = (1e-4, 1e-3, 1e-2)


QUICK_PLAN = Plan((1, 2), 1, GateParams(per_factor=60, shuffles=1, epochs=2))


class Grown:
    """Mixtures over any of the experts, trained on the same embeddings, judged on the same sets.

    Args:
        experts: By factor.
        peaks: The peaks of each of these factors, in their order.
        unseen: The sets that no mixture is trained on, with their `shared` peaks found.
        plan: How much is trained.
        parts: A folder that keeps a file for each trained mixture, so that a run that was stopped
            resumes; created if missing.
        seed: Decides choices, weights, order and shuffles.
    """

    def __init__(
        self,
        experts: Mapping[str, Expert],
        peaks: Sequence[Peaks],
        unseen: Sequence[LabelledSet],
        plan: Plan,
        parts: Path,
        seed: int = 0,
    ) -> None:
        self.experts, self.unseen, self.plan, self.seed = dict(experts), unseen, plan, seed
        self.parts = parts
        parts.mkdir(parents=True, exist_ok=True)
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
        parts = []
        for count in sorted({min(count, len(self.experts)) for count in self.plan.counts}):
            # there is one choice of all
            for _ in range(self.plan.subsets if count < len(self.experts) else 1):
                chosen = sorted(rng.choice(len(self.experts), count, replace=False).tolist())
                told = {"experts": count, "names": " ".join(self._names(chosen))}
                parts.append(self._part(told, chosen, partial(self.train, chosen)))
        rows, answers = zip(*parts)
        return list(rows), list(answers)

    def additions(self, first: Sequence[int]) -> tuple[list[Row], list[list[np.ndarray]]]:
        """Add each other expert to a trained mixture: only its own part trained, or all of it.

        Args:
            first: The experts of the first mixture.
        """
        small = self.train(first)
        parts = []
        for number, name in enumerate(self.experts):
            if number not in first:
                chosen = [*first, number]
                ways = {"new part alone": partial(self._extended, small, chosen)}
                ways["from nothing"] = partial(self.train, chosen)
                for how, make in ways.items():
                    parts.append(self._part({"added": name, "trained": how}, chosen, make))
        rows, answers = zip(*parts)
        return list(rows), list(answers)

    def readout(self) -> tuple[Row, list[np.ndarray]]:
        """Return a row for logistic regression on all embeddings, and its logits on unseen sets.

        It says what the embeddings hold without a gate. Its penalty is chosen on held-out peaks.
        """
        path = self.parts / "readout.json"
        if not path.is_file():
            fitted = {penalty: self._fitted(penalty) for penalty in self.plan.penalties}
            scores = {penalty: self.seen.validate(line) for penalty, line in fitted.items()}
            best = max(scores, key=scores.__getitem__)
            with torch.no_grad():
                answers = [fitted[best](part)[:, 0].tolist() for part in self.embedded]
            row = {"readout": "logistic regression", "validation": scores[best], "penalty": best}
            write_atomically(path, json.dumps({"row": row, "answers": answers}).encode())
        found = json.loads(path.read_text(encoding="utf-8"))
        return found["row"], [np.array(values) for values in found["answers"]]

    def _fitted(self, penalty: float) -> nn.Linear:
        peaks = torch.cat(self.seen.positives).numpy()
        shuffles = [torch.cat(self.seen.negatives(n)) for n in range(self.seen.shuffles or 0)]
        inputs = np.concatenate([peaks, *(part.numpy() for part in shuffles)])
        labels = np.arange(len(inputs)) < len(peaks)
        scaler = StandardScaler().fit(inputs)
        found = LogisticRegression(C=penalty, class_weight="balanced", max_iter=300)
        found.fit(scaler.transform(inputs), labels)
        line = nn.Linear(inputs.shape[1], 1)
        weight = found.coef_[0] / scaler.scale_
        with torch.no_grad():
            line.weight.copy_(torch.from_numpy(weight))
            line.bias.fill_(float(found.intercept_[0] - weight @ scaler.mean_))
        return line

    def _extended(self, small: MixtureOfExperts, chosen: Sequence[int]) -> MixtureOfExperts:
        name = list(self.experts)[chosen[-1]]
        with seeded(self.seed):
            larger = small.with_expert(name, self.experts[name])
        fit_new_expert(small, larger, self.seen.only(chosen), self.plan.params, seed=self.seed)
        return larger

    def _part(
        self, told: Row, chosen: Sequence[int], make: Callable[[], MixtureOfExperts]
    ) -> tuple[Row, list[np.ndarray]]:
        """Return the row of a mixture and its logits, from its file where there is one."""
        path = self.parts / f"{sha256(json.dumps([told, self.seed]).encode())[:16]}.json"
        if not path.is_file():
            started = time.process_time()
            model = make()
            row = {**told, "seconds": time.process_time() - started}
            row["validation"] = self.seen.only(chosen).validate(model.mixture)
            answers = [values.tolist() for values in self.judge(model, chosen)]
            write_atomically(path, json.dumps({"row": row, "answers": answers}).encode())
        found = json.loads(path.read_text(encoding="utf-8"))
        return found["row"], [np.array(values) for values in found["answers"]]

    def _names(self, chosen: Sequence[int]) -> list[str]:
        names = list(self.experts)
        return [names[i] for i in chosen]

    def _untrained(self, chosen: Sequence[int]) -> MixtureOfExperts:
        with seeded(self.seed):
            return MixtureOfExperts.from_experts({n: self.experts[n] for n in self._names(chosen)})


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
