"""Work that the shifts of one call have in common, done once."""

from .decide import Share, Sharer, Sharing

__all__ = ["Share", "Sharer", "Sharing"]
