"""Requests that a framework looks into by itself: their headers and cookies tell only when somebody else does.

Starlette's `headers` copies what is in the scope, and FastAPI takes the cookies of every request, wanted or not.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from starlette.datastructures import Headers
from starlette.requests import HTTPConnection

from asynccache.http.disguises import Watcher, teach
from asynccache.http.passage import passing

if TYPE_CHECKING:
    from asynccache.http.passage import Passage
    from asynccache.http.reads import Reads

_WHERE_FASTAPI_LOOKS = "fastapi.dependencies.utils"
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


def _watched(connection: Any) -> Passage | None:
    """Give the passage that sees what is read of a request; None where nobody watches, or no longer."""
    passage = passing.get()
    if passage is None or passage.scope is not connection.scope or passage.reads is None or passage.reads.has_stopped:
        return None
    return passage


def _headers(connection: Any) -> Headers:
    """Give the headers; those of a request on its passage are the very ones that are watched."""
    passage = _watched(connection)
    if passage is not None:
        if passage.taken_headers is not None and _is_taken_by_fastapi():
            return _taken(passage.reads, passage.taken_headers)
        if not hasattr(connection, "_headers"):
            connection._headers = Headers(raw=connection.scope["headers"])  # noqa: SLF001  # where Starlette keeps them
    return _own_headers(connection)  # type: ignore[no-any-return]


def _is_taken_by_fastapi() -> bool:
    """Tell whether it is FastAPI that looks, which fills its models from all headers to find those it declares."""
    return bool(sys._getframe(2).f_globals.get("__name__") == _WHERE_FASTAPI_LOOKS)  # noqa: SLF001  # no other way


def _taken(reads: Reads, names: frozenset[bytes]) -> Headers:
    """Give the headers of these names."""
    reads.taken(names)
    return Headers(raw=[pair for pair in reads.originals().get("headers", ()) if pair[0] in names])


def _cookies(connection: Any) -> dict[str, str]:
    """Give the cookies; those of a request on its passage tell when they are looked at."""
    passage = _watched(connection)
    if passage is not None and not hasattr(connection, "_cookies"):
        reads = passage.reads
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
