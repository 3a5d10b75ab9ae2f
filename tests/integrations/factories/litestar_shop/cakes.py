from itertools import count

from litestar import get

from asynccache import Cache

calls = count(1)


@get("/cakes")
@Cache(ttl=60)
def index() -> list[str | int]:
    return ["cakes", next(calls)]
