"""Launch a Redis Cluster: masters with a replica each, all slots served."""

from contextlib import ExitStack
from typing import Any, Protocol, Self

import redis
from redis.crc import REDIS_CLUSTER_HASH_SLOTS, key_slot

from tests.servers.process import HOST, free_port, wait_until
from tests.servers.redis import Redis

OPTIONS = (
    *("--cluster-enabled", "yes", "--cluster-node-timeout", "1000", "--cluster-replica-validity-factor", "0"),
    *("--cluster-require-full-coverage", "no", "--cluster-allow-replica-migration", "no"),
    *("--repl-diskless-sync-delay", "0", "--repl-ping-replica-period", "1"),
)


class ClusterNode(Redis):
    """A node, whose bus has a port below those of outgoing connections too."""

    def __init__(self) -> None:
        super().__init__(*OPTIONS)
        self.bus_port = free_port()

    def command(self) -> list[str]:
        """Name the bus's port."""
        return [*super().command(), "--cluster-port", str(self.bus_port)]

    def _try_start(self) -> bool:
        if super()._try_start():
            return True
        self.bus_port = free_port()
        return False


class RedisCluster:
    """A cluster that fails over a second or so after its `patience`; a dead master's slots do not close the others."""

    def __init__(self, masters: int = 3, patience: float = 1.0) -> None:
        self._count = masters
        self._patience = patience
        self._started = ExitStack()
        self.nodes: list[ClusterNode] = []
        """The masters of the beginning, then a replica of each."""

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def url(self) -> str:
        """A URL that names all nodes."""
        return "redis+cluster://" + ",".join(node.address for node in self.nodes)

    def start(self) -> Self:
        """Start all, make them a cluster, and wait until each says that all slots are served."""
        with ExitStack() as started:
            self.nodes = [started.enter_context(ClusterNode()) for _ in range(2 * self._count)]
            self._join()
            self._started = started.pop_all()
        return self

    def stop(self) -> None:
        """End all."""
        self._started.close()

    def node_of(self, key: str | bytes) -> ClusterNode:
        """Give the master that serves a key."""
        slot = key_slot(key.encode() if isinstance(key, str) else key)
        return next(node for node in self.nodes if node.is_alive and is_master(node) and serves(node, slot))

    def replica_of(self, node: ClusterNode) -> ClusterNode:
        """Give the replica of a master of the beginning, or the other way round."""
        return self.nodes[(self.nodes.index(node) + self._count) % len(self.nodes)]

    def fail_over(self, node: ClusterNode) -> None:
        """Let the replica take over as planned, and wait until it has."""
        replica = self.replica_of(node)
        tell(replica, "CLUSTER FAILOVER")
        wait_until(lambda: is_master(replica) and not is_master(node), "the replica has taken over")

    def move_slot(self, slot: int, source: Redis, target: Redis, *, half: bool = False) -> None:
        """Move a slot and its keys; `half`: stop when the keys are there, so that asking for them is an ASK."""
        tell(target, "CLUSTER SETSLOT", slot, "IMPORTING", identity(source))
        tell(source, "CLUSTER SETSLOT", slot, "MIGRATING", identity(target))
        while keys := tell(source, "CLUSTER GETKEYSINSLOT", slot, 100):
            tell(source, "MIGRATE", HOST, target.port, "", 0, 5000, "KEYS", *keys)
        if not half:
            self.finish_move(slot, target)

    def finish_move(self, slot: int, target: Redis) -> None:
        """Say that the slot is the target's, to both."""
        masters = [node for node in self.nodes if node.is_alive and is_master(node)]
        for node in sorted(masters, key=lambda node: node is not target):
            tell(node, "CLUSTER SETSLOT", slot, "NODE", identity(target))

    def _join(self) -> None:
        masters, replicas = self.nodes[: self._count], self.nodes[self._count :]
        for place, node in enumerate(self.nodes):
            tell(node, "CLUSTER SET-CONFIG-EPOCH", place + 1)
            for other in self.nodes[:place]:
                tell(node, "CLUSTER MEET", HOST, other.port, other.bus_port)
        for place, master in enumerate(masters):
            tell(master, "CLUSTER ADDSLOTS", *self._slots(place))
        wait_until(lambda: all(known(node) == len(self.nodes) for node in self.nodes), "all know each other")
        for master, replica in zip(masters, replicas, strict=True):
            tell(replica, "CLUSTER REPLICATE", identity(master))
        wait_until(lambda: all(map(is_well, self.nodes)), "the cluster is whole")
        wait_until(lambda: all(follows(replica) for replica in replicas), "the replicas follow")
        for node in self.nodes:  # not before: they would take as long to get to know each other
            tell(node, "CONFIG SET cluster-node-timeout", round(self._patience * 1000))

    def _slots(self, place: int) -> range:
        share = REDIS_CLUSTER_HASH_SLOTS / self._count
        return range(round(place * share), round((place + 1) * share))


class Reachable(Protocol):
    """A server that has a URL."""

    @property
    def url(self) -> str: ...


def tell(node: Reachable, command: str, *words: Any) -> Any:
    """Say something to one node, and give its raw reply."""
    with redis.Redis.from_url(node.url, socket_timeout=5, protocol=2) as client:
        client.response_callbacks.clear()
        return client.execute_command(*command.split(), *words)


def identity(node: Redis) -> str:
    """Give the node's id in the cluster."""
    return str(tell(node, "CLUSTER MYID").decode())


def is_master(node: Redis) -> bool:
    """Tell whether the node says that it is one."""
    return bool(tell(node, "ROLE")[0] == b"master")


def serves(node: Redis, slot: int) -> bool:
    """Tell whether the node says that this slot is its own."""
    served = [(first, last) for first, last, (_, port, *_), *_ in tell(node, "CLUSTER SLOTS") if port == node.port]
    return any(first <= slot <= last for first, last in served)


def known(node: Redis) -> int:
    """Count the nodes that it knows."""
    return sum("handshake" not in line for line in tell(node, "CLUSTER NODES").decode().splitlines())


def is_well(node: Redis) -> bool:
    """Tell whether the node says so, and knows a replica for each master."""
    info = tell(node, "CLUSTER INFO").decode()
    slots = tell(node, "CLUSTER SLOTS")
    return "cluster_state:ok" in info and all(len(served) > 3 for served in slots)


def follows(replica: Redis) -> bool:
    """Tell whether the replica has what its master has."""
    return bool(tell(replica, "ROLE")[3] == b"connected")
