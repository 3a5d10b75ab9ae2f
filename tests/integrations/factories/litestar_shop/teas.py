from itertools import count

from litestar import get

from asynccache import Cache

calls = count(1)


@get("/teas")
@Cache(ttl=60)
async def index() -> list[str | int]:
    return ["teas", next(calls)]
