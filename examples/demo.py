"""ShiftSmooth in a minute: train a small CNN on planted motifs, explain it three ways, look.

    python examples/demo.py [folder]

Sequences of 101 bases are positive if they hold both a GATA and an AP-1 site, which the network has
to find out for itself. Because the sites are known, each method can be told how often it is right.
Writes sequence logos to the folder (default: demo) and prints a table.
"""

import argparse
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import torch
from captum.attr import NoiseTunnel, Saliency
from torch import Tensor, nn

from shiftsmooth import ShiftSmooth, metrics
from shiftsmooth.plot import Motif, plot_logos

LENGTH, ALPHABET = 101, "ACGT"
SITES = {"GATA": "AGATAAG", "AP-1": "TGACTCA"}
MAX_SHIFT = 5


def simulate(count: int, generator: torch.Generator) -> tuple[Tensor, Tensor, Tensor]:
    """Random sequences with sites; about half hold both.

    Returns:
        One-hot sequences (count, 4, LENGTH), labels (count,), and where the GATA and AP-1 sites
        start (count, 2), -1 for one that is missing.
    """

    def draw(*shape: int, below: int) -> Tensor:
        return torch.randint(below, shape, generator=generator)

    letters = draw(count, LENGTH, below=4)
    labels = draw(count, below=2)
    # One site on each side of the middle, in either order; negatives lack one of them, or both.
    starts = torch.stack([10 + draw(count, below=30), 55 + draw(count, below=30)], 1)
    swapped = draw(count, below=2).bool()
    starts[swapped] = starts[swapped].flip(1)
    kept = draw(count, below=3)
    for site, motif in enumerate(SITES.values()):
        starts[(labels == 0) & (kept != site), site] = -1
        rows = (starts[:, site] >= 0).nonzero().squeeze(1)
        columns = starts[rows, site, None] + torch.arange(len(motif))
        planted = torch.tensor([ALPHABET.index(letter) for letter in motif]).expand(len(rows), -1)
        worn = torch.rand(planted.shape, generator=generator) < 0.05  # as real sites are
        planted = planted.where(~worn, draw(*planted.shape, below=4))
        letters[rows[:, None], columns] = planted
    return nn.functional.one_hot(letters, 4).mT.float(), labels.float(), starts


def network() -> nn.Module:
    """A small CNN with strides: what it sees of a site depends on where its windows lie."""
    return nn.Sequential(
        nn.Conv1d(4, 32, 11, padding=5, stride=4), nn.ReLU(),
        nn.Conv1d(32, 32, 5, padding=2, stride=2), nn.ReLU(),
        nn.Flatten(), nn.Dropout(0.2), nn.Linear(32 * 13, 1), nn.Flatten(0),
    )  # fmt: skip


def train(model: nn.Module, x: Tensor, labels: Tensor, epochs: int = 8) -> None:
    """Fit the model to the labels and leave it in eval mode."""
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    model.train()
    for _ in range(epochs):
        for rows in torch.randperm(len(x)).split(64):
            loss = nn.functional.binary_cross_entropy_with_logits(model(x[rows]), labels[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    model.eval()


def mutagenesis(score: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    """How much the score falls, on average, when each base is replaced by another: (B, LENGTH)."""
    falls = torch.zeros(len(x), LENGTH)
    with torch.no_grad():
        before = score(x)
        for position in range(LENGTH):
            for step in (1, 2, 3):
                mutant = x.clone()
                mutant[:, :, position] = mutant[:, :, position].roll(step, 1)
                falls[:, position] += (before - score(mutant)) / 3
    return falls


def explainers(model: nn.Module) -> dict[str, Callable[[Tensor], Tensor]]:
    """Three methods, each giving the contribution of the base that is present: (B, LENGTH)."""

    def contribution(gradient: Tensor, x: Tensor) -> Tensor:
        # What adds to all four letters at once is not a change of sequence.
        return ((gradient - gradient.mean(1, keepdim=True)) * x).sum(1)

    saliency, tunnel, shift = Saliency(model), NoiseTunnel(Saliency(model)), ShiftSmooth(model)
    copies = 2 * MAX_SHIFT + 1
    return {
        "Saliency": lambda x: contribution(saliency.attribute(x, abs=False), x),
        "NoiseTunnel": lambda x: contribution(
            tunnel.attribute(x, nt_samples=copies, stdevs=0.2, abs=False), x
        ),
        "ShiftSmooth": lambda x: contribution(shift.attribute(x, max_shift=MAX_SHIFT), x),
    }


def judge(model: nn.Module, x: Tensor, mask: Tensor) -> dict[str, Tensor]:
    """Print a table of metrics, and return each method's attributions."""

    def over_shifts(x: Tensor) -> Tensor:
        shifts = range(-MAX_SHIFT, MAX_SHIFT + 1)
        return torch.stack([model(x.roll(n, -1)) for n in shifts]).mean(0)

    some = x[:60]
    references = [mutagenesis(model, some), mutagenesis(over_shifts, some)]
    print(f"{len(x)} sequences with both sites; 1 is best in every column")
    print(f"{'':13}{'finds the sites':>20}{'agrees with ISM':>20}{'is stable when':>20}")
    heads = ("AUROC", "top 14", "here", "shifted", "shifted", "mutated")
    print(f"{'':13}" + "".join(f"{head:>10}" for head in heads))
    attributions = {}
    for name, explain in explainers(model).items():
        attributions[name] = a = explain(x)
        columns = [
            metrics.auroc(a, mask),
            metrics.top_k_hit_rate(a, mask),
            *(metrics.faithfulness(a[:60], reference) for reference in references),
            metrics.shift_stability(explain, x, (-3, -2, -1, 1, 2, 3)),
            metrics.mutation_stability(explain, x, mask, n_trials=5),
        ]
        print(f"{name:13}" + "".join(f"{column.nanmean().item():10.3f}" for column in columns))
    print(
        "ISM: in-silico mutagenesis, of the score in this window and of its mean over the windows\n"
        "up to 5 bases away. Saliency explains the first and ShiftSmooth the second.\n"
    )
    return attributions


def main() -> None:
    """Run the demo."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", nargs="?", type=Path, default=Path("demo"))
    folder = parser.parse_args().folder
    folder.mkdir(parents=True, exist_ok=True)
    warnings.filterwarnings("ignore", "Input Tensor 0 did not already require gradients")
    torch.set_num_threads(1)  # a network this small only waits for a second
    torch.manual_seed(0)
    generator = torch.Generator().manual_seed(0)

    started = time.perf_counter()
    model = network()
    train(model, *simulate(10_000, generator)[:2])
    x, labels, starts = simulate(1000, generator)
    with torch.no_grad():
        score = model(x)
    right = ((score > 0) == labels.bool()).double().mean()
    print(f"trained in {time.perf_counter() - started:.0f} s, {right:.0%} of 1,000 new right\n")

    x, starts = (tensor[(labels == 1) & (score > 0)][:200] for tensor in (x, starts))
    mask = torch.zeros(len(x), LENGTH, dtype=torch.bool)
    for site, motif in enumerate(SITES.values()):
        mask.scatter_(1, starts[:, site, None] + torch.arange(len(motif)), True)
    attributions = judge(model, x, mask)

    for i in range(3):
        sites = zip(SITES.items(), starts[i].tolist())
        figure = plot_logos(
            {name: values[i] for name, values in attributions.items()},
            x[i],
            motifs=[Motif(start, start + len(motif), name) for (name, motif), start in sites],
            width=10,
        )
        figure.savefig(folder / f"sequence_{i + 1}.png")
    print(f"look at {folder / 'sequence_1.png'}, 2 and 3: the planted sites are boxed")


if __name__ == "__main__":
    main()
