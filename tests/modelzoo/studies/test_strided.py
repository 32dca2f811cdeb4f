import re

import pytest
import torch

from modelzoo.sequences import one_hot
from modelzoo.studies.strided import DISTANCES, SIMULATION, Strided, strided

NAMES = ("GATA", "AP-1")


@pytest.fixture(scope="module")
def small():
    return strided(count=2000, epochs=6, held_out=60)


def test_every_sequence_has_both_sites_where_the_boxes_are(small):
    assert len(small.x) == len(small.motifs) > 0
    sites = {name: re.search(f'{name}\\]\nconsensus = "(\\w+)"', SIMULATION)[1] for name in NAMES}
    for x, boxes in zip(small.x, small.motifs):
        assert {box.label for box in boxes} == set(NAMES)
        for box in boxes:
            planted = one_hot(sites[box.label])[0]
            found = x[:, box.start : box.stop]
            assert torch.equal(found, planted) or torch.equal(found, planted.flip(0, 1))


def test_it_calls_the_sequences_positive_and_is_the_same_each_time(small):
    with torch.no_grad():
        assert (small.model(small.x) > 0).all()
    again = strided(count=2000, epochs=6, held_out=60)
    assert torch.equal(again.x, small.x) and again.accuracy == small.accuracy
    with torch.no_grad():
        assert torch.equal(again.model(small.x), small.model(small.x))


def test_stability_is_that_of_a_loop_over_windows(small):
    few = Strided(small.model, small.x[:3], small.motifs[:3], small.accuracy)

    def contributions(x):
        x = x.clone().requires_grad_()
        (gradient,) = torch.autograd.grad(small.model(x).sum(), x)
        return (gradient * x).sum(1).detach()

    still = contributions(few.x)
    for distance, found in few.stability(0).items():
        kept = [
            torch.corrcoef(torch.stack([row, other]))[0, 1]
            for n in (-distance, distance)
            for row, other in zip(still, contributions(few.x.roll(n, -1)).roll(-n, -1))
        ]
        assert found == pytest.approx(float(torch.stack(kept).mean()), abs=1e-4)


def test_the_lines_hold_the_numbers_of_the_picture_s_model(small):
    first, gradient, smooth = small.lines().splitlines()
    assert f"{small.accuracy:.0%}" in first
    for line, max_shift in ((gradient, 0), (smooth, 5)):
        kept = small.stability(max_shift)
        assert list(kept) == list(DISTANCES)
        assert line.endswith(" ".join(f"{v:.3f}," for v in kept.values())[:-1] + ".")
