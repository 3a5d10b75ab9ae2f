"""The launchers start what they say, and what answers is theirs."""

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
import redis

from tests.servers import Memcached, Redis, RedisReplicaSet, StartError
from tests.servers.process import wait_until


def ask(server, line, timeout=1.0):
    """One line to a server, one line back."""
    with socket.create_connection((server.host, server.port), timeout) as client:
        client.sendall(line)
        return client.recv(1024)


@pytest.fixture(params=[Redis, Memcached])
def server(request, launch):
    return launch(request.param())


def version(server):
    return ask(server, b"PING\r\n" if isinstance(server, Redis) else b"version\r\n")


def test_server_answers_on_a_port_that_no_outgoing_connection_can_take(server):
    assert version(server).startswith((b"+PONG", b"VERSION"))
    outgoing = Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()
    assert server.port < int(outgoing[0])
    assert server.url.endswith((f":{server.port}/0", f":{server.port}"))


def test_killed_server_refuses_and_restarts_empty_on_its_port(server):
    port = server.port
    server.kill()
    assert not server.is_alive
    with pytest.raises(ConnectionRefusedError):
        version(server)
    server.restart()
    assert server.port == port
    assert version(server).startswith((b"+PONG", b"VERSION"))


def test_frozen_server_is_silent_until_it_thaws(server):
    server.freeze()
    with pytest.raises(TimeoutError):
        ask(server, b"version\r\n", timeout=0.1)
    assert server.is_alive
    server.thaw()
    assert version(server)


def test_frozen_server_can_be_killed(server):
    server.freeze()
    server.kill()
    assert not server.is_alive


def test_server_restarted_by_a_thread_outlives_it(server):
    thread = threading.Thread(target=server.restart)
    thread.start()
    thread.join()
    time.sleep(0.05)
    assert server.is_alive
    assert version(server)


def test_taken_port_is_left_to_its_owner(server):
    with type(server)() as second:
        second.kill()
        second.port = server.port
        with pytest.raises(StartError):
            second.restart()
        second.start()
        assert second.port != server.port
    assert version(server)


def test_bad_option_is_told_with_the_log():
    with pytest.raises(StartError, match="no-such-option"):
        Redis("--no-such-option", "1").start()


def test_stopped_server_leaves_no_files():
    with Redis() as server:
        assert server.folder.exists()
    assert not server.folder.exists()


@pytest.mark.parametrize("kind", ["Redis", "Memcached"])
def test_server_dies_with_killed_tests(kind):
    script = f"""
import time
from tests.servers import {kind}
server = {kind}().start()
print(server.pid, flush=True)
time.sleep(60)
"""
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True) as tests:
        pid = int(tests.stdout.readline())
        os.kill(pid, 0)
        tests.send_signal(signal.SIGKILL)

    def gone():
        try:
            return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
        except FileNotFoundError:
            return True

    wait_until(gone, "the server is gone")


def test_memcached_on_a_unix_socket_answers(memcached_unix):
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(memcached_unix.path)
        client.sendall(b"version\r\n")
        assert client.recv(100).startswith(b"VERSION")


def test_memcached_takes_options(launch):
    server = launch(Memcached("-I", "2m"))
    assert b"STAT item_size_max 2097152" in ask(server, b"stats settings\r\n")


def test_redis_answers_on_a_unix_socket(redis_of):
    server, client = redis_of(Redis(), unix=True)
    assert client.info("server")["process_id"] == server.pid


def test_redis_with_a_password_lets_in_who_knows_it(redis_of):
    server, client = redis_of(Redis(password="sesame"))
    assert client.ping()
    assert version(server).startswith(b"-NOAUTH")


def test_redis_with_an_acl_knows_its_users(redis_of):
    acl = ["user default off", "user app on >secret ~app:* &* +@all -flushall"]
    _, client = redis_of(Redis(acl=acl), username="app", password="secret")
    assert client.set("app:1", "x")
    with pytest.raises(redis.exceptions.NoPermissionError):
        client.flushall()


def test_redis_with_tls_proves_who_it_is(redis_of):
    made = Redis(tls=True)
    server, client = redis_of(made, ssl_ca_certs=made.certificates.authority)
    assert client.info("server")["process_id"] == server.pid
    _, stranger = redis_of(Redis(tls=True))
    with pytest.raises(redis.exceptions.ConnectionError, match="CERTIFICATE_VERIFY_FAILED"):
        stranger.ping()


@pytest.fixture
def redis_of(launch, request):
    def connect(server, *, unix=False, **options):
        launch(server)
        client = redis.Redis.from_url(server.unix_url if unix else server.url, retry=None, **options)
        request.addfinalizer(client.close)
        return server, client

    return connect


def test_replicas_follow_their_leader(redis_replica_set, unique_prefix):
    leader, *replicas = (redis.Redis.from_url(url) for url in redis_replica_set.urls)
    try:
        leader.set(unique_prefix, "x")
        assert leader.wait(2, 2000) == 2
        assert [replica.get(unique_prefix) for replica in replicas] == [b"x", b"x"]
        with pytest.raises(redis.exceptions.ReadOnlyError):
            replicas[0].set(unique_prefix, "y")
    finally:
        for client in (leader, *replicas):
            client.close()


def test_replica_set_takes_options_and_a_number(launch):
    servers = launch(RedisReplicaSet(1, "--maxmemory", "3mb"))
    assert len(servers.replicas) == 1
    assert all(b"3145728" in ask(server, b"CONFIG GET maxmemory\r\n") for server in (servers.leader, *servers.replicas))
