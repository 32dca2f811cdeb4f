import csv
import re
import shutil
import warnings
from types import SimpleNamespace

import h5py
import numpy as np
import pandas
import pytest
import torch

from modelzoo.datasets.planted.simulation import Simulation
from modelzoo.discovery import from_sequences as discovering
from modelzoo.discovery.from_attributions import motifs_of_attributions
from modelzoo.discovery.from_sequences import discover, distinct
from modelzoo.discovery.report import Finding, rank_figure, spacing_figure
from modelzoo.motifs import (
    Motif,
    annotate,
    best_hits,
    correctly_predicted,
    filter_motifs,
    find_instances,
    jaspar,
    label,
    modisco,
    performances,
    read_meme,
    releases,
    syntax,
    tomtom,
    write_matches,
    write_matrices,
    write_meme,
)
from modelzoo.motifs.files import MATCH_COLUMNS
from modelzoo.sequences import columns, encode
from modelzoo.training.multitask import MultiTaskParams


@pytest.fixture(scope="module")
def database():
    return jaspar("JASPAR2020")


@pytest.fixture
def by_id(database):
    return {motif.name: motif for motif in database}


def slow_counts(activations, codes, width, first, fraction):
    """Window by window, filter by filter."""
    best, found = {}, {}
    for row, values in enumerate(activations):
        for unit, track in enumerate(values):
            for position, value in enumerate(track):
                start = position + first
                window = codes[row, max(start, 0) : start + width]
                if start >= 0 and len(window) == width and (window < 4).all():
                    best[unit] = max(best.get(unit, 0), value)
                    found.setdefault(unit, []).append((value, window))
    counts = np.zeros((activations.shape[1], 4, width))
    for unit, windows in found.items():
        for value, window in windows:
            if best[unit] > 0 and value >= fraction * best[unit]:
                counts[unit, window, np.arange(width)] += 1
    return counts


@pytest.mark.parametrize("padding", [0, 3])
@pytest.mark.parametrize("fraction", [0.5, 1.0])
def test_filters_become_the_motifs_that_a_slow_loop_finds(padding, fraction):
    torch.manual_seed(0)
    rng = np.random.default_rng(0)
    codes = rng.integers(0, 5, (23, 40), dtype=np.uint8) % rng.integers(4, 6, (23, 40), "u1")
    filters = torch.nn.Conv1d(4, 6, 7, padding=padding)
    with torch.no_grad():
        filters.weight[5], filters.bias[5] = 0, -1  # never active
    found = filter_motifs(
        lambda x: filters(x).relu(), codes, 7, first=-padding, fraction=fraction, batch_size=5
    )
    with torch.no_grad():
        counts = slow_counts(filters(columns(codes)).relu().numpy(), codes, 7, -padding, fraction)
    assert found[5] is None
    for unit, motif in enumerate(found[:5]):
        assert motif.name == f"unit-{unit}"
        assert motif.sites == counts[unit, :, 0].sum()
        np.testing.assert_allclose(motif.matrix, counts[unit] / motif.sites)


def test_batches_do_not_change_motifs():
    rng = np.random.default_rng(0)
    codes = rng.integers(0, 4, (30, 25), dtype=np.uint8)
    torch.manual_seed(0)
    filters = torch.nn.Conv1d(4, 3, 5)
    runs = [
        filter_motifs(lambda x: filters(x).exp(), codes, 5, batch_size=size) for size in (7, 30)
    ]
    for one, other in zip(*runs):
        assert one.sites == other.sites
        np.testing.assert_array_equal(one.matrix, other.matrix)


def test_a_filter_of_another_width_is_refused():
    codes = np.zeros((2, 20), dtype=np.uint8)
    with pytest.raises(ValueError, match=r"width: 16 positions of 7 from 0"):
        filter_motifs(torch.nn.Conv1d(4, 1, 5), codes, 7, first=0, batch_size=2)
    with pytest.raises(ValueError, match="at least one sequence"):
        filter_motifs(torch.nn.Conv1d(4, 1, 5), codes[:0], 5)


def test_a_sequence_is_correct_where_all_known_labels_are():
    class Model(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.scale = torch.nn.Parameter(torch.ones(1))

        def forward(self, x):
            return self.scale * (2 * x[:, :2, 0] - 1)

    codes = np.array([[0, 3], [1, 3], [0, 2], [2, 2], [1, 1]], dtype=np.uint8)
    labels = np.array([[1, 0], [1, 1], [np.nan, 1], [0, np.nan], [np.nan, np.nan]])
    expected = [True, False, False, True, True]
    assert correctly_predicted(Model(), codes, labels, batch_size=2).tolist() == expected
    with pytest.raises(ValueError, match=r"labels: expected \(5, 2\), got \(5, 1\)"):
        correctly_predicted(Model(), codes, labels[:, 0])


def test_jaspar_is_there_in_all_releases_and_read_once():
    assert {"JASPAR2014", "JASPAR2020", "JASPAR2024"} <= set(releases())
    vertebrates = jaspar("JASPAR2020")
    assert len(vertebrates) == 746  # Novakovsky et al., Methods
    assert jaspar("JASPAR2020") is vertebrates
    assert len(jaspar("JASPAR2020", "plants")) == 530  # Fornes et al. 2020, Table 1


def test_an_unknown_release_or_group_is_named():
    with pytest.raises(ValueError, match=r"release: expected one of JASPAR.*got 'JASPAR1999'"):
        jaspar("JASPAR1999")
    with pytest.raises(ValueError, match="group: expected a taxonomic group"):
        jaspar("JASPAR2020", "dragons")


def benjamini_hochberg(p_values):
    """The textbook's step-up, one by one."""
    order = np.argsort(p_values)[::-1]
    q_values, smallest = np.empty(len(p_values)), 1.0
    for rank, index in zip(range(len(p_values), 0, -1), order):
        smallest = min(smallest, p_values[index] * len(p_values) / rank)
        q_values[index] = smallest
    return q_values


def test_matches_are_those_of_a_direct_call(database, by_id):
    import memelite

    queries = [by_id[name].trimmed() for name in ("MA0037.3", "MA0139.1", "MA0080.5")]
    p_values, _, offsets, overlaps, strands = memelite.tomtom(
        [query.matrix for query in queries], [target.matrix for target in database]
    )
    for row, matches in enumerate(annotate(queries, database)):
        q_values = benjamini_hochberg(p_values[row])
        assert len(matches) == (q_values <= 0.05).sum() > 0
        for match in matches:
            column = database.index(match.target)
            assert match.p_value == p_values[row, column]
            assert match.q_value == pytest.approx(q_values[column])
            assert match.offset == offsets[row, column]
            assert match.overlap == overlaps[row, column]
            assert match.orientation == "+-"[int(strands[row, column])]
        assert [m.p_value for m in matches] == sorted(m.p_value for m in matches)


@pytest.mark.parametrize("flank", [0, 4])
@pytest.mark.parametrize("turned", [False, True])
def test_a_match_says_how_its_target_lies(database, by_id, flank, turned):
    planted = by_id["MA0139.1"]  # CTCF has a direction
    query = planted.reverse_complement() if turned else planted
    query = Motif("query", np.concatenate([np.full((4, flank), 0.25), query.matrix], 1))
    best = annotate([query], database)[0][0]
    assert label([best]) == "CTCF"
    assert best.orientation == "-+"[not turned]
    assert best.offset == -flank
    np.testing.assert_array_equal(best.oriented.matrix, query.matrix[:, flank:])


def test_a_flat_motif_resembles_nothing():
    database = jaspar("JASPAR2024")
    flat = Motif("flat", np.full((4, 10), 0.25))
    assert tomtom([flat], database).p_values.min() < 1e-6  # so Tomtom alone would have it
    assert annotate([flat], database) == [[]]
    assert label([]) == ""


@pytest.fixture
def motifs(by_id):
    rng = np.random.default_rng(0)
    made = Motif("unit-3", rng.dirichlet([0.3] * 4, 19).T, 1234)
    return [by_id["MA0037.3"], made]


def test_a_meme_file_is_read_back(tmp_path, motifs):
    write_meme(tmp_path / "motifs.meme", motifs)
    for one, other in zip(motifs, read_meme(tmp_path / "motifs.meme"), strict=True):
        assert (one.name, one.title) == (other.name, other.title)
        np.testing.assert_allclose(one.matrix, other.matrix, atol=2e-6)


def test_other_libraries_read_the_meme_file(tmp_path, motifs):
    from memelite.io import read_meme as memelite
    from tangermeme.io import read_meme as tangermeme

    write_meme(tmp_path / "motifs.meme", motifs)
    for read in (memelite, tangermeme):
        found = read(str(tmp_path / "motifs.meme"))
        assert list(found) == ["MA0037.3 GATA3", "unit-3"]
        for motif, matrix in zip(motifs, found.values()):
            np.testing.assert_allclose(matrix, motif.matrix, atol=1e-6)


def test_biopython_reads_names_and_sites(tmp_path, motifs):
    from Bio import motifs as biopython

    write_meme(tmp_path / "motifs.meme", motifs)
    with open(tmp_path / "motifs.meme") as file:
        found = biopython.parse(file, "minimal")
    assert [(m.name, m.length) for m in found] == [(m.name, m.width) for m in motifs]
    assert found[1].num_occurrences == 1234
    np.testing.assert_allclose(
        [found[1].counts[base] for base in "ACGT"], motifs[1].matrix * 1234, atol=0.51
    )


def test_a_meme_file_of_memelite_is_read(tmp_path, motifs):
    from memelite.io import write_meme as memelite

    memelite(str(tmp_path / "other.meme"), {"a b": motifs[1].matrix})
    (found,) = read_meme(tmp_path / "other.meme")
    assert (found.name, found.title) == ("a", "b")
    np.testing.assert_allclose(found.matrix, motifs[1].matrix)


@pytest.mark.parametrize("text", ["", ">a\nACGT\n", "MEME version 4\n\nMOTIF a\nnothing\n"])
def test_what_is_no_meme_file_is_refused(tmp_path, text):
    path = tmp_path / "no.meme"
    path.write_text(text)
    with pytest.raises(ValueError, match=r"no\.meme: expected"):
        read_meme(path)


def test_logomaker_takes_the_table_of_matrices(tmp_path, motifs):
    import logomaker

    write_matrices(tmp_path / "motifs.tsv", motifs)
    table = pandas.read_csv(tmp_path / "motifs.tsv", sep="\t")
    for motif in motifs:
        rows = table[table["name"] == motif.name].set_index("position")[list("ACGT")]
        np.testing.assert_allclose(rows.to_numpy().T, motif.matrix, atol=1e-6)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            rows = logomaker.validate_matrix(rows)
            bits = logomaker.transform_matrix(rows, from_type="probability", to_type="information")
        np.testing.assert_allclose(bits.sum(1), motif.bits, atol=1e-3)


def test_matches_are_written_in_the_columns_of_tomtom(tmp_path, motifs, database):
    matches = annotate(motifs, database)
    write_matches(tmp_path / "matches.tsv", motifs, matches)
    table = pandas.read_csv(tmp_path / "matches.tsv", sep="\t")
    assert tuple(table.columns) == MATCH_COLUMNS
    assert len(table) == sum(map(len, matches))
    first = table.iloc[0]
    assert (first["Query_ID"], first["Target_ID"]) == ("MA0037.3", "MA0037.3")
    assert first["Orientation"] == "+"
    assert first["q-value"] < 1e-6


def test_a_motif_holds_columns_of_probabilities():
    with pytest.raises(ValueError, match=r"matrix: expected shape \(4, width\), got \(3, 4\)"):
        Motif("a", np.full((3, 4), 0.25))
    with pytest.raises(ValueError, match="matrix: expected columns of probabilities"):
        Motif("a", np.ones((4, 3)))
    with pytest.raises(ValueError, match="name: expected one word, got 'a b'"):
        Motif("a b", np.full((4, 3), 0.25))


def test_a_motif_is_trimmed_to_what_says_something():
    core = np.eye(4)[:, [0, 3, 1]]
    flat = np.full((4, 2), 0.25)
    motif = Motif("m", np.concatenate([flat, core[:, :1], flat, core[:, 1:], flat], 1))
    assert motif.trimmed().consensus == "AaaTC"
    assert Motif("f", flat).trimmed().width == 2
    np.testing.assert_allclose(motif.bits, [0, 0, 2, 0, 0, 2, 2, 0, 0], atol=1e-9)


PAIR = """
    length = 120
    region = 100
    [motifs.CTCF]
    matrix = "MA0139.1"
    [motifs.SPI1]
    matrix = "MA0080.5"
    [[positives]]
    share = 1
    motifs = ["CTCF", "SPI1"]
    spacing = [7, 12]
    rigid = {rigid}
    [[negatives]]
    share = 1
    motifs = []
"""


def planted(count=200, rigid="true", seed=0):
    simulation = Simulation.from_toml(PAIR.format(rigid=rigid))
    motifs = [Motif(motif.name, motif.matrix) for motif in simulation.motifs]
    return motifs, simulation.sample(2 * count, seed=seed)


def test_instances_are_those_planted():
    motifs, data = planted()
    found = find_instances(motifs, data.codes)
    columns = ["sequence", "motif", "start", "stop", "strand"]
    mine = set(found[columns].itertuples(index=False, name=None))
    truth = set(data.instances())
    assert len(mine & truth) > 0.8 * len(truth)  # weak ones fall short of the p-value
    assert len(mine - truth) < 0.1 * len(truth)  # 2 x 400 x 100 windows, below 1e-4 by chance
    assert found["p_value"].max() <= 1e-4


def test_of_overlapping_instances_of_a_motif_the_best_stays():
    motif = Motif("M", np.eye(4)[:, [0, 3, 0, 3, 0, 3, 0, 3]] * 0.96 + 0.01)
    codes = encode("CCCC" + "ATATATATAT" + "CCCC" + "ATATATAT")
    found = find_instances([motif], codes)
    assert found[["start", "stop"]].to_numpy().tolist() == [[4, 12], [18, 26]]
    assert find_instances([motif], codes[:, :5]).empty
    assert find_instances([motif], codes[:0]).empty


def test_ambiguous_letters_hold_no_instance():
    motifs, _ = planted()
    assert find_instances(motifs, np.full((3, 120), 4, dtype=np.uint8)).empty


def test_spacings_of_planted_pairs_are_found():
    motifs, data = planted()
    found = find_instances(motifs, data.codes)
    pairs = syntax(found, [motif.name for motif in motifs])
    peaks = pairs[pairs["count"] > 5]
    assert set(peaks["spacing"]) == {7, 12}
    assert set(peaks["arrangement"]) == {"CTCF> SPI1>"}
    assert peaks["count"].sum() > 100


def slow_syntax(rows, names):
    """The definition, pair by pair: turn the sequence until the first motif reads forward."""
    counts = {}
    for i, one in enumerate(rows):
        for other in rows[i + 1 :]:
            if one[0] != other[0]:
                continue
            a, b = sorted((one, other), key=lambda row: (names.index(row[1]), row[2]))
            spacing = max(a[2], b[2]) - min(a[3], b[3])
            if spacing < 0:
                continue
            turned = a[4] == "-"
            follows = (b[2] > a[2]) != turned
            strand = "+" if b[4] == a[4] else "-"
            word = f"{b[1]}>" if strand == "+" else f"<{b[1]}"
            kind = f"{a[1]}> {word}" if follows else f"{word} {a[1]}>"
            key = (a[1], b[1], kind, spacing)
            counts[key] = counts.get(key, 0) + 1
    return counts


def test_syntax_is_that_of_a_slow_loop():
    rng = np.random.default_rng(0)
    names = ["B", "A"]
    rows = [
        (int(rng.integers(20)), names[rng.integers(2)], int(s), int(s) + 8, "+-"[rng.integers(2)])
        for s in rng.integers(0, 90, 120)
    ]
    table = pandas.DataFrame(rows, columns=["sequence", "motif", "start", "stop", "strand"])
    found = syntax(table, names, max_spacing=1000)
    mine = {tuple(row[:4]): row[4] for row in found.itertuples(index=False, name=None)}
    assert mine == slow_syntax(rows, names)
    assert {kind for _, _, kind, _ in mine} == {
        *("B> A>", "B> <A", "A> B>", "<A B>"),
        *("B> B>", "B> <B", "<B B>", "A> A>", "A> <A", "<A A>"),
    }
    near = syntax(table, names, max_spacing=10)
    assert near["spacing"].max() <= 10
    assert near["count"].sum() == sum(n for key, n in mine.items() if key[3] <= 10)


def test_best_hits_are_those_of_all_windows_on_both_strands():
    motifs, data = planted(20)
    found = best_hits(motifs, data.codes)
    for column, motif in enumerate(motifs):
        odds = np.log2((motif.matrix + 0.001) / 1.004 / 0.25)
        for row, codes in enumerate(data.codes):
            best = max(
                weights[window, np.arange(motif.width)].sum()
                for weights in (odds, odds[::-1, ::-1])
                for window in np.lib.stride_tricks.sliding_window_view(codes, motif.width)
            )
            assert found[row, column] == pytest.approx(best, abs=1e-3)
    with pytest.raises(ValueError, match="motifs: expected 10 positions or fewer, got 13"):
        best_hits(motifs, data.codes[:, :10])


def test_a_planted_motif_alone_tells_sequences_apart():
    motifs, data = planted()
    other = jaspar("JASPAR2020")[0]
    good, _, useless = performances([*motifs, other], data.codes, data.labels)
    assert good > 0.95
    assert useless == pytest.approx(0.5, abs=0.1)


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


@pytest.mark.slow
def test_attributions_become_named_motifs_with_instances_and_syntax(
    shiftsmooth, attributed, tmp_path
):
    out = tmp_path / "found"
    done = shiftsmooth(
        *("motifs", "--from-attributions", attributed, "-o", out, "--release", "JASPAR2020")
    )
    assert done.code == 0, done.err
    best = {}
    for row in read_tsv(out / "matches.tsv"):
        best.setdefault(row["Query_ID"], row)
    assert {"CTCF", "SPI1"} <= {row["Target_name"] for row in best.values()}
    assert all(float(row["q-value"]) < 0.01 for row in best.values())
    instances = read_tsv(out / "instances.tsv")
    assert {row["sequence"] for row in instances} <= {f"peak {i}" for i in range(150)}
    assert {m.name for m in read_meme(out / "motifs.meme")} >= set(best)
    page = (out / "index.html").read_text()
    assert "pos-0 · CTCF-like" in page or "pos-0 · SPI1-like" in page
    assert not (tmp_path / "found.partial").exists()


def fake_patterns(counts):
    """What TF-MoDISco returns, of one-hot sequences that hold ACGTACGT in the middle."""

    def run(one_hot, hypothetical_contribs, **settings):
        assert one_hot.shape == hypothetical_contribs.shape
        assert one_hot.shape[2] == 4
        contributions = (one_hot * hypothetical_contribs).mean(0)
        return [
            [
                SimpleNamespace(
                    contrib_scores=sign * contributions,
                    sequence=one_hot.mean(0),
                    seqlets=[None] * count,
                )
                for count in found
            ]
            or None
            for sign, found in zip((1, -1), counts)
        ]

    return run


@pytest.fixture
def one_word():
    rng = np.random.default_rng(0)
    codes = rng.integers(0, 4, (300, 40), dtype=np.uint8)
    codes[:, 15:23] = [0, 1, 2, 2, 0, 1, 2, 3]
    one_hot = (codes[:, None] == np.arange(4)[:, None]).astype(np.int8)
    scores = np.full(one_hot.shape, 0.01, dtype=np.float32)
    scores[:, :, 15:23] = 0.5
    return one_hot, scores


def test_patterns_are_trimmed_and_named_by_sign_and_rank(monkeypatch, one_word):
    monkeypatch.setattr("modiscolite.tfmodisco.TFMoDISco", fake_patterns(([90, 40], [30])))
    found = modisco(*one_word)
    assert [p.motif.name for p in found] == ["pos-0", "pos-1", "neg-0"]
    assert [p.motif.sites for p in found] == [90, 40, 30]
    assert {p.motif.consensus for p in found} == {"ACGGACGT"}
    np.testing.assert_allclose(found[0].contributions.max(0), 0.5, atol=1e-6)
    np.testing.assert_allclose(found[2].contributions, -found[0].contributions)


def test_attributions_without_a_motif_are_said_to_have_none(
    monkeypatch, shiftsmooth, attributed, tmp_path
):
    monkeypatch.setattr("modiscolite.tfmodisco.TFMoDISco", fake_patterns(([], [])))
    out = tmp_path / "out"
    done = shiftsmooth(
        *("motifs", "--from-attributions", attributed, "-o", out, "--release", "JASPAR2020")
    )
    assert done.code == 1
    assert "no motif found in" in done.err
    assert "there are 150 sequences" in done.err
    assert not (tmp_path / "out").exists()


def test_attributions_of_another_shape_are_refused(one_word):
    one_hot, scores = one_word
    with pytest.raises(ValueError, match=r"expected both \(n, 4, L\), got \(300, 4, 40\)"):
        modisco(one_hot, scores[:, :, 1:])
    with pytest.raises(ValueError, match="one_hot: expected 30 positions or more, got 29"):
        modisco(one_hot[:, :, :29], scores[:, :, :29])


def test_a_page_of_attributions_holds_what_the_tables_do(monkeypatch, attributed, tmp_path):
    monkeypatch.setattr("modiscolite.tfmodisco.TFMoDISco", fake_patterns(([120], [])))
    page = motifs_of_attributions(
        attributed, tmp_path / "out", release="JASPAR2020", progress=False
    )
    text = page.read_text()
    assert not re.search(r'(src|href)="(?!data:|#)', text)  # self-contained
    for told in ("150", "shiftsmooth", "max_shift 5", "JASPAR2020 vertebrates", "pos-0"):
        assert told in text
    instances = read_tsv(page.with_name("instances.tsv"))
    assert f"<td>{len(instances):,}</td>" in text


@pytest.mark.parametrize("name", ["no HDF5", "half", "unfinished"])
def test_a_file_that_holds_no_attributions_is_a_wrong_call(shiftsmooth, attributed, tmp_path, name):
    path = tmp_path / "bad.h5"
    if name == "no HDF5":
        path.write_text("ACGT")
    else:
        with h5py.File(attributed) as file, h5py.File(path, "w") as copy:
            for key in ("one_hot", "ids", *([] if name == "half" else ["hypothetical"])):
                file.copy(key, copy)
            copy["done"] = 149
    done = shiftsmooth("motifs", "--from-attributions", path, "-o", tmp_path / "out")
    assert done.code == 2
    expected = {
        "no HDF5": "expected an HDF5 file of attributions",
        "half": "got no hypothetical",
        "unfinished": "149 of 150 sequences are attributed",
    }
    assert expected[name] in done.err
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


def test_a_folder_that_is_there_stays(shiftsmooth, attributed, fasta, tmp_path):
    for arguments in ([fasta], ["--from-attributions", attributed]):
        done = shiftsmooth("motifs", *arguments, "-o", tmp_path)
        assert done.code == 2
        assert "exists already" in done.err


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
QUICK = MultiTaskParams(learning_rate=0.01, epochs=8)


@pytest.fixture(scope="module")
def three():
    """1,000 sequences that hold REST's, SPI1's or CTCF's motif."""
    return Simulation.from_toml(THREE).sample(1000, seed=0, positives=1000)


@pytest.fixture(scope="module")
def fasta(three, tmp_path_factory):
    path = tmp_path_factory.mktemp("peaks") / "three.fa"
    path.write_text("".join(f">peak-{i} x\n{s}\n" for i, s in enumerate(three.strings())))
    return path


@pytest.fixture(scope="module")
def discovered(fasta, tmp_path_factory):
    out = tmp_path_factory.mktemp("discovered") / "out"
    discover(fasta, out, units=16, params=QUICK, release="JASPAR2020", progress=False)
    return out


def test_planted_motifs_are_discovered(discovered, three):
    matches = {}
    for row in read_tsv(discovered / "matches.tsv"):
        matches.setdefault(row["Query_ID"], []).append(row)
    instances = read_tsv(discovered / "instances.tsv")
    truth = {(row, name): (a, b, strand) for row, name, a, b, strand in three.instances()}
    # A part of CTCF's motif, CCACCTGGTGG, is its own reverse complement.
    for name, least in (("REST", 0.95), ("SPI1", 0.95), ("CTCF", 0.7)):
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
        assert np.mean(right) > least


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


def test_a_stopped_discovery_goes_on_from_its_model(monkeypatch, fasta, discovered, tmp_path):
    out = tmp_path / "again"
    arguments = {"units": 16, "params": QUICK, "release": "JASPAR2020", "progress": False}

    def stopped(*args, **kwargs):
        raise KeyboardInterrupt

    monkeypatch.setattr(
        discovering,
        "train_explainn",
        lambda *args, out, **kwargs: shutil.copytree(discovered / "model", out),
    )
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(discovering, "filter_motifs", stopped)
        discover(fasta, out, **arguments)
    assert not out.exists()
    monkeypatch.setattr(discovering, "train_explainn", stopped)
    with pytest.raises(ValueError, match="of a stopped run with other seed"):
        discover(fasta, out, seed=1, **arguments)
    page = discover(fasta, out, **arguments)
    assert page.read_text() == (discovered / "index.html").read_text()


def test_sequences_without_a_motif_are_said_to_have_none(shiftsmooth, tmp_path, monkeypatch):
    rng = np.random.default_rng(0)
    rows = ["".join(row) for row in rng.choice(list("ACGT"), (200, 60))]
    path = tmp_path / "random.fa"
    path.write_text("".join(f">{i}\n{row}\n" for i, row in enumerate(rows)))
    monkeypatch.setattr(MultiTaskParams, "of", lambda *args: MultiTaskParams(epochs=3))
    done = shiftsmooth(
        *("motifs", path, "-o", tmp_path / "out", "--units", 8, "--release", "JASPAR2020")
    )
    assert done.code == 1
    assert "no motif found in" in done.err
    assert "none of 8 units" in done.err
    assert not (tmp_path / "out").exists()


def test_motifs_that_resemble_a_better_one_are_grouped_with_it(by_id, database):
    gata, ctcf = by_id["MA0037.3"], by_id["MA0139.1"]
    named = [
        Motif(f"unit-{i}", motif.matrix)
        for i, motif in enumerate([gata, ctcf, gata.reverse_complement(), by_id["MA0036.3"]])
    ]
    assert distinct(named, database) == {0: [0, 2, 3], 1: [1]}


def letters(axes):
    """The first and the last position with letters on axes."""
    boxes = [patch.get_path().get_extents() for patch in axes.patches]
    return round(min(box.x0 for box in boxes)), round(max(box.x1 for box in boxes))


def test_a_logo_shows_the_best_match_where_it_lies(database, by_id):
    ctcf = by_id["MA0139.1"].reverse_complement().matrix  # 19 positions
    flank = np.full((4, 3), 0.25)
    for matrix, target in ((ctcf[:, 4:], (-3, 15)), (np.concatenate([flank, ctcf], 1), (4, 22))):
        query = Motif("unit-0", matrix)
        figure = Finding(query, annotate([query], database)[0]).logo()
        upper, lower = figure.axes[-2:]
        assert upper.get_xlim() == lower.get_xlim()
        assert upper.get_xlim()[0] == min(target[0], 1) - 0.5
        assert letters(lower) == target  # counted from the query's first, 1
        assert letters(upper)[1] == query.width


def test_the_rank_of_the_best_motif_is_marked():
    ranked = {"A": np.array([0.9, 0.6, 0.5]), "B": np.array([0.5, 0.8])}
    axes = rank_figure(ranked).axes[0]
    line, *dots = axes.lines
    np.testing.assert_allclose(line.get_xydata(), [[1, 0.7], [2, 0.7], [3, 0.5]])
    assert [tuple(dot.get_xydata()[0]) for dot in dots] == [(1, 0.9), (2, 0.8)]
    assert [text.get_text() for text in axes.texts] == ["A: rank 1", "B: rank 2"]


def test_spacings_are_drawn_a_colour_an_arrangement():
    rows = [("A", "B", "A> B>", 3, 5), ("A", "B", "A> B>", 1, 2), ("A", "B", "<B A>", 3, 4)]
    pairs = pandas.DataFrame(rows, columns=["first", "second", "arrangement", "spacing", "count"])
    axes = spacing_figure(pairs).axes[0]
    heights = [[bar.get_height() for bar in bars] for bars in axes.containers]
    assert heights == [[0, 2, 0, 5], [0, 0, 0, 4]]
    assert axes.containers[1][3].get_y() == 5


def test_tomtom_leaves_torchs_threads_alone(database):
    import torch

    before = torch.get_num_threads()
    try:
        torch.set_num_threads(1)
        tomtom(database[:1], database)
        assert torch.get_num_threads() == 1
    finally:
        torch.set_num_threads(before)
