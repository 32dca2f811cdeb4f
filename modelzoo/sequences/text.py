"""The lines of a text file, plain or gzipped."""

from __future__ import annotations

import gzip
import sys
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from functools import partial
from io import BufferedReader
from pathlib import Path
from typing import IO, cast

LONGEST = 1 << 24  # bytes of a line, or letters of a record: more would fill the memory


def at(path: str | Path, line: int, cause: object) -> ValueError:
    """Return the error that says in which line of a file something is wrong."""
    return ValueError(f"{path}, line {line}: {cause}")


def lines(path: str | Path, errors: str = "strict") -> Iterator[tuple[int, str]]:
    """Yield (number of the line from 1, text without its end).

    Args:
        path: The file; `-` is the standard input.
        errors: With `"surrogateescape"`, bytes that are not UTF-8 do not end the file; the text
            with them cannot be encoded.

    Raises:
        ValueError: A line is too long, is no text, or the gzip file is damaged.
    """
    line = 0
    with _open(path) as file:
        try:
            for line, raw in enumerate(iter(partial(file.readline, LONGEST + 1), b""), start=1):
                if len(raw) > LONGEST:
                    raise at(path, line, f"expected {LONGEST:,} bytes in a line at most")
                yield line, raw.decode("utf-8", errors).rstrip("\r\n")
        except UnicodeDecodeError:
            raise at(path, line, "expected UTF-8 text") from None
        except EOFError:
            raise at(path, line + 1, "the gzip file is truncated") from None
        except (gzip.BadGzipFile, zlib.error) as error:
            raise at(path, line + 1, f"the gzip file is damaged ({error})") from None


@contextmanager
def _open(path: str | Path) -> Iterator[IO[bytes]]:
    # The content tells whether a file is gzipped: a browser may have unpacked one named `.gz`.
    standard_input = nullcontext(cast(BufferedReader, sys.stdin.buffer))
    with standard_input if str(path) == "-" else open(path, "rb") as file:
        if file.peek(2)[:2] != b"\x1f\x8b":
            yield file
            return
        with gzip.open(file) as unpacked:
            yield cast(IO[bytes], unpacked)
