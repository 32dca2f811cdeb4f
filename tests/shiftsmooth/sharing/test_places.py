"""Evenly spaced windows lie where the same windows lie as a list."""

import pytest
import torch

from shiftsmooth.sharing.places import Places


@pytest.mark.parametrize("step", [1, 2, 3, 4, 6, -2])
@pytest.mark.parametrize("strides", [(2,), (3, 2), (4, 3)])
def test_after_strides_evenly_spaced_windows_stay_ranges(step, strides):
    spaced = Places.on_one_map(range(7, 7 + 40 * step, step))
    each = Places.on_one_map(list(range(7, 7 + 40 * step, step)))
    sources = [[0], [0]]
    for stride in strides:
        found, spaced = spaced.strided(stride)
        wanted, each = each.strided(stride)
        sources = [[(sources[i][g], r) for g, r in new] for i, new in enumerate((found, wanted))]
        spaced, each = spaced.later(-1), each.later(-1)
    assert all(isinstance(starts, range) for starts in spaced.starts)
    assert sources[0] == sources[1]
    assert spaced.of_windows == each.of_windows


@pytest.mark.parametrize("starts", [range(4, 40, 3), [5, 2, 9]])
def test_a_stride_of_one_leaves_windows_where_they_are(starts):
    places = Places.on_one_map(starts)
    sources, same = places.strided(1)
    assert sources == [(0, 0)] and same.distance(places) == 0


@pytest.mark.parametrize("starts", [range(4, 40, 3), [5, 2, 9]])
def test_windows_one_by_one_are_where_their_maps_say(starts):
    sources, places = Places.on_one_map(starts).strided(4)
    residues = [(sources[g][1], start) for g, start in places.of_windows]
    assert residues == [(start % 4, start // 4) for start in starts]


def test_rows_come_back_in_the_order_of_their_windows():
    _, places = Places.on_one_map(range(1, 30, 2)).strided(4)
    rows = [torch.tensor(list(numbers)) for numbers in places.members]
    assert places.in_order(rows).tolist() == list(range(15))


def test_a_distance_is_the_same_for_all_windows_or_none():
    places = Places.on_one_map(range(0, 20, 2))
    assert places.later(3).distance(places) == 3
    assert Places.on_one_map([start + 3 for start in range(0, 20, 2)]).distance(places) == 3
    assert Places.on_one_map(range(0, 30, 3)).distance(places) is None
    _, strided = places.strided(4)
    assert strided.distance(places) is None
