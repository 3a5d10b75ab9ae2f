"""Every way of writing `servers`."""

from __future__ import annotations

import pytest

from asynccache.backends.servers import Server, parse
from asynccache.errors import ConfigurationError

REDIS = ("redis", "rediss")


def redis_servers(servers: object) -> tuple[Server, ...]:
    return parse(servers, schemes=REDIS, port=6379)  # type: ignore[arg-type]  # wrong ones are among the cases


@pytest.mark.parametrize(
    ("written", "name"),
    [
        ("localhost", "localhost:6379"),
        ("localhost:7000", "localhost:7000"),
        ("127.0.0.1:7000", "127.0.0.1:7000"),
        ("redis://cache.internal", "cache.internal:6379"),
        ("redis://cache.internal:7000/3", "cache.internal:7000"),
        ("rediss://cache.internal:7000", "cache.internal:7000"),
        ("::1", "[::1]:6379"),
        ("[::1]", "[::1]:6379"),
        ("[::1]:7000", "[::1]:7000"),
        ("2001:db8::7", "[2001:db8::7]:6379"),
        ("redis://[2001:db8::7]:7000/0", "[2001:db8::7]:7000"),
        ("/tmp/cache.sock", "/tmp/cache.sock"),
        ("unix:/tmp/cache.sock", "/tmp/cache.sock"),
        ("unix:///tmp/cache.sock", "/tmp/cache.sock"),
        ("unix://user:secret@/tmp/cache.sock?db=2", "/tmp/cache.sock"),
        ([("cache.internal", 7000)], "cache.internal:7000"),
        (["::1"], "[::1]:6379"),
    ],
)
def test_one_server_is_found_however_it_is_written(written: object, name: str) -> None:
    (server,) = redis_servers(written)
    assert server.name == name


@pytest.mark.parametrize(
    "written",
    [
        ["leader:7000", "replica-a:7001", "replica-b:7002"],
        "leader:7000,replica-a:7001,replica-b:7002",
        "leader:7000; replica-a:7001 ;replica-b:7002;",
        "redis://leader:7000,replica-a:7001,replica-b:7002",
        "redis://leader:7000;redis://replica-a:7001;redis://replica-b:7002",
        ("leader:7000", ("replica-a", 7001), "redis://replica-b:7002"),
    ],
)
def test_several_servers_keep_their_order(written: object) -> None:
    assert [server.name for server in redis_servers(written)] == ["leader:7000", "replica-a:7001", "replica-b:7002"]


def test_a_url_carries_user_password_database_and_query() -> None:
    (server,) = redis_servers("rediss://al%40x:p%2Cw%3A@cache:7000/4?ssl_cert_reqs=none")
    assert server == Server(
        "rediss", "cache", 7000, path="/4", username="al@x", password="p,w:", query={"ssl_cert_reqs": "none"}
    )


def test_later_servers_of_one_url_share_its_scheme_user_and_path() -> None:
    leader, replica = redis_servers("rediss://app:secret@leader,replica:7001/2")
    assert (replica.scheme, replica.username, replica.password, replica.path) == ("rediss", "app", "secret", "/2")
    assert (leader.scheme, leader.password, leader.path) == ("rediss", "secret", "/2")


def test_a_socket_beside_a_host_keeps_its_path_to_itself() -> None:
    assert [(server.name, server.path) for server in redis_servers("a,/tmp/x.sock")] == [
        ("a:6379", ""),
        ("/tmp/x.sock", "/tmp/x.sock"),
    ]


def test_other_stores_bring_their_own_scheme_and_port() -> None:
    servers = parse("memcached://a:11212,b,/tmp/mc.sock", schemes=("memcached",), port=11211)
    assert [server.name for server in servers] == ["a:11212", "b:11211", "/tmp/mc.sock"]


@pytest.mark.parametrize(
    "written",
    ["", " , ;", [], "redis://", "redis://host:port", "localhost:0", "localhost:70000", "http://x", "unix://", 7, [7]],
)
def test_what_is_no_server_is_named(written: object) -> None:
    with pytest.raises(ConfigurationError):
        redis_servers(written)


@pytest.mark.parametrize(
    "written",
    [
        "redis://app:s3cret@host:port",
        "gopher://app:s3cret@host",
        "app:s3cret@host:0",
        "redis://app:p@s3cret/word@host:6379/0",
        "redis://app:p@s3cret?word@host",
        "redis://app:p@s3cret#word@host",
    ],
)
def test_no_error_shows_a_password(written: str) -> None:
    with pytest.raises(ConfigurationError) as raised:
        redis_servers(written)
    assert "s3cret" not in str(raised.value)
    assert raised.value.__cause__ is None


def test_no_repr_shows_a_password() -> None:
    (server,) = redis_servers("redis://app:s3cret@host")
    assert "s3cret" not in repr(server)
    assert "s3cret" not in server.name
