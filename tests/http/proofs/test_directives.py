"""Of some 600 Cache-Control fields, written well and badly, none is stored against RFC 9111 (A8)."""

from itertools import chain

import pytest

from tests.http.proofs import directives
from tests.http.proofs.messages import saying
from tests.http.proofs.systems import DECORATED, EDGES
from tests.http.serving import ask

SYSTEMS = DECORATED | EDGES


class Fields:
    """An application that answers with one field after the other, each under a path of its own."""

    def __init__(self, fields):
        self.fields = [list(lines) for lines in fields]
        self.calls = 0

    async def __call__(self, request):
        self.calls += 1
        lines = self.fields[int(request.url.path[1:])]
        headers = [(b"cache-control", line.encode("latin-1")) for line in lines]
        return saying(b"%d" % self.calls, *headers, (b"x-own", b"own"))

    async def repeated(self, app):
        """Ask twice for each; give the fields whose second answer did not come from here, and that answer."""
        found = []
        for number, lines in enumerate(self.fields):
            await ask(app, f"/{number}")
            calls = self.calls
            answer = await ask(app, f"/{number}")
            if self.calls == calls:
                found.append((lines, answer))
        return found


def lines_of(found):
    return [lines for lines, _ in found]


def test_there_are_enough_of_them():
    assert len(list(chain(directives.forbidden(), directives.doubtful(), directives.stale()))) >= 400


@pytest.mark.parametrize("make", SYSTEMS.values(), ids=SYSTEMS)
@pytest.mark.parametrize("fields", [directives.forbidden, directives.doubtful], ids=lambda fields: fields.__name__)
async def test_what_forbids_storing_is_obeyed(make, fields):
    application = Fields(fields())
    assert lines_of(await application.repeated(make(application))) == []


@pytest.mark.parametrize("make", EDGES.values(), ids=EDGES)
async def test_what_is_over_when_it_comes_is_not_reused(make):
    application = Fields(directives.stale())
    assert lines_of(await application.repeated(make(application))) == []


@pytest.mark.parametrize("make", SYSTEMS.values(), ids=SYSTEMS)
async def test_what_only_looks_like_it_forbids_nothing(make):
    application = Fields(directives.allowed())
    assert lines_of(await application.repeated(make(application))) == application.fields


@pytest.mark.parametrize("make", SYSTEMS.values(), ids=SYSTEMS)
async def test_a_field_that_is_not_for_others_stays_with_its_answer(make):
    application = Fields(directives.withheld())
    shown = [
        (lines, answer) for lines, answer in await application.repeated(make(application)) if answer.header("x-own")
    ]
    assert shown == []
