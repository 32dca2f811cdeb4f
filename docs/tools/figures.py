"""Draws the explanatory figures of the site: python docs/tools/figures.py

images/how.svg    one sequence shifted, explained and shifted back: a gradient that is computed
images/trunk.svg  how a trunk is shared between shifts
images/genome.svg windows along a chromosome, one base in many of them: gradients that are computed
"""

from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import torch
from matplotlib.axes import Axes
from matplotlib.patches import FancyArrowPatch, Rectangle
from torch import Tensor, nn

from shiftsmooth import scan

IMAGES = Path(__file__).parents[1] / "images"
COLORS = {"A": "#2a9d4a", "C": "#3063b5", "G": "#e8a317", "T": "#d1273f"}
INK, GREY = "#333333", "#8a8a8a"
SEQUENCE = "CTAGTACAGATAAGCTCAGT"
MOTIF = (7, 14)
MAX_SHIFT = 2
WINDOW = 30  # of the figure of a chromosome


def gradients() -> dict[int, Tensor]:
    """Return what each letter contributes in each shifted window, where it then stands.

    The model has one filter, for the boxed motif, and looks at every third position only.
    """
    letters = torch.tensor(["ACGT".index(letter) for letter in SEQUENCE])
    x = nn.functional.one_hot(letters, 4).mT[None].float()
    conv = nn.Conv1d(4, 1, 7, padding=3, stride=3, bias=False)
    with torch.no_grad():
        conv.weight[0] = x[0, :, slice(*MOTIF)] - 0.25
    found = {}
    for n in range(-MAX_SHIFT, MAX_SHIFT + 1):
        window = x.roll(n, -1).requires_grad_()
        score = nn.functional.softplus(2 * conv(window) - 4).sum()
        (gradient,) = torch.autograd.grad(score, window)
        gradient = gradient - gradient.mean(1, keepdim=True)
        found[n] = (gradient * window).sum(1)[0].detach()
    return found


def letters(ax: Axes, text: str, marked: range) -> None:
    """Draws the sequence; the letters that wrapped round have a frame."""
    for i, letter in enumerate(text):
        ax.add_patch(Rectangle((i - 0.5, 0), 1, 1, color=COLORS[letter], alpha=0.75, lw=0))
        ax.text(i, 0.46, letter, ha="center", va="center", color="white", size=9, weight="bold")
        if i in marked:
            ax.add_patch(Rectangle((i - 0.44, 0.06), 0.88, 0.88, fill=False, ec=INK, lw=1.4))
    ax.set(xlim=(-0.6, len(text) - 0.4), ylim=(-0.1, 1.1))
    ax.set_axis_off()


def bars(ax: Axes, values: Tensor, top: float, color: str, first: int) -> None:
    """Draws an attribution, the motif's place behind it."""
    ax.axvspan(first - 0.5, first + MOTIF[1] - MOTIF[0] - 0.5, color="#e4e0f2", lw=0)
    ax.bar(range(len(values)), values.tolist(), color=color, width=0.8)
    ax.axhline(0, color=GREY, lw=0.6)
    ax.set(xlim=(-0.6, len(values) - 0.4), ylim=(-0.15 * top, 1.05 * top))
    ax.set_axis_off()


def how() -> None:
    """Draws images/how.svg."""
    found = gradients()
    top = max(float(values.max()) for values in found.values())
    length = len(SEQUENCE)
    figure, axes = plt.subplots(
        len(found) + 1, 3, figsize=(10.5, 5.2), gridspec_kw={"wspace": 0.12, "hspace": 0.35}
    )
    for ax, title in zip(axes[0], ("shift the sequence", "attribute", "shift back")):
        ax.set_title(title, size=12, color=INK, pad=12)
    for row, (n, values) in zip(axes, found.items()):
        wrapped = range(n) if n > 0 else range(length + n, length)
        letters(row[0], SEQUENCE[-n:] + SEQUENCE[:-n] if n else SEQUENCE, wrapped)
        row[0].text(-1.0, 0.5, f"n = {n}".replace("-", "−"), ha="right", va="center", color=INK)
        bars(row[1], values, top, GREY, MOTIF[0] + n)
        bars(row[2], values.roll(-n), top, GREY, MOTIF[0])
    letters(axes[-1][0], SEQUENCE, range(0))
    axes[-1][1].set_axis_off()
    axes[-1][1].set(xlim=(0, 1), ylim=(0, 1))
    axes[-1][1].text(1.0, 0.4, "the average", ha="right", va="center", size=12, color=INK)
    mean = torch.stack([values.roll(-n) for n, values in found.items()]).mean(0)
    bars(axes[-1][2], mean, float(mean.max()), "#5b4bb3", MOTIF[0])
    figure.savefig(IMAGES / "how.svg", bbox_inches="tight", metadata={"Date": None})


def block(
    ax: Axes, x: float, y: float, width: float, text: str, color: str, ink: str = INK
) -> None:
    """Draws a box with a text in it."""
    ax.add_patch(Rectangle((x, y), width, 0.62, fc=color, ec="white", lw=1.2))
    ax.text(x + width / 2, y + 0.29, text, ha="center", va="center", size=9, color=ink)


def arrow(ax: Axes, start: tuple[float, float], end: tuple[float, float]) -> None:
    """Draws an arrow."""
    ax.add_patch(FancyArrowPatch(start, end, arrowstyle="-|>", mutation_scale=10, color=GREY, lw=1))


def trunk() -> None:
    """Draws images/trunk.svg."""
    figure, ax = plt.subplots(figsize=(10.5, 4.7))
    light, core, end = "#dcd8f0", "#b9b0e3", "#f0b36b"
    block(ax, 3, 5.6, 2, "x, its end", light)
    block(ax, 5, 5.6, 10, "x", light)
    block(ax, 15, 5.6, 2, "x, its start", light)
    ax.text(
        2.7, 5.9, "the sequence, N more\npositions on each side", ha="right", va="center", size=9
    )
    arrow(ax, (10, 5.5), (10, 4.95))
    ax.text(10.2, 5.2, "the trunk, once", va="center", size=9)
    block(ax, 3, 4.2, 14, "feature maps of all shifts", core)
    for row, (n, y) in enumerate(((2, 2.9), (0, 2.0), (-2, 1.1))):
        start = 5 - n
        if not row:
            arrow(ax, (start + 5, 4.1), (start + 5, 3.62))
            ax.text(start + 5.2, 3.85, "slices of them", va="center", size=9)
        block(ax, start, y, 0.9, "", end)
        block(ax, start + 0.9, y, 8.2, "", core)
        block(ax, start + 9.1, y, 0.9, "", end)
        label = f"window of shift {n}".replace("-", "−")
        ax.text(2.7, y + 0.3, label, ha="right", va="center", size=9)
        arrow(ax, (17.3, y + 0.3), (18.2, y + 0.3))
        block(ax, 18.3, y, 1.6, "head", light)
    ax.add_patch(Rectangle((3, 0.15), 0.9, 0.45, fc=end, lw=0))
    ax.text(
        4.1, 0.37, "what sees the model's own padding: computed for each shift, from short crops",
        va="center", size=9,
    )  # fmt: skip
    ax.set(xlim=(-1.2, 20), ylim=(0, 6.4))
    ax.set_axis_off()
    figure.savefig(IMAGES / "trunk.svg", bbox_inches="tight", metadata={"Date": None})


def along() -> tuple[list[Tensor], Tensor]:
    """Return the contributions in each window along a short chromosome, and their mean."""
    flank = "TCGATTCAGGCTAACTGCAT"
    text = flank + SEQUENCE[MOTIF[0] : MOTIF[1]] + flank[::-1]
    codes = torch.tensor(["ACGT".index(letter) for letter in text])
    x = nn.functional.one_hot(codes, 4).mT.float()
    conv = nn.Conv1d(4, 1, 7, padding=3, stride=3, bias=False)
    with torch.no_grad():
        conv.weight[0] = x[:, len(flank) : len(flank) + 7] - 0.25

    def model(window: Tensor) -> Tensor:
        return nn.functional.softplus(2 * conv(window) - 4).sum((1, 2))[:, None]

    options: dict[str, Any] = {"window": WINDOW, "share": False, "device": "cpu"}
    count = len(text) - WINDOW + 1
    each = [scan(model, x[:, k : k + WINDOW], **options).attributions for k in range(count)]
    mean = scan(model, x, **options).attributions
    assert mean is not None
    return [found.sum(0) for found in each if found is not None], mean.sum(0)


def genome() -> None:
    """Draws images/genome.svg."""
    each, mean = along()
    top, length = max(float(values.max()) for values in each), len(mean)
    shown = range(1, len(each), 5)
    figure, axes = plt.subplots(len(shown) + 1, 1, figsize=(8, 4.6), gridspec_kw={"hspace": 0.25})
    base = length // 2
    for ax, k in zip(axes, shown):
        ax.add_patch(Rectangle((k - 0.5, -0.1 * top), WINDOW, 1.15 * top, fc="#ece9f7", lw=0))
        ax.bar(range(k, k + WINDOW), each[k].tolist(), color=GREY, width=0.8)
    axes[0].set_title("the same model in windows along a chromosome", size=11, color=INK)
    axes[-1].bar(range(length), mean.tolist(), color="#5b4bb3", width=0.8)
    axes[-1].text(-0.5, 0.75 * top, "the mean of all windows that hold a base", size=10)
    for ax in axes:
        ax.axvline(base, color="#f0b36b", lw=1, zorder=0)
        ax.set(xlim=(-0.6, length - 0.4), ylim=(-0.15 * top, 1.1 * top))
        ax.set_axis_off()
    figure.savefig(IMAGES / "genome.svg", bbox_inches="tight", metadata={"Date": None})


def main() -> None:
    """Draws all figures; the same each time."""
    plt.rcParams.update({"svg.hashsalt": "shiftsmooth", "svg.fonttype": "path", "text.color": INK})
    how()
    trunk()
    genome()


if __name__ == "__main__":
    main()
