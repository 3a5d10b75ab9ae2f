"""What Redis may lose, and what becomes of it: a miss, a load that is not stored, never an old value."""

import asyncio
import os
from functools import partial
from itertools import takewhile

import pytest
import redis

from asynccache.backends.redis import RedisCacheBackend
from asynccache.backends.redis_parts import Parts
from asynccache.core.claims import Hit, Lead
from asynccache.core.fence import CLEAR, KEYS, TAGS, cells_of, read_notebook
from asynccache.errors import BackendUnavailableError, ConfigurationError, SerializationError
from asynccache.plan.io import BLOCKING, run
from tests.backends.making import making
from tests.servers import Redis
from tests.servers.process import wait_until

PATIENT = 5.0


@pytest.fixture
def make(redis_server, unique_prefix):
    with making(RedisCacheBackend, redis_server.url, key_prefix=unique_prefix, deadline=PATIENT) as make:
        yield make


@pytest.fixture
def backend(make):
    return make()


@pytest.fixture
def raw(redis_server):
    with redis.Redis.from_url(redis_server.url) as client:
        yield client


@pytest.fixture
def own(backend):
    """Give the notebook's, the table's and the log's keys."""
    return Parts().of(backend.stored_key(""))[0]


def ticket_of(backend, key="loaded"):
    claimed = run(backend.claim(BLOCKING, key))
    assert isinstance(claimed, Lead)
    return claimed.ticket


def land(backend, ticket, *tags, key="loaded"):
    return run(backend.land(BLOCKING, key, "loaded", 60.0, ticket, tags=tags))


def fill(backend):
    backend.set("plain", 1)
    backend.set("tagged", 2, tags=["x"])
    assert backend.get_many(["plain", "tagged"]) == {"plain": 1, "tagged": 2}


def in_use(backend):
    """Expect that all works as on the first day."""
    fill(backend)
    backend.delete("loaded")
    assert land(backend, ticket_of(backend), "x") is True
    backend.invalidate_tags("x")
    assert backend.get_many(["plain", "tagged", "loaded"]) == {"plain": 1}
    backend.clear()
    assert backend.get("plain") is None


class TestLost:
    def test_a_right_that_is_lost_costs_a_store(self, backend, raw):
        ticket = ticket_of(backend)
        raw.delete(Parts().spot(ticket.key).lease)
        assert land(backend, ticket) is False
        assert backend.get("loaded") is None
        in_use(backend)

    def test_without_the_table_nothing_that_is_tagged_is_used(self, backend, raw, own):
        fill(backend)
        ticket = ticket_of(backend)
        raw.delete(own.table)
        assert backend.get_many(["plain", "tagged"]) == {"plain": 1}
        assert land(backend, ticket, "y") is False
        assert backend.get_many(["plain", "tagged"]) == {"plain": 1}
        in_use(backend)

    def test_a_table_that_is_made_anew_by_a_store_lets_nothing_old_rise(self, backend, raw, own):
        fill(backend)
        backend.invalidate_tags("z")
        raw.delete(own.table)
        backend.set("another", 3, tags=["x"])
        assert backend.get_many(["plain", "tagged", "another"]) == {"plain": 1, "another": 3}

    @pytest.mark.parametrize("spoilt", [None, b"", b"x" * 59], ids=repr)
    def test_without_the_notebook_nothing_is_used(self, backend, raw, own, spoilt):
        fill(backend)
        ticket = ticket_of(backend)
        raw.delete(own.notebook) if spoilt is None else raw.set(own.notebook, spoilt)
        assert backend.get_many(["plain", "tagged"]) == {}
        assert backend.delete("plain") is False
        assert backend.add("plain", "new") is True
        assert land(backend, ticket) is False
        assert backend.get_many(["plain", "tagged", "loaded"]) == {"plain": "new"}
        in_use(backend)

    def test_a_notebook_of_another_kind_is_none(self, backend, raw, own):
        fill(backend)
        raw.delete(own.notebook)
        raw.rpush(own.notebook, "x")
        assert backend.get("plain") is None
        in_use(backend)

    @pytest.mark.parametrize("spoil", ["delete", "a later event", "another kind"])
    def test_a_log_that_is_lost_or_spoilt_holds_up_nobody(self, backend, raw, own, spoil):
        fill(backend)
        if spoil == "a later event":
            raw.xadd(own.log, {"x": "y"}, id=f"{2**60}-0")
        else:
            raw.delete(own.log)
        if spoil == "another kind":
            raw.set(own.log, "x")
        assert backend.get_many(["plain", "tagged"]) == {"plain": 1, "tagged": 2}
        in_use(backend)
        assert raw.xlen(own.log) > 0

    def test_all_at_once(self, launch, make):
        server = launch(Redis())
        backend = make(server.url)
        fill(backend)
        ticket = ticket_of(backend)
        with redis.Redis.from_url(server.url) as raw:
            raw.flushall()
        assert backend.get_many(["plain", "tagged"]) == {}
        assert land(backend, ticket) is False
        in_use(backend)


class TestRestarted:
    @pytest.mark.parametrize("keeps", ["nothing", "a snapshot", "a log"])
    def test_what_was_on_a_disk_is_not_used(self, launch, make, keeps):
        """In a snapshot is what was deleted since."""
        server = launch(Redis(*["--appendonly", "yes", "--appendfsync", "always"] * (keeps == "a log")))
        backend = make(server.url)
        fill(backend)
        ticket = ticket_of(backend)
        with redis.Redis.from_url(server.url) as raw:
            if keeps == "a snapshot":
                raw.save()
            backend.delete("plain")
            server.restart()
            assert raw.exists(backend.stored_key("tagged")) == (keeps != "nothing")
            assert backend.get_many(["plain", "tagged"]) == {}
            assert land(backend, ticket) is False
            assert backend.get_many(["plain", "tagged", "loaded"]) == {}
        in_use(backend)


class TestManyTags:
    def test_however_many_tags_are_invalidated_at_once(self, backend):
        fill(backend)
        backend.invalidate_tags(*[f"tag {number}" for number in range(10_000)], "x")
        assert backend.get_many(["plain", "tagged"]) == {"plain": 1}

    def test_an_entry_with_as_many_tags_as_may_be_is_like_others(self, backend):
        tags = [f"tag {number}" for number in range(2_000)]
        assert backend.set("many", 1, tags=tags) is True
        assert land(backend, ticket_of(backend), *tags) is True
        assert backend.touch("many", 30) is True
        assert backend.incr("many") == 2
        assert backend.get_many(["many", "loaded"]) == {"many": 2, "loaded": "loaded"}
        assert backend.delete("loaded") is True
        backend.invalidate_tags("tag 1999")
        assert backend.get("many") is None

    @pytest.mark.parametrize("tags", [[f"tag {n}" for n in range(3_000)], ["x" * 65_536]], ids=["number", "bytes"])
    def test_too_many_tags_are_the_callers_mistake_and_take_the_old_value_with_them(self, backend, tags):
        backend.set("key", "old")
        with pytest.raises(SerializationError, match="2000 tags"):
            backend.set("key", "new", tags=tags)
        assert backend.get("key") is None


class TestAnotherProcess:
    """The notebook says that its data was accepted for another process than the one that answers."""

    @pytest.fixture
    def taken_over(self, raw, own):
        """Make it so, as if the server had been a replica for some seconds."""
        wait_until(lambda: raw.info("server")["uptime_in_seconds"] >= 3, "it has run for a while")
        return partial(raw.setrange, own.notebook, 51, "another.")

    def test_nothing_is_used_before_somebody_has_accepted_it(self, backend, taken_over):
        taken_over()
        fill(backend)
        taken_over()
        assert backend.get_many(["plain", "tagged"]) == {}

    def test_a_replica_that_takes_over_keeps_its_entries_but_no_rights(self, backend, taken_over, raw, own):
        taken_over()
        fill(backend)
        ticket = ticket_of(backend)
        taken_over()
        backend.delete("something")
        assert read_notebook(raw.get(own.notebook)).keeper == raw.info("server")["run_id"][:8].encode()
        assert backend.get_many(["plain", "tagged"]) == {"plain": 1, "tagged": 2}
        assert land(backend, ticket._replace(view=ticket.view._replace(keeper=b"the old."))) is False
        in_use(backend)

    def test_it_begins_with_nothing_where_that_is_wanted(self, make, taken_over):
        backend = make(on_failover="clear")
        fill(backend)
        taken_over()
        backend.delete("something")
        assert backend.get_many(["plain", "tagged"]) == {}
        in_use(backend)

    @pytest.mark.parametrize("what", ["delete", "delete_many", "set", "tags", "clear"])
    @pytest.mark.parametrize("who", ["reads", "writes"])
    def test_what_was_invalidated_and_not_replicated_is_invalidated_again(self, make, raw, taken_over, what, who):
        backend = make()
        own = Parts().of(backend.stored_key(""))[0]
        fill(backend)
        names = [*own.own[:2], *[backend.stored_key(key).encode() for key in ("plain", "tagged")]]
        before = [raw.get(name) for name in names]
        match what:
            case "delete":
                backend.delete("tagged")
            case "delete_many":
                backend.delete_many(["tagged", "none"])
            case "set":
                backend.set("tagged", 3)
            case "tags":
                backend.invalidate_tags("x")
            case "clear":
                backend.clear()
        for name, bytes_ in zip(names, before, strict=True):
            raw.set(name, bytes_)
        taken_over()
        if who == "reads":  # and somebody else has accepted it
            make().delete("something")
            known = backend._scripting.known
            known |= {part: at._replace(view=at.view._replace(keeper=b"the old.")) for part, at in known.items()}
        assert backend.get_many(["tagged"]) == {}
        backend.delete("something")
        assert backend.get_many(["plain", "tagged"]) == ({} if what == "clear" else {"plain": 1})
        in_use(backend)

    def test_however_many_tags_were_invalidated_are_invalidated_again(self, backend, raw, own, taken_over):
        fill(backend)
        entry, table, notebook = raw.get(backend.stored_key("tagged")), raw.get(own.table), raw.get(own.notebook)
        backend.invalidate_tags(*[f"tag {number}" for number in range(5_000)], "x")
        raw.mset({backend.stored_key("tagged"): entry, own.table: table, own.notebook: notebook})
        taken_over()
        backend.delete("something")
        assert backend.get_many(["plain", "tagged"]) == {"plain": 1}
        in_use(backend)

    @pytest.mark.parametrize("how", ["raises", "answers"])
    def test_what_could_not_be_invalidated_again_is_by_the_next_one(self, make, raw, taken_over, monkeypatch, how):
        backend = make(on_error="raise")
        fill(backend)
        entry = raw.get(backend.stored_key("tagged"))
        backend.delete("tagged")
        raw.set(backend.stored_key("tagged"), entry)
        taken_over()
        make().delete("something")
        known = backend._scripting.known
        known |= {part: at._replace(view=at.view._replace(keeper=b"the old.")) for part, at in known.items()}
        write, away = backend._place.write, [BackendUnavailableError("away")]

        async def fail_once(io, tried, questions, keys):
            if tried == "invalidate again" and away:
                if how == "raises":
                    raise away.pop()
                return [away.pop()]
            return await write(io, tried, questions, keys)

        monkeypatch.setattr(backend._place, "write", fail_once)
        with pytest.raises(BackendUnavailableError):
            backend.get("tagged")
        assert not away
        assert backend.get_many(["plain", "tagged"]) == {"plain": 1}

    def test_what_was_written_and_replicated_stays(self, backend, taken_over):
        backend.set_many({"a": 1, "b": 2})
        backend.incr("n", 5)
        backend.touch("a", 30)
        taken_over()
        backend.delete("something")
        assert backend.get_many(["a", "b", "n"]) == {"a": 1, "b": 2, "n": 5}

    def test_who_may_not_ask_which_process_answers_takes_what_is_there(self, launch, make):
        server = launch(Redis(acl=["user default on nopass ~* &* +@all", "user app on nopass ~* &* +@all -info"]))
        backend = make(f"redis://app@{server.address}")
        in_use(backend)
        fill(backend)
        make(server.url).delete("something")
        assert backend.get_many(["plain", "tagged"]) == {}
        fill(backend)
        in_use(make(server.url))

    @pytest.mark.parametrize("given", [None, True, "keep"])
    def test_what_cannot_be_meant_is_said(self, given):
        with pytest.raises(ConfigurationError, match="on_failover"):
            RedisCacheBackend("redis://a", on_failover=given)


class TestLate:
    """A write that its caller was told had failed does not happen afterwards."""

    @pytest.mark.parametrize("flavour", ["sync", "async"])
    async def test_a_set_that_waits_in_the_socket_of_a_frozen_server_is_not_done(self, fresh_redis, flavour):
        backend = RedisCacheBackend(fresh_redis.url, deadline=0.15)
        for key in ("before", "a"):
            assert backend.set(key, 1) is True
            assert await backend.set_async(key, 1) is True
        fresh_redis.freeze()
        if flavour == "sync":
            assert await asyncio.to_thread(backend.set, "a", "late") is False
            with pytest.raises(BackendUnavailableError):
                await asyncio.to_thread(backend.add, "b", "late")
        else:
            assert await backend.set_async("a", "late") is False
            with pytest.raises(BackendUnavailableError):
                await backend.add_async("b", "late")
        fresh_redis.thaw()
        with redis.Redis.from_url(fresh_redis.url) as raw:
            assert [raw.ping(), raw.ping()] == [True, True]  # by the second it has read what was sent before the first
            assert b"late" not in (raw.get(backend.stored_key("a")) or b"")
            assert raw.exists(backend.stored_key("b")) == 0
        await backend.aclose()

    def test_a_server_whose_clock_was_set_forward_is_asked_for_its_time_again(self, backend):
        backend.set("a", 1)
        (line,) = backend._place._leader._blocking._idle
        line._peer._time_us -= 3_600_000_000
        assert backend.set("a", 2) is True
        assert backend.get("a") == 2


OPERATIONS = {
    "set": lambda cache: cache.set("a", 1) is True,
    "add": lambda cache: cache.add("b", 1) is True,
    "touch": lambda cache: cache.touch("plain", 5) is True,
    "incr": lambda cache: cache.incr("n") == 1,
    "delete": lambda cache: cache.delete("plain") is True,
    "invalidate_tags": lambda cache: cache.invalidate_tags("x") is None,
    "clear": lambda cache: cache.clear() is None,
    "claim": lambda cache: isinstance(run(cache.claim(BLOCKING, "plain")), Hit),
}


class TestScripts:
    @pytest.mark.parametrize("operation", OPERATIONS)
    def test_a_server_that_forgot_them_is_told_again(self, backend, raw, operation):
        fill(backend)
        raw.script_flush()
        assert OPERATIONS[operation](backend)
        assert backend.stats()["errors"] == 0

    def test_rights_outlive_it(self, backend, raw):
        ticket = ticket_of(backend)
        for step in (partial(run, backend.hold(BLOCKING, ticket)), partial(land, backend, ticket)):
            raw.script_flush()
            assert step() is True
        ticket = ticket_of(backend, "other")
        raw.script_flush()
        assert run(backend.release(BLOCKING, ticket)) is True

    def test_a_full_server_stores_nothing_and_still_invalidates(self, launch, make):
        server = launch(Redis("--maxmemory-policy", "noeviction"))
        backend = make(server.url)
        fill(backend)
        ticket = ticket_of(backend)
        with redis.Redis.from_url(server.url) as raw:
            raw.config_set("maxmemory", 1)
        assert land(backend, ticket) is True
        assert backend.get("loaded") is None
        backend.invalidate_tags("x")
        assert backend.get_many(["plain", "tagged"]) == {"plain": 1}
        assert backend.touch("plain", 50) is True
        assert backend.delete("plain") is True
        backend.clear()

    def test_what_is_invalid_is_not_counted_as_deleted(self, backend):
        fill(backend)
        backend.invalidate_tags("x")
        assert backend.delete_many(["plain", "tagged"]) == 1
        backend.set("plain", 1)
        backend.clear()
        assert backend.delete("plain") is False


class TestTold:
    def test_own_changes_are_told_before_they_return(self, backend):
        told = []
        backend.changed.append(lambda part, view, change: told.append((part, change.kind, change.what, change.stamp)))
        key = backend.stored_key
        backend.set("a", 1)
        backend.set_many({"b": 1, "c": 1})
        backend.delete_many(["a"])
        backend.touch("c", 5)
        backend.incr("n")
        backend.touch("none", 5)
        backend.add("c", 5)
        backend.invalidate_tags("x")
        backend.clear()
        expected = [(key("a"),), (key("b"), key("c")), (key("a"),), (key("c"),), (key("n"),)]
        assert [(kind, what) for _, kind, what, _ in told] == [
            *[(KEYS, what) for what in expected],
            (TAGS, cells_of(["x"])),
            (CLEAR, ()),
        ]
        stamps = [stamp for *_, stamp in told]
        assert stamps == sorted(set(stamps))
        assert {part for part, *_ in told} == {key("")}


class TestRoundTrips:
    @pytest.fixture
    def asked(self, raw, backend):
        """Give a function that counts the commands of some step."""
        backend.set("warm", 1, tags=["x"])
        raw.ping()
        with raw.monitor() as monitor:

            def count(step):
                seen_until_now()
                step()
                return sum(line["client_type"] != "lua" for line in seen_until_now())

            def seen_until_now():
                raw.echo(mark := os.urandom(4).hex())
                return list(takewhile(lambda line: mark not in line["command"], monitor.listen()))

            yield count

    def test_each_step_is_one(self, asked, backend):
        steps = [
            lambda: backend.get("a"),
            lambda: backend.set("a", 1),
            lambda: backend.set("t", 1, tags=["x", "y"]),
            lambda: backend.add("b", 1),
            lambda: backend.touch("b", 9),
            lambda: backend.incr("n"),
            lambda: backend.delete("b"),
            lambda: backend.delete_many(["a", "b", "c"]),
            lambda: backend.get_many(["a", "b", "c"]),
            lambda: backend.invalidate_tags("p", "q", "r"),
            backend.clear,
        ]
        assert [asked(step) for step in steps] == [1] * len(steps)

    def test_a_tagged_entry_is_two(self, asked, backend):
        """In the second go its marks, whose marks they are, and a word that is said back: marks look all alike."""
        assert asked(lambda: backend.get("warm")) == 1 + 3
        backend.set_many({"a": 1})
        backend.set("other", 1, tags=["z"])
        assert asked(lambda: backend.get_many(["warm", "a", "other"])) == 1 + 3

    def test_a_load_is_three(self, asked, backend):
        assert asked(lambda: backend.get("a")) == 1
        tickets = []
        assert asked(lambda: tickets.append(ticket_of(backend))) == 1
        assert asked(lambda: land(backend, tickets[0], "x", "y")) == 1

    def test_many_rights_are_asked_for_by_the_hundred(self, asked, backend):
        keys = [f"k{number}" for number in range(250)]
        assert asked(lambda: run(backend.claim_many(BLOCKING, keys))) == 3


class TestCluster:
    @pytest.mark.parametrize("what", ["tags", "clear"])
    async def test_tags_and_clear_reach_all_parts(self, redis_cluster, make, what):
        backend = make(redis_cluster.url)
        for number in range(60):
            assert await backend.set_async(f"k{number}", number, tags=["all", f"tag {number}"])
        tickets = [ticket_of(backend, f"loaded {number}") for number in range(20)]
        assert len(backend._by_part([backend.stored_key(f"k{number}") for number in range(60)])) == 16
        assert len(await backend.get_many_async([f"k{number}" for number in range(60)])) == 60
        await (backend.invalidate_tags_async("all") if what == "tags" else backend.clear_async())
        assert await backend.get_many_async([f"k{number}" for number in range(60)]) == {}
        landed = [land(backend, ticket, "all", key=f"loaded {number}") for number, ticket in enumerate(tickets)]
        assert landed == [False] * 20
        await backend.aclose()

    def test_the_number_of_parts_is_a_number(self):
        with pytest.raises(ConfigurationError, match="partitions"):
            RedisCacheBackend("redis+cluster://a", partitions=0)
