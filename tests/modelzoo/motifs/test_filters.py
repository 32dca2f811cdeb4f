import numpy as np
import pytest
import torch

from modelzoo.motifs import correctly_predicted, filter_motifs
from modelzoo.sequences import columns


def slow_counts(activations, codes, width, first, fraction):
    """Window by window, filter by filter."""
    best, found = {}, {}
    for row, values in enumerate(activations):
        for unit, track in enumerate(values):
            for position, value in enumerate(track):
                start = position + first
                window = codes[row, max(start, 0) : start + width]
                if start >= 0 and len(window) == width and (window < 4).all():
                    best[unit] = max(best.get(unit, 0), value)
                    found.setdefault(unit, []).append((value, window))
    counts = np.zeros((activations.shape[1], 4, width))
    for unit, windows in found.items():
        for value, window in windows:
            if best[unit] > 0 and value >= fraction * best[unit]:
                counts[unit, window, np.arange(width)] += 1
    return counts


@pytest.mark.parametrize("padding", [0, 3])
@pytest.mark.parametrize("fraction", [0.5, 1.0])
def test_filters_become_the_motifs_that_a_slow_loop_finds(padding, fraction):
    torch.manual_seed(0)
    rng = np.random.default_rng(0)
    codes = rng.integers(0, 5, (23, 40), dtype=np.uint8) % rng.integers(4, 6, (23, 40), "u1")
    filters = torch.nn.Conv1d(4, 6, 7, padding=padding)
    with torch.no_grad():
        filters.weight[5], filters.bias[5] = 0, -1  # never active
    found = filter_motifs(
        lambda x: filters(x).relu(), codes, 7, first=-padding, fraction=fraction, batch_size=5
    )
    with torch.no_grad():
        counts = slow_counts(filters(columns(codes)).relu().numpy(), codes, 7, -padding, fraction)
    assert found[5] is None
    for unit, motif in enumerate(found[:5]):
        assert motif.name == f"unit-{unit}"
        assert motif.sites == counts[unit, :, 0].sum()
        np.testing.assert_allclose(motif.matrix, counts[unit] / motif.sites)


def test_batches_do_not_change_motifs():
    rng = np.random.default_rng(0)
    codes = rng.integers(0, 4, (30, 25), dtype=np.uint8)
    torch.manual_seed(0)
    filters = torch.nn.Conv1d(4, 3, 5)
    runs = [
        filter_motifs(lambda x: filters(x).exp(), codes, 5, batch_size=size) for size in (7, 30)
    ]
    for one, other in zip(*runs):
        assert one.sites == other.sites
        np.testing.assert_array_equal(one.matrix, other.matrix)


def test_a_filter_of_another_width_is_refused():
    codes = np.zeros((2, 20), dtype=np.uint8)
    with pytest.raises(ValueError, match=r"width: 16 positions of 7 from 0"):
        filter_motifs(torch.nn.Conv1d(4, 1, 5), codes, 7, first=0, batch_size=2)
    with pytest.raises(ValueError, match="at least one sequence"):
        filter_motifs(torch.nn.Conv1d(4, 1, 5), codes[:0], 5)
    with pytest.raises(ValueError, match=r"activations: expected \(2, filters, .* got \(2, 1\)"):
        filter_motifs(lambda x: x.sum((1, 2))[:, None], codes, 5)
    with pytest.raises(ValueError, match="fraction: expected a number above 0 and up to 1, got 0"):
        filter_motifs(torch.nn.Conv1d(4, 1, 5), codes, 5, fraction=0)


def test_a_sequence_is_correct_where_all_known_labels_are():
    class Model(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.scale = torch.nn.Parameter(torch.ones(1))

        def forward(self, x):
            return self.scale * (2 * x[:, :2, 0] - 1)

    codes = np.array([[0, 3], [1, 3], [0, 2], [2, 2], [1, 1]], dtype=np.uint8)
    labels = np.array([[1, 0], [1, 1], [np.nan, 1], [0, np.nan], [np.nan, np.nan]])
    expected = [True, False, False, True, True]
    assert correctly_predicted(Model(), codes, labels, batch_size=2).tolist() == expected
    with pytest.raises(ValueError, match=r"labels: expected \(5, 2\), got \(5, 1\)"):
        correctly_predicted(Model(), codes, labels[:, 0])
