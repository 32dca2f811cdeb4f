"""Trained transcription-factor models, the data they are judged on, and the scripts around them."""
