"""Launch memcached, on a loopback port or a unix socket."""

import os
import socket
import ssl

from tests.servers.certificates import Certificates, certify
from tests.servers.process import HOST, Server


class Memcached(Server):
    """A memcached of our own; `extra` are command line words such as `"-I", "2m"`.

    With `tls` the port speaks TLS only; with `login`, such as `"user:password"`, it wants these first.
    """

    program = "memcached"

    def __init__(self, *extra: str, unix: bool = False, tls: bool = False, login: str = "") -> None:
        super().__init__()
        self._extra = extra
        self.unix = unix
        self.login = login
        self.certificates: Certificates | None = certify(self.folder) if tls else None
        (self.folder / "logins").write_text(f"{login}\n")

    @property
    def path(self) -> str:
        """The unix socket's path."""
        return str(self.folder / "memcached.sock")

    @property
    def url(self) -> str:
        """Where it answers, as `memcached://host:port` or `unix:///path`."""
        if self.unix:
            return f"unix://{self.path}"
        return f"memcached{'s' if self.certificates else ''}://{self.address}"

    def command(self) -> list[str]:
        """Serve one place only, never UDP; root has to be named."""
        where = ["-s", self.path] if self.unix else ["-l", HOST, "-p", str(self.port), "-U", "0"]
        user = ["-u", "root"] if os.geteuid() == 0 else []
        login = ["-Y", str(self.folder / "logins")] if self.login else []
        return [*where, *user, *login, *self._secrecy(), "-m", "64", *self._extra]

    def _secrecy(self) -> list[str]:
        if self.certificates is None:
            return []
        return ["-Z", "-o", f"ssl_chain_cert={self.certificates.certificate},ssl_key={self.certificates.key}"]

    def is_ready(self) -> bool:
        """Ask it for its process id."""
        return f"STAT pid {self.pid}\r\n" in self._stats()

    def _stats(self) -> str:
        with self._connected() as client:
            if self.login:
                words = self.login.replace(":", " ", 1).encode()
                client.sendall(b"set auth 0 0 %d\r\n%b\r\n" % (len(words), words))
            client.sendall(b"stats\r\nquit\r\n")
            with client.makefile("rb") as reply:
                return reply.read().decode("ascii")

    def _connected(self) -> socket.socket:
        client = socket.socket(socket.AF_UNIX if self.unix else socket.AF_INET)
        try:
            client.settimeout(1)
            client.connect(self.path if self.unix else (HOST, self.port))
            if self.certificates is None:
                return client
            trusting = ssl.create_default_context(cafile=self.certificates.authority)
            return trusting.wrap_socket(client, server_hostname=HOST)
        except OSError:
            client.close()
            raise
