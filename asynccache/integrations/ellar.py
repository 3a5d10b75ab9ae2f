"""Ellar: a `CacheModule` for `@Module(modules=[...])`, and `@Cache` on functions and controllers.

    @Module(modules=[CacheModule.setup(default="redis://localhost")])
    class ApplicationModule(ModuleBase): ...

    @Module(modules=[CacheModule.register_setup()])    # what the application's config says under CACHES
    class ApplicationModule(ModuleBase): ...

Ellar makes the answer after the handler has returned; so the innermost of the application's middleware lets requests
through a passage.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ellar.app import App
from ellar.common import IApplicationReady, IApplicationShutdown, IApplicationStartup, IModuleSetup, Module
from ellar.core import Config
from ellar.core.modules import DynamicModule, ModuleBase, ModuleSetup
from ellar.core.routing import EllarControllerMount, RouteOperation
from ellar.di import ProviderConfig
from starlette.middleware import Middleware
from starlette.routing import Host, Mount

from asynccache.current import Serving
from asynccache.http.connections import watch_connections
from asynccache.http.current import SCOPE_KEY, Installed, service_of
from asynccache.http.entrance import note_entrance_late
from asynccache.http.evictions import answered
from asynccache.http.passage import Passage
from asynccache.integrations.narrowing import hide, narrow, watch_within
from asynccache.integrations.routes import check_routes
from asynccache.interface import ICacheService
from asynccache.module import CacheModule as InjectorModule
from asynccache.service import CacheService

if TYPE_CHECKING:
    from starlette.requests import HTTPConnection

    from asynccache.config import BackendLike
    from asynccache.http.settings import CacheSettings


@Module(exports=[ICacheService, CacheService])
class CacheModule(ModuleBase, IModuleSetup, IApplicationReady, IApplicationStartup, IApplicationShutdown):
    """Makes the cache injectable as `ICacheService` and `CacheService`, and lets `@Cache` work in this application."""

    def __init__(self, service: CacheService) -> None:
        self._service = service

    @classmethod
    def setup(cls, **backends: BackendLike) -> DynamicModule:
        """Register backends by name; `default` is compulsory. See `asynccache.CacheModule.setup`."""
        return cls._providing(InjectorModule.setup(**backends))

    @classmethod
    def register_setup(cls) -> ModuleSetup:
        """Register what the application's config says under `CACHES`, else what the environment says."""
        return ModuleSetup(cls, inject=[Config], factory=_from_config)

    @classmethod
    def _providing(cls, module: InjectorModule) -> DynamicModule:
        return DynamicModule(
            cls,
            providers=[
                ProviderConfig(CacheService, use_value=module.service),
                ProviderConfig(ICacheService, use_value=module.service),
            ],
        )

    @classmethod
    def on_ready(cls, app: App) -> None:
        """Let requests through a passage, below all other middleware."""
        service = app.injector.get(CacheService)
        check_routes(app.routes, service)
        setattr(app.state, SCOPE_KEY, Installed(app.injector, service))
        watch_connections()
        narrow(RouteOperation, _prepare)
        for kind in (EllarControllerMount, Mount, Host):
            watch_within(kind)
        app.config.MIDDLEWARE = [*app.config.MIDDLEWARE, Middleware(Capture)]

    async def on_startup(self, app: App) -> None:
        """Open the backends."""
        del app
        await self._service.start()

    async def on_shutdown(self) -> None:
        """Close the backends."""
        await self._service.aclose()


def _from_config(module_ref: Any, config: Config) -> DynamicModule:
    caches = config.CACHES
    module = InjectorModule.register_setup({"CACHES": caches} if caches else None)
    return module_ref.module._providing(module)  # noqa: SLF001  # the class above


def get_cache_service(where: HTTPConnection | App) -> ICacheService:
    """Return the service of the application that serves this request, or of this application."""
    return service_of({"app": where} if isinstance(where, App) else where.scope)


def _prepare(route: Any, passage: Passage, settings: CacheSettings) -> None:
    """Watch what is read, and hide what pages are not kept by of the query, before a route's arguments are made."""
    del route
    passage.watch()
    hide(passage, settings)


class Capture:
    """The innermost middleware of an application."""

    def __init__(self, app):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN204  # Ellar injects what is annotated
        self.app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Let a request through a passage."""
        found = getattr(scope["app"].state, SCOPE_KEY, None)
        if found is None or scope["type"] not in {"http", "websocket"}:
            await self.app(scope, receive, send)
            return
        scope[SCOPE_KEY] = found
        with Serving(found):
            if scope["type"] == "http":
                note_entrance_late(scope["app"], scope)
                await answered(self._let_through, found.service, scope, receive, send)
            else:
                await self.app(scope, receive, send)

    async def _let_through(self, scope: Any, receive: Any, send: Any) -> None:
        await Passage(scope, receive, send, scope[SCOPE_KEY]).run(self.app)
