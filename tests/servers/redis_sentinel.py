"""Launch Redis Sentinel: three sentinels over a leader and its replicas."""

from collections.abc import Sequence
from contextlib import ExitStack
from typing import Self

from tests.servers.process import HOST, Server, wait_until
from tests.servers.redis import Redis, RedisReplicaSet
from tests.servers.redis_cluster import is_master, tell

SERVICE = "mymaster"


class Sentinel(Server):
    """One sentinel, which thinks that a leader is down when it has not answered for so many seconds of `patience`."""

    program = "redis-server"

    def __init__(self, leader: Redis, patience: float, settings: Sequence[str] = ()) -> None:
        super().__init__()
        self._leader = leader
        self._patience = patience
        self._settings = settings

    @property
    def url(self) -> str:
        """Where it answers."""
        return f"redis://{self.address}"

    def command(self) -> list[str]:
        """Write the file that it reads and changes."""
        path = self.folder / "sentinel.conf"
        lines = [
            f"bind {HOST}",
            f"dir {self.folder}",
            f"sentinel monitor {SERVICE} {HOST} {self._leader.port} 2",
            f"sentinel down-after-milliseconds {SERVICE} {round(self._patience * 1000)}",
            f"sentinel failover-timeout {SERVICE} 5000",
            *self._settings,
        ]
        if not path.exists():
            path.write_text("\n".join([*lines, ""]))
        return [str(path), "--sentinel", "--port", str(self.port)]

    def is_ready(self) -> bool:
        """Read its own log."""
        return "monitor master" in self.log()


class RedisSentinels:
    """Three sentinels, a leader and two replicas, all of whom know each other."""

    def __init__(self, password: str = "", settings: Sequence[str] = (), patience: float = 1.0) -> None:
        self.servers = RedisReplicaSet(2, password=password)
        self.sentinels: list[Sentinel] = []
        self._settings = settings
        self._patience = patience
        self._started = ExitStack()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def url(self) -> str:
        """The URL of the service."""
        return f"redis+sentinel://{','.join(sentinel.address for sentinel in self.sentinels)}/{SERVICE}/0"

    @property
    def nodes(self) -> list[Redis]:
        """The leader of the beginning and the replicas."""
        return [self.servers.leader, *self.servers.replicas]

    def start(self) -> Self:
        """Start all, and wait until the sentinels know each other and the replicas."""
        with ExitStack() as started:
            started.enter_context(self.servers)
            for _ in range(3):
                sentinel = Sentinel(self.servers.leader, self._patience, self._settings)
                self.sentinels.append(started.enter_context(sentinel))
            wait_until(self.is_ready_to_fail_over, "the sentinels know each other")
            self._started = started.pop_all()
        return self

    def stop(self) -> None:
        """End all."""
        self._started.close()

    def is_ready_to_fail_over(self) -> bool:
        """Tell whether each sentinel knows the two others and the two replicas, and that they are well."""
        return all(_knows_all(sentinel) for sentinel in self.sentinels if sentinel.is_alive)

    def master(self) -> Redis:
        """Give the master that all sentinels name."""
        wait_until(lambda: len(set(self._named())) == 1, "the sentinels agree")
        return next(node for node in self.nodes if node.port == self._named()[0])

    def fail_over(self) -> None:
        """Let the sentinels change the master as planned, and wait until they name another."""
        before = self.master()
        tell(self.sentinels[0], "SENTINEL FAILOVER", SERVICE)
        self.wait_for_another(before)

    def wait_for_another(self, before: Redis) -> None:
        """Wait until the sentinels name another master, and it says that it is one."""
        wait_until(lambda: before.port not in self._named(), "the sentinels name another master")
        wait_until(lambda: is_master(self.master()), "it is a master")

    def _named(self) -> list[int]:
        alive = [sentinel for sentinel in self.sentinels if sentinel.is_alive]
        return [int(tell(one, "SENTINEL GET-MASTER-ADDR-BY-NAME", SERVICE)[1]) for one in alive]


def _knows_all(sentinel: Sentinel) -> bool:
    told: dict[bytes, bytes] = dict(zip(*[iter(tell(sentinel, "SENTINEL MASTER", SERVICE))] * 2, strict=True))
    replicas = tell(sentinel, "SENTINEL REPLICAS", SERVICE)
    states = [dict(zip(*[iter(words)] * 2, strict=True)) for words in replicas]
    linked = [state[b"master-link-status"] == b"ok" and state[b"flags"] == b"slave" for state in states]
    return told[b"num-other-sentinels"] == b"2" and len(linked) == 2 and all(linked)
