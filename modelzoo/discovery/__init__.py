"""From sequences, or attributions, to a folder of named motifs."""
