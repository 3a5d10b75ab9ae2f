"""Launch memcached, on a loopback port or a unix socket."""

import os
import socket

from tests.servers.process import HOST, Server


class Memcached(Server):
    """A memcached of our own; `extra` are command line words such as `"-I", "2m"`."""

    program = "memcached"

    def __init__(self, *extra: str, unix: bool = False) -> None:
        super().__init__()
        self._extra = extra
        self.unix = unix

    @property
    def path(self) -> str:
        """The unix socket's path."""
        return str(self.folder / "memcached.sock")

    @property
    def url(self) -> str:
        """Where it answers, as `memcached://host:port` or `unix:///path`."""
        return f"unix://{self.path}" if self.unix else f"memcached://{self.address}"

    def command(self) -> list[str]:
        """Serve one place only, never UDP; root has to be named."""
        where = ["-s", self.path] if self.unix else ["-l", HOST, "-p", str(self.port), "-U", "0"]
        user = ["-u", "root"] if os.geteuid() == 0 else []
        return [*where, *user, "-m", "64", *self._extra]

    def is_ready(self) -> bool:
        """Ask it for its process id."""
        return f"STAT pid {self.pid}\r\n" in self._stats()

    def _stats(self) -> str:
        with socket.socket(socket.AF_UNIX if self.unix else socket.AF_INET) as client:
            client.settimeout(1)
            client.connect(self.path if self.unix else (HOST, self.port))
            client.sendall(b"stats\r\nquit\r\n")
            with client.makefile("rb") as reply:
                return reply.read().decode("ascii")
