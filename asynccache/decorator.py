"""`@Cache`: the responses of a handler, or of all handlers of a controller, from the store."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Collection
from typing import Any, TypeVar, cast

from starlette.concurrency import run_in_threadpool
from starlette.requests import HTTPConnection, Request

from asynccache.controllers import handlers_of, is_litestar_handler, move_routes
from asynccache.core.lifetime import Ttl
from asynccache.core.policy import CachePolicy
from asynccache.core.query import ALL
from asynccache.core.tags import TagTemplates
from asynccache.errors import ConfigurationError
from asynccache.http.call import Call
from asynccache.http.handler import Handler
from asynccache.http.passing import passing
from asynccache.http.profile import MAX_BODY, STATUSES
from asynccache.http.settings import (
    METHODS,
    CacheSettings,
    KeyCallback,
    field_names,
    method_names,
    status_codes,
)
from asynccache.http.tag_names import check_tag_names
from asynccache.http.views import callable_at_once, frameworks, serving
from asynccache.likeness import check_is_handler, hints_of, like

T = TypeVar("T", bound=Callable[..., Any])
_PLAIN = CachePolicy()
_SETTINGS = "__asynccache_settings__"
_BY_CLASS = "__asynccache_by_class__"
_WRAPPER = "__asynccache_wrapper__"
_HANDLER = "__asynccache_handler__"


class Cache:
    """Answer requests from the store, and store what the handler answers.

    For functions and methods, sync and async, and for controller classes: there for every handler of the class,
    inherited ones too, but those that have a `@Cache` of their own.

    Args:
        ttl: seconds or a `timedelta` that a page is served for; `None`: the backend's default; `FOREVER`.
        key_prefix: comes before the key.
        version: of the pages; `None`: the backend's.
        backend: the name of the backend.
        make_key_callback: called with an `ExecutionContext` and the prefix, returns the key, or `None` for no cache.
        vary: request headers that the page depends on; those that the handler reads are found without being named.
        public: the pages are the same for everyone whom the guards above let in.
        tags: names under which pages are invalidated together; in them `{product_id}` stands for the argument or the
            parameter in the path of that name, as an f-string writes it. `current_load().tags` inside the handler adds
            to them.
        methods: whose responses are stored; a body is part of the key.
        statuses: which are stored, of those from 200 to 499.
        max_body: bytes of the longest body that is stored.
        query: the parameters of the query that a page is kept by, and that its handler sees: `"all"`; names, such as
            `["page", "filter_*"]`; all but some, each with a minus: `["-utm_*", "-fbclid"]`; or, in FastAPI and
            Litestar, `"declared"`: those that the route and its dependencies take.
        cache_control: what pages say of how long they are good for, to caches further out: `"shared"`, a cache that is
            shared may hold them as long, and browsers are to ask each time; `"all"`, browsers may hold them, too; None,
            nothing. A response with a Cache-Control or Expires of its own says just that.
        edge: a `CacheMiddleware` around the app may answer requests with these pages before they are routed, where they
            carry nothing that could tell who asks; guards and dependencies do not see those.
        policy: see `CachePolicy`; an explicit `ttl` beats its own. Its timeouts are those of renewals, which send a
            copy of the request through the app. `negative_ttl` is that of pages with status 404 or 410, which are then
            stored, too, and of those whose handler returned None; `condition` is called with the whole answer, a
            `starlette.responses.Response`.
        enabled: False leaves the handler as it is.

    Raises `ConfigurationError` or `TypeError` at once for what cannot work.
    """

    def __init__(
        self,
        ttl: Ttl = None,
        *,
        key_prefix: str = "",
        version: str | int | None = None,
        backend: str = "default",
        make_key_callback: KeyCallback | None = None,
        tags: Collection[str] = (),
        vary: Collection[str] = (),
        public: bool = False,
        methods: Collection[str] = METHODS,
        statuses: Collection[int] = STATUSES,
        max_body: int = MAX_BODY,
        query: str | Collection[str] = ALL,
        cache_control: str | None = "shared",
        edge: bool = False,
        policy: CachePolicy | None = None,
        enabled: bool = True,
    ) -> None:
        if not isinstance(enabled, bool):
            raise TypeError(f"enabled={enabled!r}: give True or False")
        self._enabled = enabled
        self._settings = CacheSettings(
            ttl=ttl,
            key_prefix=key_prefix,
            version=version,
            backend=backend,
            make_key_callback=make_key_callback,
            vary=field_names(vary),
            public=public,
            methods=method_names(methods),
            statuses=status_codes(statuses),
            max_body=max_body,
            query=query,
            cache_control=cache_control,
            edge=edge,
            tags=TagTemplates(tags),
            policy=_PLAIN if policy is None else policy,
        )

    def __call__(self, target: T) -> T:
        """Decorate a handler or a controller class, which comes back itself."""
        decorated: Any = target
        if inspect.isclass(target):
            wrapped: Any = _wrap_class(target, self._settings) if self._enabled else target
        elif is_litestar_handler(target):
            wrapped = decorated(self(decorated.fn))
        else:
            _check_handler(target)
            wrapped = _wrap(target, self._settings) if self._enabled else target
            move_routes(target, wrapped)
        return cast("T", wrapped)


def cached_settings(endpoint: Any) -> CacheSettings | None:
    """Return what `@Cache` was told about a function or a class; None where it was not used."""
    return getattr(endpoint, _SETTINGS, None)


def handler_of(endpoint: Any) -> Handler | None:
    """Return the handler that this function or method is the wrapper of; None for what decorators made of a wrapper."""
    function = getattr(endpoint, "__func__", endpoint)
    handler: Handler | None = getattr(function, _HANDLER, None)
    return handler if handler is not None and handler.wrapper is function else None


def wrapper_of(function: Any) -> Any:
    """Return what `@Cache` made of a function; None where it was not used on it."""
    return None if cached_settings(function) else getattr(function, "__dict__", {}).get(_WRAPPER)


def recached(wrapper: Any, function: Callable[..., Any]) -> Any:
    """Make what `@Cache` made of a handler once more, of this function in the place of the handler."""
    made = _wrap(function, getattr(wrapper, _SETTINGS))
    if getattr(wrapper, _BY_CLASS, False):
        setattr(made, _BY_CLASS, True)
    return made


def _wrap_class(controller: type, settings: CacheSettings) -> type:
    slots = list(handlers_of(controller, settings.methods))
    if not slots:
        raise ConfigurationError(
            f"@Cache on {controller.__qualname__}, which has no handler for {sorted(settings.methods)}: "
            "decorate a controller, or a function"
        )
    for slot in slots:
        found = slot.function
        if cached_settings(found) is not None:
            if not getattr(found, _BY_CLASS, False):
                continue
            found = found.__wrapped__
        _check_handler(found)
        wrapped = _wrap(found, settings)
        setattr(wrapped, _BY_CLASS, True)
        slot.put(wrapped)
    setattr(controller, _SETTINGS, settings)
    return controller


def _check_handler(target: Any) -> None:
    check_is_handler(target, "@Cache", "return a StreamingResponse")
    if cached_settings(target) is not None:
        raise ConfigurationError(f"@Cache twice on {target.__qualname__}: once is enough")


def _wrap(function: Callable[..., Any], settings: CacheSettings) -> Callable[..., Any]:
    hints = hints_of(function)
    check_tag_names(function, hints, settings.tags)
    handler = Handler(function, settings)
    is_sync = not inspect.iscoroutinefunction(function)
    make = functools.partial(run_in_threadpool, function) if is_sync else function

    async def cached(*args: Any, **kwargs: Any) -> Any:
        if frameworks and (views := serving(args, kwargs)) is not None:
            return await views.answer(handler, args, kwargs)
        passage = passing.get()
        if passage is None:
            request = args[0] if args and isinstance(args[0], Request) else _request(handler, args, kwargs)
            scope = request.scope
            return handler.hit(scope, scope["headers"]) or await handler.answer(Call(make, request, args, kwargs))
        if not passage.admits(wrapper):
            return await make(*args, **kwargs)
        if (found := passage.hit(handler)) is not None:
            return passage.replay(found)
        return await handler.answer(passage.call(make, args, kwargs))

    wrapper = like(function, callable_at_once(cached, handler) if is_sync else cached, hints)
    setattr(wrapper, _SETTINGS, settings)
    setattr(wrapper, _HANDLER, handler)
    handler.wrapper = wrapper
    if inspect.isfunction(function):  # not weakly: above a route decorator in a factory nobody else keeps it
        setattr(function, _WRAPPER, wrapper)
    return wrapper


def _request(handler: Handler, args: tuple[Any, ...], kwargs: dict[str, Any]) -> HTTPConnection:
    for argument in (*args, *kwargs.values()):
        if isinstance(argument, HTTPConnection):
            return argument
    raise ConfigurationError(
        f"@Cache on {handler.name} found no cache and no request: install a cache on this app, with install(app, ...), "
        "in Litestar with CachePlugin(...), in Flask and Quart with Caching(app, ...); a Starlette handler takes its "
        "request"
    )
