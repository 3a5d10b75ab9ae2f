"""A resource that changes, served by an honest application with all of RFC 9110 13 and 14, and clients that ask for it.

Whatever a cache in front does, each answer is of one version, whole or the part it says, and of one that was current
not longer ago than the application allows.
"""

import random
from dataclasses import dataclass

from tests.http.proofs.dates import imf
from tests.http.proofs.messages import part, start
from tests.http.proofs.upstream import Site

LIFETIME = 60
CONTROLS = ["max-age=60", "max-age=60, must-revalidate", "s-maxage=60", "no-cache", "max-age=0"]


@dataclass(frozen=True)
class Version:
    number: int
    tag: str
    body: bytes
    modified: int


class Resource(Site):
    """What changes now and then, behind a cache."""

    def __init__(self, profile, draw: random.Random, make_backend):
        self.draw = draw
        self.kind = draw.choice(["strong", "strong", "weak", "date", "strong and date"])
        self.control = draw.choice(CONTROLS)
        self.has_ranges = draw.random() < 0.8
        self.replaced: dict[int, float] = {}
        self.versions: list[Version] = []
        self.floor = 0
        super().__init__(profile, make_backend=make_backend)
        self.change()

    def change(self):
        """Make a newer version; two may be of the same second, unless nothing else tells them apart."""
        number = len(self.versions)
        if self.kind == "date":
            self.clock.advance(1)
        if number:
            self.replaced[number - 1] = self.clock()
        size = self.draw.choice([0, 1, 10, 10, 10, 40])
        body = bytes(97 + (number + place) % 26 for place in range(size))
        tag = f'W/"{number}"' if self.kind == "weak" else f'"{number}"'
        self.versions.append(Version(number, tag, body, int(self.clock())))

    @property
    def has_tag(self):
        return self.kind != "date"

    async def answer(self, scope, receive, send):
        fields = {name.decode(): value.decode() for name, value in scope["headers"]}
        version = self.versions[-1]
        if scope["method"] == "PUT":
            self.change()
            await send(start(status=204))
            await send(part())
            return
        headers = [(b"cache-control", self.control.encode()), (b"x-version", b"%d" % version.number)]
        if self.has_tag:
            headers.append((b"etag", version.tag.encode()))
        if "date" in self.kind:
            headers.append((b"last-modified", imf(version.modified).encode()))
        status, body = self.made(version, fields, headers, scope["method"])
        await send(start(*headers, status=status))
        await send(part(b"" if scope["method"] == "HEAD" else body))

    def made(self, version, fields, headers, method):
        """RFC 9110 13.2.2."""
        if "if-none-match" in fields:
            tags = [tag.strip().removeprefix("W/") for tag in fields["if-none-match"].split(",")]
            if self.has_tag and version.tag.removeprefix("W/") in tags:
                return 304, b""
        elif (
            "if-modified-since" in fields
            and "date" in self.kind
            and imf(version.modified) == fields["if-modified-since"]
        ):
            return 304, b""
        found = self.span(version, fields) if method == "GET" else None
        size = len(version.body)
        if found is None:
            headers.append((b"content-length", b"%d" % size))
            return 200, version.body
        first, last = found
        if first > last or first >= size:
            headers += [(b"content-range", b"bytes */%d" % size), (b"content-length", b"0")]
            return 416, b""
        headers += [
            (b"content-range", b"bytes %d-%d/%d" % (first, last, size)),
            (b"content-length", b"%d" % (last - first + 1)),
        ]
        return 206, version.body[first : last + 1]

    def span(self, version, fields):
        wanted = fields.get("range")
        if wanted is None or not self.has_ranges or "," in wanted:
            return None
        if "if-range" in fields and (fields["if-range"] != version.tag or self.kind != "strong"):
            return None
        first, _, last = wanted.removeprefix("bytes=").partition("-")
        size = len(version.body)
        if not first:
            return max(0, size - int(last)), size - 1
        return int(first), min(int(last or size), size - 1)

    def drawn(self):
        """Draw a request."""
        draw, fields = self.draw, {}
        known = draw.choice(self.versions[-3:])
        if draw.random() < 0.5:
            fields["range"] = draw.choice(["0-4", "5-9", "3-", "-3", "0-", "2-2", "9-20", "50-60", "-0", "0-1,4-5"])
            fields["range"] = f"bytes={fields['range']}"
            if draw.random() < 0.3:
                fields["if_range"] = draw.choice([known.tag, imf(known.modified)])
        if draw.random() < 0.2:
            fields["if_none_match"] = draw.choice([known.tag, f'"x", {known.tag}'])
        if draw.random() < 0.1:
            fields["if_modified_since"] = imf(known.modified)
        if draw.random() < 0.1:
            fields["cache_control"] = draw.choice(["no-cache", "max-age=0", "no-store"])
        return draw.choice(["GET"] * 8 + ["HEAD"]), fields

    async def play(self, steps):
        for _ in range(steps):
            self.clock.advance(self.draw.choice([0, 0, 0, 1, 10, 59, 61, 200]))
            if self.draw.random() < 0.15:
                self.change()
            if self.draw.random() < 0.05:
                await self("PUT")
                self.floor = len(self.versions) - 1
            method, fields = self.drawn()
            self.check(method, fields, await self(method, **fields))

    def check(self, method, fields, answer):
        version = self.version_of(answer, fields)
        said = (method, fields, answer.status, answer.messages[0]["headers"], version)
        body, size = answer.body, len(version.body)
        if method == "HEAD":
            assert body == b"", said
        elif answer.status == 200:
            assert body == version.body, said
        elif answer.status == 206:
            first, last = answer.header("content-range").removeprefix("bytes ").partition("/")[0].split("-")
            assert answer.header("content-range").endswith(f"/{size}"), said
            assert body == version.body[int(first) : int(last) + 1], said
            assert fields.get("if_range") in {None, version.tag, imf(version.modified)}, said
        if answer.status not in {304, 416}:
            assert answer.header("content-length") == str(size if method == "HEAD" else len(body)), said
        if answer.status == 304:
            same = version.tag.removeprefix("W/") in fields.get("if_none_match", "")
            assert same or "if_modified_since" in fields, said
            assert answer.header("content-length") is None, said
        assert version.number >= self.floor, said
        over = self.clock() - self.replaced.get(version.number, self.clock())
        assert over <= (0 if self.control in {"no-cache", "max-age=0"} else LIFETIME), said

    def version_of(self, answer, fields):
        """Find the version that an answer is of."""
        if answer.header("x-version") is not None:
            return self.versions[int(answer.header("x-version"))]
        if answer.header("etag") is not None:
            return next(version for version in self.versions if version.tag == answer.header("etag"))
        return self.versions[-1]  # a 304 by its date, or a 416
