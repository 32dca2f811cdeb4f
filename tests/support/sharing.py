"""A model around any function, and the comparison of shared gradients with the loop over shifts."""

import inspect
import warnings

import torch
from torch import nn

from shiftsmooth import ShiftSmooth
from tests.support.naive import gradient, naive


class Net(nn.Module):
    """Convolution, any function, convolution, pooling over the sequence, a dense layer."""

    def __init__(self, function, channels=6, second=True, head=None):
        super().__init__()
        with torch.random.fork_rng():
            torch.manual_seed(3)
            self.first = nn.Conv1d(4, 6, 5, padding=2)
            self.second = nn.Conv1d(channels, 5, 3, padding=1) if second else nn.Identity()
            self.dense = nn.Linear(5 if second else channels, 2)
        self.function, self.head = function, head
        self.double().eval()

    def forward(self, x):
        h = self.function(self.first(x))
        h = self.second(h)
        return self.dense(h.mean(-1)) if self.head is None else self.head(h)

    def extra_repr(self):
        return inspect.getsource(self.function).strip() if inspect.isfunction(self.function) else ""


def one_hot(rows, length, seed=0, dtype=torch.float64):
    """One-hot sequences (rows, 4, length)."""
    generator = torch.Generator().manual_seed(seed)
    bases = torch.randint(4, (rows, length), generator=generator)
    return nn.functional.one_hot(bases, 4).transpose(1, 2).to(dtype).contiguous()


def expected(model, x, target=0, max_shift=3):
    """The mean over shifts by the loop that defines it, example after example."""
    (found,) = naive(
        gradient(lambda x: model(x)[:, target]), (x,), range(-max_shift, max_shift + 1), ((-1,),)
    )
    return found


def attributed(model, x, target=0, max_shift=3, **options):
    """What `share=True` gives, and what it tells of sharing; a refusal may warn."""
    smooth = ShiftSmooth(model, share=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        found = smooth.attribute(x, target, max_shift=max_shift, **options)
    return found, smooth.sharing


def close(found, wanted, tolerance=1e-10):
    """Asserts that two attributions agree, relative to the largest number."""
    scale = wanted.abs().max().clamp_min(1e-6)
    assert (found.double() - wanted).abs().max() <= tolerance * scale


def check_shared(model, x, ended_by=None, **options):
    """Asserts that the result is right and that work was shared, up to `ended_by`."""
    found, told = attributed(model, x, **options)
    assert told.shared, told.reason
    assert told.ended_by == ended_by, told
    close(found, expected(model, x, **options))


def check_refused(model, x, reason, **options):
    """Asserts that the result is right and that nothing was shared, for this reason."""
    found, told = attributed(model, x, **options)
    close(found, expected(model, x, **options))
    assert not told.shared
    assert reason in told.reason, told.reason
