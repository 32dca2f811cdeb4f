"""A run over variants in parts: the same bytes in any order and after a kill."""

import gc
import hashlib
import json
import os

import pandas
import pytest

from modelzoo.apply.alleles import Allele
from modelzoo.apply.variant_run import VariantRun
from modelzoo.errors import WorkError
from modelzoo.sequences import Variant, read_vcf
from tests.support import variants as support
from tests.support.variants import KINDS, MAX_SHIFT, WIDTH, Network, made


@pytest.fixture
def desk(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    support.genome(tmp_path)
    return tmp_path


def parts(desk, monkeypatch, output, **options):
    """A run of two alleles per part."""
    monkeypatch.setattr("modelzoo.apply.variant_run.PART", 2 * (WIDTH + 2 * MAX_SHIFT))
    path = support.vcf(desk, *KINDS.values())
    options |= {"genome": desk / "genome.fa", "width": WIDTH, "max_shift": MAX_SHIFT}
    return VariantRun(options.pop("model", None) or Network(), path, desk / output, **options)


def test_parts_in_any_order_and_after_a_kill_give_the_same_bytes(desk, monkeypatch):
    run = parts(desk, monkeypatch, "once")
    assert len(run.parts) == 4
    for part in run.parts:
        part.do()
    run.merge({})
    first = parts(desk, monkeypatch, "killed")
    for part in reversed(first.parts[1:]):
        part.do()
    with pytest.raises(WorkError, match="do all of them first"):
        first.merge({})
    whole = first.parts[2].path.read_bytes()
    first.parts[2].path.write_bytes(whole[:-8])  # cut by a kill
    again = parts(desk, monkeypatch, "killed")
    assert [part.read() is not None for part in again.parts] == [False, True, False, True]
    for part in again.parts:
        if part.read() is None:
            part.do()
    again.merge({})
    assert made(desk / "once") == made(desk / "killed")


def test_parts_of_another_genome_are_not_taken(desk, monkeypatch):
    for part in parts(desk, monkeypatch, "out").parts:
        part.do()
    text = (desk / "genome.fa").read_text()
    (desk / "genome.fa").write_text(text)  # at another time
    run = parts(desk, monkeypatch, "out", overwrite=True)
    assert all(part.read() is None for part in run.parts)


def test_parts_of_other_alleles_are_not_taken(desk, monkeypatch):
    for part in parts(desk, monkeypatch, "out").parts:
        part.do()
    again = parts(desk, monkeypatch, "out")
    assert all(part.read() is not None for part in again.parts)
    monkeypatch.setattr("modelzoo.apply.variant_run.NUMBERS", 2 * (2 * MAX_SHIFT + 1))
    smaller = parts(desk, monkeypatch, "out")
    assert len(smaller.parts) == len(KINDS)
    assert all(part.read() is None for part in smaller.parts)


def test_tasks_that_would_share_a_field_are_refused_before_anything_is_scored(desk, monkeypatch):
    model = Network()
    model.tasks = ("a b", "a-b")
    with pytest.raises(ValueError, match="tasks: expected names that differ in letters and digits"):
        parts(desk, monkeypatch, "out", model=model)
    assert not (desk / "out").exists()


def test_a_damaged_description_is_that_of_another_run(desk, monkeypatch):
    run = parts(desk, monkeypatch, "out")
    path = desk / "out" / "variants.json"
    path.write_text(path.read_text()[:-9])
    with pytest.raises(ValueError, match=r"variants\.json is of another run \(variants, genome"):
        parts(desk, monkeypatch, "out")
    assert parts(desk, monkeypatch, "out", overwrite=True).about == run.about


def test_no_variant_is_kept_in_memory(desk, monkeypatch):
    run = parts(desk, monkeypatch, "out")
    for part in run.parts:
        part.do()
    assert run.merge({}) == len(KINDS)
    gc.collect()
    assert not [thing for thing in gc.get_objects() if type(thing) in (Variant, Allele)]


def test_the_checksum_is_that_of_all_lines_as_one_list(desk, monkeypatch):
    run = parts(desk, monkeypatch, "out")
    lines = json.dumps(list(read_vcf(run.vcf))).encode()
    assert run.about["variants"] == hashlib.sha256(lines).hexdigest()


def test_rows_that_are_written_in_groups_are_the_same_table(desk, monkeypatch):
    for folder, rows in (("whole", 99), ("groups", 3)):
        monkeypatch.setattr("modelzoo.apply.variant_run.ROWS", rows)
        run = parts(desk, monkeypatch, folder)
        for part in run.parts:
            part.do()
        run.merge({})
    whole, groups = (pandas.read_parquet(desk / f / "effects.parquet") for f in ("whole", "groups"))
    pandas.testing.assert_frame_equal(whole, groups)
    assert made(desk / "whole")["effects.tsv"] == made(desk / "groups")["effects.tsv"]


def test_a_vcf_file_that_changes_meanwhile_is_an_error_and_nothing_is_written(desk, monkeypatch):
    run = parts(desk, monkeypatch, "out")
    for part in run.parts:
        part.do()
    os.utime(run.vcf, (0, 0))
    with pytest.raises(WorkError, match=r"calls\.vcf: changed while its variants were scored"):
        run.merge({})
    assert not list((desk / "out").glob("effects*"))
