"""Are the attributions faithful, stable and in the right place? Every method on the same peaks.

The work is cut into parts, one for a factor, a model and a method; each leaves one file.
"""

from __future__ import annotations

import copy
import hashlib
import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from torch import nn

from modelzoo.jobs import Where
from modelzoo.reports.tables import Row
from modelzoo.sequences import columns
from modelzoo.studies.peaks import measures, summaries
from modelzoo.studies.peaks.compared import COMPARED, ISM, MAX_SHIFTS
from modelzoo.studies.peaks.measures import MUTATIONS, SHIFTS, Values
from modelzoo.studies.peaks.problems import Problem
from modelzoo.studies.peaks.summaries import Measured
from modelzoo.workers import Part

TIMED = 20  # sequences
_EDGES = "edges"
_WINDOWS = "windows"
_COSTS = {_EDGES: 80, _WINDOWS: 20}
_VERSION = 4  # raised when a part of the same inputs would come out differently


@dataclass(frozen=True)
class Attributions:
    """Everything the attribution half of the report shows.

    Attributes:
        scores: A row for each metric, method, model class, factor (or all) and correction.
        comparisons: A row for each metric, model class, correction and pair of methods.
        edges: A row for each metric, N, model class and correction: circular against real flanks.
        why: A row for each N and model class: what moves when the window does.
        seconds: A row for each method and model class: core-seconds for a thousand sequences. They
            differ from run to run.
        peaks: Number of peaks of each factor.
    """

    scores: list[Row]
    comparisons: list[Row]
    edges: list[Row]
    why: list[Row]
    seconds: list[Row]
    peaks: dict[str, int]


def evaluate_attributions(
    folder: Path,
    experts: Mapping[str, nn.Module],
    mixture: nn.Module | None,
    peaks: Mapping[str, np.ndarray],
    *,
    methods: Sequence[str] | None = None,
    planted: int = 200,
    resamples: int = 1000,
    seed: int = 0,
    where: Where | None = None,
    progress: bool = True,
) -> Attributions | None:
    """Measure every method on the peaks of every factor, for its expert and for the mixture.

    Returns None where this is one job of many.

    Args:
        folder: Where the parts' files are written, and found again by the next call.
        experts: The experts by factor, in eval mode on the CPU.
        mixture: The mixture, or None.
        peaks: Codes of the peaks by factor. Shapes (n, L).
        methods: Keys of `COMPARED`; all by default. In-silico mutagenesis is always among them.
        planted: Number of sequences with a planted motif, for each factor.
        resamples: Bootstrap resamples of the intervals.
        seed: The same seed gives the same numbers, whatever `where` is.
        where: Where the parts are done; by default in one process per core, for which a script has
            to guard its main part by `if __name__ == "__main__"`.
        progress: Show a bar with the time left.
    """
    wrong = [name for name in methods or () if name not in COMPARED]
    if wrong:
        raise ValueError(f"methods: expected some of {', '.join(COMPARED)}, got {wrong[0]!r}")
    chosen = [name for name in COMPARED if methods is None or name in (ISM, *methods)]
    if not experts or set(peaks) != set(experts):
        raise ValueError(f"peaks: expected those of {sorted(experts)}, got {sorted(peaks)}")
    folder.mkdir(parents=True, exist_ok=True)
    parts: dict[tuple[str, str, str], Part] = {}
    for index, (factor, expert) in enumerate(experts.items()):
        problem = Problem.of(factor, peaks[factor], planted=planted, seed=seed + index)
        for model_class, model in _classes(expert, mixture).items():
            made = _parts(folder / f"{factor}-{model_class}", problem, model, chosen, seed)
            parts |= {(factor, model_class, name): part for name, part in made.items()}
    # Mutagenesis first: the others are measured against it.
    where = where or Where()
    with where.alone(folder):
        for is_reference, what in ((True, "mutagenesis"), (False, "attributions")):
            some = [part for (*_, name), part in parts.items() if (name == ISM) == is_reference]
            where.run(some, description=what, progress=progress)
    if where.part is not None:
        return None
    found = [Measured(*key, _values(part)) for key, part in parts.items()]
    measured = [one for one in found if one.method in COMPARED]
    edges = [one for one in found if one.method == _EDGES]
    windows = [one for one in found if one.method == _WINDOWS]
    return Attributions(
        scores=summaries.summarise(measured, resamples, seed),
        comparisons=summaries.compare(measured, resamples, seed),
        edges=summaries.summarise_edges(edges, resamples, seed),
        why=summaries.summarise_windows(windows, resamples, seed),
        seconds=_seconds(experts, mixture, peaks, chosen),
        peaks={factor: len(codes) for factor, codes in peaks.items()},
    )


def _classes(expert: nn.Module, mixture: nn.Module | None) -> dict[str, nn.Module]:
    return {"expert": expert} | ({} if mixture is None else {"mixture": mixture})


def _parts(
    stem: Path, problem: Problem, model: nn.Module, chosen: Sequence[str], seed: int
) -> dict[str, Part]:
    """The parts of a factor's model, by method, and those of edges and windows."""
    own = copy.deepcopy(model).requires_grad_(False)
    inputs = hashlib.sha256()
    for name, tensor in own.state_dict().items():
        inputs.update(name.encode() + tensor.cpu().contiguous().numpy().tobytes())
    for array in (problem.peaks, problem.planted):
        inputs.update(array.tobytes())

    def part(name: str, work: Callable[..., Values], **arguments: Any) -> Part:
        method = COMPARED.get(name)
        parameters = method and (method.name, dict(method.parameters))
        settings = (_VERSION, name, parameters, seed, SHIFTS, MUTATIONS, MAX_SHIFTS)
        return Part(
            path=stem.with_name(f"{stem.name}-{name}.part"),
            work=partial(_archive, work, problem, own, **arguments),
            key=f"{inputs.hexdigest()} {settings}",
            cost=(method.copies if method else _COSTS[name]) * len(getattr(own, "experts", (0,))),
        )

    def measured(name: str, reference: Part | None) -> Part:
        method = COMPARED[name]
        return part(name, measures.measure, method=method, seed=seed, reference=reference)

    ism = measured(ISM, None)
    made = {name: ism if name == ISM else measured(name, ism) for name in chosen}
    made[_EDGES] = part(_EDGES, measures.compare_edges, reference=ism)
    made[_WINDOWS] = part(_WINDOWS, measures.move_window)
    return made


def _archive(
    work: Callable[..., Values],
    problem: Problem,
    model: nn.Module,
    *,
    reference: Part | None = None,
    **arguments: Any,
) -> bytes:
    """The values of a part as the content of its file; reads the part that it is measured by."""
    if reference is not None:
        arguments["reference"] = _values(reference)
    content = io.BytesIO()
    np.savez(content, **work(problem, model, **arguments))  # type: ignore[arg-type]
    return content.getvalue()


def _values(part: Part) -> Values:
    content = part.read()
    if content is None:  # another job's part, which may not be done yet
        part.do()
        content = part.read() or b""
    with np.load(io.BytesIO(content), allow_pickle=False) as file:
        return dict(file)


def _seconds(
    experts: Mapping[str, nn.Module],
    mixture: nn.Module | None,
    peaks: Mapping[str, np.ndarray],
    chosen: Sequence[str],
) -> list[Row]:
    """Times are measured here, not in the parts, whose files are the same in every run."""
    factor = next(iter(peaks))
    x = columns(peaks[factor][:TIMED])
    return [
        {
            "model_class": model_class,
            "method": name,
            "seconds": measures.seconds_for_thousand(model, x, COMPARED[name]),
        }
        for model_class, model in _classes(experts[factor], mixture).items()
        for name in chosen
    ]
