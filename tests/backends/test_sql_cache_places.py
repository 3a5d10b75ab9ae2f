"""Where a database is said to be, how its table is made, and what is never told."""

import asyncio
import subprocess
import sys
from functools import partial
from multiprocessing import get_context

import pytest
from sqlalchemy import make_url

from asynccache.backends.sql_cache import SQLCacheBackend
from asynccache.errors import BackendUnavailableError, ConfigurationError
from tests.backends.making import making
from tests.backends.sql_workers import use_first
from tests.servers import MariaDB

PATIENT = 5.0


@pytest.mark.parametrize(
    ("url", "place"),
    [
        ("postgresql://me:hidden@db/app", "db:5432/app"),
        ("postgres://db:6543/app", "db:6543/app"),
        ("postgresql+asyncpg://me:hidden@[::1]/app?sslmode=require", "[::1]:5432/app"),
        ("mysql://me:hidden@db/app", "db:3306/app"),
        ("mysql+pymysql://db:1/app", "db:1/app"),
        ("mariadb://me:hid%40den@db/app", "db:3306/app"),
    ],
)
def test_servers_are_named_without_their_password(url, place):
    backend = SQLCacheBackend(url, key_prefix="shop")
    assert repr(backend) == f"<SQLCacheBackend {place} table='asynccache' key_prefix='shop' version=1>"


def test_files_are_named_by_paths(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    relative, absolute = SQLCacheBackend("sqlite:///a%20cache.db"), SQLCacheBackend(url=f"sqlite:///{tmp_path}/b.db")
    monkeypatch.chdir("/")
    assert relative.set("k", 1) is absolute.set("k", 2) is True
    assert {path.name for path in tmp_path.glob("*.db")} == {"a cache.db", "b.db"}
    relative.close()
    absolute.close()
    assert {path.name for path in tmp_path.iterdir()} == {"a cache.db", "b.db"}


@pytest.mark.parametrize(
    ("url", "options", "message"),
    [
        (5, {}, "not a int"),
        ("cache.db", {}, "begins with one of"),
        ("oracle://me:hidden@db/app", {}, "begins with one of"),
        ("sqlite://", {}, "local://"),
        ("sqlite:///:memory:", {}, "local://"),
        ("sqlite://cache.db", {}, "names a host"),
        ("sqlite:///cache.db?mode=ro", {}, "no options"),
        ("sqlite:////no/such/folder/cache.db", {}, "make it first"),
        ("sqlite:////tmp", {}, "is a folder"),
        ("sqlite:///cache.db", {"options": {"ssl": True}}, "a file has none"),
        ("sqlite:///cache.db", {"unlogged": True}, "only PostgreSQL"),
        ("mysql://db/app", {"unlogged": True}, "only PostgreSQL"),
        ("postgresql://me:hidden@db", {}, "names no database"),
        ("postgresql://me:hidden@db:many/app", {}, "%2F"),
        ("postgresql://me:p@hidden/word@db/app", {}, "%2F"),
        ("mysql://me:p@hidden/word@db/app", {}, "%2F"),
        ("postgresql://me:hidden@db/app?colour=red", {}, "colour"),
        ("mysql://me:hidden@db/app", {"options": {"autocommit": False}}, "autocommit"),
        ("postgresql://db/app", {"table": "a; DROP TABLE b"}, "letters, digits"),
        ("postgresql://db/app", {"table": 'a"'}, "letters, digits"),
        ("postgresql://db/app", {"table": "x" * 51}, "letters, digits"),
        ("postgresql://db/app", {"max_entries": 0}, "max_entries"),
        ("postgresql://db/app", {"max_entries": True}, "max_entries"),
        ("postgresql://db/app", {"pool_size": 0}, "pool_size"),
        ("postgresql://db/app", {"deadline": 0}, "deadline"),
        ("postgresql://db/app", {"on_error": "ignore"}, "on_error"),
    ],
)
def test_option_that_cannot_work_is_an_error(url, options, message):
    with pytest.raises(ConfigurationError, match=message) as raised:
        SQLCacheBackend(url, **options)
    assert "hidden" not in str(raised.value)


@pytest.mark.parametrize(
    ("url", "missing", "command"),
    [
        ("postgresql://db/app", "sqlalchemy", "asynccache[postgresql]"),
        ("postgresql://db/app", "psycopg", "asynccache[postgresql]"),
        ("mysql://db/app", "sqlalchemy", "asynccache[mysql]"),
        ("mariadb://db/app", "asyncmy", "asynccache[mysql]"),
    ],
)
def test_missing_driver_is_named_where_the_backend_is_made(url, missing, command):
    code = f"""
import sys
sys.modules[{missing!r}] = None
from asynccache import MissingDependencyError
from asynccache.backends.sql_cache import SQLCacheBackend
try:
    SQLCacheBackend({url!r})
except MissingDependencyError as error:
    print(error)
"""
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout.decode()
    assert f"needs the package {missing!r}" in printed
    assert f"pip install '{command}'" in printed


def test_sqlite_needs_neither_sqlalchemy_nor_a_driver(tmp_path):
    code = f"""
import sys
for module in ("sqlalchemy", "psycopg", "asyncmy"):
    sys.modules[module] = None
from asynccache.backends.sql_cache import SQLCacheBackend
cache = SQLCacheBackend("sqlite:///{tmp_path}/cache.db")
assert cache.set("k", [1]) and cache.get("k") == [1]
cache.close()
"""
    subprocess.run([sys.executable, "-W", "error", "-c", code], check=True)


@pytest.fixture(params=["sqlite", "postgresql", "mariadb"])
def url(request, tmp_path):
    """Give the URL of each kind of database."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/cache.db"
    return request.getfixturevalue(f"{request.param}_server").url


@pytest.fixture
def make(url):
    """Make backends on that database."""
    with making(SQLCacheBackend, url, deadline=PATIENT, on_error="raise") as make:
        yield make


class TestTable:
    def test_eight_processes_may_be_the_first(self, url, make, unique_prefix):
        with get_context("spawn").Pool(8) as pool:
            visits = pool.starmap(use_first, [(url, unique_prefix, number) for number in range(8)])
        assert sorted(number for each in visits for number in each) == list(range(1, 401))
        assert make(table=unique_prefix).get_many([f"k{number}" for number in range(8)]) == {
            f"k{number}": number for number in range(8)
        }

    async def test_it_is_made_once_by_whatever_way(self, make, unique_prefix):
        cache = make(table=unique_prefix)
        await cache.create_table_async()
        cache.create_table()
        cache.set("k", 1)
        await asyncio.gather(*[cache.create_table_async() for _ in range(5)])
        assert cache.get("k") == 1

    def test_its_statements_can_be_read(self, make, unique_prefix):
        ddl = make(table=unique_prefix).ddl()
        assert ddl.startswith("CREATE TABLE IF NOT EXISTS")
        assert ddl.endswith(";\n")
        assert unique_prefix in ddl

    def test_its_name_can_be_long(self, make, unique_prefix):
        cache = make(table=f"{unique_prefix}{'x' * 50}"[:50])
        assert cache.set("k", 1) is True
        assert cache.get("k") == 1

    async def test_table_that_is_dropped_is_made_anew(self, make, unique_prefix):
        cache = make(table=unique_prefix)
        for _ in range(10):
            await cache.set_async("k", 1)
        await _execute(make, f"DROP TABLE {unique_prefix}_entries")
        assert await cache.get_async("k") is None
        for _ in range(3):
            await _execute(make, f"DROP TABLE {unique_prefix}_entries")
            assert await cache.set_async("k", 2) is True
            assert await cache.get_async("k") == 2

    def test_tables_are_apart(self, make, unique_prefix):
        one, other = make(table=f"{unique_prefix}_1"), make(table=f"{unique_prefix}_2")
        one.set("k", 1)
        assert other.get("k") is None

    async def test_long_and_odd_keys_are_kept_apart(self, make, unique_prefix):
        cache = make(table=unique_prefix)
        keys = ["k" * 249 + letter for letter in "ab"] + [
            "\0",
            "\udc80",
            "'; DROP TABLE x; --",
            "%s :k0 ?",
            "k" * 100_000,
        ]
        await cache.set_many_async({key: number for number, key in enumerate(keys)})
        assert await cache.get_many_async(keys) == {key: number for number, key in enumerate(keys)}
        assert await cache.delete_many_async(keys) == len(keys)


async def _execute(make, text):
    """Run a statement beside the cache."""
    from asynccache.backends.sql_replies import Statement
    from asynccache.plan.io import LOOP

    await make()._database.ask(LOOP, "test", [Statement(text)])


async def test_unlogged_table_is_one(postgresql_server, unique_prefix):
    cache = SQLCacheBackend(postgresql_server.url, table=unique_prefix, unlogged=True, deadline=PATIENT)
    assert "CREATE UNLOGGED TABLE" in cache.ddl()
    assert await cache.set_async("k", 1) is True
    assert await cache.get_async("k") == 1
    await cache.aclose()


async def test_wrong_password_is_an_outage_that_names_no_password(postgresql_server, mariadb_server, caplog):
    for server in (postgresql_server, mariadb_server):
        url = make_url(server.url).set(password="hidden")
        cache = SQLCacheBackend(url.render_as_string(hide_password=False), deadline=PATIENT)
        for _ in range(4):
            assert await cache.get_async("k") is None
        with pytest.raises(BackendUnavailableError, match=server.address) as raised:
            await cache.incr_async("k")
        assert "hidden" not in f"{raised.value} {raised.value.__cause__!r} {caplog.text}"
        assert "down" in caplog.text
        await cache.aclose()


async def test_bytes_are_safe_where_backslashes_mean_nothing(launch):
    server = launch(MariaDB("--sql-mode=NO_BACKSLASH_ESCAPES,ANSI_QUOTES", "--character-set-server=gbk"))
    cache = SQLCacheBackend(server.url, deadline=PATIENT, on_error="raise")
    values = {f"\\' {number}": bytes([first, 0x27, 0x5C, number]) for number in range(256) for first in (0xBF, 0x5C)}
    assert await cache.set_many_async(values) == []
    assert await cache.get_many_async(values) == values
    await cache.aclose()


async def test_value_beyond_the_servers_packet_is_refused_and_the_old_one_gone(launch):
    server = launch(MariaDB("--max-allowed-packet=1M"))
    cache = SQLCacheBackend(server.url, deadline=PATIENT, on_error="raise")
    for value in (b"'" * 600_000, b"x" * 2_000_000):
        await cache.set_many_async({"k": "old", "many": "old"})
        assert await cache.set_async("k", value) is False
        assert await cache.set_many_async({"many": value, "small": 1}) == ["many"]
        assert await cache.add_async("new", value) is False
        assert await cache.get_many_async(["k", "many", "small", "new"]) == {"small": 1}
    assert await cache.set_async("k", b"'" * 400_000) is True
    await cache.aclose()


async def test_writers_of_the_same_keys_never_wait_in_a_circle(make, unique_prefix):
    cache = make(table=unique_prefix)
    names = [f"k{number}" for number in range(300)]
    for _ in range(3):
        await asyncio.gather(
            *[cache.set_many_async(dict.fromkeys(names[::step], 1)) for step in (1, -1) for _ in range(5)],
            *[cache.delete_many_async(names[::-1]) for _ in range(3)],
            *[cache.add_async(name, 2) for name in names[:20]],
        )
    assert cache.stats()["errors"] == 0


def test_options_reach_the_driver(postgresql_server, mariadb_server, unique_prefix):
    for server, options in (
        (postgresql_server, {"application_name": "shop"}),
        (mariadb_server, {"program_name": "shop"}),
    ):
        cache = SQLCacheBackend(server.url, options=options, key_prefix=unique_prefix, deadline=PATIENT)
        assert cache.set("k", 1) is True
        cache.close()


@pytest.mark.parametrize("query", ["?application_name=shop", "?sslmode=prefer", ""])
def test_options_stand_in_the_url(postgresql_server, unique_prefix, query):
    cache = partial(SQLCacheBackend, f"{postgresql_server.url}{query}")(key_prefix=unique_prefix, deadline=PATIENT)
    assert cache.set("k", 1) is True
    cache.close()
