"""Models applied to sequences: what the commands do, as functions one can call."""
