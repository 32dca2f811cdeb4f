"""The house as the code builds it: which file holds what, and which room uses which.

`docs/tools/fill.py` writes both into the page for maintainers; tests/test_house.py holds the
imports against `FLOORS`.
"""

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGES = ("shiftsmooth", "modelzoo")
# The rooms of modelzoo, ground floor first: a room uses those before it, never those behind it.
FLOORS = (
    "errors",
    "files",
    "workers",
    "on_ray",
    "jobs",
    "sequences",
    "architectures",
    "motifs",
    "datasets",
    "zoo",
    "attribution",
    "tracks",
    "apply",
    "training",
    "reports",
    "discovery",
    "studies",
    "app",
    "cli",
)


def modules(root: Path = ROOT) -> dict[str, Path]:
    """Return the file of every module of both packages; a folder's `__init__` has its name."""
    found = {}
    for package in PACKAGES:
        for path in sorted((root / package).rglob("*.py")):
            parts = path.relative_to(root).with_suffix("").parts
            found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def imports(root: Path = ROOT) -> dict[str, set[str]]:
    """Return which modules each module imports, anywhere in it: also inside functions."""
    files = modules(root)
    return {name: set(_imported(name, path, files)) - {name} for name, path in files.items()}


def room(module: str) -> str:
    """Return the room of a module: its folder, or its file on the top level."""
    return (*module.split("."), "")[1]


def tree(root: Path = ROOT) -> str:
    """Return every folder and file with the first sentence of its docstring, as Markdown."""
    lines = []
    files = modules(root)
    for name, path in files.items():
        said = (ast.get_docstring(ast.parse(path.read_text("utf-8"))) or "").split("\n\n")[0]
        sentence = " ".join(said.split())
        depth = "  " * name.count(".")
        shown = path.name if path.name != "__init__.py" else f"{path.parent.name}/"
        lines.append(f"{depth}- `{shown}`: {sentence}")
    return "\n".join(lines)


def plan(root: Path = ROOT) -> str:
    """Return a Markdown table: every room of modelzoo, top floor first, and the rooms it uses."""
    uses: dict[str, set[str]] = {floor: set() for floor in FLOORS}
    for name, imported in imports(root).items():
        if name.startswith("modelzoo."):
            uses[room(name)] |= {room(m) or m for m in imported} - {room(name)}
            uses[room(name)] |= {"shiftsmooth"} & {m.partition(".")[0] for m in imported}
    rows = ["| room | uses |", "| --- | --- |"]
    for floor in reversed([f for f in FLOORS if any(room(m) == f for m in modules(root))]):
        used = [f for f in ("shiftsmooth", *FLOORS) if f in uses[floor]]
        rows.append(f"| `{floor}` | {', '.join(f'`{name}`' for name in used)} |")
    return "\n".join(rows)


def _imported(name: str, path: Path, files: dict[str, Path]) -> Iterator[str]:
    package = name if path.name == "__init__.py" else name.rpartition(".")[0]
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in files)
        elif isinstance(node, ast.ImportFrom):
            above = package.split(".")[: len(package.split(".")) + 1 - node.level]
            base = ".".join([*above, *([node.module] if node.module else [])])
            source = base if node.level else str(node.module)
            for alias in node.names:
                full = f"{source}.{alias.name}"
                if full in files or source in files:
                    yield full if full in files else source
