"""`@Cache` under trio: what asyncio's requests get, trio's get too."""

import pytest
import trio
import trio.testing
from starlette.responses import PlainTextResponse, StreamingResponse
from starlette.routing import Route
from starlette.testclient import TestClient

from asynccache import Cache, ICacheService, Inject, inject
from tests.http.serving import app_of, ask, is_hit


class Slow:
    """A handler that answers when it is let go."""

    def __init__(self):
        self.calls = 0
        self.go, self.started = trio.Event(), trio.Event()

        @Cache(60)
        async def handler(request):
            self.calls += 1
            self.started.set()
            await self.go.wait()
            return PlainTextResponse(f"call {self.calls}")

        self.app = app_of(handler)


async def collect(app, answers):
    answers.append(await ask(app, gone=trio.Event()))


def test_hits_streams_threads_and_injected_services():
    calls = []

    @Cache(60)
    async def page(request):
        calls.append("page")
        return PlainTextResponse("page")

    @Cache(60)
    def in_thread(request):
        calls.append("in thread")
        return PlainTextResponse("in thread")

    @Cache(60)
    async def stream(request):
        calls.append("stream")

        async def parts():
            for part in (b"a", b"b"):
                await trio.sleep(0)
                yield part

        return StreamingResponse(parts())

    @Cache(60)
    @inject
    async def counted(request, cache: Inject[ICacheService]):
        calls.append("counted")
        return PlainTextResponse(str(await cache.incr_async("visits")))

    handlers = {"page": page, "in thread": in_thread, "stream": stream, "counted": counted}
    app = app_of(*(Route(f"/{number}", handler) for number, handler in enumerate(handlers.values())))
    with TestClient(app, backend="trio") as client:
        for number in range(len(handlers)):
            first, second = client.get(f"/{number}"), client.get(f"/{number}")
            assert (first.content, is_hit(first), is_hit(second)) == (second.content, False, True)
    assert calls == list(handlers)


def test_a_crowd_waits_for_one():
    async def main():
        slow, answers = Slow(), []
        async with trio.open_nursery() as nursery:
            for _ in range(20):
                nursery.start_soon(collect, slow.app, answers)
            await trio.testing.wait_all_tasks_blocked()
            slow.go.set()
        assert [answer.body for answer in answers] == [b"call 1"] * 20
        assert slow.calls == 1

    trio.run(main)


@pytest.mark.parametrize("leaves", ["leader", "waiter"])
def test_whoever_goes_away_disturbs_nobody(leaves):
    async def main():
        slow, answers, scopes = Slow(), [], {"leader": trio.CancelScope(), "waiter": trio.CancelScope()}

        async def leaving(name):
            with scopes[name]:
                await collect(slow.app, answers)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(leaving, "leader")
            await slow.started.wait()
            nursery.start_soon(leaving, "waiter")
            nursery.start_soon(collect, slow.app, answers)
            await trio.testing.wait_all_tasks_blocked()
            scopes[leaves].cancel()
            await trio.testing.wait_all_tasks_blocked()
            slow.go.set()
        assert {answer.status for answer in answers} == {200}
        assert (len(answers), slow.calls) == (2, 2 if leaves == "leader" else 1)

    trio.run(main)
