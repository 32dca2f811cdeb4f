"""The table of several sequences: a row for each record of a FASTA file that somebody uploads."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from modelzoo.app.explain import LONGEST, MAIN, Model, Question, contributions
from modelzoo.apply.predict import predict
from modelzoo.attribution.methods import finished, raw_maps
from modelzoo.sequences import Record, one_hot, read_fasta

BYTES = 5_000_000  # of an upload
RECORDS = 1_000
PIECE = 1 << 11  # positions that are explained before somebody else's turn


def read(content: bytes) -> tuple[list[Record], list[str]]:
    """Return the records of a FASTA file, and what is wrong with those that are left out.

    Raises:
        ValueError: There is nothing to show, or too much.
    """
    if len(content) > BYTES:
        raise ValueError(f"file: expected {BYTES:,} bytes at most, got {len(content):,}")
    if content[:2] == b"\x1f\x8b":  # small here, and of any size when unpacked
        raise ValueError("file: expected text, got a compressed file; unpack it first")
    wrong: list[str] = []
    with TemporaryDirectory() as folder:
        path = Path(folder) / "file"
        path.write_bytes(content)
        try:
            found = list(read_fasta(path, reject=lambda error: wrong.append(str(error))))
        except ValueError as error:
            wrong.append(str(error))
            found = []
    said = [text.removeprefix(f"{path}, ") for text in wrong]
    records = [record for record in found if len(record.sequence) <= LONGEST]
    said += [
        f"{record.name!r} has {len(record.sequence):,} letters; expected {LONGEST:,} at most"
        for record in found
        if len(record.sequence) > LONGEST
    ]
    if not records:
        raise ValueError(f"file: {said[0] if said else 'expected FASTA records, got none'}")
    if len(records) > RECORDS:
        raise ValueError(f"file: expected {RECORDS:,} records at most, got {len(records):,}")
    return records, said


def pieces(records: Sequence[Record]) -> Iterator[list[Record]]:
    """Yield records of one length that lie side by side, as many as are explained at once."""
    piece: list[Record] = []
    for record in records:
        length = len(record.sequence)
        if piece and (len(piece[0].sequence) != length or len(piece) * length >= PIECE):
            yield piece
            piece = []
        piece.append(record)
    if piece:
        yield piece


def rows(model: Model, piece: Sequence[Record], task: int, max_shift: int) -> list[dict[str, Any]]:
    """Return the rows of a table: name, letters, output, probability and contributions.

    Args:
        model: The model.
        piece: Records of one length.
        task: The column of the model's output.
        max_shift: N, made smaller where the sequences are short.
    """
    first = piece[0].sequence
    question = Question.fitting(model, first, task, max_shift)
    method = model.method(MAIN, question.max_shift)
    x = one_hot([record.sequence for record in piece])
    explain = model.explain(MAIN, task, question.max_shift)
    maps = finished(method, raw_maps(explain, x, method.rows, 0), x, corrected=True)
    made = []
    for record, said, one in zip(piece, predict(model.module, piece), maps):
        letters = record.sequence.upper()
        made.append(
            {
                "name": record.name,
                "letters": letters,
                "number": said.logits[task],
                "probability": said.probabilities[task] if said.probabilities else None,
                "heights": contributions(one, letters).tolist(),
            }
        )
    return made
