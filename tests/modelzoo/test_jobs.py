"""A run in parts gives the bytes of one process, whatever happened to it on the way."""

import json
import os
from dataclasses import replace
from functools import partial

import pytest

from modelzoo.jobs import NOTE, Job, Where, commands
from modelzoo.workers import ATTEMPTS
from tests.support.work import failing, noted, squared

ONE = Where(workers=1)


def works(folder, count=5):
    return [partial(noted, folder, number) for number in range(count)]


def merged(output, some, where=ONE, key="k", **options):
    """Write the contents, joined; return whether there was anything to write."""
    with Job(output, where) as job:
        contents = job.contents(some, key, progress=False, **options)
        if contents is None:
            return False
        output.write_bytes(b" ".join(contents))
    return True


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def done(folder):
    return sorted(int(line.split()[0]) for line in (folder / "log").read_text().splitlines())


def test_the_contents_are_merged_in_order_and_the_parts_removed(tmp_path):
    assert merged(tmp_path / "out", works(tmp_path))
    assert (tmp_path / "out").read_bytes() == b"0 1 4 9 16"
    assert names(tmp_path) == ["log", "out"]


def test_jobs_do_their_shares_and_a_merge_does_nothing_else(tmp_path):
    for number in (2, 3, 1, 3):
        assert not merged(tmp_path / "out", works(tmp_path), replace(ONE, part=(number, 3)))
    assert done(tmp_path) == [0, 1, 2, 3, 4]
    assert merged(tmp_path / "out", [None] * 5, replace(ONE, only_merge=True))
    assert (tmp_path / "out").read_bytes() == b"0 1 4 9 16"


def test_a_merge_with_a_part_missing_is_refused_and_keeps_the_others(tmp_path):
    merged(tmp_path / "out", works(tmp_path), replace(ONE, part=(1, 2)))
    with pytest.raises(RuntimeError, match=r"000001.part: expected a whole part; 2 of 5 are miss"):
        merged(tmp_path / "out", works(tmp_path), replace(ONE, only_merge=True))
    assert merged(tmp_path / "out", works(tmp_path))
    assert done(tmp_path) == [0, 1, 2, 3, 4]


def test_what_a_run_that_failed_has_done_is_not_done_again(tmp_path):
    some = [*works(tmp_path, 3), partial(failing, 3)]
    with pytest.raises(ArithmeticError):
        merged(tmp_path / "out", some)
    assert names(tmp_path) == ["log", "out.parts"]
    assert merged(tmp_path / "out", works(tmp_path, 4))
    assert done(tmp_path) == [0, 1, 2, 3]


def test_a_run_that_did_nothing_leaves_nothing(tmp_path):
    with pytest.raises(ArithmeticError):
        merged(tmp_path / "out", [partial(failing, 0)])
    assert names(tmp_path) == []


def test_parts_of_another_run_are_not_taken(tmp_path):
    merged(tmp_path / "out", works(tmp_path), replace(ONE, part=(1, 1)), key="old")
    assert merged(tmp_path / "out", works(tmp_path), key="new")
    assert len(done(tmp_path)) == 10


def test_parts_of_another_split_are_not_taken(tmp_path):
    merged(tmp_path / "out", works(tmp_path), replace(ONE, part=(1, 1)))
    assert merged(tmp_path / "out", works(tmp_path, 4))
    assert (tmp_path / "out").read_bytes() == b"0 1 4 9"
    assert len(done(tmp_path)) == 9


def test_first_parts_that_are_not_needed_are_not_done(tmp_path):
    merged(tmp_path / "out", works(tmp_path), skip=3)
    assert done(tmp_path) == [3, 4]
    assert (tmp_path / "out").read_bytes() == b"9 16"


def test_a_part_cut_in_half_is_done_again(tmp_path):
    merged(tmp_path / "out", works(tmp_path), replace(ONE, part=(1, 1)))
    part = tmp_path / "out.parts" / "000002.part"
    part.write_bytes(part.read_bytes()[: part.stat().st_size // 2])
    assert merged(tmp_path / "out", works(tmp_path))
    assert done(tmp_path) == [0, 1, 2, 2, 3, 4]
    assert (tmp_path / "out").read_bytes() == b"0 1 4 9 16"


def test_a_clock_that_was_set_back_changes_nothing(tmp_path):
    merged(tmp_path / "out", works(tmp_path), replace(ONE, part=(1, 2)))
    for part, time in zip((tmp_path / "out.parts").glob("*.part"), (0, 2**32, 1)):
        os.utime(part, (time, time))
    assert merged(tmp_path / "out", works(tmp_path))
    assert done(tmp_path) == [0, 1, 2, 3, 4]


def test_the_second_driver_says_so_and_leaves_and_the_first_goes_on(tmp_path):
    with Job(tmp_path / "out", ONE) as job:
        contents = job.contents(works(tmp_path), "k", progress=False)
        with pytest.raises(RuntimeError, match=r"out.parts: another run is at work there"):
            merged(tmp_path / "out", works(tmp_path))
        assert b" ".join(contents) == b"0 1 4 9 16"
    assert names(tmp_path) == ["log"]


def test_a_full_disk_leaves_no_half_file_and_keeps_what_is_done(tmp_path, monkeypatch):
    whole = os.fsync

    def full(file):
        if done(tmp_path)[-1] == 2:
            raise OSError(28, "No space left on device")
        whole(file)

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        merged(tmp_path / "out", works(tmp_path))
    monkeypatch.undo()
    kept = names(tmp_path / "out.parts")
    assert kept == [".lock", "000000.part", "000001.part"]
    assert merged(tmp_path / "out", works(tmp_path))
    assert (tmp_path / "out").read_bytes() == b"0 1 4 9 16"


def test_the_command_is_noted_for_a_merge(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    where = replace(ONE, part=(1, 2), command=("predict", "a.fa"))
    merged(tmp_path / "out", works(tmp_path), where)
    assert commands("out") == [(tmp_path, ["predict", "a.fa"])]
    assert json.loads((tmp_path / "out.parts" / NOTE).read_text())["folder"] == str(tmp_path)
    merged(tmp_path / "out", works(tmp_path), replace(ONE, command=where.command))
    assert commands("out") == []


def test_several_outputs_of_one_command_are_one_command(tmp_path):
    where = replace(ONE, part=(1, 1), command=("predict", "a.fa", "b.fa"))
    (tmp_path / "tables").mkdir()
    for name in ("a.tsv", "b.tsv"):
        merged(tmp_path / "tables" / name, works(tmp_path), where)
    assert commands(tmp_path / "tables") == [
        (commands(tmp_path / "tables" / "a.tsv")[0][0], ["predict", "a.fa", "b.fa"])
    ]


@pytest.mark.parametrize(
    ("where", "asked"),
    [
        (Where(), False),
        (Where(workers=1), False),
        (Where(workers=2), True),
        (Where(gpus=1), True),
        (Where(part=(1, 1)), True),
        (Where(timeout=1), True),
        (Where(engine=lambda parts: parts), True),
        (Where(only_merge=True), True),
    ],
)
def test_parts_are_asked_for_where_one_process_is_not_enough(where, asked):
    assert where.asked == asked


def test_the_parts_go_to_the_engine(tmp_path):
    given = []

    def engine(parts):
        for part in parts:
            given.append(part.path.name)
            part.do()
            yield part

    assert merged(tmp_path / "out", works(tmp_path, 2), Where(engine=engine))
    assert given == ["000000.part", "000001.part"]


@pytest.mark.slow  # processes start
def test_a_part_that_hangs_is_begun_again_in_another_process(tmp_path):
    from tests.support.work import hanging

    some = [partial(hanging, tmp_path, number, times=1) for number in range(2)]
    assert merged(tmp_path / "out", some, Where(workers=2, timeout=5))
    assert (tmp_path / "out").read_bytes() == b" ".join(map(squared, range(2)))
    assert ATTEMPTS > 1
