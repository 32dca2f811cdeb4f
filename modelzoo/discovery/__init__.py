"""Motif discovery: from sequences alone, or from attributions, to a folder of named motifs."""
