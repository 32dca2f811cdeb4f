"""Sequences with planted motifs: the one place where the right answer is known."""
