"""Are the attributions faithful, stable and in the right place? Every method on the same peaks.

What is measured, a number for each peak:

- faithfulness: Spearman correlation with in-silico mutagenesis;
- stability under a moved window, over the real neighbouring bases, and under mutations outside the
  motif: correlation of the importances before and after;
- localisation on JASPAR hits in the peaks, and on planted motifs, where the truth is known;
- EvalAttAI: how far the logit rises when the map is added to the input.

The work is cut into cells, one for a factor, a model and a method. Each writes one file when it is
done, so that work which was interrupted goes on where it was.
"""

from __future__ import annotations

import hashlib
import io
import os
import time
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from multiprocessing import active_children, get_context
from pathlib import Path
from typing import Any

import numpy as np
import torch
from memelite import fimo
from scipy.stats import spearmanr
from torch import Tensor, nn
from tqdm.auto import tqdm

from modelzoo.attribution.methods import (
    METHODS,
    ROWS,
    finished,
    importance,
    raw_maps,
    smoother,
    unseeded,
)
from modelzoo.datasets.planted.simulation import Simulation
from modelzoo.reports.tables import Row
from modelzoo.sequences import columns
from modelzoo.studies import statistics
from modelzoo.studies.peaks.compared import COMPARED, ISM, MAX_SHIFTS, Explainer
from modelzoo.workers import one_thread
from shiftsmooth import metrics as measure

# The motif of each factor's peaks: of the family most enriched in the training peaks against their
# shuffles (JASPAR 2020, FIMO), the member that is expressed in the cell line. ARID3A's peaks in
# HepG2 are FOXA sites and FOXM1's in GM12878 BATF sites; neither's own motif is enriched in them.
MOTIFS = {"ARID3A": "MA0047.3", "FOXM1": "MA1634.1", "GATA3": "MA0037.3"}

SHIFTS = (3,)  # of the window, for its stability
MUTATIONS = 3  # outside the motif
FLANK = max(MAX_SHIFTS)  # real bases on each side of a planted window
WINDOW = 101

METRICS = {
    "faithfulness": "faithfulness to ISM",
    "window_stability": "stability, moved window",
    "mutation_stability": "stability, mutations",
    "hit_auroc": "JASPAR hits, AUROC",
    "hit_average_precision": "JASPAR hits, AP",
    "planted_auroc": "planted motifs, AUROC",
    "planted_average_precision": "planted motifs, AP",
    "evalattai": "EvalAttAI, rise of the logit",
}

END = 20  # bases at either end of a window, within reach of its padding in these models

_EDGES = "edges"
_WHY = "why"
_VERSION = 4  # raised when a cell of the same name would come out differently


@dataclass(frozen=True, eq=False)
class Problem:
    """What the attributions of a factor's models are measured on.

    Attributes:
        factor: The factor.
        peaks: Codes of real peaks. Shape (n, L).
        hits: True on the JASPAR hits of the factor's motif in them. Shape (n, L).
        planted: Codes of sequences with one planted motif, `FLANK` bases more on each side than
            the window. Shape (m, WINDOW + 2 * FLANK).
        truth: True on the planted motif. Same shape.
    """

    factor: str
    peaks: np.ndarray
    hits: np.ndarray
    planted: np.ndarray
    truth: np.ndarray

    @classmethod
    def of(cls, factor: str, peaks: np.ndarray, *, planted: int, seed: int) -> Problem:
        """Look for the factor's motif in its peaks, and plant it in a random background.

        Args:
            factor: One of `MOTIFS`.
            peaks: Codes of real peaks. Shape (n, L).
            planted: How many sequences to plant it in.
            seed: Of the planted sequences.
        """
        if factor not in MOTIFS:
            raise ValueError(f"factor: expected one of {', '.join(MOTIFS)}, got {factor!r}")
        simulation = Simulation.from_toml(
            f"""
            length = {WINDOW + 2 * FLANK}
            region = 61
            trim = 0
            [motifs.{factor}]
            matrix = "{MOTIFS[factor]}"
            [[positives]]
            share = 1
            motifs = ["{factor}"]
            [[negatives]]
            share = 1
            motifs = []
            """,
            name=f"planted {factor}",
        )
        batch = simulation.sample(planted, seed=seed, positives=planted)
        motif = simulation.motifs[0]
        return cls(factor, peaks, _hits(peaks, motif.name, motif.matrix), batch.codes, batch.mask())


@dataclass(frozen=True)
class _Cell:
    """One file of results: a factor, a model (expert or mixture) and a method."""

    problem: Problem
    model_class: str
    model: nn.Module
    method: str
    seed: int
    folder: Path

    @property
    def path(self) -> Path:
        return self.folder / f"{self.problem.factor}-{self.model_class}-{self.method}.npz"

    @property
    def reference(self) -> _Cell:
        """The cell that holds in-silico mutagenesis of the same sequences."""
        args = (self.problem, self.model_class, self.model, ISM, self.seed, self.folder)
        return _Cell(*args)

    @property
    def cost(self) -> int:
        special = {_EDGES: 80, _WHY: 20}
        copies = special[self.method] if self.method in special else COMPARED[self.method].copies
        return copies * len(getattr(self.model, "experts", (0,)))

    @property
    def key(self) -> str:
        """The sum of everything the results depend on; a file with another is not taken."""
        total = hashlib.sha256()
        for name, tensor in self.model.state_dict().items():
            total.update(name.encode() + tensor.cpu().contiguous().numpy().tobytes())
        for array in (self.problem.peaks, self.problem.planted):
            total.update(array.tobytes())
        method = COMPARED.get(self.method)
        parameters = method and (method.name, dict(method.parameters))
        settings = (_VERSION, self.method, parameters, self.seed, SHIFTS, MUTATIONS, MAX_SHIFTS)
        total.update(repr(settings).encode())
        return total.hexdigest()


@dataclass(frozen=True)
class Attributions:
    """Everything the attribution half of the report shows.

    Attributes:
        scores: A row for each metric, method, model class, factor (or all) and correction.
        comparisons: A row for each metric, model class, correction and pair of methods.
        edges: A row for each metric, N, model class and correction: circular against real flanks.
        why: A row for each N and model class: what moves when the window does.
        seconds: A row for each method and model class: core-seconds a thousand sequences. They
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
    workers: int | None = None,
    progress: bool = True,
) -> Attributions:
    """Measure every method on the peaks of every factor, for its expert and for the mixture.

    Args:
        folder: Where the cells are written, and found again by the next call.
        experts: The experts by factor, in eval mode on the CPU.
        mixture: The mixture, or None.
        peaks: Codes of the peaks by factor. Shapes (n, L).
        methods: Keys of `COMPARED`; all by default. In-silico mutagenesis is always among them.
        planted: Sequences with a planted motif a factor.
        resamples: Bootstrap resamples of the intervals.
        seed: The same seed gives the same numbers, whatever `workers` is.
        workers: Processes; one a core by default. 1 works in this process; for more, a script has
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
    cells = []
    for index, (factor, expert) in enumerate(experts.items()):
        problem = Problem.of(factor, peaks[factor], planted=planted, seed=seed + index)
        classes = {"expert": expert} | ({} if mixture is None else {"mixture": mixture})
        cells += [
            _Cell(problem, model_class, model, method, seed, folder)
            for model_class, model in classes.items()
            for method in (*chosen, _EDGES, _WHY)
        ]
    _run(cells, workers or os.cpu_count() or 1, progress)
    results = [(cell, _read(cell)) for cell in cells]
    measured = [(cell, values) for cell, values in results if cell.method in COMPARED]
    return Attributions(
        scores=_summarise(measured, resamples, seed),
        comparisons=_compare(measured, resamples, seed),
        edges=_compare_edges([r for r in results if r[0].method == _EDGES], resamples, seed),
        why=_explain_windows([r for r in results if r[0].method == _WHY], resamples, seed),
        seconds=_seconds(measured),
        peaks={factor: len(codes) for factor, codes in peaks.items()},
    )


def _run(cells: Sequence[_Cell], workers: int, progress: bool) -> None:
    """Compute the cells that have no file yet, the longest first."""
    todo = sorted((cell for cell in cells if _read(cell) is None), key=lambda cell: -cell.cost)
    bar = tqdm(total=sum(cell.cost for cell in cells), disable=not progress, unit="pass")
    bar.update(bar.total - sum(cell.cost for cell in todo))
    with bar, _workers(min(workers, len(todo))) as finish:
        # Mutagenesis first: the others are measured against it.
        for is_reference in (True, False):
            bar.set_description("mutagenesis" if is_reference else "attributions")
            for cell in finish([c for c in todo if (c.method == ISM) == is_reference]):
                bar.update(cell.cost)


@contextmanager
def _workers(count: int) -> Iterator[Callable[[Sequence[_Cell]], Iterator[_Cell]]]:
    """A function that computes cells and yields each when its file is there."""
    if count < 2:
        with _threads(1):  # small batches: a second thread waits more than it works
            yield lambda cells: (_compute(cell) for cell in cells)
        return
    # A forked child would inherit torch's threads in an unknown state.
    context = get_context("spawn")
    others = set(active_children())
    with ProcessPoolExecutor(count, context, one_thread) as pool:

        def finish(cells: Sequence[_Cell]) -> Iterator[_Cell]:
            for future in as_completed([pool.submit(_compute, cell) for cell in cells]):
                yield future.result()

        try:
            yield finish
        except BaseException:  # a cell takes a minute, and nobody waits for it now
            for worker in set(active_children()) - others:
                worker.terminate()
            pool.shutdown(cancel_futures=True)
            raise


@contextmanager
def _threads(count: int) -> Iterator[None]:
    """Compute with so many threads, then with as many as before."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _compute(cell: _Cell) -> _Cell:
    """Measure and write one cell, and return it. The file is complete or it is not there."""
    for parameter in cell.model.parameters():
        parameter.requires_grad_(False)
    values: dict[str, Any] = {_EDGES: _edges, _WHY: _why}.get(cell.method, _measure)(cell)
    content = io.BytesIO()
    np.savez(content, key=np.array(cell.key), **values)
    unfinished = cell.path.with_suffix(f".{os.getpid()}.part")
    unfinished.write_bytes(content.getvalue())
    os.replace(unfinished, cell.path)
    return cell


def _read(cell: _Cell) -> dict[str, np.ndarray] | None:
    """The results of a cell, None where there are none of this model, data and settings."""
    try:
        with np.load(cell.path, allow_pickle=False) as file:
            values = dict(file)
    except (OSError, ValueError, zipfile.BadZipFile):
        return None
    return values if str(values.pop("key")) == cell.key else None


def _measure(cell: _Cell) -> dict[str, np.ndarray]:
    """All metrics of a method: `METRIC` and `METRIC-corrected`, each of shape (n,)."""
    method, problem = COMPARED[cell.method], cell.problem
    explainer = Explainer(cell.model, method, cell.seed)
    x, hits = columns(problem.peaks), torch.from_numpy(problem.hits)
    planted = columns(_window(problem.planted)).contiguous()
    truth = torch.from_numpy(_window(problem.truth).copy())

    start = time.process_time()
    explainer.maps(x, False)
    values = {"seconds": np.array((time.process_time() - start) / len(x) * 1000)}
    if cell.method == ISM:
        reference = explainer.importance(False)(x)
        values["reference"] = reference.numpy()
        values["planted_reference"] = explainer.importance(False)(planted).numpy()
    else:
        reference = torch.from_numpy((_read(cell.reference) or {})["reference"])

    def logit(inputs: Tensor) -> Tensor:
        return torch.cat([cell.model(part)[:, 0] for part in inputs.split(ROWS)])

    for corrected in (False, True):
        explain = explainer.importance(corrected)
        position = explain(x)
        moved = measure.shift_stability(explain, x, SHIFTS, edges="flanks").mean(1)
        mutated = measure.mutation_stability(
            explain, x, hits, n_mutations=MUTATIONS, n_trials=1, seed=cell.seed
        ).mean(1)
        curve = measure.evalattai(logit, x, explainer.maps(x, corrected))
        found = explain(planted)
        suffix = "-corrected" if corrected else ""
        for name, value in {
            "faithfulness": measure.faithfulness(position, reference),
            "window_stability": moved,
            "mutation_stability": mutated,
            "hit_auroc": measure.auroc(position, hits),
            "hit_average_precision": measure.average_precision(position, hits),
            "planted_auroc": measure.auroc(found, truth),
            "planted_average_precision": measure.average_precision(found, truth),
            "evalattai": (curve[:, 1:] - curve[:, :1]).mean(1),
        }.items():
            values[name + suffix] = value.double().numpy()
    return values


def _edges(cell: _Cell) -> dict[str, np.ndarray]:
    """ShiftSmooth on planted sequences, wrapped round against over the real flanks.

    `METRIC-EDGES-N` and `METRIC-EDGES-N-corrected`, each of shape (m,); N = 0 is the gradient.
    """
    whole = columns(cell.problem.planted)
    window = _window(whole).contiguous()
    truth = torch.from_numpy(_window(cell.problem.truth).copy())
    reference = torch.from_numpy((_read(cell.reference) or {})["planted_reference"])
    smooth = smoother(cell.model)
    raw = {("circular", 0): raw_maps(METHODS["gradient"].on(cell.model), window, ROWS, 0)}
    for n in MAX_SHIFTS:
        wrapped = partial(smooth.attribute, target=0, max_shift=n)
        raw["circular", n] = raw_maps(unseeded(wrapped), window, ROWS // 3, 0)
        flanked = whole[..., FLANK - n : FLANK + WINDOW + n].contiguous()
        raw["flanks", n] = raw_maps(
            unseeded(partial(wrapped, edges="flanks")), flanked, ROWS // 3, 0
        )[..., n:-n]
    values = {}
    for corrected in (False, True):
        suffix = "-corrected" if corrected else ""
        found = {
            key: importance(finished(METHODS["gradient"], value, window, corrected), window)
            for key, value in raw.items()
        }
        for (edges, n), position in found.items():
            name = f"{edges}-{n}{suffix}"
            values[f"faithfulness-{name}"] = measure.faithfulness(position, reference).numpy()
            values[f"planted_auroc-{name}"] = measure.auroc(position, truth).numpy()
            precision = measure.average_precision(position, truth)
            values[f"planted_average_precision-{name}"] = precision.numpy()
        for n in MAX_SHIFTS:
            same = measure.faithfulness(found["circular", n], found["flanks", n])
            values[f"agreement-both-{n}{suffix}"] = same.numpy()
    return values


def _window(flanked: Any) -> Any:
    return flanked[..., FLANK : FLANK + WINDOW]


def _hits(codes: np.ndarray, name: str, matrix: np.ndarray) -> np.ndarray:
    """True on the FIMO hits (p < 0.0001) of a motif, on either strand. Shape (n, L)."""
    mask = np.zeros(codes.shape, dtype=bool)
    with _threads(torch.get_num_threads()):  # numba, inside, sets the number that torch uses too
        for hit in fimo({name: matrix}, columns(codes).numpy(), threshold=1e-4)[0].itertuples():
            mask[int(hit.sequence_name), int(hit.start) : int(hit.end)] = True
    return mask


def _why(cell: _Cell) -> dict[str, np.ndarray]:
    """What moves when the window moves by `SHIFTS[0]` over the real bases of peaks.

    `whole-N` is the correlation of the importances before and after, and `inner-N` that without
    `END` bases at either end, for ShiftSmooth at N and, as N = 0, the gradient. `winners` is the
    share of the trunk's maps whose highest position is another one afterwards; nan without a trunk.
    """
    x, step = columns(cell.problem.peaks), SHIFTS[0]
    still, moved = x[..., step:].contiguous(), x[..., :-step].contiguous()
    trunk = getattr(cell.model, "trunk", None)
    smooth = smoother(cell.model)
    values = {}
    for n in (0, *MAX_SHIFTS):
        explain = unseeded(partial(smooth.attribute, target=0, max_shift=n))
        a, b = (
            importance(
                finished(METHODS["gradient"], raw_maps(explain, w, ROWS // 3, 0), w, True), w
            )
            for w in (still, moved)
        )
        a, b = a[:, :-step], b[:, step:]
        values[f"whole-{n}"] = _correlation(a, b)
        values[f"inner-{n}"] = _correlation(a[:, END:-END], b[:, END:-END])
    values["winners"] = np.full(len(x), np.nan)
    if trunk is not None:
        with torch.no_grad():
            before, after = (
                torch.cat([trunk(part) for part in w.split(ROWS)]).max(-1) for w in (still, moved)
            )
        alive = (before.values > 0) | (after.values > 0)
        changed = alive & (after.indices != before.indices + step)
        values["winners"] = (changed.sum(1) / alive.sum(1)).double().numpy()
    return values


def _correlation(a: Tensor, b: Tensor) -> np.ndarray:
    """Pearson's, of the rows of (n, L). Shape (n,)."""
    a, b = (m.double() - m.double().mean(1, keepdim=True) for m in (a, b))
    return torch.cosine_similarity(a, b, dim=1).numpy()


Measured = Sequence[tuple[_Cell, dict[str, np.ndarray] | None]]


def _table(measured: Measured, metric: str, model_class: str, corrected: bool, factor: str) -> Any:
    """The values of one metric, a column a method. Methods, and shape (peaks, methods)."""
    key = metric + ("-corrected" if corrected else "")
    columns_: dict[str, list[np.ndarray]] = {}
    for cell, values in measured:
        if cell.model_class == model_class and factor in ("all", cell.problem.factor):
            columns_.setdefault(cell.method, []).append((values or {})[key])
    return list(columns_), np.stack([np.concatenate(c) for c in columns_.values()], axis=1)


def _summarise(measured: Measured, resamples: int, seed: int) -> list[Row]:
    rows = []
    factors = list(dict.fromkeys(cell.problem.factor for cell, _ in measured))
    for metric in METRICS:
        for model_class in _classes(measured):
            for factor in ("all", *factors):
                for corrected in (False, True):
                    names, table = _table(measured, metric, model_class, corrected, factor)
                    means, drawn = statistics.paired_means(table, resamples=resamples, seed=seed)
                    low, high = statistics.interval(drawn)
                    for i, name in enumerate(names):
                        rows.append(
                            {
                                "metric": metric,
                                "model_class": model_class,
                                "factor": factor,
                                "method": name,
                                "corrected": corrected,
                                "mean": _number(means[i]),
                                "low": _number(low[i]),
                                "high": _number(high[i]),
                                "n": int(np.isfinite(table[:, i]).sum()),
                            }
                        )
    return rows


def _pairs(names: Sequence[str]) -> list[tuple[str, str]]:
    """ShiftSmooth against gradient and SmoothGrad; with noise and over a path, against each."""
    shifted = [f"shiftsmooth-{n}" for n in MAX_SHIFTS]
    pairs = [(first, second) for first in shifted for second in ("gradient", "smoothgrad")]
    pairs += [("shift-and-noise", other) for other in ("gradient", "smoothgrad", "shiftsmooth-5")]
    others = ("gradient", "smoothgrad", "integrated-gradients", "shift-and-noise")
    pairs += [("shiftsmooth-ig", other) for other in others]
    return [pair for pair in pairs if set(pair) <= set(names)]


def _compare(measured: Measured, resamples: int, seed: int) -> list[Row]:
    """Paired differences over the peaks of all factors, with Holm's correction over all of them."""
    rows = []
    for metric in METRICS:
        for model_class in _classes(measured):
            for corrected in (False, True):
                names, table = _table(measured, metric, model_class, corrected, "all")
                _, drawn = statistics.paired_means(table, resamples=resamples, seed=seed)
                for first, second in _pairs(names):
                    i, j = names.index(first), names.index(second)
                    rows.append(
                        {
                            "metric": metric,
                            "model_class": model_class,
                            "corrected": corrected,
                            "method": first,
                            "against": second,
                            **_paired(table[:, i] - table[:, j], drawn[:, i] - drawn[:, j]),
                        }
                    )
    for row, p in zip(rows, statistics.holm([row["p"] for row in rows])):
        row["p_holm"] = float(p)
    return rows


def _paired(differences: np.ndarray, drawn: np.ndarray) -> Row:
    """Mean difference with the interval of its resamples, the p of a paired t test, and d."""
    differences = differences[np.isfinite(differences)]
    if len(differences) < 2:
        return {"difference": None, "low": None, "high": None, "p": 1.0, "effect": None}
    low, high = statistics.interval(drawn)
    found = statistics.paired_test(differences)
    return {"difference": found.mean, "low": float(low), "high": float(high)} | {
        "p": found.p,
        "effect": found.effect,
    }


def _compare_edges(measured: Measured, resamples: int, seed: int) -> list[Row]:
    """What ShiftSmooth changes, wrapped round and over real flanks, and how the two differ."""
    rows = []
    for model_class in _classes(measured):
        results = [v or {} for cell, v in measured if cell.model_class == model_class]
        for corrected in (False, True):
            suffix = "-corrected" if corrected else ""
            for n in MAX_SHIFTS:
                agreement = np.concatenate([v[f"agreement-both-{n}{suffix}"] for v in results])
                for metric in ("faithfulness", "planted_auroc", "planted_average_precision"):
                    before, wrapped, real = (
                        np.concatenate([v[f"{metric}-{kind}{suffix}"] for v in results])
                        for kind in ("circular-0", f"circular-{n}", f"flanks-{n}")
                    )
                    table = np.stack([wrapped - before, real - before, wrapped - real], axis=1)
                    means, drawn = statistics.paired_means(table, resamples=resamples, seed=seed)
                    row: Row = {
                        "metric": metric,
                        "model_class": model_class,
                        "corrected": corrected,
                        "max_shift": n,
                        "gradient": _number(np.nanmean(before)),
                        "agreement": _number(np.nanmean(agreement)),
                    }
                    for i, name in enumerate(("circular", "flanks", "wrap_around")):
                        low, high = statistics.interval(drawn[:, i])
                        row[name] = _number(means[i])
                        row[f"{name}_low"], row[f"{name}_high"] = _number(low), _number(high)
                    rows.append(row)
    return rows


def _explain_windows(measured: Measured, resamples: int, seed: int) -> list[Row]:
    """Stability with and without the ends of the window, and what it has to do with pooling."""
    rows = []
    for model_class in _classes(measured):
        results = [v or {} for cell, v in measured if cell.model_class == model_class]
        joined = {key: np.concatenate([v[key] for v in results]) for key in results[0]}
        winners = joined["winners"]
        for n in (0, *MAX_SHIFTS):
            whole, inner = joined[f"whole-{n}"], joined[f"inner-{n}"]
            table = np.stack([whole, inner], axis=1)
            means, drawn = statistics.paired_means(table, resamples=resamples, seed=seed)
            row: Row = {"model_class": model_class, "max_shift": n}
            for i, name in enumerate(("whole", "inner")):
                low, high = statistics.interval(drawn[:, i])
                row[name] = _number(means[i])
                row[f"{name}_low"], row[f"{name}_high"] = _number(low), _number(high)
            row["winners"] = _number(np.mean(winners))
            both = np.ptp(winners) > 0 and np.ptp(inner) > 0
            row["winners_correlation"] = (
                _number(spearmanr(winners, inner).statistic) if both else None
            )
            rows.append(row)
    return rows


def _seconds(measured: Measured) -> list[Row]:
    rows = []
    for model_class in _classes(measured):
        for method in dict.fromkeys(cell.method for cell, _ in measured):
            seconds = [
                float((values or {})["seconds"])
                for cell, values in measured
                if (cell.model_class, cell.method) == (model_class, method)
            ]
            rows.append(
                {"model_class": model_class, "method": method, "seconds": float(np.mean(seconds))}
            )
    return rows


def _classes(measured: Measured) -> list[str]:
    return list(dict.fromkeys(cell.model_class for cell, _ in measured))


def _number(value: Any) -> float | None:
    return float(value) if np.isfinite(value) else None
