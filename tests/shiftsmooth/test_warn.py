"""Warnings point at the caller's line."""

import pytest
import torch
from captum.attr import NoiseTunnel

from shiftsmooth import ShiftSmooth
from shiftsmooth.warn import warn


def line_of(caught):
    with open(caught[0].filename) as file:
        return file.readlines()[caught[0].lineno - 1]


def test_a_warning_from_outside_points_at_its_own_line():
    with pytest.warns(UserWarning, match="mine") as caught:
        warn("mine")
    assert caught[0].filename == __file__ and 'warn("mine")' in line_of(caught)


def unshareable(x):
    return x.cos().sum((1, 2)) * (1 if type(x) is torch.Tensor else 2)


@pytest.mark.parametrize("wrap", [lambda smooth: smooth, NoiseTunnel], ids=["plain", "tunnel"])
def test_a_warning_from_inside_points_at_the_call(wrap):
    method = wrap(ShiftSmooth(unshareable, share=True))
    with pytest.warns(UserWarning, match="shares nothing") as caught:
        method.attribute(torch.randn(2, 4, 20))
    assert caught[0].filename == __file__ and "method.attribute(" in line_of(caught)
