"""Shift-smoothed attributions for any sequence model, as a Captum plug-in."""

from .attribution import ShiftSmooth
from .averaged import ShiftAveraged
from .check import assert_shift_stable, check
from .functional import scan, shift_smooth
from .layer import LayerShiftSmooth

__all__ = [
    "LayerShiftSmooth",
    "ShiftAveraged",
    "ShiftSmooth",
    "assert_shift_stable",
    "check",
    "scan",
    "shift_smooth",
]
