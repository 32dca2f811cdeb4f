"""README and site: what they show runs, what they say of the commands and the numbers is true."""

import argparse
import dataclasses
import doctest
import html
import importlib
import inspect
import json
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import nn

import modelzoo
import shiftsmooth
from modelzoo.cli import main as cli
from modelzoo.jobs import Where
from modelzoo.zoo import build, catalog

fill = pytest.importorskip("fill")
pages = pytest.importorskip("pages")

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "chrome"))), None)
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted(DOCS.rglob("*.md"))]
PAGES += sorted((ROOT / "skills").rglob("*.md"))
PAGES = [page for page in PAGES if not {"_build", "_made"} & set(page.parts)]
OWN_MODEL = """
from torch import nn

def build():
    return nn.Sequential(nn.Flatten(), nn.Linear(4 * 60, 3))
"""
FENCE = re.compile(r"^```(\w+)\n(.*?)^```$", re.DOTALL | re.MULTILINE)


def code(page, language):
    """(first line, text) of each of a page's blocks in a language."""
    text = page.read_text(encoding="utf-8")
    return [
        (text[: found.start()].count("\n") + 1, found[2])
        for found in FENCE.finditer(text)
        if found[1] == language
    ]


def commands(*names):
    """(page, words) of each command line that starts with one of the names."""
    lines = [
        pytest.param(shlex.split(line), id=f"{page.stem}: {line}")
        for page in PAGES
        for _, text in code(page, "sh")
        for line in text.splitlines()
    ]
    return [line for line in lines if line.values[0][0] in names]


def convolutions():
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv1d(4, 4, 5, padding=2), nn.ReLU(), nn.MaxPool1d(2), nn.Flatten(), nn.Linear(40, 2)
    ).eval()


def letters(rows, length, seed=0):
    drawn = np.random.default_rng(seed).integers(4, size=(rows, length))
    return ["".join("ACGT"[code] for code in row) for row in drawn]


@pytest.fixture
def zoo(monkeypatch, tmp_path):
    """The catalog; small models of the names that are not in it yet stand in for them."""
    from modelzoo.architectures.deepbind import DeepBind
    from modelzoo.architectures.moe import MixtureOfExperts

    factors = ("ARID3A", "FOXM1", "GATA3")
    torch.manual_seed(0)
    experts = {name: DeepBind(filters=[4], widths=[9], tasks=[name]) for name in factors}
    models = {f"deepbind-{name.lower()}": expert for name, expert in experts.items()}
    models["moe-arid3a-foxm1-gata3"] = MixtureOfExperts.from_experts(experts)
    if set(models) <= set(catalog.list_models()):
        return
    root = tmp_path / "zoo"
    for name in ("WEIGHTS", "RECIPES"):
        monkeypatch.setattr(catalog, name, root / name.lower())
        (root / name.lower()).mkdir(parents=True)
    for name, model in models.items():
        save_file(model.state_dict(), catalog.WEIGHTS / f"{name}.safetensors")
        recipe = {
            "architecture": model.architecture,
            "config": model.config,
            "tasks": list(model.tasks),
            "scores": {"GATA3": {"roc_auc": 0.9125}},
        }
        (catalog.RECIPES / f"{name}.json").write_text(json.dumps(recipe))
    build.build()


@pytest.fixture
def desk(monkeypatch, tmp_path, zoo):
    """A folder with the files that the pages speak of."""
    from modelzoo.architectures.deepbind import DeepBind
    from modelzoo.training.expert import ExpertParams, Recipe

    folder = tmp_path / "desk"
    folder.mkdir()
    monkeypatch.chdir(folder)
    for seed, name in enumerate(("peaks", "other")):
        records = [f">{name}{i}\n{text}\n" for i, text in enumerate(letters(120, 60, seed))]
        Path(f"{name}.fa").write_text("".join(records))
    genome = letters(1, 5000)[0]
    Path("genome.fa").write_text(f">chr1\n{genome}\n")
    spans = [(start, start + 101) for start in range(10, 4000, 100)]
    Path("peaks.bed").write_text("".join(f"chr1\t{a}\t{b}\n" for a, b in spans))
    Path("blacklist.bed").write_text("chr1\t4800\t4850\n")
    columns = "\t".join(["#CHROM", "POS", "ID", "REF", "ALT", "QUAL", "FILTER", "INFO"])
    call = "\t".join(["chr1", "250", ".", genome[249], "A,C,G,T", ".", ".", "."])
    Path("calls.vcf").write_text(f"##fileformat=VCFv4.2\n{columns}\n{call}\n")
    Path("mine.py").write_text(OWN_MODEL)
    recipe = Recipe(ExpertParams(epochs=1), {"filters": [8], "widths": [9]})
    for name in ("mine", "other"):
        task = {"mine": "peaks"}.get(name, name)
        model = DeepBind(filters=[4], widths=[9], tasks=[task])
        model.save_pretrained(f"runs/{name}")
    Path("attributions.h5").touch()
    Path("runs/found").mkdir()
    Path("runs/found/deepbind-peaks.toml").write_text(recipe.to_toml())
    return folder


def pages_with_python():
    """Each page whose Python runs; those that search motifs or train on the way are slow."""
    for page in PAGES:
        if code(page, "python"):
            slow = [pytest.mark.slow] if page.stem in ("README", "motifs", "recipes") else []
            yield pytest.param(page, id=page.stem, marks=slow)


@pytest.mark.parametrize("page", pages_with_python())
def test_the_python_of_a_page_runs_from_top_to_bottom(page, desk, monkeypatch):
    names = {"__name__": "page"}
    if page.name == "leaderboard.md":  # which adds to both
        from modelzoo.attribution.methods import maps
        from modelzoo.studies.benchmark import methods, models

        monkeypatch.setattr(methods, "COMPARED", dict(methods.COMPARED))
        monkeypatch.setattr(models, "MODELS", dict(models.MODELS))
    if page.name == "sharing.md":  # there they are the reader's own
        names |= {"model": convolutions(), "x": torch.rand(3, 4, 20)}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for line, text in code(page, "python"):
            exec(compile("\n" * line + text, str(page), "exec"), names)
    if page.name == "README.md":
        assert Path("shifts.png").read_bytes().startswith(b"\x89PNG")
    if page.name == "leaderboard.md":
        added = names["COMPARED"]["squared-gradient"], names["MODELS"]["linear"]
        x = torch.eye(4)[torch.randint(4, (2, 30))].mT.contiguous()
        model = added[1].build(30).eval()
        assert (maps(model, x, added[0].method, corrected=False) >= 0).all()


@pytest.mark.parametrize("words", commands("shiftsmooth"))
def test_a_command_of_the_pages_runs(words, desk, monkeypatch, capsys):
    from modelzoo.app import server, space
    from modelzoo.app.explain import Models
    from modelzoo.apply import hits
    from modelzoo.discovery import from_attributions as pipeline
    from modelzoo.discovery import from_sequences as discovery
    from modelzoo.studies.benchmark import evaluate as benchmark
    from modelzoo.studies.peaks import evaluate as peaks
    from modelzoo.studies.planted import evaluate as planted
    from modelzoo.training import argminn, search
    from modelzoo.training.expert import Recipe
    from modelzoo.zoo import hub

    # These take long, or tell the world; they are run as far as the work.
    monkeypatch.setattr(peaks, "evaluate", lambda out, **options: out / "index.html")
    monkeypatch.setattr(planted, "evaluate", lambda out, **options: out / "index.html")
    monkeypatch.setattr(benchmark, "evaluate", lambda out, **options: out / "index.html")
    monkeypatch.setattr(
        argminn, "train_argminn", lambda source, out, **options: out.mkdir(exist_ok=True)
    )
    monkeypatch.setattr(discovery, "discover", lambda source, out, **options: out)
    monkeypatch.setattr(pipeline, "motifs_of_attributions", lambda file, out, **options: out)
    monkeypatch.setattr(search, "search", lambda *a, out, **options: Recipe())
    monkeypatch.setattr(space, "publish", lambda repo_id, *, private: repo_id)
    monkeypatch.setattr(
        server, "serve", lambda names, **options: Models(names)[names[-1]] if names else None
    )
    monkeypatch.setattr(hub, "publish", lambda name, repo_id, *, private: repo_id)
    monkeypatch.setattr(hits, "write_run_hits", lambda run, model: None)
    if "--from-attributions" in words:  # a run that an earlier command of the page made
        run = Path(words[words.index("--from-attributions") + 1])
        run.parent.mkdir(exist_ok=True)
        run.touch()
    if words[1] == "figure":  # the same
        with monkeypatch.context() as patched:
            made = ["attribute", "peaks.bed", "--genome", "genome.fa", "-m", "deepbind-gata3"]
            patched.setattr(sys, "argv", ["shiftsmooth", *made, "--top", "1", "-o", words[2]])
            with pytest.raises(SystemExit):
                cli.main()
    if words[1:3] == ["train", "expert"]:
        shutil.rmtree("runs/mine")
    monkeypatch.setattr(sys, "argv", words)
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert not ended.value.code, capsys.readouterr().err
    if "-o" in words and not {"evaluate", "motifs", "search"} & set(words):
        assert Path(words[words.index("-o") + 1]).exists()


@pytest.mark.parametrize("words", commands("make"))
def test_what_the_pages_make_is_in_the_makefile(words):
    makefile = (ROOT / "Makefile").read_text()
    targets = [word for word in words[1:] if "=" not in word]
    assert targets
    for target in targets:
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target
    for variable in (word.split("=")[0] for word in words[1:] if "=" in word):
        assert f"$({variable})" in makefile


@pytest.mark.parametrize("words", commands("pip"))
def test_what_the_pages_install_can_be_installed(words):
    assert words[:4] == ["pip", "install", "-c", "constraints.txt"]
    (what,) = words[4:]
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"][
        "optional-dependencies"
    ]
    assert what == "." or re.fullmatch(r"\.\[(\w+)\]", what)[1] in extras


@pytest.mark.parametrize("words", commands("python"))
def test_a_script_of_the_pages_takes_its_arguments(words, monkeypatch):
    if words[1] == "-m":
        words = words[1:]
        module = importlib.import_module(words[1])
    else:
        module = importlib.import_module(Path(words[1]).stem)
        assert Path(module.__file__) == ROOT / words[1]

    class Parsed(Exception):
        pass

    parse = argparse.ArgumentParser.parse_args

    def only_parse(parser, *args):
        parse(parser, *args)
        raise Parsed

    monkeypatch.setattr(argparse.ArgumentParser, "parse_args", only_parse)
    monkeypatch.setattr(sys, "argv", words[1:])
    with pytest.raises(Parsed):
        module.main()


def test_no_other_command_is_shown():
    shown = {param.values[0][0] for param in commands(*shown_programs())}
    assert shown <= {"shiftsmooth", "make", "pip", "python", "modisco", "hf"}


def shown_programs():
    return {
        line.split()[0]
        for page in PAGES
        for _, text in code(page, "sh")
        for line in text.splitlines()
        if line.strip()
    }


def test_every_option_that_is_named_exists():
    known = {"--report", "--check"}
    for words in [[], *(words for words, _ in pages.commands())]:
        known |= set(re.findall(r"--[\w-]+", pages.help_text(words)))
    for page in PAGES:
        named = re.findall(r"`(--[\w-]+)[^`]*`", page.read_text(encoding="utf-8"))
        assert set(named) <= known, page.name


@pytest.mark.parametrize("words", [words for words, _ in pages.commands()], ids=" ".join)
def test_the_example_of_a_help_text_is_a_call_of_that_command(words):
    text = pages.help_text(words)
    for line in re.findall(r"Example: (.*)", text):
        assert shlex.split(line)[: 1 + len(words)] == ["shiftsmooth", *words]
        for option in re.findall(r"(?<!\S)--?[a-z][\w-]*", line):
            assert re.search(rf"(?<![\w-]){option}(?![\w-])", text.replace(line, "")), option


@pytest.mark.parametrize("words", [words for words, _ in pages.commands()], ids=" ".join)
def test_no_word_of_a_help_text_is_cut_off(words):
    assert "…" not in pages.help_text(words)


def test_every_make_target_is_described():
    makefile = (ROOT / "Makefile").read_text()
    (targets,) = re.findall(r"^\.PHONY: (.*)", makefile, re.MULTILINE)
    table = re.findall(
        r"^\| `make ([\w-]+)` \|", (ROOT / "CONTRIBUTING.md").read_text(), re.MULTILINE
    )
    assert sorted(targets.split()) == sorted(table)


def test_every_page_that_is_linked_exists():
    for page in PAGES:
        for link in re.findall(r"\]\(([^)#:]+)\)", page.read_text(encoding="utf-8")):
            if "_made" not in link and "benchmarks/" not in link:
                assert (page.parent / link).is_file(), (page.name, link)


def test_the_readme_is_short_and_shows_its_picture():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    rows = text.count("Not measured yet.") * 10  # nine data sets, the longest table
    assert len(text.splitlines()) + rows < 150
    assert all((ROOT / image).is_file() for image in re.findall(r"!\[[^]]*\]\(([^)]+)\)", text))


def test_the_signatures_of_the_docs_are_those_of_the_code():
    """Every keyword that a page gives to `attribute` in running text is an argument of it."""
    from inspect import signature

    known = set(signature(shiftsmooth.ShiftSmooth.attribute).parameters)
    known |= set(signature(shiftsmooth.LayerShiftSmooth.attribute).parameters)
    known |= set(signature(shiftsmooth.ShiftSmooth).parameters)
    for page in (DOCS / "how.md", DOCS / "recipes.md"):
        for name in re.findall(r"`(\w+)=[^`]*`", page.read_text(encoding="utf-8")):
            assert name in known, (page.name, name)


def test_the_changes_are_of_this_version():
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert f"\n## {version}" in (ROOT / "CHANGELOG.md").read_text()


class Bert(nn.Module):
    """Has its embedding where the example of LayerShiftSmooth looks for it."""

    def __init__(self):
        super().__init__()
        self.bert = nn.Module()
        self.bert.embeddings = nn.Module()
        self.bert.embeddings.word_embeddings = nn.Embedding(12, 6)
        self.head = nn.Linear(6, 2)

    def forward(self, ids, mask):
        words = self.bert.embeddings.word_embeddings(ids) * mask[..., None]
        return self.head(words.sum(1))


def examples():
    """Every docstring with an example, of both packages."""
    finder = doctest.DocTestFinder()
    for package in (shiftsmooth, modelzoo):
        for path in sorted(Path(package.__file__).parent.rglob("*.py")):
            if ">>>" in path.read_text(encoding="utf-8"):
                name = ".".join(path.relative_to(ROOT).with_suffix("").parts)
                for test in finder.find(importlib.import_module(name)):
                    if test.examples:
                        yield pytest.param(test, id=test.name)


def public():
    """Every name that the two packages make public, and every architecture."""
    from modelzoo.architectures import ARCHITECTURES
    from shiftsmooth import metrics, plot

    measures = [
        name for name, f in vars(metrics).items() if inspect.isfunction(f) and name[0] != "_"
    ]
    for package, names in (
        (shiftsmooth, shiftsmooth.__all__),
        (modelzoo, modelzoo.__all__),
        (plot, plot.__all__),
        (metrics, measures),
    ):
        for name in names:
            thing = getattr(package, name)
            if getattr(thing, "__module__", "").partition(".")[0] in ("shiftsmooth", "modelzoo"):
                yield pytest.param(thing, id=f"{package.__name__}.{name}")
    yield pytest.param(ARCHITECTURES["deepbind"], id="DeepBind")


@pytest.mark.parametrize("thing", public())
def test_what_is_public_has_an_example(thing):
    found = doctest.DocTestFinder().find(thing, thing.__name__)
    assert any(test.examples for test in found)


@pytest.mark.parametrize("test", examples())
def test_the_example_of_a_docstring_runs(test):
    from captum.attr import IntegratedGradients

    if "LayerShiftSmooth" in test.name:
        ids = torch.randint(12, (2, 14))
        own = {"model": Bert(), "ids": ids, "mask": torch.ones(2, 14), "L": 14}
    else:
        own = {"model": convolutions(), "x": torch.rand(3, 4, 20)}
    test.globs |= {"IntegratedGradients": IntegratedGradients, "torch": torch, **own}
    assert doctest.DocTestRunner().run(test).failed == 0


def test_no_block_has_drifted():
    made = fill.current()
    for path in fill.files():
        text = path.read_text(encoding="utf-8")
        assert fill.filled(text, made) == text, f"{path.name}: run python docs/tools/fill.py"


def test_every_block_is_known_and_every_known_block_is_shown():
    named = [
        name
        for path in fill.files()
        for name in re.findall(r"<!-- made: ([\w-]+) -->", path.read_text(encoding="utf-8"))
    ]
    assert set(named) == set(fill.current())
    assert all(
        path.read_text(encoding="utf-8").count("<!-- made: ")
        == path.read_text(encoding="utf-8").count("<!-- /made -->")
        for path in fill.files()
        if path.name != "maintainers.md"
    )


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """What `evaluate` writes, for models without training and a handful of peaks."""
    from modelzoo.architectures.deepbind import DeepBind
    from modelzoo.architectures.moe import MixtureOfExperts
    from modelzoo.datasets.planted import Simulation
    from modelzoo.studies.peaks.evaluate import QUICK, evaluate
    from modelzoo.studies.peaks.sets import LabelledSet

    batch = Simulation.load("spi1").sample(40, seed=0)
    order = np.argsort(-batch.labels.astype(int), kind="stable")
    codes = batch.codes[order][:, :101]
    data = LabelledSet(
        "GATA3", "in distribution", codes, batch.labels[order], np.tile(np.arange(20), 2)
    )
    torch.manual_seed(0)
    experts = {"GATA3": DeepBind(filters=[4], widths=[9], tasks=["GATA3"]).eval()}
    mixture = MixtureOfExperts.from_experts(experts).eval()
    folder = tmp_path_factory.mktemp("report")
    evaluate(
        folder,
        quick=True,
        settings=dataclasses.replace(QUICK, peaks=3),
        models={"deepbind-gata3": experts["GATA3"], "moe-arid3a-foxm1-gata3": mixture},
        sets=[data],
        where=Where(workers=1),
        progress=False,
    )
    return json.loads((folder / "results.json").read_text())


@pytest.mark.slow
def test_a_quick_report_is_not_taken_over(results):
    with pytest.raises(ValueError, match="full report"):
        fill.summary(results)


@pytest.mark.slow
def test_the_tables_show_the_numbers_of_the_report(results):
    full = {**results, "settings": {**results["settings"], "quick": False}}
    made = fill.blocks(fill.summary(json.loads(json.dumps(full))), None)
    for row in results["performance"]["scores"]:
        assert f"| {row['model']} | {row['roc_auc']:.3f} (" in made["published"]
    shown = [
        row
        for row in results["attribution"]["scores"]
        if row["factor"] == "all" and row["corrected"] and row["mean"] is not None
    ]
    assert shown
    for row in shown:
        assert f" {row['mean']:.3f} ".replace("-", "−") in made["attribution"]
    edges = [row for row in results["attribution"]["edges"] if row["corrected"]]
    assert made["edges"].strip().count("\n") == 1 + len(edges) > 1
    assert "protocol rigorous" in made["provenance"]
    assert made["speed"] == made["benchmarks"] == fill.NOT_YET


@pytest.mark.slow
def test_a_report_is_taken_over_into_the_pages(results, tmp_path, monkeypatch, capsys):
    full = {**results, "settings": {**results["settings"], "quick": False}}
    (tmp_path / "results.json").write_text(json.dumps(full))
    page = tmp_path / "page.md"
    page.write_text("Before.\n\n<!-- made: performance -->\n<!-- /made -->\n\nBehind.\n")
    monkeypatch.setattr(fill, "SUMMARY", tmp_path / "kept.json")
    monkeypatch.setattr(fill, "files", lambda: [page])

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["fill.py", *arguments])
        fill.main()

    with pytest.raises(SystemExit, match=r"page.md: drifted"):
        run("--check")
    run("--report", str(tmp_path))
    score = results["performance"]["scores"][0]["roc_auc"]
    text = page.read_text()
    assert text.startswith("Before.\n\n<!-- made: performance -->\n| model |")
    assert f"{score:.3f}" in text and text.endswith("|\n<!-- /made -->\n\nBehind.\n")
    run("--check")
    assert json.loads(fill.SUMMARY.read_text()) == fill.summary(full)


def test_models_are_told_by_what_they_were_trained_on():
    aucs = {"GATA3": 0.9, "FOXM1": 0.7, "CTCF": 0.6, "STAT3": 0.8}
    scores = [
        {
            "model": "deepbind-gata3",
            "set": name,
            "kind": "out of distribution" if name in ("CTCF", "STAT3") else "in distribution",
            "roc_auc": auc,
        }
        for name, auc in aucs.items()
    ]
    table = fill.performance_table({"scores": scores})
    assert table.endswith("| deepbind-gata3 | 0.900 | 0.700 | 0.700 |")


def test_the_table_of_families_is_split_and_no_number_is_lost():
    wide = (fill.TABLES / "families.md").read_text(encoding="utf-8")
    narrow = fill.family_tables(wide)
    numbers = re.compile(r"\d+\.\d{3}")
    assert sorted(numbers.findall(narrow.replace("AUROC 0.703", ""))) == sorted(
        numbers.findall(wide.replace("AUROC 0.703", ""))
    )
    for line in narrow.splitlines():
        assert line.count("|") <= 9
    assert "not run: no weights" in narrow.partition("**Inside, AUROC**")[0]


def test_models_in_a_table_lead_to_their_pages():
    table = "| model | AUC |\n| --- | --- |\n| deepbind-gata3 | 0.9 |\n| dnabert | 0.7 |\n"
    found = fill.with_links(table)
    assert "| [deepbind-gata3](_made/deepbind-gata3.md) | 0.9 |" in found
    assert found.replace("[deepbind-gata3](_made/deepbind-gata3.md)", "deepbind-gata3") == table


def test_the_readme_lists_the_packages_that_the_page_compares():
    page = (DOCS / "choose.md").read_text(encoding="utf-8")
    rows = fill.peers_table(page).splitlines()
    assert len(rows) > 5 and {row.count("|") for row in rows} == {4}
    assert all(row[:-1] in page for row in rows)
    assert rows[2].startswith("| Captum") and "**ShiftSmooth**" in rows[-1]


@pytest.fixture
def planted(tmp_path, monkeypatch):
    """A folder as `evaluate argminn` leaves it, and places for what is taken from it."""
    monkeypatch.setattr(fill, "TABLES", tmp_path / "kept")
    monkeypatch.setattr(fill, "IMAGES", tmp_path / "images")
    folder = tmp_path / "planted"
    for made in (folder / "tables", folder / "figures", fill.IMAGES):
        made.mkdir(parents=True)
    for name in fill.PLANTED:
        (folder / "tables" / f"{name}.md").write_text(f"| {name} |\n")
    for name in fill.FIGURES:
        (folder / "figures" / f"{name}.svg").write_text(f"<svg>{name}</svg>")
    return folder


def test_tables_of_other_reports_are_taken_over_as_they_are(planted, monkeypatch, tmp_path):
    (planted / "results.json").write_text('{"settings": {"initialisations": 3}}')
    (planted / "families.md").write_text("| model | parameters |\n|---|---|\n| families | 5 |\n")
    page = tmp_path / "page.md"
    page.write_text(
        "<!-- made: planted-gains -->\n<!-- /made -->\n<!-- made: families -->\n<!-- /made -->"
    )
    monkeypatch.setattr(fill, "files", lambda: [page])
    assert fill.current()["planted-gains"] == fill.current()["families"] == fill.NOT_YET
    options = ["fill.py", "--planted", str(planted), "--families", str(planted)]
    monkeypatch.setattr(sys, "argv", options)
    fill.main()
    assert "gains -->\n| gains |\n<!--" in page.read_text()
    assert "| model | parameters |\n| --- | --- |\n| families | 5 |" in page.read_text()
    assert (fill.IMAGES / "planted-gc.svg").read_text() == "<svg>gc</svg>"


def test_a_full_report_of_factors_is_taken_over(planted, monkeypatch, tmp_path):
    for name in fill.FACTORS:
        (planted / "tables" / f"{name}.md").write_text(f"| {name} |\n")
    for name in fill.FACTORS_FIGURES:
        (planted / "figures" / f"{name}.svg").write_text(f"<svg>{name}</svg>")
    fill.TABLES.mkdir()
    for settings in ('{"quick": true, "mixtures": true}', '{"quick": false, "mixtures": false}'):
        (planted / "results.json").write_text(f'{{"settings": {settings}}}')
        with pytest.raises(ValueError, match="expected a full report"):
            fill.take_factors(planted)
    assert not list(fill.TABLES.iterdir())
    (planted / "results.json").write_text('{"settings": {"quick": false, "mixtures": true}}')
    fill.take_factors(planted)
    assert (fill.TABLES / "factors-unseen.md").read_text() == "| unseen |\n"
    for name in fill.FACTORS_FIGURES:
        assert (fill.IMAGES / f"factors-{name}.svg").read_text() == f"<svg>{name}</svg>"


def test_a_full_report_of_augmentation_is_taken_over(planted):
    fill.TABLES.mkdir()
    (planted / "robust.md").write_text("| robust |\n")
    (planted / "results.json").write_text('{"settings": {"judged": 6}}')
    with pytest.raises(ValueError, match="expected a full report"):
        fill.take_robust(planted)
    (planted / "results.json").write_text('{"settings": {"judged": 80}}')
    fill.take_robust(planted)
    assert fill.current()["robust"] == "| robust |\n"


def test_a_full_report_of_the_benchmark_is_taken_over(planted):
    for name in fill.BENCHMARK:
        (planted / "tables" / f"{name}.md").write_text(f"| {name} |\n")
    for name in fill.BENCHMARK_FIGURES:
        (planted / "figures" / f"{name}.svg").write_text(f"<svg>{name}</svg>")
    fill.TABLES.mkdir()
    (planted / "results.json").write_text('{"quick": true, "settings": {}}')
    with pytest.raises(ValueError, match="expected a full report"):
        fill.take_benchmark(planted)
    assert not list(fill.TABLES.iterdir())
    (planted / "results.json").write_text('{"quick": false, "settings": {}}')
    fill.take_benchmark(planted)
    assert fill.blocks(None, None)["benchmark-best"] == "| best |\n"
    assert (fill.IMAGES / "benchmark-gains.svg").read_text() == "<svg>gains</svg>"


def test_a_quick_report_of_planted_motifs_is_not_taken_over(planted):
    (planted / "results.json").write_text('{"settings": {"initialisations": 1}}')
    with pytest.raises(ValueError, match="full report"):
        fill.take_planted(planted)
    assert not fill.TABLES.exists()


def test_times_are_read_as_the_benchmarks_write_them():
    import report

    seconds = {
        "gradient": 0.001, "black box": 0.02, "best fixed": 0.018, "ShiftSmooth": 0.006,
        "ShiftSmooth, share=False": 0.019, "NoiseTunnel": 0.06, "paper's loop": 0.9,
    }  # fmt: skip
    text = ["# Benchmarks", "", "Device: cpu (one, 1 threads).", "", "How.", ""]
    for reach in (2, 10):
        row = {
            "shape": "a CNN",
            "chunks": {"black box": 3},
            "limit": 5.954,
            "memory": dict.fromkeys(seconds, 2 << 20),
            "seconds": {name: [reach * s, 2 * reach * s] for name, s in seconds.items()},
        }
        text += [f"## N = {reach}", "", *report.table([row]), ""]
    text += ["## Growth", "", "![times](growth-cpu.png)"]
    text = "\n".join(text)
    ((_, _), (reach, rows)) = fill.benchmark_rows(text)
    times_faster = rows[0]["NoiseTunnel / ShiftSmooth"]
    assert (reach, rows[0]["model"], times_faster) == (10, "a CNN", "10.00 (10.00 - 10.00)")
    speed = fill.speed_table(text)
    assert "N = 10" in speed and "Device: cpu" in speed
    cells = "10 | 600 | 60 | 10.00 (10.00 - 10.00) | 6.00 (6.00 - 6.00)"
    assert f"| a CNN | {cells} | 5.95 |" in speed
    assert "| 1,020 |" in fill.speed_table(text.replace("600 [2]", "1.02e+03 [563]"))
    page = fill.demoted(text)
    assert not page.startswith("# ") and "](../benchmarks/growth-cpu.png)" in page


def test_the_zoo_page_lists_every_model(zoo, tmp_path):
    pages.write(tmp_path / "made")
    table = (tmp_path / "made" / "models.md").read_text()
    for name in catalog.list_models():
        assert f"[{name}](_made/{name}.md)" in table
        assert (tmp_path / "made" / f"{name}.md").read_text().startswith(f"# {name}")


def test_simulated_models_have_a_table_of_accuracies(zoo):
    entry = dataclasses.replace(
        catalog.info("deepbind-gata3"), scores={"GATA3": {"roc_auc": 0.9876, "accuracy": 0.4321}}
    )
    text = pages.zoo([catalog.info("deepbind-foxm1"), entry])
    chip, planted = text.split("## Models of planted motifs")
    assert "[deepbind-foxm1]" in chip and "[deepbind-gata3]" not in chip
    assert "| 0.432 |" in planted and "0.988" not in planted and "[deepbind-foxm1]" not in planted
    assert "Accuracy" not in pages.zoo([catalog.info("deepbind-foxm1")])


def test_the_sizes_of_models_are_those_of_their_weights(zoo):
    info = catalog.info("deepbind-gata3")
    size = sum(p.numel() for p in modelzoo.load("deepbind-gata3").parameters())
    rows = pages.zoo([info]).partition("## Size and speed")[2]
    assert f"| {size:,} | yes |" in rows


def test_the_page_of_the_commands_is_their_help():
    text = pages.command_line()
    for words, sentence in pages.commands():
        assert f"## shiftsmooth {' '.join(words)}\n" in text
        assert sentence.split(",")[0][:40] in text
    assert "Example: shiftsmooth predict" in text and "\x1b" not in text


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    out = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "sphinx", "-W", "-q", "-b", "html"]
    command += ["-D", "nb_execution_mode=off"]  # test_tutorials.py runs them
    command += ["-d", str(out / "doctrees"), str(DOCS), str(out / "html")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return out / "html"


@pytest.mark.slow
def test_the_site_is_built_without_a_warning_and_links_lead_somewhere(site):
    for page in site.rglob("*.html"):
        text = page.read_text(encoding="utf-8")
        # inside a tag: code that is shown may hold such words too
        for link in re.findall(r'<[^<>]*\s(?:href|src)="([^"#?]+)', text):
            if ":" not in link:
                assert (page.parent / html.unescape(link)).exists(), (page.name, link)


@pytest.mark.slow
def test_every_tutorial_can_be_downloaded(site):
    page = (site / "tutorials" / "notebooks.html").read_text("utf-8")
    links = re.findall(r'href="\.\./(_downloads/[^"]+\.ipynb)"', page)
    tutorials = {path.name for path in (DOCS / "tutorials").glob("*.ipynb")}
    assert {Path(link).name for link in links} == tutorials
    for link in links:
        assert json.loads((site / link).read_text("utf-8"))["cells"]


@pytest.mark.slow
def test_the_site_needs_no_network(site):
    for name in ("index", "how", "api/shiftsmooth"):
        text = (site / f"{name}.html").read_text(encoding="utf-8")
        assert not re.search(r'<(?:script|img|link)[^>]+(?:src|href)="https?:', text), name


@pytest.mark.slow
@pytest.mark.skipif(BROWSER is None, reason="no Chromium")
@pytest.mark.parametrize("name", ["index", "how", "recipes", "api/shiftsmooth"])
def test_a_page_opens_in_a_browser(site, name, tmp_path):
    script = (
        "<script>addEventListener('load', () => document.title = 'broken images: ' + "
        "[...document.images].filter(i => !i.naturalWidth).length)</script></body>"
    )
    page = site / f"{name}-checked.html"
    page.write_text((site / f"{name}.html").read_text().replace("</body>", script))
    flags = ["--headless", "--no-sandbox", "--disable-gpu", "--enable-logging=stderr", "--v=0"]
    flags += [f"--user-data-dir={tmp_path / 'profile'}", "--virtual-time-budget=5000"]
    done = subprocess.run(
        [BROWSER, *flags, "--dump-dom", page.as_uri()], capture_output=True, text=True, timeout=120
    )
    page.unlink()
    assert "<title>broken images: 0</title>" in done.stdout
    assert ":CONSOLE" not in done.stderr, done.stderr


@pytest.mark.slow
@pytest.mark.skipif(BROWSER is None, reason="no Chromium")
@pytest.mark.parametrize(
    ("word", "found"),
    [
        ("seam", "how.html"),
        ("bigWig", "tracks.html"),
        ("variant", "variants.html"),
        ("GPU", "recipes.html"),
        ("ECG", "heartbeats.html"),
        ("qwertz", None),
    ],
)
def test_the_search_works_from_a_file(site, word, found, tmp_path):
    flags = ["--headless", "--no-sandbox", "--disable-gpu", "--virtual-time-budget=10000"]
    flags += [f"--user-data-dir={tmp_path / 'profile'}", "--dump-dom"]
    done = subprocess.run(
        [BROWSER, *flags, f"{(site / 'search.html').as_uri()}?q={word}"],
        capture_output=True,
        text=True,
        timeout=120,
    )
    results = done.stdout.partition('id="search-results"')[2].partition("</article>")[0]
    pages_found = re.findall(r'<li[^>]*><a href="([^"?#]+)', results)
    if found is None:
        assert not pages_found and "did not match" in results
    else:
        assert found in [Path(page).name for page in pages_found], results[:1000]


CUT = (
    "() => [...document.querySelectorAll('pre')].filter(p => p.scrollWidth > p.clientWidth).length"
)


@pytest.mark.slow
@pytest.mark.skipif(BROWSER is None, reason="no Chromium")
def test_every_page_fits_a_phone_and_a_desk_and_shows_whole_lines_of_the_commands(site):
    pytest.importorskip("playwright.sync_api")
    from tests.support.explorer import browser
    from tests.support.fits import WIDTHS, misfits

    with browser() as chromium:
        page = chromium.new_page()
        assert misfits(page, sorted(site.rglob("*.html")), "article") == {}
        page.set_viewport_size({"width": WIDTHS["desk"], "height": 900})
        page.goto((site / "commands.html").as_uri())
        assert page.evaluate(CUT) == 0


def test_nothing_is_left_of_the_place_it_was_written_in():
    for page in [*PAGES, *DOCS.glob("*.py"), ROOT / "CHANGELOG.md"]:
        text = page.read_text(encoding="utf-8")
        assert not re.search(r"(?<![\w./])/(?:work|root|tmp|home)/", text), page.name
