"""Reads that go past the stand-ins: by C code, by copies, of what others put into the scope."""

import copy
import pickle
from itertools import islice

import msgspec
import pytest
from starlette.authentication import AuthCredentials, SimpleUser
from starlette.datastructures import Headers
from starlette.middleware import Middleware, sessions
from starlette.requests import Request
from starlette.responses import Response

from asynccache import Cache
from tests.http.serving import client_of, is_hit, status_of

ALICE, BOB = {"x-user": "alice"}, {"x-user": "bob"}


class Fill:
    """Middleware of one's own: puts who asks into the scope; `make` gets the name, None for nobody."""

    def __init__(self, app, key, make):
        self.app = app
        self.key = key
        self.make = make

    async def __call__(self, scope, receive, send):
        if scope["type"] == "http":
            who = dict(scope["headers"]).get(b"x-user")
            filled = self.make(None if who is None else who.decode())
            if filled is not ...:
                scope[self.key] = filled
        await self.app(scope, receive, send)


def filled_client(read, key, make, **options):
    @Cache(60, **options)
    async def page(request):
        return Response(read(request))

    return client_of(page, middleware=[Middleware(Fill, key=key, make=make)])


def session_of(who):
    return {"who": who} if who else {}


def only_when_logged_in(who):
    return {"who": who} if who else ...


UNSEEN_READS_OF_SESSIONS = {
    "msgspec": lambda request: msgspec.json.encode(request.scope.get("session", {})),
    "dict.get": lambda request: str(dict.get(request.scope.get("session", {}), "who")),
    "dict.items": lambda request: str(dict.items(request.scope.get("session", {}))),
    "reversed": lambda request: str(list(reversed(request.scope.get("session", {})))),
    "unequal": lambda request: str(request.scope.get("session", {}) != {}),
}


@pytest.mark.parametrize("read", UNSEEN_READS_OF_SESSIONS.values(), ids=UNSEEN_READS_OF_SESSIONS)
@pytest.mark.parametrize("make", [session_of, only_when_logged_in])
@pytest.mark.parametrize("first", [ALICE, {}], ids=["alice first", "nobody first"])
def test_a_session_of_a_plain_dict_that_is_carried_counts_as_read(read, make, first):
    client = filled_client(read, "session", make)
    client.get("/", headers=first)
    for headers in (ALICE, BOB, {}, ALICE):
        expected = read(Request({"type": "http", "session": session_of(headers.get("x-user"))}))
        answer = client.get("/", headers=headers)
        assert answer.content == (expected if isinstance(expected, bytes) else expected.encode())
    assert is_hit(client.get("/"))


def test_an_empty_session_that_is_filled_behind_our_back_counts_as_written():
    client = filled_client(lambda request: dict.__setitem__(request.session, "n", 1) or "x", "session", session_of)
    client.get("/")
    assert not is_hit(client.get("/"))


@pytest.mark.parametrize("options", [{"public": True}, {"make_key_callback": lambda ctx, _: str(ctx.request.session)}])
def test_a_session_that_is_carried_is_stored_where_something_speaks_for_it(options):
    client = filled_client(lambda request: msgspec.json.encode(request.session), "session", session_of, **options)
    client.get("/", headers=ALICE)
    assert is_hit(client.get("/", headers=ALICE))
    assert is_hit(client.get("/", headers=BOB)) is ("public" in options)


def test_a_callback_that_does_not_look_at_a_session_does_not_speak_for_it():
    client = filled_client(
        lambda request: msgspec.json.encode(request.session), "session", session_of, make_key_callback=lambda *_: "k"
    )
    client.get("/", headers=ALICE)
    assert client.get("/", headers=BOB).json() == {"who": "bob"}


if hasattr(sessions, "Session"):

    def test_a_session_that_tells_of_itself_and_was_not_looked_at_is_no_matter():
        client = filled_client(lambda _: "x", "session", lambda who: sessions.Session(session_of(who)))
        client.get("/", headers=ALICE)
        assert is_hit(client.get("/", headers=BOB))

    def test_a_session_that_tells_of_itself_is_seen_before_c_code_reads_it():
        client = filled_client(
            lambda request: msgspec.json.encode(request.session),
            "session",
            lambda who: sessions.Session(session_of(who)),
        )
        answers = [client.get("/", headers=headers).json() for headers in (ALICE, BOB, {}, ALICE)]
        assert answers == [{"who": "alice"}, {"who": "bob"}, {}, {"who": "alice"}]


class Claims:
    """What a middleware made of a token."""

    def __init__(self, who):
        self.who = who


class OwnCredentials(AuthCredentials):
    def __init__(self, who):
        super().__init__(["api"])
        self.who = who


LOGINS = {
    "auth of a dict": ("auth", session_of),
    "auth of a dict, or none": ("auth", only_when_logged_in),
    "auth or None": ("auth", lambda who: {"who": who} if who else None),
    "auth of a class": ("auth", lambda who: Claims(who) if who else ...),
    "credentials of a subclass": ("auth", lambda who: OwnCredentials(who) if who else AuthCredentials()),
    "user of a dict, or none": ("user", only_when_logged_in),
    "user or None": ("user", lambda who: {"who": who} if who else None),
    "user of a class": ("user", lambda who: Claims(who) if who else ...),
    "Starlette's user": ("user", lambda who: SimpleUser(who) if who else ...),
}


def who_is(login):
    return str(login.get("who") if isinstance(login, dict) else getattr(login, "who", getattr(login, "username", None)))


@pytest.mark.parametrize(("key", "make"), LOGINS.values(), ids=LOGINS)
@pytest.mark.parametrize("first", [ALICE, {}], ids=["alice first", "nobody first"])
def test_whoever_is_logged_in_gets_a_page_of_their_own(key, make, first):
    client = filled_client(lambda request: who_is(request.scope.get(key)), key, make)
    texts = [client.get("/", headers=headers).text for headers in (first, ALICE, BOB, {}, ALICE)]
    assert texts[1:] == ["alice", "bob", "None", "alice"]
    assert is_hit(client.get("/")) or isinstance(make(None), AuthCredentials)  # which was looked at


@pytest.mark.parametrize(("key", "make"), LOGINS.values(), ids=LOGINS)
def test_public_speaks_for_logins_of_any_kind(key, make):
    client = filled_client(lambda _: "same", key, make, public=True)
    client.get("/", headers=ALICE)
    assert is_hit(client.get("/", headers=BOB))


def rest_of(_, *rest):
    return rest


READS_PAST_THE_FIRST = {
    "last": lambda request: request.scope["headers"][-1],
    "slice": lambda request: request.scope["headers"][1:],
    "reversed": lambda request: next(reversed(request.scope["headers"])),
    "starred": lambda request: rest_of(*request.scope["headers"]),
    "islice": lambda request: list(islice(request.scope["headers"], 1, None)),
    "copy": lambda request: request.scope["headers"].copy()[-1],
    "added": lambda request: ([] + request.scope["headers"])[-1],
    "joined": lambda request: (request.scope["headers"] + [])[-1],
    "times": lambda request: (request.scope["headers"] * 1)[-1],
    "raw": lambda request: request.headers.raw[-1],
    "raw of headers of one's own": lambda request: Headers(scope=request.scope).raw[-1],
    "raw of a request of one's own": lambda request: Request(request.scope).headers.raw[-1],
    "raw after a look-up": lambda request: (request.headers.get("host"), request.headers.raw[-1]),
    "bytes": lambda request: [bytes(value) for _, value in request.scope["headers"]],
}


@pytest.mark.parametrize("read", READS_PAST_THE_FIRST.values(), ids=READS_PAST_THE_FIRST)
def test_headers_read_past_the_first_are_all_headers(read, caplog):
    client = filled_client(lambda request: str(read(request)), "token", lambda _: ...)
    texts = [client.get("/", headers=headers).text for headers in (ALICE, BOB)]
    assert not is_hit(client.get("/", headers=ALICE))
    assert "read all headers" in caplog.text
    assert "bob" in texts[1]


LOOKS_AT_ONE = {
    "twice": lambda request: (request.headers.get("accept"), request.headers.get("accept")),
    "and a request of one's own": lambda request: (
        request.headers.get("accept"),
        Request(request.scope).headers.get("accept"),
        Headers(scope=request.scope).getlist("accept"),
        request.url,
    ),
    "in a loop": lambda request: [value for name, value in request.scope["headers"] if name == b"accept"],
}


@pytest.mark.parametrize("read", LOOKS_AT_ONE.values(), ids=LOOKS_AT_ONE)
def test_looks_at_one_header_are_no_look_at_all_of_them(read):
    client = filled_client(lambda request: str(read(request)), "token", lambda _: ...)
    assert status_of(client.get("/")) == "fwd=uri-miss; stored"


def test_an_address_that_is_formatted_is_read():
    client = filled_client(lambda request: "%s" * 2 % request.scope["client"], "token", lambda _: ...)
    assert client.get("/").text == "testclient50000"
    assert not is_hit(client.get("/"))


COPIES = {
    "deepcopy": copy.deepcopy,
    "copy": copy.copy,
    "pickle": lambda original: pickle.loads(pickle.dumps(original)),
    "pickle 0": lambda original: pickle.loads(pickle.dumps(original, 0)),
}
CARRIED = {
    "headers": (..., lambda _: ...),
    "client": (..., lambda _: ...),
    "session": ("session", session_of),
    "a session of Starlette's": ("session", lambda who: getattr(sessions, "Session", dict)(session_of(who))),
    "state": ("state", session_of),
    "auth": ("auth", lambda who: AuthCredentials([who])),
    "user": ("user", SimpleUser),
}


@pytest.mark.parametrize("copying", COPIES.values(), ids=COPIES)
@pytest.mark.parametrize("what", CARRIED)
def test_copies_are_what_they_are_without_the_cache_and_count_as_read(copying, what):
    key, make = CARRIED[what]
    copies = []

    def read(request):
        original = request.scope[what if key is ... else key]
        copies.append(copying(original))
        return "x"

    client = filled_client(read, key, make, public=what in ("user", "auth"))
    client.get("/", headers=ALICE)
    assert not is_hit(client.get("/", headers=ALICE))
    kind = {"headers": list, "client": tuple}.get(what) or type(make("alice"))
    assert type(copies[0]) is kind
    if what == "headers":
        assert (b"x-user", b"alice") in copies[0]
    elif what == "client":
        assert copies[0] == ("testclient", 50000)
    else:
        assert vars(copies[0]) == vars(make("alice")) if what in ("user", "auth") else copies[0] == {"who": "alice"}


def test_a_state_that_holds_itself_can_be_copied():
    def read(request):
        request.state.me = request.scope["state"]
        copied = copy.deepcopy(request.scope["state"])
        return str(copied["me"] is copied)

    assert filled_client(read, "state", session_of).get("/").text == "True"
