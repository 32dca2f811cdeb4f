"""Any model in: by name, by file, and from the packages of the field at random weights."""

import os
import pickle
import shlex

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

import modelzoo
from modelzoo.zoo.adapters import build, load_any, wrap
from modelzoo.zoo.hub import WeightsError

SOURCE = """
from torch import nn

def build():
    return nn.Sequential(nn.Flatten(), nn.Linear(80, 3))

class Model(nn.Sequential):
    def __init__(self):
        super().__init__(nn.Flatten(), nn.Linear(80, 3))

made = build()
number = 7
"""


def dna(count=2, length=20, seed=0):
    codes = torch.randint(4, (count, length), generator=torch.Generator().manual_seed(seed))
    return nn.functional.one_hot(codes, 4).transpose(1, 2).float()


def dense(length=20, tasks=3, seed=0):
    torch.manual_seed(seed)
    return nn.Sequential(nn.Flatten(), nn.Linear(4 * length, tasks)).eval()


class Returns(nn.Module):
    """A model whose output is that of a function of its input."""

    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, x):
        return self.function(x)


@pytest.fixture
def source(tmp_path):
    path = tmp_path / "mine.py"
    path.write_text(SOURCE)
    return path


def convert_as(message):
    """Run the line that an error told; it stands behind the last 'convert it: '."""
    python, option, code = shlex.split(message.rpartition("convert it: ")[2])
    assert (python, option) == ("python", "-c")
    exec(code, {})


@pytest.mark.parametrize("name", ["build", "Model", "made"])
def test_a_function_a_class_or_a_module_of_a_file_is_a_model(source, name):
    model = load_any(f"{source}:{name}", length=20)
    assert not model.training
    assert model.tasks == ("0", "1", "2")
    assert model(dna()).shape == (2, 3)


def test_a_module_of_the_working_folder_is_found(source, monkeypatch):
    monkeypatch.chdir(source.parent)
    assert isinstance(build("mine:build"), nn.Sequential)


def test_a_file_may_import_its_neighbours_and_have_any_name(tmp_path):
    (tmp_path / "neighbour.py").write_text(SOURCE)
    (tmp_path / "torch.py").write_text("from neighbour import build")
    assert isinstance(build(f"{tmp_path / 'torch.py'}:build"), nn.Sequential)


@pytest.mark.parametrize(
    ("spec", "cause"),
    [
        ("{}:absent", "no 'absent' in it"),
        ("{}:number", "to give an nn.Module, got <class 'int'>"),
        ("{}x.py:build", "no such file"),
        ("no_such_module:build", "No module named 'no_such_module'"),
        ("no.module", "expected module:callable or file.py:callable, got 'no.module'"),
    ],
)
def test_what_is_no_model_is_said(source, spec, cause):
    with pytest.raises(ValueError, match=cause):
        build(spec.format(source))


def test_catalog_models_pass_as_they_are():
    assert load_any("deepbind-gata3").tasks == ("GATA3",)


def test_weights_are_for_built_models_only(tmp_path):
    with pytest.raises(ValueError, match="weights: expected a model of module:callable"):
        load_any("deepbind-gata3", weights=tmp_path / "any.safetensors")


@pytest.mark.parametrize("suffix", [".safetensors", ".pt", ".ckpt"])
def test_weights_are_loaded_into_the_model(source, tmp_path, suffix):
    wanted, path = dense(seed=5), tmp_path / f"weights{suffix}"
    if suffix == ".safetensors":
        save_file(wanted.state_dict(), path)
    elif suffix == ".pt":
        torch.save(wanted.state_dict(), path)
    else:
        torch.save({"epoch": 3, "state_dict": wanted.state_dict()}, path)
    assert torch.equal(build(f"{source}:build", weights=path)(dna()), wanted(dna()))


class Trap:
    def __reduce__(self):
        return os.mkdir, ("sprung",)


def test_a_checkpoint_that_runs_code_is_refused_and_runs_nothing(source, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    torch.save(Trap(), tmp_path / "trap.pt")
    with pytest.raises(WeightsError, match="only code could unpickle"):
        build(f"{source}:build", weights=tmp_path / "trap.pt")
    assert not (tmp_path / "sprung").exists()


@pytest.mark.parametrize("whole", ["module", "checkpoint"])
def test_the_line_in_the_refusal_converts_the_checkpoint(source, tmp_path, whole):
    path, wanted = tmp_path / "my model's.pt", dense(seed=5)
    checkpoint = {"config": nn.Identity(), "state_dict": wanted.state_dict()}
    torch.save(wanted if whole == "module" else checkpoint, path)
    with pytest.raises(WeightsError) as error:
        build(f"{source}:build", weights=path)
    convert_as(str(error.value))
    model = build(f"{source}:build", weights=path.with_suffix(".state.pt"))
    assert torch.equal(model(dna()), wanted(dna()))


def test_weights_of_another_model_are_named(source, tmp_path):
    save_file(dense(tasks=2).state_dict(), tmp_path / "w.safetensors")
    with pytest.raises(WeightsError, match=r"size mismatch for 1\.weight"):
        build(f"{source}:build", weights=tmp_path / "w.safetensors")


def test_weights_that_are_not_finite_are_refused_by_name(source, tmp_path):
    state = dense().state_dict()
    state["1.bias"][1] = torch.nan
    save_file(state, tmp_path / "w.safetensors")
    with pytest.raises(WeightsError, match=r"finite numbers, got others in '1\.bias'"):
        build(f"{source}:build", weights=tmp_path / "w.safetensors")


def test_what_are_no_weights_is_said(source, tmp_path):
    (tmp_path / "w.safetensors").write_bytes(b"no header")
    torch.save([1, 2], tmp_path / "w.pt")
    for name, cause in (
        ("absent.pt", "expected a file, got '.*absent.pt'"),
        ("w.safetensors", "expected safetensors, got .*w.safetensors: "),
        ("w.pt", "expected a state dict, got <class 'list'>"),
    ):
        with pytest.raises(WeightsError, match=f"weights: {cause}"):
            build(f"{source}:build", weights=tmp_path / name)


def test_names_that_nobody_gave_are_there_after_a_call():
    model = wrap(Returns(lambda x: x[:, :2, 0]).eval())
    with pytest.raises(ValueError, match="tasks: expected names, or one call before"):
        _ = model.tasks
    model(dna())
    assert model.tasks == ("0", "1")


@pytest.mark.parametrize(
    ("input", "shape"), [("(B,4,L)", (2, 4, 20)), ("(B, L, 4)", (2, 20, 4)), ("(B,1,4,L)", None)]
)
def test_a_module_gets_the_layout_that_it_takes(input, shape):
    seen = []
    wrap(Returns(lambda x: seen.append(x) or x.flatten(1)[:, :2]).eval(), input=input)(dna())
    assert seen[0].shape == (shape or (2, 1, 4, 20))
    turned = seen[0].transpose(1, 2) if input == "(B, L, 4)" else seen[0]
    assert torch.equal(turned.reshape(2, 4, 20), dna())


def test_an_unknown_layout_is_refused():
    with pytest.raises(ValueError, match="input: expected one of"):
        wrap(dense(), input="(L,4)")


@pytest.mark.parametrize("shape", [(-1,), (-1, 1), (-1, 1, 1)])
def test_one_number_per_sequence_is_one_task(shape):
    model = wrap(Returns(lambda x: x[:, 0, 0].reshape(shape)).eval(), length=20)
    assert model.tasks == ("output",)
    assert torch.equal(model(dna()), dna()[:, 0, :1])


def test_tracks_and_bins_are_averaged():
    output = torch.arange(2 * 5 * 8.0).reshape(2, 5, 8)
    model = wrap(Returns(lambda x: output).eval(), track="1:3", bins="2:4")
    assert torch.equal(model(dna()), output[:, 1:3, 2:4].mean((1, 2))[:, None])
    assert model.tasks == ("track_1-2",)


def test_without_a_track_every_track_is_a_task():
    output = torch.arange(2 * 5 * 8.0).reshape(2, 5, 8)
    model = wrap(Returns(lambda x: output).eval(), length=20)
    assert torch.equal(model(dna()), output.mean(2))
    assert model.tasks == ("0", "1", "2", "3", "4")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"track": 3}, "track: expected 0 to 3 at most, got 3:4"),
        ({"bins": "0:2"}, "bins: expected .B, tracks, bins."),
        ({"track": "two"}, "track: expected a number or first:last.1, got 'two'"),
        ({"bins": "4:4"}, "bins: expected first < last"),
        ({"tasks": ["a", "b"]}, "tasks: expected 3 names"),
    ],
)
def test_what_does_not_fit_the_output_is_refused(options, message):
    with pytest.raises(ValueError, match=message):
        wrap(dense(), length=20, **options)


def test_an_output_of_no_known_form_is_refused():
    with pytest.raises(ValueError, match="module: expected it to return"):
        wrap(Returns(lambda x: {"logits": x}).eval(), length=20)


def test_a_module_in_training_is_refused():
    with pytest.raises(ValueError, match="module: expected eval mode"):
        wrap(dense().train())


def test_a_wrapped_module_can_be_pickled():
    model = wrap(dense(), input="(B,4,L)", tasks=list("abc"))
    assert torch.equal(pickle.loads(pickle.dumps(model))(dna()), model(dna()))


@pytest.mark.parametrize("controls", [0, 2])
def test_bpnet_is_its_counts_and_its_profile(controls):
    bpnet = pytest.importorskip("bpnetlite.bpnet")
    torch.manual_seed(0)
    module = bpnet.BPNet(8, 2, n_control_tracks=controls, trimming=20, verbose=False).eval()
    model, inside, x = wrap(module, length=100), bpnet.ControlWrapper(module), dna(length=100)
    assert model.tasks == ("counts", "profile")
    torch.testing.assert_close(model(x)[:, :1], bpnet.CountWrapper(inside)(x))
    torch.testing.assert_close(model(x)[:, 1:], bpnet.ProfileWrapper(inside)(x))


def test_chrombpnet_is_its_counts_and_its_profile():
    bpnetlite = pytest.importorskip("bpnetlite")
    from bpnetlite.bpnet import CountWrapper, ProfileWrapper

    torch.manual_seed(0)
    parts = [bpnetlite.BPNet(8, 2, 1, 0, trimming=20, verbose=False) for _ in range(2)]
    module, x = bpnetlite.ChromBPNet(*parts).eval(), dna(length=100)
    model = modelzoo.wrap(module, length=100)
    torch.testing.assert_close(model(x)[:, :1], CountWrapper(module)(x))
    torch.testing.assert_close(model(x)[:, 1:], ProfileWrapper(module)(x))


@pytest.mark.slow  # the import alone takes seconds
def test_grelu_models_keep_their_task_names():
    lightning = pytest.importorskip("grelu.lightning")
    torch.manual_seed(0)
    sizes = {"n_conv": 1, "channel_init": 8, "stem_channels": 8}
    module = lightning.LightningModel(
        {"model_type": "ConvModel", "n_tasks": 2, **sizes}, {"task": "regression", "loss": "mse"}
    ).eval()
    module.data_params["tasks"] = {"name": ["K562", "HepG2"]}
    model, x = wrap(module, length=60), dna(length=60)
    assert model.tasks == ("K562", "HepG2")
    torch.testing.assert_close(model(x), module(x)[..., 0])


@pytest.fixture(scope="session")
def enformer():
    package = pytest.importorskip("enformer_pytorch")
    torch.manual_seed(0)
    sizes = {"dim": 96, "dim_divisible_by": 16, "depth": 1, "heads": 2, "attn_dim_key": 8}
    heads = {"human": 7}
    return package.Enformer.from_hparams(**sizes, output_heads=heads, target_length=4).eval()


def test_enformer_is_a_slice_of_its_human_tracks(enformer):
    model, x = wrap(enformer, track=5, bins="1:3"), dna(1, length=128 * 8)
    wanted = enformer(x.transpose(1, 2))["human"][:, 1:3, 5].mean(1, keepdim=True)
    torch.testing.assert_close(model(x), wanted)
    assert model.tasks == ("track_5",)


def test_enformer_can_be_attributed(enformer):
    from shiftsmooth import ShiftSmooth

    maps = ShiftSmooth(wrap(enformer, track=5, length=1024)).attribute(
        dna(1, length=1024).requires_grad_(), target=0, max_shift=1
    )
    assert maps.shape == (1, 4, 1024)
    assert maps.abs().max() > 0


def test_borzoi_is_a_slice_of_its_tracks():
    package = pytest.importorskip("borzoi_pytorch")
    from borzoi_pytorch.config_borzoi import BorzoiConfig

    torch.manual_seed(0)
    config = BorzoiConfig(
        dim=64, depth=1, heads=1, attn_dim_key=8, attn_dim_value=8, bins_to_return=16
    )
    module, x = package.Borzoi(config).eval(), dna(1, length=128 * 32)
    with torch.no_grad():
        wanted = module(x)[:, 121, 2:4].mean(1, keepdim=True)
        torch.testing.assert_close(wrap(module, track=121, bins="2:4")(x), wanted)


def test_keras_models_work_with_the_torch_backend(monkeypatch):
    monkeypatch.setenv("KERAS_BACKEND", "torch")
    keras = pytest.importorskip("keras")
    keras.utils.set_random_seed(0)
    layers = [keras.layers.Conv1D(5, 7), keras.layers.Dropout(0.5), keras.layers.Flatten()]
    module = keras.Sequential([keras.Input((20, 4)), *layers, keras.layers.Dense(2)]).eval()
    model, x = wrap(module, length=20), dna().requires_grad_()
    wanted = module.predict(dna().transpose(1, 2).numpy(), verbose=0)
    torch.testing.assert_close(model(x).detach(), torch.from_numpy(wanted))
    model(x)[:, 1].sum().backward()
    assert x.grad.abs().sum() > 0
