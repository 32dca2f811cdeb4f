"""Shift-smoothed attributions for any sequence model, as a Captum plug-in."""
