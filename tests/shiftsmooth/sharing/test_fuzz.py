"""Random models: shared gradients are those of the loop over shifts, or sharing is refused."""

import warnings

import pytest
import torch

from shiftsmooth import ShiftSmooth
from tests.support.random_models import Random
from tests.support.sharing import expected, one_hot

# A reason that says that sharing itself is wrong somewhere, and that only the check saw it.
BROKEN = ("differed", "failed on")


def outcome(seed):
    """Runs the model of a seed on two inputs; "shared", "refused" or "not a model"."""
    model = Random(seed, deceive=seed % 3 == 0)
    length = model.random.choice([17, 24, 37, 61])
    x = one_hot(2, length, seed)
    x = x + 0.1 * torch.randn(x.shape, dtype=x.dtype, generator=torch.manual_seed(seed))
    options = {
        "max_shift": model.random.choice([1, 2, 5]),
        "shifts_per_eval": model.random.choice([None, None, 2, 3]),
    }
    smooth = ShiftSmooth(model, share=True)
    kinds = set()
    for scale in (1.0, 3.0):  # the second reaches bounds that the first may not
        try:
            wanted = expected(model, scale * x, max_shift=options["max_shift"])
        except (RuntimeError, ValueError, IndexError):
            return "not a model"
        if not wanted.isfinite().all() or wanted.abs().max() < 1e-9:
            return "not a model"
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)
            found = smooth.attribute(scale * x, 0, **options)
        size = wanted.abs().max().clamp_min(1e-3)
        assert (found - wanted).abs().max() <= 1e-9 * size, smooth.sharing
        told = smooth.sharing
        assert told.shared or not any(word in told.reason for word in BROKEN), told.reason
        kinds.add(told.shared)
    return "shared" if True in kinds else "refused"


@pytest.mark.parametrize("start", range(0, 48, 8))
def test_random_models_share_exactly_or_not_at_all(start):
    found = [outcome(seed) for seed in range(start, start + 8)]
    assert "shared" in found


@pytest.mark.slow
@pytest.mark.parametrize(
    "start",
    [
        *range(1000, 1300, 50),
        *(pytest.param(n, marks=pytest.mark.nightly) for n in range(1300, 1600, 50)),
    ],
)
def test_many_random_models_share_exactly_or_not_at_all(start):
    found = [outcome(seed) for seed in range(start, start + 50)]
    assert found.count("shared") > 15
    assert "refused" in found
