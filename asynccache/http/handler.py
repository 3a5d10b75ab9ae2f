"""One cached handler: what `@Cache` was told about it, its keys, and the quickest way to an answer from the store."""

from __future__ import annotations

import logging
from inspect import signature
from typing import TYPE_CHECKING, Any

from asynccache.context import ExecutionContext
from asynccache.core.entry import Kind
from asynccache.core.page_keys import SAFE_METHODS, digest, prefixed
from asynccache.errors import ConfigurationError
from asynccache.http.ask import NOTED, Ask, Keys, values_of
from asynccache.http.carried import has_own_state
from asynccache.http.current import SCOPE_KEY, installed
from asynccache.http.disguises import Name, Pairs
from asynccache.http.entrance import renewing
from asynccache.http.reads import Reads, is_watched
from asynccache.http.replay import Replay
from asynccache.http.settings import keyed_by_body
from asynccache.http.snapshot import NOBODY, SHARED, SHARED_STATE, Snapshot, Spec
from asynccache.http.variants import variant_of
from asynccache.http.visit import BYPASS, Visit

if TYPE_CHECKING:
    from collections.abc import Callable

    from asynccache.http.ask import Owner, Scope
    from asynccache.http.call import Call
    from asynccache.http.current import Installed
    from asynccache.http.settings import CacheSettings, KeyCallback

logger = logging.getLogger(__name__)
_USUAL = NOBODY | SHARED_STATE
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
        for method in settings.methods - SAFE_METHODS:
            keyed_by_body[method] = max(settings.max_body, keyed_by_body.get(method, 0))

    def hit(self, scope: Scope) -> Replay | None:
        """Answer a plain GET from a page in memory; None: look closer.

        This is all that most hits cost, and written out for that: no awaiting, no object but the answer.
        """
        known, found = self._known(scope), scope.get(SCOPE_KEY)
        if known is None or found is None:
            return None
        key, owner = known
        backend, version = found.service.get_backend(self.settings.backend), self.settings.version
        peek = backend.peek
        stored = None if peek is None else peek(key, version, Kind.PAGE)
        values: tuple[bytes | None, ...] = ()
        if type(stored) is Spec:
            values = values_of(scope["headers"], stored.names)
            stored = peek(variant_of(key, owner, stored, values), version, Kind.PAGE)
        if type(stored) is not Snapshot:
            return None
        record, now = stored.record, backend.clock()
        if now >= record.renew_at or record.values != values or record.owner != owner:
            return None
        conditions = record.conditions & ~SHARED
        if conditions and (conditions & ~_USUAL or "user" in scope or "auth" in scope or "session" in scope):
            return None
        if conditions & SHARED_STATE and has_own_state(scope, found.lifespan_state):
            return None
        return Replay(record.status, stored.pairs(now), stored.body)

    def _known(self, scope: Scope) -> tuple[str, Owner] | None:
        """Give the key and the owner of a plain GET that came before."""
        headers = scope["headers"]
        if not self._is_plain or not headers or type(headers) is Pairs or type(headers[0][0]) is Name:
            return None
        host = None
        for name, value in headers:
            if name in NOTED:
                if name != b"host" or host is not None:
                    return None
                host = value
        try:
            if scope["method"] != "GET":
                return None
            query = scope["query_string"]
            if query and self._keys.parameters is not None:
                query = self._keys.parameters.kept(query)
            return self._keys.known[
                scope["scheme"], host, scope["raw_path"], scope["path"], query, scope.get("root_path")
            ]
        except KeyError:
            return None

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
        if callback is not None and not await self._rekey(callback, ask, call, found):
            return call.recorded(await call.run(), None, BYPASS)
        if (ask.method not in SAFE_METHODS or ask.carries_body()) and not await self._with_body(ask, call):
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
        ask.key = key if ask.method in SAFE_METHODS else f"{ask.method} {key}"
        ask.owner = (self.name, "", "")  # whoever makes the key decides what shares it
        return True

    async def _with_body(self, ask: Ask, call: Call) -> bool:
        """Put the body's digest into the key; False where there is to be no body, or too much of it."""
        length = ask.body_length()
        if ask.method in SAFE_METHODS or length is None or length > self.settings.max_body:
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

    def tell_once(self, why: str, about: str = "answer") -> None:
        """Say in the log why this handler's answers are not stored, the first time that this is about."""
        if about not in self._told:
            self._told.add(about)
            logger.warning("%s is not cached: %s", self.name, why)
