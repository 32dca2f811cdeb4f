"""LayerShiftSmooth against a loop that runs the model from the layer's own output."""

import pytest
import torch
from captum.attr import LayerGradientXActivation
from torch import nn

from shiftsmooth import LayerShiftSmooth, ShiftSmooth
from tests.support.naive import naive

L = 12


def close(found, expected):
    torch.testing.assert_close(found.double(), expected, atol=1e-9, rtol=1e-9)


class Tokens(nn.Module):
    """Ids (B, L) -> (B, 2); what the embedding gives can be given instead."""

    def __init__(self, features=5):
        super().__init__()
        self.embedding = nn.Embedding(9, features)
        self.position = nn.Parameter(torch.randn(L, features))
        self.rnn = nn.GRU(features, 6, batch_first=True)
        self.head = nn.Linear(6, 2)
        self.double().eval()

    def forward(self, ids, mask=None):
        return self.rest(self.embedding(ids), mask)

    def rest(self, h, mask=None):
        h = h + self.position
        h = h if mask is None else h * mask[..., None]
        return self.head(self.rnn(h)[0].mean(1)).tanh()


class Inner(nn.Module):
    """(B, 4, L) -> (B, 2), with a layer in the middle that keeps the length."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv1d(4, 5, 3, padding=1)
        self.relu = nn.ReLU()
        self.pool = nn.MaxPool1d(2)
        self.head = nn.Linear(5 * L // 2, 2)
        self.double().eval()

    def forward(self, x):
        return self.after(self.conv(x))

    def after(self, h):
        return self.head(self.pool(self.relu(h)).flatten(1)).tanh()


@pytest.fixture
def ids():
    return torch.randint(0, 9, (3, L))


@pytest.fixture
def x():
    return torch.randn(3, 4, L).double()


def by_hand(before, after, inputs, dims, layer_dims, shifts, like, **options):
    """The loop: the layer's output per shift is a leaf, and its gradient is moved back."""

    def attribute(copies, move):  # of something shaped like the layer's output
        leaf = before(*(move(x, *d) for x, d in zip(inputs, dims))).detach().requires_grad_()
        after(leaf, move).sum().backward()
        return (leaf.grad,)

    (result,) = naive(attribute, (torch.zeros(like),), shifts, (layer_dims,), **options)
    return result


def test_an_embedding_is_explained_position_by_position(ids):
    model = Tokens()
    expected = by_hand(
        model.embedding,
        lambda h, move: model.rest(h)[:, 1],
        (ids,),
        ((-1,),),
        (-2,),
        range(-3, 4),
        (3, L, 5),
    )
    found = LayerShiftSmooth(model, model.embedding).attribute(ids, target=1, max_shift=3)
    assert found.shape == (3, L, 5) and found.dtype == torch.float64
    close(found, expected)


@pytest.mark.parametrize("shifts_per_eval", [1, 3, 100])
def test_the_result_does_not_depend_on_how_many_shifts_run_at_once(ids, shifts_per_eval):
    model = Tokens()
    smooth = LayerShiftSmooth(model, model.embedding)
    expected = smooth.attribute(ids, [0, 1, 1], max_shift=3)
    found = smooth.attribute(ids, [0, 1, 1], max_shift=3, shifts_per_eval=shifts_per_eval)
    close(found, expected)


def test_a_mask_rolls_and_special_tokens_stay(ids):
    model = Tokens()
    mask = (torch.rand(3, L) > 0.3).double()
    region = (1, L - 1)
    expected = by_hand(
        model.embedding,
        lambda h, move: model.rest(h, move(mask, -1))[:, 0],
        (ids,),
        ((-1,),),
        (-2,),
        range(-3, 4),
        (3, L, 5),
        region=region,
    )
    smooth = LayerShiftSmooth(model, model.embedding)
    options = {"target": 0, "additional_forward_args": mask, "max_shift": 3, "region": region}
    close(smooth.attribute(ids, roll_args=(0,), **options), expected)
    assert (smooth.attribute(ids, **options) - expected).abs().max() > 1e-3


def test_a_mask_without_a_batch_rolls_too(ids):
    model = Tokens()
    smooth = LayerShiftSmooth(model, model.embedding)
    mask = (torch.rand(L) > 0.3).double()
    expected = smooth.attribute(ids, 0, mask.expand(3, L), max_shift=3, roll_args=(0,))
    close(smooth.attribute(ids, 0, mask, max_shift=3, roll_args=(0,)), expected)


def test_an_inner_layer_of_a_convolutional_network(x):
    model = Inner()
    expected = by_hand(
        model.conv,
        lambda h, move: model.after(h)[:, 0],
        (x,),
        ((-1,),),
        (-1,),
        range(-2, 3),
        (3, 5, L),
    )
    close(LayerShiftSmooth(model, model.conv).attribute(x, 0, max_shift=2), expected)


def test_absolute_gradients_are_averaged_when_asked_for(x):
    model = Inner()
    smooth = LayerShiftSmooth(model, model.conv)
    each = torch.stack([smooth.attribute(x, 0, shifts=[n]) for n in range(-2, 3)])
    close(smooth.attribute(x, 0, max_shift=2, abs=True), each.abs().mean(0))


def test_the_layers_input_can_be_explained_instead(x):
    model = Inner()
    at_output = LayerShiftSmooth(model, model.conv).attribute(x, 0, max_shift=2)
    at_input = LayerShiftSmooth(model, model.relu).attribute(
        x, 0, max_shift=2, attribute_to_layer_input=True
    )
    close(at_input, at_output)
    after = LayerShiftSmooth(model, model.relu).attribute(x, 0, max_shift=2)
    assert (after - at_output).abs().max() > 1e-6
    whole = LayerShiftSmooth(model, model.conv).attribute(
        x, 0, max_shift=2, attribute_to_layer_input=True
    )
    close(whole, ShiftSmooth(model).attribute(x, 0, max_shift=2))


def test_without_shifts_it_is_the_layers_gradient(ids):
    model = Tokens()
    theirs = LayerGradientXActivation(model, model.embedding, multiply_by_inputs=False)
    expected = theirs.attribute(ids, target=1)
    found = LayerShiftSmooth(model, model.embedding).attribute(ids, target=1, max_shift=0)
    assert torch.equal(found, expected)


def test_frozen_models_and_float_inputs_work_too(ids):
    model = Tokens()
    expected = LayerShiftSmooth(model, model.embedding).attribute(ids, 0)
    model.requires_grad_(False)
    close(LayerShiftSmooth(model, model.embedding).attribute(ids, 0), expected)


def test_the_sequence_dimension_can_be_named_where_there_are_two(x):
    class Square(nn.Module):  # as many channels as positions
        def __init__(self):
            super().__init__()
            self.turn = nn.Identity()
            self.conv = nn.Conv1d(4, L, 3, padding=1).double()
            self.weight = nn.Parameter(torch.randn(L, L).double())

        def forward(self, x):  # positions first
            return (self.turn(self.conv(x).mT) * self.weight).sin().sum((1, 2))

    model = Square()
    channels_last = LayerShiftSmooth(model, model.turn).attribute(x, max_shift=2, layer_dim=1)
    channels_first = LayerShiftSmooth(model, model.conv).attribute(x, max_shift=2)
    close(channels_last, channels_first.mT)
    negative = LayerShiftSmooth(model, model.turn).attribute(x, max_shift=2, layer_dim=-2)
    close(negative, channels_last)


def test_an_image_layer_is_shifted_back_along_both_dimensions():
    conv = nn.Conv2d(3, 4, 3, padding=1).double()
    weight = torch.randn(4, 6, 7).double()
    model = nn.Sequential(conv, nn.Tanh())

    def f(x):
        return (model(x) * weight).sum((1, 2, 3))

    x = torch.randn(2, 3, 6, 7).double()
    expected = by_hand(
        conv,
        lambda h, move: (h.tanh() * weight).sum((1, 2, 3)),
        (x,),
        ((-2, -1),),
        (-2, -1),
        range(-2, 3),
        (2, 4, 6, 7),
    )
    for layer_dim in (None, (-2, -1), (2, 3)):
        found = LayerShiftSmooth(f, conv).attribute(
            x, max_shift=2, dim=(-2, -1), layer_dim=layer_dim
        )
        close(found, expected)


def test_flanks_go_where_the_named_dimension_is_counted_from_either_end():
    layer = nn.Linear(3, 4).double()
    smooth = LayerShiftSmooth(lambda x: layer(x).cumsum(1).sin().sum((1, 2)), layer)
    x = torch.randn(2, 10, 3).double()
    expected = smooth.attribute(x, max_shift=2, dim=1, edges="flanks")
    assert expected.shape == (2, 10, 4)
    for layer_dim in (1, -2):
        found = smooth.attribute(x, max_shift=2, dim=1, edges="flanks", layer_dim=layer_dim)
        close(found, expected)


def test_flanks_give_a_result_as_long_as_the_input():
    model = Inner()
    x = torch.randn(2, 4, L + 4).double()

    def attribute(copies, move):
        leaf = model.conv(copies[0]).detach().requires_grad_()
        model.after(leaf)[:, 1].sum().backward()
        return (leaf.grad,)

    (expected,) = naive(
        attribute,
        (x,),
        range(-2, 3),
        ((-1,),),
        edges="flanks",
        total=(torch.zeros(2, 5, L + 4),),
    )
    found = LayerShiftSmooth(model, model.conv).attribute(x, 1, max_shift=2, edges="flanks")
    assert found.shape == (2, 5, L + 4)
    close(found, expected)


class Branches(nn.Module):
    """Two inputs of different lengths, each with an embedding of its own."""

    def __init__(self):
        super().__init__()
        self.first, self.second = nn.Linear(3, 4).double(), nn.Linear(3, 4).double()

    def forward(self, a, b):
        return self.first(a).cumsum(1).sin().sum((1, 2)) * self.second(b).cumsum(1).cos().sum(
            (1, 2)
        )


@pytest.mark.parametrize("layer_dim", [None, 1])
def test_a_layer_may_belong_to_any_of_several_inputs(layer_dim):
    model = Branches()
    inputs = torch.randn(2, 8, 3).double(), torch.randn(2, 11, 3).double()
    dims = ((-2,), (-2,))
    for layer, i, length in ((model.first, 0, 8), (model.second, 1, 11)):

        def attribute(copies, move, i=i, layer=layer):
            hidden = [model.first(copies[0]).detach(), model.second(copies[1]).detach()]
            hidden[i].requires_grad_()
            a, b = hidden
            (a.cumsum(1).sin().sum((1, 2)) * b.cumsum(1).cos().sum((1, 2))).sum().backward()
            return (hidden[i].grad,) * 2

        expected = torch.zeros(2, length, 4).double()
        for n in range(-2, 3):
            moved = tuple(x.roll(n, 1) for x in inputs)
            expected += attribute(moved, None)[0].roll(-n, 1) / 5
        found = LayerShiftSmooth(model, layer).attribute(
            inputs, max_shift=2, dim=dims, layer_dim=layer_dim
        )
        close(found, expected)


def test_a_layer_is_shifted_back_as_the_input_that_is_shifted():
    model = Branches()
    inputs = torch.randn(2, 8, 3).double(), torch.randn(2, 11, 3).double()
    found = LayerShiftSmooth(model, model.second).attribute(inputs, max_shift=2, dim=(None, -2))
    expected = torch.zeros(2, 11, 4).double()
    for n in range(-2, 3):
        hidden = model.second(inputs[1].roll(n, 1)).detach().requires_grad_()
        first = model.first(inputs[0]).cumsum(1).sin().sum((1, 2))
        (first * hidden.cumsum(1).cos().sum((1, 2))).sum().backward()
        expected += hidden.grad.roll(-n, 1) / 5
    close(found, expected)


def test_where_no_input_is_shifted_it_is_the_layers_gradient(x):
    model = Inner()
    hidden = model.conv(x).detach().requires_grad_()
    model.after(hidden)[:, 0].sum().backward()
    close(LayerShiftSmooth(model, model.conv).attribute(x, 0, dim=None), hidden.grad)


class Scanner(nn.Module):
    """Ids (B, L) -> (B, 2) through an embedding, a convolution and pooling: it shares."""

    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(9, 5)
        self.conv = nn.Conv1d(5, 8, 3, padding=1)
        self.head = nn.Linear(8, 2)
        self.double().eval()

    def forward(self, ids, mask=None):
        h = self.embedding(ids).transpose(1, 2)
        h = h if mask is None else h * mask[:, None]
        return self.head(self.conv(h).sigmoid().amax(-1)).tanh()


@pytest.mark.parametrize("options", [{}, {"edges": "flanks"}, {"shifts_per_eval": 2}], ids=str)
@pytest.mark.parametrize("masked", [False, True])
def test_an_embedding_shares_and_gives_the_same(options, masked):
    model = Scanner()
    ids = torch.randint(0, 9, (3, 40))
    mask = (torch.rand(3, 40) > 0.3).double() if masked else None
    options = {"max_shift": 3, "roll_args": (0,) if masked else (), **options}
    before = vars(model.embedding).copy()
    smooth = LayerShiftSmooth(model, model.embedding, share=True)
    found = smooth.attribute(ids, [0, 1, 1], mask, **options)
    expected = LayerShiftSmooth(model, model.embedding, share=False).attribute(
        ids, [0, 1, 1], mask, **options
    )
    close(found, expected)
    assert vars(model.embedding) == before
    if not masked:
        assert smooth.sharing.shared


class Twice(Scanner):
    """Looks at its embedding twice."""

    def forward(self, ids):
        return super().forward(ids) * super().forward(ids.flip(1))


@pytest.mark.parametrize(
    ("build", "options"),
    [
        (Twice, {}),
        (Scanner, {"abs": True}),
        (Scanner, {"reduction": "variance"}),
        (Scanner, {"region": (1, 39)}),
    ],
)
@pytest.mark.filterwarnings("ignore:ShiftSmooth shares nothing")
def test_what_an_embedding_cannot_share_is_as_without(build, options):
    model, ids = build(), torch.randint(0, 9, (3, 40))
    smooth = LayerShiftSmooth(model, model.embedding, share=True)
    found = smooth.attribute(ids, 0, max_shift=3, **options)
    plain = LayerShiftSmooth(model, model.embedding, share=False)
    close(found, plain.attribute(ids, 0, max_shift=3, **options))
    assert smooth.sharing is None or not smooth.sharing.shared


def test_a_layer_with_several_outputs_gives_a_tuple(x):
    class Split(nn.Module):
        def forward(self, x):
            return x.sin(), x[:, :2].cos()

    class Both(nn.Module):
        def __init__(self):
            super().__init__()
            self.split = Split()
            self.weight = nn.Parameter(torch.randn(L).double())

        def forward(self, x):
            a, b = self.split(x)
            return (a.sum(1) * b.sum(1) * self.weight).sum(1)

    model = Both()
    found = LayerShiftSmooth(model, model.split).attribute(x, max_shift=2)
    assert [tuple(a.shape) for a in found] == [(3, 4, L), (3, 2, L)]
    for i, channels in ((0, 4), (1, 2)):
        expected = torch.zeros(3, channels, L).double()
        for n in range(-2, 3):
            leaves = [h.requires_grad_() for h in model.split(x.roll(n, -1))]
            (leaves[0].sum(1) * leaves[1].sum(1) * model.weight).sum().backward()
            expected += leaves[i].grad.roll(-n, -1) / 5
        close(found[i], expected)


@pytest.mark.parametrize(
    ("layer", "options", "message"),
    [
        ("pool", {}, r"layer .*take one before pooling.*: .* length 12.*\(3, 5, 6\)"),
        ("head", {}, "expected one dimension of length 12"),
        ("conv", {"layer_dim": 1}, r"layer_dim: expected .*\[12\].* \(3, 5, 12\), got 1"),
        ("conv", {"layer_dim": 3}, "layer_dim: .* got 3"),
        ("conv", {"layer_dim": (1, 2)}, r"layer_dim: .* got \(1, 2\)"),
        ("conv", {"max_shift": 12}, "max_shift"),
        ("conv", {"reduction": "max"}, "reduction"),
    ],
)
def test_a_layer_without_the_sequence_is_an_error_that_says_what_it_gives(
    x, layer, options, message
):
    model = Inner()
    options = {"max_shift": 1, "shifts_per_eval": 1, **options}
    with pytest.raises(ValueError, match=message):
        LayerShiftSmooth(model, getattr(model, layer)).attribute(x, 0, **options)


def test_a_bad_target_is_an_assertion_error(x):
    model = Inner()
    with pytest.raises(AssertionError):
        LayerShiftSmooth(model, model.conv).attribute(x)
    with pytest.raises(AssertionError):
        LayerShiftSmooth(model, model.conv).attribute(x, [0, 1])


def test_an_ambiguous_argument_is_explained_in_the_error(ids):
    model = Tokens()

    def f(ids, table):  # two rows, by chance as many as examples
        return model(ids) @ table

    with pytest.raises(RuntimeError) as error:
        LayerShiftSmooth(f, model.embedding).attribute(
            ids[:2], 0, torch.eye(2).double(), shifts_per_eval=3
        )
    assert any("additional_forward_args[0]" in note for note in error.value.__notes__)


def test_wrapped_in_data_parallel_it_gives_the_same(ids):
    model = Tokens()
    expected = LayerShiftSmooth(model, model.embedding).attribute(ids, 0)
    close(LayerShiftSmooth(nn.DataParallel(model), model.embedding).attribute(ids, 0), expected)


def test_half_precision_is_summed_in_float32(ids):
    class Weighted(nn.Module):  # the gradient of each position is its weight, whatever the shift
        def __init__(self):
            super().__init__()
            self.embedding = nn.Embedding(9, 4).bfloat16()
            self.weight = torch.randn(L, 4).bfloat16()

        def forward(self, ids):
            return (self.embedding(ids) * self.weight).sum((1, 2))

    model = Weighted()
    expected = torch.stack([model.weight.double().roll(-n, 0) for n in range(-5, 6)]).mean(0)
    found = LayerShiftSmooth(model, model.embedding).attribute(ids)
    assert found.dtype == torch.bfloat16
    torch.testing.assert_close(found.double(), expected.expand(3, -1, -1), rtol=2**-8, atol=1e-6)
