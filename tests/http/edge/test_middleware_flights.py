"""Many ask at once: one goes to the app, the others wait for it, and whoever goes away disturbs nobody (rule 49)."""

import asyncio

import pytest

from asynccache import CacheMiddleware, CacheService
from asynccache.backends.callable_cache import CallableCacheBackend
from asynccache.backends.redis import RedisCacheBackend
from asynccache.http import following
from asynccache.http.edge import memory
from tests.http.edge.origins import FRESH, Edge, Held, Origin, lines, part, settle, start, whole
from tests.http.serving import ask


def flights(edge):
    return edge.app._home.found({})[0].flights


async def answers(*tasks):
    return await asyncio.gather(*tasks)


async def test_a_hundred_ask_and_one_goes_on():
    edge = Held()
    tasks = await edge.asked(100)
    edge.go.set()
    got = await answers(*tasks)
    assert (edge.calls, {answer.body for answer in got}) == (1, {b"1"})
    assert [answer.cache for answer in got].count("fwd=uri-miss; stored") == 1
    assert [answer.cache for answer in got].count("fwd=uri-miss; collapsed") == 99
    assert len(flights(edge)) == 0


async def test_those_who_wait_get_what_fits_their_condition():
    edge = Held(None, FRESH, (b"etag", b'"a"'))
    (leader,) = await edge.asked(1)
    (follower,) = await edge.asked(1, headers=lines(if_none_match='"a"'))
    edge.go.set()
    assert [answer.status for answer in await answers(leader, follower)] == [200, 304]


async def test_a_leader_that_is_cancelled_hands_over():
    edge = Held()
    leader, *others = await edge.asked(5)
    leader.cancel()
    await settle()
    assert (edge.calls, edge.origin.running) == (2, 1)
    edge.go.set()
    assert {answer.body for answer in await answers(*others)} == {b"2"}
    with pytest.raises(asyncio.CancelledError):
        await leader


async def test_a_leader_whose_client_is_gone_hands_over():
    edge = Held(lambda scope, number: [start(FRESH), part(b"a", more=True), part(b"%d" % number)])

    async def send(message):
        raise OSError("gone")

    (leader,) = await edge.asked(1, send=send)
    others = await edge.asked(3)
    edge.go.set()
    got = await asyncio.gather(leader, *others, return_exceptions=True)
    assert isinstance(got[0], OSError)
    assert {answer.body for answer in got[1:]} == {b"a2"}


async def test_where_an_app_stops_for_a_client_that_left_one_of_the_others_takes_over():
    edge = Held(lambda _, number: [start(FRESH), part(b"a", more=True), *[part(b"%d" % number)] * (number > 1)])
    leader, *others = await edge.asked(4)
    edge.go.set()
    assert (await leader).body == b"a"
    assert {answer.body for answer in await answers(*others)} == {b"a2"}
    edge.clock.advance(61)
    edge.go.clear()
    tasks = await edge.asked(4)
    assert edge.origin.running == 1
    edge.go.set()
    await answers(*tasks)


async def test_when_all_go_away_nothing_is_left():
    edge = Held()
    tasks = await edge.asked(5)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert len(flights(edge)) == 0
    edge.go.set()
    assert (await edge.ask()).body.isdigit()


async def test_a_follower_that_is_cancelled_disturbs_nobody():
    edge = Held()
    tasks = await edge.asked(5)
    tasks[2].cancel()
    edge.go.set()
    got = await asyncio.gather(*tasks, return_exceptions=True)
    assert sum(getattr(answer, "body", None) == b"1" for answer in got) == 4


@pytest.mark.parametrize("control", [b"no-store", b"private", b"max-age=0", b"no-cache"])
async def test_an_answer_that_is_not_storable_lets_all_go_on_at_its_head(control):
    body = asyncio.Event()
    edge = Held(lambda *_: [start((b"cache-control", control)), body.wait, part(b"x")])
    tasks = await edge.asked(20)
    assert edge.origin.running == 1
    edge.go.set()
    await settle()
    assert edge.origin.running == 20
    edge.go.clear()
    tasks += await edge.asked(20)
    assert edge.origin.running == 40
    edge.go.set()
    body.set()
    assert {answer.cache for answer in await answers(*tasks)} == {"fwd=uri-miss"}


async def test_what_becomes_storable_is_stored_and_waited_for_again():
    edge = Held(lambda scope, number: whole(b"%d" % number, FRESH if number > 1 else (b"cache-control", b"no-store")))
    edge.go.set()
    assert [(await edge.ask()).cache for _ in range(3)] == ["fwd=uri-miss", "fwd=uri-miss; stored", "hit; ttl=60"]
    edge.clock.advance(61)
    edge.go.clear()
    tasks = await edge.asked(5)
    edge.go.set()
    await answers(*tasks)
    assert edge.calls == 3


async def test_what_was_not_storable_is_forgotten_after_a_while(monkeypatch):
    monkeypatch.setattr(memory, "PASS_SECONDS", 0.0)
    edge = Held(None, (b"cache-control", b"no-store"))
    edge.go.set()
    await edge.ask()
    edge.go.clear()
    tasks = await edge.asked(3)
    assert edge.origin.running == 1
    edge.go.set()
    await answers(*tasks)


async def test_junk_does_not_grow_what_is_remembered(monkeypatch):
    monkeypatch.setattr(memory, "_REMEMBERED", 8)
    edge = Edge(None, (b"cache-control", b"no-store"))
    await edge.bodies(*[f"/{number}" for number in range(20)], "/" + "x" * 3000)
    assert [key[0][-3:] for key in edge.app._memory._refused] == [f"/{number}" for number in range(12, 20)]


async def test_a_failure_leaves_nothing_behind_and_each_asks_for_itself():
    edge = Held(lambda scope, number: [RuntimeError("boom")] if number < 3 else whole(b"%d" % number, FRESH))
    tasks = await edge.asked(3)
    edge.go.set()
    got = await asyncio.gather(*tasks, return_exceptions=True)
    assert [type(answer).__name__ for answer in got] == ["RuntimeError", "RuntimeError", "Answer"]
    assert await edge.is_stored()


async def test_server_errors_are_not_shared_and_not_remembered():
    edge = Held(lambda scope, number: whole(b"", status=503))
    tasks = await edge.asked(4)
    assert edge.origin.running == 1
    edge.go.set()
    edge.origin._reply = lambda scope, number: [again.wait, *whole(b"", status=503)]
    again = asyncio.Event()
    await settle()
    assert edge.origin.running == 3
    again.set()
    assert {answer.status for answer in await answers(*tasks)} == {503}
    again.clear()
    tasks = await edge.asked(4)
    assert edge.origin.running == 1
    again.set()
    await answers(*tasks)


async def test_what_is_to_be_validated_each_time_is_shared_with_nobody():
    edge = Held(None, (b"cache-control", b"no-cache"), (b"etag", b'"a"'))
    tasks = await edge.asked(4)
    edge.go.set()
    assert {answer.body for answer in await answers(*tasks)} == {b"1", b"2", b"3", b"4"}


async def test_other_variants_go_on_by_themselves_and_together():
    edge = Held(lambda scope, number: whole(dict(scope["headers"])[b"accept"], FRESH, (b"vary", b"accept")))
    kinds = [b"a", b"b", b"c", b"a", b"b", b"c"]
    gates = [asyncio.Event() for _ in range(4)]
    edge.origin._reply = lambda scope, number: [
        gates[number - 1].wait,
        *whole(dict(scope["headers"])[b"accept"], FRESH, (b"vary", b"accept")),
    ]
    tasks = [task for kind in kinds for task in await edge.asked(1, headers=[(b"accept", kind)])]
    assert edge.origin.running == 1
    gates[0].set()
    await settle()
    assert edge.origin.running == 2  # b and c, side by side
    gates[1].set()
    gates[2].set()
    assert [answer.body for answer in await answers(*tasks)] == kinds
    assert edge.calls == 3


async def test_validations_are_shared():
    def reply(scope, number):
        validates = any(name == b"if-none-match" for name, _ in scope["headers"])
        return whole(b"", FRESH, (b"etag", b'"a"'), status=304) if validates else whole(b"1", FRESH, (b"etag", b'"a"'))

    edge = Held(reply)
    edge.go.set()
    await edge.ask()
    edge.clock.advance(61)
    edge.go.clear()
    tasks = await edge.asked(10)
    edge.go.set()
    got = await answers(*tasks)
    assert ({(answer.status, answer.body) for answer in got}, edge.calls) == ({(200, b"1")}, 2)


@pytest.mark.parametrize(
    "options",
    [{"headers": lines(range="bytes=0-0")}, {"method": "HEAD"}, {"headers": lines(content_length=1)},
     {"headers": lines(cache_control="no-cache")}, {"headers": lines(authorization="a")}, {"method": "POST"}],
    ids=str,
)  # fmt: skip
async def test_requests_that_want_something_of_their_own_wait_for_nobody(options):
    edge = Held(profile="rfc9111")
    tasks = [*await edge.asked(1), *await edge.asked(1, **options)]
    assert edge.origin.running == 2
    edge.go.set()
    await answers(*tasks)


async def test_those_who_want_parts_share_what_is_fetched_whole():
    edge = Held(lambda *_: whole(b"0123", FRESH), whole_ranges=True)
    wanted = [lines(range="bytes=0-1"), lines(range="bytes=2-3"), []]
    tasks = [task for headers in wanted for task in await edge.asked(1, headers=headers)]
    edge.go.set()
    assert [answer.body for answer in await answers(*tasks)] == [b"01", b"23", b"0123"]
    assert edge.calls == 1


async def test_visitors_with_cookies_share_what_is_for_all_once_that_is_known():
    edge = Held(None, (b"cache-control", b"public, max-age=60"))
    cookie = {"headers": lines(cookie="a=1")}
    tasks = await edge.asked(3, **cookie)
    assert edge.origin.running == 3
    edge.go.set()
    await answers(*tasks)
    edge.clock.advance(61)
    edge.go.clear()
    tasks = await edge.asked(3, **cookie)
    assert edge.origin.running == 1
    edge.go.set()
    await answers(*tasks)


async def test_a_page_that_asks_for_itself_in_process_just_runs():
    async def app(scope, receive, send):
        depth = dict(scope["headers"]).get(b"x-depth", b"0")
        inner = b"" if depth == b"1" else (await edge.ask(headers=[(b"x-depth", b"1")])).body
        for message in whole(b"<%b>" % inner, FRESH):
            await send(message)

    edge = Edge()
    edge.app = CacheMiddleware(app, edge.backend)
    assert (await asyncio.wait_for(edge.ask(), 5)).body == b"<<>>"


async def test_a_slow_stream_holds_up_nobody_for_long(monkeypatch):
    monkeypatch.setattr(following, "SENDING_SECONDS", 0.02)
    go = asyncio.Event()
    edge = Edge(lambda *_: [start(FRESH), part(b"a", more=True), go.wait, part(b"b")])
    leader = asyncio.create_task(edge.ask())
    await settle()
    follower = asyncio.create_task(edge.ask())
    while edge.calls < 2:
        await asyncio.sleep(0.01)
    go.set()
    assert [answer.body for answer in await answers(leader, follower)] == [b"ab", b"ab"]


INVALIDATIONS = {
    "url": lambda edge: edge.app._home.found({})[0].invalidate_url_async("http://h/"),
    "group": lambda edge: edge.app._home.found({})[0].invalidate_tags_async("group:http://h:red"),
    "clear": lambda edge: edge.app._home.found({})[0].clear_async(),
    "write": lambda edge: edge.ask(method="PUT"),
}


@pytest.mark.parametrize("invalidate", INVALIDATIONS.values(), ids=INVALIDATIONS)
@pytest.mark.parametrize("fields", [(), ((b"vary", b"accept"),)], ids=["plain", "vary"])
async def test_what_is_invalidated_while_it_is_made_is_not_stored(invalidate, fields):
    go = asyncio.Event()

    def reply(scope, number):
        waits = [go.wait] if scope["method"] == "GET" and number == 1 else []
        return [*waits, *whole(b"%d" % number, FRESH, (b"cache-groups", b'"red"'), *fields)]

    edge = Edge(reply)
    first = asyncio.create_task(edge.ask())
    await settle()
    await invalidate(edge)
    go.set()
    assert (await first).cache == "fwd=uri-miss"
    assert (await edge.ask()).cache == "fwd=uri-miss; stored"


@pytest.mark.parametrize("invalidate", INVALIDATIONS.values(), ids=INVALIDATIONS)
async def test_what_is_invalidated_while_it_is_renewed_behind_is_not_stored(invalidate):
    go = asyncio.Event()
    control = (b"cache-control", b"max-age=60, stale-while-revalidate=60")

    def reply(scope, number):
        waits = [go.wait] if scope["method"] == "GET" and number == 2 else []
        return [*waits, *whole(b"%d" % number, control, (b"cache-groups", b'"red"'), (b"etag", b'"%d"' % number))]

    edge = Edge(reply)
    await edge.ask()
    edge.clock.advance(61)
    assert (await edge.ask()).cache == "hit; ttl=-1"
    await settle()
    await invalidate(edge)
    go.set()
    await settle()
    assert (await edge.ask()).cache == "fwd=uri-miss; stored"


async def test_a_later_caller_does_not_get_what_is_older_than_an_invalidation():
    edge = Held()
    tasks = await edge.asked(1)
    await edge.app._home.found({})[0].invalidate_url_async("http://h/")
    tasks += await edge.asked(1)
    edge.go.set()
    assert [answer.body for answer in await answers(*tasks)] == [b"1", b"2"]


async def test_a_later_caller_does_not_get_what_another_process_has_invalidated():
    edge = Held()
    tasks = await edge.asked(1)
    edge.backend.delete("edge GET http://h/")  # as other processes do: no flight of this one hears of it
    tasks += await edge.asked(1)
    edge.go.set()
    assert [answer.body for answer in await answers(*tasks)] == [b"1", b"2"]


async def test_processes_that_share_a_store_go_to_the_app_once(redis_server, unique_prefix):
    go = asyncio.Event()
    origin = Origin(lambda scope, number: [go.wait, *whole(b"%d" % number, FRESH, (b"vary", b"accept"))])
    services = [CacheService(default=RedisCacheBackend(redis_server.url, key_prefix=unique_prefix)) for _ in range(3)]
    edges = [CacheMiddleware(origin, service) for service in services]
    tasks = [asyncio.create_task(ask(edge)) for edge in edges for _ in range(3)]
    while not origin.calls:
        await asyncio.sleep(0.01)
    await asyncio.sleep(0.05)
    go.set()
    assert ({answer.body for answer in await answers(*tasks)}, len(origin.calls)) == ({b"1"}, 1)
    tasks[0].cancel()
    for service in services:
        await service.aclose()


ALONE = {
    "a login": lines(authorization="Bearer 1"),
    "a part": lines(range="bytes=0-0"),
    "a directive": lines(cache_control="max-age=0"),
}


def unfenced():
    kept = {}
    return CallableCacheBackend(kept.get, kept.__setitem__, kept.__delitem__)


@pytest.mark.parametrize("headers", ALONE.values(), ids=ALONE)
async def test_what_nobody_waits_for_is_not_stored_past_an_invalidation_without_fences(headers):
    edge = Held(None, (b"cache-control", b"public, max-age=60"), backend=unfenced(), profile="rfc9111")
    tasks = await edge.asked(2, headers=headers)
    while edge.calls < 2:  # its functions run in threads
        await asyncio.sleep(0.001)
    await edge.app._home.found({})[0].invalidate_url_async("http://h/")
    edge.go.set()
    await answers(*tasks)
    assert (await edge.ask()).body == b"3"
    assert flights(edge).is_idle


@pytest.mark.parametrize("headers", ALONE.values(), ids=ALONE)
async def test_what_nobody_waits_for_is_stored_without_fences_too(headers):
    edge = Held(None, (b"cache-control", b"public, max-age=60"), backend=unfenced(), profile="rfc9111")
    edge.go.set()
    await edge.ask(headers=headers)
    assert (await edge.ask()).body == b"1"
