"""memcached's text protocol by hand: to plant what no backend would store, and to count connections."""

import socket

from tests.servers import Memcached, Running


def ask(server: Memcached | Running, request: bytes) -> bytes:
    """Send a request and give all that comes back."""
    unix = getattr(server, "unix", False)
    with socket.socket(socket.AF_UNIX if unix else socket.AF_INET) as client:
        client.settimeout(5)
        client.connect(server.path if unix else (server.host, server.port))
        client.sendall(request + b"quit\r\n")
        with client.makefile("rb") as reply:
            return reply.read()


def plant(server: Memcached | Running, key: bytes, raw: bytes, *, flags: int = 0) -> None:
    """Store bytes under a key."""
    assert ask(server, b"set %s %d 0 %d\r\n%s\r\n" % (key, flags, len(raw), raw)) == b"STORED\r\n"


def stat(server: Memcached | Running, name: str) -> int:
    """Give one of the server's own numbers."""
    lines = ask(server, b"stats\r\n").decode().splitlines()
    return next(int(line.split()[2]) for line in lines if line.split()[1:2] == [name])
