"""Counts how many bad days end well: kills, full disks, model folders, answers of a Hub, calls.

python -m tests.hostile.bad_days [--seed 0] [--kills 20] [--disks 10] [--folders 200]
    [--answers 40] [--calls 100]

A kill or a full disk ends well if the same command, called again, leaves the bytes of a run without
either. A folder or an answer ends well if `load` returns a model, or raises one of its errors, soon
and leaves no part of a file. A wrong call ends well with exit code 1 or 2, one line, and no file.
"""

from __future__ import annotations

import argparse
import contextlib
import inspect
import io
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import modelzoo
from modelzoo.architectures import ARCHITECTURES
from modelzoo.architectures.weights import WeightsError
from modelzoo.cli.main import main as command_line
from modelzoo.zoo import session
from modelzoo.zoo.hub import HubError
from tests.support.hub_server import HubServer

WRONG = [None, True, -1, 0, 1.5, 1e308, "x", "", [], [None], {}, {"a": 1}, 10**9, "\x1b[2J"]
WORDS = ["", "-1", "0", "x", "1e9", "10000000000", "absent", ".", "a\x1b[2J", "-", "/dev/full"]
SLOWEST = 10.0  # seconds of the processor for a folder


COMMANDS = {  # in a folder beside that of the model
    "predict": ["predict", "a.fa", "-m", "../model", "-o", "out.tsv"],
    "attribute": ["attribute", "a.fa", "-m", "../model", "-o", "out", "--top", "2"],
    "train": ["train", "expert", "peaks.fa", "-o", "out"],
}


def run(arguments: list[str], folder: Path, seconds: float | None = None) -> int:
    """Call the command in a folder, and kill it after so many seconds; return its exit code."""
    command = [sys.executable, "-m", "modelzoo.cli.main", *arguments]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    with subprocess.Popen(command, cwd=folder, **quiet) as process:  # type: ignore[call-overload]
        try:
            return process.wait(seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            return process.wait()


def results(folder: Path) -> dict[str, bytes]:
    """The bytes of every result: what a killed run leaves besides begins with a dot."""
    files = [path for path in sorted(folder.rglob("[!.]*")) if path.is_file()]
    kept = [path for path in files if path.suffix != ".fa" and path.name != "times.json"]
    return {str(path.relative_to(folder)): path.read_bytes() for path in kept}


def prepare(root: Path, rng: random.Random) -> None:
    """Write a model, sequences and peaks."""
    ARCHITECTURES["deepbind"](filters=[16], widths=[11]).save_pretrained(root / "model")
    for name, count in (("a.fa", 300), ("peaks.fa", 400)):
        rows = (f">s{i}\n{''.join(rng.choices('ACGT', k=101))}\n" for i in range(count))
        (root / name).write_text("".join(rows))


def place(root: Path, folder: str) -> Path:
    """A folder with the sequences in it, so that every run has the same command line."""
    made = root / folder
    made.mkdir()
    for path in root.glob("*.fa"):
        shutil.copy(path, made)
    return made


def kills(count: int, rng: random.Random) -> Counter[str]:
    """Kill commands at random moments, and call them again."""
    found: Counter[str] = Counter()
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        prepare(root, rng)
        whole, lasting = {}, {}
        for kind in COMMANDS:
            started = time.monotonic()
            assert run(COMMANDS[kind], place(root, kind)) == 0, kind
            lasting[kind], whole[kind] = time.monotonic() - started, results(root / kind)
        for number in range(count):
            kind = list(COMMANDS)[number % len(COMMANDS)]
            folder = place(root, f"killed-{number}")
            done = run(COMMANDS[kind], folder, rng.random() * lasting[kind]) == 0
            if not done:
                run(COMMANDS[kind], folder)
            found["fine" if results(folder) == whole[kind] else f"{kind} differs"] += 1
    return found


def disks(count: int, rng: random.Random) -> Counter[str]:
    """Run `attribute` on a disk without room, make room, and call it again."""
    found: Counter[str] = Counter()
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        prepare(root, rng)
        assert run(COMMANDS["attribute"], place(root, "whole")) == 0
        whole = results(root / "whole")
        for _ in range(count):
            disk = root / "disk"
            disk.mkdir()
            size = f"size={rng.randrange(100, 1400)}k"
            options = {"capture_output": True, "check": True}
            try:
                subprocess.run(["mount", "-t", "tmpfs", "-o", size, "none", disk], **options)  # type: ignore[call-overload]
            except (OSError, subprocess.CalledProcessError):
                return Counter({"not tried, as nothing can be mounted": 0})
            try:
                with contextlib.suppress(OSError):
                    for path in root.glob("*.fa"):
                        shutil.copy(path, disk)
                first = run(COMMANDS["attribute"], disk)
                subprocess.run(["mount", "-o", "remount,size=64m", disk], **options)  # type: ignore[call-overload]
                for path in root.glob("*.fa"):
                    shutil.copy(path, disk)
                same = run(COMMANDS["attribute"], disk) == 0 and results(disk) == whole
                found["fine" if first in (0, 1, 2) and same else f"{size}, first {first}"] += 1
            finally:
                subprocess.run(["umount", disk], **options)  # type: ignore[call-overload]
                disk.rmdir()
    return found


def folders(count: int, rng: random.Random) -> Counter[str]:
    """Load folders whose configuration or weights are wrong in one place or some."""
    found: Counter[str] = Counter()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "model"
        for _ in range(count):
            ARCHITECTURES["deepbind"](filters=[4], widths=[9]).save_pretrained(folder)
            if rng.random() < 0.5:
                architecture = rng.choice(list(ARCHITECTURES))
                argument = rng.choice(
                    list(inspect.signature(ARCHITECTURES[architecture]).parameters)
                )
                config = {"architecture": architecture, argument: rng.choice(WRONG)}
                (folder / "config.json").write_text(json.dumps(config))
            else:
                path = folder / rng.choice(["config.json", "model.safetensors"])
                data = bytearray(path.read_bytes())
                for _ in range(rng.randrange(1, 4)):
                    at = rng.randrange(min(len(data), 700))
                    data[at : at + rng.randrange(3)] = rng.randbytes(rng.randrange(4))
                path.write_bytes(data)
            started = time.process_time()
            ended = "fine"
            try:
                modelzoo.load(folder)
            except WeightsError as error:
                if not str(error).isprintable():
                    ended = "obeyed by a terminal"
            except Exception as error:
                ended = type(error).__name__
            if time.process_time() - started > SLOWEST:
                ended = "slow"
            found[ended] += 1
    return found


def answers(count: int, rng: random.Random) -> Counter[str]:
    """Load a repository from a Hub that is silent, slow, busy, endless, wrong or cut."""
    from huggingface_hub import constants
    from huggingface_hub.utils import disable_progress_bars

    disable_progress_bars()
    session.SECONDS, session.SLOWEST = 3.0, 1e9
    constants.HF_HUB_ETAG_TIMEOUT = constants.HF_HUB_DOWNLOAD_TIMEOUT = 1
    constants.HF_HUB_DISABLE_XET = True
    faults: list[dict[str, object]] = [
        {"silent": "HEAD"},
        {"silent": "GET"},
        {"drip": "headers"},
        {"drip": "body"},
        {"endless": "config.json"},
        {"endless": "model.safetensors"},
        {"corrupt": True},
        {"cuts": [rng.randrange(5000) for _ in range(rng.randrange(9))]},
        {"packed": b"\x1f\x8b" + rng.randbytes(50)},
        *({"status": status} for status in (400, 401, 403, 404, 429, 500, 503)),
        *({"busy": [(status, {"Retry_After": "3600"})] * 9} for status in (429, 503)),
    ]
    found: Counter[str] = Counter()
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        ARCHITECTURES["deepbind"](filters=[4], widths=[9]).save_pretrained(root / "model")
        files = {path.name: path.read_bytes() for path in (root / "model").iterdir()}
        for number in range(count):
            with HubServer() as hub:
                hub.add("someone/model", files)
                for key, value in faults[number % len(faults)].items():
                    setattr(hub, key, value)
                constants.ENDPOINT = hub.url
                template = hub.url + "/{repo_id}/resolve/{revision}/{filename}"
                constants.HUGGINGFACE_CO_URL_TEMPLATE = template
                cache = root / f"cache-{number}"
                started, ended = time.monotonic(), "fine"
                try:
                    modelzoo.load("someone/model", cache_dir=cache)
                except (WeightsError, HubError):
                    pass
                except Exception as error:
                    ended = type(error).__name__
                if time.monotonic() - started > 20 or list(cache.rglob("*.incomplete")):
                    ended = f"{faults[number % len(faults)]}: slow, or parts are left"
                found[ended] += 1
    return found


def calls(count: int, rng: random.Random) -> Counter[str]:
    """Call commands with a wrong word in the place of a right one."""
    found: Counter[str] = Counter()
    with tempfile.TemporaryDirectory() as name, contextlib.chdir(name):
        root = Path(name)
        prepare(root, rng)
        folder = place(root, "calls")
        os.chdir(folder)
        for _ in range(count):
            words = list(rng.choice(list(COMMANDS.values())))
            words[rng.randrange(1, len(words))] = rng.choice(WORDS)
            extra = rng.choice(["--device", "--batch-size", "--seed", "--width", "--method", ""])
            words += [extra, rng.choice(WORDS)] if extra else []
            before, said = {path.name for path in folder.iterdir()}, io.StringIO()
            sys.argv, sys.stdin = ["shiftsmooth", *words], io.TextIOWrapper(io.BytesIO())
            try:
                with contextlib.redirect_stderr(said), contextlib.redirect_stdout(io.StringIO()):
                    command_line()
            except SystemExit as error:
                code = error.code or 0
            text, after = said.getvalue(), {path.name for path in folder.iterdir()}
            clean = code in (1, 2) and "Traceback" not in text and text.count("\n") == 1
            told = " ".join(words)
            if code == 0:
                found["right after all"] += 1
            else:
                found["fine" if clean and before == after else f"{told!r}: {code} {text!r}"] += 1
            for new in after - before:
                path = folder / new
                shutil.rmtree(path) if path.is_dir() else path.unlink()
    return found


def main() -> None:
    """Try what is asked for, and print how much of it ended well."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seed", type=int, default=0)
    kinds: dict[str, tuple[Callable[[int, random.Random], Counter[str]], int]] = {
        "kills": (kills, 20),
        "disks": (disks, 10),
        "folders": (folders, 200),
        "answers": (answers, 40),
        "calls": (calls, 100),
    }
    for name, (_, count) in kinds.items():
        parser.add_argument(f"--{name}", type=int, default=count)
    given = parser.parse_args()
    for name, (attempt, _) in kinds.items():
        if count := getattr(given, name):
            found = attempt(count, random.Random(given.seed))
            print(f"{name}: {sum(found.values())} tried, {found.pop('fine', 0)} fine", flush=True)
            for ended, times in found.most_common():
                print(f"  {times} {ended}", flush=True)


if __name__ == "__main__":
    main()
