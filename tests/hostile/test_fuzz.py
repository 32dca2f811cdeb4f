"""Every reader on damaged files: what it raises is a ValueError or an OSError, and it comes soon.

The readers share `FUZZ_SECONDS`, a minute by default; `make fuzz` gives them an hour.
"""

import gzip
import os
import time

import pytest
from hypothesis import HealthCheck, Phase, assume, given, seed, settings
from hypothesis import strategies as st

import modelzoo
from modelzoo.architectures.deepbind import DeepBind
from modelzoo.datasets.planted import Simulation
from modelzoo.datasets.tables import Table
from modelzoo.motifs.files import read_meme, write_meme
from modelzoo.motifs.motif import Motif
from modelzoo.sequences import Genome, read_intervals, read_sequences
from modelzoo.sequences.genome import _TWO_BIT
from modelzoo.training.checkpoints import Checkpoint, refuse_damaged
from modelzoo.training.expert import Recipe
from modelzoo.training.run_folder import read_json
from modelzoo.workers import Part

SECONDS = float(os.environ.get("FUZZ_SECONDS", "60"))
SLOWEST = 2.0  # seconds for one file of a few hundred bytes


def rows(*lines):
    return "".join(f"{line}\n" for line in lines).encode()


def model(folder, name, content):
    made = DeepBind(filters=[4], widths=[9])
    made.save_pretrained(folder)
    if content is not None:
        (folder / name).write_bytes(content)
    return folder


def state(folder):
    return model(folder / "state", "model.safetensors", None) / "model.safetensors"


def checkpoint(folder):
    import torch

    made = DeepBind(filters=[4], widths=[9])
    kept = Checkpoint(folder / "checkpoint", {"seed": 0})
    kept.write(made, made.state_dict(), torch.optim.Adam(made.parameters()), [0.5])
    return kept.path.read_bytes()


def done(folder):
    Part(folder / "done", lambda: b"x" * 50).do()
    return (folder / "done").read_bytes()


def meme(folder):
    import numpy as np

    write_meme(folder / "meme", [Motif("one", np.full((4, 6), 0.25)), Motif("two", np.eye(4))])
    return (folder / "meme").read_bytes()


def dna(number):
    return "".join("ACGT"[number // 4**i % 4] for i in range(6))


FASTA = rows(">one first", "ACGTN", "acgt", ">two", "GATTACA")
BED = rows("track name=x", "chr1\t5\t9\tp1\t0\t+", "chr2\t1\t4\t.\t0\t-", "chr1 2 3")
PEAK = rows("chr1\t100\t400\tp1\t0\t.\t5.1\t3.2\t-1\t120")
SEQ = rows("FoldID\tEventID\tseq\tBound", "A\tone\tACGT\t1", "A\ttwo\tACGA\t0")
INTERVALS = rows("chrom,start,end,strand,name,summit", 'chr1,5,9,-,"a,b",7', "chr2,2,4,,,")
LABELS = rows("id\tsequence\ta\tb", *(f"s{i}\t{dna(i)}\t{i % 2}\t1" for i in range(60)))
TOML = b"""length = 60
region = 40
[motifs.GATA]
consensus = "NGATAN"
[[positives]]
share = 1
motifs = ["GATA"]
[[negatives]]
share = 1
motifs = []
"""


def sequences(path):
    return list(read_sequences(path))


def intervals(path):
    return list(read_intervals(path))


def genome(path):
    with Genome(path) as opened:
        return opened.sizes


def config(path):
    return modelzoo.load(model(path.parent / "model", "config.json", path.read_bytes()))


def weights(path):
    return modelzoo.load(model(path.parent / "model", "model.safetensors", path.read_bytes()))


def recipe(path):
    return Recipe.from_toml(path.read_text("utf-8"))


def simulation(path):
    return Simulation.load(path)


def part(path):
    return Part(path, bytes).read()


def config_of(folder):
    return (model(folder / "config", "", None) / "config.json").read_bytes()


READERS = {  # by the name of a file: its content, or what makes it in a folder; what reads it
    "a.fa": (FASTA, sequences),
    "a.fa.gz": (gzip.compress(FASTA, mtime=0), sequences),
    "a.seq": (SEQ, sequences),
    "a.bed": (BED, intervals),
    "a.narrowPeak": (PEAK, intervals),
    "a.csv": (INTERVALS, intervals),
    "genome.fa": (FASTA, genome),
    "t.tsv": (LABELS, Table),
    "t.tsv.gz": (gzip.compress(LABELS, mtime=0), Table),
    "m.meme": (meme, read_meme),
    "simulation.toml": (TOML, simulation),
    "recipe.toml": (rows("epochs = 3", "filters = [4]", "widths = [9]", "pooling = 'max'"), recipe),
    "config.json": (config_of, config),
    "model.safetensors": (lambda folder: state(folder).read_bytes(), weights),
    "checkpoint": (checkpoint, refuse_damaged),
    "identity.json": (b'{"seed": 0, "data": ["a"]}', read_json),
    "part": (done, part),
}

pieces = st.one_of(
    st.binary(max_size=8),
    st.sampled_from([b"\0", b"\n", b"\r", b"\t", b'"', b">", b"\xff", b"1_0", b"nan", b"-1"]),
    st.sampled_from([b"9" * 400, b"[" * 2000, b"{" * 500, "٣".encode(), b"1e999", b"\x1b[2J"]),
)
edits = st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 20), pieces), max_size=5)


def edited(content, changes):
    """The bytes with some of them replaced, at places counted modulo their number."""
    for at, width, piece in changes:
        at %= len(content) + 1
        content = content[:at] + piece + content[at + width :]
    return content


@pytest.mark.slow
@pytest.mark.parametrize("name", READERS)
def test_a_damaged_file_is_an_error_of_ours(name, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    content, read = READERS[name]
    content = content(tmp_path) if callable(content) else content
    path = tmp_path / name

    @settings(
        deadline=None,
        max_examples=50,
        database=None,
        phases=[Phase.generate, Phase.shrink],
        suppress_health_check=list(HealthCheck),
    )
    @given(st.one_of(edits.map(lambda changes: edited(content, changes)), st.binary(max_size=200)))
    def one(data):
        assume(data[:4] not in _TWO_BIT)  # which the library of that format reads
        path.write_bytes(data)
        started = time.process_time()
        try:
            read(path)
        except (ValueError, OSError) as error:
            assert type(error).__module__ != "_io", error
        assert time.process_time() - started < SLOWEST

    path.write_bytes(content)
    read(path)  # which is right
    number, until = 0, time.monotonic() + SECONDS / len(READERS)
    while time.monotonic() < until:
        seed(number)(one)()
        number += 1
