"""The distributions: what is in the wheel and the sdist, and that an installed wheel works."""

import json
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import zipfile
from pathlib import Path

import pytest

from modelzoo.zoo import catalog

ROOT = Path(__file__).parents[2]
MADE = (
    ".*",
    "*.egg-info",
    "__pycache__",
    "build",
    "dist",
    "demo",
    "report",
    "runs",
    "_build",
    "_made",
)

SCRIPT = """
import pathlib, sys, modelzoo
assert pathlib.Path(modelzoo.__file__).is_relative_to(sys.prefix), modelzoo.__file__
for name in modelzoo.list_models():
    if modelzoo.info(name).weights.is_file():
        model = modelzoo.load(name, source="shipped")
        assert model(modelzoo.one_hot(["ACGTN" * 20])).shape == (1, len(model.tasks))
        print(name)
"""


def run(*command, cwd):
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """A copy of the sources, without what was made from them, with one model more; and `dist`.

    The wheel is built from the sdist, as `python -m build` does it.
    """
    source = tmp_path_factory.mktemp("built") / "source"
    shutil.copytree(ROOT, source, ignore=shutil.ignore_patterns(*MADE))
    for name in (".ci", ".gitignore"):
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, source / name)
        else:
            shutil.copy(ROOT / name, source)
    zoo = source / "modelzoo" / "zoo"
    known = catalog.info("deepbind-gata3")
    shutil.copy(known.weights, zoo / "weights" / "one-more.safetensors")
    recipe = {key: value for key, value in known.recipe.items() if key != "sha256"}
    (zoo / "recipes" / "one-more.json").write_text(json.dumps(recipe))
    run(sys.executable, "-B", "-m", "modelzoo.zoo.build", cwd=source)  # no __pycache__
    run(sys.executable, "-m", "build", "--no-isolation", cwd=source)
    return source


@pytest.mark.slow
def test_the_wheel_holds_the_packages_alone_and_the_sdist_what_tests_them(built):
    (wheel,), (sdist,) = (list((built / "dist").glob(name)) for name in ("*.whl", "*.tar.gz"))
    with zipfile.ZipFile(wheel) as file:
        inside = set(file.namelist())
    assert {name.partition("/")[0].partition("-")[0] for name in inside} == {
        "shiftsmooth",
        "modelzoo",
    }
    for folder in ("shiftsmooth", "modelzoo"):
        sources = (path for path in (built / folder).rglob("*") if path.is_file())
        missing = {str(path.relative_to(built)) for path in sources} - inside
        assert not missing
        assert f"{folder}/py.typed" in inside
    names = set(catalog.list_models())
    assert {f"modelzoo/zoo/recipes/{name}.json" for name in names} <= inside
    shipped = [catalog.info(name).file for name in catalog.list_models()]
    shipped = [name for name in shipped if (catalog.WEIGHTS / name).is_file()]
    assert shipped
    assert {f"modelzoo/zoo/weights/{name}" for name in shipped} <= inside
    for name in inside:
        assert "test" not in Path(name).parts[-1], name
        assert Path(name).suffix not in {".gz", ".seq", ".fa", ".npz", ".h5", ".ipynb"}, name
    assert wheel.stat().st_size < 15e6

    with tarfile.open(sdist) as file:
        packed = {name.partition("/")[2] for name in file.getnames()}
    sources = {str(path.relative_to(built)) for path in built.rglob("*") if path.is_file()}
    sources = {name for name in sources if not name.startswith(("dist/", "shiftsmooth.egg-info/"))}
    assert sources <= packed


@pytest.mark.slow
def test_every_model_loads_from_an_installed_wheel(built, tmp_path):
    """Installed where the sources are not."""
    (wheel,) = (built / "dist").glob("*.whl")
    run(sys.executable, "-m", "venv", "--without-pip", "fresh", cwd=tmp_path)
    python = str(tmp_path / "fresh" / "bin" / "python")
    pip = [sys.executable, "-m", "pip", "--python", python, "install", "--no-deps", "--no-index"]
    run(*pip, str(wheel), cwd=tmp_path)
    (site,) = (tmp_path / "fresh").rglob("site-packages")
    # The dependencies come from here; a path so added has its own .pth files left unread, so that
    # an editable installation of the sources stays out.
    (site / "dependencies.pth").write_text(sysconfig.get_path("purelib"))
    names = run(python, "-c", SCRIPT, cwd=tmp_path).split()
    assert "one-more" in names
    assert run(python, "-m", "modelzoo.zoo.build", "--check", cwd=tmp_path) == ""
    command = str(tmp_path / "fresh" / "bin" / "shiftsmooth")
    assert "one-more" in run(command, "models", cwd=tmp_path)
    run(command, "demo", "--model", "one-more", cwd=tmp_path)
    assert (tmp_path / "demo" / "index.html").is_file()
