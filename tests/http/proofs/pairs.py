"""Generated applications behind `CacheMiddleware`, and generated requests: who may have whose answer (A6)."""

import asyncio
import json
import random
from contextvars import ContextVar
from dataclasses import dataclass, field
from zlib import crc32

from asynccache import CacheMiddleware
from asynccache.backends.local_cache import LocalMemCacheBackend
from asynccache.testing import FakeClock
from tests.http.proofs.dates import imf
from tests.http.proofs.messages import part, start
from tests.http.proofs.reference import SAFE, Given, Reference, Wanted
from tests.http.serving import ask

READS = ["authorization", "cookie", "x-a", "x-b", "accept-language"]
DIRECTIVES = {
    "max-age": [60, 60, 0, 1000],
    "s-maxage": [60, 0, 1000],
    "stale-while-revalidate": [30],
    "stale-if-error": [90],
} | dict.fromkeys(["public", "private", "no-store", "no-cache", "must-revalidate", "proxy-revalidate"])
DIRECTIVES |= dict.fromkeys(["must-understand", "immutable", "x"])
OFTEN = ["max-age"] * 12 + ["s-maxage", "public"] * 3 + list(DIRECTIVES)
STATUSES = [200] * 16 + [203, 204, 301, 404, 410, 599, 500, 302]
ASKED = [{}] * 12 + [{"no-store": None}, {"no-cache": None}, {"max-age": 0}, {"max-age": 30}, {"max-stale": 20}]
METHODS = ["GET"] * 16 + ["HEAD"] * 2 + ["POST", "PUT", "MOVE", "OPTIONS"]
asking: ContextVar[int] = ContextVar("asking")
"""The number of the request on whose behalf the application is asked."""
REQUESTS = 7  # in a series: 21 pairs


def written(directives, draw):
    """Write a Cache-Control in one of many ways."""
    members = []
    for name, seconds in directives.items():
        spelled = draw.choice([name, name, name.upper(), name.title()])
        members.append(spelled if seconds is None else f"{spelled}={seconds}")
    if draw.random() < 0.2:
        members.insert(draw.randrange(len(members) + 1), draw.choice(['y="no-store, max-age=9"', "", 'z="\\"private"']))
    cut = draw.randrange(len(members) + 1) if draw.random() < 0.2 else len(members)
    lines = [members[:cut], members[cut:]]
    return [(b"cache-control", draw.choice([", ", ",", " ,\t"]).join(line).encode()) for line in lines if line]


@dataclass
class Series:
    """An application, and the requests that come one after the other, or all at once."""

    profile: str
    draw: random.Random
    given: list[Given] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)
    invalidated: int = 0
    asked: int = 0
    hits: int = 0

    def __post_init__(self):
        draw = self.draw
        self.reads = draw.sample(READS, draw.choice([0, 1, 1, 2]))
        self.draw_answer()
        self.is_volatile = draw.random() < 0.3
        self.has_tag = not self.is_volatile and draw.random() < 0.5
        self.clock = FakeClock(1_800_000_000)
        backend = LocalMemCacheBackend(clock=self.clock)
        self.app = CacheMiddleware(self.answer, backend, profile=self.profile, clock=self.clock)
        self.reference = Reference(self.profile == "safe")

    def draw_answer(self):
        """Draw what is said of an answer."""
        draw = self.draw
        self.vary = frozenset(draw.sample([*READS, *READS, "*"], draw.choice([0, 0, 1, 1, 2, 3])))
        names = draw.sample(OFTEN, draw.choice([0, 1, 1, 2, 2, 3, 4]))
        self.directives = {name: draw.choice(DIRECTIVES[name]) if DIRECTIVES[name] else None for name in names}
        self.status = draw.choice(STATUSES)
        self.cookies = draw.choice([0] * 6 + [1, 2])
        self.modified_ago = draw.choice([None, None, 1000])

    async def answer(self, scope, receive, send):
        """Be the application: write into the answer what it depends on."""
        found = {name.decode(): value.decode() for name, value in scope["headers"]}
        await asyncio.sleep(0)
        if self.is_volatile:
            self.draw_answer()
        body = b"" if self.status == 204 else json.dumps([found.get(name) for name in self.reads]).encode()
        tag = b'"%x"' % crc32(body)
        headers = [*written(self.directives, self.draw), *((b"vary", name.encode()) for name in sorted(self.vary))]
        headers += [(b"set-cookie", b"c%d=secret" % number) for number in range(self.cookies)]
        if self.modified_ago is not None:
            headers.append((b"last-modified", imf(self.clock() - self.modified_ago).encode()))
        if self.has_tag:
            headers.append((b"etag", tag))
        wanted = self.wanted_of(scope["method"], found)
        if self.has_tag and found.get("if-none-match") == tag.decode() and scope["method"] == "GET":
            for given, made in zip(self.given, self.bodies, strict=True):
                if made == body:
                    given.grants.append((wanted, self.clock(), asking.get()))
            await send(start(*headers, status=304))
            await send(part())
            return
        self.given.append(Given(self.status, self.directives, self.vary, self.cookies, self.modified_ago))
        self.given[-1].grants.append((wanted, self.clock(), asking.get()))
        self.bodies.append(body)
        headers.append((b"x-call", b"%d" % (len(self.given) - 1)))
        await send(start(*headers, status=self.status))
        await send(part(b"" if scope["method"] == "HEAD" else body))

    def wanted_of(self, method, found):
        said = [directive for directive in ASKED if as_field(directive) == found.get("cache-control", "")]
        return Wanted(method, {name: found[name] for name in READS if name in found}, said[0])

    async def run(self):
        """Ask often, and check each answer."""
        if not self.is_volatile and self.draw.random() < 0.3:
            await asyncio.gather(*(self.ask() for _ in range(REQUESTS)))
            return
        for _ in range(REQUESTS):
            self.clock.advance(self.draw.choice([0, 0, 0, 0, 10, 50, 70, 1000]))
            await self.ask()

    async def ask(self):
        draw = self.draw
        fields = {name: draw.choice(["one", "two"]) for name in READS if draw.random() < 0.25}
        directives, method = draw.choice(ASKED), draw.choice(METHODS)
        method = "GET" if self.is_volatile and method == "HEAD" else method
        headers = [(name.encode(), value.encode()) for name, value in fields.items()]
        if directives:
            headers.append((b"cache-control", as_field(directives).encode()))
        wanted, before = Wanted(method, fields, directives), self.invalidated
        self.asked += 1
        asking.set(number := self.asked)
        answer = await ask(self.app, "/", method=method, headers=headers)
        self.check(wanted, answer, number, before)
        if method not in SAFE and 200 <= answer.status < 400:
            self.invalidated = number

    def check(self, wanted, answer, number, before):
        """Check that this answer was made for this request, or may be reused for it."""
        call = int(answer.header("x-call"))
        given = self.given[call]
        renewed = given.grants[0][0].method == "HEAD"  # which tells nothing of the body
        bodies = [b""] if wanted.method == "HEAD" else self.bodies if renewed else [self.bodies[call]]
        assert answer.status == given.status
        assert answer.body in bodies
        if given.grants[0][2] == number:
            return
        if any(asked == number for _, _, asked in given.grants):
            assert self.reference.may_store(given), (self, wanted, given)
            return
        self.hits += 1
        failed = self.status == 500
        assert self.reference.may_reuse(given, wanted, self.clock(), before, failed=failed), (self, wanted, given)
        if self.reference.is_safe:
            assert answer.header("set-cookie") is None, (self, wanted)


def as_field(directives):
    return ", ".join(name if seconds is None else f"{name}={seconds}" for name, seconds in directives.items())
