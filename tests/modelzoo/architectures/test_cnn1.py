import torch

from modelzoo.architectures.cnn1 import CNN1, CNN1Exp


def test_cnn1exp_is_cnn1_with_the_exponential():
    plain, exp = CNN1().eval(), CNN1Exp().eval()
    exp.load_state_dict(plain.state_dict())
    x = torch.rand(1, 4, 101)
    before = plain.trunk[:2](x)
    assert torch.equal(plain.activations(x), before.relu())
    assert torch.equal(exp.activations(x), before.exp())
