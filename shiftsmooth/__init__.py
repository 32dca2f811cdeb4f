"""Shift-smoothed attributions for any sequence model, as a Captum plug-in."""

from .attribution import ShiftSmooth
from .functional import shift_smooth
from .layer import LayerShiftSmooth

__all__ = ["LayerShiftSmooth", "ShiftSmooth", "shift_smooth"]
