import json

import pytest

from modelzoo.datasets.peaks import Peaks
from modelzoo.errors import WorkError
from modelzoo.training.expert import ExpertParams, untrained
from modelzoo.training.fit import History
from modelzoo.training.run_folder import Run, data_digest, identity, partial
from tests.support.peaks import fasta, planted

SMALL = {"filters": [4], "widths": [5]}


@pytest.fixture
def data(tmp_path):
    return Peaks([fasta(tmp_path / "toy.fa", planted(60, "GATA"))])


def files(folder):
    return {path.name for path in folder.iterdir()}


def test_a_run_ends_in_a_folder_with_the_model_and_how_it_was_made(tmp_path, data):
    out = tmp_path / "a" / "b"
    with Run(out, {"seed": 3}) as run:
        assert files(run.folder) == {"run.json"}
        run.checkpoint.path.touch()
        history = History([0.5, 0.7], [1.0, 3.0])
        model = untrained("toy", SMALL)
        told = {"command": "make it", "seed": 3, "validation_auc": 0.7}
        assert run.finish(model, history, ExpertParams(), data, **told) == out
    assert files(out) >= {"config.json", "model.safetensors", "training.json", "times.json"}
    assert not files(out) & {"run.json", "checkpoint.safetensors"}
    assert files(out.parent) == {"b"}
    training = json.loads((out / "training.json").read_text())
    assert told.items() <= training.items() and training["epochs"] == 2
    assert training["data"] == {"toy.fa": next(iter(data.sources.values()))}
    times = json.loads((out / "times.json").read_text())
    assert times["processor_seconds_an_epoch"] == 2.0 and times["date"][:2] == "20"


def test_asking_for_a_path_makes_none(tmp_path):
    Run(tmp_path / "a", {})
    partial(tmp_path / "a")
    assert not files(tmp_path)


def test_nothing_is_overwritten(tmp_path):
    (tmp_path / "a").mkdir()
    with pytest.raises(FileExistsError, match=r"out: .*a exists already"):
        Run(tmp_path / "a", {})


def test_an_error_of_the_work_is_no_error_of_the_call(tmp_path):
    with pytest.raises(WorkError, match="no such thing") as caught, Run(tmp_path / "a", {}):
        raise ValueError("no such thing")
    assert isinstance(caught.value.__cause__, ValueError) and not files(tmp_path)


def test_work_that_failed_leaves_what_it_can_resume_from_alone(tmp_path):
    with pytest.raises(KeyboardInterrupt), Run(tmp_path / "a", {"seed": 1}) as run:
        run.checkpoint.path.touch()
        raise KeyboardInterrupt
    assert files(tmp_path / "a.partial") == {"checkpoint.safetensors", "run.json"}
    with pytest.raises(ValueError, match=r"a\.partial belongs to another run.*: seed; remove it"):
        Run(tmp_path / "a", {"seed": 2})
    with pytest.raises(ValueError, match=r"checkpoint\.safetensors: .* damaged file"):
        Run(tmp_path / "a", {"seed": 1})


@pytest.mark.parametrize("text", ['{"seed":', "[1]"])
def test_a_damaged_note_is_named(tmp_path, text):
    (tmp_path / "a.partial").mkdir()
    (tmp_path / "a.partial" / "run.json").write_text(text)
    with pytest.raises(ValueError, match=r"run\.json: expected JSON, got a damaged file"):
        Run(tmp_path / "a", {"seed": 1})


def test_a_folder_of_something_else_is_neither_used_nor_removed(tmp_path):
    (tmp_path / "a.partial").mkdir()
    (tmp_path / "a.partial" / "thesis.tex").touch()
    with pytest.raises(ValueError, match=r"out: .* got .*thesis\.tex"):
        Run(tmp_path / "a", {})
    with Run(tmp_path / "b", {}) as run:
        (run.folder / "thesis.tex").touch()
        assert files(run.folder) == {"run.json", "thesis.tex"}
    with pytest.raises(KeyboardInterrupt), Run(tmp_path / "b", {}):
        raise KeyboardInterrupt
    assert files(tmp_path / "b.partial") == {"thesis.tex"}


def test_an_identity_holds_all_that_a_result_depends_on(data, tmp_path):
    def made(config=SMALL, epochs=2, seed=1, weights=1, data=data):
        model, params = untrained("toy", config, seed=weights), ExpertParams(epochs=epochs)
        return identity(model, params, seed, data)

    base = made()
    assert base == made()
    other = Peaks([fasta(tmp_path / "toy.fa", planted(60, "GATA", seed=1))])
    changed = {
        "config": made({**SMALL, "pooling": "max"}),
        "dropout": made({**SMALL, "dropout": 0.5}),
        "epochs": made(epochs=3),
        "seed": made(seed=2),
        "weights": made(weights=2),
        "data": made(data=other),
    }
    for name, found in changed.items():
        assert found != base, name
    assert data_digest(data, 1) != data_digest(other, 1)
