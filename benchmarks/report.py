"""Writes the report of a benchmark run: python benchmarks/report.py RUN.json REPORT.md"""

import json
import sys
from collections import defaultdict
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import torch

SHARED = "ShiftSmooth, trunk='auto'"
BOUNDS = """\
Bounds: `ShiftSmooth` at most 1.15 times the black box at its best chunking, never slower than
NoiseTunnel and at most half its time on the one-layer and the dilated CNN, within 15 % of the best
fixed `shifts_per_eval`, and at least 20 times faster than the paper's loop; with `trunk="auto"` and
N = 10 at least 8, 7, 2.5 and 2 times faster than NoiseTunnel on the dilated, one-layer, Basset-like
and DeepBind models, and never above the black box.
"""


def main(run: Path, report: Path) -> None:
    """Reads pytest-benchmark's JSON and writes the Markdown report and its plot."""
    data = json.loads(run.read_text())
    cells: dict[tuple[int, str], dict[str, tuple[float, float]]] = defaultdict(dict)
    growth: dict[str, dict[tuple[str, str], list[tuple[int, float]]]] = defaultdict(dict)
    device = "cpu"
    for bench in data["benchmarks"]:
        info, seconds = bench["extra_info"], bench["stats"]["min"]
        device = info["device"]
        if "growth" in info:
            line = growth[info["growth"]].setdefault((info["shape"], info["method"]), [])
            line.append((info["reach"], seconds))
        else:
            entry = (1e3 * seconds, info["memory"] / 2**20)
            cells[info["reach"], info["shape"]][info["method"]] = entry

    text = ["# Benchmarks", "", machine(data, device), ""]
    text.append(
        "Fastest of several rounds, in milliseconds, with MiB of peak memory in brackets. The "
        "black box is the gradient of rolled copies at its best chunk size, the floor for a method "
        "that only runs the model; NoiseTunnel takes 2N + 1 samples; the paper's loop takes one "
        "shift of one sequence at a time. The models and inputs are in `shapes.py`. Written by "
        "`make bench`."
    )
    for reach in sorted({reach for reach, _ in cells}):
        text += ["", f"## N = {reach}", ""]
        text += table({s: c for (r, s), c in cells.items() if r == reach})
    text += ["", BOUNDS]
    if growth:
        picture = report.with_name(f"growth-{device}.png")
        draw(growth, picture)
        text += ["## Growth with N and with the length", "", f"![times]({picture.name})", ""]
        text += growth_table(growth)
    report.write_text("\n".join(text) + "\n")
    print(report.read_text())


def machine(data: dict, device: str) -> str:
    """Which machine it was, in a line."""
    cpu = data["machine_info"]["cpu"]
    where = f"{cpu.get('brand_raw', 'unknown CPU')}, {torch.get_num_threads()} threads"
    if device == "cuda":
        where = f"{torch.cuda.get_device_name()}; {where}"
    return f"Device: {device} ({where}). torch {torch.__version__}."


def best(cell: dict[str, tuple[float, float]], kind: str) -> tuple[str, tuple[float, float]]:
    """The fastest chunk size of a kind of method, and its figures."""
    name = min((name for name in cell if name.startswith(kind + ", ")), key=lambda name: cell[name])
    return name.split(", ")[1], cell[name]


def table(cells: dict[str, dict[str, tuple[float, float]]]) -> list[str]:
    """Times and ratios of one N."""
    head = [
        "model", "one gradient", "black box (chunk)", "best fixed (chunk)", "ShiftSmooth",
        "trunk='auto'", "NoiseTunnel", "paper's loop", "ShiftSmooth / black box",
        "ShiftSmooth / best fixed", "NoiseTunnel / ShiftSmooth", "NoiseTunnel / auto",
        "auto / black box", "loop / ShiftSmooth",
    ]  # fmt: skip
    rows = ["| " + " | ".join(head) + " |", "|---" * len(head) + "|"]
    for shape, cell in cells.items():
        chunk, floor = best(cell, "black box")
        fixed_chunk, fixed = best(cell, "fixed")
        smooth, shared = cell["ShiftSmooth"], cell[SHARED]
        noise, loop = cell["NoiseTunnel"], cell["paper's loop"]
        row = [
            shape,
            figures(cell["gradient"]),
            f"{figures(floor)} ({chunk})",
            f"{figures(fixed)} ({fixed_chunk})",
            figures(smooth),
            figures(shared),
            figures(noise),
            figures(loop),
            *(
                f"{a[0] / b[0]:.2f}"
                for a, b in [
                    (smooth, floor), (smooth, fixed), (noise, smooth), (noise, shared),
                    (shared, floor), (loop, smooth),
                ]
            ),
        ]  # fmt: skip
        rows.append("| " + " | ".join(row) + " |")
    return rows


def figures(cell: tuple[float, float]) -> str:
    """Milliseconds and MiB."""
    return f"{cell[0]:.3g} [{cell[1]:.0f}]"


def growth_table(growth: dict) -> list[str]:
    """Milliseconds by N and by length."""
    rows = []
    for axis, lines in growth.items():
        values = [value for value, _ in next(iter(lines.values()))]
        rows += [f"| model | method | {' | '.join(f'{axis} = {v}' for v in values)} |"]
        rows += ["|---" * (len(values) + 2) + "|"]
        for (shape, name), line in lines.items():
            times = " | ".join(f"{1e3 * seconds:.3g}" for _, seconds in line)
            rows.append(f"| {shape} | {name} | {times} |")
        rows.append("")
    return rows


def draw(growth: dict, picture: Path) -> None:
    """Time against N and against the length, for what is shared and what is not."""
    figure, axes = plt.subplots(1, len(growth), figsize=(10, 4), layout="constrained")
    for ax, (axis, lines) in zip(axes, growth.items()):
        for (shape, name), line in lines.items():
            color = "C0" if shape.startswith("dilated") else "C1"
            style = "-" if name == SHARED else "--"
            ax.plot(*zip(*[(v, 1e3 * s) for v, s in line]), style, color=color, marker="o")
            ax.annotate(
                f"{shape}, {'shared' if name == SHARED else 'once a shift'}",
                (line[-1][0], 1e3 * line[-1][1]),
                textcoords="offset points",
                xytext=(-4, 6),
                ha="right",
                color=color,
                fontsize=8,
            )
        ax.set_xscale("log")
        ax.set_yscale("log")
        ax.set_xticks([v for v, _ in line], [str(v) for v, _ in line])
        ax.minorticks_off()
        ax.set_xlabel("N (shifts -N to N)" if axis == "N" else "length in positions (N = 10)")
        ax.set_ylabel("milliseconds a batch")
        ax.spines[["top", "right"]].set_visible(False)
        ax.grid(alpha=0.3)
    figure.savefig(picture, dpi=110)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
