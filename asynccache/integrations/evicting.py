"""What is wrong with handlers that have `@Evicts`, found before the first request comes."""

from __future__ import annotations

from inspect import isclass, signature
from typing import TYPE_CHECKING, Any

from asynccache.errors import ConfigurationError, UnknownBackendError
from asynccache.evicts import evicting_wrapper_of, evictions_of
from asynccache.http.requests import SAFE

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from asynccache.service import CacheService


def check_evictions(
    members: Iterable[Any],
    service: CacheService,
    where: str,
    *,
    methods: Collection[str] | None = None,
    names: frozenset[str] | None = None,
) -> None:
    """Find what would evict nothing, or fail when it is to evict.

    Args:
        members: the endpoint of a route; of a class, its methods, too.
        service: that of the app.
        where: the route, as messages say it.
        methods: of the route; None: they are not known here.
        names: of the parameters in its path; None: likewise.

    Raises `ConfigurationError` and `UnknownBackendError`.
    """
    for member in members:
        if isclass(member) or not (found := evictions_of(member)):
            continue
        if methods and SAFE.issuperset(methods):
            raise ConfigurationError(
                f"@Evicts on {where}, which is for {sorted(methods)} only: such requests only read; where one writes "
                "all the same, let it call invalidate_tags"
            )
        for settings in found:
            try:
                service.get_backend(settings.backend)
            except UnknownBackendError as unknown:
                raise UnknownBackendError(f"@Evicts on {where}: {unknown}") from None
            known = None if names is None else names | frozenset(signature(member).parameters)
            if known is not None and (unmet := sorted(settings.names - known)):
                raise ConfigurationError(
                    f"@Evicts on {where}: tags name {unmet[0]!r}, and there are only {sorted(known)}"
                )


def check_is_routed(endpoint: Any, routed: Collection[int], where: str) -> None:
    """Find a route that never got what `@Evicts` made of its handler; `routed` are the ids of all endpoints.

    Raises `ConfigurationError`.
    """
    wrapper = evicting_wrapper_of(endpoint)
    if wrapper is not None and id(wrapper) not in routed:
        raise ConfigurationError(
            f"@Evicts above the route decorator of {where} evicts nothing: move @Evicts below it, so that the route "
            "gets what @Evicts returns"
        )
