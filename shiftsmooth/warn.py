"""Warnings that point at the line that called this package."""

import sys
import warnings
from pathlib import Path

import captum

_PACKAGES = tuple(str(Path(file).parent) for file in (__file__, captum.__file__) if file)


def warn(message: str, category: type[Warning] = UserWarning) -> None:
    """Warn of the first caller outside this package and Captum, which wraps and calls it."""
    frame, level = sys._getframe(), 1
    while frame.f_back is not None and frame.f_code.co_filename.startswith(_PACKAGES):
        frame, level = frame.f_back, level + 1
    warnings.warn(message, category, stacklevel=level)
