"""What writing handlers want to be gone: noted when they return, done before the head of a successful answer leaves.

Whoever serves the requests of an app lets them go through `answered`; what is noted in between by `@Evicts` belongs to
the nearest. A request that only reads notes nothing, and where no handler evicts, nobody pays.
"""

from __future__ import annotations

import logging
from contextlib import suppress
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

import anyio
import msgspec

from asynccache.current import at_work
from asynccache.errors import BackendUnavailableError, ConfigurationError
from asynccache.http.requests import SAFE

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, MutableMapping
    from contextvars import Token

    from asynccache.model import Version
    from asynccache.service import CacheService

    Scope = MutableMapping[str, Any]
    Message = MutableMapping[str, Any]
    Send = Callable[[Message], Awaitable[None]]
    App = Callable[..., Awaitable[None]]

logger = logging.getLogger(__name__)
evicting: set[str] = set()
"""The names of the handlers that evict."""
_pending: ContextVar[Evictions | None] = ContextVar("asynccache_evictions", default=None)


def is_success(status: int) -> bool:
    """Tell whether a handler that answers so has done what it was asked for."""
    return 200 <= status < 400  # 2xx and 3xx


class Eviction(msgspec.Struct, frozen=True):
    """Tags that are to be invalidated, in a backend of this name."""

    tags: tuple[str, ...]
    backend: str
    version: Version


class Evictions:
    """What is due when one request is answered.

    Args:
        service: has the backends.
        scope: of the request; it is only looked at.
    """

    __slots__ = ("_due", "_is_over", "scope", "service")

    def __init__(self, service: CacheService, scope: Scope) -> None:
        self.service = service
        self.scope = scope
        self._due: list[Eviction] = []
        self._is_over = False

    def add(self, eviction: Eviction) -> None:
        """Note what a handler that has returned wants gone."""
        if self._is_over:
            raise ConfigurationError(
                f"{eviction.tags} were to be evicted for a request that is answered: call invalidate_tags in what goes "
                "on after its answer"
            )
        self._due.append(eviction)

    async def judge(self, status: int) -> None:
        """Do what is due, or forget it, as the status of the answer says."""
        if is_success(status):
            await self.do()
        else:
            self._due.clear()

    async def do(self) -> None:
        """Do all that is due, even if this request is cancelled meanwhile.

        Raises the first error when everything was tried, but none for what a backend will do by itself later.
        """
        failures: list[Exception] = []
        with anyio.CancelScope(shield=True):
            while self._due:
                await self._invalidate(self._due[0], failures)
                del self._due[0]  # not before: who is cancelled all the same begins again with it
        if failures:
            raise failures[0]

    async def _invalidate(self, eviction: Eviction, failures: list[Exception]) -> None:
        try:
            await self.service.invalidate_tags_async(*eviction.tags, version=eviction.version, backend=eviction.backend)
        except Exception as error:  # noqa: BLE001  # raised when the others are done
            self._note(error, failures)

    def _note(self, error: Exception, failures: list[Exception]) -> None:
        if isinstance(error, BackendUnavailableError) and error.queued:
            logger.info("an eviction waits until the store is back: %s", error)
        else:
            failures.append(error)

    def do_in_thread(self, status: int) -> None:
        """Do what is due, or forget it; as `judge`, where threads wait."""
        due, self._due = self._due if is_success(status) else [], []
        failures: list[Exception] = []
        for eviction in due:
            try:
                self.service.invalidate_tags(*eviction.tags, version=eviction.version, backend=eviction.backend)
            except Exception as error:  # noqa: BLE001  # raised when the others are done
                self._note(error, failures)
        if failures:
            raise failures[0]

    def end(self) -> None:
        """Note that the request is answered."""
        self._is_over = True


def begin(service: CacheService, scope: Scope) -> tuple[Evictions | None, Token[Evictions | None]]:
    """Begin to note in this context what a request evicts, if it does not only read."""
    evictions = None if scope["method"] in SAFE else Evictions(service, scope)
    return evictions, _pending.set(evictions)


def end(evictions: Evictions | None, token: Token[Evictions | None]) -> None:
    """Note that a request is answered; what is noted for it later would be lost, and is an error."""
    if evictions is not None:
        evictions.end()
    with suppress(ValueError):  # an abandoned request that is cleared away in a foreign context
        _pending.reset(token)


def pending(handler: str) -> Evictions | None:
    """Give what notes evictions here; None: the request only reads.

    Raises `ConfigurationError` where there is no app with a cache.
    """
    found = _pending.get()
    if found is None and at_work() is None:
        raise ConfigurationError(
            f"@Evicts on {handler} found no cache: install a cache on this app, with install(app, ...), in Litestar "
            "with CachePlugin(...)"
        )
    return found


def answered(app: App, service: CacheService, scope: Scope, receive: Any, send: Send) -> Awaitable[None]:
    """Let an app answer a request, whose evictions are done before the head of the answer is passed on."""
    if not evicting or scope["type"] != "http" or (scope["method"] in SAFE and _pending.get() is None):
        return app(scope, receive, send)
    return _answered(app, service, scope, receive, send)


async def _answered(app: App, service: CacheService, scope: Scope, receive: Any, send: Send) -> None:
    evictions, token = begin(service, scope)

    async def passed(message: Message) -> None:
        if evictions is not None and message["type"] == "http.response.start":
            await evictions.judge(message["status"])
        await send(message)

    try:
        await app(scope, receive, passed)
    except Exception:
        raise  # whoever is around answers for it, and that is no success
    except BaseException:
        await _do_rest(evictions)
        raise
    else:
        await _do_rest(evictions)
    finally:
        end(evictions, token)


async def _do_rest(evictions: Evictions | None) -> None:
    """Do what was noted after the head had left, or where none ever did: the handler has written."""
    if evictions is not None:
        await evictions.do()
