"""A database: SQLite, which survives a restart and needs no server, PostgreSQL, MySQL and MariaDB."""

from __future__ import annotations

from contextlib import suppress
from secrets import randbits
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from asynccache.backends.base import StoreBackend
from asynccache.backends.framing import added
from asynccache.backends.outage import OutageGuard, checked_deadline
from asynccache.backends.sql_culling import SAMPLE, Culler
from asynccache.backends.sql_place import checked_options, checked_table, place_of
from asynccache.backends.sql_replies import FullError, NoTableError, Statement
from asynccache.backends.sql_rows import KEY_BYTES, Row, framed
from asynccache.backends.sql_statements import Dialect, Statements
from asynccache.core import codec
from asynccache.core.codec import Frame
from asynccache.core.keys import bounded_key
from asynccache.errors import BackendUnavailableError, ConfigurationError, NotAnIntegerError
from asynccache.model import ALL_BUT_FENCES, Capability
from asynccache.plan.io import BLOCKING, LOOP, run

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from asynccache.backends.sql_file import SqlFile
    from asynccache.backends.sql_replies import Reply
    from asynccache.backends.sql_server import SqlServer
    from asynccache.plan.io import IO

K = TypeVar("K", str, bytes)
_BATCH_COUNT = 100
_BATCH_BYTES = 256 * 1024
_DDL_SECONDS = 10.0
_ATTEMPTS = 10
_ALWAYS_FITS = 64 * 1024
"""Bytes of an entry that no server refuses."""


class SQLCacheBackend(StoreBackend):
    """Entries in a table of SQLite (3.35 or later), PostgreSQL, MySQL or MariaDB.

    SQLite needs nothing else; the others need the extra `postgresql` or `mysql`. The table is made when it is first
    needed, or by `create_table`.

    Args:
        url: `sqlite:///relative.db`, `sqlite:////absolute.db`, `postgresql://user:password@host:port/database`,
            `mysql://...` or `mariadb://...`.
        table: the table's name; several backends can share one, kept apart by `key_prefix`.
        max_entries: how many entries of all applications the table may have; beyond that, those that would end first
            are removed. Judged by a sample every 64 writes: it can be exceeded by a tenth.
        unlogged: PostgreSQL only: a table that is written faster, and empty after a crash of the server.
        deadline: seconds for one operation, waiting for a connection or for other writers included (for each batch of a
            `*_many`).
        pool_size: connections that each loop may have to a server.
        options: for the driver (psycopg or asyncmy), such as `ssl`.
        base: those of `StoreBackend` and `BaseCacheBackend`.

    Raises `ConfigurationError` for options that cannot work, `MissingDependencyError` where a driver is missing.
    """

    capabilities: ClassVar[frozenset[Capability]] = ALL_BUT_FENCES
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
        self._sql = Statements(dialect, checked_table(table), by_server, unlogged)
        self._culler = Culler(_checked_count("max_entries", max_entries))
        self._database = self._connected(_checked_count("pool_size", pool_size), checked_options(self._place, options))

    def __repr__(self) -> str:
        where = f"{self._place.name} table={self._sql.table!r}"
        return f"<SQLCacheBackend {where} key_prefix={self.key_prefix!r} version={self.version!r}>"

    def ddl(self) -> str:
        """Give the statements that make the table, for whoever wants to run them by other means."""
        return "".join(f"{statement};\n" for statement in self._sql.ddl())

    def create_table(self) -> None:
        """Make the table where it is not there yet; `BackendUnavailableError` where that is not possible."""
        run(self._create(BLOCKING))

    async def create_table_async(self) -> None:
        """Make the table where it is not there yet; `BackendUnavailableError` where that is not possible."""
        await self._create(LOOP)

    async def shut(self, io: IO) -> None:
        await self._database.shut(io)

    # Drivers

    async def _fetch(self, io: IO, key: str) -> bytes | None:
        return (await self._fetch_many(io, [key])).get(key)

    async def _fetch_many(self, io: IO, keys: list[str]) -> dict[str, bytes]:
        wires = {bounded_key(key, KEY_BYTES): key for key in keys}
        found: dict[str, bytes] = {}
        for batch in _batches(dict.fromkeys(wires, b"")):
            rows, _ = await self._asked(io, "get", self._sql.fetch(batch, self.clock()))
            found.update((wires[wire], framed(entry, number)) for wire, entry, number in rows)
        return found

    async def _store(self, io: IO, key: str, raw: bytes, ttl: float) -> bool:
        return not await self._store_many(io, {key: raw}, ttl)

    async def _store_many(self, io: IO, raws: Mapping[str, bytes], ttl: float) -> list[str]:
        refused = await self._too_big(io, raws)
        for batch in _batches({key: raw for key, raw in raws.items() if key not in refused}):
            rows = [Row.of(key, raws[key]) for key in batch]
            try:
                await self._asked(io, "set", self._sql.store(rows, ttl, self.clock()))
            except BackendUnavailableError as error:
                if not isinstance(error.__cause__, FullError):
                    raise
                refused.extend(batch)
        if refused:
            await self._drop_many(io, refused)
        await self._cull(io, len(raws) - len(refused))
        return refused

    async def _add(self, io: IO, key: str, raw: bytes, ttl: float) -> bool:
        return not await self._too_big(io, {key: raw}) and await self._inserted(io, "add", Row.of(key, raw), ttl)

    async def _touch(self, io: IO, key: str, ttl: float) -> bool:
        _, count = await self._asked(io, "touch", self._sql.touch(bounded_key(key, KEY_BYTES), ttl, self.clock()))
        return bool(count)

    async def _swap(self, io: IO, key: str, seen: bytes, raw: bytes, ttl: float) -> bool:
        swap = self._sql.swap(Row.of(key, raw), seen, ttl, self.clock())
        return not await self._too_big(io, {key: raw}) and bool((await self._asked(io, "set", swap))[1])

    async def _drop(self, io: IO, key: str) -> bool:
        return bool(await self._drop_many(io, [key]))

    async def _drop_many(self, io: IO, keys: list[str]) -> int:
        dropped = 0
        for batch in _batches({bounded_key(key, KEY_BYTES): b"" for key in keys}):
            _, count = await self._asked(io, "delete", self._sql.drop(batch, self.clock()))
            dropped += count
        return dropped

    async def _bump(self, io: IO, key: str, delta: int, ttl: float) -> int:
        if delta not in codec.INT64:
            raise NotAnIntegerError(f"{delta} does not fit into 64 bits; the counter stays as it was")
        first = Row.of(key, self._stamped(Frame(codec.integer_payload(delta), flags=codec.INTEGER), key, ttl))
        for _ in range(_ATTEMPTS):
            bump = self._sql.bump(first.cache_key, delta, self.clock(), randbits(62))
            rows, _ = await self._asked(io, "incr", *bump)
            if rows:
                return int(rows[0][1])
            if await self._inserted(io, "incr", first, ttl):
                return delta
            raw = await self._fetch(io, key)
            frame = None if raw is None else await self._framed(io, key, raw)
            if frame is not None:
                added(frame, delta)  # says what is wrong with it; if nothing is, somebody made it just now
        self._counts["errors"] += 1
        raise BackendUnavailableError(f"{key!r} was changed by others all the time; try again")

    # The database

    async def _inserted(self, io: IO, tried: str, row: Row, ttl: float) -> bool:
        rows, _ = await self._asked(io, tried, *self._sql.insert(row, ttl, self.clock(), randbits(62)))
        await self._cull(io, len(rows))
        return bool(rows)

    async def _too_big(self, io: IO, raws: Mapping[str, bytes]) -> list[str]:
        longest = max(map(len, raws.values()), default=0)
        if longest <= _ALWAYS_FITS or longest <= (largest := await self._database.largest(io)):
            return []
        return [key for key, raw in raws.items() if len(raw) > largest]

    async def _cull(self, io: IO, rows: int) -> None:
        """Remove a little of what is over or too much, now and then; a write that is done does not fail for it."""
        if not (limit := self._culler.due(rows)):
            return
        with suppress(BackendUnavailableError):
            await self._asked(io, "cull", self._sql.cull(limit, self.clock()))
            start = self._culler.start()
            ((count, last),), _ = await self._asked(io, "cull", self._sql.sample(start, SAMPLE))
            if excess := self._culler.excess(start, count, last):
                await self._asked(io, "cull", self._sql.cull(min(excess, limit), self.clock(), living=True))

    async def _asked(self, io: IO, tried: str, *statements: Statement) -> Reply:
        """Execute these, making the table first where there is none; give the last one's reply."""
        try:
            return (await self._database.ask(io, tried, statements))[-1]
        except NoTableError:
            await self._create(io)
        try:
            return (await self._database.ask(io, tried, statements))[-1]
        except NoTableError as missing:
            raise BackendUnavailableError(f"{self._place.name}: {tried}: {missing}") from missing

    async def _create(self, io: IO) -> None:
        statements = [Statement(text) for text in self._sql.ddl()]
        await self._database.ask(io, "create the table", statements, patience=_DDL_SECONDS)

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


def _batches(raws: Mapping[K, bytes]) -> Iterator[list[K]]:
    """Cut into what one statement carries, in the order of keys: so nobody waits in a circle for locked rows."""
    batch: list[K] = []
    size = 0
    for key in sorted(raws):
        if batch and (len(batch) >= _BATCH_COUNT or size + len(raws[key]) > _BATCH_BYTES):
            yield batch
            batch, size = [], 0
        batch.append(key)
        size += len(raws[key])
    if batch:
        yield batch
