"""Several clients of one URL at once, any of whom may leave at any moment; what answers may fail, stream, or be slow.

It is played on an event loop without a clock, in an order that a seed says (`tests.coherence.deterministic`), and on
trio.
"""

import asyncio

import anyio
from starlette.responses import StreamingResponse

from asynccache.errors import BackendUnavailableError
from tests.http.proofs.clients import Called, Client, Failed, Parts, current, idle, polling
from tests.http.proofs.messages import part, sending, start
from tests.http.serving import scope_of

PATIENCE = 60.0
"""Virtual seconds in which whoever stays is answered, though others wait for ever, or are slow."""
FRESH = [
    "max-age=600",
    "max-age=600",
    "max-age=0, stale-if-error=600",
    "max-age=0, stale-while-revalidate=600",
    "max-age=0",
]
KINDS = ["fine"] * 6 + ["streams"] * 3 + ["early", "late", "cut", "private", "500", "404"]


class Party:
    """All that happens with one seed; luck decides."""

    def __init__(self, luck):
        self.luck = luck
        self.calls: list[Called] = []
        self.clients: list[Client] = []
        self.barrier = self.changed = 0
        self.fresh = luck.choice(FRESH)
        self.varies, self.has_tags = luck.random() < 0.3, luck.random() < 0.5

    async def application(self, request):
        """Answer as luck will have it."""
        await idle(self.luck)
        if request.method == "POST":
            self.changed = len(self.calls)
            return sending(start(status=204), part())
        called = Called(len(self.calls) + 1, self.luck.choice(KINDS), current.get(None))
        if self.varies:
            called.variant = request.headers.get("x-a")
        called.body = b"%d:" % called.number + b"x" * self.luck.randint(0, 9)
        self.calls.append(called)
        await idle(self.luck)
        if called.kind == "early":
            raise Failed
        if called.client and called.client.leaves in {"hangs up", "is cancelled"} and self.luck.random() < 0.2:
            called.kind = "polls"
            return polling
        if (older := self.still_current(request)) and self.luck.random() < 0.7:
            older.confirmed = called.number
            called.kind = "confirms"
            return sending(start(*self.told(called), status=304), part())
        if called.kind == "streams":
            return StreamingResponse(Parts(called.body, self.luck), headers=dict(self.told(called, str)))
        return self.slowly(called)

    def still_current(self, request):
        """Find the call whose content is asked about, where nothing has changed since."""
        tag = request.headers.get("if-none-match") if self.has_tags else None
        older = self.calls[int(tag.strip('"')) - 1] if tag else None
        return older if older and older.number > self.changed else None

    def told(self, called, kind=str.encode):
        """Give what the header says of the reuse of this answer."""
        private = called.kind in {"private", "500", "404"}
        fields = [("cache-control", "private" if private else self.fresh)]
        if self.has_tags:
            fields.append(("etag", f'"{called.number}"'))
        if self.varies:
            fields.append(("vary", "x-a"))
        return [(kind(name), kind(value)) for name, value in fields]

    def slowly(self, called):
        length = len(called.body) + (called.kind == "cut")
        headers = [*self.told(called), (b"content-length", b"%d" % length)]
        if self.luck.random() < 0.3 and called.kind != "cut":
            headers.pop()
        status = {"500": 500, "404": 404}.get(called.kind, 200)

        async def app(scope, receive, send):
            await idle(self.luck)
            await send(start(*headers, status=status))
            middle = self.luck.randint(0, len(called.body))
            await idle(self.luck)
            await send(part(called.body[:middle], more=True))
            await idle(self.luck)
            if called.kind == "late":
                raise Failed
            await send(part(called.body[middle:]))

        return (
            app
            if called.kind == "late" or self.luck.random() < 0.7
            else sending(start(*headers, status=status), part(called.body))
        )

    async def ask(self, app, client):
        """Be one client, from when it comes to when it has its answer or is gone."""
        await idle(self.luck)
        client.barrier, began = self.barrier, anyio.current_time()
        self.clients.append(client)
        current.set(client)
        headers = [(b"x-a", client.variant.encode())] if client.variant else []
        await self.serve(
            app(scope_of("/a", method=client.method, headers=headers), client.receive, client.send), client
        )
        client.lasted = anyio.current_time() - began

    async def serve(self, call, client):
        """Let an app answer a client in a task of its own, which may be cancelled once, as servers do."""
        asking = asyncio.ensure_future(call)
        leaving = asyncio.ensure_future(self.leave(client, asking.cancel))
        try:
            await asking
        except asyncio.CancelledError as error:
            client.error = error
        except Exception as error:
            client.error = error
        leaving.cancel()

    async def leave(self, client, cancel):
        for _ in range(self.luck.randint(0, 3)):
            await idle(self.luck)
        if client.leaves == "hangs up":
            client.leave()
        elif client.leaves == "is cancelled":
            client.has_left = True
            cancel()

    async def change(self, invalidate):
        """Invalidate once; who comes later gets nothing older."""
        await idle(self.luck)
        number = self.changed = len(self.calls)
        try:
            await invalidate()
        except BackendUnavailableError:
            return  # which says that nothing is sure
        self.barrier = max(self.barrier, number)

    async def write(self, app):
        """Change the content by a request, as clients do."""
        writer = Client(-2, self.luck, "stays", 1)
        await app(scope_of("/a", method="POST"), writer.receive, writer.send)
        self.barrier = max(self.barrier, self.changed)

    async def crowd(self, apps, changes):
        """Let clients come, and now and then somebody who changes something, in one of these ways."""
        ways = ["stays"] * 4 + ["while it is sent to", "hangs up", "is cancelled"]
        async with anyio.create_task_group() as group:
            for number in range(self.luck.randint(2, 7)):
                client = Client(number, self.luck, self.luck.choice(ways), self.luck.randint(0, 2))
                client.variant = self.luck.choice([None, "1", "2"])
                client.method = self.luck.choice(["GET"] * 7 + ["HEAD"])
                group.start_soon(self.ask, self.luck.choice(apps), client)
            for _ in range(self.luck.choice([0, 0, 1, 2])):
                group.start_soon(*self.luck.choice(changes))

    async def check(self, apps):
        """Check all that was answered, and what is answered when all is over."""
        for client in self.clients:
            self.check_client(client)
        for app in apps:
            late = Client(-1, self.luck, "stays", 1)
            await self.ask(app, late)
            self.check_client(late)

    def check_client(self, client):
        if client.has_left:
            return
        assert client.lasted < PATIENCE, "it waited too long"
        own = [called for called in self.calls if called.client is client]
        if not client.is_answered or client.error is not None or client.messages[0]["status"] == 500:
            assert own, f"it failed for what another did: {client.error!r}"
            assert own[-1].kind in {"early", "late", "cut", "500"}, (own[-1].kind, client.error)
            return
        if client.method == "HEAD":
            return
        called = self.calls[int(client.body.partition(b":")[0]) - 1]
        assert client.body == called.body or called.kind == "cut", "it is not what was made"
        assert called.client is client or called.is_for_all, "it is another's"
        assert max(called.number, called.confirmed) > client.barrier or called.client is client, "it is too old"
        assert called.variant == client.variant or not self.varies, "it is another variant"


class TrioParty(Party):
    """The same on trio, where who is cancelled once is cancelled from then on."""

    async def serve(self, call, client):
        async with anyio.create_task_group() as group:
            with anyio.CancelScope() as scope:
                group.start_soon(self.leave, client, scope.cancel)
                try:
                    await call
                except Exception as error:
                    client.error = error
            group.cancel_scope.cancel()
