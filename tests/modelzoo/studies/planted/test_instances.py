"""Ranked stretches, on networks whose motifs are known without training."""

import pytest
import torch
from torch import nn

from modelzoo.attribution.methods import METHODS
from modelzoo.sequences import one_hot
from modelzoo.studies.planted import instances, motifs
from modelzoo.studies.planted.instances import Found


def test_attended_scanned_and_true_stretches_agree(simulation, reader, batch):
    attended = instances.attended(reader, batch.codes)
    scanned = instances.scanned(simulation.motifs, batch.codes)
    true = {(row, a, b) for row, _, a, b, _ in batch.instances()}
    assert set(attended) == set(scanned[: len(true)]) == true
    assert instances.right(attended, batch).tolist() == list(range(1, 121))


def test_right_counts_overlaps_and_nothing_else(batch):
    row, _, start, stop, _ = next(batch.instances())
    ranked = [Found(row, start - 5, start), Found(row, stop - 1, stop + 4), Found(row, 0, 3)]
    assert instances.right(ranked, batch).tolist() == [0, 1, 1]


def test_of_overlapping_stretches_the_surest_stays():
    ranked = [Found(0, 5, 15), Found(0, 14, 20), Found(1, 14, 20), Found(0, 15, 20)]
    assert instances.collapsed(ranked) == [Found(0, 5, 15), Found(1, 14, 20), Found(0, 15, 20)]


@pytest.mark.slow  # numba compiles TF-MoDISco and the seqlets
@pytest.mark.xdist_group("numba")
def test_attribution_of_a_scanner_finds_its_motif(simulation):
    """TF-MoDISco on attributions of a network that only knows LEFT finds LEFT."""

    class Scanner(nn.Module):
        def __init__(self):
            super().__init__()
            left = one_hot(["GATTACAGAT"])
            self.filters = nn.Conv1d(4, 2, 10)
            with torch.no_grad():
                noise = 0.02 * torch.randn(1, 4, 10, generator=torch.Generator().manual_seed(0))
                self.filters.weight.copy_(torch.cat([left + noise, (left + noise).flip(1, 2)]))
                self.filters.bias.fill_(-6.0)
            self.relu = nn.ReLU()

        def forward(self, x):
            return self.relu(self.filters(x)).pow(2).sum((1, 2))[:, None]

    codes = simulation.sample(150, seed=5, positives=150).codes
    found = motifs.attributed_motifs(
        Scanner(), codes, METHODS["gradient"], width=10, max_seqlets=2000, seed=0
    )
    near = motifs.similarity(motifs.matches(found, simulation), simulation)
    assert near["LEFT"] > 3 > near["RIGHT"]
    assert all(motif.width <= 10 for motif in found)
    batch = simulation.sample(30, seed=6, positives=30)
    ranked = instances.peaks(Scanner(), batch.codes, METHODS["gradient"], seed=0)
    assert instances.right(ranked[:30], batch)[-1] >= 28
