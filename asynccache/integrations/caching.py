"""What is wrong with handlers that have `@Cache`, found before the first request comes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from asynccache.decorator import wrapper_of
from asynccache.errors import ConfigurationError, UnknownBackendError
from asynccache.loading.load import check_lock

if TYPE_CHECKING:
    from collections.abc import Collection

    from asynccache.http.settings import CacheSettings
    from asynccache.service import CacheService


def check_is_answered(endpoint: Any, routed: Collection[int], where: str) -> None:
    """Find a route that never got what `@Cache` made of its handler; `routed` are the ids of all endpoints.

    Raises `ConfigurationError`.
    """
    wrapper = wrapper_of(endpoint)
    if wrapper is not None and id(wrapper) not in routed:
        raise ConfigurationError(
            f"@Cache above the route decorator of {where} caches nothing: move @Cache below it, so that the route "
            "gets what @Cache returns"
        )


def check_backend(settings: CacheSettings, service: CacheService, where: str) -> None:
    """Find a backend that the service does not have, or that cannot do what the policy asks of it.

    Raises `UnknownBackendError` and `ConfigurationError`.
    """
    try:
        check_lock(settings.policy, service.get_backend(settings.backend))
    except UnknownBackendError as unknown:
        raise UnknownBackendError(f"@Cache on {where}: {unknown}") from None


def refuse_websocket(path: str) -> None:
    """Raise `ConfigurationError` for `@Cache` on the handler of a websocket."""
    raise ConfigurationError(f"@Cache on the websocket route {path!r}: only HTTP responses can be cached")
