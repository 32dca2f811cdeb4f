import os
import subprocess
import sys
import threading
import tomllib

import pytest

from modelzoo.files import parse_toml, replacing, write_atomically, written


def test_a_write_that_fails_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "file"
    write_atomically(path, b"old")

    def fail(*arguments):
        raise OSError("killed")

    monkeypatch.setattr("os.fsync", fail)
    with pytest.raises(OSError, match="killed"):
        write_atomically(path, b"new")
    assert path.read_bytes() == b"old"


def test_a_replacement_that_fails_leaves_the_old_file_alone(tmp_path):
    path = tmp_path / "file"
    path.write_text("old")
    with pytest.raises(RuntimeError), replacing(path) as part:
        part.write_text("half")
        raise RuntimeError("killed")
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_link_is_followed_and_not_replaced(tmp_path):
    target, link = tmp_path / "there" / "file", tmp_path / "link"
    target.parent.mkdir()
    link.symlink_to(target)
    with written(link) as file:
        file.write("new")
    assert link.is_symlink()
    assert target.read_text() == "new"


def test_a_pipe_is_written_to_and_stays_a_pipe(tmp_path):
    path, found = tmp_path / "pipe", []
    os.mkfifo(path)
    reader = threading.Thread(target=lambda: found.append(path.read_text()))
    reader.start()
    with written(path) as file:
        file.write("new")
    reader.join()
    assert found == ["new"]
    assert path.is_fifo()


def test_bytes_are_copied_into_a_pipe_when_they_are_whole(tmp_path):
    path, found = tmp_path / "pipe.pdf", []
    os.mkfifo(path)
    reader = threading.Thread(target=lambda: found.append(path.read_bytes()))
    reader.start()
    with replacing(path) as part:
        assert part.suffix == ".pdf"
        part.write_bytes(b"new")
    reader.join()
    assert found == [b"new"]
    assert path.is_fifo() and list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("name", ["/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"])
def test_standard_output_by_its_name_is_appended_to_what_the_shell_opened(tmp_path, name):
    script = "import pathlib, sys; from modelzoo.files import written\n"
    script += "with written(pathlib.Path(sys.argv[1])) as file: file.write('new')"
    with open(tmp_path / "out", "w") as out:
        inode = os.fstat(out.fileno()).st_ino
        subprocess.run([sys.executable, "-c", script, name], stdout=out, check=True)
    assert (tmp_path / "out").read_text() == "new"
    assert (tmp_path / "out").stat().st_ino == inode
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_a_neighbour_with_the_name_of_a_partial_file_is_left_alone(tmp_path):
    for name in ("k.tsv.partial", "k.partial", ".k.tsv.part"):
        (tmp_path / name).write_text("mine")
    with written(tmp_path / "k.tsv") as file:
        file.write("new")
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        *(".k.tsv.part", "k.partial", "k.tsv", "k.tsv.partial")
    ]


def test_two_runs_into_one_file_leave_the_rows_of_one(tmp_path):
    """Each writes to a file of its own until that is whole."""
    with replacing(tmp_path / "out.tsv") as ours:
        ours.write_text("ours")
        script = "import sys; from pathlib import Path; from modelzoo.files import written\n"
        script += "with written(Path(sys.argv[1])) as file: file.write('theirs')"
        subprocess.run([sys.executable, "-c", script, tmp_path / "out.tsv"], check=True)
        assert (tmp_path / "out.tsv").read_text() == "theirs"
    assert (tmp_path / "out.tsv").read_text() == "ours"


def test_brackets_that_are_nested_too_deeply_are_no_toml():
    with pytest.raises(tomllib.TOMLDecodeError, match="nested too deeply"):
        parse_toml(f"a = {'[' * 100_000}")
