import gzip
import hashlib
import os
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from types import SimpleNamespace
from urllib.parse import unquote

import numpy as np
import pytest

from modelzoo.datasets import chipseq


def test_there_are_thirteen_sets_to_train_on_with_a_test_set_each_and_six_others():
    factors = ["ARID3A", "FOXM1", "GATA3", "ARID3A-K562", "CTCFL", "ELK1", "FOXA1", "GABPA", "MYC"]
    factors += ["REST", "SP1", "USF1", "ZBTB7A"]
    assert list(chipseq.sets("train")) == list(chipseq.sets("test")) == factors
    assert tuple(chipseq.sets("ood")) == chipseq.OOD_FACTORS
    assert "K562_ARID3A" in chipseq.sets("test")["ARID3A-K562"]
    assert "HepG2_ARID3A" in chipseq.sets("train")["ARID3A"]


def test_a_set_takes_its_files_in_the_table_alone(monkeypatch):
    monkeypatch.setitem(chipseq.SHA256, "ood/CTCF_K562_x_B.seq.gz", "0" * 64)
    assert chipseq.sets("ood")["CTCF-K562"] == "ood/CTCF_K562_x_B.seq.gz"


def test_an_unknown_set_is_refused_with_the_known_ones():
    with pytest.raises(ValueError, match=r"train/GATA3.*ood/BCLAF1.*; got ood/GATA3"):
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
    state.status = state.pause = None
    state.endless, state.sent = False, 0

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            requests.append(unquote(self.path))
            ranges.append(self.headers["Range"])
            body, start = files[requests[-1]], 0
            if ranges[-1] and not state.whole:
                start = int(ranges[-1].removeprefix("bytes=").removesuffix("-"))
                if start >= len(body):
                    return self.send_error(416)
            self.send_response(state.status or (206 if start else 200))
            if state.pause is None and not state.endless:
                self.send_header("Content-Length", str(len(body) - start))
            self.end_headers()
            try:
                while state.endless:
                    state.sent += self.wfile.write(body)
                for byte in body if state.pause else b"":
                    self.wfile.write(bytes([byte]))
                    time.sleep(state.pause)
            except OSError:
                return  # the client has left
            self.wfile.write(body[start:][: state.cut])

        def log_message(self, *args):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http:
        Thread(target=http.serve_forever, daemon=True).start()
        monkeypatch.delenv("MODELZOO_DATA_DIR", raising=False)
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
        home = f"http://127.0.0.1:{http.server_port}/"
        monkeypatch.setattr(chipseq, "HOMES", {"deepbind/": f"{home}flat/", "": home})
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


def test_the_second_home_keeps_its_files_in_one_folder(monkeypatch, small_file, server):
    _, content = small_file
    name = "deepbind/train/TOY2_(y).seq.gz"
    monkeypatch.setitem(chipseq.SHA256, name, hashlib.sha256(content).hexdigest())
    server.files["/flat/TOY2_(y).seq.gz"] = content
    path = chipseq.file("train", "TOY2")
    assert path.read_bytes() == content and path.parts[-3:] == tuple(Path(name).parts)


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
    assert server.ranges == [None, "bytes=9000-"]
    assert {p.name for p in path.parent.iterdir()} <= {path.name, f"{path.name}.lock"}


def test_a_beginning_of_another_file_is_dropped(small_file, server):
    name, content = small_file
    server.files[f"/{name}"], server.cut = content * 3, 2 * len(content)
    with pytest.raises(OSError, match="could not be fetched"):
        chipseq.file("train", "TOY")
    server.files[f"/{name}"], server.cut = content, None
    assert chipseq.file("train", "TOY").read_bytes() == content
    assert server.ranges == [None, f"bytes={2 * len(content)}-", None]


def test_a_file_without_an_end_is_left(small_file, server, tmp_path):
    name, content = small_file
    server.files[f"/{name}"], server.endless = content, True
    with pytest.raises(OSError, match=f"expected at most {chipseq.LIMIT} bytes, got more"):
        chipseq.file("train", "TOY")
    assert server.sent < 4 * chipseq.LIMIT
    assert all(path.stat().st_size == 0 for path in tmp_path.rglob("TOY*"))


@pytest.mark.parametrize(("pause", "limits"), [(0.02, {"SECONDS": 0.5}), (2, {"IDLE": 0.3})])
def test_a_server_that_is_slow_or_silent_is_left(small_file, server, monkeypatch, pause, limits):
    name, content = small_file
    server.files[f"/{name}"], server.pause = content, pause
    for limit, seconds in limits.items():
        monkeypatch.setattr(chipseq, limit, seconds)
    started = time.monotonic()
    with pytest.raises(OSError, match=r"could not be fetched.*(took longer|timed out)"):
        chipseq.file("train", "TOY")
    assert time.monotonic() - started < 1.5


@pytest.mark.parametrize("status", [429, 503])
def test_a_busy_server_is_named_and_leaves_nothing(small_file, server, status):
    name, content = small_file
    server.files[f"/{name}"], server.status = content, status
    with pytest.raises(OSError, match=f"could not be fetched.*{status}"):
        chipseq.file("train", "TOY")
    server.status = None
    assert chipseq.file("train", "TOY").read_bytes() == content


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
    monkeypatch.setattr(chipseq, "HOMES", {"": f"http://127.0.0.1:{port}/"})
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    with pytest.raises(OSError, match=r"could not be fetched.*MODELZOO_DATA_DIR"):
        chipseq.file("train", "TOY")


@pytest.mark.data
@pytest.mark.skipif("MODELZOO_DATA_DIR" not in os.environ, reason="needs MODELZOO_DATA_DIR")
def test_every_file_is_the_published_one():
    for split in ("train", "test", "ood"):
        for name in chipseq.sets(split):
            assert chipseq.file(split, name).is_file()


def test_a_data_set_has_a_cell_line():
    assert chipseq.cell_line("ARID3A") == "HepG2"
    assert chipseq.cell_line("ARID3A-K562") == "K562"
    assert chipseq.cell_line("GATA4") is None
