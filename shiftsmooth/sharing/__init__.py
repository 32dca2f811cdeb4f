"""Work that the shifts of one call have in common, done once."""

from . import ops as ops
from .decide import Sharing, windows
from .windows import NotShareable, Windows

__all__ = ["NotShareable", "Sharing", "Windows", "windows"]
