"""Where a `CacheMiddleware` stores: the service that it was given, or made, or that is installed on its app."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from asynccache.errors import BackendUnavailableError
from asynccache.http.current import SCOPE_KEY, service_of
from asynccache.service import CacheService

if TYPE_CHECKING:
    from asynccache.config import BackendLike
    from asynccache.http.edge.incoming import App, Receive, Scope, Send
    from asynccache.model import BaseCacheBackend

logger = logging.getLogger(__name__)


class Home:
    """The service, and the name of its backend.

    Args:
        app: what stands behind the middleware.
        given: the service, a backend to make one of, or None: that of the app.
        backend: the name.

    Raises `ConfigurationError` where no backend can be made of what was given, `UnknownBackendError` for a name that
    the service does not have.
    """

    __slots__ = ("_app", "_backend", "_is_own", "_service")

    def __init__(self, app: App, given: CacheService | BackendLike | None, backend: str) -> None:
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
            service = service_of(scope if "app" in scope or SCOPE_KEY in scope else {"app": _with_state(self._app)})
        return service, service.get_backend(self._backend)

    async def passed(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on what is no request of HTTP; what was made here is opened and closed with the app."""
        if scope["type"] != "lifespan" or not self._is_own:
            await self._app(scope, receive, send)
            return
        service: Any = self._service
        try:
            await service.start()
        except BackendUnavailableError:
            logger.warning("the store of %r is not ready: the app starts without it", service, exc_info=True)
        try:
            await self._app(scope, receive, send)
        finally:
            await service.aclose()


def _with_state(app: Any) -> Any:
    """Find the app that a cache can be installed on, behind other middlewares."""
    while not hasattr(app, "state") and hasattr(app, "app"):
        app = app.app
    return app
