"""Where Flask's and Quart's apps keep what is theirs: a cache is put there, and found there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from asynccache.config import app_backends
from asynccache.errors import ConfigurationError
from asynccache.http.current import SCOPE_KEY, Installed
from asynccache.integrations.modules import installed_from
from asynccache.module import CacheModule

if TYPE_CHECKING:
    from collections.abc import Iterable

    from injector import Injector, Module


def put_on(app: Any, modules: Injector | Module | Iterable[Module] | None) -> Installed:
    """Install a cache on an app, that of its config where no module is given; `ConfigurationError` if it has one."""
    if SCOPE_KEY in app.extensions:
        raise ConfigurationError("a cache is installed on this app already: give all backends to one of them")
    found = installed_from(CacheModule(app_backends(app.config)) if modules is None else modules)
    app.extensions[SCOPE_KEY] = found
    return found


def itself(proxy: Any) -> Any:
    """Give what is behind one of their proxies."""
    return proxy._get_current_object()  # noqa: SLF001  # werkzeug's way


def found_on(app: Any) -> Installed:
    """Give what was installed on an app; `ConfigurationError` where nothing was."""
    found = app.extensions.get(SCOPE_KEY)
    if found is None:
        raise ConfigurationError("no cache is installed on this app: call Caching(app, CacheModule.setup(default=...))")
    return found  # type: ignore[no-any-return]
