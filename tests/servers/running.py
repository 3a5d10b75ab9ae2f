"""A server that somebody else started, named by the environment."""

import os
from dataclasses import dataclass
from urllib.parse import urlsplit

DEFAULT_PORTS = {
    "redis": 6379,
    "rediss": 6379,
    "memcached": 11211,
    "postgresql": 5432,
    "mariadb": 3306,
    "mysql": 3306,
}


@dataclass(frozen=True, slots=True)
class Running:
    """Where a running server answers; the launched servers have the same attributes."""

    url: str
    host: str
    port: int

    @property
    def address(self) -> str:
        """`host:port`."""
        return f"{self.host}:{self.port}"


def named_by_environment(name: str) -> Running | None:
    """The server that ASYNCCACHE_TEST_REDIS (..._MEMCACHED, ..._POSTGRESQL, ..._MARIADB) names by its URL, if any."""
    variable = f"ASYNCCACHE_TEST_{name.upper()}"
    url = os.environ.get(variable)
    if not url:
        return None
    parts = urlsplit(url)
    if parts.scheme not in DEFAULT_PORTS or not parts.hostname:
        raise ValueError(f"{variable} is not a URL like {name}://127.0.0.1:{DEFAULT_PORTS[name]}")
    return Running(url, parts.hostname, parts.port or DEFAULT_PORTS[parts.scheme])
