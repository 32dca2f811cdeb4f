import warnings

import numpy as np
import pytest
import torch

from modelzoo.motifs import (
    Motif,
    annotate,
    correctly_predicted,
    filter_motifs,
    jaspar,
    label,
    read_meme,
    releases,
    tomtom,
    write_matches,
    write_matrices,
    write_meme,
)
from modelzoo.motifs.motif import MATCH_COLUMNS


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
@pytest.mark.parametrize("fraction", [0.5, 0.8])
def test_filters_become_the_motifs_that_a_slow_loop_finds(padding, fraction):
    torch.manual_seed(0)
    rng = np.random.default_rng(0)
    codes = rng.integers(0, 5, (23, 40), dtype=np.uint8) % rng.integers(4, 6, (23, 40), "u1")
    filters = torch.nn.Conv1d(4, 6, 7, padding=padding)
    with torch.no_grad():
        filters.weight[5], filters.bias[5] = 0, -1  # never active
    from modelzoo.sequences import columns

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
    import pandas

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
    import pandas

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
