import numpy as np
import pytest
import torch

from modelzoo.sequences import columns
from modelzoo.sequences.batches import in_batches


@pytest.mark.parametrize("batch_size", [1, 3, 128])
def test_batches_change_nothing(batch_size):
    codes = np.random.default_rng(0).integers(0, 5, (7, 20)).astype(np.uint8)
    model = torch.nn.Conv1d(4, 3, 5).eval()
    found = in_batches(model, codes, batch_size=batch_size)
    torch.testing.assert_close(found, model(columns(codes)).detach())
    assert not found.requires_grad
