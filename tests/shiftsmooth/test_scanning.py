"""A scan gives what a loop over windows gives: predictions, and gradients averaged per position."""

import random
import warnings

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from shiftsmooth import ShiftSmooth, scan
from shiftsmooth.scanning import Scanner
from tests.support.random_models import Random
from tests.support.sharing import one_hot


def looped(model, sequence, window, step, strands=1, target=0):
    """Predictions, and the mean gradient of all windows that hold a position, window by window."""
    length = sequence.shape[1]
    total, count, outputs = torch.zeros_like(sequence), torch.zeros(length), []
    for start in range(0, length - window + 1, step):
        output = 0.0
        for flip in [False, True][:strands]:
            x = sequence[None, :, start : start + window]
            x = (x.flip(1, 2) if flip else x.clone()).requires_grad_()
            y = model(x)[0, target]
            (gradient,) = torch.autograd.grad(y, x)
            gradient = gradient.flip(1, 2) if flip else gradient
            total[:, start : start + window] += gradient[0] / strands
            output += y.detach() / strands
        count[start : start + window] += 1
        outputs.append(output)
    return torch.stack(outputs), total / count.clamp_min(1)


def scanned(model, sequence, share=True, **options):
    """The same by `scan`, with the gradient itself."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # of a model that cannot share
        return scan(
            model, sequence, hypothetical=True, gradient_correction=False, share=share, **options
        )


def check(model, sequence, share=True, **options):
    found = scanned(model, sequence, share, **options)
    outputs, gradient = looped(model, sequence, **options)
    assert (found.predictions - outputs).abs().max() <= 1e-10 * outputs.abs().max()
    assert (found.attributions - gradient).abs().max() <= 1e-10 * gradient.abs().max()
    return found.sharing


class Pooled(nn.Module):
    """Convolutions, and any head of their maps."""

    def __init__(self, head, *layers, features=5):
        super().__init__()
        self.trunk, self.dense, self.head = nn.Sequential(*layers), nn.Linear(features, 2), head

    def forward(self, x):
        return self.dense(self.head(self.trunk(x)))


def padded():
    return [nn.Conv1d(4, 6, 5, padding=2), nn.ReLU(), nn.Conv1d(6, 5, 3, padding=1), nn.ReLU()]


class Causal(nn.Module):
    """A residual convolution that sees what is before a position."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Conv1d(4, 4, 3)

    def forward(self, x):
        return x + self.layer(F.pad(x, (2, 0)))


MODELS = {
    "padded, max": lambda: Pooled(lambda h: h.max(-1).values, *padded()),
    "padded, max and mean": lambda: Pooled(
        lambda h: torch.cat([h.max(-1).values, h.mean(-1)], 1), *padded(), features=10
    ),
    "padded, amax": lambda: Pooled(lambda h: h.amax(-1), *padded()),
    "padded, amin": lambda: Pooled(lambda h: h.amin(-1), *padded()[:3]),
    "dilated with padding": lambda: Pooled(
        lambda h: h.mean(-1),
        nn.Conv1d(4, 5, 5, padding="same"),
        nn.ReLU(),
        nn.Conv1d(5, 5, 3, padding=2, dilation=2),
    ),
    "deep and padded": lambda: Pooled(
        lambda h: torch.cat([h.max(-1).values, h.sum(-1)], 1),
        *padded(),
        *[layer for _ in range(3) for layer in (nn.Conv1d(5, 5, 3, padding=1), nn.Tanh())],
        features=10,
    ),
    "padded without bias": lambda: Pooled(
        lambda h: h.sum(-1), nn.Conv1d(4, 5, 4, padding=2, bias=False), nn.ELU()
    ),
    "unpadded and dilated": lambda: Pooled(
        lambda h: h.mean(-1), nn.Conv1d(4, 6, 5), nn.ReLU(), nn.Conv1d(6, 5, 3, dilation=3)
    ),
    "strided, max": lambda: Pooled(
        lambda h: h.amax(-1), nn.Conv1d(4, 5, 5, stride=2, padding=2), nn.ReLU()
    ),
    "pooled twice, max": lambda: Pooled(
        lambda h: h.max(-1).values,
        nn.Conv1d(4, 6, 5, padding=2),
        nn.MaxPool1d(2),
        nn.Conv1d(6, 5, 3, padding=1),
        nn.AvgPool1d(2),
    ),
    "flipped": lambda: Pooled(lambda h: h.flip(-1).max(-1).values, *padded()),
    "causal and residual": lambda: Pooled(lambda h: h.sum(-1), Causal(), features=4),
}


def built(make):
    with torch.random.fork_rng():
        torch.manual_seed(5)
        return make().double().eval()


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("step", [1, 3, 4, 7])
def test_a_scan_is_the_loop_over_windows(name, step):
    told = check(built(MODELS[name]), one_hot(1, 130)[0], window=31, step=step)
    assert told.shared and (step > 1 or told.ended_by is None), told


@pytest.mark.parametrize("name", ["padded, max and mean", "pooled twice, max"])
@pytest.mark.parametrize("step", [1, 5])
def test_both_strands_are_averaged(name, step):
    assert check(built(MODELS[name]), one_hot(1, 100)[0], window=30, step=step, strands=2).shared


@pytest.mark.parametrize("head", ["flatten", "lstm"])
def test_what_cannot_be_shared_to_the_end_is_exact_too(head):
    class Headed(nn.Module):
        def __init__(self):
            super().__init__()
            self.trunk = nn.Sequential(*padded())
            self.lstm = nn.LSTM(5, 3, batch_first=True)
            self.dense = nn.Linear(3 if head == "lstm" else 5 * 20, 2)

        def forward(self, x):
            h = self.trunk(x)
            h = self.lstm(h.mT)[0][:, -1] if head == "lstm" else h.flatten(1)
            return self.dense(h)

    told = check(built(Headed), one_hot(1, 90)[0], window=20, step=1)
    assert told.ended_by == head


def test_a_model_that_is_not_followed_runs_window_after_window():
    told = check(built(lambda: nn.Sequential(nn.Flatten(), nn.Linear(80, 2))), one_hot(1, 60)[0],
                 window=20, step=3)  # fmt: skip
    assert not told.shared


@pytest.mark.parametrize("length", [20, 60])
def test_a_model_that_writes_into_a_window_changes_no_other(length):
    def doubled(x):
        x[:, :, ::2] *= 2
        return x.flatten(1) @ torch.linspace(0, 1, 80, dtype=x.dtype)[:, None]

    sequence = one_hot(1, length)[0]
    found = scan(
        doubled, sequence, window=20, share=False, attributions=False, dtype=sequence.dtype
    )
    each = sequence.unfold(1, 20, 1).movedim(1, 0).contiguous()
    assert torch.equal(sequence, one_hot(1, length)[0])
    assert torch.allclose(found.predictions, doubled(each)[:, 0])


@pytest.mark.parametrize("step", [20, 33])
def test_windows_that_do_not_overlap_have_nothing_to_share(step):
    found = scanned(built(MODELS["padded, max"]), one_hot(1, 120)[0], "auto", window=20, step=step)
    assert not found.sharing.shared
    check(built(MODELS["padded, max"]), one_hot(1, 120)[0], window=20, step=step, share="auto")


@pytest.mark.parametrize("share", [True, False])
def test_the_result_does_not_depend_on_tiles(monkeypatch, share):
    model, sequence = built(MODELS["padded, max"]), one_hot(1, 400)[0]
    whole = scanned(model, sequence, share, window=20, step=3)
    monkeypatch.setattr("shiftsmooth.scanning.MOST", 50)  # tiles of 21 windows
    monkeypatch.setattr("shiftsmooth.sharing.tiles.TileSharer._apart_at_once", lambda self, call: 7)
    tiled = scanned(model, sequence, share, window=20, step=3)
    assert torch.allclose(tiled.predictions, whole.predictions, rtol=0, atol=1e-12)
    assert torch.allclose(tiled.attributions, whole.attributions, rtol=0, atol=1e-12)


def test_equal_values_share_a_gradient_as_in_the_model_itself():
    model = built(MODELS["padded, max"])
    repeats = one_hot(1, 6)[0].repeat(1, 15)
    check(model, repeats, window=24, step=1)
    check(built(MODELS["padded, amax"]), repeats, window=24, step=2)


def test_a_sequence_of_one_window_is_the_plain_gradient():
    model, sequence = built(MODELS["padded, max"]), one_hot(1, 30)[0]
    found = scanned(model, sequence, window=30)
    plain = ShiftSmooth(model).attribute(sequence[None], 0, max_shift=0)[0]
    assert torch.equal(found.attributions, plain)
    assert torch.equal(found.predictions, model(sequence[None]).detach()[:, 0])


def test_few_windows_are_shift_smooth_with_real_flanks():
    model, sequence = built(MODELS["padded, max and mean"]), one_hot(1, 46)[0]
    smooth = ShiftSmooth(model).attribute(sequence[None], 1, max_shift=3, edges="flanks")
    found = scanned(model, sequence, window=40, target=1)
    assert torch.allclose(found.attributions, smooth[0], rtol=0, atol=1e-12)


def test_positions_behind_the_last_window_get_nothing():
    found = scanned(built(MODELS["padded, max"]), one_hot(1, 45)[0], window=20, step=10)
    assert len(found.predictions) == 3
    assert found.attributions[:, :40].any() and not found.attributions[:, 40:].any()


def test_attributions_are_gradient_times_input_and_corrected():
    model, sequence = built(MODELS["padded, max"]), one_hot(1, 50)[0]
    raw = scanned(model, sequence, window=20).attributions
    found = scan(model, sequence.char(), window=20)
    assert torch.allclose(found.attributions, (raw - raw.mean(0)) * sequence, rtol=0, atol=1e-12)


@pytest.mark.parametrize("strands", [1, 2])
def test_predictions_alone_keep_no_graph(strands):
    model, sequence = built(MODELS["padded, max"]), one_hot(1, 50)[0]
    options = {"window": 20, "strands": strands}
    found = scan(model, sequence, attributions=False, **options)
    assert found.attributions is None and not found.predictions.requires_grad
    assert torch.allclose(found.predictions, scan(model, sequence, **options).predictions)


def test_two_windows_share():
    assert check(built(MODELS["padded, max"]), one_hot(1, 31)[0], window=30, step=1).shared


def test_half_precision_gradients_of_many_windows_are_summed_in_single():
    model = Pooled(lambda h: h.cumsum(-1)[..., -1] / 20, nn.Conv1d(4, 5, 5))
    for parameter in model.parameters():  # small numbers are lost where a large sum is rounded
        nn.init.constant_(parameter, 0.125)
    model, sequence = model.bfloat16().eval(), one_hot(1, 1200)[0]
    found = scanned(model, sequence, window=600, step=1, dtype=torch.bfloat16)
    assert found.sharing.shared
    _, gradient = looped(model.double(), sequence, window=600, step=1)
    assert (found.attributions - gradient).norm() <= 0.02 * gradient.norm()


class Failing(nn.Module):
    """A model whose shared runs fail once it is told to."""

    def __init__(self, error):
        super().__init__()
        self.model, self.error, self.fails = built(MODELS["padded, max"]), error, False

    def forward(self, x):
        if self.fails and type(x) is not torch.Tensor:
            raise self.error
        return self.model(x)


def test_a_tile_that_fails_where_work_is_shared_runs_window_after_window():
    model, sequence = Failing(ValueError("only of windows")), one_hot(1, 60)[0]
    scanner = Scanner(model, window=20, share=True)
    scanner(sequence, dtype=torch.float64)
    assert scanner.sharing.shared
    model.fails = True
    with pytest.warns(UserWarning, match=r"\(ValueError\)"):
        outputs, gradient = scanner(sequence, dtype=torch.float64)
    assert not scanner.sharing.shared
    wanted = looped(model.model, sequence, window=20, step=1)
    assert torch.allclose(outputs, wanted[0]) and torch.allclose(gradient, wanted[1])


def test_memory_that_runs_out_in_a_tile_is_an_error():
    model, sequence = Failing(torch.OutOfMemoryError("not today")), one_hot(1, 60)[0]
    scanner = Scanner(model, window=20, share=True)
    scanner(sequence, dtype=torch.float64)
    model.fails = True
    with pytest.raises(torch.OutOfMemoryError, match="not today"):
        scanner(sequence, dtype=torch.float64)
    assert scanner.sharing.shared


def test_means_do_not_lose_digits_along_a_long_sequence():
    """Differences of a running sum would: here the sum grows to 10,000 times a window's."""
    model = Pooled(lambda h: h.mean(-1), nn.Conv1d(4, 5, 3)).eval()
    sequence = one_hot(1, 60000, dtype=torch.float32)[0]
    found = scan(model, sequence, window=6, share=True, attributions=False).predictions
    wanted = model(sequence.unfold(1, 6, 1).movedim(1, 0)).detach()[:, 0]
    assert (found - wanted).abs().max() <= 1e-6


def outcome(seed):
    """Scans a random model; whether windows shared, or None if it is no model."""
    model, r = Random(seed, deceive=seed % 4 == 0), random.Random(seed)
    window, step = r.choice([17, 24, 37]), r.choice([1, 1, 2, 3, 6, 11])
    sequence = one_hot(1, window + step * r.randint(1, 40), seed)[0]
    sequence = sequence + 0.1 * torch.randn(
        sequence.shape, dtype=torch.float64, generator=torch.manual_seed(seed)
    )
    options = {"window": window, "step": step, "strands": r.choice([1, 2])}
    try:
        outputs, gradient = looped(model, sequence, **options)
    except (RuntimeError, ValueError, IndexError):
        return None
    if not (outputs.isfinite().all() and gradient.isfinite().all() and gradient.abs().max() > 1e-9):
        return None
    found = scanned(model, sequence, dtype=torch.float64, **options)
    bound = 1e-9 * gradient.abs().max().clamp_min(1e-3)
    assert (found.attributions - gradient).abs().max() <= bound, found.sharing
    assert (found.predictions - outputs).abs().max() <= 1e-9 * outputs.abs().max().clamp_min(1e-3)
    told = found.sharing
    assert told.shared or not any(word in told.reason for word in ("differed", "failed on")), told
    return told.shared


@pytest.mark.parametrize("start", range(0, 24, 8))
def test_random_models_are_scanned_exactly(start):
    assert True in [outcome(seed) for seed in range(start, start + 8)]


@pytest.mark.slow
@pytest.mark.parametrize("start", range(2000, 2300, 50))
def test_many_random_models_are_scanned_exactly(start):
    assert [outcome(seed) for seed in range(start, start + 50)].count(True) > 15


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"window": 0}, "window: expected 1 or more, got 0"),
        ({"window": 60}, "window: expected at most 50, the sequence's length, got 60"),
        ({"window": 10, "step": 0}, "step: expected 1 or more, got 0"),
        ({"window": 10, "strands": 3}, "strands: expected 1 or 2, got 3"),
        ({"window": 10, "share": "no"}, "share: expected True, False or 'auto', got 'no'"),
    ],
)
def test_bad_arguments_are_named(options, message):
    with pytest.raises(ValueError, match=message):
        scan(built(MODELS["padded, max"]), one_hot(1, 50)[0], **options)


def test_a_list_is_no_sequence():
    with pytest.raises(TypeError, match="sequence: expected a tensor, got list"):
        scan(built(MODELS["padded, max"]), one_hot(1, 50)[0].tolist(), window=20)


def test_a_batch_is_no_sequence():
    with pytest.raises(ValueError, match=r"sequence: expected one one-hot sequence \(4, L\), got"):
        scan(built(MODELS["padded, max"]), one_hot(1, 50), window=20)


def test_a_scanner_decides_once(monkeypatch):
    model, sequence = built(MODELS["padded, max"]), one_hot(1, 300)[0]
    scanner = Scanner(model, window=20, share=True)
    first, _ = scanner(sequence, dtype=torch.float64)
    monkeypatch.setattr("shiftsmooth.sharing.tiles.TileSharer._decide", None)
    assert torch.equal(scanner(sequence, dtype=torch.float64)[0], first)


@pytest.mark.parametrize("kernel", [5, 12])
def test_wide_pools_inside_a_model_are_exact(kernel):
    class Wide(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv, self.dense = nn.Conv1d(4, 5, 5, padding=2), nn.Linear(5, 2)

        def forward(self, x):
            return self.dense(F.max_pool1d(self.conv(x).relu(), kernel, 2).mean(-1))

    assert check(built(Wide), one_hot(1, 120)[0], window=40, step=2).shared
