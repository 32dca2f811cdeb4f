"""The page about clusters and examples/cluster: they run, or are shellchecked."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "cluster.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```bash\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)
SCRIPTS = sorted((ROOT / "examples" / "cluster").glob("*.slurm"))


@pytest.fixture
def desk(tmp_path, monkeypatch):
    """Sequences for three parts, and a model of the name that the page uses, in a folder."""
    from modelzoo.architectures.deepbind import DeepBind

    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}:{os.environ['PATH']}")
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    torch.manual_seed(0)
    DeepBind(filters=[4], widths=[9]).save_pretrained(tmp_path / "model")
    letters = np.array(list("ACGT"))[np.random.default_rng(0).integers(0, 4, (6000, 101))]
    Path("peaks.fa").write_text("".join(f">r{i}\n{''.join(r)}\n" for i, r in enumerate(letters)))
    Path("few.fa").write_text("".join(f">r{i}\n{''.join(r)}\n" for i, r in enumerate(letters[:9])))
    return tmp_path


def bash(text, **environment):
    environment = {**os.environ, **environment}
    done = subprocess.run(
        ["bash", "-e"], input=text, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return done.stderr


def shellcheck(text, *options):
    done = subprocess.run(
        [Path(sys.executable).with_name("shellcheck"), *options, "-"],
        input=text, capture_output=True, text=True,
    )  # fmt: skip
    return done.stdout


@pytest.mark.parametrize("text", BLOCKS)
def test_a_block_of_the_page_is_shellchecked(text):
    assert shellcheck(text, "--shell=bash") == ""


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.name)
def test_a_script_is_shellchecked(path):
    assert shellcheck(path.read_text()) == ""


def test_shellcheck_finds_something():
    assert "SC2086" in shellcheck("#!/bin/bash\necho $1\n")


def test_blocks_and_scripts_are_there():
    assert len(BLOCKS) >= 5 and SCRIPTS


@pytest.mark.slow
def test_the_jobs_of_the_page_give_the_bytes_of_one_process(desk):
    (jobs,) = [block for block in BLOCKS if block.startswith("for job")]
    jobs = jobs.replace("deepbind-gata3", "model")
    assert "6000 predicted, 0 skipped" in bash(jobs)
    bash("shiftsmooth predict peaks.fa -m model -o one.tsv --workers 1")
    assert Path("out.tsv").read_bytes() == Path("one.tsv").read_bytes()


@pytest.mark.slow
def test_the_script_of_slurm(desk):
    (script,) = SCRIPTS
    assert "#SBATCH --array=1-10" in script.read_text()
    for number in (9, 1, 2, 3):  # of the ten, those that have a part, and one that has none
        slurm = {"ID": str(number), "COUNT": "10", "MIN": "1", "STEP": "1"}
        given = {f"SLURM_ARRAY_TASK_{name}": value for name, value in slurm.items()}
        bash(f"bash {script} peaks.fa model out.tsv", **given)
    bash("shiftsmooth merge out.tsv && shiftsmooth predict peaks.fa -m model > one.tsv")
    assert Path("out.tsv").read_bytes() == Path("one.tsv").read_bytes()


@pytest.mark.slow
def test_snakemake_runs_the_rules(desk):
    pytest.importorskip("snakemake")
    shutil.copy(ROOT / "examples" / "cluster" / "Snakefile", desk)
    options = "--config sequences=few.fa model=model output=out jobs=2"
    bash(f"snakemake --cores 2 {options}")
    assert sorted(os.listdir("out.shares")) == ["1", "2"]
    assert not Path("out.parts").exists()
    bash("shiftsmooth attribute few.fa -m model -o one --workers 1")
    for name in ("hypothetical.npz", "one_hot.npz"):
        assert Path("out", name).read_bytes() == Path("one", name).read_bytes()
    assert "Nothing to be done" in bash(f"snakemake --cores 2 {options}")
