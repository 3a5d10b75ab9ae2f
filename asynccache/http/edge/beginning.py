"""Beginning to ask the app, by what was found and decided."""

from __future__ import annotations

from typing import TYPE_CHECKING

from asynccache.http.edge.attempt import Attempt
from asynccache.http.rules import Forward, Validate, conditions

if TYPE_CHECKING:
    from asynccache.http.edge.found import Found
    from asynccache.http.edge.incoming import Incoming
    from asynccache.http.edge.place import Place
    from asynccache.http.rights import Grant
    from asynccache.http.rules import Decision
    from asynccache.http.stored import Stored
    from asynccache.loading.flight import Flight


def attempt_at(place: Place, incoming: Incoming, grant: Grant[Found], flight: Flight | None) -> Attempt:
    """Begin to ask the app, by what was found, and with the right to store what it answers if there is one."""
    try:
        decision = _asking(place.decision(incoming, grant.look), grant.look.stored)
    except BaseException:
        if grant.right is not None:
            grant.right.stop()
        raise
    return Attempt(
        place=place,
        incoming=incoming,
        found=grant.look,
        decision=decision,
        flight=flight,
        right=grant.right,
        proof=grant.proof if grant.right is None else 0,
    )


def _asking(decision: Decision, stored: Stored | None) -> Validate | Forward:
    """Give how the app is asked, be it only to renew what answers meanwhile."""
    if isinstance(decision, Validate | Forward):
        return decision
    asked = () if stored is None else conditions(stored)
    return Validate("stale", asked) if asked else Forward("stale")
