"""Redis Sentinel by the contract, and how the master is found."""

import asyncio
import threading
import time
from functools import partial
from multiprocessing import get_context

import pytest

from asynccache.backends import redis_sentinel_news
from asynccache.backends.redis import RedisCacheBackend
from asynccache.backends.redis_sentinel_news import IDLE_SECONDS, service_of
from asynccache.errors import BackendUnavailableError, ConfigurationError
from asynccache.testing import BackendContract
from tests.backends.making import making
from tests.backends.test_redis import use_alone
from tests.servers import RedisSentinels
from tests.servers.process import wait_until
from tests.servers.redis_cluster import is_master, tell
from tests.servers.redis_sentinel import SERVICE
from tests.storms import Storm, share_one_service

PATIENT = 5.0
RIGHTS = (
    "+@connection +info +time +get +mget +set +getrange +setrange +unlink +del +exists +pexpire +persist +pttl "
    "+incrby +bitfield +bitfield_ro +xadd +xread +eval +evalsha +script|load +role"
)


class TestContract(BackendContract):
    @pytest.fixture
    def backend_factory(self, redis_sentinels):
        return partial(RedisCacheBackend, redis_sentinels.url, deadline=PATIENT)


@pytest.fixture
def make(unique_prefix):
    with making(RedisCacheBackend, key_prefix=unique_prefix, deadline=PATIENT) as make:
        yield make


async def works(backend):
    assert backend.set("a", 1) is True
    assert await backend.get_async("a") == 1
    assert await backend.incr_async("a") == 2
    assert backend.delete("a") is True
    await backend.aclose()


class TestReach:
    async def test_one_sentinel_is_enough(self, redis_sentinels, make):
        await works(make(f"redis+sentinel://{redis_sentinels.sentinels[1].address}/{SERVICE}"))

    async def test_sentinels_that_are_away_are_passed_over(self, redis_sentinels, make):
        backend = make(f"redis+sentinel://127.0.0.1:1,{redis_sentinels.sentinels[0].address}/{SERVICE}")
        for _ in range(5):
            await works(backend)

    async def test_frozen_sentinels_hold_up_nobody_for_long(self, redis_sentinels, make):
        backend = make(redis_sentinels.url, deadline=1.0, on_error="raise")
        for sentinel in redis_sentinels.sentinels[:2]:
            sentinel.freeze()
        try:
            await works(backend)
        finally:
            for sentinel in redis_sentinels.sentinels[:2]:
                sentinel.thaw()

    async def test_the_database_is_the_one_that_was_named(self, redis_sentinels, make, unique_prefix):
        backend = make(redis_sentinels.url.replace("/0", "/3"))
        backend.set("a", 1)
        master = redis_sentinels.master()
        assert tell(master, "EXISTS", f"{unique_prefix}:1:a") == 0
        wait_until(lambda: "db3:keys=4" in tell(master, "INFO keyspace").decode(), "it is in database 3")
        backend.delete("a")

    async def test_master_and_sentinels_have_passwords_of_their_own(self, launch, make):
        settings = [
            f"sentinel auth-pass {SERVICE} of-master",
            "user app on >of-sentinels nocommands +sentinel +subscribe +ping &*",
        ]
        servers = launch(RedisSentinels("of-master", settings, patience=15))
        for node in servers.nodes:
            tell(node, f"ACL SETUSER app on >of-app ~shop:* ~~shop:* nocommands {RIGHTS}")
        url = servers.url.replace("//", "//app:of-app@")
        await works(make(f"{url}?sentinel_username=app&sentinel_password=of-sentinels", key_prefix="shop"))
        theirs = {"sentinel_username": "app", "sentinel_password": "of-sentinels"}
        await works(make(url, options=theirs, key_prefix="shop"))
        with pytest.raises(BackendUnavailableError, match="invalid username-password"):
            make(url.replace("of-app", "wrong"), options=theirs).delete("a")
        with pytest.raises(BackendUnavailableError, match="invalid username-password"):
            make(url, options={"sentinel_username": "app", "sentinel_password": "wrong"}).delete("a")

    def test_an_unknown_service_says_so(self, redis_sentinels, make, caplog):
        backend = make(redis_sentinels.url.replace(SERVICE, "another"))
        assert backend.get("a") is None
        with pytest.raises(BackendUnavailableError, match="No such master"):
            backend.delete("a")

    @pytest.mark.parametrize(
        ("servers", "said"),
        [
            ("redis+sentinel://a,b", "name the sentinels' service"),
            ("redis+sentinel://a,b/", "name the sentinels' service"),
            (["redis+sentinel://a/one", "redis+sentinel://b/two"], "name the sentinels' service"),
            ("redis+sentinel://a/one/two", "a database is a number"),
            (["redis+sentinel://a/one", "/run/redis.sock"], "cannot be mixed"),
        ],
    )
    def test_what_cannot_work_is_an_error_at_once(self, servers, said):
        with pytest.raises(ConfigurationError, match=said):
            RedisCacheBackend(servers)

    def test_the_password_is_never_shown(self):
        backend = RedisCacheBackend("redis+sentinel://user:s3cret@a,b:1/one?sentinel_password=s3cret")
        assert "s3cret" not in repr(backend) + repr(backend.servers)
        assert "a:26379, b:1" in repr(backend)


@pytest.mark.parametrize(
    ("channel", "text", "service"),
    [
        (b"+try-failover", b"master one 127.0.0.1 6379", b"one"),
        (b"+promoted-slave", b"slave 127.0.0.1:2 127.0.0.1 2 @ one 127.0.0.1 1", b"one"),
        (b"+switch-master", b"one 127.0.0.1 1 127.0.0.1 2", b"one"),
        (b"+try-failover", b"master master 127.0.0.1 6379", b"master"),
    ],
)
def test_news_are_those_of_one_service(channel, text, service):
    assert service_of(channel, text.split()) == service


class TestOvertaken:
    """Another thread has heard of another master, at the worst moment: what the old one does now may be lost."""

    @pytest.fixture
    async def backend(self, redis_sentinels, make):
        backend = make(redis_sentinels.url, deadline=1.0)
        assert await backend.set_async("a", 1) is True
        assert backend.set("a", 1) is True
        return backend

    @pytest.fixture
    def hear(self, redis_sentinels, backend):
        def hear():
            replica = next(node for node in redis_sentinels.nodes if not is_master(node))
            backend._place._taken(backend._place._node_at(replica.host, replica.port), backend._place._epoch + 1)

        return hear

    @pytest.mark.parametrize("flavour", ["sync", "async"])
    async def test_before_the_one_who_heard_has_said_so(self, backend, hear, flavour):
        hear()
        assert (backend.set("a", 2) if flavour == "sync" else await backend.set_async("a", 2)) is False

    async def test_just_after_this_one_was_given_the_master(self, backend, hear):
        place = backend._place
        give = place._master

        async def given(io, due):
            master, place._master = await give(io, due), give
            hear()
            return master

        place._master = given
        assert backend.set("a", 2) is False


class TestLife:
    async def test_cancelled_operations_disturb_nobody(self, redis_sentinels, make):
        backend = make(redis_sentinels.url)
        storm = Storm(backend, 5_000)
        await storm.run()
        assert set(storm.seen) == {"right"}
        assert backend.stats()["errors"] == 0
        await backend.aclose()

    def test_threads_and_loops_share_one_service(self, redis_sentinels, make):
        share_one_service(make(redis_sentinels.url))

    @pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
    async def test_it_works_on_after_a_fork(self, redis_sentinels, make):
        backend = make(redis_sentinels.url)
        await backend.set_async("shared", "value")
        backend.set("shared", "value")
        child = get_context("fork").Process(target=use_alone, args=(backend, "child"))
        child.start()
        for number in range(200):
            assert await backend.get_async("shared") == "value"
            assert backend.incr("parent") == number + 1
        await asyncio.to_thread(child.join)
        assert child.exitcode == 0
        await backend.aclose()

    @pytest.mark.parametrize("flavour", ["sync", "async"])
    async def test_closing_leaves_nobody_listening(self, redis_sentinels, make, flavour):
        sentinel = redis_sentinels.sentinels[0]
        for _ in range(20):
            backend = make(redis_sentinels.url)
            backend.set("a", 1)
            await (backend.aclose() if flavour == "async" else asyncio.to_thread(backend.close))
        wait_until(lambda: listeners(sentinel) == 0, "nobody listens")

    async def test_who_asks_while_it_is_closed_leaves_nobody_listening(self, redis_sentinels, make):
        """It takes a while, since another loop, whose connections are to be closed, is held up."""
        sentinel = redis_sentinels.sentinels[0]
        wait_until(lambda: listeners(sentinel) == 0, "nobody listens")
        backend = make(redis_sentinels.url)
        held_up = threading.Event()

        async def use_and_hold_up():
            await backend.set_async("a", 1)
            held_up.set()
            time.sleep(0.5)

        thread = threading.Thread(target=asyncio.run, args=(use_and_hold_up(),))
        thread.start()
        await asyncio.to_thread(held_up.wait)
        closing = asyncio.create_task(backend.aclose())
        await asyncio.sleep(0.1)
        assert await backend.get_async("a") == 1
        await closing
        thread.join()
        wait_until(lambda: listeners(sentinel) == 0, "nobody listens", IDLE_SECONDS / 2)

    async def test_nobody_listens_for_a_backend_that_was_forgotten_until_it_is_used_again(
        self, redis_sentinels, make, monkeypatch
    ):
        monkeypatch.setattr(redis_sentinel_news, "IDLE_SECONDS", 0.3)
        sentinel = redis_sentinels.sentinels[0]
        wait_until(lambda: listeners(sentinel) == 0, "nobody listens")
        backend = make(redis_sentinels.url)
        for _ in range(2):
            used_until = time.monotonic() + 0.6
            while time.monotonic() < used_until:
                assert await backend.set_async("a", 1) is True
                await asyncio.sleep(0.05)
            assert listeners(sentinel) == 1
            await asyncio.to_thread(wait_until, lambda: listeners(sentinel) == 0, "nobody listens")
        assert backend.stats()["errors"] == 0
        await backend.aclose()

    async def test_who_comes_back_after_a_while_asks_again_for_the_master(self, redis_sentinels, make, monkeypatch):
        monkeypatch.setattr(redis_sentinel_news, "IDLE_SECONDS", 0.3)
        sentinel = redis_sentinels.sentinels[0]
        backend = make(redis_sentinels.url)
        survey, looks = backend._place._survey, []
        look = survey._look

        async def counted(io, due):
            looks.append(due)
            return await look(io, due)

        survey._look = counted
        await backend.set_async("a", 1)
        await asyncio.to_thread(wait_until, lambda: listeners(sentinel) == 1, "somebody listens")
        await asyncio.sleep(0.15)
        await backend.set_async("a", 1)  # since what was said before is not known
        await asyncio.to_thread(wait_until, lambda: listeners(sentinel) == 0, "nobody listens")
        before = len(looks)
        assert await backend.get_async("a") == 1
        assert len(looks) == before + 1
        await backend.aclose()


def listeners(sentinel):
    return sum(b"sub=" in line and b" sub=0 " not in line for line in tell(sentinel, "CLIENT LIST").splitlines())
