"""What is said to Replit's key-value store: plain HTTP over a bounded number of connections of one loop.

`httpcore2` is what `httpx2` is made of. It is used without httpx2, whose log has the URL of every request: that of
this store holds a secret, which may be in no log, no repr and no error.
"""

from __future__ import annotations

import asyncio
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import SplitResult, urlsplit

from asynccache.backends.outage import RefusedError
from asynccache.errors import ConfigurationError, MissingDependencyError
from asynccache.wire.faults import BusyError

if TYPE_CHECKING:
    from asynccache.backends.outage import OutageGuard

try:
    import httpcore2
except ImportError as missing:
    raise MissingDependencyError.of("ReplitCacheBackend", "httpcore2", "replit") from missing

FILE = Path("/tmp/replitdb")  # noqa: S108  # Replit's place, not ours
VARIABLE = "REPLIT_DB_URL"
FOREIGN: tuple[type[Exception], ...] = (
    httpcore2.ConnectionNotAvailable,
    httpcore2.NetworkError,
    httpcore2.ProtocolError,
    httpcore2.TimeoutException,
)
PATIENCE = 10
"""Deadlines for which an operation waits for its turn, as long as the store answers those before it."""
_IDLE_SECONDS = 15.0
_NOT_YOU = {401, 403}
_NO_ROOM = 507
_SAID = 200


class OverloadedError(Exception):
    """The store asks to be left alone for a while, or is broken itself."""


@dataclass(frozen=True, slots=True)
class Reply:
    """A status and a body, of a request that the store has heard; `refusal` is why it did not do it."""

    status: int
    body: bytes = field(default=b"", repr=False)
    refusal: str = ""


class Place:
    """Where the store is: the URL given, else that of Replit's file, which it renews, else of the environment."""

    def __init__(self, url: str | None) -> None:
        self._given = url
        self._read_at: int | None = None
        self._parts = self._read()

    def __repr__(self) -> str:
        return f"<Place {self.name}>"

    @property
    def name(self) -> str:
        """The host and port, which are no secret."""
        return self._parts.netloc

    def url(self, path: str, query: str = "") -> httpcore2.URL:
        """Give the URL of what lies below the store's, as it is now."""
        if self._given is None and self._modified_at() != self._read_at:
            self._parts = self._read()
        parts = self._parts
        target = f"{parts.path}{path}{'?' if query else ''}{query}"
        return httpcore2.URL(scheme=parts.scheme, host=parts.hostname or "", port=parts.port, target=target)

    def hide(self, text: str) -> str:
        """Give a text without the secret."""
        secret = self._parts.path.rpartition("/")[2]
        return text.replace(secret, "***") if secret else text

    def _read(self) -> SplitResult:
        if self._given is not None:
            return _checked(self._given, "url")
        self._read_at = self._modified_at()
        if self._read_at is not None:
            return _checked(FILE.read_text(encoding="utf-8"), str(FILE))
        return _checked(os.environ.get(VARIABLE, ""), VARIABLE)

    def _modified_at(self) -> int | None:
        try:
            return FILE.stat().st_mtime_ns
        except OSError:
            return None


class ReplitClient:
    """The connections of one loop."""

    def __init__(self, place: Place, guard: OutageGuard, size: int) -> None:
        self._place = place
        self._guard = guard
        self._turns = asyncio.Semaphore(size)
        self._pool = httpcore2.AsyncConnectionPool(max_connections=size, keepalive_expiry=_IDLE_SECONDS)
        self._left: list[httpcore2.AsyncConnectionInterface] = []

    async def ask(self, tried: str, method: str, path: str, query: str = "", form: bytes | None = None) -> Reply:
        """Send a request in its turn; `BackendUnavailableError` where it is not answered in time, or not done."""
        await self._turn(tried)
        try:
            async with self._guard.attempt_in_time(tried):
                response = await self._sent(method, self._place.url(path, query), form)
                return self._judged(response, may_refuse=form is not None)
        finally:
            self._turns.release()
            if self._left:
                await self.drop_idle()

    async def aclose(self) -> None:
        """Close all connections; those that are just being made are closed when their request is over."""
        self._left = self._pool.connections
        await self._pool.aclose()

    async def drop_idle(self) -> None:
        """Close all connections that no request is using."""
        for connection in (*self._pool.connections, *self._left):
            if connection.is_idle():
                await connection.aclose()

    async def _sent(self, method: str, url: httpcore2.URL, form: bytes | None) -> httpcore2.Response:
        headers = [] if form is None else [("Content-Type", "application/x-www-form-urlencoded")]
        return await self._pool.request(method, url, headers=headers, content=form)

    def _judged(self, response: httpcore2.Response, *, may_refuse: bool) -> Reply:
        status, body = response.status, response.content
        if 200 <= status < 300 or status == 404:
            return Reply(status, body)
        said = f"{status} {self._place.hide(body[:_SAID].decode(errors='replace'))}".strip()
        if status in _NOT_YOU:
            raise RefusedError(f"{said}: is the URL the one that Replit gives now?")
        if status != _NO_ROOM and (status == 429 or not 400 <= status < 500):
            raise OverloadedError(said)
        if not may_refuse:
            raise RefusedError(said)
        return Reply(status, refusal=said)

    async def _turn(self, tried: str) -> None:
        """Wait for a place among those who are being answered; whoever called gives it back."""
        seconds = PATIENCE * self._guard.deadline
        try:
            async with asyncio.timeout(seconds):
                await self._turns.acquire()
        except TimeoutError:
            with self._guard.attempt(tried):
                raise BusyError(f"no connection became free within {seconds:g} s") from None


def _checked(url: object, source: str) -> SplitResult:
    """Take a URL apart; no error shows it."""
    parts = _taken_apart(url)
    if parts is None:
        raise ConfigurationError(
            f"ReplitCacheBackend: {source} holds no URL such as 'https://kv.replit.com/v0/...' (which is not shown, as "
            f"it would hold a secret); outside of Replit give url=, or set {VARIABLE}"
        )
    return parts


def _taken_apart(url: object) -> SplitResult | None:
    if not isinstance(url, str):
        return None
    try:
        parts = urlsplit(url.strip())
        _ = parts.port
    except ValueError:
        return None
    fit = parts.scheme in {"http", "https"} and parts.hostname and "@" not in parts.netloc
    odd = parts.query or parts.fragment or not parts.path.isascii() or " " in parts.path
    return parts._replace(path=parts.path.rstrip("/")) if fit and not odd else None
