"""From what users give to `install`, in whatever framework, to what is installed."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from injector import Injector, Module

from asynccache.errors import ConfigurationError
from asynccache.http.current import Installed
from asynccache.module import CacheModule
from asynccache.service import CacheService


def installed_from(modules: Injector | Module | Iterable[Module]) -> Installed:
    """Make the injector and find its cache; `ConfigurationError` for what is no module, and where none is a cache."""
    injector = _injector(modules)
    return Installed(injector, _service(injector))


def _injector(modules: Injector | Module | Iterable[Module]) -> Injector:
    if isinstance(modules, Injector):
        return modules
    if isinstance(modules, Module | str) or not isinstance(modules, Iterable):
        modules = [modules]
    given: list[Any] = list(modules)
    for module in given:
        if module is CacheModule or not (isinstance(module, Module) or callable(module)):
            raise ConfigurationError(
                f"{module!r:.80} is no module: give CacheModule.setup(default=...), a list with it, or an Injector"
            )
    return Injector(given, auto_bind=True)


def _service(injector: Injector) -> CacheService:
    known: Injector | None = injector
    while known is not None:
        if known.binder.has_explicit_binding_for(CacheService):
            return known.get(CacheService)
        known = known.parent
    raise ConfigurationError("no CacheModule among the modules: add CacheModule.setup(default=...)")
