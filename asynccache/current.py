"""Which service a function uses that was not given one: that of the request, else the innermost that is open.

Services are looked for when a function is called, never when it is imported, so that applications may be made by
factories. A thread or a task that knows neither (threads do not inherit contexts) uses the one service that is open in
this process, where there is just one.
"""

from __future__ import annotations

from contextlib import suppress
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from asynccache.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextvars import Token

    from asynccache.named import NamedBackends
    from asynccache.service import CacheService

finders: list[Callable[[], Any]] = []
"""How frameworks that know by themselves which app is at work give what is installed on it, or None."""
_of_request: ContextVar[Any] = ContextVar("asynccache_of_request", default=None)
_entered: ContextVar[tuple[NamedBackends, ...]] = ContextVar("asynccache_entered", default=())
_open: list[NamedBackends] = []
"""Each service as often as it was entered and not left, over all threads and contexts; without a lock, for forks."""


class Serving:
    """Around the handling of one request: functions that are called there use the service of its app.

    Made for each request, and entered and left in the same task or thread.

    Args:
        found: what is installed on its app; it has the `service`.
    """

    __slots__ = ("_found", "_token")

    def __init__(self, found: Any) -> None:
        self._found = found

    def __enter__(self) -> None:
        self._token = serve(self._found)

    def __exit__(self, *failure: object) -> None:
        serve_no_longer(self._token)


def serve(found: Any) -> Token[Any]:
    """Let functions that are called here from now on use the service of what is installed on an app."""
    return _of_request.set(found)


def serve_no_longer(token: Token[Any]) -> None:
    """Let them use what they used before."""
    try:
        _of_request.reset(token)
    except ValueError:  # an abandoned request that is cleared away in a foreign context, which stays as it is
        return


def current_service() -> CacheService:
    """Find the service to use here; `ConfigurationError` where there is none, or no telling which."""
    found = at_work()
    return _innermost() if found is None else found.service


def at_work() -> Any:
    """Give what is installed on the app at work here; None: no app, or none with a cache."""
    for find in finders:
        found = find()
        if found is not None:
            return found
    return _of_request.get()


def entered(service: NamedBackends) -> None:
    """Note that a `with` begins."""
    _open.append(service)
    _entered.set((*_entered.get(), service))


def left(service: NamedBackends) -> None:
    """Note that a `with` ends, in whatever context: the context of its beginning may be another one."""
    with suppress(ValueError):
        _open.remove(service)
    inner = _entered.get()
    for place in reversed(range(len(inner))):
        if inner[place] is service:
            _entered.set(inner[:place] + inner[place + 1 :])
            return


def _innermost() -> CacheService:
    for service in reversed(_entered.get()):
        if service in _open:  # a task may outlive the `with` that it was made in
            return service  # type: ignore[return-value]  # only services are entered
    several = set(_open)
    if len(several) == 1:
        return several.pop()  # type: ignore[return-value]  # likewise
    if several:
        raise ConfigurationError(
            f"{len(several)} caches are open and this thread or task was started outside of them: "
            "start it with contextvars.copy_context().run, or enter `with CacheService(...)` in it"
        )
    raise ConfigurationError(
        "no cache is at hand: call this within a request of an app that a cache is installed on, or within "
        "`with CacheService(default=...)` or `async with CacheService(default=...)`"
    )
