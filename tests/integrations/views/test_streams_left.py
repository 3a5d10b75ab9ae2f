"""Clients that leave a stream: nothing of it is stored, and those who come later are not kept waiting."""

import asyncio

from asynccache import Cache
from tests.http.serving import ask, is_hit


def give_stream(site):
    """Give a site a view that streams, and tell how often it was called."""
    calls = []

    def parts():
        yield "a"
        yield "b"

    @site.app.get("/")
    @Cache(60)
    def view():
        calls.append(1)
        return site.web.Response(parts())

    return calls


async def test_a_stream_that_nobody_reads_to_its_end_is_made_anew(site):
    calls = give_stream(site)
    if site.framework == "flask":
        await asyncio.to_thread(leave_flask, site.app.test_client())
    else:
        await leave_quart(site.app)
    answers = [await asyncio.wait_for(site.ask(), 5) for _ in range(2)]
    assert [answer.text for answer in answers] == ["ab", "ab"]
    assert is_hit(answers[1])
    assert len(calls) == (3 if site.framework == "flask" else 2)  # those that left, and one more


def leave_flask(client):
    for read in (0, 1):
        response = client.get("/")
        for _ in range(read):
            next(response.iter_encoded())
        response.close()


async def leave_quart(app):
    begun = asyncio.Event()

    async def stall(message):
        if message.get("body"):
            begun.set()
            await asyncio.Event().wait()

    leaver = asyncio.create_task(ask(app, send=stall, headers=[(b"host", b"localhost")]))
    await begun.wait()
    leaver.cancel()
    await asyncio.gather(leaver, return_exceptions=True)
