"""Every test begins with the same random numbers."""

import numpy as np
import pytest
import torch


@pytest.fixture(autouse=True)
def _seed():
    # Captum draws from both.
    torch.manual_seed(0)
    np.random.seed(0)  # noqa: NPY002
