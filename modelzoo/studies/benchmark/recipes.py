"""How a model of the benchmark is trained: the recipe of a paper, as data."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from torch import nn, optim

from modelzoo.training.fit import History

OPTIMIZERS: dict[str, type[optim.Optimizer]] = {
    "Adam": optim.Adam,
    "AdamW": optim.AdamW,
    "RMSprop": optim.RMSprop,
    "SGD": optim.SGD,
}
WARM_UP = 0.1  # of all epochs
DECAYS = {
    "none": "",
    "plateau": "divided by 5 after 5 epochs without a better validation AUC",
    "steps": "halved every 10 epochs",
    "warm-up": "up in the first tenth of all epochs, then down to 0",
}


@dataclass(frozen=True)
class Recipe:
    """A published recipe of training.

    Attributes:
        source: The paper.
        optimizer: A key of `OPTIMIZERS`.
        rate: The learning rate, at its highest.
        batch: Sequences of a step.
        options: What else the optimizer is given.
        patience: Epochs without a better validation AUC after which a training ends. Ten, unless
            the paper says otherwise.
        decay: How the rate changes, a key of `DECAYS`.
    """

    source: str
    optimizer: str
    rate: float
    batch: int
    options: dict[str, Any] = field(default_factory=dict)
    patience: int = 10
    decay: str = "none"

    @property
    def in_words(self) -> str:
        """The optimizer, its options and the batch, as a table tells them."""
        more = [f"{name} {value}" for name, value in self.options.items() if value is not True]
        more += [name for name, value in self.options.items() if value is True]
        rate = f"{self.rate:g}" + f", {DECAYS[self.decay]}" * (self.decay != "none")
        return "; ".join([f"{self.optimizer}, rate {rate}", *more, f"batches of {self.batch}"])

    def of(self, model: nn.Module) -> optim.Optimizer:
        """Return the optimizer of a model."""
        kind: Any = OPTIMIZERS[self.optimizer]
        return kind(model.parameters(), lr=self.rate, **self.options)

    def schedule(self) -> Callable[[float], float] | None:
        """Return the factor on the rate by the fraction of all epochs that is done, if any."""
        return warmed_up if self.decay == "warm-up" else None

    def after_epoch(self, optimizer: optim.Optimizer) -> Callable[[History], None]:
        """Return what changes the rate of an optimizer after each epoch."""
        if self.decay == "plateau":
            plateau = optim.lr_scheduler.ReduceLROnPlateau(
                optimizer, "max", factor=0.2, patience=5, threshold=0
            )
            return lambda history: plateau.step(history.scores[-1] or 0.0)
        if self.decay == "steps":
            steps = optim.lr_scheduler.StepLR(optimizer, 10, gamma=0.5)
            return lambda history: steps.step()
        return lambda history: None


def warmed_up(done: float) -> float:
    """Return a factor that rises to 1 in the first tenth, and then falls to 0; both along lines."""
    return done / WARM_UP if done < WARM_UP else (1 - done) / (1 - WARM_UP)
