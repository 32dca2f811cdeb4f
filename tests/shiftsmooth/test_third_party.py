"""Models that nobody here wrote."""

import pytest
import torch
from torch import nn

from shiftsmooth import LayerShiftSmooth, ShiftSmooth
from tests.support.naive import naive


@pytest.fixture(scope="module")
def bert():
    transformers = pytest.importorskip("transformers")
    with torch.random.fork_rng():
        torch.manual_seed(0)
        config = transformers.BertConfig(
            vocab_size=12,
            hidden_size=16,
            num_hidden_layers=2,
            num_attention_heads=2,
            intermediate_size=24,
            max_position_embeddings=20,
            num_labels=3,
        )
        return transformers.BertForSequenceClassification(config).double().eval()


def test_a_bert_is_explained_at_its_words_with_its_special_tokens_in_place(bert):
    # [CLS] 8 tokens [SEP], of which the last ones of the second sequence are padding.
    length, region = 10, (1, 9)
    ids = torch.randint(3, 12, (2, length))
    ids[:, 0], ids[:, -1] = 1, 2
    mask = torch.ones(2, length, dtype=torch.long)
    mask[1, 6:9] = 0

    def forward(ids, mask):
        return bert(input_ids=ids, attention_mask=mask).logits

    def moved(x, n):
        x = x.clone()
        x[:, 1:9] = x[:, [1 + (j - n) % 8 for j in range(8)]]
        return x

    words = bert.bert.embeddings.word_embeddings
    expected = torch.zeros(2, length, 16).double()
    for n in range(-3, 4):
        leaf = words(moved(ids, n)).detach().requires_grad_()
        logits = bert(inputs_embeds=leaf, attention_mask=moved(mask, n)).logits
        logits[:, 2].sum().backward()
        expected += moved(leaf.grad, -n) / 7
    found = LayerShiftSmooth(forward, words).attribute(
        ids, 2, mask, max_shift=3, region=region, roll_args=(0,)
    )
    torch.testing.assert_close(found, expected, atol=1e-10, rtol=1e-8)


def test_the_embeddings_given_to_a_bert_are_explained_directly(bert):
    ids = torch.randint(3, 12, (2, 10))
    words = bert.bert.embeddings.word_embeddings

    def from_embeddings(h):
        return bert(inputs_embeds=h).logits

    def from_ids(ids):
        return bert(input_ids=ids).logits

    expected = LayerShiftSmooth(from_ids, words).attribute(ids, 0, max_shift=2)
    found = ShiftSmooth(from_embeddings).attribute(words(ids).detach(), 0, max_shift=2, dim=1)
    torch.testing.assert_close(found, expected, atol=1e-10, rtol=1e-8)


class Counts(nn.Module):
    """BPNet gives (profile, counts); only the counts are explained."""

    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, x, control=None):
        return self.model(x, control)[1]


@pytest.mark.parametrize("tracks", [0, 2])
def test_a_bpnet_is_explained_with_its_control_tracks(tracks):
    bpnetlite = pytest.importorskip("bpnetlite")
    core = bpnetlite.BPNet(n_filters=6, n_layers=2, n_control_tracks=tracks, trimming=10)
    model = Counts(core.double().eval())
    x = torch.nn.functional.one_hot(torch.randint(0, 4, (2, 80)), 4).mT.double()
    control = torch.rand(2, tracks, 80).double() if tracks else None

    def attribute(copies, move):
        leaf = copies[0].clone().requires_grad_()
        extra = () if control is None else (move(control, -1),)
        model(leaf, *extra).sum().backward()
        return (leaf.grad,)

    (expected,) = naive(attribute, (x,), range(-4, 5), ((-1,),))
    options = {"roll_args": (0,)} if tracks else {}
    found = ShiftSmooth(model).attribute(x, 0, control, max_shift=4, **options)
    torch.testing.assert_close(found, expected, atol=1e-10, rtol=1e-8)


@pytest.mark.slow
def test_a_network_for_images_is_explained():
    # torchvision can be installed and still fail to load, beside another build of torch.
    models = pytest.importorskip("torchvision.models", exc_type=(ImportError, RuntimeError))
    model = models.resnet18(num_classes=3).double().eval()
    x = torch.randn(2, 3, 32, 32).double()

    def attribute(copies, move):
        leaf = copies[0].clone().requires_grad_()
        model(leaf)[:, 1].sum().backward()
        return (leaf.grad,)

    (expected,) = naive(attribute, (x,), range(-1, 2), ((-2, -1),))
    found = ShiftSmooth(model).attribute(x, 1, max_shift=1, dim=(-2, -1))
    torch.testing.assert_close(found, expected, atol=1e-10, rtol=1e-8)
