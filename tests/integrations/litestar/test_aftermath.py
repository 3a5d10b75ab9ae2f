"""What is left of a request when it has been answered."""

from litestar import Litestar, Request, get
from litestar.exceptions import NotFoundException
from litestar.response import Stream

from asynccache import Cache, CacheModule
from asynccache.http.mark import is_busy
from asynccache.integrations.litestar import CachePlugin
from tests.http.aftermath import assert_nothing_is_left


async def test_nothing_of_a_request_is_left():
    @get("/stored")
    @Cache(60)
    async def stored(request: Request) -> str:
        return request.headers.get("x-a")

    @get("/refused")
    @Cache(60)
    async def refused(request: Request) -> dict[str, str]:
        return request.cookies

    @get("/raises")
    @Cache(60)
    async def raises(request: Request) -> str:
        raise NotFoundException(request.headers.get("x-a"))

    @get("/stream")
    @Cache(60)
    async def stream(request: Request) -> Stream:
        async def late():
            yield request.headers.get("x-a")

        return Stream(late())

    app = Litestar([stored, refused, raises, stream], plugins=[CachePlugin(CacheModule.setup(default="local"))])
    await assert_nothing_is_left(app, ["/stored", "/refused", "/raises", "/stream", "/nowhere"])
    assert not is_busy()
