"""`explain`: what is cached of the answer to a request, and why not."""

from __future__ import annotations

import asyncio
import logging
import re
from dataclasses import asdict
from itertools import groupby
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from asynccache.backends.local_cache import LocalMemCacheBackend
from asynccache.cli import target
from asynccache.cli.asking import Answer, AppError, Asked, answer, asked, running
from asynccache.cli.exits import FAILED, NO, telling
from asynccache.cli.output import complain, err, out, show, tell
from asynccache.cli.sparing import apart, apart_since_its_start, app_of
from asynccache.errors import ConfigurationError
from asynccache.http.edge.middleware import CacheMiddleware
from asynccache.http.explaining import Answered, Row, of_request, of_rules, of_testimony
from asynccache.http.explaining_answers import of_answer
from asynccache.http.profile import PROFILES, SAFE, Rules
from asynccache.http.requests import Request
from asynccache.http.witness import Testimony, witness

if TYPE_CHECKING:
    from collections.abc import Sequence

_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
_HIT = re.compile(rb'(?:"[^"]*"|[^;,]+); *hit')
_WIDE = 160
_MARKS = {True: "[green]+[/]", False: "[red]-[/]", None: " "}


def explain(
    url: Annotated[str, typer.Argument(help="Such as https://shop.example/products?page=2, or a path.")],
    app: Annotated[str, typer.Option("--app", "-a", help="module:app, or module:create_app().")],
    method: Annotated[str, typer.Option("--method", "-X", help="Of the request.")] = "GET",
    headers: Annotated[list[str] | None, typer.Option("--header", "-H", help="'Name: value'; repeat it.")] = None,
    profile: Annotated[
        str | None,
        typer.Option("--profile", "-p", help="As if a CacheMiddleware of this profile stood before it: safe, rfc9111."),
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Send a request that may change something.")] = False,
    as_json: target.AsJson = False,
) -> None:
    """Tell what is cached of the answer to a request, why not, and the rule that says so; exit code 1 if nothing is.

    The app is started here and asked twice; its handlers do all that they do, so what is not GET, HEAD or OPTIONS needs
    --yes, and is sent once. Its stores are spared: meanwhile all its caches keep their entries in fresh local memory.

    Example:  python -m asynccache explain '/products?page=2' --app shop:app -H 'Accept-Language: de'
    """
    logging.getLogger("asynccache").addHandler(logging.NullHandler())  # what it says is in the table
    with telling():
        request = asked(method, url, headers or [])
        if request.method not in _SAFE_METHODS and not yes:
            raise ConfigurationError(
                f"{request.method} may change something, and the app is real: give --yes to send it"
            )
        answers, told = _looked(app_of(app), profile, request)
    rows = _rows(request, told, answers)
    is_cached = len(answers) > 1 and _is_hit(answers[1])
    verdict = (
        "cached: asked again, it came from the store" if is_cached else f"not cached: {_why(rows, answers, profile)}"
    )
    if as_json:
        show(_as_data(request, rows, answers, verdict, is_cached=is_cached), as_json=True)
    else:
        (out if out.is_terminal else Console(width=_WIDE)).print(_table(rows))
        tell(verdict)
    if answers[0].status == 0:
        raise typer.Exit(FAILED)
    if not is_cached:
        raise typer.Exit(NO)


def _looked(app: Any, profile: str | None, request: Asked) -> tuple[list[Answer], Testimony | None]:
    """Ask the app, as it is or behind a `CacheMiddleware` of this profile."""
    asgi = app if profile is None else CacheMiddleware(app, LocalMemCacheBackend(), profile=profile)
    try:
        with err.status("asking the app"), apart(asgi):
            return asyncio.run(_asked(asgi, request))
    except AppError as failure:
        complain(str(failure))
        raise typer.Exit(FAILED) from failure


async def _asked(app: Any, request: Asked) -> tuple[list[Answer], Testimony | None]:
    told: list[Testimony] = []
    witness.set(told)
    async with running(app) as state, apart_since_its_start():
        answers = [await answer(app, request, state)]
        decided = told[-1] if told else None
        if request.method in _SAFE_METHODS and answers[0].status:
            answers.append(await answer(app, request, state))
    return answers, decided


def _rows(request: Asked, told: Testimony | None, answers: Sequence[Answer]) -> list[Row]:
    """Tell what is in the request and in the answer, what each cache makes of them, and what became of it here."""
    seen, first = Request(request.method, request.headers, request.url), answers[0]
    rows = list(of_request(seen))
    if first.status:
        answered = Answered(first.status, first.headers, first.came_at, first.asked_at)
        rows += of_answer(seen, answered, Rules(SAFE))
        rows += of_testimony(told) if told is not None else ()
        for profile in PROFILES.values():
            rows += of_rules(seen, answered, Rules(profile))
    return [*rows, *map(_of_asking, ("first", "again"), answers)]


def _of_asking(which: str, found: Answer) -> Row:
    """Tell what the app as it is made of it."""
    told = b", ".join(value for name, value in found.headers if name == b"cache-status").decode("latin-1")
    age = next((f", Age: {value.decode('latin-1')}" for name, value in found.headers if name == b"age"), "")
    failed = f", and it raised {type(found.raised).__name__}: {found.raised}" if found.raised is not None else ""
    took = f"{found.status or 'no answer'} in {1000 * found.seconds:.1f} ms, {len(found.body)} bytes{age}{failed}"
    return Row("what became of it", which, took, told or "no cache has spoken", "RFC 9211", _is_hit(found) or None)


def _is_hit(found: Answer) -> bool:
    """Tell whether a cache of ours gave the answer; the one that stands outermost has spoken last."""
    lines = [value for name, value in found.headers if name == b"cache-status"]
    return bool(lines) and (
        _HIT.match(lines[-1]) is not None or any(one.startswith(b"asynccache; hit") for one in lines)
    )


def _why(rows: Sequence[Row], answers: Sequence[Answer], profile: str | None) -> str:
    """Say why the second answer is no hit: what stands in its way, not what would if other caches were there."""
    if answers[0].status == 0:
        return "the app gave no answer"
    if len(answers) == 1:
        return "it was asked once"
    if not any(name == b"cache-status" for name, _ in answers[1].headers):
        return "no @Cache is on its handler, no CacheMiddleware before the app; --profile tries one"
    deciding = {"@Cache", f"CacheMiddleware, {profile}"}
    reasons = [row.means for row in rows if row.about in deciding and row.what == "stored" and row.speaks is False]
    return reasons[0] if reasons else "asked again, the app made it anew"


def _as_data(
    request: Asked, rows: Sequence[Row], answers: Sequence[Answer], verdict: str, *, is_cached: bool
) -> dict[str, Any]:
    return {
        "method": request.method,
        "url": request.url,
        "cached": is_cached,
        "verdict": verdict,
        "statuses": [found.status for found in answers],
        "rows": [asdict(row) for row in rows],
    }


def _table(rows: Sequence[Row]) -> Table:
    table = Table.grid(padding=(0, 2, 0, 0))
    for _ in range(5):
        table.add_column(overflow="fold")
    for about, some in groupby(rows, key=lambda row: row.about):
        table.add_row()
        table.add_row("", f"[bold]{escape(about)}[/]")
        for row in some:
            told = map(escape, (row.what, row.found, row.means))
            table.add_row(_MARKS[row.speaks], *told, f"[dim]{escape(row.rule)}[/]")
    return table
