"""Files of sequences, plain and gzipped."""

import gzip

import pytest


@pytest.fixture(params=[False, True], ids=["plain", "gzipped"])
def write(request, tmp_path):
    def write(name, text):
        packed = request.param
        path = tmp_path / (name + ".gz" * packed)
        path.write_bytes(gzip.compress(text.encode()) if packed else text.encode())
        return path

    return write


@pytest.fixture
def genome(tmp_path):
    path = tmp_path / "genome.fa"
    path.write_text(">chr1 of a toy\nAACCGG\nTTACGT\n>chr2\nGATTACA\n")
    return path
