"""Each fault of the proxy reaches its client, and healing takes it away."""

import asyncio
import random
import socket
import time

import pytest

from tests.servers import FaultProxy
from tests.servers.faults import Fate, Faults
from tests.servers.process import wait_until


@pytest.fixture
def proxy(redis_server, fault_proxy):
    return fault_proxy(redis_server.host, redis_server.port)


@pytest.fixture
def client(proxy):
    with socket.create_connection((proxy.host, proxy.port), 2) as connected:
        yield connected


def ping(client):
    client.sendall(b"PING\r\n")
    return client.recv(1024)


def fresh_ping(proxy):
    with socket.create_connection((proxy.host, proxy.port), 2) as client:
        return ping(client)


def test_healthy_proxy_hands_on(proxy, client):
    assert ping(client) == b"+PONG\r\n"
    assert (proxy.connections, proxy.counts["connections"], proxy.counts["chunks"]) == (1, 1, 2)


def test_many_bytes_arrive_whole_and_in_order(proxy, client):
    value = random.Random(1).randbytes(3_000_000)
    proxy.set(jitter=0.01)
    client.sendall(b"*2\r\n$4\r\nECHO\r\n$%d\r\n%b\r\n" % (len(value), value))
    with client.makefile("rb") as reply:
        assert reply.readline() == b"$3000000\r\n"
        assert reply.read(3_000_000) == value


def test_latency_is_added_each_way(proxy, client):
    proxy.set(latency=0.05)
    begun = time.monotonic()
    assert ping(client) == b"+PONG\r\n"
    assert time.monotonic() - begun >= 0.1


def test_late_chunks_stay_apart_on_the_wire(proxy, client):
    proxy.set(latency=0.1)
    for _ in range(20):
        client.sendall(b"PING\r\n")
        time.sleep(0.002)
    with client.makefile("rb") as replies:
        assert replies.read(20 * 7) == 20 * b"+PONG\r\n"
    assert proxy.counts["chunks"] > 20  # about 40; one after the other, all but the first would arrive as one


def test_black_hole_holds_until_healed(proxy, client):
    proxy.blackhole()
    client.settimeout(0.1)
    with pytest.raises(TimeoutError):
        ping(client)
    with pytest.raises(TimeoutError), socket.create_connection((proxy.host, proxy.port), 0.1) as late:
        ping(late)
    proxy.heal()
    client.settimeout(2)
    assert client.recv(1024) == b"+PONG\r\n"


def test_refusing_proxy_resets_and_refuses_until_healed(proxy, client):
    assert ping(client)
    proxy.refuse()
    with pytest.raises(ConnectionResetError):
        client.recv(1)
    with pytest.raises(ConnectionRefusedError):
        fresh_ping(proxy)
    proxy.heal()
    assert fresh_ping(proxy) == b"+PONG\r\n"


def test_all_connections_are_reset(proxy, client):
    assert ping(client)
    proxy.reset_all()
    with pytest.raises(ConnectionResetError):
        client.recv(1)
    assert fresh_ping(proxy) == b"+PONG\r\n"


def test_half_closed_client_hears_the_end(proxy, client):
    assert ping(client)
    proxy.half_close()
    assert client.recv(1) == b""


def test_reset_is_met(proxy, client):
    proxy.set(reset_p=1.0)
    with pytest.raises(ConnectionResetError):
        ping(client)
    proxy.heal()
    assert fresh_ping(proxy) == b"+PONG\r\n"


def test_truncated_reply_is_half_before_the_reset(proxy, client):
    proxy.set(truncate_p=1.0)
    assert ping(client) == b"+PO"
    with pytest.raises(ConnectionResetError):
        client.recv(1024)


def test_half_close_is_met(proxy, client):
    proxy.set(half_close_p=1.0)
    assert ping(client) == b""


def test_lost_reply_leaves_the_connection(proxy, client):
    proxy.set(drop_p=1.0)
    client.settimeout(0.1)
    with pytest.raises(TimeoutError):
        ping(client)
    proxy.heal()
    client.settimeout(2)
    assert ping(client) == b"+PONG\r\n"


def test_stray_reply_comes_first(proxy, client):
    proxy.set(prepend_p=1.0, prepend=b"+OTHER\r\n")
    assert ping(client) == b"+OTHER\r\n+PONG\r\n"


def test_garbage_is_not_what_was_sent(proxy, client):
    proxy.set(garbage_p=1.0)
    garbled = ping(client)
    assert len(garbled) == 7
    assert garbled != b"+PONG\r\n"


def test_sliced_reply_is_whole_in_the_end(proxy, client):
    proxy.set(slice=1)
    received = ping(client)
    while len(received) < 7:
        received += client.recv(1024)
    assert received == b"+PONG\r\n"


def test_unknown_fault_is_an_error(proxy):
    with pytest.raises(TypeError, match="latencyy"):
        proxy.set(latencyy=1)


def test_dead_server_is_counted_and_hangs_up(fresh_redis, fault_proxy):
    fresh_redis.kill()
    proxy = fault_proxy(fresh_redis.host, fresh_redis.port)
    with socket.create_connection((proxy.host, proxy.port), 2) as client:
        assert client.recv(1) == b""
    assert proxy.counts["refused"] == 1


def test_connections_of_a_killed_server_end(fresh_redis, fault_proxy):
    proxy = fault_proxy(fresh_redis.host, fresh_redis.port)
    with socket.create_connection((proxy.host, proxy.port), 2) as client:
        assert ping(client)
        fresh_redis.kill()
        assert client.recv(1) == b""
    wait_until(lambda: proxy.connections == 0, "the link is gone")


def test_client_that_went_before_the_server_was_reached_leaves_nothing(proxy):
    async def serve_who_has_gone():
        reader, writer = await asyncio.open_connection(proxy.host, proxy.port)
        writer.transport.abort()
        await asyncio.sleep(0.01)
        await proxy._serve(reader, writer)

    proxy._do(serve_who_has_gone())
    wait_until(lambda: proxy.connections == 0, "nothing is left")


def test_stopped_proxy_listens_no_more(redis_server):
    with FaultProxy(redis_server.host, redis_server.port) as proxy:
        assert fresh_ping(proxy)
    with pytest.raises(ConnectionRefusedError):
        fresh_ping(proxy)


def test_slices_are_as_long_as_set_and_only_of_replies():
    assert Faults(slice=3).pieces(b"+PONG\r\n", reply=True) == [b"+PO", b"NG\r", b"\n"]
    assert Faults(slice=3).pieces(b"PING\r\n", reply=False) == [b"PING\r\n"]


def test_requests_meet_no_fault_of_replies():
    faults = Faults(half_close_p=1, drop_p=1, truncate_p=1)
    assert faults.fate(random.Random(0), reply=False) is Fate.PASS
    assert faults.fate(random.Random(0), reply=True) is Fate.FINISH


def test_chances_are_met_about_as_often_as_they_say():
    dice = random.Random(0)
    fates = [Faults(drop_p=0.1).fate(dice, reply=True) for _ in range(10_000)]
    assert 900 < fates.count(Fate.VANISH) < 1_100
