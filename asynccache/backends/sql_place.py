"""Where a database is: what its URL says, in whatever way people write such URLs."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from asynccache.backends.servers import redacted
from asynccache.backends.sql_words import Dialect
from asynccache.errors import ConfigurationError, MissingDependencyError

if TYPE_CHECKING:
    from sqlalchemy import URL

_SCHEMES = {
    "sqlite": Dialect.SQLITE,
    "postgresql": Dialect.POSTGRESQL,
    "postgres": Dialect.POSTGRESQL,
    "mysql": Dialect.MYSQL,
    "mariadb": Dialect.MYSQL,
}
_PORTS = {Dialect.POSTGRESQL: 5432, Dialect.MYSQL: 3306}
_DRIVERS = {Dialect.POSTGRESQL: "psycopg", Dialect.MYSQL: "asyncmy"}
_TABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,49}")


@dataclass(frozen=True, slots=True)
class Place:
    """A database: a file, or a server's URL for SQLAlchemy; the name has no password in it."""

    dialect: Dialect
    name: str
    path: str = ""
    url: URL | None = field(default=None, repr=False)


def place_of(url: object) -> Place:
    """Read a URL; `ConfigurationError` where it names no database, `MissingDependencyError` without its driver."""
    if not isinstance(url, str):
        raise ConfigurationError(f"url is a str such as 'sqlite:///cache.db', not a {type(url).__name__}")
    scheme, _, driver = url.partition("://")[0].partition("+")
    dialect = _SCHEMES.get(scheme)
    if dialect is None or "://" not in url:
        raise ConfigurationError(f"{redacted(url)!r}: give a URL that begins with one of {sorted(_SCHEMES)} and '://'")
    del driver  # ours: one of each kind is known to survive what a cache has to
    return _file(url) if dialect is Dialect.SQLITE else _server(url, dialect)


def checked_table(table: object) -> str:
    """Return a name that needs no care in a statement."""
    if not isinstance(table, str) or not _TABLE.fullmatch(table):
        raise ConfigurationError(f"table={table!r:.80}: give letters, digits and _, at most 50, no digit first")
    return table


def _file(url: str) -> Place:
    parts = urlsplit(url)
    path = unquote(parts.path.removeprefix("/"))
    if parts.netloc:
        raise ConfigurationError(
            f"{redacted(url)!r} names a host: write sqlite:///relative.db or sqlite:////absolute.db"
        )
    if parts.query:
        raise ConfigurationError(f"{redacted(url)!r}: a file has no options of its own; give arguments to the backend")
    if path in ("", ":memory:"):
        raise ConfigurationError(f"{url!r} is in memory: write 'local://' for that, or sqlite:///cache.db for a file")
    file = Path(path).absolute()
    if not file.parent.is_dir():
        raise ConfigurationError(f"{str(file)!r}: there is no folder {str(file.parent)!r}; make it first")
    if file.is_dir():
        raise ConfigurationError(f"{str(file)!r} is a folder: name a file")
    return Place(Dialect.SQLITE, str(file), path=str(file))


def _server(url: str, dialect: Dialect) -> Place:
    extra = dialect.value
    try:
        from sqlalchemy import make_url
        from sqlalchemy.exc import ArgumentError
    except ModuleNotFoundError as missing:
        raise MissingDependencyError.of("SQLCacheBackend", "sqlalchemy", extra) from missing
    try:
        __import__(_DRIVERS[dialect])
    except ModuleNotFoundError as missing:
        raise MissingDependencyError.of("SQLCacheBackend", _DRIVERS[dialect], extra) from missing
    from asynccache.backends import sql_dialects

    try:
        made = make_url(url)
        if "@" in f"{made.host}{made.database}":
            raise ValueError  # the password has both an @ and a /, so that its end was taken for the host
    except (ArgumentError, ValueError):  # whose text may hold a part of the password
        raise ConfigurationError(
            f"{redacted(url)!r} is no URL: give user:password@host:port/database, and write / # ? @ in a password as "
            "%2F %23 %3F %40"
        ) from None
    if not made.database:
        raise ConfigurationError(f"{redacted(url)!r} names no database: write {extra}://user:password@host/database")
    host = made.host or "localhost"
    name = f"{f'[{host}]' if ':' in host else host}:{made.port or _PORTS[dialect]}/{made.database}"
    return Place(dialect, name, url=sql_dialects.for_driver(made, dialect))


def checked_options(place: Place, options: Any) -> dict[str, Any]:
    """Return options for the driver, having checked that it knows them and those in the URL."""
    given = dict(options or {})
    if place.url is None:
        if given:
            raise ConfigurationError(f"options={sorted(given)}: a file has none")
        return given
    from asynccache.backends import sql_dialects

    known = sql_dialects.known_options(place.dialect)
    if unknown := sorted({*given, *place.url.query} - known):
        raise ConfigurationError(f"{place.name}: the driver has no option {unknown}; it has {sorted(known)}")
    return given
