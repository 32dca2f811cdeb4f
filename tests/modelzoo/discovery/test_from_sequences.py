import csv
import re
import shutil

import numpy as np
import pytest

from modelzoo.datasets.peaks import Windows
from modelzoo.datasets.planted import Simulation
from modelzoo.discovery import from_sequences
from modelzoo.discovery.from_sequences import discover, distinct
from modelzoo.motifs import Motif, jaspar, read_meme
from modelzoo.sequences import read_intervals
from modelzoo.training.multitask import MultiTaskParams

pytestmark = pytest.mark.xdist_group("numba")  # it compiles Tomtom, for a minute


def read_tsv(path):
    with open(path, newline="") as file:
        return list(csv.DictReader(file, delimiter="\t"))


THREE = """
    length = 60
    region = 50
    [motifs.REST]
    matrix = "MA0138.2"
    [motifs.SPI1]
    matrix = "MA0080.5"
    [motifs.CTCF]
    matrix = "MA0139.1"
    [[negatives]]
    share = 1
    motifs = []
""" + "".join(
    f"[[positives]]\nshare = {share}\nmotifs = ['{name}']\n"
    for name, share in (("REST", 0.34), ("SPI1", 0.33), ("CTCF", 0.33))
)
# Enough that every seed tried learns all of a motif. From less, CTCF's unit may learn CCACCTGGTGG,
# which is its own reverse complement and has no strand.
QUICK = MultiTaskParams(learning_rate=0.01, epochs=12)
SMALL = {"units": 24, "params": QUICK, "release": "JASPAR2020", "progress": False}


@pytest.fixture(scope="module")
def three():
    """2,000 sequences that hold REST's, SPI1's or CTCF's motif."""
    return Simulation.from_toml(THREE).sample(2000, seed=0, positives=2000)


@pytest.fixture(scope="module")
def fasta(three, tmp_path_factory):
    path = tmp_path_factory.mktemp("peaks") / "three.fa"
    path.write_text("".join(f">peak-{i} x\n{s}\n" for i, s in enumerate(three.strings())))
    return path


@pytest.fixture(scope="module")
def discovered(fasta, tmp_path_factory):
    out = tmp_path_factory.mktemp("discovered") / "out"
    discover(fasta, out, **SMALL)
    return out


@pytest.mark.slow
def test_planted_motifs_are_discovered(discovered, three):
    matches = {}
    for row in read_tsv(discovered / "matches.tsv"):
        matches.setdefault(row["Query_ID"], []).append(row)
    instances = read_tsv(discovered / "instances.tsv")
    truth = {(row, name): (a, b, strand) for row, name, a, b, strand in three.instances()}
    for name in ("REST", "SPI1", "CTCF"):
        units = {
            unit: row
            for unit, rows in matches.items()
            for row in rows[:5]  # its family resembles it as well
            if row["Target_name"] == name
        }
        assert units, f"{name} is not among the matches"
        assert min(float(row["q-value"]) for row in units.values()) < 0.01
        # The strand of an instance and the orientation of the match give the planted strand.
        right = [
            (row["strand"] == planted[2]) == (units[row["motif"]]["Orientation"] == "+")
            for row in instances
            if row["motif"] in units
            and (planted := truth.get((int(row["sequence"].removeprefix("peak-")), name)))
            and int(row["start"]) < planted[1]
            and planted[0] < int(row["stop"])
        ]
        assert len(right) > 20
        assert np.mean(right) > 0.95


@pytest.mark.slow
@pytest.mark.nightly
def test_intervals_give_the_same_motifs_and_their_places_in_the_genome(
    discovered, three, tmp_path, monkeypatch
):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    rows = three.strings()
    (tmp_path / "genome.fa").write_text(f">chr1\n{''.join(rows)}\n")
    spans = [(60 * i, 60 * i + 60, f"peak-{i}") for i in range(len(rows))]
    peaks = tmp_path / "three.bed"
    peaks.write_text("".join(f"chr1\t{a}\t{b}\t{name}\n" for a, b, name in spans))
    discover(Windows(peaks, tmp_path / "genome.fa"), tmp_path / "out", **SMALL)
    for name in ("motifs.meme", "instances.tsv"):
        assert (tmp_path / "out" / name).read_bytes() == (discovered / name).read_bytes()
    places = {
        (60 * int(row["sequence"].removeprefix("peak-")) + int(row["start"]), row["motif"])
        for row in read_tsv(discovered / "instances.tsv")
    }
    found = list(read_intervals(tmp_path / "out" / "instances.bed"))
    assert places == {(interval.start, interval.name) for interval in found}
    assert not (discovered / "instances.bed").exists()


@pytest.mark.slow
def test_discovered_motifs_are_ranked_by_importance(discovered):
    found = [motif.name for motif in read_meme(discovered / "motifs.meme")]
    page = (discovered / "index.html").read_text()
    rows = re.findall(r'<a href="#(unit-\d+)">.*?</tr>', page)
    assert rows == [name for name in found if name in rows]
    cells = [re.findall("<td>(.*?)</td>", row) for row in re.findall("<tr>.*?</tr>", page)]
    importances = [float(row[7]) for row in cells if len(row) == 10]
    assert len(importances) == len(rows) >= 3
    assert importances == sorted(importances, reverse=True)
    assert min(importances) > 0
    assert len(list((discovered / "logos").iterdir())) == len(rows)
    assert (discovered / "model" / "model.safetensors").is_file()
    assert not (discovered / "run.json").exists()
    assert not re.search(r'(src|href)="(?!data:|#)', page)


@pytest.mark.slow
def test_a_stopped_discovery_resumes_from_its_model(monkeypatch, fasta, discovered, tmp_path):
    out = tmp_path / "again"

    def stopped(*args, **kwargs):
        raise KeyboardInterrupt

    monkeypatch.setattr(
        from_sequences,
        "train_explainn",
        lambda *args, out, **kwargs: shutil.copytree(discovered / "model", out),
    )
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(from_sequences, "filter_motifs", stopped)
        discover(fasta, out, **SMALL)
    assert not out.exists()
    monkeypatch.setattr(from_sequences, "train_explainn", stopped)
    with pytest.raises(ValueError, match="belongs to another run, which differs in: seed;"):
        discover(fasta, out, seed=1, **SMALL)
    page = discover(fasta, out, **SMALL)
    assert page.read_text() == (discovered / "index.html").read_text()


@pytest.mark.slow
def test_sequences_without_a_motif_are_an_error(tmp_path):
    rng = np.random.default_rng(0)
    rows = ["".join(row) for row in rng.choice(list("ACGT"), (200, 60))]
    path = tmp_path / "random.fa"
    path.write_text("".join(f">{i}\n{row}\n" for i, row in enumerate(rows)))
    small = {**SMALL, "units": 8, "params": MultiTaskParams(epochs=3)}
    with pytest.raises(RuntimeError, match=r"no motif found in .*none of 8 units"):
        discover(path, tmp_path / "out", **small)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "expected either SEQS or --from-attributions"),
        (["absent.fa"], "a file of peaks, got absent.fa"),
        (["--from-attributions", "absent.h5"], "'absent.h5' does not exist"),
        (["GATA3", "--release", "JASPAR1"], "release: expected one of JASPAR2026"),
        (["GATA3", "--group", "dragons"], "group: expected a taxonomic group"),
    ],
)
def test_wrong_calls_say_what_is_wrong(shiftsmooth, tmp_path, arguments, message):
    done = shiftsmooth("motifs", *arguments, "-o", tmp_path / "out")
    assert done.code == 2
    assert message in done.err
    assert not list(tmp_path.iterdir())


def test_a_folder_that_is_there_stays(fasta, tmp_path):
    with pytest.raises(FileExistsError, match="exists already"):
        discover(fasta, tmp_path)
    assert not list(tmp_path.iterdir())


def test_motifs_that_resemble_a_better_one_are_grouped_with_it():
    database = jaspar("JASPAR2020")
    by_id = {motif.name: motif for motif in database}
    gata, ctcf = by_id["MA0037.3"], by_id["MA0139.1"]
    named = [
        Motif(f"unit-{i}", motif.matrix)
        for i, motif in enumerate([gata, ctcf, gata.reverse_complement(), by_id["MA0036.3"]])
    ]
    assert distinct(named, database) == {0: [0, 2, 3], 1: [1]}
