"""ARGMINN's paper again: models trained and judged on planted motifs."""
