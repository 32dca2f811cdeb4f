"""Localisation is measured against the truth, and against decoys where there are any."""

import numpy as np
import torch

from modelzoo.studies.benchmark.drawn import FLANK, Drawn
from modelzoo.studies.benchmark.measures import localised

LENGTH = 20


def drawn(truth, decoys):
    codes = np.zeros((1, LENGTH + 2 * FLANK), dtype=np.uint8)
    masks = np.zeros((2, *codes.shape), dtype=bool)
    for mask, places in zip(masks, (truth, decoys)):
        mask[0, [FLANK + p for p in places]] = True
    return Drawn(codes, np.ones(1), *masks)


def position(**values):
    found = torch.zeros(1, LENGTH)
    for place, value in values.items():
        found[0, int(place[1:])] = value
    return found


def test_the_largest_sizes_on_the_truth_are_perfect():
    found = localised(position(p3=-2.0, p4=1.0), drawn([3, 4], []))
    assert found["auroc"] == found["average_precision"] == found["recall"] == 1
    assert found["over_decoys"].isnan()


def test_a_decoy_above_the_truth_costs_precision_and_the_auroc_over_decoys():
    found = localised(position(p3=1.0, p9=5.0), drawn([3], [9]))
    assert found["over_decoys"] == 0 and found["average_precision"] == 0.5
    assert found["recall"] == 0
    assert localised(position(p3=6.0, p9=5.0), drawn([3], [9]))["over_decoys"] == 1
