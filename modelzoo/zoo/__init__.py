"""The catalog of trained models, where their weights are, and how they get to the Hub."""
