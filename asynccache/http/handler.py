"""One cached handler: what `@Cache` was told about it, its keys, and the quickest way to an answer from the store."""

from __future__ import annotations

import logging
from inspect import signature
from typing import TYPE_CHECKING, Any

from asynccache.context import ExecutionContext
from asynccache.core.page_keys import READING, digest, prefixed
from asynccache.errors import ConfigurationError
from asynccache.http.ask import Ask, Keys
from asynccache.http.carried import carried_login, has_session, is_nobodys
from asynccache.http.current import SCOPE_KEY, installed
from asynccache.http.early import early_page
from asynccache.http.edge.note import note_in
from asynccache.http.entrance import renewing
from asynccache.http.outer import forbid, is_for_nobody, is_told
from asynccache.http.quick import page_in_memory, plain_host
from asynccache.http.reads import Reads, is_watched
from asynccache.http.replay import Replay
from asynccache.http.settings import keyed_by_body
from asynccache.http.statement import speaks_for_itself
from asynccache.http.variants import BYPASS
from asynccache.http.visit import Visit

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from asynccache.http.ask import Owner, Scope
    from asynccache.http.call import Call
    from asynccache.http.current import Installed
    from asynccache.http.edge.note import Send
    from asynccache.http.headers import Pair
    from asynccache.http.settings import CacheSettings, KeyCallback
    from asynccache.http.snapshot import Record

logger = logging.getLogger(__name__)
_SPEAKS = {b"cookie": "cookie", b"authorization": "authorization"}


class Handler:
    """What `@Cache` knows of the handler it stands before.

    Args:
        function: the handler itself.
        settings: what the decorator was told.

    `shares_private`: an answer to a request with Authorization was seen to be for all.
    """

    def __init__(self, function: Callable[..., Any], settings: CacheSettings) -> None:
        self.function = function
        self.wrapper: Callable[..., Any] | None = None
        self.settings = settings
        self.shares_private = False
        self.name = f"{function.__module__}.{function.__qualname__}"
        self._keys = Keys(self.name, prefixed(settings.key_prefix), settings.parameters)
        self._is_plain = settings.make_key_callback is None and "GET" in settings.methods
        self._spoken = frozenset(_SPEAKS[name] for name in settings.vary if name in _SPEAKS)
        self._told: set[str] = set()
        self._signature = signature(function)
        if settings.policy.keeps_times:
            renewing.add(self.name)
        for method in settings.methods - READING:
            keyed_by_body[method] = max(settings.max_body, keyed_by_body.get(method, 0))

    def hit(self, scope: Scope, headers: Sequence[Pair]) -> Replay | None:
        """Answer a plain GET with these headers from a page in memory; None: look closer."""
        found = scope.get(SCOPE_KEY)
        if found is None or not self._is_plain or (plain := plain_host(scope, headers)) is None:
            return None
        host, nameless = plain
        try:
            query = scope["query_string"]
            if query and self._keys.parameters is not None:
                query = self._keys.parameters.kept(query)
            key, owner = self._keys.known[
                scope["scheme"], host, scope["raw_path"], scope["path"], query, scope.get("root_path")
            ]
        except KeyError:
            return None
        return self._in_memory(found, scope, headers, (key, owner), nameless=nameless)

    def _in_memory(
        self, found: Installed, scope: Scope, headers: Sequence[Pair], place: tuple[str, Owner], *, nameless: bool
    ) -> Replay | None:
        """Answer a plain GET, in which nothing or something may tell who asks, from a page in memory."""
        if (looked := page_in_memory(self, found, scope, headers, *place)) is None:
            return None
        page, now = looked
        states = nameless and not is_for_nobody(scope, page.record)
        return Replay(page.record.status, page.pairs(now, states=states), page.body)

    async def answer(self, call: Call) -> Any:
        """Answer a request: with the stored page, or by the handler."""
        scope, settings = call.scope, self.settings
        if scope["type"] != "http":
            raise ConfigurationError(f"@Cache on {self.name}: only HTTP responses can be cached, not a {scope['type']}")
        if scope["method"] not in settings.methods or is_watched(scope):
            return await call.run()
        found = installed(scope)
        self._hide(call)
        ask = Ask(scope, self._keys)
        ask.spoken = self._spoken
        callback = settings.make_key_callback
        if callback is not None:
            if not await self._rekey(callback, ask, call, found):
                forbid(scope, "its key callback gave none")
                return call.recorded(await call.run(), None, BYPASS)
            plain = plain_host(scope, ask.headers)
            place = ask.key, ask.owner
            if plain and (page := self._in_memory(found, scope, ask.headers, place, nameless=plain[1])) is not None:
                return call.replayed(page)
        if (ask.method not in READING or ask.carries_body()) and not await self._with_body(ask, call):
            return call.recorded(await call.run(), None, BYPASS)
        if ask.is_private and (settings.public or "authorization" in ask.spoken):
            ask.is_private = False
        return await Visit(self, ask, call, found).answer()

    def _hide(self, call: Call) -> None:
        """Hide from the handler what its pages are not kept by, whether this answer is going to be stored or not."""
        if self.settings.is_by_declared and not call.sees_declared:
            raise ConfigurationError(
                f'@Cache(query="declared") on {self.name}: nothing here declares the parameters of a query, as the '
                'routes of FastAPI and Litestar do: name those that count, query=["page"]'
            )
        query = call.scope.get("query_string", b"")
        if (kept := self._keys.kept(query)) is not query:
            call.hide(kept)

    async def _rekey(self, callback: KeyCallback, ask: Ask, call: Call, found: Installed) -> bool:
        """Take the key that the callback makes; False where it makes none."""
        reads = Reads(ask.scope, call.request, found.lifespan_state)
        try:
            context = ExecutionContext(call.request, self.function, call.args, call.kwargs, reads)
            key = await call.io.call(callback, context, self.settings.key_prefix)
            ask.spoken |= reads.spoken()
        finally:
            reads.stop()
        if key is None:
            return False
        if not isinstance(key, str):
            raise TypeError(
                f"the make_key_callback of {self.name} returned a {type(key).__name__}: a str, or None for no cache"
            )
        ask.key = key if ask.method in READING else f"{ask.method} {key}"
        ask.owner = (self.name, "", "")  # whoever makes the key decides what shares it
        return True

    async def _with_body(self, ask: Ask, call: Call) -> bool:
        """Put the body's digest into the key; False where there is to be no body, or too much of it."""
        length = ask.body_length()
        if ask.method in READING or length is None or length > self.settings.max_body:
            return False
        ask.key = f"{ask.key}#{digest(await call.body() if length else b'')}"
        return True

    def tags(self, call: Call) -> tuple[str, ...]:
        """Give the tags of a page, made of the handler's arguments and of the parameters in the path.

        Raises `ConfigurationError` for a name that is none of these, `ValueError` where they make no tag.
        """
        templates = self.settings.tags
        if not templates.names:
            return templates.written({})
        bound = self._signature.bind(*call.args, **call.kwargs)
        bound.apply_defaults()
        return templates.written({**call.scope.get("path_params", {}), **bound.arguments})

    # What is around the app

    def tell_outer(
        self, scope: Scope, headers: Iterable[Pair], place: tuple[str, Owner], found: Installed, record: Record
    ) -> None:
        """Tell the `CacheMiddleware` around of a page that answers a request: its tags, and its key and owner."""
        note, settings = note_in(scope), self.settings
        if note is None:
            if settings.edge and "edge" not in self._told:
                self._told.add("edge")
                logger.info("%s answers nothing before routing: no CacheMiddleware is around its app", self.name)
            return
        note.add_tags(record.tags)
        if note.is_elsewhere(scope, headers):
            note.forbid("it is the page of another place than that which was asked for")
            return
        if is_told(scope, headers, record):
            note.keep_anonymous()
        elif settings.cache_control is not None and not speaks_for_itself(record):
            note.forbid("it may be for those only whom the guards above @Cache let in")
        if settings.edge and scope["method"] in READING and is_nobodys(scope, headers):
            note.remember(self, place[0], (place[1], found))
            note.forbid("its handler answers before routing")

    def reply_at_edge(self, scope: Scope, key: str, owner: Any) -> tuple[int, list[Pair], bytes] | None:
        """Give the page in memory that answers this plain GET of who cannot be known; None: look closer.

        It is a status, headers in a list of the caller's own, and a body.
        """
        headers = scope["headers"]
        plain = plain_host(scope, headers)
        if plain is None or not plain[1]:
            return None
        if ("session" in scope and has_session(scope)) or carried_login(scope) is not None:
            return None
        if (looked := page_in_memory(self, owner[1], scope, headers, key, owner[0])) is None:
            return None
        page, now = looked
        pairs = page.pairs(now, states=not is_for_nobody(scope, page.record))
        return page.record.status, [*page.date, *pairs], page.body

    async def answer_at_edge(self, scope: Scope, send: Send, key: str, owner: Any) -> bool:
        """Send the stored page that answers this request before it is routed; False: there is none."""
        owner, found = owner
        page = await early_page(self, found, scope, key, owner)
        if page is None:
            return False
        await page.go(send)
        return True

    def tell_once(self, why: str, about: str = "answer") -> None:
        """Say in the log why this handler's answers are not stored, the first time that this is about."""
        if about not in self._told:
            self._told.add(about)
            logger.warning("%s is not cached: %s", self.name, why)
