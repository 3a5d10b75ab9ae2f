"""Where a `CacheMiddleware` stores: the service that it was given, or made, or that is installed on its app."""

from __future__ import annotations

import logging
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from asynccache.config.making import shown
from asynccache.errors import BackendUnavailableError, ConfigurationError, UnknownBackendError
from asynccache.http.current import SCOPE_KEY, Installed
from asynccache.service import CacheService

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from asynccache.config import BackendLike
    from asynccache.http.edge.incoming import App, Receive, Scope, Send
    from asynccache.model import BaseCacheBackend

logger = logging.getLogger(__name__)


class Home:
    """The service, and the name of its backend.

    Args:
        app: what stands behind the middleware.
        given: the service, a backend to make one of, or None: that of the app.
        backend: the name; or a backend, where nothing else was given.

    Raises `ConfigurationError` where no backend can be made of what was given, `UnknownBackendError` for a name that
    the service does not have.
    """

    __slots__ = ("_app", "_backend", "_is_own", "_service")

    def __init__(self, app: App, given: CacheService | BackendLike | None, backend: BackendLike) -> None:
        if not isinstance(backend, str) or "://" in backend:
            given, backend = _instead_of_service(given, backend), "default"
        self._app = app
        self._backend = backend
        self._is_own = given is not None and not isinstance(given, CacheService)
        service = given if given is None or isinstance(given, CacheService) else CacheService(default=given)
        self._service: CacheService | None = service
        if service is not None:
            service.get_backend(backend)

    def found(self, scope: Scope) -> tuple[CacheService, BaseCacheBackend]:
        """Give the service and the backend; `ConfigurationError` where none was given and none is installed."""
        service = self._service
        if service is None:
            found = scope.get(SCOPE_KEY)
            app = scope.get("app") or _with_state(self._app)
            found = found or getattr(getattr(app, "state", None), SCOPE_KEY, None)
            if not isinstance(found, Installed):
                raise ConfigurationError(
                    "CacheMiddleware has nowhere to store: give it a service, a backend or a URL, such as "
                    "CacheMiddleware(app, 'redis://localhost'), or call install(app, CacheModule.setup(default=...)) "
                    "on the app behind it"
                )
            service = found.service
        return service, service.get_backend(self._backend)

    async def passed(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on what is no request of HTTP; what was made here is opened and closed with the app."""
        if scope["type"] != "lifespan":
            await self._app(scope, receive, send)
        elif self._service is None:
            await self._checked(scope, receive, send)
        elif self._is_own:
            async with _open(self._service):
                await self._app(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    async def _checked(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let the app not even start where there is nowhere to store."""
        try:
            self.found(scope)
        except (ConfigurationError, UnknownBackendError) as error:
            await receive()
            await send({"type": "lifespan.startup.failed", "message": str(error)})
            raise  # as Starlette does: a test client goes by this one
        else:
            await self._app(scope, receive, send)


def _instead_of_service(given: object, backend: BackendLike) -> BackendLike:
    if backend is None:
        raise TypeError(
            "backend=None: give the name of one of the service's backends, or, without a service, a backend"
        )
    if given is not None:
        told = shown(backend) if isinstance(backend, str) else backend
        raise ConfigurationError(
            f"backend={told!r:.80} beside a service: give the name of one of its backends, or no service"
        )
    return backend


@asynccontextmanager
async def _open(service: CacheService) -> AsyncIterator[None]:
    """Open it meanwhile; a store that is away keeps no app from starting."""
    try:
        await service.start()
    except BackendUnavailableError:
        logger.warning("the store of %r is not ready: the app starts without it", service, exc_info=True)
    try:
        yield
    finally:
        await service.aclose()


def _with_state(app: Any) -> Any:
    """Find the app that a cache can be installed on, behind other middlewares."""
    while not hasattr(app, "state") and hasattr(app, "app"):
        app = app.app
    return app
