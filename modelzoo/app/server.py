"""The explorer's own server: three fixed files, and questions answered as JSON.

It reads no file that a visitor names and fetches nothing. Its answers to the page are text that the
page puts in as text.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Sequence
from functools import partial
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from modelzoo.app import explain, files, records
from modelzoo.app.explain import Models, Question
from modelzoo.app.jobs import BusyError, Jobs, ReplacedError
from modelzoo.reports.figures import COLOURS
from modelzoo.reports.page import THEME
from modelzoo.sequences.encoding import LETTERS
from shiftsmooth.plot import LETTER_COLORS

LOOPBACK = ("127.0.0.1", "localhost", "::1")
SHORT = 1_000  # letters: what a change of a longer sequence takes, would keep others waiting
BODY = 64_000  # bytes of a question; a file may be larger
HEADERS = {
    "Content-Security-Policy": "default-src 'self'; img-src 'self' blob: data:; base-uri 'none';"
    " form-action 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}
PAGE = {
    "/": ("page.html", "text/html"),
    "/page.css": ("page.css", "text/css"),
    "/page.js": ("page.js", "text/javascript"),
}
Answer = Callable[[Question], Any]


class TooLargeError(ValueError):
    """A body is larger than it may be."""


def application(models: Models, *, hosts: Sequence[str] = (), tools: bool = False) -> Starlette:
    """Return the page and what it asks, as an ASGI application.

    Args:
        models: That a visitor may choose from.
        hosts: The names that a request may call this server by; any, if there are none.
        tools: Whether to serve the tools of `modelzoo.app.tools` at `/mcp` too.
    """
    jobs = Jobs()
    routes: list[BaseRoute] = [Route(p, partial(_file, *file)) for p, file in PAGE.items()]
    routes.append(Route("/api/start", partial(_start, models)))
    ask = partial(_ask, models, jobs)
    made: dict[str, tuple[Answer, str]] = {
        "quick": (explain.quick, "application/json"),
        "slow": (explain.slow, "application/json"),
        "bars": (explain.bars, "application/json"),
        "python": (files.lines, "text/plain"),
        "csv": (files.table, "text/csv"),
        "svg": (lambda question: files.picture(files.logos(question), "svg"), "image/svg+xml"),
        "png": (lambda question: files.picture(files.logos(question), "png"), "image/png"),
        "shifts": (lambda question: files.picture(files.moved(question), "png"), "image/png"),
    }
    for kind, (answer, media) in made.items():
        routes.append(Route(f"/api/{kind}", partial(ask, kind, answer, media), methods=["POST"]))
    routes.append(Route("/api/edit", partial(_edit, jobs), methods=["POST"]))
    routes.append(Route("/api/fasta", partial(_fasta, models, jobs), methods=["POST"]))
    lifespan = None
    if tools:
        from modelzoo.app.tools import served

        tooled = served(models, jobs, hosts)
        routes += tooled.routes
        lifespan = tooled.router.lifespan_context
    middleware = [Middleware(_Headers)]
    if hosts:
        # A page elsewhere could otherwise reach this server under a name of its own.
        middleware.append(Middleware(TrustedHostMiddleware, allowed_hosts=list(hosts)))
    return Starlette(
        routes=routes,
        middleware=middleware,
        lifespan=lifespan,
        exception_handlers={
            ValueError: _wrong,
            TooLargeError: _wrong,
            BusyError: _busy,
            ReplacedError: _replaced,
            ClientDisconnect: _replaced,
        },
    )


def serve(
    names: Sequence[str] = (), *, host: str = "127.0.0.1", port: int = 7860, tools: bool = False
) -> None:
    """Run the explorer until it is interrupted.

    Args:
        names: Models to choose from, as `modelzoo.zoo.adapters.load_any` takes them; the catalog's
            shipped ones by default.
        host: The address to listen on; others than this machine can reach another than 127.0.0.1.
        port: Where to listen.
        tools: Whether to serve the tools for assistants too.
    """
    models = Models(names)
    for name in names or models.names[:1]:
        models[name]  # one that leads nowhere ends the command here
    hosts = LOOPBACK if host in LOOPBACK else ()
    app = application(models, hosts=hosts, tools=tools)
    uvicorn.run(app, host=host, port=port, log_level="warning", server_header=False)


class _Headers:
    """Puts the headers on every response that tell the browser how little the page needs."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def sent(message: Message) -> None:
            if message["type"] == "http.response.start":
                pairs = [(k.lower().encode(), v.encode()) for k, v in HEADERS.items()]
                message["headers"] = [*message["headers"], *pairs]
            await send(message)

        await self.app(scope, receive, sent)


async def _file(name: str, media: str, request: Request) -> Response:
    text = files.data(name)
    return Response(THEME + text if name.endswith(".css") else text, media_type=media)


async def _start(models: Models, request: Request) -> Response:
    return JSONResponse(
        {
            "models": models.names,
            "examples": explain.EXAMPLES,
            "letters": LETTERS.decode(),
            "longest": explain.LONGEST,
            "mutated": explain.MUTATED,
            "maxShift": explain.MAX_SHIFT,
            "bytes": records.BYTES,
            "colours": LETTER_COLORS,
            "bars": COLOURS,
        }
    )


async def _ask(
    models: Models, jobs: Jobs, kind: str, answer: Answer, media: str, request: Request
) -> Response:
    asked = await _json(request)

    def work() -> bytes:
        question = Question.of(
            models,
            _text(asked, "model"),
            _text(asked, "sequence"),
            _number(asked, "task"),
            _number(asked, "max_shift"),
        )
        made = answer(question)
        if isinstance(made, bytes):
            return made
        return made.encode() if isinstance(made, str) else json.dumps(made).encode()

    quick = kind == "quick" and len(_text(asked, "sequence")) <= SHORT
    content = await jobs.run(_visitor(request), kind, work, quick=quick)
    return Response(content, media_type=media)


async def _edit(jobs: Jobs, request: Request) -> Response:
    asked = await _json(request)
    text, how, seed = _text(asked, "sequence"), _text(asked, "how"), _number(asked, "seed")
    if seed < 0:
        raise ValueError(f"seed: expected 0 or more, got {seed}")
    work = partial(explain.edited, text, how, seed)
    return JSONResponse({"sequence": await jobs.run(_visitor(request), "edit", work, quick=True)})


async def _fasta(models: Models, jobs: Jobs, request: Request) -> Response:
    """Answer with a line of JSON per piece of the table, so that the first rows come at once."""
    visitor = _visitor(request)
    content = await _body(request, records.BYTES, "file")
    try:
        task, max_shift = int(request.query_params["task"]), int(request.query_params["max_shift"])
        name = request.query_params["model"]
    except (KeyError, ValueError):
        raise ValueError("file: expected a model, a task and max_shift") from None
    if not 0 <= max_shift <= explain.MAX_SHIFT:
        raise ValueError(f"max_shift: expected 0 to {explain.MAX_SHIFT}, got {max_shift}")
    found, wrong = await jobs.run(visitor, "fasta", partial(records.read, content))
    if name not in models.names:
        raise ValueError("model: expected a model of the list")

    async def lines() -> AsyncIterator[str]:
        yield json.dumps({"total": len(found), "wrong": wrong}) + "\n"
        for piece in records.pieces(found):
            try:
                work = partial(_rows, models, name, piece, task, max_shift)
                said: dict[str, Any] = {"rows": await jobs.run(visitor, "fasta", work)}
            except ValueError as error:
                said = {"wrong": [f"{record.name!r}: {error}" for record in piece]}
            except ReplacedError:
                return
            except BusyError:
                yield json.dumps({"wrong": [_BUSY]}) + "\n"
                return
            yield json.dumps(said) + "\n"

    return StreamingResponse(lines(), media_type="application/x-ndjson")


def _rows(models: Models, name: str, *rest: Any) -> list[dict[str, Any]]:
    return records.rows(models[name], *rest)


def _visitor(request: Request) -> str:
    # A page elsewhere cannot send this header without asking first, and is not allowed to.
    visitor = request.headers.get("x-visitor", "")
    if not visitor:
        raise ValueError("visitor: expected the header X-Visitor, got none")
    return visitor[:64]


async def _body(request: Request, limit: int, field: str) -> bytes:
    content = bytearray()
    async for chunk in request.stream():
        content += chunk
        if len(content) > limit:
            raise TooLargeError(f"{field}: expected {limit:,} bytes at most, got more")
    return bytes(content)


async def _json(request: Request) -> dict[str, Any]:
    try:
        asked = json.loads(await _body(request, BODY, "sequence"))
    except (json.JSONDecodeError, UnicodeDecodeError, RecursionError):
        asked = None
    if not isinstance(asked, dict):
        raise ValueError("question: expected a JSON object")
    return asked


def _text(asked: dict[str, Any], name: str) -> str:
    if not isinstance(asked.get(name), str):
        raise ValueError(f"{name}: expected text, got {type(asked.get(name)).__name__}")
    return asked[name]


def _number(asked: dict[str, Any], name: str) -> int:
    if type(asked.get(name)) is not int:
        raise ValueError(f"{name}: expected a whole number, got {type(asked.get(name)).__name__}")
    return asked[name]


_BUSY = "Many visitors ask at the moment. Please try again in a minute."


async def _wrong(request: Request, error: Exception) -> Response:
    field, _, text = str(error).partition(": ")
    status = 413 if isinstance(error, TooLargeError) else 422
    return JSONResponse({"field": field, "error": text}, status_code=status)


async def _busy(request: Request, error: Exception) -> Response:
    return JSONResponse({"field": "", "error": _BUSY}, status_code=503)


async def _replaced(request: Request, error: Exception) -> Response:
    return JSONResponse({"field": "", "error": "replaced by a newer question"}, status_code=409)
