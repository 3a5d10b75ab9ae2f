"""Connections of psycopg that are given up: they end at once, and say nothing to their server."""

import asyncio
from contextlib import suppress

import pytest
from sqlalchemy import make_url
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from asynccache.backends.sql_dialects import for_driver
from asynccache.backends.sql_replies import Statement
from asynccache.backends.sql_server import SqlLine
from asynccache.backends.sql_words import Dialect
from tests.servers.process import wait_until


@pytest.fixture
def proxy(postgresql_server, fault_proxy):
    return fault_proxy(postgresql_server.host, postgresql_server.port)


@pytest.fixture
def line(postgresql_server, proxy):
    url = make_url(postgresql_server.url).set(host=proxy.host, port=proxy.port)
    return SqlLine(create_async_engine(for_driver(url, Dialect.POSTGRESQL), poolclass=NullPool))


async def test_a_cancelled_statement_says_nothing_more_to_a_server(proxy, line):
    asking = asyncio.create_task(line.execute([Statement("SELECT pg_sleep(20)")], atomic=False))
    await asyncio.sleep(0.3)
    assert proxy.counts["connections"] == 1
    asking.cancel()
    await asyncio.sleep(0.1)
    line.abort()
    with suppress(asyncio.CancelledError, ConnectionError):
        await asking
    line.drop()
    assert proxy.counts["connections"] == 1


async def test_connection_that_its_server_has_ended_can_be_given_up(proxy, line):
    await line.execute([Statement("SELECT 1", fits=bool)], atomic=False)
    proxy.reset_all()
    wait_until(lambda: not line.is_fit(), "the reset has come")
    assert line.abort() is True
    line.drop()
