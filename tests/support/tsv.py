"""Tables as the commands write them."""

import csv
import io


def table(text):
    """The rows of a TSV, by column."""
    return list(csv.DictReader(io.StringIO(text), delimiter="\t"))
