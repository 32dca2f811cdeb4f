"""Batches: how the examples of an epoch are put together for a model to see."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from modelzoo.sequences import columns, reverse_complement, reverse_complement_codes


class Batches(Protocol):
    """The (input, target) batches of one epoch; a list of pairs is one."""

    def __len__(self) -> int: ...
    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]: ...


class Minibatches:
    """Shuffled minibatches of (input, target); the last one holds what is left.

    Args:
        inputs: (N, ...) what the model, or `transform`, takes.
        targets: (N, tasks).
        size: Rows of a batch.
        seed: Decides the order; several integers, such as a seed and an epoch, are one seed.
        transform: Applied to the inputs of each batch, so that only one batch at a time is large.
    """

    def __init__(
        self,
        inputs: Tensor,
        targets: Tensor,
        size: int,
        seed: Sequence[int],
        transform: Callable[[Tensor], Tensor] = lambda x: x,
    ) -> None:
        self.inputs, self.targets, self.size = inputs, targets, size
        self.transform = transform
        self.order = torch.from_numpy(np.random.default_rng(seed).permutation(len(inputs)))

    def __len__(self) -> int:
        return math.ceil(len(self.inputs) / self.size)

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        for rows in self.order.split(self.size):
            yield self.transform(self.inputs[rows]), self.targets[rows]


def of_codes(codes: np.ndarray, labels: Tensor, size: int, seed: Sequence[int]) -> Minibatches:
    """Return shuffled minibatches of one-hot sequences, (N, L) codes and (N, tasks) labels."""
    return Minibatches(torch.from_numpy(codes), labels, size, seed, columns)


class Doubled:
    """Batches with as many positives as negatives, and the other strand of each sequence.

    Args:
        codes: (N, L), positives and negatives in equal number.
        labels: (N, 1).
        size: Rows of a batch, a multiple of 4.
    """

    def __init__(self, codes: np.ndarray, labels: Tensor, size: int) -> None:
        half = np.argsort(labels[:, 0].numpy(), kind="stable").reshape(2, -1, size // 4)
        self.rows = half.transpose(1, 0, 2).reshape(-1, size // 2)
        self.codes, self.labels = codes, labels

    def __len__(self) -> int:
        return len(self.rows)

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        for rows in self.rows:
            x, y = columns(self.codes[rows]), self.labels[rows]
            yield torch.cat([x, reverse_complement(x)]), torch.cat([y, y])


def both_strands(codes: np.ndarray, labels: Tensor) -> tuple[np.ndarray, Tensor]:
    """Return all sequences and their reverse complements, (N, L) -> (2 N, L), and their labels."""
    return np.concatenate([codes, reverse_complement_codes(codes)]), torch.cat([labels, labels])
