"""The studies that reproduce the papers, one folder or file per question."""
