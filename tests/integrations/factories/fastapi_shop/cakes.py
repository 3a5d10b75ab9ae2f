from itertools import count

from fastapi import APIRouter

from asynccache import Cache

calls = count(1)
router = APIRouter(prefix="/cakes")


@router.get("/")
@Cache(ttl=60)
def index():
    return ["cakes", next(calls)]
