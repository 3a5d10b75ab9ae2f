"""One connection by pymemcache: the only file that knows it.

pymemcache reads replies by their place: it takes whatever line comes for the answer, any text for "not found", and what
is left over after a reply for nothing. So its socket counts what it hands on, and every reply is looked at; a `Line`
whose command raised is dropped by whoever borrowed it.
"""

from __future__ import annotations

import re
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from asynccache.backends.due_socket import DueSocket
from asynccache.backends.outage import RefusedError
from asynccache.backends.servers import UNIX
from asynccache.errors import MissingDependencyError
from asynccache.wire.faults import OutOfStepError

try:
    from pymemcache.client.base import Client  # type: ignore[import-untyped]  # it has no types
    from pymemcache.exceptions import (  # type: ignore[import-untyped]  # likewise
        MemcacheError,
        MemcacheServerError,
        MemcacheUnexpectedCloseError,
    )
except ImportError as missing:
    raise MissingDependencyError.of("PyMemcacheCacheBackend", "pymemcache", "pymemcache") from missing

if TYPE_CHECKING:
    from collections.abc import Mapping

    from asynccache.backends.outage import Due
    from asynccache.backends.servers import Server

_NONSENSE = (MemcacheError, ValueError, IndexError, KeyError, TypeError, AssertionError)
"""What pymemcache raises at a reply that it cannot read; its messages quote the reply, which may hold a value."""
_REFUSALS = (b"object too large", b"out of memory storing")
_LONGEST = len(b"18446744073709551615\r\n")
_REPLIES = {
    "set": {b"STORED\r\n"},
    "add": {b"STORED\r\n", b"NOT_STORED\r\n"},
    "cas": {b"STORED\r\n", b"EXISTS\r\n", b"NOT_FOUND\r\n"},
    "delete": {b"DELETED\r\n", b"NOT_FOUND\r\n"},
    "incr": {b"NOT_FOUND\r\n"},
}
_NUMBER = re.compile(rb"\d{1,20}\r\n")
_HIT = re.compile(rb"VALUE (\S+) \d{1,10} (\d{1,10})( \d{1,20})?")
_END = len(b"END\r\n")


class _CountingSocket(DueSocket):
    """A socket that knows how much of the moment's reply it has handed on, and how that begins."""

    received = 0
    begin = b""

    def recv(self, *size: int) -> bytes:
        chunk = super().recv(*size)
        self.received += len(chunk)
        if len(self.begin) <= _LONGEST:
            self.begin += chunk[: _LONGEST + 1]
        return chunk

    def has_news(self) -> bool:
        """Tell whether something came that nobody asked for, be it the end."""
        self._socket.settimeout(0)
        try:
            self._socket.recv(1)
        except (BlockingIOError, InterruptedError):
            return False
        except OSError as failure:
            return type(failure).__name__ != "SSLWantReadError"
        return True


class _OneAddress:
    """A socket module for which a host has a single address: pymemcache tries the first and no other."""

    def __init__(self, module: Any, found: tuple[Any, ...]) -> None:
        self._module = module
        self._found = found

    def getaddrinfo(self, *_: Any) -> list[tuple[Any, ...]]:
        return [self._found]

    def __getattr__(self, name: str) -> Any:
        return getattr(self._module, name)


class _Bytes:
    """pymemcache's serializer for us: bytes are bytes, and those with flags are somebody else's, which is no entry."""

    def serialize(self, key: bytes, value: bytes) -> tuple[bytes, int]:
        del key
        return value, 0

    def deserialize(self, key: bytes, value: bytes, flags: int) -> bytes:
        del key
        return b"" if flags else value


class _Client(Client):  # type: ignore[misc]  # pymemcache has no types
    """pymemcache's client, connecting in time, over a socket that counts."""

    due: Due
    sock: Any
    socket_module: Any
    expected = 0
    """Bytes that the values of the moment's reply took."""

    def _connect(self) -> None:
        if not isinstance(self.server, tuple):
            self._connect_once()
            return
        module, (host, port) = self.socket_module, self.server
        found = module.getaddrinfo(host, port, module.AF_UNSPEC, module.SOCK_STREAM, module.IPPROTO_TCP)
        try:
            for place, address in enumerate(found):
                self.socket_module = _OneAddress(module, address)
                with suppress(*([OSError] if place + 1 < len(found) else [])):
                    self._connect_once()
                    return
        finally:
            self.socket_module = module

    def _connect_once(self) -> None:
        self.connect_timeout = self.due.left()
        super()._connect()
        self.sock = _CountingSocket(self.sock, self)

    def _extract_value(
        self, expect_cas: Any, line: bytes, buf: bytes, remapped_keys: Mapping[bytes, Any], prefixed_keys: list[bytes]
    ) -> Any:
        hit = _HIT.fullmatch(line)
        if hit is None or (hit[3] is None) is bool(expect_cas) or prefixed_keys.count(hit[1]) != 1:
            raise OutOfStepError("the answer to another question")
        prefixed_keys.remove(hit[1])  # each is answered once
        self.expected += len(line) + int(hit[2]) + 4
        return super()._extract_value(expect_cas, line, buf, remapped_keys, prefixed_keys)


class PymemcacheLine:
    """A connection to one server."""

    def __init__(self, server: Server, options: Mapping[str, Any]) -> None:
        where = server.path if server.scheme == UNIX else (server.host, server.port)
        self._client = _Client(where, serde=_Bytes(), default_noreply=False, **options)

    def __del__(self) -> None:
        with suppress(Exception):  # a thread that was left behind may give one back after all were closed
            self._client.close()

    def is_fit(self, due: Due) -> bool:
        """Tell whether it is open, and nothing that nobody asked for is waiting in it."""
        del due
        return self._client.sock is None or not self._client.sock.has_news()

    def drop(self) -> None:
        """Close it."""
        self._client.close()

    def leave_to_parent(self) -> None:
        """Close this process's end; the parent's stays open."""
        self._client.close()

    def run(self, command: str, args: tuple[Any, ...], due: Due) -> Any:
        """Run a command; the errors are those that an `OutageGuard` knows."""
        self._client.due = due
        return getattr(self, f"_{command}")(*args)

    # Commands

    def _get_many(self, keys: list[bytes]) -> dict[bytes, bytes]:
        return self._got("get", keys)

    def _gets_many(self, keys: list[bytes]) -> dict[bytes, tuple[bytes | None, int]]:
        found = self._got("gets", keys)
        seen = {key: found.get(key, (None, 0)) for key in keys}
        return {key: (raw, int(token)) for key, (raw, token) in seen.items()}

    def _store(self, key: bytes, raw: bytes, exptime: int) -> bool:
        try:
            return bool(self._said("set", key, raw, exptime))
        except RefusedError:
            self._delete(key)  # memcached did it already; what speaks its protocol may not
            return False

    def _insert(self, key: bytes, raw: bytes, exptime: int) -> bool | None:
        try:
            return self._add(key, raw, exptime)
        except RefusedError:
            return None

    def _land(self, key: bytes, raw: bytes, token: int, exptime: int) -> bool | None:
        try:
            return self._cas(key, raw, token, exptime)
        except RefusedError:
            return None

    def _add(self, key: bytes, raw: bytes, exptime: int) -> bool:
        return bool(self._said("add", key, raw, exptime))

    def _cas(self, key: bytes, raw: bytes, token: int, exptime: int) -> bool:
        return bool(self._said("cas", key, raw, token, exptime))

    def _delete(self, key: bytes) -> bool:
        return bool(self._said("delete", key))

    def _incr(self, key: bytes) -> int | None:
        number = self._said("incr", key, 1)
        return None if number is None else int(number)

    # Replies

    def _got(self, command: str, keys: list[bytes]) -> dict[bytes, Any]:
        self._begin()
        self._client.expected = 0
        found: dict[bytes, Any] = self._call(f"{command}_many", keys)
        if self._client.sock.received != self._client.expected + _END:
            raise OutOfStepError("more than one reply to one command")
        return found

    def _said(self, command: str, *args: Any) -> Any:
        self._begin()
        answer = self._call(command, *args)
        begin = self._client.sock.begin
        if begin not in _REPLIES[command] and not (command == "incr" and _NUMBER.fullmatch(begin)):
            raise OutOfStepError("the reply to another command, or more than one")
        return answer

    def _begin(self) -> None:
        if self._client.sock is not None:
            self._client.sock.received, self._client.sock.begin = 0, b""

    def _call(self, method: str, *args: Any) -> Any:
        try:
            return getattr(self._client, method)(*args)
        except MemcacheUnexpectedCloseError:
            raise EOFError("it closed the connection") from None
        except MemcacheServerError as error:
            said = error.args[0] if error.args else b""
            if isinstance(said, bytes) and said.startswith(_REFUSALS):
                raise RefusedError(said[:80].decode("ascii", "replace")) from None
            raise OutOfStepError(f"it said SERVER_ERROR {said[:80]!r}") from None
        except _NONSENSE as nonsense:
            raise OutOfStepError(f"a reply that makes no sense ({type(nonsense).__name__})") from None
