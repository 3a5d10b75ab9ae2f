"""Requests that a framework looks into by itself: their headers and cookies tell only when somebody else does.

Starlette's `headers` copies what is in the scope, and FastAPI takes the cookies of every request, wanted or not.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from starlette.datastructures import Headers
from starlette.requests import HTTPConnection

from asynccache.http.disguises import Watcher, teach
from asynccache.http.passing import passing

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


def _watching(connection: Any) -> tuple[Passage, Reads] | None:
    """Give who sees what is read of a request; None where nobody watches, or no longer."""
    passage = passing.get()
    if passage is None or passage.scope is not connection.scope:
        return None
    reads = passage.reads
    return None if reads is None or reads.has_stopped else (passage, reads)


def _headers(connection: Any) -> Headers:
    """Give the headers; those of a request on its passage are the very ones that are watched."""
    if (watching := _watching(connection)) is not None:
        passage, reads = watching
        if passage.taken_headers is not None and _is_taken_by_fastapi():
            return _taken(reads, passage.taken_headers)
        if "_headers" not in connection.__dict__:
            connection._headers = Headers(raw=connection.scope["headers"])  # noqa: SLF001  # where Starlette keeps them
    return _own_headers(connection)  # type: ignore[no-any-return]


def _is_taken_by_fastapi() -> bool:
    """Tell whether it is FastAPI that looks, which fills its models from all headers to find those it declares."""
    return bool(sys._getframe(2).f_globals.get("__name__") == _WHERE_FASTAPI_LOOKS)  # noqa: SLF001  # no other way


def _taken(reads: Reads, names: frozenset[bytes]) -> Headers:
    """Give the headers of these names."""
    reads.taken(names)
    return Headers(raw=[pair for pair in reads.headers if pair[0] in names])


def _cookies(connection: Any) -> dict[str, str]:
    """Give the cookies; those of a request on its passage tell when they are looked at."""
    if (watching := _watching(connection)) is not None and "_cookies" not in connection.__dict__:
        connection._cookies = _watched_cookies(watching[1])  # noqa: SLF001  # where Starlette keeps them
    return _own_cookies(connection)  # type: ignore[no-any-return]


def _watched_cookies(reads: Reads) -> Cookies:
    if any(name == b"cookie" for name, _ in reads.headers):
        cookies = Cookies(_own_cookies(HTTPConnection({"type": "http", "headers": reads.headers})))
    else:
        cookies = Cookies()
    cookies.watcher = reads
    return cookies


def watch_connections() -> None:
    """Let `headers` and `cookies` of requests on their passage tell; a second call changes nothing."""
    connection: Any = HTTPConnection
    connection.headers = property(_headers, doc=_own_headers.__doc__)
    connection.cookies = property(_cookies, doc=_own_cookies.__doc__)
