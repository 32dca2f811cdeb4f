"""Runs that are killed at any moment, and end in the same bytes when they are started again."""

import hashlib
import os
import subprocess
import sys
import time

import numpy as np
import pytest

FORMATS = ("npz", "bigwig", "bedgraph", "finemo", "parquet", "h5ad", "hits")
WINDOWS = ("--genome", "genome.fa", "--width", "60", "-m", "deepbind-gata3")
COMMANDS = {
    "attribute": [
        *("attribute", "peaks.bed", *WINDOWS, "--spread", "--top", "3", "--batch-size", "4"),
        *(word for name in FORMATS for word in ("--format", name)),
        *("-o", "out"),
    ],
    "predict": [
        *("predict", "peaks.bed", *WINDOWS, "--format", "tsv", "--format", "parquet"),
        *("--format", "h5ad", "-o", "out.tsv"),
    ],
    "scan": [
        *("scan", "genome.fa", "-m", "deepbind-gata3", "--step", "10", "--workers", "1"),
        *(w for name in ("bigwig", "bedgraph", "hdf5", "parquet") for w in ("--format", name)),
        *("-o", "out"),
    ],
    "train": [
        *("train", "explainn", "--data", "peaks.bed", "--genome", "genome.fa", "--width", "60"),
        *("--units", "2", "--epochs", "3", "--device", "cpu", "-o", "out"),
    ],
}


def desk(folder, count):
    folder.mkdir()
    rng = np.random.default_rng(0)
    letters = "".join(rng.choice(list("ACGT"), 100 * count))
    (folder / "genome.fa").write_text(f">chr1\n{letters}\n")
    starts = 100 * np.arange(count) + 20
    lines = [
        f"chr1\t{start}\t{start + 60}\tp{start}\t0\t{'+-'[i % 2]}\n"
        for i, start in enumerate(starts)
    ]
    (folder / "peaks.bed").write_text("".join(lines))
    return folder


def started(words, folder):
    environment = {**os.environ, "XDG_CACHE_HOME": str(folder / "cache"), "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(
        [sys.executable, "-m", "modelzoo.cli.main", *words],
        cwd=folder,
        env=environment,
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
    )


def sums(folder):
    """The checksum of every file of the results; what says when or how long is left out."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and "cache" not in path.parts and path.name != "times.json"
    }


def is_whole(command, out):
    """Whether a run was killed after all its work, whose results these commands never replace."""
    if command == "scan":
        return (out / "quality.json").exists() and not (out / "cells").exists()
    return command == "train" and out.exists()


@pytest.mark.slow
@pytest.mark.nightly
@pytest.mark.parametrize("command", COMMANDS)
def test_a_run_that_is_killed_at_any_moment_ends_in_the_same_bytes(tmp_path, command):
    words, count = COMMANDS[command], 200 if command == "train" else 60
    whole = desk(tmp_path / "whole", count)
    begun = time.monotonic()
    run = started(words, whole)
    _, said = run.communicate()
    assert run.returncode == 0, said
    seconds = time.monotonic() - begun
    folder = desk(tmp_path / "killed", count)
    for fraction in (0.5, 0.7, 0.8, 0.9, 0.95):  # most of the first half is the start
        run = started(words, folder)
        try:
            run.communicate(timeout=fraction * seconds)
        except subprocess.TimeoutExpired:
            run.kill()
        run.communicate()
        if run.returncode == 0:
            break
    if not is_whole(command, folder / "out"):
        run = started(words, folder)
        _, said = run.communicate()
        assert run.returncode == 0, said
    assert sums(folder) == sums(whole)
