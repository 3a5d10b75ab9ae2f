"""What is left of a request when it has been answered: nothing, not even for the garbage collector."""

import asyncio
import gc
import weakref

from tests.http.serving import scope_of


class Client:
    """Asks once, and goes when it has the answer."""

    def __init__(self):
        self.messages = []
        self.gone = asyncio.Event()
        self.has_asked = False

    async def receive(self):
        if not self.has_asked:
            self.has_asked = True
            return {"type": "http.request", "body": b""}
        await self.gone.wait()
        return {"type": "http.disconnect"}

    async def send(self, message):
        self.messages.append(message)
        if message["type"] == "http.response.body" and not message.get("more_body", False):
            self.gone.set()


async def left_of_request(app, path):
    """Ask, and tell what is other than before in the scope; and whether the client is still held by anybody."""
    client, scope = Client(), scope_of(path, headers=[(b"cookie", b"who=me"), (b"x-a", b"1")], session={})
    before = {key: scope[key] for key in ("headers", "client", "session")}
    try:
        await app(scope, client.receive, client.send)
    except ValueError:
        assert path == "/fails"
    changed = [key for key, value in before.items() if scope[key] != value or type(scope[key]) is not type(value)]
    changed += [name for name, _ in scope["headers"] if type(name) is not bytes]
    assert client.messages
    known = weakref.ref(client)
    del client, scope
    await asyncio.sleep(0)
    return changed, known() is not None


async def assert_nothing_is_left(app, paths):
    """Ask several times for each, so that there are hits, misses and what never is cached."""
    gc.collect()
    gc.disable()
    try:
        for path in paths:
            for _ in range(3):
                assert await left_of_request(app, path) == ([], False), path
    finally:
        gc.enable()
