"""What is said to App Engine's memcache, by calls whose failures are raised, where its own API hides them.

`google.appengine.api.memcache` gives a miss, or False, for an RPC that failed. Its "async" calls keep the RPC, which
tells. They begin in the caller's thread, since the ticket that proves whose request they serve is that thread's, and
go on in threads of the SDK's; what is left to do here is to wait for those.
"""

from __future__ import annotations

import asyncio
from concurrent.futures import Future, wait
from typing import TYPE_CHECKING, Any, NoReturn

from asynccache.backends.outage import in_time
from asynccache.errors import MissingDependencyError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from asynccache.backends.outage import Due
    from asynccache.plan.io import IO

try:
    from google.appengine.api import apiproxy_stub_map, memcache
    from google.appengine.runtime import apiproxy_errors
except ImportError as missing:
    raise MissingDependencyError.of("AppEngineCacheBackend", "appengine-python-standard", "appengine") from missing

_OVERHEAD = 73
"""Bytes that an entry takes beside its key and value: all together are a million at most."""
BATCH = 30
"""Entries of one request: it may have 32 MiB, and each of them a million bytes."""


class UnreachableError(Exception):
    """The service has answered that it could not reach the cache."""


FOREIGN: tuple[type[Exception], ...] = (apiproxy_errors.Error, UnreachableError)


class _NeverUnpickled:
    """Takes the place of pickle's: whatever lies there, none of its code runs."""

    def __init__(self, stream: object) -> None:
        pass

    def load(self) -> NoReturn:
        raise ValueError("this is a pickle, and no entry of ours")


async def run(io: IO, command: str, wires: list[bytes], args: tuple[Any, ...], due: Due) -> dict[bytes, Any]:
    """Run a command of `MemcachedBackend` for at most `BATCH` keys, with the same arguments; give what each is told.

    `store`, `insert`, `add` and `cas` take a mapping of keys to bytes as the first argument.
    """
    client = _client()
    match command, args:
        case "get", ():
            return await _found(io, client, wires, due)
        case "gets", ():
            raws = await _found(io, client, wires, due, for_cas=True)
            return {wire: (raws.get(wire), client) for wire in wires}
        case "delete", ():
            return await _deleted(io, client, wires, due)
        case "store", (raws, until):
            return await _kept(io, client, raws, until, due)
        case "insert" | "add", (raws, until):
            fit = {wire: raw for wire, raw in raws.items() if not _is_too_large(wire, raw)}
            return dict.fromkeys(wires, False) | await _stored(io, client.add_multi_async, fit, until, due)
        case "cas", (raws, reader, until):
            return await _stored(io, reader.cas_multi_async, raws, until, due)
    raise NotImplementedError(command)


def _client() -> Any:
    """Make a client; only that which has read an entry for it can swap it."""
    return memcache.Client(unpickler=_NeverUnpickled)


async def _found(io: IO, client: Any, wires: list[bytes], due: Due, *, for_cas: bool = False) -> dict[bytes, bytes]:
    """Get the entries that are there; what is not ours is empty, which no entry is."""
    rpc = client.get_multi_async(wires, for_cas=for_cas, rpc=_rpc(due))
    await _answered(io, rpc, due)
    try:
        return {wire: raw if isinstance(raw, bytes) else b"" for wire, raw in rpc.get_result().items()}
    except (ValueError, AssertionError):  # a pickle, or of a type that cannot be read
        if len(wires) == 1:
            return {wires[0]: b""}
        each = [await _found(io, client, [wire], due, for_cas=for_cas) for wire in wires]
        return {wire: raw for one in each for wire, raw in one.items()}


async def _kept(io: IO, client: Any, raws: Mapping[bytes, bytes], until: int, due: Due) -> dict[bytes, bool]:
    """Set entries; where that is refused, nothing old stays either."""
    fit = {wire: raw for wire, raw in raws.items() if not _is_too_large(wire, raw)}
    done = dict.fromkeys(raws, False) | await _stored(io, client.set_multi_async, fit, until, due)
    if refused := [wire for wire, was_stored in done.items() if not was_stored]:
        await _deleted(io, client, refused, due)
    return done


async def _stored(io: IO, change: Any, raws: Mapping[bytes, bytes], until: int, due: Due) -> dict[bytes, bool]:
    """Set, add or swap entries by this method of a client; tell which of them it did."""
    if not raws:
        return {}
    rpc = change(raws, time=until, rpc=_rpc(due))
    await _answered(io, rpc, due)
    statuses = rpc.get_result()
    if memcache.ERROR in statuses.values():
        raise UnreachableError("some entries could not be written")
    return {wire: statuses[wire] == memcache.STORED for wire in raws}


async def _deleted(io: IO, client: Any, wires: list[bytes], due: Due) -> dict[bytes, bool]:
    """Delete entries; tell which of them were there."""
    rpc = client.delete_multi_async(wires, rpc=_rpc(due))
    await _answered(io, rpc, due)
    statuses = rpc.get_result()
    if statuses is None:
        raise UnreachableError("some entries could not be deleted")
    return {wire: status == memcache.DELETE_SUCCESSFUL for wire, status in zip(wires, statuses, strict=True)}


def _is_too_large(wire: bytes, raw: bytes) -> bool:
    return bool(len(wire) + len(raw) + _OVERHEAD > memcache.MAX_VALUE_SIZE)


def _rpc(due: Due) -> Any:
    if apiproxy_stub_map.apiproxy.GetStub("memcache") is None:
        raise UnreachableError("this is not App Engine, or its app.yaml lacks `app_engine_apis: true`")
    return memcache.create_rpc(deadline=due.left())


async def _answered(io: IO, rpc: Any, due: Due) -> None:
    """Wait for a call until the deadline, to which the SDK itself adds seconds; raise what it hides."""
    await io.twin(_wait, _wait_on_loop, rpc.future, due.left())
    rpc.check_success()


def _wait(call: Future[None], seconds: float) -> None:
    if not wait([call], seconds).done:
        raise TimeoutError


async def _wait_on_loop(call: Future[None], seconds: float) -> None:
    async with in_time(seconds):
        await asyncio.wait([asyncio.wrap_future(call)])
