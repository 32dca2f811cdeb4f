import pytest
import torch
from torch import nn

from modelzoo.architectures import registered
from modelzoo.architectures.baseline import Baseline
from modelzoo.sequences import one_hot
from modelzoo.zoo import hub
from shiftsmooth import ShiftSmooth

BASELINES = registered(Baseline)
# By hand from the layer sizes of the paper, for 101 positions and three tasks, with batch norm.
PARAMETERS = {
    "cnn1": (4 * 19 * 100 + 100 + 200)
    + (1100 * 1000 + 1000 + 2000)
    + (1000 * 1000 + 1000 + 2000)
    + 3003,
    "deepcnn": (4 * 19 * 100 + 100 + 200)
    + (100 * 7 * 200 + 200 + 400)
    + (200 * 4 * 200 + 200 + 400)
    + (200 * 1000 + 1000 + 2000)
    + (1000 * 1000 + 1000 + 2000)
    + 3003,
    "danq": (4 * 26 * 320 + 320)
    + 2 * 4 * (320 * 320 + 320 * 320 + 2 * 320)
    + 2 * 4 * (640 * 320 + 320 * 320 + 2 * 320)
    + (5 * 640 * 925 + 925)
    + 926 * 3,
    "deepstarr": (4 * 7 * 256 + 256 + 512)
    + (256 * 3 * 60 + 60 + 120)
    + (60 * 5 * 60 + 60 + 120)
    + (60 * 3 * 120 + 120 + 240)
    + (6 * 120 * 256 + 256 + 512)
    + (256 * 256 + 256 + 512)
    + 257 * 3,
}
PARAMETERS["cnn1exp"] = PARAMETERS["cnn1"]
TASKS = ["a", "b", "c"]
PAPERS = {"danq": {"filters": 320, "state": 320, "hidden": 925}}  # what is smaller by default


@pytest.fixture(scope="module", params=BASELINES)
def model(request):
    torch.manual_seed(0)
    return BASELINES[request.param](tasks=TASKS).eval()


def sequences(*lengths):
    generator = torch.Generator().manual_seed(0)
    draw = [torch.randint(4, (n,), generator=generator).tolist() for n in lengths]
    return one_hot(["".join("ACGT"[i] for i in row) for row in draw])


@pytest.mark.parametrize("name", BASELINES)
def test_the_layers_have_the_sizes_of_the_paper(name):
    model = BASELINES[name](tasks=TASKS, **PAPERS.get(name, {}))
    assert sum(p.numel() for p in model.parameters()) == PARAMETERS[name]


@pytest.mark.parametrize(
    ("name", "rates"),
    [
        ("cnn1", [0.3, 0.3]),
        ("cnn1exp", [0.3, 0.3]),
        ("deepcnn", [0.3, 0.3]),
        ("danq", [0.2, 0.5]),
        ("deepstarr", [0.4, 0.4]),
    ],
)
def test_dropout_is_the_papers(name, rates):
    model = BASELINES[name](tasks=TASKS)
    assert [m.p for m in model.modules() if isinstance(m, nn.Dropout)] == rates
    assert [m.dropout for m in model.modules() if isinstance(m, nn.LSTM)] in ([], [0.5])


@pytest.mark.parametrize("length", [1, 100, 101, 105])
def test_any_length_has_logits(model, length):
    assert model(sequences(length)).shape == (1, 3)
    assert model(sequences(length).to(torch.uint8)).shape == (1, 3)


def test_a_batch_is_its_rows(model):
    x = sequences(101, 101, 101)
    assert torch.allclose(model(x), torch.cat([model(row[None]) for row in x]), atol=1e-5)


def test_the_trunk_can_be_shared_by_the_shifts(model):
    x = sequences(101, 101).double()
    try:
        model.double()
        shared = ShiftSmooth(model, share=True).attribute(x, target=1, max_shift=3)
        plain = ShiftSmooth(model).attribute(x, target=1, max_shift=3)
    finally:
        model.float()
    assert torch.allclose(shared, plain, atol=1e-10) and shared.abs().sum() > 0


def test_a_saved_model_is_read_back(model, tmp_path):
    model.save_pretrained(tmp_path)
    x = sequences(101)
    assert torch.equal(hub.load(tmp_path)(x), model(x))


SHORTEST = {"cnn1": 25, "cnn1exp": 25, "deepcnn": 90, "danq": 38, "deepstarr": 16}


@pytest.mark.parametrize("name", BASELINES)
def test_windows_that_are_too_short_are_refused(name):
    shortest = SHORTEST[name]
    model = BASELINES[name](length=shortest).eval()
    assert model(sequences(shortest)).shape == (1, 1)
    message = f"length: expected at least {shortest}, got {shortest - 1}"
    with pytest.raises(ValueError, match=message):
        BASELINES[name](length=shortest - 1)
