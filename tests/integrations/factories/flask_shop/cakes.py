from itertools import count

from flask import Blueprint

from asynccache import Cache

calls = count(1)
blueprint = Blueprint("cakes", __name__, url_prefix="/cakes")


@blueprint.get("/")
@Cache(ttl=60)
def index():
    return ["cakes", next(calls)]
