"""What fails, is cut, or is one client's error reaches that client as it was, and nobody else (A10)."""

import asyncio

import pytest

from tests.http.proofs.failures import ALWAYS, NEVER, UNSEEN, all_vectors, refused
from tests.http.proofs.messages import shown
from tests.http.proofs.systems import DECORATED, full_edge, safe_edge
from tests.http.serving import Answer, ask_in, scope_of

VECTORS = all_vectors()
LOST = {b"etag", b"date", b"transfer-encoding", b"cache-control"}  # or some have come
INTERIM = {"start", "body", "early_hint"}


def test_there_are_enough_of_them():
    assert len([vector for vector in VECTORS if vector.kept == NEVER]) >= 40


async def asked(app, vector, *, quits=None):
    """Ask, and give what was seen and what was raised; a client may quit at a message."""
    answer = Answer()

    async def send(message):
        answer.messages.append(message)
        if quits is not None and len(answer.messages) > quits:
            raise asyncio.CancelledError if vector.cancels else OSError("the client is gone")

    error = None
    try:
        await asyncio.wait_for(ask_in(app, scope_of("/a", method=vector.method), send=send), 5)
    except BaseException as raised:
        error = type(raised)
    return seen(answer), error


def seen(answer):
    """Give what a client made of it; what is about one connection only may be lost."""
    starts = [message for message in shown(answer) if message["type"] == "http.response.start"]
    heads = [(start["status"], sorted(kept(start.get("headers", ())))) for start in starts]
    others = [message["type"] for message in answer.messages if message["type"].rpartition(".")[2] not in INTERIM]
    return heads, answer.body, others


def kept(headers):
    return [(name.lower(), value) for name, value in headers if name.lower() not in LOST]


def is_like(answered, bare, *, from_store):
    """Tell whether an answer is what the bare handler gives; of one that fails, nothing or an error may be left."""
    if from_store:
        return answered == (bare[0], None)  # what failed in the background did so once
    statuses = [status for status, _ in answered[0][0]]
    return answered == bare or ((bare[1] is not None or not bare[0][1]) and statuses in ([], [500]))


async def found_wrong(make, vector):
    """Tell what is wrong with two answers of this kind; nothing, most likely."""
    calls = []
    app, bare = make(vector.answering(calls)), await asked(make(vector.answering([]), enabled=False), vector)
    first = await asked(app, vector, quits=vector.quits)
    if vector.quits is None and not is_like(first, bare, from_store=False):
        return "the first answer"
    second = await asked(app, vector)
    if not is_like(second, bare, from_store=len(calls) == 1):
        return "the second answer"
    if vector.kept == NEVER and len(calls) != 2:
        return "it was stored"
    if vector.kept == ALWAYS and len(calls) != 1:
        return "it was not stored"
    return None


def by_default(answering, **options):
    """Make a `CacheMiddleware` that stores what says nothing of its freshness."""
    return safe_edge(answering, **{"default_ttl": 60} | options)


def as_told(answering, **options):
    """Make one that goes by what is said, and say it."""

    async def telling(request):
        app = await answering(request)

        async def told(scope, receive, send):
            async def add(message):
                if message["type"] == "http.response.start":
                    message["headers"] = [*message.get("headers", ()), (b"cache-control", b"max-age=60")]
                await send(message)

            await app(scope, receive, add)

        return told

    return full_edge(telling, **options)


COMPLETE = {vector.name for vector in refused()} | {UNSEEN}
SYSTEMS = {name: (make, set()) for name, make in DECORATED.items()}
SYSTEMS["safe"] = by_default, {UNSEEN}
SYSTEMS["rfc9111"] = as_told, COMPLETE  # which are stored where they say so (RFC 9111 3)


@pytest.mark.parametrize(("make", "others"), SYSTEMS.values(), ids=SYSTEMS)
async def test_no_failure_reaches_others_and_each_is_passed_on_as_it_was(make, others):
    vectors = [vector for vector in VECTORS if vector.name not in others]
    wrong = [(vector.name, why) for vector in vectors if (why := await found_wrong(make, vector))]
    assert wrong == []
