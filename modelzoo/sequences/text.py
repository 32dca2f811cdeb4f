"""The lines of a text file, plain or gzipped."""

from __future__ import annotations

import gzip
import math
import sys
import zlib
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from io import BufferedReader, TextIOWrapper
from pathlib import Path
from typing import IO, cast

LONGEST = 1 << 22  # characters of a record
ENDLESS = 1 << 28  # characters of one that comes from a pipe, which may never end


def at(path: str | Path, line: int, cause: object) -> ValueError:
    """Return the error that says in which line of a file something is wrong."""
    return ValueError(f"{path}, line {line}: {cause}")


def whole(text: str) -> str:
    """Return a line or a record, after checking that it is not too long."""
    if len(text) > LONGEST:
        raise ValueError(f"expected at most {LONGEST:,} characters, got more in {text[:20]!r}...")
    return text


def read_at_most(path: str | Path) -> float:
    """Return how many characters of a line or record are read before it counts as endless."""
    return math.inf if Path(path).is_file() else ENDLESS


def lines(path: str | Path, errors: str = "strict") -> Iterator[tuple[int, str]]:
    """Yield (number of the line from 1, text without its end, which is LF, CR LF or CR).

    A line that is longer than `LONGEST` is cut after one letter more, so that a small file which
    unpacks to a large one takes no memory; who reads it must look at its length.

    Args:
        path: The file; `-` is the standard input.
        errors: With `"surrogateescape"`, bytes that are not UTF-8 do not end the file; the text
            with them cannot be encoded.

    Raises:
        ValueError: A line is too long, is no text, or the gzip file is damaged.
    """
    line = 0
    with _open(path) as binary:
        file = TextIOWrapper(binary, "utf-8", "surrogateescape")
        try:
            for line, text in enumerate(_cut(file, read_at_most(path)), start=1):
                if errors == "strict":
                    text.encode()
                yield line, text
        except UnicodeEncodeError:
            raise at(path, line, "expected UTF-8 text") from None
        except OverflowError:
            cause = f"expected a line to end within {ENDLESS:,} characters"
            raise at(path, line + 1, cause) from None
        except EOFError:
            raise at(path, line + 1, "the gzip file is truncated") from None
        except (gzip.BadGzipFile, zlib.error) as error:
            raise at(path, line + 1, f"the gzip file is damaged ({error})") from None
        finally:
            file.detach()  # closing it would close the standard input


def _cut(file: IO[str], most: float) -> Iterator[str]:
    while text := file.readline(LONGEST + 2):
        rest, length = text, len(text)
        while len(rest) > LONGEST + 1 and not rest.endswith("\n"):
            rest = file.readline(LONGEST + 2)
            length += len(rest)
            if length > most:
                raise OverflowError
        yield text.removesuffix("\n")[: LONGEST + 1]


@contextmanager
def _open(path: str | Path) -> Iterator[IO[bytes]]:
    # The content tells whether a file is gzipped: a browser may have unpacked one named `.gz`.
    with _standard_input() if str(path) == "-" else open(path, "rb") as file:
        if file.peek(2)[:2] != b"\x1f\x8b":
            yield file
            return
        with gzip.open(file) as unpacked:
            yield cast(IO[bytes], unpacked)


def _standard_input() -> AbstractContextManager[BufferedReader]:
    if sys.stdin is None:
        raise ValueError("path: expected a file, got -, and the standard input is closed")
    return nullcontext(cast(BufferedReader, sys.stdin.buffer))
