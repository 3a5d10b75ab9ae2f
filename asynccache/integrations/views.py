"""What is wrong with the views of a Flask or Quart app, found before the first request."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from asynccache.controllers import leads_to
from asynccache.decorator import cached_settings
from asynccache.errors import ConfigurationError
from asynccache.integrations.caching import check_backend, check_is_answered
from asynccache.integrations.evicting import check_evictions, check_is_routed
from asynccache.integrations.narrowing import check_declared

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from asynccache.http.handler import Handler
    from asynccache.service import CacheService


def check_views(views: Mapping[str, Any], service: CacheService, *, is_wsgi: bool = False) -> None:
    """Find unknown backends, and caches that views never got; in WSGI, what there is only in ASGI."""
    routed = {id(view) for view in views.values()}
    for endpoint, view in views.items():
        check_is_answered(view, routed, repr(endpoint))
        check_is_routed(view, routed, repr(endpoint))
        check_evictions([view, *_members(view)], service, f"the view {endpoint!r}")
        for settings in _settings(view):
            check_declared(settings, None, f"the view {endpoint!r}")
            check_backend(settings, service, f"the view {endpoint!r}")
            if settings.edge and is_wsgi:
                raise ConfigurationError(
                    f"@Cache(edge=True) on the view {endpoint!r}: a WSGI app hears of no CacheMiddleware around it, "
                    "so leave edge out"
                )
            if settings.policy.hard_timeout is not None and is_wsgi:
                raise ConfigurationError(
                    f"@Cache on the view {endpoint!r} has a hard_timeout, but pages are renewed in threads here, which "
                    "nothing ends: leave it out, and give what the view calls a timeout"
                )


def answers(view: Any, handler: Handler) -> bool:
    """Tell whether a view comes to a cached handler, which then answers its request: to others it is a function."""
    return any(leads_to(member, handler.wrapper) for member in (view, *_members(view)))


def _settings(view: Any) -> Iterator[Any]:
    """Give what `@Cache` was told on a view, and on the methods of its class."""
    for cached in (view, *_members(view)):
        settings = cached_settings(cached)
        if settings is not None:
            yield settings


def _members(view: Any) -> list[Any]:
    of_class = getattr(view, "view_class", None)
    return [] if of_class is None else [getattr(of_class, name) for name in dir(of_class)]
