"""Work that the shifts of one call have in common, done once."""

from .ops import NotShareable, Sharing, Windows

__all__ = ["NotShareable", "Sharing", "Windows"]
