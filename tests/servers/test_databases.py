"""The launchers of databases start what they say, and what was stored outlives a kill."""

import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import psycopg
import pymysql
import pytest

from tests.servers import MariaDB, PostgreSQL, StartError
from tests.servers.database import PASSWORD, USER
from tests.servers.process import wait_until


def connect(server, **options):
    """A client of the library that fits, which commits at once."""
    options = {"connect_timeout": 2, "autocommit": True, "user": USER, "password": PASSWORD} | options
    name = "dbname" if isinstance(server, PostgreSQL) else "database"
    library = psycopg if isinstance(server, PostgreSQL) else pymysql
    return closing(library.connect(host=server.host, port=server.port, **{name: server.database}, **options))


def ask(server, *statements, **options):
    """The rows of the last statement."""
    with connect(server, **options) as client, client.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)
        return [tuple(row) for row in cursor.fetchall()]


STORE = ("CREATE TABLE kept (n BIGINT)", "INSERT INTO kept VALUES (7)", "SELECT n FROM kept")


@pytest.fixture(params=[PostgreSQL, MariaDB])
def server(request, launch):
    return launch(request.param())


def processes(server):
    """The process and its children."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            parent = int(stat.read_text().rpartition(")")[2].split()[1])
        except (FileNotFoundError, ProcessLookupError):
            continue
        if server.pid in (parent, int(stat.parent.name)):
            found.append(int(stat.parent.name))
    return found


def alive(process):
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def test_database_knows_its_user(server):
    assert ask(server, *STORE) == [(7,)]
    assert server.url.endswith(f"//{USER}:{PASSWORD}@127.0.0.1:{server.port}/{server.database}")
    with pytest.raises((psycopg.OperationalError, pymysql.err.OperationalError), match=USER):
        ask(server, "SELECT 1", password="wrong")


def test_each_fresh_database_is_empty(server, launch):
    ask(server, *STORE)
    second = launch(type(server)())
    with pytest.raises((psycopg.Error, pymysql.Error), match="kept"):
        ask(second, "SELECT n FROM kept")


def test_killed_database_refuses_and_has_all_when_it_is_back_on_its_port(server):
    port = server.port
    ask(server, *STORE)
    with connect(server):
        family = processes(server)
        server.kill()
    assert not any(map(alive, family))
    with pytest.raises((psycopg.OperationalError, pymysql.err.OperationalError)):
        ask(server, "SELECT 1")
    server.restart()
    assert server.port == port
    assert ask(server, "SELECT n FROM kept") == [(7,)]


def test_frozen_database_is_silent_even_to_its_clients_until_it_thaws(server):
    with connect(server) as client, client.cursor() as cursor, ThreadPoolExecutor(1) as threads:
        server.freeze()
        asked = threads.submit(cursor.execute, "SELECT 1")
        with pytest.raises(TimeoutError):
            asked.result(0.2)
        assert server.is_alive
        server.thaw()
        asked.result(5)
        assert [tuple(row) for row in cursor.fetchall()] == [(1,)]


def test_frozen_database_can_be_killed_and_restarted(server):
    ask(server, *STORE)
    server.freeze()
    family = processes(server)
    server.restart()
    assert not any(map(alive, family))
    assert ask(server, "SELECT n FROM kept") == [(7,)]


def test_taken_port_is_left_to_its_owner(server):
    with type(server)() as second:
        second.kill()
        second.port = server.port
        with pytest.raises(StartError):
            second.restart()
        second.start()
        assert second.port != server.port
    assert ask(server, "SELECT 1") == [(1,)]


@pytest.mark.parametrize("kind", [PostgreSQL, MariaDB])
def test_bad_option_is_told_with_the_log(kind):
    with pytest.raises(StartError, match=r"unknown.option"):
        kind("--unknown-option=1").start()


def test_stopped_database_leaves_no_files_and_no_shared_memory(server):
    segments = Path("/proc/sysvipc/shm")
    lock = server.data / "postmaster.pid"
    segment = lock.read_text().splitlines()[6].split()[1] if lock.exists() else None
    server.stop()
    assert not server.folder.exists()
    assert segment not in [line.split()[1] for line in segments.read_text().splitlines()]


@pytest.mark.parametrize("kind", ["PostgreSQL", "MariaDB"])
def test_database_dies_with_killed_tests(kind):
    script = f"""
import time
from tests.servers import {kind}
server = {kind}().start()
print(server.pid, flush=True)
time.sleep(60)
"""
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True) as tests:
        pid = int(tests.stdout.readline())
        assert alive(pid)
        tests.send_signal(signal.SIGKILL)
    wait_until(lambda: not alive(pid), "the database is gone")


def test_mariadb_takes_large_values_and_keeps_no_log(mariadb_server):
    assert ask(mariadb_server, "SELECT @@max_allowed_packet >= 16777216, @@log_bin") == [(1, 0)]


def test_postgresql_takes_options(launch):
    assert ask(launch(PostgreSQL("-c", "max_connections=12")), "SHOW max_connections") == [("12",)]
