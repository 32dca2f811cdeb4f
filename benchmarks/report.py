"""Writes the report of a benchmark run: python benchmarks/report.py RUN.json REPORT.md"""

import json
import sys
from collections import defaultdict
from pathlib import Path
from statistics import median

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
from methods import APART, REFERENCES, SHARED, STEPS

HOW = f"""\
The fastest of five rounds, in milliseconds, with MiB of peak memory in brackets. A ratio is the
median of those of five rounds, with the smallest and the largest in brackets; in a round all
methods run one after the other, each once more before it is timed. `{SHARED}` shares where that is
faster, as it does by default. The black box is the gradient of rolled copies at its best chunk
size, the least for a method that only runs the model; "best fixed" is `{APART}` with its best
`shifts_per_eval`; NoiseTunnel takes 2N + 1 samples; the paper's loop takes one shift of one
sequence at a time (on a GPU four sequences are timed, and the time of the batch is in proportion).
The limit counts multiplications, in gradients: each column of a map that differs from all others
once (`limit.py`). The models and inputs are in `shapes.py`. Written by `make bench`."""
GOALS = """\
What was to be reached, and the worst median of this run. At the edge of a bound a run on another
day may say otherwise."""
GRADIENTS = {"DeepBind": 9.5, "one-layer": 2.0, "Basset-like": 5.5, "dilated": 2.2}
OVER_IG = {"DeepBind": 2.5, "Basset-like": 2.5, "dilated": 1.5}
ON_GPU = ("one-layer", "dilated")
PATHS = f"""\
Integrated Gradients with {STEPS} steps, in milliseconds, and ShiftSmooth over it with N = 5. The
limit is that of one gradient of F: no exact way multiplies less."""
PRECISIONS = "N = 10. Other tables are in float32 without TF32."
FIELD = f"""\
One sequence, N = 5, {REFERENCES} references, all mutations of all positions; in gradients. A dash:
the method does not take the model."""
PLAIN, BOX, FIXED, NOISE, LOOP = (
    "gradient", "black box", "best fixed", "NoiseTunnel", "paper's loop",
)  # fmt: skip
OVER = ("ShiftSmooth over IG", "IG")
RATIOS = {
    "gradients per call": (SHARED, PLAIN),
    f"{SHARED} / black box": (SHARED, BOX),
    f"NoiseTunnel / {SHARED}": (NOISE, SHARED),
    f"{APART} / black box": (APART, BOX),
    f"{APART} / best fixed": (APART, FIXED),
    f"loop / {APART}": (LOOP, APART),
}

Times = dict[str, list[float]]


def main(run: Path, report: Path) -> None:
    """Reads pytest-benchmark's JSON and writes the Markdown report and its plot."""
    data = json.loads(run.read_text())
    tables: dict[str, list[dict]] = defaultdict(list)
    for bench in data["benchmarks"]:
        tables[bench["extra_info"]["table"]].append(bench["extra_info"])
    device = data["benchmarks"][0]["extra_info"]["device"]
    text = ["# Benchmarks", "", machine(data), "", HOW]
    for reach in sorted(int(name[4:]) for name in tables if name.startswith("N = ")):
        text += ["", f"## N = {reach}", "", *table(tables[f"N = {reach}"])]
    text += ["", "## Goals", "", GOALS, "", *goals(tables, device)]
    if tables["field"]:
        text += ["", "## Against the field", "", FIELD, "", *across(tables["field"])]
    if tables["paths"]:
        text += ["", "## Over Integrated Gradients", "", PATHS, "", *smoothed(tables["paths"])]
    if device == "cuda":
        text += ["", "## Precisions", "", PRECISIONS, "", *precisions(tables["precisions"])]
    axes = {axis: tables[axis] for axis in ("N", "L") if tables[axis]}
    if axes:
        picture = report.with_name(f"growth-{device}.png")
        draw(axes, picture)
        text += ["", "## Growth with N and with the length", "", f"![times]({picture.name})"]
        for axis, rows in axes.items():
            text += ["", *growth(axis, rows)]
    report.write_text("\n".join(text) + "\n")
    print(report.read_text())


def machine(data: dict) -> str:
    """Which machine it was, in a line."""
    info = data["benchmarks"][0]["extra_info"]
    cpu = data["machine_info"]["cpu"].get("brand_raw", "unknown CPU")
    return f"Device: {info['device']} ({cpu}, {info['machine']})."


def goals(tables: dict[str, list[dict]], device: str) -> list[str]:
    """What was to be reached, what was measured, and whether that is enough."""
    ten, every = tables["N = 10"], [*tables["N = 2"], *tables["N = 10"]]
    if device == "cuda":
        found = [
            (f"NoiseTunnel / {SHARED}, {shape}, N = 10", ">=", 5, [NOISE, SHARED], at(ten, shape))
            for shape in ON_GPU
        ]
    else:
        found = [
            (f"gradients per call, {shape}, N = 10", "<=", bound, [SHARED, PLAIN], at(ten, shape))
            for shape, bound in GRADIENTS.items()
        ]
        found += [
            (f"ShiftSmooth over IG / IG, {shape}", "<=", bound, OVER, at(tables["paths"], shape))
            for shape, bound in OVER_IG.items()
        ]
    found += [
        (f"{SHARED} / black box", "<=", 1.05, [SHARED, BOX], every),
        (f"NoiseTunnel / {SHARED}", ">=", 1.0, [NOISE, SHARED], every),
        (f"{APART} / black box", "<=", 1.15, [APART, BOX], every),
        (f"{APART} / best fixed", "<=", 1.15, [APART, FIXED], every),
        (f"loop / {APART}", ">=", 20, [LOOP, APART], every),
    ]
    lines = [["goal", "bound", "worst", "of", "reached"], ["---"] * 5]
    for name, sign, bound, pair, rows in found:
        if not rows:
            continue
        worst = max if sign == "<=" else min
        value, shape = worst((middle(row["seconds"], *pair), row["shape"]) for row in rows)
        reached = value <= bound if sign == "<=" else value >= bound
        lines.append([name, f"{sign} {bound}", f"{value:.2f}", shape, "yes" if reached else "no"])
    return markdown(lines)


def at(rows: list[dict], shape: str) -> list[dict]:
    """The rows of a shape."""
    return [row for row in rows if row["shape"].startswith(shape)]


def middle(seconds: Times, one: str, other: str) -> float:
    """The median over rounds of one time by the other."""
    return median(a / b for a, b in zip(seconds[one], seconds[other]))


def ratio(seconds: Times, one: str, other: str) -> str:
    """The median over rounds of one time by the other, and the smallest and largest."""
    found = sorted(a / b for a, b in zip(seconds[one], seconds[other]))
    if not found:
        return "-"
    return f"{median(found):.2f} ({found[0]:.2f} - {found[-1]:.2f})"


def table(rows: list[dict]) -> list[str]:
    """Times and ratios of one N."""
    times = [PLAIN, SHARED, BOX, NOISE, APART, LOOP]
    head = ["model", *times, "limit", *RATIOS]
    head = ["one gradient" if name == PLAIN else name for name in head]
    lines = [head, ["---"] * len(head)]
    for row in rows:
        cells = [figures(row, name) for name in times]
        cells[times.index(BOX)] += f" at {row['chunks'][BOX]}"
        least = "-" if row["limit"] is None else f"{row['limit']:.2f}"
        ratios = [ratio(row["seconds"], *pair) for pair in RATIOS.values()]
        lines.append([row["shape"], *cells, least, *ratios])
    return markdown(lines)


def figures(row: dict, name: str) -> str:
    """Milliseconds and MiB."""
    return f"{1e3 * min(row['seconds'][name]):.3g} [{max(0, row['memory'][name]) / 2**20:.0f}]"


def across(rows: list[dict]) -> list[str]:
    """Methods of the field, one a line, and models."""
    names = dict.fromkeys(name for row in rows for name in (*row["seconds"], *row["failed"]))
    lines = [["method", *(row["shape"] for row in rows)], ["---"] * (len(rows) + 1)]
    for name in names:
        if name != PLAIN:
            cells = [
                ratio(row["seconds"], name, PLAIN) if name in row["seconds"] else "-"
                for row in rows
            ]
            lines.append([name, *cells])
    return markdown(lines)


def smoothed(rows: list[dict]) -> list[str]:
    """ShiftSmooth over Integrated Gradients beside Integrated Gradients."""
    one, other = OVER
    lines = [["model", "IG, milliseconds", f"{one} / IG", "limit"], ["---"] * 4]
    for row in rows:
        fastest = f"{1e3 * min(row['seconds'][other]):.3g}"
        least = f"{row['counted']:.2f}" if "counted" in row else "-"
        lines.append([row["shape"], fastest, ratio(row["seconds"], one, other), least])
    return markdown(lines)


def precisions(rows: list[dict]) -> list[str]:
    """Times and ratios in each precision."""
    pairs = [(SHARED, PLAIN), (NOISE, SHARED), (APART, SHARED)]
    head = ["model", "precision", "one gradient, milliseconds", "gradients per call"]
    lines = [[*head, *(f"{one} / {other}" for one, other in pairs[1:])], ["---"] * 6]
    for row in rows:
        fastest = f"{1e3 * min(row['seconds'][PLAIN]):.3g}"
        there = row["seconds"].keys()
        ratios = [ratio(row["seconds"], *pair) if there >= {*pair} else "-" for pair in pairs]
        lines.append([row["shape"], row["precision"], fastest, *ratios])
    return markdown(lines)


def curves(rows: list[dict]) -> dict[tuple[str, str], list[tuple[int, float]]]:
    """For each model and method the values of an axis, and milliseconds."""
    found: dict[tuple[str, str], list[tuple[int, float]]] = defaultdict(list)
    for row in rows:
        for name, seconds in row["seconds"].items():
            found[row["shape"], name].append((row["value"], 1e3 * min(seconds)))
    return found


def growth(axis: str, rows: list[dict]) -> list[str]:
    """Milliseconds by N or by length."""
    lines = curves(rows)
    values = [value for value, _ in next(iter(lines.values()))]
    head = ["model", "method", *(f"{axis} = {value}" for value in values)]
    body = [[*key, *(f"{ms:.3g}" for _, ms in line)] for key, line in lines.items()]
    return markdown([head, ["---"] * len(head), *body])


def markdown(lines: list[list[str]]) -> list[str]:
    """The lines of a Markdown table."""
    return [f"| {' | '.join(cells)} |" for cells in lines]


def draw(axes: dict[str, list[dict]], picture: Path) -> None:
    """Time against N and against the length, for what is shared and what is not."""
    figure, plots = plt.subplots(1, len(axes), figsize=(5 * len(axes), 4), layout="constrained")
    for ax, (axis, rows) in zip(plots if len(axes) > 1 else [plots], axes.items()):
        for (shape, name), line in curves(rows).items():
            color = "C0" if shape.startswith("dilated") else "C1"
            ax.plot(*zip(*line), "-" if name == SHARED else "--", color=color, marker="o")
            ax.annotate(
                f"{shape}, {'shared' if name == SHARED else 'once per shift'}",
                line[-1],
                textcoords="offset points",
                xytext=(-4, 6),
                ha="right",
                color=color,
                fontsize=8,
            )
        ax.set_xscale("log")
        ax.set_yscale("log")
        ax.set_xticks([value for value, _ in line], [f"{value:,}" for value, _ in line])
        ax.minorticks_off()
        ax.set_xlabel("N (shifts -N to N)" if axis == "N" else "length in positions (N = 10)")
        ax.set_ylabel("milliseconds per batch")
        ax.spines[["top", "right"]].set_visible(False)
        ax.grid(alpha=0.3)
    figure.savefig(picture, dpi=110)
    plt.close(figure)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
