"""Where the handlers of a controller class are, and what the frameworks attach to a function that is a handler.

No framework is imported for that: whoever decorates a controller has its framework imported.
"""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass
from inspect import getattr_static, getmembers_static, isclass, isfunction
from types import WrapperDescriptorType as WrapperType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator

_ELLAR_HANDLER = "OPERATION_ENDPOINT"
_ELLAR_ROUTES = "__ROUTE_OPERATION_PARAMETERS__"
_DISPATCH = "dispatch_request"
_MODULES_OF_VIEWS = frozenset({"flask.views", "quart.views"})


@dataclass(frozen=True, slots=True)
class Slot:
    """A place in a class where a handler is: its `function`, its `methods`, and how to `put` another one there."""

    function: Any
    put: Callable[[Any], None]
    methods: frozenset[str]


def is_litestar_handler(target: Any) -> bool:
    """Tell whether this is what Litestar's route decorators make of a function."""
    return any(kind.__module__ == "litestar.handlers.http_handlers.base" for kind in type(target).__mro__)


def handlers_of(controller: type, methods: Collection[str]) -> Iterator[Slot]:
    """Find the handlers of a class for some of these methods, inherited ones too: of Litestar, of Ellar, else by name.

    A Flask or Quart `View` has one for all methods.
    """
    for slot in _slots(controller, methods):
        if not slot.methods.isdisjoint(methods):
            yield slot


def _slots(controller: type, methods: Collection[str]) -> Iterator[Slot]:
    names = {_DISPATCH} if _is_plain_view(controller) else {method.lower() for method in methods}
    for name, found in getmembers_static(controller):
        if is_litestar_handler(found):
            yield Slot(found.fn, _litestar_put(controller, name, found), frozenset(found.http_methods))
        elif isfunction(found) and hasattr(found, _ELLAR_HANDLER):
            routes = getattr(found, _ELLAR_ROUTES, ())
            if all(hasattr(route, "methods") for route in routes):
                known = frozenset(method.upper() for route in routes for method in route.methods)
                yield Slot(found, _ellar_put(controller, name), known)
        elif name in names:
            known = frozenset(methods if name == _DISPATCH else {name.upper()})
            yield Slot(getattr_static(controller, name), _plain_put(controller, name), known)


def _is_plain_view(controller: type) -> bool:
    """Tell whether this is a view of Flask or Quart that dispatches by itself, as a `MethodView` does not."""
    is_view = any(kind.__module__ in _MODULES_OF_VIEWS for kind in controller.__mro__)
    return is_view and getattr_static(controller, _DISPATCH).__module__ not in _MODULES_OF_VIEWS


def leads_to(endpoint: Any, wrapper: Any) -> bool:
    """Tell whether a route's endpoint comes to this function: is it, is bound to it, is around it, is its class."""
    for layer in layers(endpoint):
        if layer is wrapper:
            return True
        if isclass(layer):
            return any(member is wrapper for _, member in getmembers_static(layer))
    return False


def layers(endpoint: Any) -> Iterator[Any]:
    """Give an endpoint, what it is bound to or around, and what is within that; a class is the last."""
    while endpoint is not None:
        yield endpoint
        if isclass(endpoint):
            return
        inner = [getattr(endpoint, name, None) for name in ("__func__", "func", "__wrapped__")]
        inner.append(getattr_static(type(endpoint), "__call__", None))
        endpoint = next((found for found in inner if callable(found) and not isinstance(found, WrapperType)), None)


def move_routes(function: Any, wrapper: Any) -> None:
    """Let the routes that Ellar's decorators, below `@Cache`, noted for a function lead to its wrapper."""
    for route in getattr(function, _ELLAR_ROUTES, ()):
        if route.endpoint is function:
            route.endpoint = wrapper


def _plain_put(controller: type, name: str) -> Callable[[Any], None]:
    return lambda wrapper: setattr(controller, name, wrapper)


def _litestar_put(controller: type, name: str, handler: Any) -> Callable[[Any], None]:
    def put(wrapper: Any) -> None:
        own = deepcopy(handler)  # the base class keeps its own
        own(wrapper)
        setattr(controller, name, own)

    return put


def _ellar_put(controller: type, name: str) -> Callable[[Any], None]:
    def put(wrapper: Any) -> None:
        routes = getattr(wrapper, _ELLAR_ROUTES, ())
        setattr(wrapper, _ELLAR_ROUTES, [route.model_copy(update={"endpoint": wrapper}) for route in routes])
        setattr(controller, name, wrapper)

    return put
