from itertools import count

from flask import Blueprint

from asynccache import Cache

calls = count(1)
blueprint = Blueprint("teas", __name__, url_prefix="/teas")


@blueprint.get("/")
@Cache(ttl=60)
async def index():
    return ["teas", next(calls)]
