"""The explorer: a sequence in, letters and gate out, in a browser."""
