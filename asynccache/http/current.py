"""Which service serves this request: the one that was installed on its app, or on the app around it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from asynccache.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import MutableMapping
    from typing import Any

    from injector import Injector

    from asynccache.service import CacheService

SCOPE_KEY = "asynccache"


@dataclass(frozen=True, slots=True)
class Installed:
    """What `install` puts into the scope of every request; `lifespan_state` is what the app's own lifespan yielded."""

    injector: Injector
    service: CacheService
    lifespan_state: dict[str, object] = field(default_factory=dict)


def installed(scope: MutableMapping[str, Any]) -> Installed:
    """Find what was installed; `ConfigurationError` where nothing was."""
    found = scope.get(SCOPE_KEY)
    if found is None:  # in a middleware around the one of `install`
        found = getattr(getattr(scope.get("app"), "state", None), SCOPE_KEY, None)
    if isinstance(found, Installed):
        return found
    raise ConfigurationError(
        "no cache is installed on this app: call install(app, CacheModule.setup(default=...)) where the app is made"
    )


def service_of(scope: MutableMapping[str, Any]) -> CacheService:
    """Find the service of the app that serves this scope; `ConfigurationError` where there is none."""
    return installed(scope).service
