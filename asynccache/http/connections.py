"""Requests that a framework looks into by itself: their headers and cookies tell only when somebody else does.

Starlette's `headers` copies what is in the scope, and FastAPI takes the cookies of every request, wanted or not.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from starlette.datastructures import Headers
from starlette.requests import HTTPConnection

from asynccache.http.disguises import Watcher, teach
from asynccache.http.passage import passing

if TYPE_CHECKING:
    from asynccache.http.reads import Reads

_starlettes: Any = vars(HTTPConnection)
_own_headers, _own_cookies = _starlettes["headers"].fget, _starlettes["cookies"].fget


class Cookies(dict[str, str]):
    """The cookies of a request that is watched."""

    watcher: Watcher

    def __reduce_ex__(self, protocol: Any) -> Any:
        self.watcher.read("cookie")
        return dict, (dict(dict.items(self)),)


teach(
    Cookies,
    dict,
    "__getitem__ get __contains__ keys values items __iter__ __reversed__ __len__ copy __repr__ __eq__ __ne__ __or__ "
    "__ror__ pop popitem setdefault",
    lambda cookies: cookies.watcher.read("cookie"),
)


def _watching(connection: Any) -> Reads | None:
    """Give what sees what is read of a request on its passage; None once everything is as it was."""
    passage = passing.get()
    if passage is None or passage.scope is not connection.scope or passage.reads.has_stopped:
        return None
    return passage.reads


def _headers(connection: Any) -> Headers:
    """Give the headers; those of a request on its passage are the very ones that are watched."""
    if _watching(connection) is not None and not hasattr(connection, "_headers"):
        connection._headers = Headers(raw=connection.scope["headers"])  # noqa: SLF001  # where Starlette keeps them
    return _own_headers(connection)  # type: ignore[no-any-return]


def _cookies(connection: Any) -> dict[str, str]:
    """Give the cookies; those of a request on its passage tell when they are looked at."""
    reads = _watching(connection)
    if reads is not None and not hasattr(connection, "_cookies"):
        headers = reads.originals().get("headers", ())
        cookies = Cookies(_own_cookies(HTTPConnection({"type": "http", "headers": headers})))
        cookies.watcher = reads
        connection._cookies = cookies  # noqa: SLF001  # where Starlette keeps them
    return _own_cookies(connection)  # type: ignore[no-any-return]


def watch_connections() -> None:
    """Let `headers` and `cookies` of requests on their passage tell; a second call changes nothing."""
    connection: Any = HTTPConnection
    connection.headers = property(_headers, doc=_own_headers.__doc__)
    connection.cookies = property(_cookies, doc=_own_cookies.__doc__)
