import subprocess
import sys
from importlib.metadata import version

import pytest
import torch
import typer.main

from modelzoo.cli.main import app, main


def commands(command=None, words=()):
    """The words of every command."""
    below = (command or typer.main.get_command(app)).commands
    for name, child in below.items():
        if hasattr(child, "commands"):
            yield from commands(child, (*words, name))
        else:
            yield (*words, name)


@pytest.mark.parametrize("command", commands(), ids=" ".join)
def test_help_of_every_command_has_an_example(shiftsmooth, command):
    done = shiftsmooth(*command, "--help")
    assert done.code == 0
    assert f"Example: shiftsmooth {' '.join(command)}" in done.out


def test_help_does_not_wait_for_torch():
    script = "import sys, modelzoo.cli.main; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.stdout == "False\n"


def test_no_command_shows_help_and_is_a_wrong_call(shiftsmooth):
    done = shiftsmooth()
    assert done.code == 2
    assert "predict" in done.out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["frobnicate"], "No such command 'frobnicate'"),
        (["predict", "-m", "tiny-gata3"], "expected at least one file of sequences"),
        (["predict", "absent.fa", "-m", "tiny-gata3"], "no such file: 'absent.fa'"),
        (["predict", "-", "-m", "tiny-gata4"], "did you mean 'tiny-gata3'?"),
        (["predict", "-", "-m", "tiny-gata3", "--device", "tpu"], "'tpu' is not one of"),
        (["models", "--architecture", "x"], "architecture: expected one of deepbind, got 'x'"),
        (["publish", "tiny-gata3", "--repo-id", "mine"], "'mine'; expected OWNER/REPO"),
        (["evaluate", "argminn", "-m", "tiny-gata3"], "No such option: -m"),
        (["evaluate", "argmin"], "No such command 'argmin'"),
        (["attribute", "-", "-m", "tiny-gata3", "-o", "x", "--method", "magic"], "got 'magic'"),
        (
            ["train", "expert", "GATA3", "-o", "x", "--architecture", "magic"],
            "of danq-expert, deepbind, tower",
        ),
        (
            ["attribute", "-", "-m", "tiny-gata3", "-o", "x", "--seed", "-1"],
            "--seed': Input should",
        ),
        (
            ["predict", "-", "-m", "tiny-gata3", "--batch-size", "0"],
            "--batch-size': Input should",
        ),
        (
            ["train", "baseline", "cnn1", "-o", "x", "--epochs", "0"],
            "--epochs': Input should",
        ),
        (
            ["train", "expert", "GATA3", "-o", "x", "--seed", "-1"],
            "--seed': Input should",
        ),
        (["evaluate", "-o", "x", "--seed", "-1"], "--seed': Input should"),
        (["train", "baseline", "magic", "-o", "x"], "expected one of cnn1,"),
    ],
)
def test_wrong_call_is_said_in_one_line(tiny, shiftsmooth, arguments, message):
    done = shiftsmooth(*arguments)
    assert done.code == 2
    assert message in done.err
    assert done.err.count("\n") == 1


@pytest.mark.skipif(torch.cuda.is_available(), reason="here --device cuda is fine")
def test_cuda_where_there_is_none_is_a_wrong_call(tiny, shiftsmooth, fasta):
    done = shiftsmooth("predict", fasta, "-m", "tiny-gata3", "--device", "cuda")
    assert done.code == 2
    assert "no CUDA device is available" in done.err


def test_failed_work_is_said_in_one_line_and_debug_shows_where(tiny, shiftsmooth, fasta, capsys):
    weights = tiny.info.weights.read_bytes()
    tiny.info.weights.write_bytes(weights[:-1] + bytes([weights[-1] ^ 1]))
    done = shiftsmooth("predict", fasta, "-m", "tiny-gata3")
    assert done.code == 1
    assert "expected sha256" in done.err
    assert done.err.count("\n") == 1
    from modelzoo.zoo.hub import WeightsError

    with pytest.raises(WeightsError):
        sys.argv = ["shiftsmooth", "predict", str(fasta), "-m", "tiny-gata3", "--debug"]
        main()


@pytest.mark.parametrize("missing", ["typer", "rich"])
def test_missing_package_says_how_to_get_it(missing):
    script = f"import sys; sys.modules[{missing!r}] = None; import modelzoo.cli.main"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.returncode == 1
    assert "pip install" in done.stderr
    assert "Traceback" not in done.stderr


def test_version_is_that_of_the_distribution(shiftsmooth):
    done = shiftsmooth("--version")
    assert done.code == 0
    assert done.out == f"shiftsmooth {version('shiftsmooth')}\n"


def test_a_list_into_a_pipe_that_closes_is_no_failure(tmp_path):
    command = f"{sys.executable} -u -m modelzoo.cli.main models | true"
    done = subprocess.run(["bash", "-o", "pipefail", "-c", command], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
