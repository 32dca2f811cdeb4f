"""The models and inputs that are timed: small stand-ins for what people attribute with."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn


class Dilated(nn.Module):
    """A BPNet-like trunk: residual dilated convolutions, then the mean over positions."""

    def __init__(self, channels: int = 64, layers: int = 6) -> None:
        super().__init__()
        self.first = nn.Conv1d(4, channels, 21, padding=10)
        self.layers = nn.ModuleList(
            nn.Conv1d(channels, channels, 3, padding=2**i, dilation=2**i)
            for i in range(1, layers + 1)
        )
        self.head = nn.Linear(channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        x = self.first(x).relu()
        for layer in self.layers:
            x = x + layer(x).relu()
        return self.head(x.mean(-1))


class Recurrent(nn.Module):
    """A bidirectional LSTM over one-hot bases."""

    def __init__(self, hidden: int = 32) -> None:
        super().__init__()
        self.rnn = nn.LSTM(4, hidden, batch_first=True, bidirectional=True)
        self.head = nn.Linear(2 * hidden, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.rnn(x.transpose(1, 2))[0].amax(1))


class Attention(nn.Module):
    """A two-layer transformer encoder behind a convolution with a stride."""

    def __init__(self, width: int = 64) -> None:
        super().__init__()
        self.tokens = nn.Conv1d(4, width, 8, stride=4)
        layer = nn.TransformerEncoderLayer(width, 4, 2 * width, dropout=0, batch_first=True)
        self.encoder = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        self.head = nn.Linear(width, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.encoder(self.tokens(x).transpose(1, 2)).mean(1))


def deepbind() -> nn.Module:
    """16 filters of 24 and global max pooling, as the first DeepBind."""
    return nn.Sequential(
        nn.Conv1d(4, 16, 24, padding=12),
        nn.ReLU(),
        nn.AdaptiveMaxPool1d(1),
        nn.Flatten(),
        nn.Linear(16, 32),
        nn.ReLU(),
        nn.Linear(32, 1),
    )


def wide() -> nn.Module:
    """One layer of 128 filters on long sequences."""
    return nn.Sequential(
        nn.Conv1d(4, 128, 19, padding=9),
        nn.ReLU(),
        nn.AdaptiveMaxPool1d(1),
        nn.Flatten(),
        nn.Linear(128, 1),
    )


def basset() -> nn.Module:
    """Three convolutions with pooling by 3, 4 and 4, then a dense layer over what is left."""
    return nn.Sequential(
        nn.Conv1d(4, 64, 19, padding=9),
        nn.BatchNorm1d(64),
        nn.ReLU(),
        nn.MaxPool1d(3),
        nn.Conv1d(64, 64, 11, padding=5),
        nn.BatchNorm1d(64),
        nn.ReLU(),
        nn.MaxPool1d(4),
        nn.Conv1d(64, 64, 7, padding=3),
        nn.BatchNorm1d(64),
        nn.ReLU(),
        nn.MaxPool1d(4),
        nn.Flatten(),
        nn.Linear(64 * 12, 128),
        nn.ReLU(),
        nn.Linear(128, 1),
    )


@dataclass(frozen=True)
class Shape:
    """A model and the batch it is timed on."""

    name: str
    model: Callable[[], nn.Module]
    batch: int
    length: int
    gpu_batch: int | None = None  # enough to fill a GPU, where that is another batch

    def build(self, device: str) -> tuple[nn.Module, Tensor]:
        """The model in eval mode and a one-hot batch, from a fixed seed."""
        generator = torch.Generator().manual_seed(0)
        batch = self.gpu_batch or self.batch if device == "cuda" else self.batch
        bases = torch.randint(4, (batch, self.length), generator=generator)
        x = nn.functional.one_hot(bases, 4).transpose(1, 2).float().contiguous()
        with torch.random.fork_rng():
            torch.manual_seed(0)
            model = self.model().eval()
        for module in model.modules():  # cuDNN has no backward pass for an RNN in eval mode
            if device == "cuda" and isinstance(module, nn.RNNBase):
                module.train()
        return model.to(device), x.to(device)


SHAPES = [
    Shape("DeepBind, 16 filters of 24", deepbind, 64, 101, 512),
    Shape("one-layer CNN, 128 filters", wide, 16, 1000, 256),
    Shape("Basset-like, pooling 3, 4, 4", basset, 16, 600, 256),
    Shape("dilated CNN, 64 channels, 6 layers", Dilated, 4, 2114, 64),
    Shape("LSTM, 2 x 32", Recurrent, 16, 200, 256),
    Shape("transformer, 2 layers", Attention, 16, 400, 256),
]


def bpnet() -> nn.Module:
    """The counts of bpnet-lite's BPNet."""
    from bpnetlite import BPNet

    return Counts(BPNet(n_filters=32, n_layers=6, n_control_tracks=0, trimming=100, verbose=False))


class Counts(nn.Module):
    """The second output of a model that gives a profile and counts."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, x: Tensor) -> Tensor:
        return self.model(x)[1]


# One sequence each: other methods run thousands of copies of it.
FIELD = [
    Shape("DeepBind, 16 filters of 24", deepbind, 1, 101),
    Shape("BPNet of bpnet-lite, 32 channels, 6 layers", bpnet, 1, 1000),
    Shape("Basset-like, pooling 3, 4, 4", basset, 1, 600),
    Shape("transformer, 2 layers", Attention, 1, 400),
]
