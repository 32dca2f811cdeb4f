"""The lines of a text file, plain or gzipped."""

from __future__ import annotations

import gzip
import sys
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from io import BufferedReader
from pathlib import Path
from typing import IO, cast

from modelzoo.sequences.records import malformed


def lines(path: str | Path) -> Iterator[tuple[int, str]]:
    """Yield (line number from 1, text without its end) of a plain or gzipped text file."""
    line = 0
    with _open(path) as file:
        try:
            for line, raw in enumerate(file, start=1):
                yield line, raw.decode("utf-8").rstrip("\r\n")
        except UnicodeDecodeError:
            raise malformed(path, line, "expected UTF-8 text") from None
        except EOFError:
            raise malformed(path, line + 1, "the gzip file is truncated") from None
        except (gzip.BadGzipFile, zlib.error) as error:
            raise malformed(path, line + 1, f"the gzip file is damaged ({error})") from None


@contextmanager
def _open(path: str | Path) -> Iterator[IO[bytes]]:
    # by content, not by name: a browser may have unpacked a .gz, or a tool packed a plain name
    standard_input = nullcontext(cast(BufferedReader, sys.stdin.buffer))
    with standard_input if str(path) == "-" else open(path, "rb") as file:
        packed = file.peek(2)[:2] == b"\x1f\x8b"
        if packed:
            with gzip.open(file) as unpacked:
                yield cast(IO[bytes], unpacked)
        else:
            yield file
