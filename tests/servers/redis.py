"""Launch Redis: alone, or a leader with replicas."""

from collections.abc import Sequence
from typing import Any, Self

import redis

from tests.servers.certificates import Certificates, certify
from tests.servers.process import HOST, Server, wait_until


class Redis(Server):
    """A Redis of our own, empty and never saving, on a port and on a unix socket.

    `extra` are command line words such as `"--maxmemory", "2mb"`, `acl` are lines of an ACL file such as
    `"user app on >secret ~* &* +@all"`, `password` is the default user's, and with `tls` the port speaks TLS only.
    """

    program = "redis-server"

    def __init__(self, *extra: str, password: str = "", acl: Sequence[str] = (), tls: bool = False) -> None:
        super().__init__()
        self.password = password
        self.certificates: Certificates | None = certify(self.folder) if tls else None
        self._acl = acl
        self._extra = extra

    @property
    def path(self) -> str:
        """The unix socket's path."""
        return str(self.folder / "redis.sock")

    @property
    def url(self) -> str:
        """Where it answers on its port, with the default user's password."""
        scheme = "rediss" if self.certificates else "redis"
        credentials = f":{self.password}@" if self.password else ""
        return f"{scheme}://{credentials}{self.address}/0"

    @property
    def unix_url(self) -> str:
        """Where it answers on its unix socket."""
        credentials = f":{self.password}@" if self.password else ""
        return f"unix://{credentials}{self.path}?db=0"

    def command(self) -> list[str]:
        """Serve loopback and a unix socket, save nothing."""
        words = ["--bind", HOST, "--dir", str(self.folder), "--save", "", "--unixsocket", self.path]
        words += ["--port", "0", "--tls-port", str(self.port)] if self.certificates else ["--port", str(self.port)]
        if self.certificates:
            words += ["--tls-cert-file", self.certificates.certificate, "--tls-key-file", self.certificates.key]
            words += ["--tls-ca-cert-file", self.certificates.authority, "--tls-auth-clients", "no"]
        if self.password:
            words += ["--requirepass", self.password, "--masterauth", self.password]
        if self._acl:
            (self.folder / "users.acl").write_text("\n".join([*self._acl, ""]))
            words += ["--aclfile", str(self.folder / "users.acl")]
        return [*words, *self._extra]

    def is_ready(self) -> bool:
        """Read its own log: it ends if it cannot bind, so this line is told by none but the listening process."""
        return "Ready to accept connections" in self.log()


class RedisReplicaSet:
    """A leader and its replicas, in sync when started."""

    def __init__(self, replicas: int = 2, *extra: str, password: str = "") -> None:
        self._extra = ("--repl-diskless-sync-delay", "0", "--repl-ping-replica-period", "1", *extra)
        self._password = password
        self.leader = Redis(*self._extra, password=password)
        self.replicas: list[Redis] = []
        self._wanted = replicas

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def urls(self) -> list[str]:
        """The leader's URL, then the replicas'."""
        return [server.url for server in (self.leader, *self.replicas)]

    def start(self) -> Self:
        """Start all, and wait until the replicas follow the leader."""
        self.leader.start()
        try:
            for _ in range(self._wanted):
                replica = Redis("--replicaof", HOST, str(self.leader.port), *self._extra, password=self._password)
                self.replicas.append(replica.start())
            wait_until(self.is_in_sync, "the replicas follow the leader")
        except BaseException:
            self.stop()
            raise
        return self

    def stop(self) -> None:
        """End all."""
        for server in (*self.replicas, self.leader):
            server.stop()

    def is_in_sync(self) -> bool:
        """Tell whether each replica has all that the leader has written."""
        offset = _replication(self.leader)["master_repl_offset"]
        return all(
            told["master_link_status"] == "up" and told["slave_repl_offset"] >= offset
            for told in map(_replication, self.replicas)
        )


def _replication(server: Redis) -> dict[str, Any]:
    with redis.Redis.from_url(server.url, socket_timeout=2) as client:
        return dict(client.info("replication"))
