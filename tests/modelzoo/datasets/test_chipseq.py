import gzip
import hashlib
import os
import socket
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import pairwise
from threading import Thread
from types import SimpleNamespace
from urllib.parse import unquote

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modelzoo.datasets import chipseq
from modelzoo.datasets.peaks import read_peaks, shuffled, split_peaks, task_of
from modelzoo.sequences import encode


def dinucleotides(row):
    return Counter(pairwise(row))


codes = st.integers(2, 30).flatmap(
    lambda length: st.lists(
        st.lists(st.integers(0, 4), min_size=length, max_size=length), min_size=1, max_size=4
    ).map(lambda rows: np.array(rows, dtype=np.uint8))
)


@settings(deadline=None)
@given(codes, st.integers(0, 2**40))
def test_shuffles_keep_every_dinucleotide_and_the_ends(rows, seed):
    shuffles = shuffled(rows, seed)
    assert shuffles.dtype == np.uint8 and shuffles.shape == rows.shape
    for row, shuffle in zip(rows.tolist(), shuffles.tolist()):
        assert dinucleotides(shuffle) == dinucleotides(row)
        assert (shuffle[0], shuffle[-1]) == (row[0], row[-1])


def test_shuffles_follow_from_the_seed_and_differ_between_epochs():
    rows = np.random.default_rng(0).integers(0, 4, (20, 101), dtype=np.uint8)
    first, again, second = (shuffled(rows, (7, epoch)) for epoch in (0, 0, 1))
    assert np.array_equal(first, again)
    assert not (first == second).all(axis=1).any()
    assert not (first == rows).all(axis=1).any()


def test_a_tenth_is_held_out_and_nothing_is_lost():
    rows = np.random.default_rng(0).integers(0, 4, (5000, 101), dtype=np.uint8)
    train, held_out = split_peaks(rows)
    assert 0.08 < len(held_out) / len(rows) < 0.12
    assert sorted(map(bytes, [*train, *held_out])) == sorted(map(bytes, rows))


def test_a_sequence_and_its_other_strand_fall_on_one_side_wherever_they_occur():
    rows = np.random.default_rng(1).integers(0, 4, (500, 31), dtype=np.uint8)
    _, held_out = split_peaks(rows)
    _, other_strand = split_peaks(3 - rows[::-1, ::-1])
    assert len(held_out) > 0
    assert set(map(bytes, held_out)) == set(map(bytes, (3 - other_strand[:, ::-1])))


def test_peaks_of_a_users_own_file_leave_negatives_out(tmp_path):
    path = tmp_path / "mine.seq"
    path.write_text("FoldID\tEventID\tseq\tBound\nA\ta\tACGT\t1\nA\tb\tCCCC\t0\n")
    assert np.array_equal(read_peaks(path), encode(["ACGT"]))
    assert task_of(path) == "mine" and task_of("GATA3") == "GATA3"


def test_a_source_that_is_neither_factor_nor_file_is_refused():
    with pytest.raises(ValueError, match=r"source: expected one of .*GATA3.* got GATA4"):
        read_peaks("GATA4")


def test_a_file_without_peaks_is_refused(tmp_path):
    path = tmp_path / "mine.seq"
    path.write_text("FoldID\tEventID\tseq\tBound\n")
    with pytest.raises(ValueError, match=r"mine\.seq: expected at least one peak, got none"):
        read_peaks(path)


def test_an_unknown_set_is_refused_with_the_known_ones():
    with pytest.raises(ValueError, match=r"ood/BCLAF1.*train/GATA3; got ood/GATA3"):
        chipseq.file("ood", "GATA3")


@pytest.fixture
def small_file(monkeypatch):
    """`train/TOY` stands in the table, as a file of some peaks; returns its name and bytes."""
    name = "train/TOY_(x).seq.gz"
    rows = np.random.default_rng(0).choice(list("ACGT"), (200, 200))
    text = "".join(f"A\t{i}\t{''.join(row)}\t1\n" for i, row in enumerate(rows))
    content = gzip.compress(f"FoldID\tEventID\tseq\tBound\n{text}".encode(), mtime=0)
    monkeypatch.setitem(chipseq.SHA256, name, hashlib.sha256(content).hexdigest())
    return name, content


@pytest.fixture
def server(monkeypatch, tmp_path):
    """Serves `files` by path in the place of the files' home, with an empty cache here.

    `ranges` are the Range headers that came; `cut`, unless None, how much of a body is sent before
    the connection breaks; `whole`: ranges are not understood, as with some mirrors.
    """
    files, requests, ranges = {}, [], []
    state = SimpleNamespace(files=files, requests=requests, ranges=ranges, cut=None, whole=False)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            requests.append(unquote(self.path))
            ranges.append(self.headers["Range"])
            body, start = files[requests[-1]], 0
            if ranges[-1] and not state.whole:
                start = int(ranges[-1].removeprefix("bytes=").removesuffix("-"))
                if start >= len(body):
                    return self.send_error(416)
            self.send_response(206 if start else 200)
            self.send_header("Content-Length", str(len(body) - start))
            self.end_headers()
            self.wfile.write(body[start:][: state.cut])

        def log_message(self, *args):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http:
        Thread(target=http.serve_forever, daemon=True).start()
        monkeypatch.delenv("MODELZOO_DATA_DIR", raising=False)
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
        monkeypatch.setattr(chipseq, "URL", f"http://127.0.0.1:{http.server_port}/")
        yield state
        http.shutdown()


def test_files_of_a_folder_are_checked(monkeypatch, tmp_path, small_file):
    name, content = small_file
    monkeypatch.setenv("MODELZOO_DATA_DIR", str(tmp_path))
    with pytest.raises(FileNotFoundError, match=r"MODELZOO_DATA_DIR: expected the file .*TOY"):
        chipseq.file("train", "TOY")
    path = tmp_path / name
    path.parent.mkdir()
    path.write_bytes(content + b"x")
    with pytest.raises(ValueError, match="expected sha256"):
        chipseq.file("train", "TOY")
    path.write_bytes(content)
    assert chipseq.file("train", "TOY") == path


def test_files_are_fetched_once_and_checked(small_file, server):
    name, content = small_file
    server.files[f"/{name}"] = content + b"x"
    with pytest.raises(ValueError, match="hash"):
        chipseq.file("train", "TOY")
    server.files[f"/{name}"] = content
    for _ in range(2):
        assert chipseq.file("train", "TOY").read_bytes() == content
    assert server.requests == [f"/{name}"] * 2  # the refused bytes, then the good ones


@pytest.mark.parametrize("whole", [False, True], ids=["ranges", "no ranges"])
def test_a_cut_fetch_goes_on_where_it_was(small_file, server, whole):
    name, content = small_file
    server.files[f"/{name}"] = content
    server.cut = 9000
    with pytest.raises(OSError, match="could not be fetched"):
        chipseq.file("train", "TOY")
    server.cut, server.whole = None, whole
    path = chipseq.file("train", "TOY")
    assert path.read_bytes() == content
    assert server.ranges == [None, "bytes=8192-"]
    assert {p.name for p in path.parent.iterdir()} <= {path.name, f"{path.name}.lock"}


def test_a_beginning_of_another_file_is_dropped(small_file, server):
    name, content = small_file
    server.files[f"/{name}"], server.cut = content * 3, 2 * len(content)
    with pytest.raises(OSError, match="could not be fetched"):
        chipseq.file("train", "TOY")
    server.files[f"/{name}"], server.cut = content, None
    assert chipseq.file("train", "TOY").read_bytes() == content
    assert server.ranges == [None, f"bytes={2 * len(content) // 4096 * 4096}-", None]


def test_two_at_once_fetch_once(small_file, server):
    name, content = small_file
    server.files[f"/{name}"] = content
    with ThreadPoolExecutor(4) as pool:
        paths = list(pool.map(lambda _: chipseq.file("train", "TOY"), range(4)))
    assert paths[0].read_bytes() == content and len(set(paths)) == 1
    assert len(server.requests) == 1


def test_offline_the_error_says_what_to_do(monkeypatch, tmp_path, small_file):
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
    monkeypatch.delenv("MODELZOO_DATA_DIR", raising=False)
    monkeypatch.setattr(chipseq, "URL", f"http://127.0.0.1:{port}/")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    with pytest.raises(OSError, match=r"could not be fetched.*MODELZOO_DATA_DIR"):
        chipseq.file("train", "TOY")


@pytest.mark.data
@pytest.mark.skipif("MODELZOO_DATA_DIR" not in os.environ, reason="needs MODELZOO_DATA_DIR")
def test_the_papers_training_files_hold_what_they_should():
    sizes = {factor: len(read_peaks(factor)) for factor in chipseq.FACTORS}
    assert sizes == {"ARID3A": 17122, "FOXM1": 22426, "GATA3": 15379}
