"""What a key callback is given: the request, the handler, and what the app knows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self, TypeVar

from asynccache.http.current import installed

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from injector import Injector
    from starlette.datastructures import URL, Headers, QueryParams
    from starlette.requests import Request

    from asynccache.http.reads import Reads

T = TypeVar("T")


class ExecutionContext:
    """The call that a key is made for.

    Who reads an identity through it (a cookie, the session, the user, Authorization, the client) and puts it into the
    key speaks for it: pages made for that identity are stored under that key.
    """

    def __init__(
        self,
        request: Request,
        handler: Callable[..., Any],
        args: tuple[Any, ...],
        kwargs: Mapping[str, Any],
        reads: Reads,
    ) -> None:
        self.request = request
        self.handler = handler
        self.arguments = dict(kwargs)
        self._args = args
        self._reads = reads

    def __repr__(self) -> str:
        return f"<ExecutionContext {self.method} {self.request.scope['path']} {self.handler.__qualname__}>"

    @property
    def url(self) -> URL:
        """The URL of the request."""
        return self.request.url

    @property
    def method(self) -> str:
        """The method of the request."""
        return self.request.method

    @property
    def path_params(self) -> dict[str, Any]:
        """The parameters in the path."""
        return self.request.path_params

    @property
    def query_params(self) -> QueryParams:
        """The parameters in the query."""
        return self.request.query_params

    @property
    def headers(self) -> Headers:
        """The headers of the request."""
        return self.request.headers

    @property
    def cookies(self) -> dict[str, str]:
        """The cookies of the request."""
        return self.request.cookies

    @property
    def user(self) -> Any:
        """The user, as the app's AuthenticationMiddleware found it; None where there is no such middleware."""
        if "user" not in self.request.scope:
            return None
        self._reads.read("user")
        return self.request.scope["user"]

    @property
    def controller(self) -> type | None:
        """The class of the handler; None for a function."""
        return next((type(arg) for arg in self._args[:1] if arg is not self.request), None)

    @property
    def app(self) -> Any:
        """The app that serves the request."""
        return self.request.app

    @property
    def injector(self) -> Injector:
        """The app's injector."""
        return installed(self.request.scope).injector

    def get(self, interface: type[T]) -> T:
        """Get an instance of this class from the app's injector."""
        return self.injector.get(interface)

    # As Ellar spells it

    def get_handler(self) -> Callable[..., Any]:
        """Return the handler."""
        return self.handler

    def get_class(self) -> type | None:
        """Return the class of the handler; None for a function."""
        return self.controller

    def get_args(self) -> tuple[Any, ...]:
        """Return the positional arguments of the call."""
        return self._args

    def get_app(self) -> Any:
        """Return the app that serves the request."""
        return self.app

    def switch_to_http_connection(self) -> Self:
        """Return this context, which is about HTTP only."""
        return self

    def get_client(self) -> Request:
        """Return the request."""
        return self.request
