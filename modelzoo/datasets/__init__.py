"""The data that the models are trained and judged on."""
