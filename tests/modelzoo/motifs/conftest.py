"""Motifs of JASPAR, and some more."""

import numpy as np
import pytest

from modelzoo.motifs import Motif, jaspar


@pytest.fixture(scope="module")
def database():
    return jaspar("JASPAR2020")


@pytest.fixture
def by_id(database):
    return {motif.name: motif for motif in database}


@pytest.fixture
def motifs(by_id):
    rng = np.random.default_rng(0)
    made = Motif("unit-3", rng.dirichlet([0.3] * 4, 19).T, 1234)
    return [by_id["MA0037.3"], made]
