"""Times scans against batches of windows: python benchmarks/scan.py [REPORT.md]

Seconds are of this process, not of the clock, so that other work on the machine disturbs less; the
two ways take turns, and the fastest round of each counts.
"""

import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import torch
from shapes import deepbind
from torch import Tensor, nn

import modelzoo
from shiftsmooth.scanning import Scanner

ROUNDS = 3
GENOMES = (300_000, 900_000)  # bases


class Unpadded(nn.Module):
    """A BPNet-like trunk of valid convolutions, with a head for counts: 64 channels, 8 layers."""

    def __init__(self, channels: int = 64, layers: int = 8) -> None:
        super().__init__()
        self.first = nn.Conv1d(4, channels, 21)
        self.layers = nn.ModuleList(
            nn.Conv1d(channels, channels, 3, dilation=2**i) for i in range(1, layers + 1)
        )
        self.head = nn.Linear(channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        x = self.first(x).relu()
        for layer in self.layers:
            side = layer.dilation[0]
            x = x[..., side:-side] + layer(x).relu()
        return self.head(x.mean(-1))


def gata3() -> nn.Module:
    return modelzoo.load("deepbind-gata3")


# Name, model, window, step, windows of a scan, windows of plain batches.
CASES: list[tuple[str, Callable[[], nn.Module], int, int, int, int]] = [
    ("BPNet-like, unpadded", Unpadded, 2114, 1, 9000, 8),
    ("BPNet-like, unpadded", Unpadded, 2114, 50, 400, 8),
    ("DeepBind", deepbind, 1000, 1, 19000, 200),
    ("DeepBind", deepbind, 1000, 100, 1000, 200),
    ("`deepbind-gata3`", gata3, 101, 1, 4000, 400),
    ("`deepbind-gata3`", gata3, 101, 10, 4000, 400),
    ("`deepbind-gata3`", gata3, 101, 25, 1500, 400),
    ("`deepbind-gata3`", gata3, 101, 50, 1000, 400),
    ("`deepbind-gata3`", gata3, 101, 101, 1000, 400),
]


def one_hot(length: int) -> Tensor:
    letters = torch.randint(4, (length,), generator=torch.Generator().manual_seed(0))
    return nn.functional.one_hot(letters, 4).mT.char()


def seconds(scanner: Scanner, sequence: Tensor, differentiate: bool) -> float:
    """Seconds per window."""
    started = time.process_time()
    scanner(sequence, differentiate=differentiate)
    return (time.process_time() - started) / scanner.windows(sequence.size(1))


def timed(
    make: Callable[[], nn.Module], window: int, step: int, many: int, few: int
) -> list[float]:
    """Seconds per window: prediction shared, in plain batches; attribution shared, in batches."""
    torch.manual_seed(0)
    model = make().eval()
    shared = Scanner(model, window=window, step=step)
    plain = Scanner(model, window=window, step=step, share=False)
    long, short = (one_hot((count - 1) * step + window) for count in (many, few))
    shared(long)  # decides
    plain(short)
    found = []
    for differentiate in (False, True):
        rounds = [
            (seconds(shared, long, differentiate), seconds(plain, short, differentiate))
            for _ in range(ROUNDS)
        ]
        found += [min(column) for column in zip(*rounds)]
    return found


def genome(bases: int) -> None:
    """Scan random bases with deepbind-gata3 in this process, and print seconds and MiB."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "genome.fa"
        letters = torch.randint(4, (bases,), generator=torch.Generator().manual_seed(0))
        path.write_text(">chr1\n" + "".join("ACGT"[i] for i in letters.tolist()) + "\n")
        modelzoo.load("deepbind-gata3")
        started = time.process_time()
        modelzoo.scan("deepbind-gata3", path, Path(folder) / "out", step=10)
        print(time.process_time() - started, peak())


def peak() -> int:
    """The peak of this process's memory in KiB; what `resource` tells begins with its parent's."""
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0])


def report() -> str:
    text = [
        "# Scans",
        "",
        f"Torch {torch.__version__}, one thread of a CPU that other work shares; processor time, "
        "in microseconds per window and strand. A plain batch has as many windows as run fastest. "
        "Written by `python benchmarks/scan.py benchmarks/SCAN.md`.",
        "",
        "| Model | window | step | prediction | plain | times faster | attribution | plain | "
        "times faster | attribution / prediction |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for name, make, window, step, many, few in CASES:
        a, b, c, d = timed(make, window, step, many, few)
        cells = [f"{1e6 * a:.1f}", f"{1e6 * b:.1f}", f"{b / a:.1f}"]
        cells += [f"{1e6 * c:.1f}", f"{1e6 * d:.1f}", f"{d / c:.1f}", f"{c / a:.1f}"]
        text.append(f"| {name} | {window} | {step} | " + " | ".join(cells) + " |")
        print(text[-1], flush=True)
    text += [
        "",
        "`shiftsmooth scan` with `deepbind-gata3`, 101 bp, step 10, both strands, one process:",
        "",
        "| bases | seconds of the processor | seconds per Mb | peak memory, MiB |",
        "|---|---|---|---|",
    ]
    for bases in GENOMES:
        done = subprocess.run(
            [sys.executable, __file__, "--genome", str(bases)],
            check=True,
            capture_output=True,
            text=True,
        )
        spent, memory = map(float, done.stdout.split())
        per = spent / bases * 1e6
        text.append(f"| {bases:,} | {spent:.0f} | {per:.1f} | {memory / 1024:.0f} |")
    return "\n".join(text) + "\n"


if __name__ == "__main__":
    torch.set_num_threads(1)
    if sys.argv[1:2] == ["--genome"]:
        genome(int(sys.argv[2]))
    else:
        written = report()
        print(written)
        if len(sys.argv) > 1:
            Path(sys.argv[1]).write_text(written)
