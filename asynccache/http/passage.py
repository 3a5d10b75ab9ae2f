"""Where a framework makes the answer after the handler has returned, and calls dependencies before it.

Such a framework's integration lets every request through a `Passage`, as far in as it can: the wrapper of `@Cache`
finds it by a context variable, and marks it; what is sent from then on goes through the tee. What is read of the
request is watched from where its route is known to lead to a cached handler, before the first dependency; where there
is nothing before the wrapper that could read, from there on, and not at all on a hit. The nearest passage counts.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from starlette.requests import HTTPConnection

from asynccache.controllers import leads_to
from asynccache.http.bodies import NotedBody, PassageReads
from asynccache.http.capture import FILES, Tee
from asynccache.http.edge.note import EDGE_KEY
from asynccache.http.hiding import hiding
from asynccache.http.late_call import LateCall
from asynccache.http.mark import is_busy, set_busy
from asynccache.http.page_rules import Then
from asynccache.http.passing import leave, passing
from asynccache.http.reads import forget_cached, is_watched
from asynccache.http.settings import keyed_by_body

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from asynccache.http.current import Installed
    from asynccache.http.handler import Handler
    from asynccache.http.hiding import Hiding
    from asynccache.http.mark import Mark
    from asynccache.http.reads import Reads
    from asynccache.http.replay import Replay

_STAND_IN = (
    "@Cache answered from the store: what stands between it and the route, a decorator or an interceptor, was given a "
    "Response in place of what the handler returns; put @Cache above the decorator"
)
_SUCCESS, _REDIRECT = 200, 300


class Passage:
    """One request on its way through a framework.

    Args:
        scope: its ASGI scope, which is watched from `watch` until the passage ends.
        receive: where its body comes from.
        send: where the answer goes.
        found: the cache of its app.

    `sees_declared`: what is within sees nothing of the query but what the route declares. `taken_headers` are those
    that a framework, which goes through all of them, takes for its route. `reads` is what is seen to be read; None:
    nobody watches yet. `is_prepared`: its route has seen to it that nothing is read unseen before the wrapper.
    """

    __slots__ = (
        "_error",
        "_extensions",
        "_found",
        "_hiding",
        "_is_answered",
        "_is_inner",
        "_is_taken",
        "_outer",
        "_replay",
        "_send",
        "_tee",
        "_was_busy",
        "body",
        "is_prepared",
        "mark",
        "reads",
        "scope",
        "sees_declared",
        "taken_headers",
    )

    def __init__(self, scope: Scope, receive: Receive, send: Send, found: Installed) -> None:
        self.scope = scope
        self.mark: Mark | None = None
        self.body = NotedBody(receive, keyed_by_body.get(scope["method"], 0))
        self._is_taken = self._is_answered = False
        self._replay: Replay | None = None
        self._error: BaseException | None = None
        self._send = send
        self._tee: Tee | None = None
        self._extensions: Any = None
        self._hiding: Hiding | None = None
        self.sees_declared = False
        self.taken_headers: frozenset[bytes] | None = None
        self._found = found
        self._outer = passing.get()
        self._is_inner = self._was_busy = False
        self.is_prepared = False
        self.reads: Reads | None = None
        if self._outer is not None and self._outer.reads is not None:
            self.watch()  # which goes on, and would see what frameworks read for themselves

    async def run(self, app: ASGIApp) -> None:
        """Let the request through to what answers it."""
        token = passing.set(self)
        try:
            await app(self.scope, self.body.receive, self._pass_on)
        except Exception as error:
            if self._replay is not None and not self._replay.is_sent:
                error.add_note(_STAND_IN)
            if self.mark is not None:
                await self.mark.leave(Then.RETRY if self._tee is not None and self._tee.broken else Then.RUN)
            raise
        finally:
            if self.mark is None:
                self._put_back()
            else:
                await self._end(self.mark)
            leave(token)

    def watch(self) -> Reads:
        """Watch what is read from now on, unless somebody does."""
        if self.reads is None:
            outer = self._outer
            self._is_inner = outer is not None and outer.reads is not None and is_watched(self.scope)
            self.reads = outer.reads if outer and self._is_inner else self._watch(self._found)
        return self.reads  # type: ignore[return-value]  # an outer one's, which was looked at

    def hit(self, handler: Handler) -> Replay | None:
        """Answer from a page in memory, if that is all there is to do; nothing of it counts as read."""
        reads = self.reads
        if reads is None:
            return handler.hit(self.scope, self.scope["headers"])
        was_active, reads.active = reads.active, False
        try:
            scope = self.plain_scope() if EDGE_KEY in self.scope else self.scope
            return handler.hit(scope, reads.headers)
        finally:
            reads.active = was_active

    def call(self, make: Callable[..., Awaitable[Any]], args: tuple[Any, ...], kwargs: dict[str, Any]) -> LateCall:
        """Give the call of a cached handler that this request came to."""
        if self.reads is None:
            for argument in (*args, *kwargs.values()):
                if isinstance(argument, HTTPConnection):
                    forget_cached(argument)
            if not self.is_prepared:  # a route of somebody's own, which may have read anything
                self.watch().asked_all()
        return LateCall(self, make, args, kwargs)

    def admits(self, wrapper: Any) -> bool:
        """Tell whether it is the route that calls this cached handler: only then its answer is that of the request.

        As a dependency, or called by another handler or by itself, it is called plainly.
        """
        if self._is_taken or not ((endpoint := self._endpoint()) is wrapper or leads_to(endpoint, wrapper)):
            return False
        self._is_taken = True
        return True

    def _endpoint(self) -> Any:
        return self.scope.get("endpoint")

    def _watch(self, found: Installed) -> Reads:
        return PassageReads(self.body, self.scope, found)

    def plain_scope(self) -> Scope:
        """Give a copy of the scope in which nothing is watched."""
        reads = self.watch()
        with reads.paused():
            return {**self.scope, **reads.originals()}

    def hide(self, kept: bytes, *holders: Any) -> None:
        """Hide all but this of the query from what is within, and from requests that may have read it, until `show`."""
        self._hiding = self._hidden(kept, *holders).__enter__()
        self._send = self._hiding.lifting(self._send)

    @property
    def hides(self) -> bool:
        """Whether a part of the query is hidden."""
        return self._hiding is not None

    def show(self) -> None:
        """Show the whole query again."""
        if self._hiding is not None:
            self._hiding.__exit__()

    def _hidden(self, kept: bytes, *holders: Any) -> Hiding:
        return hiding(self.scope, kept, *holders)

    def record(self, mark: Mark | None, label: bytes) -> None:
        """Record what is sent from now on."""
        self.mark = mark
        self._tee = Tee(mark, label, self._send)
        if mark is not None:
            self._was_busy = is_busy()
            set_busy(True)
            extensions = self.scope.get("extensions")
            if extensions and not FILES.isdisjoint(extensions):
                self._extensions = extensions
                self.scope["extensions"] = {name: value for name, value in extensions.items() if name not in FILES}

    def replay(self, found: Replay) -> Any:
        """Answer with this, whatever a decorator or an interceptor makes of it: its part is in the page already."""
        self._replay, self._error = found, sys.exc_info()[1]
        return found

    def _pass_on(self, message: Message) -> Awaitable[None]:
        if self._replay is not None and (self._is_answered or not self._replay.is_sent):
            return self._put_replay(self._replay, message)
        return (self._send if self._tee is None else self._tee)(message)

    async def _put_replay(self, replay: Replay, message: Message) -> None:
        """Send what answers from the store in place of the first answer that comes by, unless that is another one."""
        if message["type"] != "http.response.start":
            return
        if self._is_refusal(message) or sys.exc_info()[1] is not self._error:
            self._replay = None
            await self._send(message)
            return
        self._is_answered = True
        await replay(self.scope, self.body.receive, self._send)

    def _is_refusal(self, message: Message) -> bool:
        """Tell whether somebody refuses to give what was found."""
        return not _SUCCESS <= message["status"] < _REDIRECT

    async def _end(self, mark: Mark) -> None:
        try:
            await mark.leave(Then.RETRY)
        finally:
            self._put_back()
            set_busy(self._was_busy)

    def _put_back(self) -> None:
        self.show()
        if self._extensions is not None:
            self.scope["extensions"] = self._extensions
        if self.reads is not None and not self._is_inner:
            self.reads.stop()
