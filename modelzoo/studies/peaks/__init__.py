"""The mixture paper's evaluation: scores on ChIP-seq peaks, and attributions judged there."""
