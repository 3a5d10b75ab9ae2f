"""A database: SQLite, which survives a restart and needs no server, PostgreSQL, MySQL and MariaDB."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from asynccache.backends.outage import OutageGuard, checked_deadline
from asynccache.backends.sql_asking import ServerTime
from asynccache.backends.sql_changing import ChangingBackend
from asynccache.backends.sql_culling import Culler
from asynccache.backends.sql_place import checked_options, checked_table, place_of
from asynccache.backends.sql_words import Dialect, Words
from asynccache.errors import ConfigurationError
from asynccache.model import Capability
from asynccache.plan.io import BLOCKING, LOOP, run

if TYPE_CHECKING:
    from collections.abc import Mapping

    from asynccache.backends.sql_file import SqlFile
    from asynccache.backends.sql_server import SqlServer
    from asynccache.plan.io import IO


class SQLCacheBackend(ChangingBackend):
    """Entries in tables of SQLite (3.35 or later), PostgreSQL, MySQL or MariaDB.

    SQLite needs nothing else; the others need the extra `postgresql` or `mysql`. The tables are made when they are
    first needed, or by `create_table`.

    Args:
        url: `sqlite:///relative.db`, `sqlite:////absolute.db`, `postgresql://user:password@host:port/database`,
            `mysql://...` or `mariadb://...`.
        table: what the names of its tables begin with; several backends can share them, apart by `key_prefix`.
        max_entries: how many entries of all applications there may be; beyond that, those that would end first
            are removed. Judged by a sample every 64 writes: it can be exceeded by a tenth.
        unlogged: PostgreSQL only: tables that are written faster, and empty after a crash of the server.
        deadline: seconds for one operation, waiting for a connection or for other writers included (for each hundred
            keys of `get_many` and `set_many`).
        pool_size: connections that each loop may have to a server.
        options: for the driver (psycopg or asyncmy), such as `ssl`.
        base: those of `StoreBackend` and `BaseCacheBackend`.

    Raises `ConfigurationError` for options that cannot work, `MissingDependencyError` where a driver is missing.
    """

    capabilities: ClassVar[frozenset[Capability]] = frozenset(Capability)
    expires_entries: ClassVar[bool] = True

    def __init__(
        self,
        url: str = "sqlite:///cache.db",
        *,
        table: str = "asynccache",
        max_entries: int = 1_000_000,
        unlogged: bool = False,
        deadline: float = 0.5,
        pool_size: int = 10,
        options: Mapping[str, Any] | None = None,
        **base: Any,
    ) -> None:
        super().__init__(**base)
        self.deadline = checked_deadline(deadline)
        self._place = place_of(url)
        dialect = self._place.dialect
        if unlogged and dialect is not Dialect.POSTGRESQL:
            raise ConfigurationError("unlogged=True: only PostgreSQL has tables without a log")
        by_server = dialect is not Dialect.SQLITE and base.get("clock") is None
        self._sql = Words(dialect, checked_table(table), by_server, unlogged)
        self._time = ServerTime()
        self._culler = Culler(_checked_count("max_entries", max_entries))
        self._database = self._connected(_checked_count("pool_size", pool_size), checked_options(self._place, options))

    def __repr__(self) -> str:
        where = f"{self._place.name} table={self._sql.table!r}"
        return f"<SQLCacheBackend {where} key_prefix={self.key_prefix!r} version={self.version!r}>"

    def create_table(self) -> None:
        """Make the tables where they are not there yet; `BackendUnavailableError` where that is not possible."""
        run(self._create(BLOCKING))

    async def create_table_async(self) -> None:
        """Make the tables where they are not there yet; `BackendUnavailableError` where that is not possible."""
        await self._create(LOOP)

    async def shut(self, io: IO) -> None:
        if self._follower is not None:
            self._follower.stop()
        await self._database.shut(io)

    def _connected(self, pool_size: int, options: Mapping[str, Any]) -> SqlFile | SqlServer:
        from asynccache.backends.sql_file import FOREIGN_ERRORS, SqlFile

        if self._place.url is None:
            guard = OutageGuard(self, self._place.name, self.deadline, FOREIGN_ERRORS, self._counts)
            return SqlFile(self._place.path, guard)
        from asynccache.backends.sql_server import SqlServer

        guard = OutageGuard(self, self._place.name, self.deadline, (), self._counts)
        return SqlServer(self._place, guard, pool_size, options)


def _checked_count(name: str, count: object) -> int:
    if isinstance(count, bool) or not isinstance(count, int) or count < 1:
        raise ConfigurationError(f"{name}={count!r}: give a whole number above 0")
    return count
