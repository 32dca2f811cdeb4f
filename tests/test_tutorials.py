"""The tutorials: clean in git, run from top to bottom, and what their text says came out true."""

import ast
import json
import re
import sys
from pathlib import Path

import nbclient
import nbformat
import pytest
from nbconvert import HTMLExporter, ScriptExporter

FOLDER = Path(__file__).parents[1] / "docs" / "tutorials"
TUTORIALS = sorted(FOLDER.glob("*.ipynb"))

# What the prose says of results, in the tutorial's own names; run as its last cell.
CLAIMS = {
    "From_Peaks_to_Motifs": """
        assert min(auc.values()) > 0.9
        strongest = explained["ShiftSmooth"][alone].sum(0)
        assert strongest[~mask[alone]].max() > strongest.max() / 4  # a site that nobody planted
        assert min(judged["gradient"]) > 0.9  # little is left to do
        assert all(abs(a - b) < 0.05 for a, b in zip(judged["gradient"], judged["ShiftSmooth"]))
        kept = [int(motif.name.removeprefix("unit-")) for motif in motifs]
        assert len(kept) > 1 and (np.diff(importance.medians[kept, 0]) < 0.5).all()
        near = across["spacing"].between(5, 10)
        assert across["count"][near].sum() > 0.8 * across["count"].sum()
        assert attended["in a site"].mean() > 2 * chance
        assert any("SPI" in label(found).upper() for found in filter_matches)
        assert not work.exists()
    """,
    "Genomics_ShiftSmooth_Interpret": """
        def best(table, column):
            return max(table, key=lambda name: table[name][column].nanmean())

        assert best(judged, 2) == best(judged, 4) == "ShiftSmooth"  # holds still; mutating, F
        here, over_windows = (judged["ShiftSmooth"][column].mean() for column in (3, 4))
        assert here < over_windows
        assert best(judged, 3) != "ShiftSmooth"  # none is best everywhere
        still = {name: values[2].mean() for name, values in judged_pooled.items()}
        assert still["Saliency"] > 0.99 and abs(still["ShiftSmooth"] - still["Saliency"]) < 0.01
        assert delta.abs().max() < 0.1
        assert together.sharing.shared and together.sharing.saved > 0.5
    """,
    "The_Model_Zoo": """
        assert after["NRF1"][0] > max(0.95, before["NRF1"][0])
        assert max(after["NRF1"][1:]) == after["NRF1"][-1] > 0.5
        assert history.scores
    """,
    "Third_Party_Models": """
        assert still_bpnet["gradient"] > 0.95
        assert still_bert["gradient"] < still_bpnet["gradient"]
        assert still_bert["gradient"] < still_bert["ShiftSmooth"]
        assert min(gains["AGATAAG"], gains["TGACTCA"]) > 10 * abs(gains["CCGGTAC"])
        assert rho.mean() > 0.5
        assert {"AGATAAG", "TGACTCA"} <= {s for s in SITES.values() for c in consensus if s in c}
    """,
}


def named(path):
    return pytest.param(path, id=path.stem)


@pytest.mark.parametrize("path", map(named, TUTORIALS))
def test_a_tutorial_is_kept_without_outputs(path):
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    assert set(notebook.metadata) == {"kernelspec", "language_info"}
    for cell in notebook.cells:
        assert not cell.metadata
        if cell.cell_type == "code":
            assert not cell.outputs and cell.execution_count is None, cell.source


@pytest.mark.slow
@pytest.mark.parametrize(
    "path",
    # in any processes: they have nothing in common
    [pytest.param(p, id=p.stem, marks=pytest.mark.xdist_group(p.stem)) for p in TUTORIALS],
)
def test_a_tutorial_runs_and_shows_what_it_says(path, tmp_path, monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    notebook = nbformat.read(path, as_version=4)
    text = [line.removeprefix(" " * 8) for line in CLAIMS[path.stem].splitlines()]
    notebook.cells.append(nbformat.v4.new_code_cell("\n".join(text)))
    client = nbclient.NotebookClient(
        notebook, timeout=600, kernel_name="python3", resources={"metadata": {"path": tmp_path}}
    )
    client.execute()
    for cell in notebook.cells:
        if cell.cell_type == "code" and "\nplot_logos(" in f"\n{cell.source}":
            assert "image/png" in cell.outputs[-1]["data"], cell.source
        if cell.cell_type == "code" and re.search(
            r"^(pandas\.|shown\()", cell.source, re.MULTILINE
        ):
            assert "text/html" in cell.outputs[-1]["data"], cell.source
    assert not list(tmp_path.iterdir())  # it leaves nothing behind


def test_every_tutorial_is_in_the_site_and_has_its_claims_checked():
    index = (FOLDER.parent / "index.md").read_text(encoding="utf-8")
    assert [path.stem for path in TUTORIALS] == sorted(CLAIMS)
    assert all(f"\ntutorials/{path.stem}\n" in index for path in TUTORIALS)


def test_the_tutorial_for_captum_needs_what_its_first_cell_says():
    notebook = nbformat.read(FOLDER / "Genomics_ShiftSmooth_Interpret.ipynb", as_version=4)
    code = [cell.source for cell in notebook.cells if cell.cell_type == "code"]
    source = "\n".join(code).replace("%matplotlib inline", "")
    imported = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            imported |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            imported.add(node.module.partition(".")[0])
    (needed,) = re.findall(r"please install ([^.]+)\.", notebook.cells[0].source)
    assert imported < {*re.findall(r"`(\w+)`", needed), *sys.stdlib_module_names}
    assert imported - sys.stdlib_module_names == {"captum", "pandas", "torch", "shiftsmooth"}


def test_the_tutorial_for_captum_becomes_what_captums_site_makes_of_tutorials():
    page = (FOLDER.parent / "maintainers.md").read_text(encoding="utf-8")
    (entry,) = re.findall(r"```json\n(.*?)```", page, re.DOTALL)
    name, title = json.loads(entry)["id"], json.loads(entry)["title"]
    notebook = nbformat.read(FOLDER / f"{name}.ipynb", as_version=4)
    assert notebook.cells[0].source.startswith(f"# {title}")
    page, _ = HTMLExporter(template_name="classic").from_notebook_node(notebook)
    assert 'id="notebook-container"' in page
    script, _ = ScriptExporter().from_notebook_node(notebook)
    code = [cell.source for cell in notebook.cells if cell.cell_type == "code"]
    assert code and all(source in script for source in code)
