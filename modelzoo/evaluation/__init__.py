"""How good the models and their attributions are: scores, statistics, figures and the report."""
