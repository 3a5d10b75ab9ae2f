"""What is said to App Engine's memcache: blocking calls whose failures are raised, where its own API hides them.

`google.appengine.api.memcache` gives a miss, or False, for an RPC that failed. Its "async" calls keep the RPC, which
tells; they block as soon as the result is wanted, and so belong in worker threads like the others.
"""

from __future__ import annotations

from concurrent.futures import wait
from typing import TYPE_CHECKING, Any, NoReturn

from asynccache.errors import MissingDependencyError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from asynccache.backends.outage import Due

try:
    from google.appengine.api import apiproxy_stub_map, memcache  # type: ignore[import-not-found]  # it has no types
    from google.appengine.runtime import apiproxy_errors  # type: ignore[import-not-found]  # likewise
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


def run(command: str, wires: list[bytes], args: tuple[Any, ...], due: Due) -> dict[bytes, Any]:
    """Run a command of `MemcachedBackend` for at most `BATCH` keys, with the same arguments; give what each is told.

    `store`, `insert`, `add` and `cas` take a mapping of keys to bytes as the first argument.
    """
    client = _client()
    match command, args:
        case "get", ():
            return _found(client, wires, due)
        case "gets", ():
            raws = _found(client, wires, due, for_cas=True)
            return {wire: (raws.get(wire), client) for wire in wires}
        case "delete", ():
            return _deleted(client, wires, due)
        case "store", (raws, until):
            return _kept(client, raws, until, due)
        case "insert" | "add", (raws, until):
            fit = {wire: raw for wire, raw in raws.items() if not _is_too_large(wire, raw)}
            return dict.fromkeys(wires, False) | _stored(client.add_multi_async, fit, until, due)
        case "cas", (raws, reader, until):
            return _stored(reader.cas_multi_async, raws, until, due)
    raise NotImplementedError(command)


def _client() -> Any:
    """Make a client; only that which has read an entry for it can swap it."""
    return memcache.Client(unpickler=_NeverUnpickled)


def _found(client: Any, wires: list[bytes], due: Due, *, for_cas: bool = False) -> dict[bytes, bytes]:
    """Get the entries that are there; what is not ours is empty, which no entry is."""
    rpc = client.get_multi_async(wires, for_cas=for_cas, rpc=_rpc(due))
    _wait(rpc, due)
    try:
        return {wire: raw if isinstance(raw, bytes) else b"" for wire, raw in rpc.get_result().items()}
    except (ValueError, AssertionError):  # a pickle, or of a type that cannot be read
        if len(wires) == 1:
            return {wires[0]: b""}
        return {wire: raw for one in wires for wire, raw in _found(client, [one], due).items()}


def _kept(client: Any, raws: Mapping[bytes, bytes], until: int, due: Due) -> dict[bytes, bool]:
    """Set entries; where that is refused, nothing old stays either."""
    fit = {wire: raw for wire, raw in raws.items() if not _is_too_large(wire, raw)}
    done = dict.fromkeys(raws, False) | _stored(client.set_multi_async, fit, until, due)
    if refused := [wire for wire, was_stored in done.items() if not was_stored]:
        _deleted(client, refused, due)
    return done


def _stored(change: Any, raws: Mapping[bytes, bytes], until: int, due: Due) -> dict[bytes, bool]:
    """Set, add or swap entries by this method of a client; tell which of them it did."""
    if not raws:
        return {}
    rpc = change(raws, time=until, rpc=_rpc(due))
    _wait(rpc, due)
    statuses = rpc.get_result()
    if memcache.ERROR in statuses.values():
        raise UnreachableError("some entries could not be written")
    return {wire: statuses[wire] == memcache.STORED for wire in raws}


def _deleted(client: Any, wires: list[bytes], due: Due) -> dict[bytes, bool]:
    """Delete entries; tell which of them were there."""
    rpc = client.delete_multi_async(wires, rpc=_rpc(due))
    _wait(rpc, due)
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


def _wait(rpc: Any, due: Due) -> None:
    """Wait for a call until the deadline, to which the SDK itself adds seconds; raise what it hides."""
    if not wait([rpc.future], due.left()).done:
        raise TimeoutError
    rpc.check_success()
