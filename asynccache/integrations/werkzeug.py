"""What Flask and Quart have in common: seeing what a view reads of its request, of `g` and of the session.

A view takes no request among its arguments: it looks at `request`, `session` and `g`. For the time of one call these
very objects are of a class that tells what was asked of them; afterwards they are what they were.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from asynccache.http.hiding import Hiding
from asynccache.http.reads import Reads
from asynccache.http.snapshot import EMPTY_SESSION
from asynccache.integrations.werkzeug_disguises import (
    Environ,
    context_kind,
    disguise,
    give_twin,
    globals_kind,
    headers_kind,
    is_disguised,
    kept_by,
    request_kind,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from asynccache.http.page_rules import Seen

_HEADERS_OF = {
    "accept_mimetypes": "accept", "accept_charsets": "accept-charset", "accept_encodings": "accept-encoding",
    "accept_languages": "accept-language", "user_agent": "user-agent", "referrer": "referer", "origin": "origin",
    "authorization": "authorization", "cookies": "cookie", "cache_control": "cache-control", "pragma": "pragma",
    "date": "date", "max_forwards": "max-forwards", "range": "range", "if_range": "if-range", "if_match": "if-match",
    "if_none_match": "if-none-match", "if_modified_since": "if-modified-since",
    "if_unmodified_since": "if-unmodified-since", "content_type": "content-type", "mimetype": "content-type",
    "mimetype_params": "content-type", "is_json": "content-type", "content_encoding": "content-encoding",
    "content_md5": "content-md5", "access_control_request_headers": "access-control-request-headers",
    "access_control_request_method": "access-control-request-method",
}  # fmt: skip
_IDENTITY_OF = {"remote_addr": "client", "access_route": "client", "remote_user": "user"}
_HARMLESS = frozenset({
    "PATH_INFO", "QUERY_STRING", "REQUEST_METHOD", "SCRIPT_NAME", "HTTP_HOST", "SERVER_NAME", "SERVER_PORT",
    "SERVER_PROTOCOL", "SERVER_SOFTWARE", "GATEWAY_INTERFACE", "wsgi.version", "wsgi.url_scheme", "wsgi.input",
    "wsgi.errors", "wsgi.multithread", "wsgi.multiprocess", "wsgi.run_once", "wsgi.input_terminated",
    "wsgi.file_wrapper", "werkzeug.request", "werkzeug.socket", "werkzeug.server.shutdown",
})  # fmt: skip
_MADE_OF_QUERY = ("args", "values", "url", "full_path")
_PLAIN_SESSIONS = frozenset({"flask.sessions", "quart.sessions"})


class ViewReads(Reads):
    """What a view reads until `stop`.

    Args:
        scope: the ASGI scope that stands for the request.
        context: the request's context, itself and no proxy of it.
        g: what the application keeps for this request.
    """

    def __init__(self, scope: Any, context: Any, g: Any) -> None:
        request = context.request
        self._undo: list[Callable[[], None]] = []
        self._found = {f"g.{name}" for name in kept_by(g)} | {f"request.{name}" for name in kept_by(request)}
        self._missed: set[str] = set()
        self._written: set[str] = set()
        self._has_met_session = False
        self._session = plain_session(context)
        self._session_is_plain = type(self._session).__module__ in _PLAIN_SESSIONS
        self._session_was_empty = not self._session
        self._afterwards = kept_by(context)["_after_request_functions"]
        self._were_afterwards = len(self._afterwards)
        super().__init__({name: value for name, value in scope.items() if name != "session"}, None, {})
        self._watch_request(request)
        for owner, kind in ((g, globals_kind), (context, context_kind)):
            self._undo.append(disguise(owner, kind, self))

    def header(self, name: object) -> None:
        """Note that a header was asked for; under the name of one, Quart says the client's address."""
        if isinstance(name, str) and name.lower() == "remote-addr":
            self.read("client")
        elif isinstance(name, str):
            self.asked(name.lower().replace("_", "-").encode("latin-1", "replace"), found=False)

    def attribute(self, name: str, *, of_framework: bool, is_there: bool) -> None:
        """Note that an attribute of the request was looked at.

        One that the framework knows says a header, or who asks, or nothing of note. Another is somebody's, unless the
        class of the request has it: then its code is seen reading.
        """
        if name in _HEADERS_OF:
            self.header(_HEADERS_OF[name])
        elif name in _IDENTITY_OF:
            self.read(_IDENTITY_OF[name])
        elif not of_framework and not is_there:
            self.kept_read(f"request.{name}")

    def environ_item(self, key: object) -> None:
        """Note that an item of the WSGI environ was looked at."""
        if not isinstance(key, str) or key in _HARMLESS:
            return
        if key.startswith("HTTP_"):
            self.header(key.removeprefix("HTTP_"))
        elif key in {"CONTENT_TYPE", "CONTENT_LENGTH"}:
            self.header(key)
        elif key in {"REMOTE_ADDR", "REMOTE_PORT"}:
            self.read("client")
        else:
            self.read("user" if key in {"REMOTE_USER", "AUTH_TYPE"} else f"environ {key}")

    def kept_read(self, what: str) -> None:
        """Note that something kept on `g` or the request was looked at: somebody's, unless the view itself put it."""
        if not self.active or what in self._written:
            return
        if what in self._found:
            self.read(what)
        else:
            self._seen = None
            self._missed.add(what)

    def kept_written(self, what: str) -> None:
        """Note that the view put something of its own on `g` or the request."""
        if self.active:
            self._seen = None
            self._missed.discard(what)
            self._written.add(what)

    def session_met(self, *, flashes: bool = False) -> None:
        """Note that the session was asked for, or messages that were taken out of it before."""
        if self.active:
            self._seen = None
            self._has_met_session = True
            if flashes:
                self.read("flashes")

    def conditions(self) -> int:
        """Tell what must hold of other requests; an empty session counts only where it was looked at."""
        found = super().conditions()
        return found if self._has_met_session else found & ~EMPTY_SESSION

    def _sum_up(self) -> Seen:
        seen = super()._sum_up()
        mine = set(self._missed)
        is_empty = self._session_is_plain and self._session_was_empty and not self._session
        if self._has_met_session and not is_empty:
            mine.add("session")
        if len(self._afterwards) > self._were_afterwards:  # what those do to the response would be lost on hits
            mine.add("after_this_request")
        return replace(seen, identity=seen.identity | mine)

    def stop(self) -> None:
        """Put everything back."""
        super().stop()
        while self._undo:
            self._undo.pop()()

    def _watch_request(self, request: Any) -> None:
        kept = kept_by(request)
        headers = kept["headers"]
        give_twin(headers)
        if "environ" in kept:
            self._watch_environ(kept["environ"], [kept, kept_by(headers)])
        if "scope" in kept:
            self._exchange(kept, "scope", self._scope)
        for owner, kind in ((headers, headers_kind), (request, request_kind)):
            self._undo.append(disguise(owner, kind, self))

    def _watch_environ(self, before: dict[str, Any], holders: list[dict[str, Any]]) -> None:
        watched = Environ(before)
        watched.watcher = self
        self._undo.append(lambda: before.update(watched))
        for kept in holders:
            self._exchange(kept, "environ", watched)

    def _exchange(self, kept: dict[str, Any], name: str, value: Any) -> None:
        before = kept[name]
        kept[name] = value
        self._undo.append(lambda: kept.__setitem__(name, before))


def hidden_query(request: Any, kept: bytes) -> Hiding:
    """Hide all but this of a request's query, wherever it keeps it."""
    return Hiding(partial(_put_query, request), kept_by(request)["query_string"], kept)


def _put_query(request: Any, query: bytes) -> None:
    kept = kept_by(request)
    kept["query_string"] = query
    for name in _MADE_OF_QUERY:
        kept.pop(name, None)
    if "environ" in kept:
        dict.__setitem__(kept["environ"], "QUERY_STRING", query.decode("latin-1"))
    if "scope" in kept:
        dict.__setitem__(kept["scope"], "query_string", query)


def plain_session(context: Any) -> Any:
    """Give the session of a request's context, without anybody having asked for it."""
    kept = kept_by(context)
    return kept.get("_session", kept.get("session"))


def is_watched(context: Any) -> bool:
    """Tell whether a cached view runs for this request already."""
    return is_disguised(context)
