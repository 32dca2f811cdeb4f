"""Imports point one way: between rooms, and between files."""

import re
from graphlib import CycleError, TopologicalSorter

import house
import pytest


def rising(found):
    """(module, what it imports) wherever a room of modelzoo uses one that is not below it."""
    for name, imported in found.items():
        for other in imported:
            upper, lower = house.room(name), house.room(other)
            if not (name.startswith("modelzoo.") and other.startswith("modelzoo.")):
                continue
            if upper != lower and house.FLOORS.index(lower) >= house.FLOORS.index(upper):
                yield name, other


def build(root, files):
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return house.imports(root)


def test_a_room_uses_only_rooms_below_it():
    assert list(rising(house.imports())) == []


def test_no_files_import_each_other_in_a_circle():
    found = house.imports()
    # `import modelzoo` is for its lazy names, which may come from anywhere.
    found.pop("modelzoo")
    TopologicalSorter(found).prepare()


def test_every_room_has_a_floor():
    rooms = {house.room(name) for name in house.modules() if name.startswith("modelzoo.")}
    assert rooms <= set(house.FLOORS)
    assert len(rooms) > 10


def test_the_plugin_never_imports_the_zoo():
    for name, imported in house.imports().items():
        if name.startswith("shiftsmooth"):
            assert not any(other.startswith("modelzoo") for other in imported), name


def test_an_import_inside_a_function_counts(tmp_path):
    found = build(
        tmp_path,
        {
            "modelzoo/__init__.py": "",
            "modelzoo/motifs/__init__.py": "",
            "modelzoo/motifs/motif.py": "def f():\n    from modelzoo.training.fit import fit\n",
            "modelzoo/training/__init__.py": "",
            "modelzoo/training/fit.py": "fit = 1\n",
        },
    )
    assert list(rising(found)) == [("modelzoo.motifs.motif", "modelzoo.training.fit")]


def test_a_circle_of_two_files_in_one_room_is_seen(tmp_path):
    found = build(
        tmp_path,
        {
            "modelzoo/__init__.py": "",
            "modelzoo/motifs/__init__.py": "",
            "modelzoo/motifs/motif.py": "from modelzoo.motifs.jaspar import Match\n",
            "modelzoo/motifs/jaspar.py": "from .motif import Motif\n",
        },
    )
    with pytest.raises(CycleError):
        TopologicalSorter(found).prepare()


def test_the_page_for_maintainers_shows_the_house():
    page = (house.ROOT / "docs" / "maintainers.md").read_text(encoding="utf-8")
    assert house.tree() in page
    assert house.plan() in page


@pytest.mark.parametrize("page", ["docs/maintainers.md", "CONTRIBUTING.md"])
def test_every_file_that_a_page_names_exists(page):
    text = (house.ROOT / page).read_text(encoding="utf-8")
    rooms = "shiftsmooth|modelzoo|tests|docs|benchmarks"
    named = set(re.findall(rf"`((?:{rooms})/[\w./]*(?:\.\w+|/))`", text))
    assert named
    assert {name for name in named if not (house.ROOT / name).exists()} == set()
