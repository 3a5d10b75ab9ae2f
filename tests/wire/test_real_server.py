"""The connection of a RedisNode to a server that says what the test says, plain and over TLS."""

import asyncio
import gc
import ssl
import time
import weakref

import pytest
from hiredis import Reader

from asynccache.backends.redis_connections import arguments_of, connected
from asynccache.backends.redis_peer import ServerClock
from asynccache.backends.servers import Server
from asynccache.wire.faults import BusyError
from tests.servers.certificates import certify
from tests.wire.driver import outcomes, reply

SILENCE = 0.5


class Said:
    """A server that greets as Redis does, and then answers by a function of the test's."""

    def __init__(self, answer) -> None:
        self.answer = answer
        self.commands: list[list[bytes]] = []
        self.writers: list[asyncio.StreamWriter] = []
        self.met, self.left = asyncio.Event(), asyncio.Event()

    async def serve(self, reader, writer):
        self.writers.append(writer)
        self.met.set()
        commands = Reader()
        try:
            while data := await reader.read(65_536):
                commands.feed(data)
                while command := commands.gets():
                    await self._answer(writer, command)
        except OSError:
            pass
        finally:
            self.left.set()
            writer.close()

    async def _answer(self, writer, command):
        if command[0] in {b"CLIENT", b"HELLO", b"AUTH", b"SELECT"}:
            writer.write(b"+OK\r\n")
        else:
            self.commands.append(command)
            for part in self.answer(command):
                writer.write(part)
                await writer.drain()


@pytest.fixture(params=["plain", "tls"])
async def line_to(request, tmp_path):
    servers = []
    lines = []

    async def connect(answer):
        said = Said(answer)
        options = {}
        context = None
        if request.param == "tls":
            certificates = certify(tmp_path)
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificates.certificate, certificates.key)
            options = {"ssl_ca_certs": certificates.authority}
        server = await asyncio.start_server(said.serve, "localhost", 0, ssl=context)
        servers.append(server)
        where = Server("rediss" if context else "redis", "localhost", server.sockets[0].getsockname()[1])
        line = await connected(where.scheme, arguments_of(where, options), ServerClock(), SILENCE)
        lines.append(weakref.ref(line))
        await asyncio.wait_for(said.met.wait(), 5)
        return line, said

    yield connect
    for known in lines:
        if (line := known()) is not None:
            line.lose(ConnectionAbortedError, "the test is over")
    for server in servers:
        server.close()
    await asyncio.sleep(0.01)


def echo(command):
    """Answer MGET by the keys themselves, anything else by its last word."""
    yield reply(command[1:] if command[0] == b"MGET" else command[-1])


def soon():
    return time.monotonic() + 20


async def test_a_crowd_gets_its_own(line_to):
    line, said = await line_to(echo)
    looks = [line.look(b"~n", b"%d" % number, soon()) for number in range(5_000)]
    commands = [line.command([(b"GET", b"c%d" % number)], soon()) for number in range(5_000)]
    assert await outcomes(*looks) == [(b"~n", b"%d" % number) for number in range(5_000)]
    assert await outcomes(*commands) == [[b"c%d" % number] for number in range(5_000)]
    assert len(said.writers) == 1
    assert sum(command[0] == b"MGET" for command in said.commands) <= 22


async def test_bytes_that_come_one_by_one(line_to):
    def sliced(command):
        for part in echo(command):
            yield from (part[at : at + 1] for at in range(len(part)))

    line, _ = await line_to(sliced)
    futures = [line.command([(b"GET", b"value")], soon()), line.look(b"~n", b"k", soon())]
    assert await outcomes(*futures) == [[b"value"], (b"~n", b"k")]


async def test_large_values_both_ways_between_small_ones(line_to):
    line, _ = await line_to(echo)
    large = bytes(range(256)) * 20_480
    futures = [line.command([(b"SET", b"k", word)], soon()) for word in (b"1", large, b"2", large, b"3")]
    assert await outcomes(*futures) == [[b"1"], [large], [b"2"], [large], [b"3"]]


async def test_a_server_that_closes_and_one_that_only_says_so(line_to):
    line, said = await line_to(lambda command: ())
    waiting = line.command([(b"GET", b"a")], soon())
    await asyncio.sleep(0.05)
    if said.writers[0].can_write_eof():
        said.writers[0].write_eof()
    else:
        said.writers[0].close()
    assert await outcomes(waiting) == [ConnectionResetError]
    await asyncio.wait_for(said.left.wait(), 5)
    assert not line.is_open


async def test_a_server_that_reads_nothing_is_waited_for_and_given_up(line_to):
    line, said = await line_to(lambda command: ())
    said.writers[0].transport.pause_reading()
    due = time.monotonic() + SILENCE
    futures = [line.command([(b"SET", b"k", b"x" * 1_000_000)], due) for _ in range(20)]
    assert line.is_full
    assert set(await outcomes(*futures)) <= {TimeoutError, BusyError}
    await asyncio.sleep(0.1)
    assert not line.is_open
    assert line.room == 10_000


async def test_a_connection_that_was_lost_is_soon_no_more(line_to):
    line, said = await line_to(echo)
    await line.command([(b"GET", b"a")], soon())
    line.lose(ConnectionAbortedError, "over")
    await asyncio.wait_for(said.left.wait(), 5)
    gone = weakref.ref(line)
    del line
    await asyncio.sleep(0.05)
    gc.collect()
    assert gone() is None
