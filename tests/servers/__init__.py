"""Real servers for the tests: found or fetched, started in the foreground on loopback, killed and frozen at will."""

from tests.servers.chromium import Chromium
from tests.servers.faultproxy import FaultProxy
from tests.servers.finding import Missing, find
from tests.servers.mariadb import MariaDB
from tests.servers.memcached import Memcached
from tests.servers.nginx import Nginx
from tests.servers.postgresql import PostgreSQL
from tests.servers.process import Server, StartError
from tests.servers.redis import Redis, RedisReplicaSet
from tests.servers.redis_cluster import RedisCluster
from tests.servers.redis_sentinel import RedisSentinels
from tests.servers.replitdb import ReplitDB
from tests.servers.running import Running, named_by_environment

__all__ = [
    "Chromium",
    "FaultProxy",
    "MariaDB",
    "Memcached",
    "Missing",
    "Nginx",
    "PostgreSQL",
    "Redis",
    "RedisCluster",
    "RedisReplicaSet",
    "RedisSentinels",
    "ReplitDB",
    "Running",
    "Server",
    "StartError",
    "find",
    "named_by_environment",
]
