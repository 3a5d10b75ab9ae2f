"""What comes after the answer: tasks that read the request, and then nothing that is left of it."""

from fastapi import BackgroundTasks, FastAPI, HTTPException, Request
from fastapi.responses import StreamingResponse
from fastapi.testclient import TestClient

from asynccache import Cache, CacheModule, install
from asynccache.http.mark import is_busy
from tests.http.aftermath import assert_nothing_is_left


def test_tasks_read_the_request_as_it_was():
    app, found = FastAPI(), []

    def note(request):
        found.extend(
            (each.cookies["who"], each.headers["x-a"], each.client.host, each.scope["headers"][-1])
            for each in (request, Request(request.scope))
        )

    @app.get("/{page}")
    @Cache(60)
    async def handler(page: str, request: Request, tasks: BackgroundTasks):
        tasks.add_task(note, request)
        return page if page == "stored" else request.cookies

    install(app, CacheModule.setup(default="local"))
    client = TestClient(app)
    for page in ("stored", "refused"):
        assert client.get(f"/{page}", headers={"cookie": "who=me", "x-a": "1"}).status_code == 200
    assert found == [("me", "1", "testclient", (b"x-a", b"1"))] * 4


async def test_nothing_of_a_request_is_left():
    app = FastAPI()

    @app.get("/stored")
    @Cache(60)
    async def stored(request: Request):
        return request.headers.get("x-a")

    @app.get("/refused")
    @Cache(60)
    async def refused(request: Request):
        return request.cookies

    @app.get("/plain")
    async def plain(request: Request):
        return dict(request.headers)

    @app.get("/raises")
    @Cache(60)
    async def raises(request: Request):
        raise HTTPException(404, request.headers.get("x-a"))

    @app.get("/fails")
    @Cache(60)
    async def fails(request: Request):
        raise ValueError(request.headers.get("x-a"))

    @app.get("/stream")
    @Cache(60)
    async def stream(request: Request):
        async def late():
            yield request.headers.get("x-a")

        return StreamingResponse(late())

    install(app, CacheModule.setup(default="local"))
    await assert_nothing_is_left(app, ["/stored", "/refused", "/plain", "/raises", "/fails", "/stream", "/nowhere"])
    assert not is_busy()
