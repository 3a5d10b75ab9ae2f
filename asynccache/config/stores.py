"""Which words and URL schemes there are, and the backend that each means."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from asynccache.config.making import imported

if TYPE_CHECKING:
    from asynccache.model import BaseCacheBackend

_REPLIT_FILE = Path("/tmp/replitdb")  # noqa: S108  # Replit's place, not ours


@dataclass(frozen=True, slots=True)
class Store:
    """How a word or a URL scheme becomes a backend: its class, and how it is told where it keeps things.

    `argument` takes a URL: the one that is named, else that of the `environment` variable, else `default_url`. Without
    an argument the class knows by itself.
    """

    path: str
    argument: str = ""
    default_url: str = ""
    environment: str = ""

    def backend_class(self) -> type[BaseCacheBackend]:
        """Import the class."""
        return imported(self.path)  # type: ignore[no-any-return]  # the table below names backends only

    @property
    def is_configured(self) -> bool:
        """Tell whether it is known where to look: for Replit's store only Replit says so."""
        return self is not REPLIT or bool(os.environ.get("REPLIT_DB_URL")) or _REPLIT_FILE.exists()


LOCAL = Store("asynccache.backends.local_cache.LocalMemCacheBackend")
DUMMY = Store("asynccache.backends.dummy_cache.DummyCacheBackend")
REDIS = Store("asynccache.backends.redis.RedisCacheBackend", "servers", "redis://localhost:6379/0", "REDIS_URL")
MEMCACHED = Store(
    "asynccache.backends.memcached.MemcachedCacheBackend", "servers", "memcached://localhost:11211", "MEMCACHED_URL"
)
DATABASE = Store("asynccache.backends.sql_cache.SQLCacheBackend", "url", "sqlite:///cache.db", "DATABASE_URL")
SQLITE = Store("asynccache.backends.sql_cache.SQLCacheBackend", "url", "sqlite:///cache.db")
REPLIT = Store("asynccache.backends.replit_cache.ReplitCacheBackend")

WORDS = {
    "local": LOCAL,
    "locmem": LOCAL,
    "memory": LOCAL,
    "dummy": DUMMY,
    "redis": REDIS,
    "memcache": MEMCACHED,
    "memcached": MEMCACHED,
    "database": DATABASE,
    "sqlite": SQLITE,
    "replit": REPLIT,
}
SCHEMES = {
    "local": LOCAL,
    "dummy": DUMMY,
    "redis": REDIS,
    "rediss": REDIS,
    "unix": REDIS,
    "redis+cluster": REDIS,
    "rediss+cluster": REDIS,
    "redis+sentinel": REDIS,
    "rediss+sentinel": REDIS,
    "memcached": MEMCACHED,
    "memcacheds": MEMCACHED,
    "sqlite": DATABASE,
    "postgresql": DATABASE,
    "postgres": DATABASE,
    "mysql": DATABASE,
    "mariadb": DATABASE,
}


def store_of(scheme: str) -> Store | None:
    """Find the store of a scheme; what SQLAlchemy writes after a `+` does not matter."""
    base = SCHEMES.get(scheme.partition("+")[0])
    return base if base is DATABASE else SCHEMES.get(scheme)
