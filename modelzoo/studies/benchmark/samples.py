"""Whether smoothing needs more samples: `python -m modelzoo.studies.benchmark.samples`.

index.html        the report of the benchmark, on methods that smooth over 10 and over 100 samples
samples.md        what each adds to the gradient, over all models
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import shutil
from pathlib import Path

from modelzoo.files import write_atomically
from modelzoo.jobs import Where
from modelzoo.reports.tables import Row, Table, number, plain, probability, with_interval
from modelzoo.studies.benchmark.evaluate import evaluate
from modelzoo.studies.benchmark.measures import METRICS
from modelzoo.studies.benchmark.methods import COMPARED, ISM, PLAIN, Compared
from modelzoo.studies.benchmark.settings import Settings
from modelzoo.studies.benchmark.summaries import ALL, JUDGED

SMOOTHED = ("smoothgrad", "random-letters-10", "random-letters-25")
MANY = 100  # samples, against the 10 of the benchmark


def add_methods() -> tuple[str, ...]:
    """Add the smoothing methods with many samples to `COMPARED`; return all that are compared."""
    for name in SMOOTHED:
        method = COMPARED[name].method.having(samples=MANY)
        method = dataclasses.replace(method, title_format=f"{method.title}, {MANY} samples")
        COMPARED[f"{name}-{MANY}"] = Compared(method, lambda length: MANY)
    return (PLAIN, *(f"{name}{end}" for name in SMOOTHED for end in ("", f"-{MANY}")), ISM)


METHODS = add_methods()  # when the file is read, so that the processes of workers know them


def sample_table(results: Row) -> Table:
    """Return what each smoothing adds to the gradient, over all models.

    Args:
        results: Of a report on `METHODS`.
    """
    cost = {row["method"]: row["evaluations"] for row in results["methods"]}
    rows: dict[str, Row] = {}
    for row in results["gains"]:
        if row["model"] == ALL and row["metric"] in JUDGED and row["method"] != ISM:
            name = row["method"]
            shown = {"title": COMPARED[name].method.title, "evaluations": cost[name]}
            entry = rows.setdefault(name, shown)
            entry |= {f"{row['metric']}_{key}": row[key] for key in ("difference", "low", "high")}
            entry[f"{row['metric']}_q"] = row["q"]
    columns = [("method", plain("title")), ("evaluations", number("evaluations", 0))]
    for metric in JUDGED:
        difference, low, high = (f"{metric}_{end}" for end in ("difference", "low", "high"))
        interval = with_interval(difference, low, high, sign=True)
        columns.append((f"{METRICS[metric]} (95 %)", interval))
        columns.append(("q", probability(f"{metric}_q")))
    seeds = results["settings"]["seeds"]
    caption = f"Smoothing minus the gradient, over all models of {seeds} seed{'s' * (seeds > 1)}"
    return Table("samples", caption, columns, list(rows.values()))


def main() -> None:
    """Compare smoothing over few and over many samples, on the models of a benchmark's report."""
    parser = argparse.ArgumentParser(
        prog="python -m modelzoo.studies.benchmark.samples", description=main.__doc__
    )
    parser.add_argument("report", type=Path, help="a folder of shiftsmooth evaluate benchmark")
    parser.add_argument("-o", "--output", type=Path, required=True, help="the folder to write")
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--workers", type=int, help="processes; by default one per core")
    arguments = parser.parse_args()
    if not (arguments.output / "models").exists():
        shutil.copytree(arguments.report / "models", arguments.output / "models")
    settings = Settings(seeds=arguments.seeds, methods=METHODS, randomised=())
    evaluate(arguments.output, settings=settings, where=Where(workers=arguments.workers))
    results = json.loads((arguments.output / "results.json").read_text(encoding="utf-8"))
    table = sample_table(results).to_markdown()
    write_atomically(arguments.output / "samples.md", table.encode())


if __name__ == "__main__":
    main()
