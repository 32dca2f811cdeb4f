"""The ways to a higher accuracy on REST: what a relative position is, how long batches grow."""

import pytest
import torch

from modelzoo.architectures.layers import sinusoids
from modelzoo.studies import rest
from modelzoo.studies.shipped import planted_set
from modelzoo.training.argminn import Params


def test_positions_are_relative_to_the_one_that_a_head_looks_at():
    positions = sinusoids(40, 16)
    attention = torch.zeros(1, 2, 40)
    attention[0, 0, 0] = attention[0, 1, 7] = 1
    found = rest.relative_to(positions, attention)
    torch.testing.assert_close(found[0, 0], positions)
    torch.testing.assert_close(found[0, 1, :, 7:], positions[:, :33])


def test_what_a_later_layer_sees_moves_with_the_first_one():
    layer = rest.RelativeAttention(10, 8, 2, 0.0).eval()
    stream, activations = torch.randn(1, 8), torch.randn(1, 6, 40)
    looked = torch.zeros(1, 2, 40)
    looked[..., 9] = 1
    one = layer(stream, activations, rest.relative_to(sinusoids(40, 4), looked))[1]
    other = layer(
        stream, activations.roll(3, -1), rest.relative_to(sinusoids(40, 4), looked.roll(3, -1))
    )[1]
    logs, moved = one.log()[..., :37], other.log()[..., 3:]
    torch.testing.assert_close(logs - logs[..., :1], moved - moved[..., :1])


def test_batches_double_at_equal_distances():
    params = rest.Growing(epochs=6)
    assert [params.size(epoch) for epoch in range(6)] == [64, 64, 128, 128, 256, 256]


@pytest.mark.slow
@pytest.mark.parametrize("way", rest.WAYS)
def test_each_way_trains_and_is_measured_once(tmp_path, monkeypatch, way):
    monkeypatch.setattr(rest, "planted_set", lambda name: planted_set(name, 400))
    tiny = Params(epochs=2, batches=4, candidates=1, held_out=100)
    row = rest.measured(tmp_path, way, 0, "cpu", tiny)
    assert 0.3 < row["accuracy"] < 1
    assert rest.measured(tmp_path, way, 0, "cpu", None) == row  # from its file
    assert rest.WAYS[way].told in rest.table([row]).to_markdown()
