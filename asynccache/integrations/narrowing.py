"""Routes that have requests watched, and hide from what is within them what pages are not kept by of a query."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from asynccache.controllers import layers
from asynccache.core.query import ALL
from asynccache.decorator import cached_settings
from asynccache.errors import ConfigurationError
from asynccache.http.passage import Passage
from asynccache.http.passing import passing

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection, Iterable

    from starlette.types import Receive, Scope, Send

    from asynccache.core.query import Parameters
    from asynccache.http.settings import CacheSettings

    Prepare = Callable[[Any, Passage, CacheSettings], None]

_KEPT_AS = "_asynccache_behind"


def narrow(kind: Any, prepare: Prepare) -> None:
    """Let routes of this kind prepare the passage of a request that comes to a cached handler; once for each kind.

    To prepare it is to watch it as well, where anything before the wrapper could read.
    """
    own: Callable[..., Awaitable[None]] = kind.handle
    if getattr(own, "is_narrowed", False):
        return

    def handle(route: Any, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        passage = passing.get()
        if passage is None or passage.scope is not scope:
            return own(route, scope, receive, send)
        settings = _settings_of(route, scope.get("endpoint"))
        if settings is None or scope["method"] not in settings.methods:
            return own(route, scope, receive, send)
        prepare(route, passage, settings)
        passage.is_prepared = True
        answered = own(route, scope, receive, send)
        return _shown_again(passage, answered) if passage.hides else answered

    handle.is_narrowed = True  # type: ignore[attr-defined]
    kind.handle = handle


def watch_within(kind: Any, but: type | tuple[()] = ()) -> None:
    """Let a request that routes of this kind hand on be watched from there on: middleware may be next, and read.

    Routes that are `but` something prepare it themselves.
    """
    own: Callable[..., Awaitable[None]] = kind.handle
    if getattr(own, "is_watching", False):
        return

    def handle(route: Any, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        passage = passing.get()
        if passage is not None and passage.scope is scope and not isinstance(route, but):
            passage.watch()
        return own(route, scope, receive, send)

    handle.is_watching = True  # type: ignore[attr-defined]
    kind.handle = handle


def _settings_of(route: Any, endpoint: Any) -> CacheSettings | None:
    """Give what `@Cache` was told about what an endpoint comes to; it is looked for once for each route."""
    known: tuple[Any, CacheSettings | None] | None = route.__dict__.get(_KEPT_AS)
    if known is None or known[0] is not endpoint:
        known = route.__dict__[_KEPT_AS] = endpoint, _settings_behind(endpoint)
    return known[1]


def _settings_behind(endpoint: Any) -> CacheSettings | None:
    return next(filter(None, map(cached_settings, layers(endpoint))), None)


async def _shown_again(passage: Passage, answered: Awaitable[None]) -> None:
    try:
        await answered
    finally:
        passage.show()


def hide(passage: Passage, settings: CacheSettings, declared: Parameters | None = None) -> None:
    """Hide from what is within what pages are not kept by; `declared` are the parameters that the route takes."""
    if settings.query == ALL:
        return
    if settings.is_by_declared and declared is not None:
        parameters: Parameters | None = declared
        passage.sees_declared = True
    else:
        parameters = settings.parameters
    query = passage.scope["query_string"]
    if parameters is not None and (kept := parameters.kept(query)) is not query:
        passage.hide(kept)


def check_declared(settings: CacheSettings, taken: Iterable[Collection[str]] | None, where: str) -> None:
    """Find a parameter that a route takes and `query=` leaves out.

    Args:
        settings: what `@Cache` was told.
        taken: the parameters that the route takes, each by the names that it may have; None: nobody knows.
        where: the route.

    Raises `ConfigurationError`.
    """
    if settings.query == ALL:
        return
    if taken is None:
        if settings.is_by_declared:
            raise ConfigurationError(
                f'@Cache(query="declared") on {where}: nobody knows there which parameters of the query it takes: '
                'nothing declares them, or any is taken; name those that count, query=["page"]'
            )
        return
    parameters = settings.parameters
    if parameters is None:
        return
    if hidden := sorted(min(names) for names in taken if not any(map(parameters.has, names))):
        raise ConfigurationError(
            f"@Cache(query={settings.query!r}) on {where}, which takes {hidden[0]!r}: it would never see it, since its "
            "pages are not kept by it; add it to query=, or take it away"
        )
