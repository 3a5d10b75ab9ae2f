"""`CacheMiddleware`: a shared HTTP cache in front of any ASGI app, which goes by what the app says in its headers."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from asynccache.errors import ConfigurationError
from asynccache.http.cache_status import member
from asynccache.http.edge.exchange import Exchange
from asynccache.http.edge.forwarding import passed
from asynccache.http.edge.home import Home
from asynccache.http.edge.incoming import incoming_of
from asynccache.http.edge.keys import UrlKeys
from asynccache.http.edge.memory import Memory
from asynccache.http.edge.place import Place
from asynccache.http.edge.quick import Quick
from asynccache.http.edge.settings import EdgeSettings, hosts_of, name_of, rules_of, seconds_of
from asynccache.http.edge.shelf import Shelf
from asynccache.http.edge.writing import write
from asynccache.http.profile import MAX_BODY
from asynccache.http.requests import READING
from asynccache.http.settings import expect
from asynccache.plan.io import LOOP

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from asynccache.config import BackendLike
    from asynccache.http.edge.incoming import App, Incoming, Receive, Scope, Send
    from asynccache.model import Version
    from asynccache.service import CacheService

_KEEP_SECONDS = 86_400.0


class CacheMiddleware:
    """Answer requests by stored responses of the app behind it, as RFC 9111 has a shared cache do it.

    What is stored, for how long and for whom is what the app says: `Cache-Control` (or a targeted field before it, RFC
    9213), `Expires`, `Vary`, `ETag`, `Last-Modified`. The app itself is not looked into: what it reads of a request
    beside the URL and does not name in `Vary`, be it a header such as `X-Forwarded-Host` or `X-HTTP-Method-Override`,
    the session or the client's address, must not change an answer that it lets be stored.

    A hit skips all that stands behind this middleware: routing, guards, dependencies, access logs of the app. Put
    whatever must see every request in front of it.

    Requests for a URL that is being fetched wait for that, in this process and, where the backend has locks, in all; a
    store that is away fails no request. Each response says what happened in `Cache-Status` (RFC 9211). A method that
    is not safe and succeeds invalidates its URL (RFC 9111 4.4) and the groups that its response names (RFC 9875), and
    so do `service.invalidate_url`, `invalidate_tags` and `clear`.

    Args:
        app: any ASGI app.
        service: where to store: a `CacheService`, a backend, a URL or a word such as `"redis"`; a service made for the
            last three is opened and closed with the app. None: what `install` has put on the app.
        backend: the name of the service's backend; or, where no service is given, a backend or a URL.
        profile: `"safe"` stores only what says explicitly how long it is fresh, nothing that sets a cookie, and for
            requests with cookies nothing that is not `public`; reloads are answered from the store. `"rfc9111"` does
            all that the RFC allows, and obeys the `Cache-Control` of requests.
        targets: the names of the fields that replace `Cache-Control`, if the response has them, the first one first.
        default_ttl: seconds for which a response is fresh that does not say it; None: it is not stored.
        max_body: bytes of the longest body that is stored; longer ones pass as they come.
        keep_stale: seconds for which a response is kept after its end: to be validated with the app, or to be sent
            where the app fails.
        etags: give a response with status 200 that has no `ETag` one that is made of its body, so that clients can ask
            whether it has changed. It is a strong one: let nothing in front change bodies, as compression does.
        whole_ranges: where a part is asked for that is not stored, fetch all, store it, and answer with the part; else
            the request goes to the app as it is.
        timeout: seconds after which a stale response is sent where the app has not answered and nothing forbids it;
            what the app answers is stored when it comes. None: as long as the app takes.
        host: the hosts to cache for: None, whatever the request says; a name that stands for all of them, where the app
            does not look at the host; or a collection of names, and all other requests pass. Without one of these, see
            that the server in front checks the Host field.
        version: of the keys; None: the backend's own.
        key_prefix: keeps the responses of several middlewares apart that share a backend.
        name: what `Cache-Status` calls this cache.
        debug: add the key, and details, to `Cache-Status`.
        clock: gives seconds since 1970, for tests.

    Raises `ConfigurationError` or `TypeError`, at once, for an argument that makes no sense.
    """

    def __init__(  # noqa: PLR0913  # users give them by name
        self,
        app: App,
        service: CacheService | BackendLike | None = None,
        *,
        backend: BackendLike = "default",
        profile: str = "safe",
        targets: Collection[str] = ("CDN-Cache-Control",),
        default_ttl: float | None = None,
        max_body: int = MAX_BODY,
        keep_stale: float = _KEEP_SECONDS,
        etags: bool = False,
        whole_ranges: bool = False,
        timeout: float | None = None,
        host: str | Collection[str] | None = None,
        version: Version = None,
        key_prefix: str = "",
        name: str = "asynccache",
        debug: bool = False,
        clock: Callable[[], float] = time.time,
    ) -> None:
        _check_texts(app, version, key_prefix, clock)
        expect("debug", debug, bool)
        expect("etags", etags, bool)
        expect("whole_ranges", whole_ranges, bool)
        fixed, hosts = hosts_of(host)
        self.app = app
        self._home = Home(app, service, backend)
        self._version = version
        self._settings = EdgeSettings(
            rules=rules_of(profile, targets, default_ttl, max_body, keep_stale),
            host=fixed,
            hosts=hosts,
            name=name_of(name),
            debug=debug,
            etags=etags,
            whole_ranges=whole_ranges,
            timeout=None if timeout is None else seconds_of("timeout", timeout),
            clock=clock,
        )
        self._keys = UrlKeys(key_prefix)
        self._key_prefix = key_prefix
        self._memory = Memory()
        self._quick = Quick(self._keys, self._settings, self._memory, version, member(name))

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self._settings.rules.profile.name} of {self.app!r:.80}>"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request; what is none of HTTP passes."""
        if scope["type"] != "http":
            await self._home.passed(scope, receive, send)
            return
        service, backend = self._home.found(scope)
        reply = self._quick.reply(scope, service, backend) if scope["method"] == "GET" else None
        if reply is None:
            incoming = incoming_of(scope, receive, send, self._keys, self._settings)
            shelf = Shelf(backend, service.flights, self._version, LOOP)
            await self._exchange(Place(self.app, self._settings, self._memory, service, backend, shelf), incoming)
            return
        status, headers, body = reply
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    async def _exchange(self, place: Place, incoming: Incoming) -> None:
        telling = place.telling(incoming)
        if not incoming.key:
            await passed(place, incoming, telling.forwarded("bypass", detail="another host"))
        elif incoming.method not in READING:
            await write(place, incoming, self._key_prefix)
        elif not await self._answered_early(incoming):
            await Exchange(place, incoming).answer()

    async def _answered_early(self, incoming: Incoming) -> bool:
        """Let a handler answer that has asked for it, before the request is routed."""
        remembered = self._memory.handler(incoming.key)
        if remembered is None:
            return False
        handler, key, owner = remembered
        return await handler.answer_at_edge(incoming.scope, incoming.send, key, owner)


def _check_texts(app: object, version: object, key_prefix: object, clock: object) -> None:
    if not callable(app):
        raise TypeError(f"app={app!r:.80}: give an ASGI app")
    expect("key_prefix", key_prefix, str)
    if version is not None:
        expect("version", version, str, int)
    if not callable(clock):
        raise ConfigurationError(f"clock={clock!r:.80}: give a function that returns seconds since 1970")
