"""`@Evicts`: what a writing handler has changed is gone from the cache before the answer leaves."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar, cast

from asynccache.controllers import handlers_of, is_litestar_handler, move_routes
from asynccache.core.tags import TagTemplates, tagged
from asynccache.decorator import handler_of, recached
from asynccache.errors import ConfigurationError
from asynccache.http.evictions import Eviction, evicting, pending
from asynccache.http.tag_names import check_tag_names
from asynccache.likeness import check_is_handler, hints_of, like

if TYPE_CHECKING:
    from collections.abc import Mapping

    from asynccache.model import Version

T = TypeVar("T", bound=Callable[..., Any])
_WRITING = frozenset({"POST", "PUT", "PATCH", "DELETE"})
_SETTINGS = "__asynccache_evicts__"
_WRAPPER = "__asynccache_evicting__"


@dataclass(frozen=True, slots=True)
class EvictSettings:
    """What an `@Evicts` was told: one template for each tag, since clients may choose what makes no tag."""

    templates: tuple[TagTemplates, ...]
    backend: str
    version: Version

    @property
    def names(self) -> frozenset[str]:
        """The arguments that the tags need."""
        return frozenset[str]().union(*(template.names for template in self.templates))

    def of(self, values: Mapping[str, Any]) -> Eviction:
        """Give what is to be evicted for these arguments.

        Raises `ConfigurationError` for an argument that is not there, and `TypeError` for one that is no plain value.
        """
        written: list[str] = []
        for template in self.templates:
            try:
                written += template.written(values)
            except ConfigurationError:
                raise
            except ValueError:
                continue  # what makes no tag is on no page either
        return Eviction(tagged(written), self.backend, self.version)


class Evicts:
    """Invalidate tags when a writing handler has succeeded, before its answer leaves.

    For functions and methods, sync and async, and for controller classes: there for every handler of the class that is
    for POST, PUT, PATCH or DELETE, inherited ones too. Those of a method and of its class add up. A success is an
    answer with a status of 2xx or 3xx; nothing is evicted for other answers, exceptions, and requests with GET, HEAD,
    OPTIONS or TRACE, which only read. With `@Cache` on the same handler, what it answers from the store evicts nothing.

    Where the store cannot be reached, `BackendUnavailableError` is raised in place of the answer, unless the
    backend remembers what is to be done (`queued`).

    Args:
        tags: what to invalidate; in them `{product_id}` stands for the argument or the parameter in the path of that
            name, as in those of `@Cache`.
        backend: the name of the backend.
        version: whose tags; `None`: the backend's.

    Raises `ConfigurationError` or `TypeError` at once for what cannot work.
    """

    def __init__(self, *, tags: Iterable[str], backend: str = "default", version: str | int | None = None) -> None:
        for name, given, types in (("backend", backend, (str,)), ("version", version, (str, int, type(None)))):
            if not isinstance(given, types) or isinstance(given, bool):
                raise TypeError(f"{name}={given!r}: give {' or '.join(kind.__name__ for kind in types[:2])}")
        templates = tuple(TagTemplates([tag]) for tag in tagged(tags))
        if not templates:
            raise ConfigurationError('@Evicts without tags evicts nothing: give tags=["product:{product_id}"]')
        self._settings = EvictSettings(templates, backend, version)

    def __call__(self, target: T) -> T:
        """Decorate a handler or a controller class, which comes back itself."""
        decorated: Any = target
        if inspect.isclass(target):
            wrapped: Any = self._on_class(target)
        elif is_litestar_handler(target):
            wrapped = decorated(self(decorated.fn))
        else:
            wrapped = self._on_function(target)
            move_routes(target, wrapped)
        return cast("T", wrapped)

    def _on_class(self, controller: type) -> type:
        slots = list(handlers_of(controller, _WRITING))
        if not slots:
            raise ConfigurationError(
                f"@Evicts on {controller.__qualname__}, which has no handler for {sorted(_WRITING)}: decorate what "
                "writes"
            )
        for slot in slots:
            slot.put(self._on_function(slot.function))
        return controller

    def _on_function(self, target: Any) -> Any:
        """Wrap a handler; one with `@Cache` below that, so that only what runs it evicts."""
        cached = handler_of(target)
        wrapped = self._wrapped(target) if cached is None else recached(target, self._wrapped(cached.function))
        if inspect.isfunction(target):
            setattr(target, _WRAPPER, wrapped)
        return wrapped

    def _wrapped(self, function: Callable[..., Any]) -> Callable[..., Any]:
        check_is_handler(function, "@Evicts", "what it sends is on its way before it has written all")
        hints, settings = hints_of(function), self._settings
        for template in settings.templates:
            check_tag_names(function, hints, template, "@Evicts")
        note = _Noting(function, settings)

        async def awaited(*args: Any, **kwargs: Any) -> Any:
            done = note(args, kwargs)
            answer = await function(*args, **kwargs)
            done()
            return answer

        def plain(*args: Any, **kwargs: Any) -> Any:
            done = note(args, kwargs)
            answer = function(*args, **kwargs)
            done()
            return answer

        wrapper = like(function, awaited if inspect.iscoroutinefunction(function) else plain, hints)
        setattr(wrapper, _SETTINGS, (*evictions_of(function), settings))
        evicting.add(f"{function.__module__}.{function.__qualname__}")
        return wrapper


class _Noting:
    """Makes the tags before a handler runs, so that what is wrong with them is known before it writes."""

    def __init__(self, function: Callable[..., Any], settings: EvictSettings) -> None:
        self._name = function.__qualname__
        self._settings = settings
        self._signature = inspect.signature(function)

    def __call__(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Callable[[], None]:
        """Give what notes that the handler has returned."""
        found = pending(self._name)
        if found is None:
            return _nothing
        bound = self._signature.bind(*args, **kwargs)
        bound.apply_defaults()
        return partial(found.add, self._settings.of({**found.scope.get("path_params", {}), **bound.arguments}))


def _nothing() -> None:
    """Note nothing: the request only reads."""


def evictions_of(endpoint: Any) -> tuple[EvictSettings, ...]:
    """Return what each `@Evicts` on a function was told; nothing where it was not used."""
    found: tuple[EvictSettings, ...] = getattr(endpoint, _SETTINGS, ())
    return found


def evicting_wrapper_of(function: Any) -> Any:
    """Return what `@Evicts` made of a function; None where it was not used on it."""
    return None if evictions_of(function) else getattr(function, "__dict__", {}).get(_WRAPPER)
