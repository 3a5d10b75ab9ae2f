"""What is no request of HTTP passes (rule 48); opening and closing; trio."""

import pytest
import trio
from starlette.applications import Starlette
from starlette.routing import WebSocketRoute
from starlette.testclient import TestClient

from asynccache import CacheMiddleware, CacheModule, CacheService, install
from asynccache.backends.local_cache import LocalMemCacheBackend
from asynccache.errors import BackendUnavailableError, ConfigurationError, UnknownBackendError
from tests.http.edge.origins import FRESH, Edge, Origin, lines, part, start, whole
from tests.http.serving import ask


class Noting(LocalMemCacheBackend):
    """A backend that notes what becomes of it."""

    def __init__(self):
        super().__init__()
        self.noted = []

    async def open(self, io):
        self.noted.append("open")

    async def shut(self, io):
        self.noted.append("shut")


def test_websockets_pass():
    async def echo(websocket):
        await websocket.accept()
        await websocket.send_text(await websocket.receive_text())
        await websocket.close()

    app = CacheMiddleware(Starlette(routes=[WebSocketRoute("/", echo)]), "local")
    with TestClient(app).websocket_connect("/") as websocket:
        websocket.send_text("x")
        assert websocket.receive_text() == "x"


async def lifespan(app, sent=None):
    """Let a lifespan go by; give what was sent."""
    asked = iter(["lifespan.startup", "lifespan.shutdown"])
    sent = [] if sent is None else sent

    async def receive():
        return {"type": next(asked)}

    async def send(message):
        sent.append(message["type"])

    await app({"type": "lifespan", "state": {}}, receive, send)
    return sent


@pytest.mark.parametrize(("given", "noted"), [(lambda backend: backend, ["open", "shut"]),
                                             (lambda backend: CacheService(default=backend), [])])  # fmt: skip
async def test_only_a_service_of_its_own_lives_with_the_app(given, noted):
    backend = Noting()
    app = CacheMiddleware(Starlette(), given(backend))
    assert await lifespan(app) == ["lifespan.startup.complete", "lifespan.shutdown.complete"]
    assert backend.noted == noted


async def test_an_app_without_lifespan_or_one_that_fails_closes_what_was_opened():
    async def failing(scope, receive, send):
        raise RuntimeError("no lifespan")

    backend = Noting()
    with pytest.raises(RuntimeError, match="no lifespan"):
        await lifespan(CacheMiddleware(failing, backend))
    assert backend.noted == ["open", "shut"]


async def test_an_app_without_a_cache_does_not_start():
    sent = []
    with pytest.raises(ConfigurationError, match="nowhere to store"):
        await lifespan(CacheMiddleware(Starlette()), sent)
    app = Starlette()
    install(app, CacheModule.setup(default="local"))
    assert await lifespan(CacheMiddleware(app)) == ["lifespan.startup.complete", "lifespan.shutdown.complete"]
    with pytest.raises(UnknownBackendError, match="'pages'"):
        await lifespan(CacheMiddleware(app, backend="pages"), sent)
    assert sent == ["lifespan.startup.failed"] * 2


def test_a_test_client_is_told_that_an_app_does_not_start():
    app = Starlette()
    app.add_middleware(CacheMiddleware)
    with pytest.raises(ConfigurationError, match="nowhere to store"), TestClient(app):
        pass


async def test_an_app_starts_where_its_store_is_away(caplog):
    class Away(LocalMemCacheBackend):
        async def open(self, io):
            raise BackendUnavailableError("away")

    app = CacheMiddleware(Starlette(), Away())
    assert await lifespan(app) == ["lifespan.startup.complete", "lifespan.shutdown.complete"]
    assert "is not ready: the app starts without it" in caplog.text


def test_trio_gets_the_same():
    control = (b"cache-control", b"max-age=60, stale-while-revalidate=60")
    go, stopped = trio.Event(), trio.Event

    async def main():
        edge = Edge(lambda scope, number: [go.wait, *whole(b"%d" % number, control, (b"etag", b'"a"'))])
        answers = []

        async def asked(**options):
            answers.append(await ask(edge.app, gone=stopped(), **options))

        async with trio.open_nursery() as nursery:
            for _ in range(3):
                nursery.start_soon(asked)
            await trio.testing.wait_all_tasks_blocked()
            assert edge.calls == 1
            go.set()
        assert {answer.body for answer in answers} == {b"1"}
        await asked(headers=lines(if_none_match='"a"'))
        assert answers.pop().status == 304
        edge.clock.advance(61)
        await asked()
        await trio.testing.wait_all_tasks_blocked()
        await asked()
        assert [answer.body for answer in answers[-2:]] == [b"1", b"2"]
        await asked(method="POST")
        await asked()
        assert answers[-1].body == b"4"
        await edge.app._home.found({})[0].aclose()

    trio.run(main)


def test_trio_leaders_that_are_cancelled_hand_over():
    async def main():
        go = trio.Event()
        edge = Edge(lambda scope, number: [start(FRESH), part(b"a", more=True), go.wait, part(b"%d" % number)])
        bodies = []

        async def asked():
            bodies.append((await ask(edge.app, gone=trio.Event())).body)

        async def lead():
            with leading:
                await asked()

        leading = trio.CancelScope()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(lead)
            await trio.testing.wait_all_tasks_blocked()
            nursery.start_soon(asked)
            await trio.testing.wait_all_tasks_blocked()
            leading.cancel()
            await trio.testing.wait_all_tasks_blocked()
            go.set()
        assert bodies == [b"a2"]

    trio.run(main)


async def test_a_middleware_of_a_mounted_app_uses_its_root_path_as_it_is():
    origin = Origin(lambda scope, number: whole(b"%d" % number, FRESH))
    app = Starlette()
    app.mount("/sub", CacheMiddleware(origin, "local"))
    assert [(await ask(app, path)).body for path in ("/sub/a", "/sub/b", "/sub/a")] == [b"1", b"2", b"1"]
