"""An answer under way that others may wait for: the right to store it, and the flight of those who wait."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from asynccache.http import following

if TYPE_CHECKING:
    from asynccache.http.page_rules import Then
    from asynccache.http.rights import PageRight
    from asynccache.loading.flight import Flight
    from asynccache.loading.outcomes import Landed


@dataclass(slots=True, eq=False, kw_only=True)
class Turn:
    """What must be settled whatever becomes of the answer: once, and at last when it is dropped.

    `open` until then. Outcomes are `Landed`, or what a `Then` says: RUN and MARK, run your own; RETRY, look again.
    """

    flight: Flight | None
    right: PageRight | None
    open: bool = True

    @property
    def flight_told(self) -> Flight | None:
        """The flight that is told when the key changes: that of those who wait, else that of the right, if any."""
        return self.right.told if self.flight is None and self.right is not None else self.flight

    def land(self, outcome: Landed | Then) -> None:
        """Tell those who wait; only the first call counts."""
        if self.open:
            self.open = False
            self.let_go()
            if self.right is not None:
                self.right.stop()
            if self.flight is not None:
                following.sent(self.flight)
                self.flight.settle(outcome)

    def let_go(self) -> None:
        """Do what else is to be done when it is settled."""

    async def leave(self, then: Then) -> None:
        """Tell those who wait, here and in other processes, that nothing is stored."""
        if not self.open:
            return
        try:
            if self.right is not None:
                await self.right.give_up()
        finally:
            self.land(then)

    async def sent_a_part(self) -> None:
        """Note that the answer is on its way, and not complete: its client decides how long that takes."""
        if self.open and self.flight is not None and following.begin_sending(self.flight) and self.right is not None:
            await self.right.end_in(following.SLOW_SECONDS)
