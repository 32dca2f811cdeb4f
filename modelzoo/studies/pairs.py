"""What a model can learn of pairs of motifs, on simulated pairs whose answer is known.

    python -m modelzoo.studies.pairs -o FOLDER

Two tasks. Heterotypic: both motifs are there or neither, against one of them, so that no sum of
what they say alone can tell. Homotypic: two copies of a motif, against one or none. Then one motif
slides past the other, or past itself, and what is left beyond the sum of the two
(`modelzoo.attribution.motif_pairs`) is positive for a model to which the pair is more than its
parts.
Units of an ExplaiNN do not interact, so it has a heterotypic pair only as far as one unit answers
to both motifs; without fully connected layers a unit sees the best copy alone, so that a second
one adds less than the first.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from modelzoo.architectures.cnn1 import CNN1
from modelzoo.architectures.explainn import ExplaiNN
from modelzoo.attribution.motif_pairs import Interaction, distance_dependence, draw
from modelzoo.sequences import encode
from modelzoo.training.multitask import Build, MultiTaskParams, train_multitask
from modelzoo.zoo.hub import load

FIRST, SECOND, NOTHING = "AGATAAGA", "TGACTCAT", "GGGCT"
WIDTH = len(FIRST)  # and of the second
TASKS = ("heterotypic", "homotypic")
COUNT, HELD_OUT = 4000, 1000  # sequences of an epoch, and to validate by
PARAMS = MultiTaskParams(epochs=12)
MODELS: dict[str, Build] = {
    "explainn": lambda tasks, length: ExplaiNN(16, tasks=tasks, length=length),
    "explainn-without-layers": lambda tasks, length: ExplaiNN(
        16, hidden=0, tasks=tasks, length=length
    ),
    "cnn1": lambda tasks, length: CNN1(tasks=tasks, length=length),
}


class Pairs:
    """Simulated pairs, single motifs and sequences without; new ones in every epoch.

    Half of the sequences are of either task, and half of those are positives. Half of what may be
    without motifs is: heterotypic positives, homotypic negatives. Motifs lie anywhere without
    overlap.
    """

    def __init__(self) -> None:
        self.tasks: tuple[str, ...] = TASKS
        self.length = 101
        self.sources: dict[Path, str] = {}
        self.held_out = self._draw(HELD_OUT, (2**31,))

    def epoch(self, epoch: int, seed: int) -> tuple[np.ndarray, Tensor]:
        """Return the codes and labels of an epoch."""
        return self._draw(COUNT, (seed, epoch))

    def _draw(self, count: int, seed: tuple[int, ...]) -> tuple[np.ndarray, Tensor]:
        generator = np.random.default_rng(seed)
        codes = generator.integers(0, 4, (count, self.length), dtype=np.uint8)
        labels = torch.full((count, 2), torch.nan)
        for row in range(count):
            task, positive = row % 2, row // 2 % 2
            labels[row, task] = positive
            pair = (FIRST, FIRST if task else SECOND)
            motifs: tuple[str, ...] = pair if positive else (pair[generator.integers(2)],)
            if positive != task and generator.random() < 0.5:
                motifs = ()
            starts = np.zeros(2, dtype=int)
            while abs(starts[0] - starts[1]) < WIDTH:
                starts = generator.integers(0, self.length - WIDTH + 1, 2)
            for motif, start in zip(motifs, starts):
                codes[row, start : start + WIDTH] = encode(motif)[0]
        return codes, labels


def learn(out: Path, *, seed: int = 0, progress: bool = True) -> dict[str, nn.Module]:
    """Return the models, trained on `Pairs` into folders of `out` where they are not."""
    found = {}
    for name, build in MODELS.items():
        if not (out / name).exists():
            train_multitask(
                build,
                Pairs(),
                command=f"python -m modelzoo.studies.pairs -o {out} ({name})",
                out=out / name,
                params=PARAMS,
                seed=seed,
                progress=progress,
            )
        found[name] = load(out / name)
    return found


def slide(model: nn.Module, **arguments: Any) -> dict[str, Interaction]:
    """Return the interactions of a model for either task, and of a word without a meaning.

    Args:
        model: Trained on `Pairs`.
        arguments: Further arguments of `modelzoo.attribution.motif_pairs.distance_dependence`.
    """
    return {
        "heterotypic": distance_dependence(model, FIRST, SECOND, task=0, **arguments),
        "homotypic": distance_dependence(model, FIRST, FIRST, task=1, **arguments),
        "control": distance_dependence(model, FIRST, NOTHING, task=0, **arguments),
    }


def main() -> None:
    """Train the models and draw what is left of pairs against the distance."""
    parser = argparse.ArgumentParser(
        prog="python -m modelzoo.studies.pairs", description=main.__doc__
    )
    parser.add_argument("-o", "--output", type=Path, required=True, help="the folder to write")
    out = parser.parse_args().output
    out.mkdir(parents=True, exist_ok=True)
    for name, model in learn(out).items():
        found = slide(model)
        draw(list(found.values())).savefig(out / f"{name}.svg")
        for pair, interaction in found.items():
            residual = interaction.residual
            print(name, pair, f"median residual {np.median(residual):.2f} logits", sep="\t")


if __name__ == "__main__":
    main()
