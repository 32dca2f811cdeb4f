"""Ways to a higher accuracy of ARGMINN on REST, whose two halves lie at two spacings.

    python -m modelzoo.studies.rest -o FOLDER [--ways relative ...] [--seeds 3] [--device cpu]

Which way is best is chosen by validation AUC; the accuracy is that on the 10,000 sequences of
`shiftsmooth evaluate argminn`. A run that was stopped goes on with the trainings that are not there
yet, so that several may fill one folder.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from modelzoo.architectures.argminn import ARGMINN, MemoryAttention, Trace
from modelzoo.architectures.layers import sinusoids
from modelzoo.files import write_atomically
from modelzoo.reports.tables import Row, Table, number, plain
from modelzoo.studies.peaks.scores import logits
from modelzoo.studies.shipped import planted_set
from modelzoo.training.argminn import Params, examples, fit_one
from modelzoo.training.checkpoints import Checkpoint

REST = "rest"


class RelativeAttention(MemoryAttention):
    """A layer whose positions are relative to where each head of the layer before looked."""

    def _scored(self, asked: Tensor, positions: Tensor) -> Tensor:
        return (asked.unsqueeze(-2) @ positions).squeeze(-2)

    def _met(self, attention: Tensor, positions: Tensor) -> Tensor:
        return (attention.unsqueeze(-2) @ positions.mT).squeeze(-2)


class RelativeARGMINN(ARGMINN):
    """ARGMINN whose later layers can ask for "6 to 11 bases to the right of what was found".

    Args:
        tasks: Names of the outputs.
    """

    def __init__(self, tasks: Sequence[str]) -> None:
        super().__init__(tasks=tasks)
        for depth, layer in enumerate(self.layers):
            assert isinstance(layer, MemoryAttention)
            if depth:
                size, dropout = layer.key.in_features, layer.dropout.p
                relative = RelativeAttention(size, self.stream_size, layer.heads, dropout)
                self.layers[depth] = relative
                self.sharpen(relative)

    def trace(self, x: Tensor) -> Trace:
        """Return the logits with the activations and the attention that they come from."""
        activations = self.activations(x)
        positions = sinusoids(activations.shape[-1], self.position_size).to(activations)
        stream = activations.new_ones(len(activations), self.stream_size)
        attention: list[Tensor] = []
        for layer in self.layers:
            seen = relative_to(positions, attention[-1]) if attention else positions
            stream, paid = layer(stream, activations, seen)
            attention.append(paid)
        return Trace(self.output(stream), activations, torch.stack(attention, dim=1))


def relative_to(positions: Tensor, attention: Tensor) -> Tensor:
    """Return the encoding of distances from the position that each head looks at.

    Where attention is spread, it is the mean over the positions that are looked at.

    Args:
        positions: (P, T), as of `sinusoids`.
        attention: (B, heads, T).

    Returns:
        (B, heads, P, T).
    """
    sine, cosine = positions[0::2], positions[1::2]
    sine_of, cosine_of = (attention @ part.mT for part in (sine, cosine))
    sine_of, cosine_of = sine_of[..., None], cosine_of[..., None]
    apart = [sine * cosine_of - cosine * sine_of, cosine * cosine_of + sine * sine_of]
    return torch.stack(apart, dim=-2).flatten(-3, -2)


@dataclass(frozen=True, kw_only=True)
class Growing(Params):
    """Three times as long, in batches that double twice.

    Attributes:
        doublings: How often the batches double, at equal distances.
    """

    epochs: int = 120
    patience: int = 120
    doublings: int = 2

    def size(self, epoch: int) -> int:
        """Return the sequences of a batch in an epoch."""
        return self.batch_size << (epoch * (self.doublings + 1) // self.epochs)


class Way(NamedTuple):
    """One way to train.

    Attributes:
        told: What it is, in words.
        build: Makes the untrained network.
        params: How long, how fast.
    """

    told: str
    build: Callable[[], ARGMINN]
    params: Params = Params()


def _heads() -> ARGMINN:
    return ARGMINN(filters=4, position_size=20, heads=8, tasks=[REST])


def _relative() -> ARGMINN:
    return RelativeARGMINN([REST])


WAYS = {
    "shipped": Way("as shipped", lambda: ARGMINN(tasks=[REST])),
    "relative": Way("positions relative to what the first layer looked at", _relative),
    "growing": Way(
        "three times as long, in growing batches", lambda: ARGMINN(tasks=[REST]), Growing()
    ),
    "heads": Way("eight heads on four filters", _heads),
    "relative-growing": Way("relative positions and growing batches", _relative, Growing()),
}


def measured(out: Path, way: str, seed: int, device: str, params: Params | None = None) -> Row:
    """Return what a training reached, from its file where there is one.

    Args:
        out: The folder, made if need be.
        way: A key of `WAYS`.
        seed: Decides everything random.
        device: Where the network is trained.
        params: Others than those of the way.
    """
    path = out / f"{way}-{seed}.json"
    if not path.is_file():
        out.mkdir(parents=True, exist_ok=True)
        chosen = params or WAYS[way].params
        model, history = fit_one(
            lambda: WAYS[way].build().to(device),
            examples(REST, chosen),
            seed=seed,
            params=chosen,
            regularised=True,
            checkpoint=Checkpoint(out / f"{way}-{seed}.safetensors", {"way": way}),
            progress=False,
        )
        data = planted_set(REST)
        right = (logits(model.cpu(), data.codes)[:, 0] > 0) == data.labels
        row = {"way": way, "seed": seed, "validation_auc": history.best_score}
        row["accuracy"] = float(right.mean())
        write_atomically(path, json.dumps(row).encode())
    return json.loads(path.read_text(encoding="utf-8"))


def table(rows: Sequence[Row]) -> Table:
    """Return the table: a row for each way, of the means over its trainings."""
    found = []
    for way, (told, *_) in WAYS.items():
        own = [row for row in rows if row["way"] == way]
        if own:
            accuracies = [100 * row["accuracy"] for row in own]
            best = max(own, key=lambda row: row["validation_auc"])
            found.append(
                {
                    "way": told,
                    "trainings": len(own),
                    "validation_auc": float(np.mean([row["validation_auc"] for row in own])),
                    "mean": float(np.mean(accuracies)),
                    "sd": float(np.std(accuracies)) if len(own) > 1 else None,
                    "chosen": 100 * best["accuracy"],
                }
            )
    return Table(
        "rest",
        "Test accuracy on REST, %",
        [
            ("way", plain("way")),
            ("trainings", plain("trainings")),
            ("validation AUC", number("validation_auc")),
            ("mean", number("mean", 1)),
            ("s.d.", number("sd", 1)),
            ("chosen by validation", number("chosen", 1)),
        ],
        found,
    )


def main() -> None:
    """Train and measure; write rest.csv and rest.md."""
    parser = argparse.ArgumentParser(
        prog="python -m modelzoo.studies.rest", description=main.__doc__
    )
    parser.add_argument("-o", "--output", type=Path, required=True, help="the folder to write")
    parser.add_argument("--ways", nargs="+", default=list(WAYS), choices=list(WAYS))
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--device", default="cpu")
    arguments = parser.parse_args()
    out, device = arguments.output, arguments.device
    rows = [measured(out, way, seed, device) for way in arguments.ways for seed in arguments.seeds]
    found = table(rows)
    found.save(out)
    print(found.to_markdown())


if __name__ == "__main__":
    main()
