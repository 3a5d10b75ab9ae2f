"""The order of memcached servers: a notebook on each, marks of tags, and what invalidates by them.

What is written down, and why it never goes back: `memcached_notebook.py`.
"""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

from asynccache.backends.fenced import FencedBackend
from asynccache.backends.memcached_notebook import (
    CLOSED,
    is_of,
    mark_wire,
    marks_of,
    moved,
    new_number,
    notebook_wire,
    number_of,
)
from asynccache.backends.memcached_rewriting import RewritingBackend
from asynccache.backends.rendezvous import Rendezvous
from asynccache.core.fence import cells_of
from asynccache.core.keys import memcached_key
from asynccache.errors import BackendUnavailableError
from asynccache.model import Capability

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Coroutine, Mapping, Sequence

    from asynccache.backends.servers import Server
    from asynccache.core.fence import Marks
    from asynccache.plan.io import IO

ROUNDS = 5
"""So often something is tried again that others have changed meanwhile."""
_RIVALS = 100
FOR_EVER = 0


@dataclass
class Replies:
    """What a many-operation was answered, by server and key, and which servers did not answer."""

    by_place: dict[str, dict[bytes, Any]] = field(default_factory=dict)
    failures: dict[str, BackendUnavailableError] = field(default_factory=dict)

    def check(self) -> None:
        """Raise what one of the servers failed with."""
        for failure in self.failures.values():
            raise failure


class MemcachedOrder(RewritingBackend, FencedBackend):
    """A backend over memcached's commands; a place is the name of a server.

    A command is one of `get_many`, `gets_many` (bytes and cas id by key), `store` (False where the server refuses, and
    nothing is there then), `insert` (False where something is there, None where the server refuses), `land` (likewise,
    by cas id), `add`, `cas`, `delete` and `incr` (None where nothing is there); keys are memcached's.
    """

    capabilities: ClassVar[frozenset[Capability]] = frozenset(Capability) - {Capability.SUBSECOND_TTL}
    servers: tuple[Server, ...]
    _rendezvous: Rendezvous

    def __repr__(self) -> str:
        names = ",".join(server.name for server in self.servers)
        return f"<{type(self).__name__} {names} key_prefix={self.key_prefix!r} version={self.version!r}>"

    # What the clients do

    @abstractmethod
    async def _at_once(self, io: IO, plan: Callable[..., Coroutine[Any, Any, Any]], *args: Any) -> Any:
        """Run a plan of several commands where the client is, on its loop or in its thread, with an `io` for there."""

    @abstractmethod
    async def _ask(self, io: IO, place: str, command: str, *args: Any) -> Any:
        """Run a command at a server; `BackendUnavailableError` where it does not answer."""

    @abstractmethod
    async def _ask_each(self, io: IO, command: str, calls: Mapping[str, Mapping[bytes, tuple[Any, ...]]]) -> Replies:
        """Run a command for each key, with arguments of its own, at the servers named."""

    @abstractmethod
    async def _ask_many(self, io: IO, command: str, wires: Mapping[str, Collection[bytes]]) -> Replies:
        """Run `get_many` or `gets_many` for these keys at the servers named."""

    def _place(self, key: str) -> str:
        return self._rendezvous.place(memcached_key(key))

    # Positions

    async def _number(self, io: IO, place: str, namespace: str) -> int:
        """Read the notebook of a server, which is made where it is lost."""
        wire = notebook_wire(namespace)
        for _ in range(ROUNDS):
            raw = (await self._ask(io, place, "get_many", [wire])).get(wire)
            if (number := number_of(raw)) is not None:
                return number
            await self._ask(io, place, "insert" if raw is None else "store", wire, new_number(), FOR_EVER)
        raise BackendUnavailableError(f"{place}: it keeps no notebook")

    async def _position(self, io: IO, place: str, namespace: str, cells: Sequence[int]) -> int:
        """Read the position that an entry has which is written now; marks that are lost are made."""
        number = await self._number(io, place, namespace)
        for _ in range(ROUNDS):
            if not cells or (await self._marks(io, place, namespace, cells, number)).floor:
                return number
            number = await self._reopened(io, place, namespace, cells)
        raise BackendUnavailableError(f"{place}: it keeps no marks of tags")

    async def _marks(self, io: IO, place: str, namespace: str, cells: Sequence[int], number: int) -> Marks:
        wires = _mark_wires(namespace, cells)
        found = await self._ask(io, place, "get_many", wires)
        return marks_of([found.get(wire) for wire in wires], number)

    async def _reopened(self, io: IO, place: str, namespace: str, cells: Sequence[int]) -> int:
        """Make the marks that are lost or closed; the number, read after them, is what was not invalidated since."""
        wires = _mark_wires(namespace, cells)
        for wire in wires:
            await self._ask(io, place, "insert", wire, CLOSED, FOR_EVER)
        seen = await self._ask(io, place, "gets_many", wires)
        number = await self._number(io, place, namespace)
        for wire, (raw, token) in seen.items():
            if raw is not None and not is_of(number_of(raw), number):
                await self._ask(io, place, "land", wire, b"%d" % number, token, FOR_EVER)
        return number

    # Invalidation: on every server, of what it has

    async def _void(self, io: IO, namespace: str, tags: tuple[str, ...]) -> None:
        await self._at_once(io, self._everywhere, self._voided, namespace, cells_of(tags))

    async def _empty(self, io: IO, namespace: str) -> None:
        await self._at_once(io, self._everywhere, self._emptied, namespace)

    async def _everywhere(self, io: IO, plan: Callable[..., Coroutine[Any, Any, None]], *args: Any) -> None:
        failed: list[BackendUnavailableError] = []
        for server in self.servers:
            try:
                await plan(io, server.name, *args)
            except BackendUnavailableError as failure:
                failed.append(failure)
        if failed:
            raise failed[0]

    async def _emptied(self, io: IO, place: str, namespace: str) -> None:
        """Begin a new generation; where that is refused, the notebook is gone, which does as well."""
        await self._ask(io, place, "store", notebook_wire(namespace), new_number(), FOR_EVER)

    async def _voided(self, io: IO, place: str, namespace: str, cells: Sequence[int]) -> None:
        """Take a number, and see to it that no mark is below it."""
        stamp = await self._ask(io, place, "incr", notebook_wire(namespace))
        left = [] if stamp is None else _mark_wires(namespace, cells)
        for _ in range(_RIVALS):
            if not left:
                return
            seen = await self._ask(io, place, "gets_many", left)
            left = [wire for wire, mark in seen.items() if not await self._moved(io, place, wire, mark, stamp)]
        raise BackendUnavailableError(
            f"{place}: the marks of these tags were changed by others all the time; try again"
        )

    async def _moved(self, io: IO, place: str, wire: bytes, mark: tuple[bytes | None, int], stamp: int) -> bool:
        raw, token = mark
        changed = moved(raw, stamp)
        return changed is None or bool(await self._ask(io, place, "cas", wire, changed, token, FOR_EVER))


def _mark_wires(namespace: str, cells: Sequence[int]) -> list[bytes]:
    """Give the keys of marks, none twice."""
    return list(dict.fromkeys(mark_wire(namespace, cell) for cell in cells))
