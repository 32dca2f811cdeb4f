import csv
import re

import h5py
import numpy as np
import pytest

from modelzoo.datasets.planted import Simulation
from modelzoo.discovery.from_attributions import motifs_of_attributions
from modelzoo.jobs import Where
from modelzoo.motifs import read_meme
from tests.support.modisco import fake_patterns
from tests.support.planted import PAIR


def attributions(data, simulation, noise=0.05, seed=0):
    """What an ideal model's would be: the motifs' log-odds where motifs are, and some noise."""
    weights = {m.name: np.log2(np.maximum(m.matrix, 0.01) / 0.25) / 4 for m in simulation.motifs}
    scores = np.random.default_rng(seed).normal(0, noise, (len(data), 4, data.codes.shape[1]))
    for row, name, start, stop, strand in data.instances():
        w = weights[name]
        scores[row, :, start:stop] += w if strand == "+" else w[::-1, ::-1]
    return scores.astype(np.float32)


@pytest.fixture(scope="module")
def attributed(tmp_path_factory):
    """A file as of `shiftsmooth attribute`, of 150 sequences with CTCF and SPI1."""
    text = PAIR.format(rigid="true").replace("[7, 12]", "{ min = 15, max = 40 }")
    simulation = Simulation.from_toml(text)
    data = simulation.sample(150, seed=1, positives=150)
    path = tmp_path_factory.mktemp("attributed") / "attributions.h5"
    with h5py.File(path, "w") as file:
        file["one_hot"] = data.one_hot().numpy().astype("i1")
        file["hypothetical"] = attributions(data, simulation)
        names = [f"peak {i}" for i in range(len(data))]
        file.create_dataset("ids", data=names, dtype=h5py.string_dtype())
        file["done"] = len(data)
        file.attrs.update(method="shiftsmooth", max_shift=5, task="CTCF")
    return path


def read_tsv(path):
    with open(path, newline="") as file:
        return list(csv.DictReader(file, delimiter="\t"))


@pytest.mark.slow  # numba compiles TF-MoDISco
@pytest.mark.xdist_group("numba")
def test_attributions_become_named_motifs_with_instances_and_syntax(attributed, tmp_path):
    out = tmp_path / "found"
    page = motifs_of_attributions(attributed, out, release="JASPAR2020", progress=False)
    best = {}
    for row in read_tsv(out / "matches.tsv"):
        best.setdefault(row["Query_ID"], row)
    assert {"CTCF", "SPI1"} <= {row["Target_name"] for row in best.values()}
    assert all(float(row["q-value"]) < 0.01 for row in best.values())
    instances = read_tsv(out / "instances.tsv")
    assert {row["sequence"] for row in instances} <= {f"peak {i}" for i in range(150)}
    assert {m.name for m in read_meme(out / "motifs.meme")} >= set(best)
    text = page.read_text()
    assert "pos-0 · CTCF-like" in text or "pos-0 · SPI1-like" in text
    assert [path.name for path in tmp_path.iterdir()] == ["found"]


@pytest.mark.slow
def test_attributions_without_a_motif_are_an_error(monkeypatch, attributed, tmp_path):
    monkeypatch.setattr("modiscolite.tfmodisco.TFMoDISco", fake_patterns(([], [])))
    with pytest.raises(RuntimeError, match=r"no motif found in .*there are 150 sequences"):
        motifs_of_attributions(attributed, tmp_path / "out", release="JASPAR2020", progress=False)
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_a_page_of_attributions_holds_what_the_tables_do(monkeypatch, attributed, tmp_path):
    monkeypatch.setattr("modiscolite.tfmodisco.TFMoDISco", fake_patterns(([120], [])))
    page = motifs_of_attributions(
        attributed, tmp_path / "out", release="JASPAR2020", progress=False
    )
    text = page.read_text()
    assert not re.search(r'(src|href)="(?!data:|#)', text)  # self-contained
    facts = dict(re.findall("<dt>(.*?)</dt><dd>(.*?)</dd>", text))
    assert facts == {
        "sequences": "150",
        "method": "shiftsmooth",
        "max_shift": "5",
        "task": "CTCF",
        "database": "JASPAR2020 vertebrates",
    }
    with h5py.File(page.with_name("modisco.h5")) as file:
        assert file["pos_patterns/pattern_0/seqlets/n_seqlets"][0] == 120
    instances = read_tsv(page.with_name("instances.tsv"))
    assert '<a href="#pos-0">' in text and f"<td>{len(instances):,}</td>" in text


@pytest.mark.parametrize(
    ("kept", "done", "message"),
    [
        (None, 150, "expected an HDF5 file of attributions"),
        (("one_hot", "ids"), 150, "got no hypothetical"),
        (("one_hot", "ids", "hypothetical"), 149, "expected all of 150 sequences.*got 149"),
    ],
)
def test_a_file_without_finished_attributions_is_refused_and_leaves_nothing(
    attributed, tmp_path, kept, done, message
):
    path = tmp_path / "bad.h5"
    if kept is None:
        path.write_text("ACGT")
    else:
        with h5py.File(attributed) as file, h5py.File(path, "w") as copy:
            for key in kept:
                file.copy(key, copy)
            copy["done"] = done
    with pytest.raises(ValueError, match=message):
        motifs_of_attributions(path, tmp_path / "out", release="JASPAR2020", progress=False)
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_that_is_there_stays(attributed, tmp_path):
    with pytest.raises(FileExistsError, match="exists already"):
        motifs_of_attributions(attributed, tmp_path)
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_modisco_as_a_part_gives_the_same_motifs(monkeypatch, attributed, tmp_path):
    monkeypatch.setattr("modiscolite.tfmodisco.TFMoDISco", fake_patterns(([120], [110])))
    options = {"release": "JASPAR2020", "progress": False}
    motifs_of_attributions(attributed, tmp_path / "one", **options)
    for where in (Where(part=(2, 2)), Where(part=(1, 2))):
        assert motifs_of_attributions(attributed, tmp_path / "two", where=where, **options) is None
    motifs_of_attributions(attributed, tmp_path / "two", where=Where(only_merge=True), **options)
    for name in ("motifs.meme", "instances.tsv", "index.html"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["one", "two"]
