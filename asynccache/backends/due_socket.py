"""A socket for callers off a loop, all of whose calls together keep to one deadline."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from asynccache.backends.outage import Due


class HasDue(Protocol):
    """What knows until when the operation of the moment may take."""

    due: Due


class DueSocket:
    """A socket each of whose calls ends when the operation's deadline does, however many there are.

    A client library sets the time for each call (`settimeout`), and a server that sends a byte now and then would
    stretch that for ever; here it can only shorten what is left.
    """

    def __init__(self, socket: Any, owner: HasDue) -> None:
        self._socket = socket
        self._owner = owner
        self._wanted: float | None = None

    def settimeout(self, seconds: float | None) -> None:
        """Wait for less than what is left; `None`: for all of it."""
        self._wanted = seconds

    def sendall(self, chunk: bytes) -> None:
        """Send all of it."""
        self._in_time().sendall(chunk)

    def recv_into(self, buffer: bytearray) -> int:
        """Receive into the buffer; give how much came."""
        return int(self._in_time().recv_into(buffer))

    def recv(self, *size: int) -> bytes:
        """Receive."""
        return bytes(self._in_time().recv(*size))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._socket, name)

    def _in_time(self) -> Any:
        left = self._owner.due.left()
        self._socket.settimeout(left if self._wanted is None else min(left, self._wanted))
        return self._socket
