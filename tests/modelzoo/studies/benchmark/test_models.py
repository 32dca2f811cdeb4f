"""Every model of the benchmark reads its window, and has a trunk for Grad-CAM."""

import pytest
import torch

from modelzoo.studies.benchmark.models import MODELS
from modelzoo.studies.benchmark.sets import SETS


@pytest.mark.parametrize("model", MODELS)
def test_a_model_reads_the_window_of_every_set(model):
    for length in {one.length for one in SETS.values()}:
        network = MODELS[model].build(length).eval()
        x = torch.eye(4)[torch.randint(4, (2, length))].mT.contiguous()
        with torch.no_grad():
            assert network(x).shape == (2, 1)
            assert network.trunk(x).dim() == 3
