"""MemcachedCacheBackend over TLS, with passwords, and on servers that know the classic text only."""

import asyncio
import logging
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from functools import partial

import pytest

from asynccache.backends.memcached import MemcachedCacheBackend
from asynccache.errors import BackendUnavailableError
from asynccache.testing.contract import (
    ClearContract,
    CounterContract,
    LockContract,
    ManyContract,
    TagContract,
)
from asynccache.wire.lane import closed
from tests.backends.wire import ask, stat
from tests.canaries import PASSWORD
from tests.servers import Memcached

PATIENT = 5.0


@pytest.fixture(scope="module")
def secret_server():
    with Memcached(tls=True, login=f"shop:{PASSWORD}") as server:
        yield server


def trusting(server: Memcached) -> dict[str, ssl.SSLContext]:
    return {"ssl": ssl.create_default_context(cafile=server.certificates.authority)}


def with_login(server: Memcached, login: str) -> str:
    return server.url.replace("://", f"://{login}@")


class TestOverTlsWithAPassword(ManyContract):
    @pytest.fixture
    def backend_factory(self, secret_server):
        url = with_login(secret_server, f"shop:{PASSWORD}")
        return partial(MemcachedCacheBackend, url, options=trusting(secret_server), deadline=PATIENT)


@pytest.mark.parametrize("size", [15_000, 17_000, 40_000, 500_000])
async def test_value_of_any_size_and_what_follows_it_get_there_over_tls(secret_server, size):
    url = with_login(secret_server, f"shop:{PASSWORD}")
    cache = MemcachedCacheBackend(url, options=trusting(secret_server), deadline=PATIENT, on_error="raise")
    await cache.get_async("k")
    values = {f"k{number}": b"x" * size for number in range(4)}
    assert await asyncio.gather(*[cache.set_async(key, value) for key, value in values.items()]) == [True] * 4
    assert await asyncio.gather(*[cache.get_async(key) for key in values]) == list(values.values())
    await cache.aclose()


async def test_certificate_of_nobody_is_not_believed(secret_server):
    cache = MemcachedCacheBackend(with_login(secret_server, f"shop:{PASSWORD}"), deadline=PATIENT, on_error="raise")
    with pytest.raises(BackendUnavailableError, match="CERTIFICATE_VERIFY_FAILED"):
        await cache.get_async("k")
    await cache.aclose()


@pytest.mark.parametrize(("login", "said"), [("", "wants a user"), ("shop:wrong@", "not accept"), ("u@", "not accept")])
async def test_server_that_does_not_let_in_is_down(launch, login, said, caplog):
    caplog.set_level(logging.DEBUG)
    server = launch(Memcached(login=f"shop:{PASSWORD}"))
    cache = MemcachedCacheBackend(f"memcached://{login}{server.address}", deadline=PATIENT, on_error="raise")
    for _ in range(4):
        with pytest.raises(BackendUnavailableError, match=said) as raised:
            await cache.get_async("k")
        assert PASSWORD not in str(raised.value)
    assert "wrong" not in caplog.text
    await cache.aclose()


async def test_password_goes_to_no_server_that_does_not_ask_for_it(fresh_memcached):
    cache = MemcachedCacheBackend(with_login(fresh_memcached, f"shop:{PASSWORD}"), deadline=PATIENT)
    assert await cache.set_async("k", 1) is True
    assert PASSWORD not in repr(cache)
    assert ask(fresh_memcached, b"get auth\r\n") == b"END\r\n"
    notebook = 1
    assert stat(fresh_memcached, "total_items") == 1 + notebook
    await cache.aclose()


@asynccontextmanager
async def grown_old(server: Memcached) -> AsyncIterator[str]:
    """Stand before a server, and let it say that it is an old one, which knows no meta commands."""

    async def pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while piece := await reader.read(65_536):
                assert not piece.startswith((b"mg ", b"ms ", b"mn")), piece
                writer.write(piece.replace(b"VERSION 1.6.", b"VERSION 1.5."))
        finally:
            writer.close()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        serving.append(asyncio.current_task())
        with closing(writer):
            theirs, ours = await asyncio.open_connection(server.host, server.port)
            with closing(ours):
                both = asyncio.gather(pass_on(reader, ours), pass_on(theirs, writer), return_exceptions=True)
                assert [failure for failure in await both if isinstance(failure, AssertionError)] == []

    serving: list[asyncio.Task[None] | None] = []
    listening = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with listening:
        host, port = listening.sockets[0].getsockname()
        yield f"{host}:{port}"
    await closed()  # who connected last is served, too
    for task in serving:
        task.cancel()
    ends = await asyncio.gather(*serving, return_exceptions=True)
    assert [end for end in ends if isinstance(end, AssertionError)] == []
    await closed()


class OldServers:
    @pytest.fixture
    async def backend_factory(self, memcached_server):
        async with grown_old(memcached_server) as address:
            yield partial(MemcachedCacheBackend, address, deadline=PATIENT)


class TestInClassicText(OldServers, ManyContract, CounterContract, TagContract, ClearContract, LockContract):
    pass


async def test_value_too_large_is_refused_in_classic_text(fresh_memcached):
    async with grown_old(fresh_memcached) as address:
        cache = MemcachedCacheBackend(address, deadline=PATIENT, on_error="raise")
        await cache.set_async("k", "old")
        assert await cache.set_async("k", b"x" * 2_000_000) is False
        assert await cache.get_async("k") is None
        assert await cache.add_async("k", b"x" * 2_000_000) is False
        assert await cache.set_many_async({"k": b"x" * 2_000_000, "small": 1}) == ["k"]
        assert await cache.get_async("small") == 1
        assert cache.stats()["errors"] == 0
        await cache.aclose()
