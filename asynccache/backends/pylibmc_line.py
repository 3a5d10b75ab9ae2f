"""One connection by pylibmc: the only file that knows it.

libmemcached takes a reply that nobody asked for as the answer to its next question; some of its versions take a timeout
for a miss; and nobody can look into its socket. So nothing but a value that is sealed with its very key is believed as
it comes: after everything else comes a question whose answer is known, that for a mark, an entry of this connection
alone. Values are bytes to pylibmc, whatever their flags say, so that it unpickles nothing. A `Line` whose command
raised is dropped.
"""

from __future__ import annotations

import ctypes
import re
import secrets
from contextlib import suppress
from hashlib import blake2b
from math import ceil
from time import monotonic
from typing import TYPE_CHECKING, Any, TypeVar

from asynccache.backends.memcached_notebook import AUXILIARY
from asynccache.backends.outage import RefusedError
from asynccache.backends.servers import UNIX
from asynccache.core import codec
from asynccache.errors import MissingDependencyError
from asynccache.wire.faults import OutOfStepError

try:
    import pylibmc  # type: ignore[import-untyped]  # it has no types
except ImportError as missing:
    raise MissingDependencyError.of("PyLibMCCacheBackend", "pylibmc", "pylibmc") from missing

if TYPE_CHECKING:
    from collections.abc import Mapping

    from asynccache.backends.outage import Due
    from asynccache.backends.servers import Server

T = TypeVar("T")
BINARY = pylibmc.libmemcached_version_hex >= 0x01001000
"""Whether to speak the binary protocol where nobody says: libmemcached 1.1, as Debian builds it, ends the process at a
line that is no answer to `set`, `add` or `cas`, and in the binary protocol nothing does."""
MARK_SECONDS = 3600
RENEWED_AFTER = 600.0
HOT_SECONDS = 0.1
"""For so long a connection that was in step is believed to be so still."""
_TIMEOUT = 31
_OUT_OF_MEMORY = 48
_NUMBER = re.compile(r"error (\d+) from")
_NOT_INFLATED = "Failed to decompress"


class _ForeignBytesError(Exception):
    """There is a value, which pylibmc took for compressed: we compress nothing there, so it is somebody else's."""


class _NotThereError(OutOfStepError):
    """pylibmc says so by an error, which is an answer to `cas` only."""


class _Client(pylibmc.Client):  # type: ignore[misc]  # it has no types
    """pylibmc's client for bytes."""

    def serialize(self, value: bytes) -> tuple[bytes, int]:
        return value, 0

    def deserialize(self, raw: bytes | None, flags: int) -> bytes:
        """Give no bytes, which are no entry, where flags are set: we set none, so this is somebody else's."""
        return b"" if flags or raw is None else raw


class PylibmcLine:
    """A connection to one server, made by the first command."""

    def __init__(self, server: Server, options: Mapping[str, Any]) -> None:
        address = server.path if server.scheme == UNIX else server.name
        self._client = _Client([address], **options)
        self._due: Due
        self._mark_key = b"~mark~" + secrets.token_hex(16).encode()
        self._mark = secrets.token_bytes(16)
        self._marked_at = float("-inf")
        self._in_step_at = float("-inf")

    def is_fit(self, due: Due) -> bool:
        """Tell whether it is in step, as far as anybody knows."""
        if monotonic() - self._in_step_at < HOT_SECONDS:
            return True
        self._due = due
        try:
            self._prove()
        except (OutOfStepError, OSError):
            return False
        return True

    def drop(self) -> None:
        """Close it: without the interpreter's lock, which pylibmc would keep if it closed where it is forgotten."""
        with suppress(pylibmc.Error):
            self._client.disconnect_all()

    def leave_to_parent(self) -> None:
        """Never let it be finalized, here in a forked child: it would say `quit` on the parent's connection."""
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(self._client))

    def run(self, command: str, args: tuple[Any, ...], due: Due) -> Any:
        """Run a command; the errors are those that an `OutageGuard` knows."""
        self._due = due
        self._keep_to_deadline()
        if monotonic() - self._marked_at > RENEWED_AFTER:
            self._call("set", self._mark_key, self._mark, MARK_SECONDS)
            self._prove()
            self._marked_at = monotonic()
        return getattr(self, f"_{command}")(*args)

    # Commands

    def _get_many(self, keys: list[bytes]) -> dict[bytes, bytes]:
        """Get one by one: `get_multi` ends the process where more comes than was asked for."""
        found = {}
        for key in keys:
            self._keep_to_deadline()
            found[key] = self._value(key)
        answer = {key: raw for key, raw in found.items() if raw is not None}
        return answer if _all_sealed(found) else self._proved(answer)

    def _gets_many(self, keys: list[bytes]) -> dict[bytes, tuple[bytes | None, int]]:
        found = {}
        for key in keys:
            self._keep_to_deadline()
            found[key] = self._value_and_id(key)
        return found if _all_sealed({key: raw for key, (raw, _) in found.items()}) else self._proved(found)

    def _value(self, key: bytes) -> bytes | None:
        try:
            return self._call("get", key)  # type: ignore[no-any-return]
        except _ForeignBytesError:
            return b""

    def _value_and_id(self, key: bytes) -> tuple[bytes | None, int]:
        try:
            raw, token = self._call("gets", key)
        except _ForeignBytesError:
            return b"", 0
        return raw, token or 0

    def _store(self, key: bytes, raw: bytes, exptime: int) -> bool:
        try:
            return self._proved(bool(self._call("set", key, raw, exptime)))
        except RefusedError:
            self._delete(key)  # memcached did it already; what speaks its protocol may not
            return False

    def _insert(self, key: bytes, raw: bytes, exptime: int) -> bool | None:
        try:
            return self._add(key, raw, exptime)
        except RefusedError:
            return self._proved(answer=None)

    def _land(self, key: bytes, raw: bytes, token: int, exptime: int) -> bool | None:
        try:
            return self._cas(key, raw, token, exptime)
        except RefusedError:
            return self._proved(answer=None)

    def _add(self, key: bytes, raw: bytes, exptime: int) -> bool:
        return self._proved(bool(self._call("add", key, raw, exptime)))

    def _cas(self, key: bytes, raw: bytes, token: int, exptime: int) -> bool:
        if not token:  # what pylibmc cannot read has no id for us, and is nothing of ours
            self._delete(key)
            return False
        try:
            return self._proved(bool(self._call("cas", key, raw, token, exptime)))
        except _NotThereError:
            return self._proved(answer=False)

    def _delete(self, key: bytes) -> bool:
        return self._proved(bool(self._call("delete", key)))

    def _incr(self, key: bytes) -> int | None:
        try:
            return self._proved(int(self._call("incr", key)))
        except _NotThereError:
            return self._proved(answer=None)

    # Replies

    def _proved(self, answer: T) -> T:
        self._prove()
        return answer

    def _prove(self) -> None:
        self._keep_to_deadline()
        try:
            found = self._call("get", self._mark_key)
        except (RefusedError, _ForeignBytesError):  # nothing refuses a get, and the mark is not compressed
            found = None
        if found != self._mark:
            raise OutOfStepError("no answer, or that to another question")
        self._in_step_at = monotonic()

    def _keep_to_deadline(self) -> None:
        """Let each wait of libmemcached's be for what is left at most; `TimeoutError` when nothing is."""
        milliseconds = max(1, ceil(self._due.left() * 1000))
        self._client.set_behaviors({"connect_timeout": milliseconds, "_poll_timeout": milliseconds})

    def _call(self, method: str, *args: Any) -> Any:
        """Call pylibmc; its messages may quote a reply, and so a value."""
        try:
            return getattr(self._client, method)(*args)
        except pylibmc.NotFound:
            raise _NotThereError("nothing was found") from None
        except pylibmc.TooBig:
            raise RefusedError("object too large") from None
        except pylibmc.Error as error:
            raise _translated(error) from None
        except (RuntimeError, ValueError, SystemError) as nonsense:
            raise OutOfStepError(f"a reply that makes no sense ({type(nonsense).__name__})") from None


def _is_sealed(raw: bytes | None, key: bytes) -> bool:
    """Tell whether this is an entry of this key; of a key that is a digest nobody here can tell."""
    return raw is not None and raw[codec.OWNER] == blake2b(key, digest_size=16).digest()


def _all_sealed(found: dict[bytes, bytes | None]) -> bool:
    """Tell whether the last reply, and those of all entries, are entries of their keys: then all were in step."""
    *_, last = found
    return all(_is_sealed(raw, key) for key, raw in found.items() if key == last or not key.startswith(AUXILIARY))


def _translated(error: Exception) -> Exception:
    said = str(error)
    if said.startswith(_NOT_INFLATED):
        return _ForeignBytesError()
    found = _NUMBER.search(said)
    number = int(found[1]) if found else 0
    if number == _OUT_OF_MEMORY:
        return RefusedError("out of memory")
    if number == _TIMEOUT:
        return TimeoutError("libmemcached waited in vain")
    return ConnectionError(f"pylibmc: {type(error).__name__}, error {number}")
