"""MySQL and MariaDB by asyncmy, as a cache needs it: a connection is made without questions, and closed at once."""

from __future__ import annotations

import math
from inspect import signature
from typing import TYPE_CHECKING, Any

from asyncmy.connection import Connection
from sqlalchemy.dialects.mysql.asyncmy import MySQLDialect_asyncmy

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import URL

_SESSION = (
    "SET SESSION sql_mode = 'STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION', SESSION sql_notes = 0, "
    "SESSION innodb_lock_wait_timeout = {wait}, SESSION lock_wait_timeout = {wait}, "
    "SESSION net_write_timeout = {stay} /*M!100300 , SESSION idle_transaction_timeout = {stay} */"
)
"""The driver writes bytes into statements with backslashes, which a server may have been told not to heed; it asks for
every note, and logs it. Whoever has given up waits for no lock, and whoever has vanished keeps none: seconds."""


_BEGIN = "SET TRANSACTION ISOLATION LEVEL READ COMMITTED; BEGIN"
"""Without locks on what is not there, for which writers would wait in circles."""

_OURS = {
    *("autocommit", "charset", "conv", "cursor_cls", "database", "db", "host", "init_command", "local_infile"),
    *("password", "port", "self", "sock", "sql_mode", "user"),
}
"""What is decided here, or stands in the URL."""


class MySQL(MySQLDialect_asyncmy):
    """What SQLAlchemy is told about asyncmy."""

    driver = "asynccache"
    supports_statement_cache = True

    def __init__(self, deadline: float = 0.5, **options: Any) -> None:
        super().__init__(**options)
        self._session = _SESSION.format(wait=math.ceil(deadline), stay=math.ceil(2 * deadline))

    def on_connect(self) -> Any:
        """Ask nothing."""

    def initialize(self, connection: Any) -> None:
        """Ask nothing."""

    def create_connect_args(self, url: URL) -> Any:  # type: ignore[override]  # as the class above has it
        """Add what the driver needs to know."""
        args, options = super().create_connect_args(url)
        return args, {"charset": "utf8mb4", "init_command": self._session, "autocommit": True, **options}

    def do_close(self, dbapi_connection: Any) -> None:
        """Close at once."""
        self.abort(dbapi_connection.driver_connection)
        dbapi_connection.driver_connection.close()

    def do_terminate(self, dbapi_connection: Any) -> None:
        """Close at once."""
        self.abort(dbapi_connection.driver_connection)
        dbapi_connection.driver_connection.close()

    @staticmethod
    def known_options() -> set[str]:
        """Give the names of asyncmy's options."""
        return {*signature(Connection).parameters} - _OURS

    @classmethod
    def is_fit(cls, driver_connection: Any) -> bool:
        """Tell whether it is open, and nothing that nobody asked for has come."""
        is_open = not driver_connection._stream_broken  # noqa: SLF001  # it is not told in another way
        return is_open and not cls.has_more(driver_connection)

    @staticmethod
    def has_more(driver_connection: Any) -> bool:
        """Tell whether something has come that nobody asked for."""
        received = driver_connection._proto  # noqa: SLF001  # likewise
        return bool(received.length != received.pos)

    @staticmethod
    async def transact(
        driver_connection: Any, asked: Sequence[tuple[str, dict[str, Any]]]
    ) -> list[tuple[list[Any] | None, int]]:
        """Execute these as one transaction, sent in one go; give the rows of each, if any, and how many it changed."""
        cursor = driver_connection.cursor()
        texts = [_BEGIN, *[cursor.mogrify(text, parameters) for text, parameters in asked], "COMMIT"]
        await cursor.execute("; ".join(texts))
        answers = []
        while await cursor.nextset():
            rows = None if cursor.description is None else list(await cursor.fetchall())
            answers.append((rows, cursor.rowcount))
        return answers[1:-1]

    @staticmethod
    def abort(driver_connection: Any) -> None:
        """Let whoever waits on it see its end."""
        if (transport := driver_connection._transport) is not None:  # noqa: SLF001  # close() waits for a frozen server
            transport.abort()

    @staticmethod
    async def end(driver_connection: Any) -> None:
        """Take leave."""
        await driver_connection.ensure_closed()
