"""An app that is looked at: found by its name, and kept from what its caches keep."""

from __future__ import annotations

import gc
from contextlib import ExitStack, asynccontextmanager, contextmanager, suppress
from typing import TYPE_CHECKING, Any

from asynccache.backends.local_cache import LocalMemCacheBackend
from asynccache.cli import target
from asynccache.errors import ConfigurationError
from asynccache.service import CacheService

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable, Iterator


def app_of(path: str) -> Any:
    """Import the app that `module:app` names, or call what `module:create_app()` does."""
    found = target.imported(path.removesuffix("()"), "app, such as shop.main:app")
    if path.endswith("()"):
        with target.importing(path):
            found = found()
    if not callable(found):
        raise ConfigurationError(f"{path!r} is no ASGI app, but {type(found).__name__}")
    return found


@contextmanager
def apart(app: Any) -> Iterator[None]:
    """Let all caches of the app keep their entries in fresh local memory, and what they have elsewhere alone."""
    _build(app)
    with _replaced(_services()):
        yield


@asynccontextmanager
async def apart_since_its_start() -> AsyncIterator[None]:
    """Do so with what its lifespan has made."""
    with _replaced(_services()):
        yield


@contextmanager
def _replaced(services: Iterable[CacheService]) -> Iterator[None]:
    with ExitStack() as spared:
        for service in services:
            with suppress(AttributeError):  # one that was never made whole
                spared.enter_context(service.replaced(**{name: LocalMemCacheBackend() for name in service.stats()}))
        yield


def _build(app: Any) -> None:
    """Let an app make its middlewares, which it else does when it is first called."""
    while app is not None:
        if getattr(app, "middleware_stack", app) is None:
            app.middleware_stack = app.build_middleware_stack()
        app = getattr(app, "app", None)


def _services() -> list[CacheService]:
    """Find every service there is: wherever the app and its modules keep them, they are of this app."""
    is_frozen = gc.get_freeze_count() > 0
    gc.unfreeze()  # the collector does not tell what it was told to leave alone, as servers do before they fork
    found = [one for one in gc.get_objects() if issubclass(type(one), CacheService)]
    if is_frozen:
        gc.freeze()
    return found
