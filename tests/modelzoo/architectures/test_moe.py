import copy

import numpy as np
import pytest
import torch

import modelzoo
from modelzoo.architectures.deepbind import DeepBind
from modelzoo.architectures.moe import MixtureOfExperts
from modelzoo.architectures.tower import Tower
from modelzoo.sequences import one_hot, reverse_complement

FACTORS = ("ARID3A", "FOXM1", "GATA3")


def expert(seed, **config):
    torch.manual_seed(seed)
    return DeepBind(**{"filters": [6], "widths": [5], "dropout": 0.5} | config).eval()


@pytest.fixture
def experts():
    # of different depth, width and pooling: nothing may rest on their being alike
    configs = ({}, {"filters": [4, 5], "widths": [7, 3]}, {"pooling": "max"})
    return {f: expert(i, tasks=[f], **c) for i, (f, c) in enumerate(zip(FACTORS, configs))}


@pytest.fixture
def moe(experts):
    torch.manual_seed(9)
    return MixtureOfExperts.from_experts(experts).eval()


@pytest.fixture
def x():
    rng = np.random.default_rng(0)
    return one_hot(["".join(row) for row in rng.choice(list("ACGT"), (7, 40))])


def mixture_by_equations(moe, embeddings):
    """Equations 1 and 4 to 10, in numpy, from the experts' embeddings e_i."""

    def linear(layer):
        return layer.weight.detach().numpy().T, layer.bias.detach().numpy()

    E = np.concatenate(embeddings, axis=1)  # (4)
    W_gate, b_gate = linear(moe.mixture.gate)
    g = E @ W_gate + b_gate  # (5), (6)
    alpha = np.exp(g) / np.exp(g).sum(axis=1, keepdims=True)  # (7)
    h = [
        np.maximum(e @ W + b, 0)  # (1)
        for e, (W, b) in zip(embeddings, map(linear, moe.mixture.transforms))
    ]
    m = sum(alpha[:, [i]] * h[i] for i in range(len(h)))  # (8)
    W_class, b_class = linear(moe.mixture.classifier)
    o = m @ W_class + b_class  # (9)
    return alpha, o, 1 / (1 + np.exp(-o))  # (10)


def test_the_mixture_is_the_papers_equations(moe, experts, x):
    with torch.no_grad():
        embeddings = [model.embed(x).numpy() for model in experts.values()]
        alpha, o, probability = mixture_by_equations(moe, embeddings)
        np.testing.assert_allclose(moe.embed(x), np.concatenate(embeddings, 1), atol=1e-6)
        np.testing.assert_allclose(moe.gate(x), alpha, atol=1e-6)
        np.testing.assert_allclose(moe(x), o, atol=1e-5)
        np.testing.assert_allclose(moe(x).sigmoid(), probability, atol=1e-6)
    assert alpha.shape == (7, 3) and o.shape == (7, 1)


def test_rows_of_the_gate_sum_to_one(moe, x):
    torch.testing.assert_close(moe.gate(x).sum(dim=1), torch.ones(7))


def test_both_strands_have_one_prediction(moe, x):
    torch.testing.assert_close(moe(x), moe(reverse_complement(x)), atol=1e-5, rtol=0)


def test_one_gradient_explains_the_whole_mixture(moe, x):
    moe, x, step = moe.double(), x[:2].double().requires_grad_(), 1e-6
    (gradient,) = torch.autograd.grad(moe(x).sum(), x)
    with torch.no_grad():
        for place in [(0, 0, 3), (0, 2, 20), (1, 3, 39)]:
            nudge = torch.zeros_like(x)
            nudge[place] = step
            slope = (moe(x + nudge) - moe(x - nudge)).sum() / (2 * step)
            assert slope.item() == pytest.approx(gradient[place].item(), rel=1e-5, abs=1e-9)


def test_training_leaves_the_experts_without_gradients_and_as_they_were(moe, x):
    before = copy.deepcopy(moe.experts.state_dict())
    moe.train()
    optimizer = torch.optim.SGD([p for p in moe.parameters() if p.requires_grad], lr=0.1)
    moe(x).sum().backward()
    optimizer.step()
    assert all(p.grad is None for p in moe.experts.parameters())
    assert all(p.grad is not None for p in moe.mixture.parameters())
    assert all(torch.equal(moe.experts.state_dict()[key], value) for key, value in before.items())


def test_experts_drop_nothing_out_while_the_gate_trains(moe, x):
    evaluated = moe.embed(x)
    assert torch.equal(moe.train().embed(x), evaluated)
    assert moe.mixture.training and not any(e.training for e in moe.experts.values())


def test_with_expert_adds_one_and_changes_nothing_else(moe, x):
    before = copy.deepcopy(moe.state_dict())
    new = expert(5, tasks=["CTCF"])
    larger = moe.with_expert("CTCF", new)
    assert list(moe.experts) == [*FACTORS] and list(larger.experts) == [*FACTORS, "CTCF"]
    assert all(torch.equal(moe.state_dict()[key], value) for key, value in before.items())
    torch.testing.assert_close(larger.embed(x), torch.cat([moe.embed(x), new.embed(x)], dim=1))
    assert larger.gate(x).shape == (7, 4) and larger.tasks == moe.tasks
    larger.experts["CTCF"].output.weight.data.zero_()
    assert new.output.weight.abs().sum() > 0  # a copy


def test_a_name_in_use_is_refused(moe):
    with pytest.raises(ValueError, match=r"name: expected a new one, got 'GATA3' of \["):
        moe.with_expert("GATA3", expert(0))


def test_experts_must_agree_on_the_size_of_the_embedding(moe):
    with pytest.raises(ValueError, match=r"experts: expected embeddings of one size, got .*16"):
        moe.with_expert("CTCF", expert(0, embedding_size=16))


@pytest.mark.parametrize("arguments", [({},), ({"a": {}}, "b"), ({"a": {}}, [])])
def test_arguments_that_make_no_model_are_refused(arguments):
    with pytest.raises(ValueError, match="expected"):
        MixtureOfExperts(*arguments)


def test_trunk_gives_every_experts_maps_in_the_one_call_a_prediction_makes(moe, experts, x):
    calls = []
    moe.trunk.register_forward_hook(lambda module, inputs, maps: calls.append(maps))
    moe(x)
    assert len(calls) == 1
    expected = torch.cat([model.trunk(x) for model in experts.values()], dim=1)
    assert torch.equal(calls[0], expected)


def test_one_config_and_one_file_rebuild_everything(moe, x, tmp_path):
    moe.save_pretrained(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} >= {"config.json", "model.safetensors"}
    again = MixtureOfExperts.from_pretrained(tmp_path).eval()
    assert torch.equal(again(x), moe(x)) and again.config == moe.config
    assert not any(p.requires_grad for p in again.experts.parameters())
    assert list(again.experts) == list(FACTORS)


# Experts of several architectures


@pytest.fixture
def mixed(experts):
    torch.manual_seed(4)
    tower = Tower(filters=3, stem=5, dilations=[1, 2], tasks=["CTCF"]).eval()
    return MixtureOfExperts.from_experts({**experts, "CTCF": tower}).eval()


def test_a_mixture_of_architectures_is_the_papers_equations(mixed, x):
    with torch.no_grad():
        embeddings = [model.embed(x).numpy() for model in mixed.experts.values()]
        alpha, o, _ = mixture_by_equations(mixed, embeddings)
        np.testing.assert_allclose(mixed.gate(x), alpha, atol=1e-6)
        np.testing.assert_allclose(mixed(x), o, atol=1e-5)
    torch.testing.assert_close(mixed(x), mixed(reverse_complement(x)), atol=1e-5, rtol=0)


def test_a_mixture_of_architectures_is_rebuilt_from_its_files(mixed, x, tmp_path):
    mixed.save_pretrained(tmp_path)
    again = modelzoo.load(tmp_path)
    assert torch.equal(again(x), mixed(x)) and again.config == mixed.config
    classes = [type(expert) for expert in again.experts.values()]
    assert classes == [DeepBind, DeepBind, DeepBind, Tower]


def test_an_expert_that_does_not_say_its_architecture_is_deepbind(moe):
    config = {name: dict(expert.config) for name, expert in moe.experts.items()}
    again = MixtureOfExperts(config)
    assert again.config == moe.config
    assert {c["architecture"] for c in moe.config["experts"].values()} == {"deepbind"}


def test_an_expert_without_an_embedding_is_refused():
    with pytest.raises(
        ValueError,
        match=r"experts: expected one of \['danq-expert', 'deepbind', 'tower'\] each, got 'moe'",
    ):
        MixtureOfExperts({"a": {"architecture": "moe"}})
