"""Writes the numbers and tables of README.md and docs/*.md, between markers.

    python docs/tools/fill.py --report DIR    # take over a report of `shiftsmooth evaluate`
    python docs/tools/fill.py --planted DIR   # of `shiftsmooth evaluate argminn`
    python docs/tools/fill.py --families DIR  # of `python -m modelzoo.studies.families`
    python docs/tools/fill.py --factors DIR   # of `python -m modelzoo.studies.factors`
    python docs/tools/fill.py --robust DIR    # of `python -m modelzoo.studies.robust`
    python docs/tools/fill.py --rest DIR      # of `python -m modelzoo.studies.rest`
    python docs/tools/fill.py --pretraining DIR # of `python -m modelzoo.studies.pretraining`
    python docs/tools/fill.py --benchmark DIR # of `shiftsmooth evaluate benchmark`
    python docs/tools/fill.py --samples DIR   # of `python -m modelzoo.studies.benchmark.samples`
    python docs/tools/fill.py                 # write the blocks again
    python docs/tools/fill.py --check         # exit 1 where a block has drifted

A block stands between `<!-- made: NAME -->` and `<!-- /made -->`. Of a report the part that is
shown is kept in docs/results.json, or as it was written in docs/tables/; times come from
benchmarks/REPORT.md, which `make bench` writes, and the list of commands from the command line.
"""

import argparse
import json
import re
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from statistics import fmean
from typing import Any

import house
import pages

from modelzoo.reports.tables import MISSING, Table, number, plain, probability, with_interval
from modelzoo.studies.peaks.compared import COMPARED
from modelzoo.studies.peaks.measures import METRICS
from modelzoo.studies.published import published
from modelzoo.studies.robust import Settings
from modelzoo.zoo import catalog

HERE = Path(__file__).parents[1]
ROOT = HERE.parent
SUMMARY = HERE / "results.json"
BENCHMARKS = ROOT / "benchmarks" / "REPORT.md"
SCANS = ROOT / "benchmarks" / "SCAN.md"
TABLES = HERE / "tables"
IMAGES = HERE / "images"
PLANTED = ("accuracy", "gains", "similarity", "instances", "adversarial")
FIGURES = ("similarity", "spacing", "instances", "gc")
COPIED = ("families", "rest", "pretraining")  # studies of one table each
FACTORS = ("experts", "unseen", "readouts", "additions")
FACTORS_FIGURES = ("specificity_shuffles", "specificity_both", "growth")
BENCHMARK = (
    "classes",
    "findings",
    "sets",
    "models",
    "recipes",
    "methods",
    "frontiers",
    "rivals",
    "gains-shiftsmooth-5",
    "gains-sets",
    "best",
    "predicted",
    "sanity",
)
BENCHMARK_FIGURES = ("budget", "gains", "predicted")
FACTORS_INSIDE = ("ARID3A", "FOXM1", "GATA3")  # those that the families were trained on
FAMILY_TABLES = {
    "Size and speed": ": seconds are those of a thousand attributions by ShiftSmooth.",
    "Inside, AUROC": ": the factors of the training; the last column is their mean.",
    "Inside, AUPRC": ".",
    "Outside, AUROC": ": six factors that no model was trained on, and their mean.",
    "Outside, AUPRC": ".",
    "Filters": ": how many match the right JASPAR motif.",
}
NOT_YET = "Not measured yet."
BLOCK = re.compile(r"(?<=<!-- made: )(?P<name>[\w-]+)( -->\n).*?(?=<!-- /made -->)", re.DOTALL)

Row = dict[str, Any]
Results = dict[str, Any]


def summary(results: Results) -> Results:
    """Returns the part of a report's `results.json` that README and site show.

    Args:
        results: Of a full report by the rigorous protocol.

    Raises:
        ValueError: It is of another.
    """
    settings = results["settings"]
    if settings["quick"] or settings["protocol"] != "rigorous":
        raise ValueError(f"expected a full report by the rigorous protocol, got {settings}")
    kept = {key: results[key] for key in ("settings", "versions", "models")}
    performance = results["performance"]
    kept["performance"] = {key: performance[key] for key in ("scores", "comparisons")}
    found = results.get("attribution")
    if found:
        kept["attribution"] = {
            "peaks": found["peaks"],
            "scores": [r for r in found["scores"] if r["factor"] == "all" and r["corrected"]],
            "comparisons": [row for row in found["comparisons"] if row["corrected"]],
            "edges": [row for row in found["edges"] if row["corrected"]],
            "why": found["why"],
        }
    return kept


def blocks(results: Results | None, benchmarks: str | None) -> dict[str, str]:
    """Returns the text of every block by name.

    Args:
        results: As `summary` gives it; None if there is no report yet.
        benchmarks: The text of the benchmarks' report; None if there is none yet.
    """
    made = {"commands": command_table(), "house": house.tree(), "plan": house.plan()}
    measured = results or {}
    for name, table in _PERFORMANCE.items():
        made[name] = table(measured["performance"]) if "performance" in measured else NOT_YET
    for name, table in _ATTRIBUTION.items():
        made[name] = table(measured["attribution"]) if "attribution" in measured else NOT_YET
    made["later"] = later_table()
    made["provenance"] = provenance(measured) if measured else NOT_YET
    made["speed"] = speed_table(benchmarks) if benchmarks else NOT_YET
    made["benchmarks"] = demoted(benchmarks) if benchmarks else NOT_YET
    made["peers"] = peers_table((HERE / "choose.md").read_text(encoding="utf-8"))
    made["scans"] = demoted(SCANS.read_text(encoding="utf-8")) if SCANS.is_file() else NOT_YET
    named = [*(f"planted-{t}" for t in PLANTED), *(f"factors-{t}" for t in FACTORS)]
    named += [f"benchmark-{t}" for t in BENCHMARK]
    for name in ("demo", *COPIED, "robust", "benchmark-samples", *named):
        path = TABLES / f"{name}.md"
        made[name] = path.read_text(encoding="utf-8") if path.is_file() else NOT_YET
    if made["families"] != NOT_YET:
        made["families"] = family_tables(made["families"])
    for name in ("families", *(f"factors-{table}" for table in FACTORS)):
        made[name] = with_links(made[name])
    return made


def take_planted(report: Path) -> None:
    """Keeps the tables and figures of `shiftsmooth evaluate argminn -o REPORT`.

    Args:
        report: A full report.

    Raises:
        ValueError: It is a quick one.
    """
    settings = json.loads((report / "results.json").read_text(encoding="utf-8"))["settings"]
    if settings["initialisations"] < 3:
        raise ValueError(f"expected a full report, got {settings}")
    TABLES.mkdir(exist_ok=True)
    for name in PLANTED:
        shutil.copyfile(report / "tables" / f"{name}.md", TABLES / f"planted-{name}.md")
    for name in FIGURES:
        shutil.copyfile(report / "figures" / f"{name}.svg", IMAGES / f"planted-{name}.svg")


def take_factors(report: Path) -> None:
    """Keeps the tables and figures of `python -m modelzoo.studies.factors -o REPORT`.

    Args:
        report: A full report, with mixtures.

    Raises:
        ValueError: It is a quick one, or has no mixtures.
    """
    settings = json.loads((report / "results.json").read_text(encoding="utf-8"))["settings"]
    if settings["quick"] or not settings["mixtures"]:
        raise ValueError(f"expected a full report, got {settings}")
    for name in FACTORS:
        shutil.copyfile(report / "tables" / f"{name}.md", TABLES / f"factors-{name}.md")
    for name in FACTORS_FIGURES:
        shutil.copyfile(report / "figures" / f"{name}.svg", IMAGES / f"factors-{name}.svg")


def take_robust(report: Path) -> None:
    """Keeps the table of `python -m modelzoo.studies.robust -o REPORT`.

    Args:
        report: A full report.

    Raises:
        ValueError: It is a quick one.
    """
    settings = json.loads((report / "results.json").read_text(encoding="utf-8"))["settings"]
    if settings["judged"] < Settings().judged:
        raise ValueError(f"expected a full report, got {settings}")
    shutil.copyfile(report / "robust.md", TABLES / "robust.md")


def take_benchmark(report: Path) -> None:
    """Keeps the tables and figures of `shiftsmooth evaluate benchmark -o REPORT`.

    Args:
        report: A full report.

    Raises:
        ValueError: It is a quick one.
    """
    results = json.loads((report / "results.json").read_text(encoding="utf-8"))
    if results["quick"]:
        raise ValueError(f"expected a full report, got {results['settings']}")
    for name in BENCHMARK:
        shutil.copyfile(report / "tables" / f"{name}.md", TABLES / f"benchmark-{name}.md")
    for name in BENCHMARK_FIGURES:
        shutil.copyfile(report / "figures" / f"{name}.svg", IMAGES / f"benchmark-{name}.svg")


def filled(text: str, made: dict[str, str]) -> str:
    """Returns a page with its blocks written.

    Args:
        text: The page.
        made: The blocks by name.
    """
    return BLOCK.sub(lambda found: f"{found['name']} -->\n{made[found['name']].strip()}\n", text)


def performance_table(performance: dict[str, list[Row]]) -> str:
    """Returns each model's mean ROC AUC on its own factors, on the others, on those of no model."""
    rows: dict[str, Row] = {}
    for row in performance["scores"]:
        name = row["model"]
        inside = row["set"].lower() in name.split("-")
        kind = "own" if inside else "unseen" if row["kind"] != "in distribution" else "other"
        rows.setdefault(name, {"model": name}).setdefault(kind, []).append(row["roc_auc"])
    means = [{k: v if k == "model" else fmean(v) for k, v in row.items()} for row in rows.values()]
    columns = [
        ("model", plain("model")),
        ("its own factors", number("own")),
        ("the other training factors", number("other")),
        ("six factors that no model was trained on", number("unseen")),
    ]
    return _markdown(columns, [{"own": None, "other": None, "unseen": None, **r} for r in means])


def published_table(performance: dict[str, list[Row]]) -> str:
    """Returns our ROC AUC with its interval beside the published ones."""
    columns = [
        ("data set", plain("set")),
        ("model", plain("model")),
        ("ROC AUC (95 %)", with_interval("roc_auc", "roc_auc_low", "roc_auc_high")),
        ("average precision", number("average_precision")),
        ("disjoint, AUC", number("roc_auc_disjoint")),
        ("disjoint peaks", lambda row: str(row.get("disjoint_peaks", MISSING))),
        ("paper, AUC", number("paper_roc_auc")),
        ("authors later, AUC", number("authors_later_roc_auc")),
    ]
    return _markdown(columns, performance["scores"])


def later_table() -> str:
    """Returns what the paper's authors reached later, out of distribution."""
    columns = [
        ("model", plain("model")),
        ("seeds", lambda row: row["seeds"] or MISSING),
        ("ROC AUC, mean of six factors", plain("ood_mean")),
        ("s.d. over seeds", lambda row: row["sd"] or MISSING),
        ("range", lambda row: f"{row['low']} to {row['high']}" if row["low"] else MISSING),
    ]
    return _markdown(columns, [dict(row) for row in published("hetmoe")])


def comparison_table(performance: dict[str, list[Row]]) -> str:
    """Returns the mixture minus every other model."""
    columns = [
        ("data set", plain("set")),
        ("against", plain("against")),
        (
            "difference of AUC, DeLong 95 %",
            with_interval("roc_auc_difference", "delong_low", "delong_high", sign=True),
        ),
        ("p, Holm", probability("p_delong_holm")),
    ]
    return _markdown(columns, performance["comparisons"])


def attribution_table(found: dict[str, Any]) -> str:
    """Returns the means of every method, for experts and mixture."""
    wide: dict[tuple[str, str], Row] = {}
    for row in found["scores"]:
        key = (row["model_class"], row["method"])
        entry = wide.setdefault(key, {"model": row["model_class"], "method": row["method"]})
        entry[row["metric"]] = row["mean"]
    columns = [("model", plain("model")), ("method", _title("method"))]
    columns += [(title, number(metric)) for metric, title in METRICS.items()]
    return _markdown(columns, list(wide.values()))


def difference_table(found: dict[str, Any]) -> str:
    """Returns the paired differences between methods: a row a metric, a column a pair."""
    shown = ("shiftsmooth-5", "shift-and-noise", "shiftsmooth-ig")
    wide: dict[tuple[str, str], Row] = {}
    pairs = {}
    for row in found["comparisons"]:
        if row["method"] not in shown:
            continue
        key = (row["metric"], row["model_class"])
        entry = wide.setdefault(key, {"metric": row["metric"], "model": row["model_class"]})
        pair = f"{COMPARED[row['method']].title} − {COMPARED[row['against']].title}"
        pairs[pair] = [f"{pair}, {name}" for name in ("difference", "low", "high")]
        entry |= zip(pairs[pair], (row["difference"], row["low"], row["high"]))
    columns = [("metric", lambda row: METRICS[row["metric"]]), ("model", plain("model"))]
    columns += [(pair, _interval_if_there(*keys)) for pair, keys in pairs.items()]
    return _markdown(columns, list(wide.values()))


def edge_table(found: dict[str, Any]) -> str:
    """Returns what wrapping round adds to ShiftSmooth over real flanks."""
    columns = [
        ("metric", lambda row: METRICS[row["metric"]]),
        ("model", plain("model_class")),
        ("N", plain("max_shift")),
        ("gradient", number("gradient")),
        ("circular", with_interval("circular", "circular_low", "circular_high", sign=True)),
        ("flanks", with_interval("flanks", "flanks_low", "flanks_high", sign=True)),
        (
            "wrap-around",
            with_interval("wrap_around", "wrap_around_low", "wrap_around_high", sign=True),
        ),
    ]
    return _markdown(columns, found["edges"])


def why_table(found: dict[str, Any]) -> str:
    """Returns what moves when the window does, with and without its ends."""
    columns = [
        ("model", plain("model_class")),
        ("N", plain("max_shift")),
        ("whole window", with_interval("whole", "whole_low", "whole_high")),
        ("without the ends", with_interval("inner", "inner_low", "inner_high")),
        ("winners that changed", number("winners")),
        ("their correlation", number("winners_correlation")),
    ]
    return _markdown(columns, found["why"])


def provenance(results: Results) -> str:
    """Returns what a report was made with, in a line."""
    told = {**results["settings"], **results["versions"]}
    return "Made with " + ", ".join(f"{key} {value}" for key, value in told.items()) + "."


def speed_table(report: str) -> str:
    """Returns the largest N's times and ratios of the benchmarks' report.

    Args:
        report: Its Markdown.
    """
    device = next(line for line in report.splitlines() if line.startswith("Device: "))
    reach, rows = benchmark_rows(report)[-1]
    short = [{key: _without_memory(cell) for key, cell in row.items()} for row in rows]
    columns = [
        (f"N = {reach}", plain("model")),
        ("one gradient", plain("one gradient")),
        ("NoiseTunnel", plain("NoiseTunnel")),
        ("ShiftSmooth", plain("ShiftSmooth")),
        ("times faster", plain("NoiseTunnel / ShiftSmooth")),
        ("gradients per call", plain("gradients per call")),
        ("limit", plain("limit")),
    ]
    return f"{_markdown(columns, short)}\n\n{device}"


def family_tables(table: str) -> str:
    """Returns the one wide table of model families as narrow ones: what a reader compares at once.

    Args:
        table: Its Markdown, with the models in the first column.
    """
    lines = [line for line in table.splitlines() if line.startswith("|")]
    head, _, *body = [[cell.strip() for cell in line[1:-1].split("|")] for line in lines]
    inside = {*FACTORS_INSIDE, "inside"}
    groups: dict[str, list[int]] = {title: [0] for title in FAMILY_TABLES}
    for i, name in enumerate(head[1:], 1):
        metric, _, what = name.partition(" ")
        if name == "validation AUROC":
            groups["Inside, AUROC"].append(i)
        elif metric in ("AUROC", "AUPRC"):
            where = "Inside" if what in inside else "Outside"
            groups[f"{where}, {metric}"].append(i)
        else:
            groups["Filters" if name.startswith("filters") else "Size and speed"].append(i)
    parts = []
    for title, kept in groups.items():
        rows = [[row[i] for i in kept] for row in body]
        rows = [row for row in rows if any(cell != "–" for cell in row[1:])]
        short = [re.sub("^AU(ROC|PRC) ", "", head[i]) for i in kept]
        text = ["| " + " | ".join(row) + " |" for row in [short, ["---"] * len(kept), *rows]]
        parts.append("\n".join([f"**{title}**{FAMILY_TABLES[title]}", "", *text]))
    return "\n\n".join(parts)


def with_links(table: str) -> str:
    """Returns a table whose models, in the first column, lead to their pages.

    Args:
        table: Its Markdown.
    """
    known = catalog.list_models()

    def linked(found: re.Match[str]) -> str:
        name = found[1]
        return f"| [{name}](_made/{name}.md) |" if name in known else found[0]

    return re.sub(r"^\| ([\w-]+) \|", linked, table, flags=re.MULTILINE)


def _without_memory(cell: str) -> str:
    time = re.sub(r" \[.*?\]", "", cell)
    return f"{float(time):,.0f}" if re.fullmatch(r"[\d.]+e\+\d+", time) else time


def peers_table(page: str) -> str:
    """Returns the table of packages of docs/choose.md without its last column.

    Args:
        page: Its Markdown.
    """
    table = page.partition("## Beside other packages")[2].partition("| package ")
    lines = (table[1] + table[2]).partition("\n\n")[0].splitlines()
    return "\n".join(line.rsplit("|", 2)[0] + "|" for line in lines)


def benchmark_rows(report: str) -> list[tuple[int, list[Row]]]:
    """Returns, for each N in the benchmarks' report, the rows of its table.

    Args:
        report: Its Markdown.
    """
    tables = []
    for part in re.split(r"^## ", report, flags=re.MULTILINE)[1:]:
        title = re.match(r"N = (\d+)\n", part)
        if title:
            lines = [line for line in part.splitlines() if line.startswith("|")]
            head, _, *body = [[cell.strip() for cell in line[1:-1].split("|")] for line in lines]
            tables.append((int(title[1]), [dict(zip(head, row)) for row in body]))
    return sorted(tables)


def demoted(report: str) -> str:
    """Returns the benchmarks' report as part of a page: without its title, its images found."""
    body = re.sub(r"\A# .*\n", "", report)
    return re.sub(r"(!\[[^]]*\]\()(?=[\w-]+\.\w+\))", r"\1../benchmarks/", body)


def command_table() -> str:
    """Returns every command of the command line with the first sentence of its help."""
    rows = [
        {
            "command": f"`shiftsmooth {' '.join(words)}`",
            "what": re.sub(r"(?<![`\w-])--[\w-]+", r"`\g<0>`", text),  # or it becomes a dash
        }
        for words, text in pages.commands()
        if words != ["train"]
    ]
    return _markdown([("command", plain("command")), ("what it does", plain("what"))], rows)


def _title(key: str) -> Callable[[Row], str]:
    return lambda row: COMPARED[row[key]].title


def _interval_if_there(key: str, low: str, high: str) -> Callable[[Row], str]:
    shown = with_interval(key, low, high, sign=True)
    return lambda row: shown({key: None, **row})


def _markdown(columns: list[tuple[str, Callable[[Row], str]]], rows: list[Row]) -> str:
    return Table("", "", columns, rows).to_markdown().strip()


_PERFORMANCE: dict[str, Callable[[dict[str, Any]], str]] = {
    "performance": performance_table,
    "published": published_table,
    "comparisons": comparison_table,
}
_ATTRIBUTION: dict[str, Callable[[dict[str, Any]], str]] = {
    "attribution": attribution_table,
    "attribution-differences": difference_table,
    "edges": edge_table,
    "why": why_table,
}


def current() -> dict[str, str]:
    """Returns the blocks for the reports that are in this source tree."""
    results = json.loads(SUMMARY.read_text(encoding="utf-8")) if SUMMARY.is_file() else None
    return blocks(results, BENCHMARKS.read_text("utf-8") if BENCHMARKS.is_file() else None)


def files() -> list[Path]:
    """Returns the files that hold blocks."""
    return [ROOT / "README.md", *sorted(HERE.glob("*.md"))]


def main() -> None:
    """Writes the blocks, or says which files have drifted."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--report", type=Path, help="a folder that shiftsmooth evaluate wrote")
    parser.add_argument("--planted", type=Path, help="one that evaluate argminn wrote")
    for name in COPIED:
        parser.add_argument(f"--{name}", type=Path, help=f"one that modelzoo.studies.{name} wrote")
    parser.add_argument("--factors", type=Path, help="one that modelzoo.studies.factors wrote")
    parser.add_argument("--robust", type=Path, help="one that modelzoo.studies.robust wrote")
    parser.add_argument("--benchmark", type=Path, help="one that evaluate benchmark wrote")
    parser.add_argument(
        "--samples", type=Path, help="one that modelzoo.studies.benchmark.samples wrote"
    )
    parser.add_argument("--check", action="store_true", help="write nothing")
    arguments = parser.parse_args()
    if arguments.report:
        text = (arguments.report / "results.json").read_text(encoding="utf-8")
        kept = json.dumps(summary(json.loads(text)), indent=1)
        # A line a row, so that a difference between two reports can be read.
        kept = re.sub(r"\{[^{}]*\}", lambda row: " ".join(row[0].split()), kept)
        SUMMARY.write_text(kept + "\n", encoding="utf-8")
    if arguments.planted:
        take_planted(arguments.planted)
    for name in COPIED:
        if report := getattr(arguments, name):
            shutil.copyfile(report / f"{name}.md", TABLES / f"{name}.md")
    if arguments.robust:
        take_robust(arguments.robust)
    if arguments.factors:
        take_factors(arguments.factors)
    if arguments.benchmark:
        take_benchmark(arguments.benchmark)
    if arguments.samples:
        shutil.copyfile(arguments.samples / "samples.md", TABLES / "benchmark-samples.md")
    made = current()
    drifted = []
    for path in files():
        text = path.read_text(encoding="utf-8")
        if filled(text, made) != text:
            drifted.append(path.name)
            if not arguments.check:
                path.write_text(filled(text, made), encoding="utf-8")
    if arguments.check and drifted:
        sys.exit(f"{', '.join(drifted)}: drifted from the reports; run python docs/tools/fill.py")


if __name__ == "__main__":
    main()
