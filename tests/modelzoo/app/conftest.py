"""One model, kept for all tests of the explorer's server."""

import pytest

from modelzoo.app.explain import EXAMPLES, Models

EXPERT = "deepbind-gata3"
PEAK = EXAMPLES["GATA on both strands"]


@pytest.fixture(scope="session")
def expert():
    return Models([EXPERT])


@pytest.fixture
def asked():
    return {"model": EXPERT, "sequence": PEAK, "task": 0, "max_shift": 5}
