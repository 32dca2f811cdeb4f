import json
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

SCRIPT = """
import pathlib, sys, modelzoo
assert pathlib.Path(modelzoo.__file__).is_relative_to(sys.prefix), modelzoo.__file__
for name in filter(lambda name: modelzoo.info(name).shipped, modelzoo.list_models()):
    model = modelzoo.load(name, source="shipped")
    assert model(modelzoo.one_hot(["ACGTN" * 20])).shape == (1, len(model.tasks))
    print(name)
"""


def run(*command, cwd):
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.slow
def test_every_model_loads_from_an_installed_wheel(tiny, tmp_path):
    """Built from a copy of the sources with one model more, installed where the sources are not."""
    source = tmp_path / "source"
    for package in ("shiftsmooth", "modelzoo"):
        shutil.copytree(ROOT / package, source / package)
    for file in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / file, source)
    shutil.copy(tiny.info.weights, source / "modelzoo" / "weights")
    recipe = json.dumps(tiny.info.recipe)
    (source / "modelzoo" / "recipes").mkdir(exist_ok=True)
    (source / "modelzoo" / "recipes" / "tiny-gata3.json").write_text(recipe)
    run(sys.executable, "-m", "modelzoo.catalog", cwd=source)
    run(sys.executable, "-m", "build", "--wheel", "--no-isolation", cwd=source)
    (wheel,) = (source / "dist").glob("*.whl")

    run(sys.executable, "-m", "venv", "--without-pip", "fresh", cwd=tmp_path)
    python = str(tmp_path / "fresh" / "bin" / "python")
    pip = [sys.executable, "-m", "pip", "--python", python, "install", "--no-deps", "--no-index"]
    run(*pip, str(wheel), cwd=tmp_path)
    (site,) = (tmp_path / "fresh").rglob("site-packages")
    # The dependencies come from here; a path so added has its own .pth files left unread, so that
    # an editable installation of the sources stays out.
    (site / "dependencies.pth").write_text(sysconfig.get_path("purelib"))
    names = run(python, "-c", SCRIPT, cwd=tmp_path).split()
    assert "tiny-gata3" in names
    assert run(python, "-m", "modelzoo.catalog", "--check", cwd=tmp_path) == ""
