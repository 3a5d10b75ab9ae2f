"""Shelves on stores of all kinds, and loads that end when a test says so."""

from dataclasses import dataclass

from asynccache import CacheService
from asynccache.core.claims import LEASE_SECONDS, Lead
from asynccache.core.url_keys import group_tags, key_of_url
from asynccache.http.edge.found import Found
from asynccache.http.edge.shelf import Shelf
from asynccache.http.requests import Request
from asynccache.http.rights import PageRight
from asynccache.http.selecting import select
from asynccache.http.stored import Stored
from asynccache.http.vary import vary_values
from asynccache.loading.flight import Flight
from asynccache.loading.outcomes import GONE
from asynccache.plan.io import LOOP

URL = "https://h/products?page=2"
KEY = key_of_url(URL)
NOW = 1_800_000_000.0
A = (b"x-a",)
B = (b"x-b",)
INVALIDATIONS = {
    "url": lambda service: service.invalidate_url_async(URL),
    "tag": lambda service: service.invalidate_tags_async("red"),
    "group": lambda service: service.invalidate_tags_async(*group_tags(KEY, ("g",))),
}
BEFORE = {  # what is there, and what names the answer to x-a: 1 has
    "nothing": ([], ()),
    "nothing, and it varies": ([], A),
    "it": ([((), "1")], ()),
    "it, and it varies now": ([((), "1")], A),
    "another variant": ([(A, "2")], A),
    "its own variant": ([(A, "1")], A),
    "another, by other fields": ([(B, "2")], A),
    "others, by other fields": ([(A, "2"), (B, "2")], A),
    "another, and it does not vary any more": ([(A, "2")], ()),
    "one that does not vary beside it": ([(A, "2"), ((), "3")], A),
}


def fields(**headers):
    """Give the lines of a request: `x_a="1"` is `X-A: 1`."""
    return [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]


def response(body=b"body", *, names=(), headers=(), **more):
    """Give a response to a request with these headers."""
    values = vary_values(headers, names)
    more = {"generated_at": NOW, "received_at": NOW, "lifetime": 60.0, **more}
    return Stored(200, ((b"date", b"Fri, 15 Jan 2027 08:00:00 GMT"),), body, names=names, values=values, **more)


@dataclass
class Load:
    """A request on its way to the app."""

    headers: list
    found: Found
    flight: Flight | None
    right: PageRight | None


class Node:
    """What one process has: a service and a shelf on its backend."""

    def __init__(self, backend, shelf=Shelf):
        self.backend = backend
        self.service = CacheService(default=backend)
        self.shelf = shelf(backend, self.service.flights, None, LOOP)

    async def find(self, **headers):
        """Look for what answers a request; give its body."""
        found = await self.look(**headers)
        return None if found.shelved is None else found.shelved.body

    async def look(self, **headers):
        request = Request("GET", fields(**headers))
        return await self.shelf.find(KEY, request.headers, lambda candidates: select(request, candidates))

    async def begin(self, **headers):
        """Look, and ask for the right to store what comes, unless this process gets it already."""
        found = await self.look(**headers)
        flight, leads = self.service.flights.join(self.shelf.flight_key(found))
        if not leads:
            return Load(fields(**headers), found, None, None)
        claimed = await self.shelf.claim(found, LEASE_SECONDS, anew=True)
        right = self.shelf.right(claimed.ticket) if isinstance(claimed, Lead) else None
        return Load(fields(**headers), found, flight, right)

    async def end(self, load, names=(), body=b"body", *, keep_for=60.0, tags=(), **more):
        """Store what came."""
        stored = response(body, names=names, headers=load.headers, **more)
        return await self.end_with(load, stored, keep_for=keep_for, tags=tags)

    async def end_with(self, load, stored, *, keep_for=60.0, tags=()):
        """Store this; None where somebody else has the right."""
        kept = None
        try:
            if load.right is not None:
                kept = await self.shelf.store(load.found, stored, keep_for, load.flight, load.right.ticket, tags=tags)
        finally:
            if load.right is not None:
                load.right.stop() if kept is not None and kept.is_stored else await load.right.give_up()
            if load.flight is not None:
                load.flight.settle(GONE)
        return kept

    async def store(self, names=(), body=b"body", *, tags=(), keep_for=60.0, more=None, **headers):
        """Store the answer to a request."""
        load = await self.begin(**headers)
        return await self.end(load, names, body, tags=tags, keep_for=keep_for, **(more or {}))
