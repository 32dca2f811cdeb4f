"""Effects of variants against strings that are cut by hand and networks in float64."""

import gzip
import json
import shutil
import subprocess

import numpy as np
import pandas
import pysam
import pytest
import torch

import modelzoo
from modelzoo.jobs import Where
from tests.support import variants as support
from tests.support.variants import (
    GENOME,
    KINDS,
    MAX_SHIFT,
    WIDTH,
    Network,
    Symmetric,
    by_hand,
    made,
)


@pytest.fixture
def desk(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    support.genome(tmp_path)
    return tmp_path


def score(desk, *rows, model=None, output="out", reject=None, **options):
    options = {"width": WIDTH, "max_shift": MAX_SHIFT, "genome": desk / "genome.fa"} | options
    if reject is not None:
        options["reject"] = reject
    path = support.vcf(desk, *rows)
    return modelzoo.variants(model or Network(), path, desk / output, **options)


@pytest.mark.parametrize("model", [Network(), Symmetric()], ids=["both strands", "symmetric"])
@pytest.mark.parametrize("kind", KINDS)
def test_an_effect_is_the_mean_over_windows_and_strands_cut_by_hand(desk, kind, model):
    chrom, pos, count, alt = KINDS[kind]
    ref = GENOME[chrom][pos - 1 : pos - 1 + count]
    (row,) = score(desk, KINDS[kind], model=model).to_dict("records")
    outputs = by_hand(model, chrom, pos, ref, alt)
    effects = outputs[:, 1] - outputs[:, 0]  # (windows, strands, tasks)
    for t, task in enumerate(model.tasks):
        one = effects[..., t]
        if isinstance(model, Network):
            assert abs(one[:, 0] - one[:, 1]).max() > 1e-2  # the strands do differ
        expected = {
            "ref_output": outputs[:, 0, :, t].mean(),
            "alt_output": outputs[:, 1, :, t].mean(),
            "effect": one.mean(),
            "spread": one.std(),
            "z": one.mean() / one.std(),
        }
        found = {name: row[f"{name}_{task}"] for name in expected}
        assert found == pytest.approx(expected, rel=1e-4, abs=1e-6)
    assert row["windows"] == 2 * MAX_SHIFT + 1


def test_variants_drawn_at_random_agree_with_strings_cut_by_hand(desk):
    rng, rows = np.random.default_rng(0), []
    for _ in range(40):
        chrom = ("chr1", "chr2")[rng.integers(2)]
        count = int(rng.integers(1, 8))
        pos = int(rng.integers(1, len(GENOME[chrom]) - count + 2))
        rows.append((chrom, pos, count, "".join(rng.choice(list("ACGT"), rng.integers(1, 8)))))
    found = score(desk, *rows)
    model = Network()
    for (chrom, pos, count, alt), effect in zip(rows, found["effect_one"], strict=True):
        ref = GENOME[chrom][pos - 1 : pos - 1 + count]
        outputs = by_hand(model, chrom, pos, ref, alt)[..., 0]
        assert effect == pytest.approx((outputs[:, 1] - outputs[:, 0]).mean(), abs=1e-6)


def test_a_model_of_the_zoo_is_scored_as_it_predicts(desk):
    model = modelzoo.load("moe-arid3a-foxm1-gata3")
    row = ("chr1", 150, 1, "A" if GENOME["chr1"][149] != "A" else "C")
    (found,) = score(desk, row, model="moe-arid3a-foxm1-gata3", width=None).to_dict("records")
    outputs = by_hand(model, "chr1", 150, GENOME["chr1"][149], row[3], width=101)
    effects = (outputs[:, 1] - outputs[:, 0])[..., 0]
    assert found["effect"] == pytest.approx(effects.mean(), abs=1e-5)
    assert found["spread"] == pytest.approx(effects.std(), abs=1e-5)


def test_alleles_of_one_line_are_scored_one_by_one(desk):
    alts = [letter for letter in "ACGT" if letter != GENOME["chr1"][99]]
    together = score(desk, ("chr1", 100, 1, ",".join(alts)))
    apart = score(desk, *[("chr1", 100, 1, alt) for alt in alts], output="apart")
    pandas.testing.assert_frame_equal(together, apart)
    assert together["alt"].tolist() == alts


def test_lower_case_is_as_good_as_upper(desk):
    upper = score(desk, ("chr1", 100, 1, "G"))
    lower = score(desk, ("chr1", 100, GENOME["chr1"][99].lower(), "g"), output="lower")
    assert lower["effect_one"].tolist() == upper["effect_one"].tolist()


def test_only_windows_that_hold_a_long_allele_count(desk):
    ref = GENOME["chr1"][149]
    alt = ref + "ACGTACGTACGTACGTAC"  # 19 of 21 positions
    (row,) = score(desk, ("chr1", 150, 1, alt)).to_dict("records")
    outputs = by_hand(Network(), "chr1", 150, ref, alt)[MAX_SHIFT - 1 : MAX_SHIFT + 2]
    assert row["windows"] == 3
    assert row["effect_one"] == pytest.approx(
        (outputs[:, 1] - outputs[:, 0])[..., 0].mean(), abs=1e-5
    )


def test_what_cannot_be_scored_is_named_and_marked(desk):
    wrong = "A" if GENOME["chr1"][49] != "A" else "C"
    rows = [
        ("chr1", 20, 1, "<DEL>,G,*"),
        ("chr1", 50, wrong, "T"),
        ("chr1", 60, 1, "."),
        ("chr1", 70, 1, "]chr2:3]T"),
        ("chr1", 80, 1, "A" * 22),
        ("chr9", 5, "A", "C"),
        ("chr2", 41, "N", "C"),
        ("chr1", 90, 1, "R"),
    ]
    errors = []
    table = score(desk, *rows, reject=lambda error: errors.append(str(error)))
    assert table[["pos", "alt"]].to_numpy().tolist() == [[20, "G"]]
    words = ["written out", "deletion in another", "another REF", "no alternative", "written out"]
    words += ["does not fit", "no chromosome 'chr9'", "outside of chr2", "written out"]
    assert len(errors) == len(words)
    assert all(word in error for word, error in zip(words, errors))
    assert f"chr1:50:{wrong}>T" in errors[2] and f"has {GENOME['chr1'][49]}" in errors[2]
    with pysam.VariantFile(str(desk / "out" / "effects.vcf.gz")) as file:
        lines = list(file)
    skipped = [line.info.get("SS_skipped") for line in lines]
    assert skipped[:2] == [("symbolic", ".", "star"), ("ref_mismatch",)]
    assert skipped[2:] == [
        None,
        ("symbolic",),
        ("too_long",),
        ("chromosome",),
        ("outside",),
        ("symbolic",),
    ]
    assert [value is None for value in lines[0].info["SS_effect_one"]] == [True, False, True]
    assert "SS_effect_one" not in lines[1].info


def test_the_first_wrong_allele_is_an_error_unless_told_otherwise(desk):
    with pytest.raises(ValueError, match=r"chr1:20:.><DEL> is not written out in letters"):
        score(desk, ("chr1", 20, 1, "<DEL>"))
    assert not (desk / "out").exists()


def test_other_names_of_chromosomes_are_one_error(desk):
    with pytest.raises(LookupError, match="got '1' for its 'chr1'; rename the chromosomes"):
        score(desk, ("1", 20, "A", "C"), reject=lambda error: None)


def test_the_table_the_parquet_file_and_the_vcf_file_say_the_same(desk):
    table = score(desk, KINDS["SNV"], KINDS["deletion"], tasks=["two"])
    pandas.testing.assert_frame_equal(pandas.read_parquet(desk / "out" / "effects.parquet"), table)
    tsv = pandas.read_csv(desk / "out" / "effects.tsv", sep="\t")
    pandas.testing.assert_frame_equal(tsv, table, rtol=1e-5)
    with pysam.VariantFile(str(desk / "out" / "effects.vcf.gz")) as file:
        infos = [line.info for line in file]
    for name in ("effect", "spread", "z"):
        assert [i[f"SS_{name}"][0] for i in infos] == pytest.approx(table[name].tolist(), rel=1e-5)
    assert [i["SS_windows"] for i in infos] == [(7,), (7,)]


@pytest.mark.skipif(shutil.which("bcftools") is None, reason="needs bcftools")
def test_bcftools_finds_strong_effects(desk):
    table = score(desk, *KINDS.values())
    sizes = table["effect_one"].abs()
    strong = table["pos"][sizes > sizes.median()].tolist()
    command = ["bcftools", "query", "-f", "%POS\n", "-i", f"abs(SS_effect_one)>{sizes.median()}"]
    done = subprocess.run(
        [*command, desk / "out" / "effects.vcf.gz"], capture_output=True, text=True
    )
    assert done.stderr == "" and len(strong) == len(KINDS) // 2
    assert list(map(int, done.stdout.split())) == strong


def test_gzipped_and_bgzipped_files_give_the_same(desk):
    expected = score(desk, *KINDS.values())
    plain = desk / "calls.vcf"
    (desk / "gz.vcf.gz").write_bytes(gzip.compress(plain.read_bytes()))
    pysam.tabix_compress(str(plain), str(desk / "bgz.vcf.gz"))
    for name in ("gz", "bgz"):
        options = {"genome": desk / "genome.fa", "width": WIDTH, "max_shift": MAX_SHIFT}
        found = modelzoo.variants(Network(), desk / f"{name}.vcf.gz", desk / name, **options)
        pandas.testing.assert_frame_equal(found, expected)


def test_z_is_empty_where_all_windows_agree(desk):
    (row,) = score(desk, KINDS["SNV"], model=Symmetric(), max_shift=0).to_dict("records")
    assert row["effect_one"] != 0 and row["spread_one"] < 1e-6 and np.isnan(row["z_one"])
    assert b"SS_z_one=.;" in gzip.decompress((desk / "out" / "effects.vcf.gz").read_bytes())


def test_outputs_that_are_no_numbers_are_left_out(desk):
    class Broken(Network):  # where an A or, on the other strand, a T is in the middle
        def forward(self, x):
            return super().forward(x) / (1 - x[:, :1, WIDTH // 2].gt(0.5).float())

    errors = []
    assert GENOME["chr1"][99] == "C"
    options = {"model": Broken(), "max_shift": 0}
    table = score(
        desk, ("chr1", 100, 1, "A,G,T"), reject=lambda error: errors.append(str(error)), **options
    )
    assert table["alt"].tolist() == ["G"]
    assert [error.split()[0] for error in errors] == ["chr1:100:C>A", "chr1:100:C>T"]
    assert all("not finite numbers" in error for error in errors)
    with pysam.VariantFile(str(desk / "out" / "effects.vcf.gz")) as file:
        assert next(file).info["SS_skipped"] == ("not_finite", ".", "not_finite")


def test_an_empty_file_gives_empty_tables(desk):
    table = score(desk)
    assert len(table) == 0 and "effect_one" in table
    assert len(list(pysam.VariantFile(str(desk / "out" / "effects.vcf.gz")))) == 0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"width": None}, "width: expected 1 or more for this model, which does not tell its own"),
        ({"width": 0}, "width: expected 1 or more, got 0"),
        ({"max_shift": -1}, "max_shift: expected 0 or more, got -1"),
        ({"tasks": []}, "tasks: expected one at least"),
        ({"tasks": ["three"]}, "task: expected one of one, two, got 'three'"),
        ({"tasks": ["one", "0"]}, "tasks: expected each once"),
    ],
)
def test_wrong_arguments_are_refused_before_anything_is_written(desk, options, message):
    with pytest.raises(ValueError, match=message):
        score(desk, KINDS["SNV"], **options)
    assert not (desk / "out").exists()


def test_a_genome_that_is_not_there_is_named(desk):
    with pytest.raises(FileNotFoundError, match=r"genome: no such file: .*none\.fa"):
        score(desk, KINDS["SNV"], genome=desk / "none.fa")


def test_the_folder_of_another_run_is_refused_and_can_be_overwritten(desk):
    score(desk, KINDS["SNV"])
    with pytest.raises(ValueError, match=r"of another run \(max_shift differ"):
        score(desk, KINDS["SNV"], max_shift=2)
    (desk / "out" / "cells" / "000001").touch()
    (row,) = score(desk, KINDS["SNV"], max_shift=2, overwrite=True).to_dict("records")
    assert row["windows"] == 5
    assert [path.name for path in (desk / "out" / "cells").iterdir()] == ["000000"]


def test_files_of_no_run_are_kept(desk):
    (desk / "out").mkdir()
    (desk / "out" / "effects.tsv").write_text("mine")
    with pytest.raises(ValueError, match=r"effects\.tsv is of no run"):
        score(desk, KINDS["SNV"])
    assert (desk / "out" / "effects.tsv").read_text() == "mine"


@pytest.mark.slow
def test_processes_give_the_same_bytes_as_this_one(desk, monkeypatch):
    monkeypatch.setattr("modelzoo.apply.variant_run.PART", 2 * 107)
    path = support.vcf(desk, *KINDS.values())
    for processes in (1, 2):
        modelzoo.variants(
            "moe-arid3a-foxm1-gata3",
            path,
            desk / str(processes),
            genome=desk / "genome.fa",
            max_shift=MAX_SHIFT,
            where=Where(workers=processes),
        )
    assert made(desk / "1") == made(desk / "2")


def test_the_run_says_what_it_is(desk):
    score(desk, KINDS["SNV"], about={"model": "mine"})
    about = json.loads((desk / "out" / "variants.json").read_text())
    assert about["strands"] == 2 and about["width"] == WIDTH and about["tasks"] == ["one", "two"]
    from pyarrow import parquet

    kept = parquet.read_schema(desk / "out" / "effects.parquet").metadata
    assert kept[b"model"] == b"mine" and kept[b"max_shift"] == b"3"


def test_the_model_is_left_as_it_was(desk):
    model = Network().requires_grad_(True)
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    score(desk, KINDS["SNV"], model=model)
    assert all(torch.equal(before[name], tensor) for name, tensor in model.state_dict().items())
    assert all(
        p.requires_grad and p.grad is None and p.dtype == torch.float32 for p in model.parameters()
    )


def test_the_input_is_never_an_output(desk):
    score(desk, KINDS["SNV"])
    path = desk / "out" / "effects.vcf.gz"
    before = path.read_bytes()
    options = {"genome": desk / "genome.fa", "width": WIDTH, "overwrite": True}
    with pytest.raises(ValueError, match="output: expected another folder"):
        modelzoo.variants(Network(), path, desk / "out", **options)
    assert path.read_bytes() == before
    again = modelzoo.variants(Network(), path, desk / "again", **options)
    assert len(again) == 1
