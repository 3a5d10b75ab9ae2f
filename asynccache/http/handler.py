"""One cached handler, and how it answers: from the store, by running, or by waiting for whoever runs it."""

from __future__ import annotations

import logging
import sys
from inspect import isawaitable
from typing import TYPE_CHECKING, Any

import anyio

from asynccache.context import ExecutionContext
from asynccache.core.entry import Kind
from asynccache.core.page_keys import SAFE_METHODS, digest, prefixed
from asynccache.errors import ConfigurationError
from asynccache.http.ask import NOTED, Ask, Keys
from asynccache.http.current import SCOPE_KEY, installed
from asynccache.http.disguises import Name
from asynccache.http.mark import Mark, busy, is_busy
from asynccache.http.reads import Reads, is_watched
from asynccache.http.recorder import Recorder
from asynccache.http.replay import Replay, replay
from asynccache.http.rules import Then
from asynccache.http.snapshot import SHARED, Snapshot, Spec
from asynccache.http.variants import Pages, glance

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from asynccache.http.ask import Scope
    from asynccache.http.current import Installed
    from asynccache.http.settings import CacheSettings, KeyCallback
    from asynccache.http.variants import Look
    from asynccache.loading.flights import Flight
    from asynccache.model import BaseCacheBackend

logger = logging.getLogger(__name__)
FOLLOW_SECONDS = 30.0
ROUNDS = 3
_BYPASS = b"fwd=bypass"
_SPEAKS = {b"cookie": "cookie", b"authorization": "authorization"}


class Call:
    """One call of a handler: its arguments, the request among them, and how to make it."""

    __slots__ = ("args", "kwargs", "make", "request")

    def __init__(
        self, make: Callable[..., Awaitable[Any]], request: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> None:
        self.make = make
        self.request = request
        self.args = args
        self.kwargs = kwargs

    def run(self) -> Awaitable[Any]:
        """Call the handler."""
        return self.make(*self.args, **self.kwargs)


class Handler:
    """What `@Cache` knows of the handler it stands before.

    Args:
        function: the handler itself.
        settings: what the decorator was told.
    """

    def __init__(self, function: Callable[..., Any], settings: CacheSettings) -> None:
        self.function = function
        self.settings = settings
        self.name = f"{function.__module__}.{function.__qualname__}"
        self._keys = Keys(self.name, prefixed(settings.key_prefix))
        self._is_plain = settings.make_key_callback is None and "GET" in settings.methods
        self._spoken = frozenset(_SPEAKS[name] for name in settings.vary if name in _SPEAKS)
        self._told: set[str] = set()

    def hit(self, scope: Scope) -> Replay | None:
        """Answer a plain GET from a page in memory that depends on nothing; None: look closer.

        This is all that most hits cost, and written out for that: no awaiting, no object but the answer.
        """
        headers = scope["headers"]
        if not self._is_plain or not headers or type(headers[0][0]) is Name:
            return None
        host = None
        for name, value in headers:
            if name in NOTED:
                if name != b"host" or host is not None:
                    return None
                host = value
        try:
            if scope["method"] != "GET":
                return None
            key, owner = self._keys.known[
                scope["scheme"], host, scope["raw_path"], scope["path"], scope["query_string"], scope.get("root_path")
            ]
            backend = scope[SCOPE_KEY].service.get_backend(self.settings.backend)
        except KeyError:
            return None
        stored = None if backend.peek is None else backend.peek(key, self.settings.version, Kind.PAGE)
        if type(stored) is not Snapshot:
            return None
        record = stored.record
        if record.names or record.conditions & ~SHARED or record.owner != owner:
            return None
        return Replay(record.status, stored.pairs(backend.clock()), stored.body)

    async def answer(self, call: Call) -> Any:
        """Answer a request: with the stored page, or by the handler."""
        scope, settings = call.request.scope, self.settings
        if scope["type"] != "http":
            raise ConfigurationError(f"@Cache on {self.name}: only HTTP responses can be cached, not a {scope['type']}")
        if scope["method"] not in settings.methods or is_watched(scope):
            return await call.run()
        found = installed(scope)
        backend = found.service.get_backend(settings.backend)
        ask = Ask(scope, self._keys)
        ask.spoken = self._spoken
        callback = settings.make_key_callback
        if callback is not None and not await self._rekey(callback, ask, call, found):
            return Recorder(await call.run(), None, _BYPASS)
        if (ask.method not in SAFE_METHODS or ask.carries_body()) and not await self._with_body(ask, call):
            return Recorder(await call.run(), None, _BYPASS)
        if ask.is_private and (settings.public or "authorization" in ask.spoken):
            ask.is_private = False
        if backend.peek is not None:
            stored = glance(backend.peek, settings.version, ask).found
            if type(stored) is Snapshot and not ask.is_barred(stored.record):
                return replay(stored, ask, backend.clock())
        return await self._look(ask, call, found, backend)

    async def _look(self, ask: Ask, call: Call, found: Installed, backend: BaseCacheBackend) -> Any:
        """Answer from the store, lead, follow, or run alone."""
        flights, pages = found.service.flights, Pages(backend, self.settings.version)
        alone = ask.method == "HEAD" or ask.wants_range or backend.lifetime(self.settings.ttl) <= 0
        for _ in range(ROUNDS):
            settled = flights.settled
            look = await self._seek(pages, backend, ask)
            stored = look.found
            if isinstance(stored, Snapshot) and not ask.is_barred(stored.record):
                return replay(stored, ask, backend.clock())
            if alone or stored is not None:
                return Recorder(await call.run(), None, _BYPASS if stored is not None else _forward(look))
            if ask.is_private:
                return await self._record(self._mark(ask, call, look, found, None), call)
            flight, leads = flights.join(backend.flight_key(look.key, self.settings.version))
            if leads and flights.settled == settled:
                return await self._record(self._mark(ask, call, look, found, flight), call)
            if leads:
                flight.settle(Then.RETRY)  # somebody landed since the look: look again
                continue
            outcome = Then.RUN if is_busy() else await _follow(flight)
            if isinstance(outcome, Snapshot) and ask.fits(outcome.record) and not ask.is_barred(outcome.record):
                return replay(outcome, ask, backend.clock(), collapsed=True)
            if outcome is Then.RUN or outcome is Then.MARK:
                break
        return Recorder(await call.run(), None, b"fwd=uri-miss")

    async def _seek(self, pages: Pages, backend: BaseCacheBackend, ask: Ask) -> Look:
        peek = backend.peek
        return await pages.look(ask) if peek is None else glance(peek, self.settings.version, ask)

    def _mark(self, ask: Ask, call: Call, look: Look, found: Installed, flight: Flight | None) -> Mark:
        backend = found.service.get_backend(self.settings.backend)
        return Mark(
            handler=self,
            ask=ask,
            look=look,
            pages=Pages(backend, self.settings.version),
            ttl=backend.lifetime(self.settings.ttl),
            now=backend.clock,
            flight=flight,
            reads=Reads(ask.scope, call.request, found.lifespan_state),
            error=sys.exc_info()[1],
        )

    async def _record(self, mark: Mark, call: Call) -> Recorder:
        """Run the handler for all who wait; what becomes of its answer is seen when it is sent."""
        try:
            with busy():
                response = await call.run()
        except Exception:
            mark.land(Then.RUN)
            raise
        except BaseException:
            mark.land(Then.RETRY)
            raise
        return Recorder(response, mark, _forward(mark.look))

    async def _rekey(self, callback: KeyCallback, ask: Ask, call: Call, found: Installed) -> bool:
        """Take the key that the callback makes; False where it makes none."""
        reads = Reads(ask.scope, call.request, found.lifespan_state)
        try:
            context = ExecutionContext(call.request, self.function, call.args, call.kwargs, reads)
            key = callback(context, self.settings.key_prefix)
            if isawaitable(key):
                key = await key
            ask.spoken |= reads.spoken()
        finally:
            reads.stop()
        if key is None:
            return False
        if not isinstance(key, str):
            raise TypeError(f"the make_key_callback of {self.name} returned {key!r}: a str, or None for no cache")
        ask.key = key if ask.method in SAFE_METHODS else f"{ask.method} {key}"
        ask.owner = (self.name, "", "")  # whoever makes the key decides what shares it
        return True

    async def _with_body(self, ask: Ask, call: Call) -> bool:
        """Put the body's digest into the key; False where there is to be no body, or too much of it."""
        length = ask.body_length()
        if ask.method in SAFE_METHODS or length is None or length > self.settings.max_body:
            return False
        ask.key = f"{ask.key}#{digest(await call.request.body() if length else b'')}"
        return True

    def tell_once(self, why: str, about: str = "answer") -> None:
        """Say in the log why this handler's answers are not stored, the first time that this is about."""
        if about not in self._told:
            self._told.add(about)
            logger.warning("%s is not cached: %s", self.name, why)


async def _follow(flight: Flight) -> Snapshot | Then:
    """Wait for whoever runs the handler, but not for ever: it may be sending a stream to a slow reader."""
    with anyio.move_on_after(FOLLOW_SECONDS):
        outcome: Any = await flight.wait()
        return outcome if isinstance(outcome, Snapshot | Then) else Then.RETRY
    return Then.RUN


def _forward(look: Look) -> bytes:
    return b"fwd=vary-miss" if isinstance(look.base, Spec | Snapshot) else b"fwd=uri-miss"
