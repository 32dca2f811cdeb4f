"""Measures memory and time of the commands at growing numbers of sequences.

python benchmarks/commands.py [--sizes 1000 100000 1000000] [--commands predict attribute ...]
    [--model deepbind-gata3] [--output benchmarks/COMMANDS.md]

Each command runs once in a process of its own, on random sequences of 101 positions, on as many
windows of a random genome, or on as many variants of it. Time is that of the processor, with the
start of Python; memory is the most that the process had. What the output file holds of other sizes
or commands stays.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch

LENGTH = 101
MOTIF = [0, 1, 3, 2, 0, 2, 3, 1, 0, 1]  # codes in the middle of each, for what is trained
STEP = 10  # of the scan
COMMANDS = {  # in a folder with seqs.fa, genome.fa and calls.vcf; {model} is the model's name
    "predict": "predict seqs.fa -m {model} -o out.tsv --workers 1",
    "predict, Parquet": "predict seqs.fa -m {model} -o out.tsv --format parquet --workers 1",
    "attribute": "attribute seqs.fa -m {model} -o out --max-shift 5 --workers 1",
    "scan": f"scan genome.fa -m {{model}} -o out --step {STEP} --workers 1",
    "variants": "variants calls.vcf --genome genome.fa -m {model} -o out --workers 1",
    "check": "check {model} seqs.fa -o out",
    "train expert": "train expert seqs.fa -o out",
    "motifs": "motifs seqs.fa -o out --units 24",
}
MEASURED = """
import resource, sys
from modelzoo.cli.main import main
try:
    main()
finally:
    used = resource.getrusage(resource.RUSAGE_SELF)
    print("used", used.ru_utime + used.ru_stime, used.ru_maxrss, file=sys.stderr)
"""
ROW = re.compile(r"\| (?P<command>[^|]+) \| (?P<size>[\d,]+) \| [^|]+ \| [^|]+ \|")


def write_sequences(path: Path, count: int) -> None:
    """Write random sequences that have one motif in common as FASTA, a block at a time."""
    random = np.random.default_rng(0)
    letters = np.frombuffer(b"ACGT\n", np.uint8)
    with path.open("wb") as file:
        for start in range(0, count, 10_000):
            codes = random.integers(0, 4, (min(10_000, count - start), LENGTH + 1))
            codes[:, 40:50] = MOTIF
            codes[:, -1] = 4
            for number, row in enumerate(letters[codes], start):
                file.write(b">s%d\n" % number + row.tobytes())


def write_genome(folder: Path, count: int) -> None:
    """Write a chromosome of so many windows, and as many single-letter variants along it."""
    random = np.random.default_rng(0)
    size = count * STEP + LENGTH - STEP
    codes = random.integers(0, 4, size)
    letters = np.frombuffer(b"ACGT", np.uint8)[codes].tobytes().decode()
    (folder / "genome.fa").write_text(f">chr1\n{letters}\n")
    with (folder / "calls.vcf").open("w") as file:
        file.write("##fileformat=VCFv4.2\n#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\n")
        for number in range(count):
            place = LENGTH // 2 + number * STEP
            other = "ACGT"[(codes[place] + 1 + number % 3) % 4]
            file.write(f"chr1\t{place + 1}\tv{number}\t{letters[place]}\t{other}\t.\t.\t.\n")


def measure(arguments: str, model: str, count: int) -> tuple[float, int]:
    """Return processor seconds and MiB of one command on so many sequences."""
    with tempfile.TemporaryDirectory() as folder:
        write_sequences(Path(folder) / "seqs.fa", count)
        write_genome(Path(folder), count)
        command = [sys.executable, "-c", MEASURED, *arguments.format(model=model).split()]
        path = os.pathsep.join(filter(None, [str(Path.cwd()), os.environ.get("PYTHONPATH")]))
        environment = {"OMP_NUM_THREADS": "1", **os.environ, "PYTHONPATH": path}
        run = subprocess.run(
            command, cwd=folder, env=environment, stderr=subprocess.PIPE, text=True
        )
    found = re.search(r"used ([\d.]+) (\d+)", run.stderr)
    if run.returncode or found is None:
        raise RuntimeError(f"{arguments}: {run.stderr[-500:]}")
    return float(found[1]), int(found[2]) // 1024


def known(path: Path) -> dict[tuple[str, int], str]:
    """Return the rows that a report holds already."""
    text = path.read_text(encoding="utf-8") if path.is_file() else ""
    found = (match for match in map(ROW.fullmatch, text.splitlines()) if match)
    return {(row["command"], int(row["size"].replace(",", ""))): row[0] for row in found}


def report(rows: dict[tuple[str, int], str], model: str) -> str:
    """Return the page."""

    def lines() -> Iterator[str]:
        yield "# Memory and time of the commands\n"
        yield (
            f"Model `{model}`, sequences of {LENGTH} positions, torch {torch.__version__}, one"
            " thread of a machine that other work shares. Seconds of the processor and the most"
            " memory of the process, both with Python and torch. A scan has as many windows,"
            f" {STEP} bases apart, as the others have sequences, and `variants` as many variants."
            " Written by `python benchmarks/commands.py`.\n"
        )
        yield "| command | sequences, windows or variants | seconds | MiB |\n|---|---:|---:|---:|"
        order = list(COMMANDS)
        yield from (rows[key] for key in sorted(rows, key=lambda k: (order.index(k[0]), k[1])))

    return "\n".join(lines()) + "\n"


def main() -> None:
    """Measure what is asked for, and write the page after each measurement."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sizes", type=int, nargs="+", default=[1000, 100_000, 1_000_000])
    parser.add_argument("--commands", nargs="+", default=list(COMMANDS), choices=list(COMMANDS))
    parser.add_argument("--model", default="deepbind-gata3")
    parser.add_argument("--output", type=Path, default=Path(__file__).with_name("COMMANDS.md"))
    given = parser.parse_args()
    rows = {key: row for key, row in known(given.output).items() if key[0] in COMMANDS}
    for name in given.commands:
        for size in given.sizes:
            seconds, memory = measure(COMMANDS[name], given.model, size)
            rows[name, size] = f"| {name} | {size:,} | {seconds:.1f} | {memory:,} |"
            given.output.write_text(report(rows, given.model), encoding="utf-8")
            print(rows[name, size], flush=True)


if __name__ == "__main__":
    main()
