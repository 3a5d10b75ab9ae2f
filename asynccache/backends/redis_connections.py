"""One connection to a Redis server, in both flavours: the only file, beside `redis_ear.py`, that knows redis-py.

redis-py connects, authenticates and parses. A line is told what to ask and gives back the replies, an error that the
server answered being a `Refusal`; it raises the errors of `FOREIGN_ERRORS`, `OSError` and `OutOfStepError`.
"""

from __future__ import annotations

import asyncio
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from redis import Connection, RedisError, ResponseError, SSLConnection, UnixDomainSocketConnection
from redis import TimeoutError as RedisTimeoutError
from redis import asyncio as on_loop
from redis.connection import URL_QUERY_ARGUMENT_PARSERS

from asynccache.backends.due_socket import DueSocket
from asynccache.backends.redis_line import Line
from asynccache.backends.redis_questions import Refusal
from asynccache.backends.servers import UNIX, Server
from asynccache.errors import ConfigurationError
from asynccache.wire.faults import ErrorReply, OutOfStepError
from asynccache.wire.redis import RedisWire

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from asynccache.backends.outage import Due
    from asynccache.backends.redis_peer import ServerClock
    from asynccache.backends.redis_questions import Question, Word

FOREIGN_ERRORS: tuple[type[Exception], ...] = (RedisError,)
_OURS = {
    "connection_class": "servers",
    "connection_pool": "pool_size",
    "decode_responses": "serializer",
    "host": "servers",
    "max_connections": "pool_size",
    "path": "servers",
    "port": "servers",
    "retry": "on_error",
    "retry_on_error": "on_error",
    "retry_on_timeout": "on_error",
    "socket_connect_timeout": "deadline",
    "socket_timeout": "deadline",
}
"""What redis-py calls what an option of ours decides."""


class _InTime:
    """What makes a connection of redis-py keep to the deadline of the operation of the moment."""

    due: Due
    socket_timeout: float | None
    socket_connect_timeout: float | None

    def _connect(self) -> Any:
        self.socket_timeout = self.socket_connect_timeout = self.due.left()
        try:
            return DueSocket(super()._connect(), self)  # type: ignore[misc]  # the next class has it
        finally:
            self.socket_timeout = None


class _TcpInTime(_InTime, Connection):
    pass


class _TlsInTime(_InTime, SSLConnection):
    pass


class _UnixInTime(_InTime, UnixDomainSocketConnection):
    pass


_TOO_MANY = "there are more replies than questions"
_readers: Mapping[str, Any] = URL_QUERY_ARGUMENT_PARSERS
_BLOCKING = {"redis": _TcpInTime, "rediss": _TlsInTime, UNIX: _UnixInTime}
_ON_LOOP = {
    "redis": on_loop.Connection,
    "rediss": on_loop.SSLConnection,
    UNIX: on_loop.UnixDomainSocketConnection,
}


class BlockingLine(Line):
    """A connection for callers off a loop; one at a time uses it."""

    def __init__(self, scheme: str, arguments: Mapping[str, Any], clock: ServerClock) -> None:
        self._clock = clock
        self._connection = _BLOCKING[scheme](**arguments)

    def is_fit(self, due: Due) -> bool:
        """Tell whether it is open, and nothing that nobody asked for is waiting in it."""
        self._connection.due = due
        try:
            return not self._connection.can_read()
        except (RedisError, OSError):
            return False

    def exchange(self, questions: Sequence[Question], due: Due) -> list[Any]:
        """Ask, and read all replies, connecting first where need be."""
        connection = self._connection
        connection.due = due
        with _translated():
            connection.connect()
            if first := self._to_ask_first(questions):
                self._told(first, self._ask(first, due))
            replies = self._ask(questions, due)
            self._expect_no_more()
            return replies

    def drop(self) -> None:
        """Close at once."""
        self._connection.disconnect()

    def _ask(self, questions: Sequence[Question], due: Due) -> list[Any]:
        packed = self._connection.pack_commands(self._words(questions, due))
        self._connection.send_packed_command(packed, check_health=False)
        return [self._reply() for _ in questions]

    def _expect_no_more(self) -> None:
        try:
            more = self._connection.can_read()
        except (RedisError, OSError):  # closed after it had answered, which is no reason to doubt the answer
            return
        if more:
            raise OutOfStepError(_TOO_MANY)

    def _reply(self) -> Any:
        try:
            return self._connection.read_response()
        except ResponseError as answered:
            return _refusal(answered)


class SharedLine(RedisWire, Line):
    """A connection of one loop, which all its tasks use at once."""

    def __init__(self, clock: ServerClock, silence: float) -> None:
        super().__init__(silence)
        self._clock = clock
        self._introducing = asyncio.Lock()
        self._stream: Any = None

    async def exchange(self, questions: Sequence[Question], due: Due) -> list[Any]:
        """Ask, and give the replies, which fit; a look at one key is asked together with those of others."""
        if self._to_ask_first(questions):
            await self._introduce(questions, due)
        if len(questions) == 1 and questions[0].is_lone_look:
            _, notebook, key = questions[0].words
            found = await self.look(notebook, key, due.at)  # type: ignore[arg-type]  # keys are bytes
            return [list(found) if type(found) is tuple else _answered(found)]
        return await self._commanded(self._words(questions, due), questions, due)

    async def _commanded(self, words: Sequence[tuple[Word, ...]], questions: Sequence[Question], due: Due) -> list[Any]:
        replies = await self.command(words, due.at, [question.fits for question in questions])
        return [_answered(reply) for reply in replies]

    def take_over(self, connection: Any) -> None:
        """Go on where redis-py has connected."""
        self._stream = connection._writer  # noqa: SLF001  # which closes what it is about when it goes
        connection._reader = connection._writer = None  # noqa: SLF001
        transport = self._stream.transport
        transport.set_protocol(self)
        self.connection_made(transport)

    async def _introduce(self, questions: Sequence[Question], due: Due) -> None:
        async with asyncio.timeout(due.left()), self._introducing:
            if first := self._to_ask_first(questions):
                self._told(first, await self._commanded([question.words for question in first], first, due))


def unopened(scheme: str, arguments: Mapping[str, Any]) -> Any:
    """Give a connection of redis-py for a loop."""
    return _ON_LOOP[scheme](**arguments)


async def connected(scheme: str, arguments: Mapping[str, Any], clock: ServerClock, silence: float) -> SharedLine:
    """Open a connection, and say to the server what redis-py says at first."""
    connection = unopened(scheme, arguments)
    line = SharedLine(clock, silence)
    with _translated():
        try:
            await connection.connect()
            if await connection.can_read():
                raise OutOfStepError(_TOO_MANY)
        except BaseException:
            await connection.disconnect(nowait=True)
            raise
        line.take_over(connection)
    return line


def arguments_of(server: Server, options: Mapping[str, Any]) -> dict[str, Any]:
    """Give what redis-py's connections to this server are made with, having tried it.

    Options of the call beat those of the URL. Raises `ConfigurationError` for what redis-py does not take.
    """
    given = {**_from_url(server), **options}
    if taken := sorted(_OURS.keys() & given.keys()):
        raise ConfigurationError(f"the Redis option {taken[0]!r} is decided here by {_OURS[taken[0]]}=...")
    where = {"path": server.path} if server.scheme == UNIX else {"host": server.host, "port": server.port}
    ours = {"socket_timeout": None, "socket_connect_timeout": None, "driver_info": None, "protocol": 2}
    arguments = {**ours, **given, **where}
    try:
        _BLOCKING[server.scheme](**arguments)
        _ON_LOOP[server.scheme](**arguments)
    except (TypeError, ValueError, RedisError) as refused:
        raise ConfigurationError(f"redis-py does not take the options for {server.name}: {refused}") from refused
    return arguments


def _from_url(server: Server) -> dict[str, Any]:
    found: dict[str, Any] = {}
    try:
        for name, text in server.query.items():
            found[name] = _readers.get(name, str)(text)
        if server.scheme != UNIX and server.path.strip("/"):
            found.setdefault("db", int(server.path.strip("/")))
    except (TypeError, ValueError):
        raise ConfigurationError(
            f"{server.name}: a database is a number, as in redis://host:6379/0, and so are most options in the URL "
            f"({', '.join(server.query) or 'there are none'})"
        ) from None
    credentials = {"username": server.username, "password": server.password}
    return found | {name: text for name, text in credentials.items() if text is not None}


def _refusal(answered: ResponseError) -> Refusal:
    said = _without_arguments(str(answered))
    code = answered.status_code or said.partition(" ")[0]
    return Refusal(code, said if said.startswith(code) else f"{code} {said}")


def _answered(reply: Any) -> Any:
    """Give a reply, a `Refusal` for an error."""
    if type(reply) is not ErrorReply:
        return reply
    said = _without_arguments(reply.said)
    return Refusal(said.partition(" ")[0], said)


def _without_arguments(said: str) -> str:
    """Leave out what a server quotes of a command that it does not know: passwords and values among it."""
    return said.partition(", with args beginning with:")[0]


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except RedisTimeoutError as late:
        raise TimeoutError(str(late)) from late
    except ResponseError as refused:  # of what is said at connecting, which has the password in it
        raise ResponseError(_without_arguments(str(refused))) from None
    except (RedisError, OSError, OutOfStepError):
        raise
    except Exception as confusion:  # what a parser raises on garbage is whatever its code ran into
        raise OutOfStepError(f"{type(confusion).__name__}: {confusion}") from confusion
