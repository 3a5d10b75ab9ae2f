"""Renewing what is stored while somebody is answered with it: a copy of the request goes to the app (RFC 5861 3)."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import anyio

from asynccache.http.edge.beginning import attempt_at
from asynccache.http.edge.forwarding import forward, set_within
from asynccache.http.edge.note import EDGE_KEY
from asynccache.http.entrance import without_conditions
from asynccache.http.nobody import Nobody
from asynccache.http.rights import Grant, right_to
from asynccache.http.rules import Serve
from asynccache.loading.circles import inside
from asynccache.loading.outcomes import GONE, Gone, Landed

if TYPE_CHECKING:
    from asynccache.http.edge.found import Found
    from asynccache.http.edge.incoming import Incoming
    from asynccache.http.edge.place import Place
    from asynccache.loading.flight import Flight

logger = logging.getLogger(__name__)
LONGEST_SECONDS = 60.0
"""How long the app may take to renew something: others may have to wait for it in the end."""


def renew_behind(place: Place, incoming: Incoming, found: Found) -> Flight:
    """Begin to renew what was found, in a task that the service owns, unless somebody does; give who waits for it."""
    flight, leads = place.service.flights.join(place.shelf.flight_key(found))
    if leads:
        with inside(flight, alone=True):
            name = f"asynccache renews {incoming.key!r:.80}"
            place.service.loader.runner.own(flight, _renewed(place, copied(incoming), flight), name)
    return flight


def copied(incoming: Incoming) -> Incoming:
    """Give a request like this one, of nobody, without a body and without conditions."""
    scope, nobody = incoming.scope, Nobody()
    copy = {
        **{name: value for name, value in scope.items() if name != EDGE_KEY},  # who is around does not wait for it
        "method": "GET",
        "headers": without_conditions(scope["headers"]),
        "state": dict(scope.get("state") or {}),
        "extensions": {},
    }
    return incoming.like(copy, nobody.receive, nobody.send)


async def _renewed(place: Place, incoming: Incoming, flight: Flight) -> Gone:
    set_within(within=False)
    try:
        with anyio.move_on_after(LONGEST_SECONDS):
            await _renew(place, incoming, flight)
    except Exception:  # whoever reads it meanwhile has what is stored
        logger.warning("%s could not be renewed", incoming.request.url, exc_info=True)
    return GONE


async def _renew(place: Place, incoming: Incoming, flight: Flight) -> None:
    proof = flight.ask()
    found = await place.seek(incoming)
    decision, shelved = place.decision(incoming, found), found.shelved
    if shelved is not None and isinstance(decision, Serve) and not decision.stale:  # somebody else has done it
        flight.settle(Landed(shelved, lambda: shelved, proof))
        return
    right = await right_to(place.shelf, found)
    if right is not None:
        await forward(attempt_at(place, incoming, Grant(found, right), flight))
