"""Redis by the contract, how it is reached, and what it keeps where."""

import asyncio
import logging
import math
import os
import pickle
import random
import struct
import subprocess
import sys
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import pytest
import redis

from asynccache.backends.redis import RedisCacheBackend
from asynccache.core import codec
from asynccache.core.codec import PAYLOAD_OFFSET
from asynccache.core.entry import Kind
from asynccache.core.events import EntryDamaged
from asynccache.errors import BackendUnavailableError, ConfigurationError, NotAnIntegerError
from asynccache.plan.io import BLOCKING, LOOP, run
from asynccache.testing import BackendContract, recorded_events
from tests.backends.making import making
from tests.servers import Redis

PATIENT = 5.0
"""A deadline for a loaded machine, where the deadline is not what is tested."""


class TestContract(BackendContract):
    @pytest.fixture
    def backend_factory(self, redis_server):
        return partial(RedisCacheBackend, redis_server.url, deadline=PATIENT)


@pytest.fixture
def make(redis_server, unique_prefix):
    with making(RedisCacheBackend, redis_server.url, key_prefix=unique_prefix, deadline=PATIENT) as make:
        yield make


@pytest.fixture
def backend(make):
    return make()


@pytest.fixture
def raw(redis_server):
    """Give a plain client, to look at and to spoil what is stored."""
    with redis.Redis.from_url(redis_server.url) as client:
        yield client


async def works(backend):
    """Use both flavours a little."""
    assert backend.set("a", [1]) is True
    assert await backend.get_async("a") == [1]
    assert await backend.incr_async("n") == 1
    assert backend.incr("n") == 2
    assert await backend.set_many_async({"b": "x", "c": None}) == []
    assert backend.get_many(["a", "b", "c", "d"]) == {"a": [1], "b": "x", "c": None}
    assert await backend.delete_many_async(["a", "b", "d"]) == 2
    assert backend.touch("c", 5) is True
    assert await backend.add_async("c", 1) is False
    assert backend.has_key("c") is True
    assert await backend.delete_async("c") is True
    await backend.aclose()


class TestPlaces:
    async def test_unix_socket(self, launch, make):
        await works(make(launch(Redis()).unix_url))

    async def test_unix_socket_by_its_path(self, launch, make):
        await works(make(launch(Redis()).path))

    async def test_tls(self, launch, make):
        server = launch(Redis(tls=True))
        await works(make(server.url, options={"ssl_ca_certs": server.certificates.authority}))

    async def test_tls_with_an_unknown_authority_is_refused(self, launch, make):
        backend = make(launch(Redis(tls=True)).url)
        with pytest.raises(BackendUnavailableError, match="certificate verify failed"):
            await backend.incr_async("n")
        with pytest.raises(BackendUnavailableError, match="certificate verify failed"):
            backend.incr("n")
        await backend.aclose()

    async def test_user_password_and_database_in_the_url(self, launch, make):
        server = launch(Redis(acl=["user default off", "user app on >se%40cret ~* &* +@all"]))
        await works(make(f"redis://app:se%2540cret@{server.address}/3"))

    async def test_host_and_port(self, redis_server, make):
        await works(make(None, host=redis_server.host, port=redis_server.port))

    async def test_options_reach_the_connections(self, make, raw):
        backend = make(options={"client_name": "asynccache-test", "db": 1})
        backend.set("a", 1)
        await backend.set_async("a", 1)
        assert [client["db"] for client in raw.client_list() if client["name"] == "asynccache-test"] == ["1", "1"]
        await backend.aclose()

    def test_databases_are_worlds_apart(self, make, redis_server):
        first, second = make(f"redis://{redis_server.address}/1"), make(f"redis://{redis_server.address}?db=2")
        first.set("a", 1)
        assert second.get("a") is None


class TestConfiguration:
    @pytest.mark.parametrize(
        ("servers", "options"),
        [
            ("http://localhost", {}),
            ("", {}),
            ("redis://localhost/shop", {}),
            ("redis://localhost?db=x", {}),
            ("redis://localhost?no_such_option=1", {}),
            ("redis://localhost?socket_timeout=1", {}),
            ("localhost", {"options": {"no_such_option": 1}}),
            ("localhost", {"options": {"retry_on_timeout": True}}),
            ("localhost", {"options": {"decode_responses": True}}),
            ("localhost", {"host": "localhost"}),
            ("localhost", {"pool_size": 0}),
            ("localhost", {"deadline": 0}),
            ("localhost", {"on_error": "ignore"}),
        ],
    )
    def test_what_cannot_work_is_said_when_it_is_made(self, servers, options):
        with pytest.raises(ConfigurationError):
            RedisCacheBackend(servers, **options)

    def test_no_secret_is_shown(self, caplog):
        caplog.set_level(logging.DEBUG)
        backend = RedisCacheBackend("redis://app:s3cret@127.0.0.1:1", options={"client_name": "x"}, on_error="raise")
        shown = [repr(backend)]
        for _ in range(5):
            with pytest.raises(BackendUnavailableError) as raised:
                backend.get("a")
            shown += [str(raised.value), repr(raised.value.__cause__)]
        with pytest.raises(ConfigurationError) as refused:
            RedisCacheBackend("redis://app:s3cret@127.0.0.1", options={"no_such_option": 1})
        shown += [str(refused.value), caplog.text]
        assert "s3cret" not in "".join(shown)

    @pytest.mark.parametrize("package", ["redis", "hiredis"])
    def test_a_missing_client_is_named_where_the_backend_is_made(self, package):
        code = (
            f"import sys; sys.modules[{package!r}] = None\n"
            "from asynccache.backends.redis import RedisCacheBackend\n"
            "from asynccache.errors import MissingDependencyError\n"
            "try: RedisCacheBackend()\n"
            "except MissingDependencyError as missing: print(missing)"
        )
        said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
        assert said == f"RedisCacheBackend needs the package {package!r}: pip install 'asynccache[redis]'\n"

    def test_a_client_that_is_too_old_is_named_with_its_release(self):
        code = (
            "import redis; redis.__version__ = '5.0.8'\n"
            "from asynccache import CacheModule\n"
            "try: CacheModule.setup(default='redis://localhost')\n"
            "except ImportError as missing: print(missing)"
        )
        said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
        assert "needs redis-py 8 or later, and this is 5.0.8: pip install 'asynccache[redis]'" in said


class TestStored:
    def test_an_entry_is_one_string_under_its_key(self, backend, raw, unique_prefix):
        backend.set("a:b%c", "x")
        assert raw.keys(f"{unique_prefix}:*") == [f"{unique_prefix}:1:a:b%c".encode()]
        assert {*raw.keys(f"~{unique_prefix}:*")} == {f"~{unique_prefix}:1:{one}".encode() for one in "ntg"}

    def test_lifetimes_are_the_server_s_to_the_millisecond(self, backend, raw, unique_prefix):
        backend.set("a", 1, ttl=0.25)
        assert 0 < raw.pttl(f"{unique_prefix}:1:a") <= 250
        backend.touch("a", 77.5)
        assert 77_000 < raw.pttl(f"{unique_prefix}:1:a") <= 77_500
        backend.touch("a", math.inf)
        assert raw.pttl(f"{unique_prefix}:1:a") == -1

    @pytest.mark.parametrize("years", [100, 10**6, 10**300])
    def test_an_age_is_no_problem(self, backend, years):
        assert backend.set("a", 1, ttl=years * 3.15e7 if years < 10**300 else 1e300) is True
        assert backend.touch("a", 1e300) is True
        assert backend.add("b", 1, ttl=1e300) is True
        assert backend.get_many(["a", "b"]) == {"a": 1, "b": 1}

    def test_a_new_counter_lives_as_long_as_the_default_and_an_old_one_stays_as_it_was(self, make, raw, unique_prefix):
        backend = make(ttl=50)
        backend.incr("n")
        assert 49_000 < raw.pttl(f"{unique_prefix}:1:n") <= 50_000
        backend.set("m", 7, ttl=math.inf)
        backend.incr("m")
        assert raw.pttl(f"{unique_prefix}:1:m") == -1

    def test_nothing_but_the_counter_is_left_by_a_counter(self, backend, raw, unique_prefix):
        backend.incr("n", 5)
        with pytest.raises(NotAnIntegerError):
            backend.incr("n", 2**63 - 1)
        assert raw.keys(f"{unique_prefix}:*") == [f"{unique_prefix}:1:n".encode()]
        assert raw.keys(f"~{unique_prefix}:1:l:*") == []
        assert backend.get("n") == 5

    @pytest.mark.parametrize("start", [0, 2**53, 2**63 - 11, -(2**63), -1])
    def test_counters_are_exact_to_64_bits(self, backend, start):
        backend.set("n", start)
        assert backend.incr("n", 10) == start + 10
        assert backend.decr("n", 10) == start
        assert backend.get("n") == start

    @pytest.mark.parametrize("delta", [2**63, -(2**63) - 1, 10**30])
    def test_a_delta_beyond_64_bits_changes_nothing(self, backend, delta):
        backend.set("n", 3)
        with pytest.raises(NotAnIntegerError):
            backend.incr("n", delta)
        assert backend.get("n") == 3

    def test_a_page_is_no_counter(self, backend):
        run(backend.write(BLOCKING, "page", b"<html>", 60.0, kind=Kind.PAGE))
        with pytest.raises(NotAnIntegerError):
            backend.incr("page")
        assert run(backend.read(BLOCKING, "page", kind=Kind.PAGE)).value == b"<html>"

    def test_another_type_of_data_is_a_miss_and_no_counter(self, backend, raw, unique_prefix):
        raw.rpush(f"{unique_prefix}:1:list", "x")
        with pytest.raises(NotAnIntegerError):
            backend.incr("list")
        assert backend.get_many(["list"]) == {}
        assert backend.get("list") is None

    def test_a_server_that_forgot_the_script_is_told_again(self, backend, raw):
        assert backend.incr("n") == 1
        raw.script_flush()
        assert backend.incr("n") == 2
        raw.script_flush()
        assert asyncio.run(backend.incr_async("n")) == 3

    async def test_many_take_few_round_trips_and_miss_nothing(self, backend):
        values = {f"k{number}": "x" * 2000 for number in range(1500)}
        assert await backend.set_many_async(values) == []
        assert await backend.get_many_async([*values, *values, "none"]) == values
        assert await backend.delete_many_async([*values, "none"]) == 1500

    @pytest.mark.parametrize("size", [0, 1, 2**20 - 1, 2**20, 2**20 + 1, 5 * 2**20])
    async def test_sizes(self, backend, size):
        assert await backend.set_async("a", b"x" * size) is True
        assert len(backend.get("a")) == size
        assert backend.set("a", b"y" * size) is True
        assert await backend.get_async("a") == b"y" * size


class TestTooBig:
    async def test_what_no_string_of_redis_can_hold_takes_the_old_value_with_it(self, backend, monkeypatch):
        monkeypatch.setattr("asynccache.backends.redis_entries.LARGEST", 1000)  # 512 MiB, which no test should need
        backend.set_many({"a": "old", "b": "old"})
        assert await backend.set_async("a", "x" * 1000) is False
        assert backend.set_many({"b": "x" * 1000, "c": 1}) == ["b"]
        assert backend.add("d", "x" * 1000) is False
        assert backend.get_many(["a", "b", "c", "d"]) == {"c": 1}
        await backend.aclose()


class TestFullServer:
    @pytest.fixture
    def full(self, launch):
        return launch(Redis("--maxmemory-policy", "noeviction"))

    @staticmethod
    def fill(server, *, full):
        with redis.Redis.from_url(server.url) as raw:
            raw.config_set("maxmemory", 1 if full else 0)

    def test_what_does_not_fit_takes_the_old_value_with_it_and_is_told_once(self, full, make, caplog):
        backend = make(full.url)
        assert backend.set_many({"a": "old", "b": "old"}) == []
        self.fill(full, full=True)
        assert backend.set("a", "new") is False
        assert backend.set_many({"b": 1, "c": 2}) == ["b", "c"]
        assert [record.getMessage().count("OOM") for record in caplog.records] == [1]
        self.fill(full, full=False)
        assert backend.get_many(["a", "b", "c"]) == {}
        assert backend.set("a", "new") is True

    def test_what_must_be_done_raises(self, full, make):
        backend = make(full.url)
        self.fill(full, full=True)
        for operation in (partial(backend.add, "a", 1), partial(backend.incr, "n")):
            with pytest.raises(BackendUnavailableError, match="OOM"):
                operation()


def documented():
    """Give the commands that a user is to be given, as the documentation names them."""
    page = Path("docs/deployment.md").read_text()
    block = page.partition("'~~shop:*' nocommands ")[2].partition("```")[0]
    return block.replace("\\", " ").replace("'", "").replace("\n", " ")


class TestRights:
    @pytest.fixture
    def server(self, launch):
        reader, writer = (
            "user reader on >r ~* &* +@read",
            f"user writer on >w ~shop:* ~~shop:* nocommands {documented()}",
        )
        return launch(Redis(acl=["user default on nopass ~* &* +@all", reader, writer]))

    async def test_a_user_needs_the_prefix_and_its_auxiliary_keys_only(self, server, make):
        backend = make(f"redis://writer:w@{server.address}", key_prefix="shop", on_error="raise")
        await works(backend)
        backend.set("tagged", 1, tags=["x"])
        assert backend.get("tagged") == 1
        assert backend.touch("tagged", math.inf) is True
        ticket = (await backend.claim(LOOP, "k")).ticket
        assert await backend.hold(LOOP, ticket) is True
        waiting = asyncio.create_task(backend.attend(LOOP, "k", PATIENT))
        await asyncio.sleep(0.1)
        assert await backend.land(LOOP, "k", 1, 60.0, ticket, tags=("x",)) is True
        await waiting
        backend.invalidate_tags("x")
        assert backend.get_many(["tagged", "k"]) == {}
        backend.clear()
        await backend.aclose()

    def test_a_user_that_may_not_write_reads_misses_and_hears_why(self, server, make, caplog):
        backend = make(f"redis://reader:r@{server.address}")
        assert backend.get("a") is None
        assert backend.set("a", 1) is False
        assert backend.set("a", 1) is False
        with pytest.raises(BackendUnavailableError, match="NOPERM"):
            backend.delete("a")
        assert backend.get("a") is None
        assert caplog.text.count("refused") == 1

    def test_a_wrong_password_is_said_once_and_raised_where_it_matters(self, server, make, caplog):
        backend = make(f"redis://reader:wrong@{server.address}")
        for _ in range(10):
            assert backend.get("a") is None
        assert len(caplog.records) == 1
        assert "invalid username-password pair" in caplog.text
        with pytest.raises(BackendUnavailableError):
            backend.delete("a")


class Planted:
    def __reduce__(self):
        return os.mkdir, ("executed",)


class TestHostileBytes:
    """What stands in the server is not to be trusted: at worst it is a miss, and then it is gone."""

    @pytest.mark.parametrize(
        "planted",
        [
            b"",
            b"x",
            b"\0" * 100,
            b"\xff" * 100,
            b"12",
            b"\xc1",
            b"\x80\x04K\x01.",
            pickle.dumps(Planted()),
            pickle.dumps({"user": "admin"}, protocol=0),
            b"c__builtin__\neval\n(S'1'\ntR.",
            struct.pack(">8sQQQQ", b"", 0, 0, 0, 0) + pickle.dumps(Planted()) * 3,
        ],
    )
    async def test_planted_bytes_are_a_miss_and_not_executed(
        self, backend, raw, unique_prefix, planted, tmp_path, monkeypatch
    ):
        monkeypatch.chdir(tmp_path)
        stored_key = f"{unique_prefix}:1:a"
        for look in (
            partial(backend.get_async, "a"),
            partial(backend.read, LOOP, "a", kind=Kind.PAGE),
            partial(backend.has_key_async, "a"),
        ):
            raw.set(stored_key, planted)
            assert not await look()
            assert raw.exists(stored_key) == 0
        raw.set(stored_key, planted)
        assert await backend.get_many_async(["a"]) == {}
        raw.set(stored_key, planted)
        assert await backend.incr_async("a") == 1
        assert list(tmp_path.iterdir()) == []
        await backend.aclose()

    def test_damage_is_counted_told_and_logged_once(self, backend, raw, unique_prefix, caplog):
        with recorded_events(backend) as events:
            for _ in range(3):
                raw.set(f"{unique_prefix}:1:a", b"nonsense")
                backend.get("a")
        assert backend.stats()["damaged"] == 3
        assert [type(event) for event in events] == [EntryDamaged] * 3
        assert len(caplog.records) == 1

    def test_an_entry_moved_to_another_key_is_a_miss(self, backend, raw, unique_prefix):
        backend.set("a", "of a")
        raw.copy(f"{unique_prefix}:1:a", f"{unique_prefix}:1:b")
        assert backend.get("b") is None
        assert backend.get("a") == "of a"
        backend.incr("n", 40)
        raw.copy(f"{unique_prefix}:1:n", f"{unique_prefix}:1:m")
        assert backend.incr("m") == 1

    def test_every_cut_and_every_flip_of_an_entry_is_a_miss_or_the_value(self, backend, raw, unique_prefix):
        values = {"text": "päge", "number": 12345, "nested": {"a": [1, None, (2.5, b"x")]}, "none": None}
        values |= {f"s{size}": "x" * size for size in range(10)} | {f"n{size}": 10**size for size in range(10)}
        backend.set_many(values)
        for key in values:
            stored_key = f"{unique_prefix}:1:{key}"
            good = raw.get(stored_key)
            spoilt = [good[:size] for size in range(len(good))]
            spoilt += [flipped(good, bit) for bit in range(8 * codec.HEAD_SIZE, 8 * len(good))]
            wrong = [bytes_ for bytes_ in spoilt if self.read_as(backend, raw, key, bytes_) not in (None, values[key])]
            assert wrong == []

    @staticmethod
    def read_as(backend, raw, key, bytes_):
        raw.set(backend.stored_key(key), bytes_)
        return backend.get(key)

    def test_a_flipped_counter_is_never_a_wrong_number(self, backend, raw):
        backend.set("n", 5_000_000)
        good = raw.get(backend.stored_key("n"))
        for bit in range(8 * PAYLOAD_OFFSET, 8 * len(good)):
            raw.set(backend.stored_key("n"), flipped(good, bit))
            assert backend.incr("n") in {1, 5_000_001}


def flipped(good, bit):
    spoilt = bytearray(good)
    spoilt[bit // 8] ^= 1 << bit % 8
    return bytes(spoilt)


class TestProcesses:
    @pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
    async def test_it_works_on_after_a_fork(self, backend):
        """Parent and child have connections of their own: neither reads the other's replies."""
        await backend.set_async("shared", "value")
        backend.set("shared", "value")
        children = [get_context("fork").Process(target=use_alone, args=(backend, name)) for name in "abc"]
        for child in children:
            child.start()
        for number in range(300):
            assert await backend.get_async("shared") == "value"
            assert backend.incr("parent") == number + 1
        for child in children:
            await asyncio.to_thread(child.join)
        assert [child.exitcode for child in children] == [0, 0, 0]
        await backend.aclose()


def use_alone(backend, name):
    async def on_loop():
        for number in range(100):
            assert await backend.get_async("shared") == "value"
            assert await backend.incr_async(f"{name}-loop") == number + 1
        await backend.aclose()

    for number in range(100):
        assert backend.get("shared") == "value"
        assert backend.incr(name) == number + 1
    asyncio.run(on_loop())
    backend.close()


def test_keys_are_the_same_in_every_process(redis_server, make):
    make(key_prefix="stable", version="v1").set("kéy\ud800", random.random())
    with redis.Redis.from_url(redis_server.url) as raw:
        assert raw.exists(b"stable:v1:k\xc3\xa9y\xed\xa0\x80") == 1
