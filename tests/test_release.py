"""What a release and its checks are made of says what is true of the package."""

import re
import tomllib

import house
import pages
import pytest
import yaml

ROOT = house.ROOT
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]


def steps(path):
    for job in yaml.safe_load(path.read_text("utf-8"))["jobs"].values():
        yield from job["steps"]


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_a_workflow_runs_what_is_in_the_makefile(path):
    makefile = (ROOT / "Makefile").read_text("utf-8")
    targets = set(re.findall(r"^([\w-]+):", makefile, re.MULTILINE))
    commands = [step["run"].split() for step in steps(path) if "run" in step]
    assert commands or path.stem == "release"
    for program, *arguments in commands:
        if program == "make":
            assert set(arguments) <= targets
        else:
            assert (ROOT / program).is_file()


def test_the_workflow_tests_every_python_that_the_package_names():
    (path,) = (path for path in WORKFLOWS if path.stem == "tests")
    jobs = yaml.safe_load(path.read_text("utf-8"))["jobs"]
    prefix = "Programming Language :: Python :: 3."
    named = [c.rpartition(" ")[2] for c in PROJECT["classifiers"] if c.startswith(prefix)]
    assert jobs["quick"]["strategy"]["matrix"]["python"] == named


def test_the_image_holds_what_its_ignore_file_lets_in():
    ignored = (ROOT / ".dockerignore").read_text("utf-8").split()
    assert ignored[0] == "*"
    for name in ignored[1:]:
        assert (ROOT / name.removeprefix("!")).exists()
    assert re.search(
        r"^torch==[\d.]+$", (ROOT / "constraints.txt").read_text("utf-8"), re.MULTILINE
    )


def test_pixi_asks_for_what_the_package_asks_for():
    pixi = tomllib.loads((ROOT / "pixi.toml").read_text("utf-8"))
    bounds = dict(re.fullmatch(r"([\w-]+)(.*)", one).groups() for one in PROJECT["dependencies"])
    bounds["pytorch"] = bounds.pop("torch")  # conda-forge's name
    assert pixi["dependencies"] == {"python": PROJECT["requires-python"], **bounds}
    (own,) = pixi["pypi-dependencies"].items()
    assert own[0] == pixi["workspace"]["name"] == PROJECT["name"]
    assert (ROOT / own[1]["path"] / "pyproject.toml").is_file()
    assert set(own[1]["extras"]) <= set(PROJECT["optional-dependencies"])


def test_a_task_of_pixi_is_a_command_of_the_package():
    tasks = tomllib.loads((ROOT / "pixi.toml").read_text("utf-8"))["tasks"]
    known = {" ".join(words) for words, _ in pages.commands()}
    for task in tasks.values():
        program, command = task.split(" ", 1)
        assert program in PROJECT["scripts"] and command in known
