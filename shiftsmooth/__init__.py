"""Shift-smoothed attributions for any sequence model, as a Captum plug-in."""

from .attribution import ShiftSmooth
from .averaged import ShiftAveraged
from .functional import shift_smooth
from .layer import LayerShiftSmooth

__all__ = ["LayerShiftSmooth", "ShiftAveraged", "ShiftSmooth", "shift_smooth"]
