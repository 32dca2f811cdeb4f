"""What a set of attributions says about itself: a sample is explained and predicted again.

The sample is chosen by counted model evaluations: it takes a tenth of those of the run at most. One
evaluation is a model's output for one sequence; a gradient counts as three.

==================  ============================================================================
measure             of a sequence
==================  ============================================================================
window stability    correlation of its contributions with those in windows 1 to 3 positions away
strand agreement    correlation with the contributions on the other strand
mutagenesis         rank correlation of contributions with the effects of mutations, at
                    `POSITIONS` of its positions
completeness        how far the sum of contributions misses what it should be, relative to that
certain signs       share of positions whose contribution is over twice its deviation between
                    these windows and strands
saturated           share of sequences whose contributions sum to nothing beside what outputs differ
constant outputs    outputs that are the same for every sequence
unlike the others   sequences whose letters differ from what is usual among these
==================  ============================================================================
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass

import torch
from torch import Tensor

from .metrics import faithfulness, pearson

SAMPLE = 200  # sequences at most
SHARE = 0.1  # of the run's evaluations
GRADIENT = 3  # evaluations: forward, and backward, which takes about twice as long
POSITIONS = 16  # of a sequence that are mutated
SATURATED = 1e-3  # of the outputs' standard deviation
COMPARED = 10  # sequences that tell at least what is usual
UNUSUAL = 5.0  # robust standard deviations

Explain = Callable[[Tensor, Tensor], Tensor]


@dataclass(frozen=True)
class Measure:
    """One number of a quality statement.

    Attributes:
        name: What is measured.
        value: The median over sequences, or a share; None where it was not measured.
        low: The tenth percentile over sequences, where each has a number of its own.
        count: From how many sequences.
        verdict: "good", "fair", "poor", or "not measured".
        good: The value from which on it is good. Where it is below `fair`, less is better.
        fair: The value from which on it is fair.
        advice: What to do about it, or why it was not measured.
    """

    name: str
    value: float | None
    low: float | None
    count: int
    verdict: str
    good: float
    fair: float
    advice: str

    def __str__(self) -> str:
        """Say it in a line."""
        value = "" if self.value is None else f" {self.value:.3g} from {self.count} sequences,"
        return f"{self.name}:{value} {self.verdict}" + (f". {self.advice}" if self.advice else "")


@dataclass(frozen=True)
class Quality:
    """What a run says about itself.

    Attributes:
        sequences: How many are in the sample.
        measures: The numbers.
        constant: The names of outputs that are the same for every sequence.
        unlike: The names of the sequences that are unlike the others, and in what.
    """

    sequences: int
    measures: tuple[Measure, ...]
    constant: tuple[str, ...] = ()
    unlike: tuple[tuple[str, str], ...] = ()

    def __getitem__(self, name: str) -> Measure:
        """Return a measure by its name."""
        return next(measure for measure in self.measures if measure.name == name)

    @property
    def verdict(self) -> str:
        """The worst verdict."""
        order = ("poor", "fair", "good")
        return next((v for v in order if any(m.verdict == v for m in self.measures)), "good")

    def to_json(self) -> str:
        """Return everything as JSON."""
        return json.dumps(asdict(self) | {"verdict": self.verdict}, indent=2)

    @classmethod
    def of_json(cls, text: str) -> Quality:
        """Return what `to_json` has written."""
        found = json.loads(text)
        return cls(
            found["sequences"],
            tuple(Measure(**each) for each in found["measures"]),
            tuple(found["constant"]),
            tuple((name, what) for name, what in found["unlike"]),
        )

    def __str__(self) -> str:
        """Say it in a line per measure."""
        return "\n".join(map(str, self.measures))


# name: (good, fair, what to do where it is not good)
_LIMITS: dict[str, tuple[float, float, str]] = {
    "window stability": (
        0.95,
        0.8,
        "Maps change when the window moves: `shiftsmooth check` tells the max_shift to use.",
    ),
    "strand agreement": (
        0.9,
        0.7,
        "Maps change with the strand: average both (strands=2), unless the strand has a meaning.",
    ),
    "mutagenesis": (
        0.7,
        0.4,
        "Maps rank positions otherwise than mutations do: confirm what you report by mutagenesis.",
    ),
    "completeness": (
        0.05,
        0.2,
        "Contributions do not sum to the output's difference from the baseline: take more steps.",
    ),
    "certain signs": (
        0.8,
        0.5,
        "Many contributions are no larger than their deviation: do not read the signs of small "
        "ones.",
    ),
    "saturated": (
        0.02,
        0.2,
        "Some gradients vanish: explain the logit instead of a probability, or leave those out.",
    ),
    "constant outputs": (0.0, 0.5, "These outputs tell nothing; check weights and inputs."),
    "unlike the others": (
        0.05,
        0.2,
        "Look at these sequences: a model is not to be trusted far from what it has seen.",
    ),
}
_DOWNWARDS = {"completeness", "saturated", "constant outputs", "unlike the others"}


def measure(name: str, values: Tensor | float | None, count: int = 0, why: str = "") -> Measure:
    """Return a measure with its verdict.

    Args:
        name: One of those in the table above.
        values: One number per sequence, of which nan does not count; or a share.
        count: From how many sequences a share is.
        why: What is said where there is no number.
    """
    good, fair, advice = _LIMITS[name]
    low = None
    if isinstance(values, Tensor):
        values = values.double()[~values.isnan()]
        count = len(values)
        low = round(float(values.quantile(0.9 if name in _DOWNWARDS else 0.1)), 4) if count else 0.0
        values = float(values.median()) if count else None
    if values is None or not math.isfinite(values):
        return Measure(name, None, None, 0, "not measured", good, fair, why)
    value = round(values, 4)
    sign = -1 if name in _DOWNWARDS else 1
    verdict = next(
        (v for v, limit in (("good", good), ("fair", fair)) if sign * value >= sign * limit), "poor"
    )
    return Measure(name, value, low, count, verdict, good, fair, advice * (verdict != "good"))


def evenly(total: int, count: int) -> Tensor:
    """Return the numbers of `count` rows of `total`, as far apart as they can be."""
    count = max(0, min(total, count))
    return torch.arange(count) * total // max(1, count)


@dataclass(frozen=True)
class Budget:
    """How many sequences each measure may take, from evaluations of the run.

    Attributes:
        again: Sequences that are explained in two other windows and on the other strand.
        mutated: Sequences with mutations at some positions.
        summed: Sequences whose contributions are summed.
    """

    again: int
    mutated: int
    summed: int

    @classmethod
    def of(cls, run: float, cost: float, positions: int, windows: int, setup: float) -> Budget:
        """Return the budget of a run.

        Args:
            run: Evaluations of the run.
            cost: Of explaining one sequence.
            positions: That are mutated in a sequence.
            windows: That completeness averages over.
            setup: What a first call takes besides.
        """
        total = SHARE * run
        again = max(0.0, 0.6 * total - setup)

        def rows(part: float, each: float) -> int:
            return min(SAMPLE, int(part / each))

        return cls(
            rows(again, 3 * cost),
            rows(0.3 * total, 3 * max(1, positions)),
            rows(0.1 * total, windows + 1),
        )


@torch.no_grad()
def quality(
    explain: Explain,
    predict: Explain,
    x: Tensor,
    contributions: Tensor,
    outputs: Tensor,
    *,
    run: float,
    cost: float,
    target: int = 0,
    tasks: Sequence[str] = (),
    names: Sequence[str] = (),
    windows: int = 1,
    complete: float | None = None,
    setup: float = 0.0,
) -> Quality:
    """Return what a sample of a run says about its attributions.

    Args:
        explain: From sequences and the numbers of the rows that they come from to contributions
            (b, L).
        predict: The same, to the explained output (b,).
        x: The sample, one-hot, (n, letters, L).
        contributions: Its contributions of the letter present, (n, L).
        outputs: Its outputs, (n, tasks).
        run: How many evaluations the run took.
        cost: Evaluations of one call of `explain`, per sequence.
        target: The column of `outputs` that is explained.
        tasks: Names of the columns of `outputs`.
        names: Names of the sequences.
        windows: How many windows, on both sides, an attribution is the mean of.
        complete: For methods whose contributions sum to the output's difference from a baseline,
            what the baseline has everywhere.
        setup: Evaluations that the first call of `explain` takes besides.
    """
    finite = contributions.isfinite().all(1) & outputs.isfinite().all(1).to(contributions.device)
    kept = finite.nonzero().flatten().cpu()
    length = x.size(-1)
    budget = Budget.of(run, cost, min(POSITIONS, length), windows, setup)
    again, mutated, summed = (
        kept[evenly(len(kept), count)] for count in (budget.again, budget.mutated, budget.summed)
    )
    constant, dead_outputs = constant_outputs(outputs[kept], target)
    spread = float(outputs[kept][:, target].double().std(correction=0)) if len(kept) else 0.0
    sizes = contributions[kept].double().abs().sum(1)
    unlike, unusual = unlike_others(x[kept])
    told = [str(names[row]) if names else str(row) for row in kept.tolist()]
    dead = tuple(str(tasks[t]) if tasks else str(t) for t in constant)
    few = "A tenth of this run is too little for it; a run of more sequences has it."
    return Quality(
        len(kept),
        (
            *_explained_again(explain, x, contributions, again, few),
            measure("mutagenesis", _mutated(predict, x, contributions, mutated), why=few),
            measure(
                "completeness",
                _incomplete(predict, x, contributions, summed, windows // 2, complete),
                why="This method has none." if complete is None else few,
            ),
            measure(
                "saturated",
                float((sizes <= SATURATED * spread).double().mean()) if len(kept) else None,
                len(kept),
            ),
            dead_outputs,
            unusual,
        ),
        constant=dead,
        unlike=tuple((told[row], what) for row, what in sorted(unlike.items())[:20]),
    )


def of_shifts(
    contributions: Explain, predict: Explain, X: Tensor, result: Tensor, max_shift: int
) -> Quality:
    """Return what `shift_smooth` says about its result for X; its outputs are predicted here.

    Args:
        contributions: From sequences and the numbers of their rows to contributions (b, L).
        predict: The same, to the explained output (b,).
        X: All sequences, (N, letters, L).
        result: (N, letters, L), hypothetical or not.
        max_shift: N.
    """
    cost = 3 * GRADIENT  # as far as windows share; where they do not, all takes as much longer
    run = len(X) * cost
    rows = evenly(len(X), min(SAMPLE, int(SHARE * run / 4)))
    x = X[rows].float().cpu()
    outputs = torch.empty(len(x), 1)
    for part in torch.arange(len(x)).split(32):
        with torch.no_grad():
            outputs[part, 0] = predict(x[part], rows[part])
    return quality(
        lambda given, numbers: contributions(given, rows[numbers]),
        lambda given, numbers: predict(given, rows[numbers]),
        x,
        (result[rows].float() * x).sum(1),
        outputs,
        run=0.75 * run,
        cost=cost,
        names=[str(row) for row in rows.tolist()],
        setup=2 * GRADIENT * (2 * max_shift + 1),
    )


def explained(outputs: Tensor, target: object) -> Tensor:
    """Return the explained output, one number per example, of a model's.

    Args:
        outputs: (B, ...).
        target: As for `ShiftSmooth.attribute`.
    """
    if target is None or outputs.dim() == 1:
        return outputs.reshape(len(outputs))
    if isinstance(target, Tensor):
        target = target.reshape(-1).tolist()
    targets = target if isinstance(target, list) else [target]
    columns = torch.tensor([each if isinstance(each, tuple) else (each,) for each in targets])
    return outputs[(torch.arange(len(outputs)), *columns.T)]


def _explained_again(
    explain: Explain, x: Tensor, contributions: Tensor, rows: Tensor, few: str
) -> list[Measure]:
    """Window stability, strand agreement and certain signs."""
    stable = alike = certain = None
    length = x.size(-1)
    strands = x.size(1) == 4
    if len(rows) and length > 3:
        here = x[rows]
        moves = [1 + i % 3 for i in range(len(rows))]
        given = [_moved(here, moves), _moved(here, [-m for m in moves])]
        given += [here.flip(1, 2)] if strands else []
        with torch.enable_grad():
            found = explain(torch.cat(given), rows.repeat(len(given))).detach().double()
        parts = list(found.cpu().split(len(rows)))
        maps = [_moved(parts[0], [-m for m in moves]), _moved(parts[1], moves)]
        still = contributions[rows].double().cpu()
        stable = torch.stack([pearson(m, still) for m in maps]).nanmean(0)
        if strands:
            maps.append(parts[2].flip(1))
            alike = pearson(maps[-1], still)
        every = torch.stack([still, *maps])
        known = (here.sum(1) == 1).cpu() & (here == 1).any(1).cpu()
        sure = (still.abs() > 2 * every.std(0, correction=0)) & known
        certain = sure.sum(1) / known.sum(1).clamp(min=1)
    why = few if strands else "These are not the four letters of DNA."
    return [
        measure("window stability", stable, why=few),
        measure("strand agreement", alike, why=why),
        measure("certain signs", certain, why=few),
    ]


def _moved(x: Tensor, moves: Sequence[int]) -> Tensor:
    return torch.stack([torch.roll(row, move, -1) for row, move in zip(x, moves)])


def _mutated(predict: Explain, x: Tensor, contributions: Tensor, rows: Tensor) -> Tensor | None:
    """Rank correlation with in-silico mutagenesis, at positions spread over each sequence."""
    if not len(rows):
        return None
    letters, length = x.shape[1:]
    places = evenly(length, POSITIONS)
    found = []
    for number, row in enumerate(rows.tolist()):
        # another phase for each row, so that together they cover the sequence
        at = (places + number * 7) % length
        present = x[row, :, at].argmax(0).cpu()
        others = torch.arange(letters - 1).repeat(len(at), 1)
        others += (others >= present[:, None]).long()
        mutants = x[row].repeat(len(at) * (letters - 1), 1, 1)
        each = torch.arange(len(mutants))
        mutants[each, :, at.repeat_interleave(letters - 1)] = 0
        mutants[each, others.flatten(), at.repeat_interleave(letters - 1)] = 1
        outputs = predict(mutants, torch.full((len(mutants),), row)).double().cpu()
        # ranks as the output less its mean over letters: the output itself is the same everywhere
        kept = -outputs.reshape(len(at), -1).sum(1)
        found.append(faithfulness(contributions[row, at].double().cpu()[None], kept[None]))
    return torch.cat(found)


def _incomplete(
    predict: Explain,
    x: Tensor,
    contributions: Tensor,
    rows: Tensor,
    max_shift: int,
    complete: float | None,
) -> Tensor | None:
    """How far contributions miss the mean output's difference from the baseline's, of that."""
    if complete is None or not len(rows):
        return None
    here = x[rows]
    shifts = range(-max_shift, max_shift + 1)
    mean = torch.stack([predict(here.roll(n, -1), rows).double() for n in shifts]).mean(0)
    base = predict(torch.full_like(here[:1], complete), rows[:1]).double()
    expected = (mean - base).cpu()
    return (contributions[rows].double().cpu().sum(1) - expected).abs() / expected.abs()


def constant_outputs(outputs: Tensor, target: int = 0) -> tuple[list[int], Measure]:
    """Return the columns of outputs (n, tasks) that are the same for every sequence, and how bad.

    It is as bad as it can be where the explained one is among them.
    """
    if len(outputs) < 2:
        return [], measure("constant outputs", None, why="There is one sequence only.")
    wide = outputs.double()
    distance = wide.amax(0) - wide.amin(0)
    found = (distance <= 1e-6 * wide.abs().amax(0)).nonzero().flatten().tolist()
    share = 1.0 if target in found else len(found) / outputs.size(1)
    return found, measure("constant outputs", share, len(outputs))


def unlike_others(x: Tensor) -> tuple[dict[int, str], Measure]:
    """Return the rows of sequences whose letters are unusual among these, and in what."""
    if len(x) < COMPARED:
        why = "Too few sequences to say what is usual."
        return {}, measure("unlike the others", None, why=why)
    known = x.double().amax(1) == 1
    letters = x.double().mul(known[:, None]).sum(2) / known.sum(1, keepdim=True).clamp(min=1)
    pairs = torch.einsum("nal,nbl->nab", x[..., :-1].double(), x[..., 1:].double()).flatten(1)
    shares = pairs / pairs.sum(1, keepdim=True).clamp(min=1)
    entropy = -(shares * shares.clamp(min=1e-12).log2()).sum(1)
    features = {"unknown letters": 1 - known.double().mean(1), "low complexity": -entropy}
    if x.size(1) == 4:
        features["share of G and C"] = letters[:, 1] + letters[:, 2]
    found: dict[int, str] = {}
    for what, values in features.items():
        distance = values - values.median()
        scale = max(1.4826 * float(distance.abs().median()), 0.02)
        far = distance.abs() if what == "share of G and C" else distance
        for row in (far > UNUSUAL * scale).nonzero().flatten().tolist():
            found.setdefault(row, what)
    return found, measure("unlike the others", len(found) / len(x), len(x))
