"""The log of Redis is followed: changes come in order, a hole is seen, and who waits for a load is woken."""

import asyncio
import subprocess
import sys
import threading
import time
from multiprocessing import get_context

import pytest
import redis

from asynccache.backends.followed import Batch, Hole
from asynccache.backends.redis import RedisCacheBackend
from asynccache.backends.redis_parts import Parts
from asynccache.core.claims import Held, Lead
from asynccache.core.fence import CLEAR, KEYS, TAGS, cells_of
from asynccache.errors import BackendUnavailableError
from asynccache.plan.io import BLOCKING, LOOP, run
from tests.backends.making import making
from tests.load import crowding
from tests.servers import Redis, RedisReplicaSet
from tests.servers.process import wait_until
from tests.servers.redis_cluster import tell

PATIENT = 5.0
LONG = 30.0
"""Seconds of a right that nobody waits for."""
SOON = 5.0


@pytest.fixture
def make(redis_server, unique_prefix):
    with making(RedisCacheBackend, redis_server.url, key_prefix=unique_prefix, deadline=PATIENT) as make:
        yield make


@pytest.fixture
def raw(redis_server):
    with redis.Redis.from_url(redis_server.url) as client:
        yield client


class Watcher:
    """Keeps what it is told."""

    def __init__(self, backend):
        self.steps = []
        self.stop = backend.follower.watch(backend.stored_key(""), self.steps.append)
        self.wait_for(lambda: self.holes)

    @property
    def holes(self):
        return [step for step in self.steps if isinstance(step.outcome, Hole)]

    @property
    def changes(self):
        return [change for step in self.steps if isinstance(step.outcome, Batch) for change in step.outcome.changes]

    def wait_for(self, holds):
        wait_until(holds, "it was told")


@pytest.fixture(params=["one server", "cluster"])
def pair(request, make):
    """Give a backend that is followed, and another process's."""
    if request.param == "cluster":
        url = request.getfixturevalue("redis_cluster").url
        return make(url), make(url)
    return make(), make()


class TestFollowing:
    def test_what_others_change_is_told(self, pair):
        mine, other = pair
        key = mine.stored_key
        watcher = Watcher(mine)
        watcher.wait_for(lambda: len(watcher.holes) == len(mine._parts(key(""))))
        other.set("a", 1)
        other.set_many({"b": 1})
        other.delete_many(["a", "ü\ud800"])
        watcher.wait_for(lambda: {what for change in watcher.changes for what in change.what} >= {key("ü\ud800")})
        other.invalidate_tags("x", "y")
        other.clear()
        watcher.wait_for(lambda: [change.kind for change in watcher.changes].count(CLEAR) == len(mine._parts(key(""))))
        keys = {what for change in watcher.changes if change.kind == KEYS for what in change.what}
        assert keys == {key("a"), key("b"), key("ü\ud800")}
        assert {change.what for change in watcher.changes if change.kind == TAGS} == {cells_of(["x", "y"])}
        assert len(watcher.holes) == len(mine._parts(key("")))
        watcher.stop()

    def test_many_changes_come_in_order_and_none_is_missed(self, make):
        mine, other = make(), make()
        watcher = Watcher(mine)
        for number in range(1_800):
            other.set(f"k{number % 450}", number)
        watcher.wait_for(lambda: len(watcher.changes) == 1_800)
        stamps = [change.stamp for change in watcher.changes]
        assert stamps == sorted(stamps)
        assert [change.prev for change in watcher.changes[1:]] == stamps[:-1]
        assert len(watcher.holes) == 1

    def test_a_step_says_whether_it_read_all(self, make):
        backend = make()
        (part,) = backend._parts(backend.stored_key(""))
        began = run(backend._follow(BLOCKING, {part: None}, 0.0))[part].at
        for number in range(700):
            backend.set(f"k{number}", number)
        first = run(backend._follow(BLOCKING, {part: began}, 0.0))[part]
        second = run(backend._follow(BLOCKING, {part: first.at}, 0.0))[part]
        third = run(backend._follow(BLOCKING, {part: second.at}, 0.0))[part]
        steps = (first, second, third)
        assert [(len(step.changes), step.is_all) for step in steps] == [(500, False), (200, True), (0, True)]

    def test_a_counter_fills_no_log(self, make, raw):
        backend = make()
        own = Parts().of(backend.stored_key(""))[0]
        backend.incr("n")
        assert raw.xlen(own.log) == 1
        assert [backend.incr("n") for _ in range(5)] == [2, 3, 4, 5, 6]
        assert raw.xlen(own.log) == 1
        run(backend.claim(BLOCKING, "n", LONG, anew=True))
        backend.incr("n")
        assert raw.xlen(own.log) == 2

    @pytest.mark.parametrize("lost", ["log", "part of the log", "notebook", "table", "all"])
    def test_a_loss_is_a_hole(self, make, raw, lost):
        mine, other = make(), make()
        other.set("a", 1)
        own = Parts().of(mine.stored_key(""))[0]
        (part,) = mine._parts(mine.stored_key(""))
        began = run(mine._follow(BLOCKING, {part: None}, 0.0))[part].at
        other.set("b", 1)
        other.set("c", 1)
        match lost:
            case "log":
                raw.delete(own.log)
            case "part of the log":
                raw.xtrim(own.log, maxlen=1, approximate=False)
            case "notebook":
                raw.delete(own.notebook)
            case "all":
                raw.delete(*own.own)
        step = run(mine._follow(BLOCKING, {part: began}, 0.0))[part]
        assert isinstance(step, Batch if lost == "table" else Hole)
        other.set("d", 1)
        assert isinstance(run(mine._follow(BLOCKING, {part: step.at}, 0.0))[part], Batch)

    def test_data_of_another_process_is_adopted_before_it_is_followed(self, make, raw):
        backend = make()
        backend.set("a", 1)
        own = Parts().of(backend.stored_key(""))[0]
        (part,) = backend._parts(backend.stored_key(""))
        began = run(backend._follow(BLOCKING, {part: None}, 0.0))[part].at
        raw.setrange(own.notebook, 51, "another.")
        step = run(backend._follow(BLOCKING, {part: began}, 0.0))[part]
        assert isinstance(step, Hole)
        assert step.at.position > began.position
        assert step.at.view == began.view

    def test_reading_goes_on_after_an_outage(self, fresh_redis, make):
        mine, other = make(fresh_redis.url), make(fresh_redis.url)
        watcher = Watcher(mine)
        fresh_redis.restart()
        wait_until(lambda: other.set("a", 1), "it is in use again")
        watcher.wait_for(lambda: len(watcher.holes) > 1 or watcher.changes)
        other.set("b", 1)
        watcher.wait_for(lambda: (mine.stored_key("b"),) in [change.what for change in watcher.changes])

    def test_it_ends_with_the_backend_and_begins_again(self, make, raw):
        mine, other = make(options={"client_name": "follows"}), make()
        watcher = Watcher(mine)
        mine.close()
        wait_until(lambda: not [one for one in raw.client_list() if one["name"] == "follows"], "it has ended")
        mine.follower.go_on()
        watcher.wait_for(lambda: len(watcher.holes) == 2)
        other.set("a", 1)
        watcher.wait_for(lambda: watcher.changes)

    @pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
    def test_who_comes_just_as_it_ends_is_read_for(self, make, monkeypatch):
        mine = make()
        follower, namespace, ends = mine.follower, mine.stored_key(""), []
        monkeypatch.setattr("asynccache.backends.follower._LINGER", 0.0)
        has_ended = follower._has_ended

        def watched_at_the_end(reader):
            ended = has_ended(reader)
            if ended and not ends:
                ends.append(follower.watch(namespace, lambda step: None))
            return ended

        monkeypatch.setattr(follower, "_has_ended", watched_at_the_end)
        with follower.waiting(mine.stored_key("k"), lambda: None):
            pass
        reader = follower._readers[namespace]
        wait_until(lambda: ends and reader.places, "it reads again")
        assert reader.is_running
        ends[0]()

    def test_a_forked_child_reads_for_itself(self, make):
        mine = make()
        watcher = Watcher(mine)
        child = get_context("fork").Process(target=follow_alone, args=(mine, watcher))
        child.start()
        child.join()
        assert child.exitcode == 0
        mine.set("c", 1)
        watcher.wait_for(lambda: watcher.changes[-1:] and watcher.changes[-1].what == (mine.stored_key("c"),))


def follow_alone(mine, watcher):
    watcher.steps.clear()
    mine.follower.go_on()
    watcher.wait_for(lambda: watcher.holes)
    mine.set("b", 1)
    watcher.wait_for(lambda: watcher.changes)
    mine.close()


ENDS = {
    "land": lambda cache, ticket: cache.land(BLOCKING, "k", "v", 60.0, ticket),
    "landing of nothing": lambda cache, ticket: cache.land(BLOCKING, "k", None, None, ticket),
    "release": lambda cache, ticket: cache.release(BLOCKING, ticket),
    "remove": lambda cache, _: cache.remove(BLOCKING, "k"),
    "write": lambda cache, _: cache.write(BLOCKING, "k", "v", 60.0),
    "bump": lambda cache, _: cache.bump(BLOCKING, "k", 1),
}


class TestWaiting:
    @pytest.mark.parametrize("end", ENDS)
    async def test_who_waits_is_woken_when_the_load_is_over(self, pair, end):
        mine, other = pair
        lead = run(other.claim(BLOCKING, "k", LONG))
        held = await mine.claim(LOOP, "k", LONG)
        assert isinstance(held, Held)
        waiting = [
            *[asyncio.create_task(mine.attend(LOOP, "k", held.seconds)) for _ in range(3)],
            asyncio.create_task(asyncio.to_thread(lambda: run(mine.attend(BLOCKING, "k", held.seconds)))),
        ]
        await asyncio.sleep(0.3)
        assert [task.done() for task in waiting] == [False] * 4
        await asyncio.to_thread(run, ENDS[end](other, lead.ticket))
        async with asyncio.timeout(SOON):
            await asyncio.gather(*waiting)
        await mine.aclose()

    async def test_an_end_that_came_before_is_not_slept_through(self, make):
        mine, other = make(), make()
        lead = await other.claim(LOOP, "k", LONG)
        assert isinstance(await mine.claim(LOOP, "k", LONG), Held)
        assert await other.land(LOOP, "k", "v", 60.0, lead.ticket) is True
        async with asyncio.timeout(SOON):
            await mine.attend(LOOP, "k", LONG)
        await mine.aclose()
        await other.aclose()

    async def test_the_next_one_s_load_is_waited_for_too(self, make):
        """Whose right nobody has marked when the first one ended."""
        mine, other = make(), make()
        await other.claim(LOOP, "k", 0.1)
        held = await mine.claim(LOOP, "k", LONG)
        await asyncio.sleep(held.seconds + 0.05)
        lead = await other.claim(LOOP, "k", LONG)
        assert isinstance(lead, Lead)
        waiting = asyncio.create_task(mine.attend(LOOP, "k", LONG))
        await asyncio.sleep(0.2)
        await other.land(LOOP, "k", "v", 60.0, lead.ticket)
        async with asyncio.timeout(SOON):
            await waiting
        await mine.aclose()
        await other.aclose()

    async def test_it_ends_with_the_right_and_with_patience(self, make):
        mine, other = make(), make()
        await other.claim(LOOP, "short", 0.2)
        await other.claim(LOOP, "long", LONG)
        async with asyncio.timeout(SOON):
            await mine.attend(LOOP, "short", LONG)
            await mine.attend(LOOP, "long", 0.2)
        await mine.aclose()
        await other.aclose()

    async def test_nobody_asks_again_and_again(self, make, raw, unique_prefix):
        mine, other = make(), make()
        await other.claim(LOOP, "k", LONG)
        waiting = [asyncio.create_task(mine.attend(LOOP, "k", LONG)) for _ in range(20)]
        await asyncio.sleep(0.5)
        asked = []
        watch = threading.Thread(target=listen, args=(raw, unique_prefix, asked))
        watch.start()
        await asyncio.to_thread(watch.join)
        assert {command.split()[0] for command in asked} <= {"MGET", "XREAD"}
        assert len(asked) <= 20
        for task in waiting:
            task.cancel()
        await asyncio.wait(waiting)
        assert mine.follower._readers[mine.stored_key("")].waiters == {}
        await mine.aclose()
        await other.aclose()

    async def test_a_server_that_goes_away_meanwhile_ends_no_sooner_and_no_later(self, fresh_redis, make):
        mine = make(fresh_redis.url, deadline=0.2)
        await mine.claim(LOOP, "k", LONG)
        waiting = asyncio.create_task(mine.attend(LOOP, "k", 1.0))
        await asyncio.sleep(0.3)
        fresh_redis.freeze()
        began = time.monotonic()
        async with asyncio.timeout(SOON):
            await asyncio.wait([waiting])
        assert time.monotonic() - began >= 0.5
        with pytest.raises(BackendUnavailableError):
            await mine.claim(LOOP, "k", LONG)
        await mine.aclose()

    async def test_nobody_waits_for_loads_on_a_server_that_is_known_to_be_down(self, fresh_redis, make):
        mine, other = make(fresh_redis.url), make(fresh_redis.url)
        await other.claim(LOOP, "k", LONG)
        await other.claim_lock(LOOP, "k", LONG)
        waiting = [
            asyncio.create_task(mine.attend(LOOP, "k", LONG)),
            asyncio.create_task(asyncio.to_thread(lambda: run(mine.attend(BLOCKING, "k", LONG)))),
        ]
        for_the_lock = asyncio.create_task(mine.attend_lock(LOOP, "k", LONG))
        await asyncio.sleep(0.3)
        await asyncio.to_thread(fresh_redis.kill)
        async with asyncio.timeout(SOON):
            await asyncio.gather(*waiting)
        assert not for_the_lock.done()
        for_the_lock.cancel()
        await asyncio.wait([for_the_lock])
        await mine.aclose()
        await other.aclose()

    @pytest.mark.timed
    async def test_whoever_waits_takes_over_soon_after_a_process_was_killed(self, redis_server, make):
        mine, lease = make(), 0.6
        command = [sys.executable, "-c", HOLDER, redis_server.url, mine.key_prefix, str(lease)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as holder:
            assert await asyncio.to_thread(holder.stdout.readline) == "holds\n"
            assert isinstance(await mine.claim(LOOP, "k", lease), Held)
            holder.kill()
            killed_at = time.monotonic()
            while isinstance(claimed := await mine.claim(LOOP, "k", lease), Held):
                await mine.attend(LOOP, "k", claimed.seconds)
        assert isinstance(claimed, Lead)
        assert time.monotonic() - killed_at <= lease + 0.1 * crowding()
        await mine.aclose()


HOLDER = """
import sys, time
from asynccache.backends.redis import RedisCacheBackend
from asynccache.plan.io import BLOCKING, run
url, prefix, lease = sys.argv[1], sys.argv[2], float(sys.argv[3])
cache = RedisCacheBackend(url, key_prefix=prefix, deadline=5)
ticket = run(cache.claim(BLOCKING, "k", lease)).ticket
print("holds", flush=True)
while run(cache.hold(BLOCKING, ticket, lease)):
    time.sleep(lease / 3)
"""


def listen(raw, prefix, asked):
    """Note what is asked for in one second."""
    with raw.monitor() as monitor:
        until = time.monotonic() + 1
        while time.monotonic() < until:
            command = monitor.next_command()["command"]
            if prefix in command:
                asked.append(command)


class TestReplicas:
    def test_a_replica_that_is_behind_what_was_written_is_not_believed(self, launch, make):
        servers = launch(RedisReplicaSet(1))
        url = f"redis://{servers.leader.address},{servers.replicas[0].address}"
        backend, other = make(url), make(servers.leader.url)
        other.set_many({"b": 1, "t": 1})
        wait_until(servers.is_in_sync, "the replica has all")
        assert backend.get("b") == 1
        tell(servers.replicas[0], "REPLICAOF", "127.0.0.1", 1)
        other.set("b", 2)
        assert backend.get("b") == 1
        backend.set("a", 1)
        assert backend.get_many(["b", "t"]) == {"b": 2, "t": 1}


class TestPartsAway:
    async def test_the_parts_of_other_masters_are_followed_while_one_is_away(self, fresh_redis_cluster, make):
        backend = make(fresh_redis_cluster.url, deadline=0.3)
        places = dict.fromkeys(backend._parts(backend.stored_key("")))
        assert len(await backend._follow(LOOP, places, 0.0)) == 16
        for node in (fresh_redis_cluster.nodes[0], fresh_redis_cluster.replica_of(fresh_redis_cluster.nodes[0])):
            await asyncio.to_thread(node.kill)
        assert 4 <= len(await backend._follow(LOOP, places, 0.0)) < 16
        for node in fresh_redis_cluster.nodes:
            node.kill()
        with pytest.raises(BackendUnavailableError):
            await backend._follow(LOOP, places, 0.0)
        await backend.aclose()

    def test_who_may_not_write_hears_that_nothing_can_be_followed(self, launch, make):
        server = launch(
            Redis(acl=["user default on nopass ~* &* +@all", "user app on nopass ~* &* +@read +info +time"])
        )
        backend = make(f"redis://app@{server.address}")
        (part,) = backend._parts(backend.stored_key(""))
        with pytest.raises(BackendUnavailableError, match="NOPERM"):
            run(backend._follow(BLOCKING, {part: None}, 0.0))
