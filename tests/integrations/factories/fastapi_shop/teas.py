from itertools import count

from fastapi import APIRouter

from asynccache import Cache

calls = count(1)
router = APIRouter(prefix="/teas")


@router.get("/")
@Cache(ttl=60)
async def index():
    return ["teas", next(calls)]
