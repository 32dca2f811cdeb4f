"""The tools that an assistant calls over MCP: predict, attribute and check."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from importlib.metadata import version
from typing import Any
from uuid import uuid4

from mcp.server.mcpserver import MCPServer
from mcp.server.mcpserver.exceptions import ToolError
from mcp.server.transport_security import TransportSecuritySettings
from starlette.applications import Starlette

from modelzoo.app.explain import (
    MUTAGENESIS,
    SHIFTED,
    Models,
    Question,
    answers,
    checked_letters,
    contributions,
    hits,
)
from modelzoo.app.jobs import BusyError, Jobs
from modelzoo.apply.check import check as checked

SEQUENCES = 100  # of one call

_INSTRUCTIONS = """\
Models of transcription-factor binding in DNA. Sequences are A, C, G, T and IUPAC letters. A logit
is the log-odds that a sequence is a ChIP-seq peak rather than a shuffle of one. Attributions say
which letters the model uses; they do not say what a cell does. Models: {models}."""


def served(models: Models, jobs: Jobs, hosts: Sequence[str] = ()) -> Starlette:
    """Return the tools as an ASGI application with one route, `/mcp`.

    Args:
        models: That a caller may choose from.
        jobs: The queue that the page uses too.
        hosts: The names that a request may call this server by; any, if there are none.
    """
    guard = TransportSecuritySettings(
        enable_dns_rebinding_protection=bool(hosts),
        allowed_hosts=[name for host in hosts for name in (host, f"{host}:*")],
        allowed_origins=[f"http://{host}:*" for host in hosts],
    )
    return server(models, jobs).streamable_http_app(
        stateless_http=True, json_response=True, transport_security=guard
    )


def server(models: Models, jobs: Jobs) -> MCPServer:
    """Return the tools as an MCP server."""
    made = MCPServer(
        "shiftsmooth",
        version=version("shiftsmooth"),
        instructions=_INSTRUCTIONS.format(models=", ".join(models.names)),
        log_level="WARNING",
    )

    async def run(work: Callable[[], Any]) -> Any:
        try:
            return await jobs.run(uuid4().hex, "tool", work)
        except ValueError as error:  # in the caller's terms; of other errors nothing is told
            raise ToolError(str(error)) from error
        except BusyError as error:
            raise ToolError("many ask at the moment; try again in a minute") from error

    @made.tool()
    async def predict(sequences: list[str], model: str = models.names[0]) -> list[dict[str, Any]]:
        """Predict how much each DNA sequence looks like a peak of a transcription factor.

        Returns one entry per sequence: what the model and, of a mixture, each expert say (a logit
        as "number", and its probability), and the mixture's gate, the weight of every expert. Up
        to 100 sequences of up to 10,000 letters.
        """
        return await run(partial(_predict, models, sequences, model))

    @made.tool()
    async def attribute(
        sequence: str, model: str = models.names[0], method: str = "shiftsmooth", max_shift: int = 5
    ) -> dict[str, Any]:
        """Tell which letters of a DNA sequence a model's prediction rests on.

        Methods: gradient, shiftsmooth (the gradient averaged over the windows up to max_shift
        positions away), shiftsmooth-ig (Integrated Gradients, averaged so) and ism (in-silico
        mutagenesis, up to 500 letters). Returns the contribution of every letter in the
        unit of the output; positive ones raise it. "hits" are JASPAR motifs that ShiftSmooth's map
        follows, with start and stop from 0, half open.
        """
        return await run(partial(_attribute, models, sequence, model, method, max_shift))

    @made.tool()
    async def check(
        model: str = models.names[0], sequences: list[str] | None = None
    ) -> dict[str, Any]:
        """Tell whether a model's gradients change when the window moves, and so need ShiftSmooth.

        Returns the verdict in words, the N that is enough, and whether ShiftSmooth is needed.
        Give sequences of one length, two or more, or none for random ones.
        """
        return await run(partial(_check, models, model, sequences))

    return made


def _predict(models: Models, sequences: list[str], model: str) -> list[dict[str, Any]]:
    if not 1 <= len(sequences) <= SEQUENCES:
        raise ValueError(f"sequences: expected 1 to {SEQUENCES}, got {len(sequences)}")
    rows = []
    for sequence in sequences:
        found, gate = answers(Question.of(models, model, sequence, max_shift=0))
        rows.append({"answers": [vars(answer) for answer in found], "gate": gate})
    return rows


def _attribute(
    models: Models, sequence: str, model: str, method: str, max_shift: int
) -> dict[str, Any]:
    known = (*SHIFTED, MUTAGENESIS)
    if method not in known:
        raise ValueError(f"method: expected one of {', '.join(known)}, got {method!r}")
    question = Question.of(models, model, sequence, max_shift=max_shift)
    maps = question.maps(method)
    return {
        "sequence": question.letters,
        "method": question.model.method(method, max_shift).title,
        "contributions": [round(x, 6) for x in contributions(maps, question.letters).tolist()],
        "hits": hits(question),
    }


def _check(models: Models, model: str, sequences: list[str] | None) -> dict[str, Any]:
    given = None if sequences is None else [checked_letters(one) for one in sequences[:SEQUENCES]]
    found, _, _ = checked(models[model].module, given)
    return {"verdict": found.verdict, "needed": found.needed, "max_shift": found.max_shift}
