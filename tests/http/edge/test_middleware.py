"""What `CacheMiddleware` makes of requests, one after the other: hits, misses, validations, writes, hosts."""

import asyncio

import pytest
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from asynccache import CacheMiddleware, CacheModule, CacheService, ConfigurationError, UnknownBackendError, install
from asynccache.backends.local_cache import LocalMemCacheBackend
from asynccache.backends.redis import RedisCacheBackend
from asynccache.http.edge.note import note_in
from asynccache.http.replies import Reply
from asynccache.http.statement import Said
from tests.http.edge.origins import FRESH, Edge, Origin, lines, part, start, whole
from tests.http.serving import ask

# Hits


async def test_a_hit_is_what_came_the_first_time_with_date_and_age():
    edge = Edge(None, FRESH, (b"x-a", b"1"), (b"set-cookie2", b"a"), (b"x-a", b"2"), profile="rfc9111")
    first = await edge.ask()
    edge.clock.advance(7.5)
    again = await edge.ask()
    fields = first.messages[0]["headers"]
    assert (first.cache, first.header("date")) == ("fwd=uri-miss; stored", "Fri, 15 Jan 2027 08:00:00 GMT")
    assert again.messages[0]["headers"] == [
        *fields[:-1],
        (b"age", b"7"),
        (b"cache-status", b"asynccache; hit; ttl=53"),
    ]
    assert (again.status, again.body, edge.calls) == (200, b"1", 1)


async def test_names_are_made_lower_case_and_fields_of_one_connection_are_not_kept():
    edge = Edge(lambda *_: whole(b"x", (b"Cache-Control", b"max-age=60"), (b"Connection", b"X-Hop"), (b"X-Hop", b"1")))
    first, again = await edge.ask(), await edge.ask()
    assert first.header("x-hop") == "1"
    assert (again.header("x-hop"), again.header("connection"), again.header("cache-control")) == (
        None,
        None,
        "max-age=60",
    )


async def test_members_of_caches_behind_stay_and_ours_comes_last():
    edge = Edge(None, FRESH, (b"cache-status", b"inner; fwd=miss"), name="edge 1")
    for expected in (b'"edge 1"; fwd=uri-miss; stored', b'"edge 1"; hit; ttl=60'):
        headers = (await edge.ask()).messages[0]["headers"]
        assert [value for name, value in headers if name == b"cache-status"] == [b"inner; fwd=miss", expected]


async def test_what_is_over_is_fetched_again():
    edge = Edge()
    assert await edge.bodies("/", "/") == [b"1", b"1"]
    edge.clock.advance(60)
    again = await edge.ask()
    assert (again.body, again.cache) == (b"2", "fwd=stale; stored")


async def test_urls_are_told_apart_byte_by_byte():
    edge = Edge()
    paths = ["/a", "/A", "/a/", "/%61", "/a?", "/a?b=1&c=2", "/a?c=2&b=1", "/a?b=1&c=2"]
    assert await edge.bodies(*paths) == [b"1", b"2", b"3", b"4", b"1", b"5", b"6", b"5"]


# Conditions, ranges, HEAD: lengths are our own (rule 51)


@pytest.mark.parametrize(
    ("fields", "status", "body", "length", "more"),
    [
        ({}, 200, b"0123456789", "10", {}),
        ({"if_none_match": '"a"'}, 304, b"", None, {"etag": '"a"'}),
        ({"if_none_match": '"b", W/"a"'}, 304, b"", None, {"etag": '"a"'}),
        ({"if_none_match": '"b"'}, 200, b"0123456789", "10", {}),
        ({"range": "bytes=2-4"}, 206, b"234", "3", {"content-range": "bytes 2-4/10"}),
        ({"range": "bytes=-3"}, 206, b"789", "3", {"content-range": "bytes 7-9/10"}),
        ({"range": "bytes=20-"}, 416, b"", "0", {"content-range": "bytes */10"}),
        ({"range": "bytes=0-1,4-5"}, 200, b"0123456789", "10", {}),
        ({"range": "bytes=2-4", "if_range": '"b"'}, 200, b"0123456789", "10", {}),
        ({"range": "bytes=2-4", "if_range": '"a"'}, 206, b"234", "3", {}),
    ],
)
@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_a_stored_response_answers_conditions_and_ranges(fields, status, body, length, more, method):
    fields_of_app = (FRESH, (b"etag", b'"a"'), (b"content-length", b"10"), (b"transfer-encoding", b"identity"))
    edge = Edge(lambda *_: whole(b"0123456789", *fields_of_app))
    await edge.ask()
    answer = await edge.ask(headers=lines(**fields), method=method)
    if method == "HEAD" and status != 304:
        status, body, length, more = 200, b"", "10", {}
    assert (answer.status, answer.body, answer.header("content-length")) == (status, body, length)
    assert {name: answer.header(name) for name in more} == more
    assert (answer.header("age"), answer.header("transfer-encoding"), edge.calls) == ("0", None, 1)


async def test_a_head_that_finds_nothing_passes_and_stores_nothing():
    edge = Edge(lambda scope, number: whole(b"" if scope["method"] == "HEAD" else b"x", FRESH))
    assert (await edge.ask(method="HEAD")).cache == "fwd=uri-miss"
    assert (await edge.ask()).cache == "fwd=uri-miss; stored"


@pytest.mark.parametrize(("length", "expected"), [(b"1", "hit; ttl=60"), (b"2", "fwd=stale; stored")])
async def test_a_head_that_passes_a_stale_response_tells_what_that_is_worth(length, expected):
    def reply(scope, number):
        if scope["method"] == "HEAD":
            return whole(b"", FRESH, (b"content-length", length))
        return whole(b"x", FRESH, (b"content-length", b"1"))

    edge = Edge(reply)
    await edge.ask()
    edge.clock.advance(61)
    assert (await edge.ask(method="HEAD")).cache.startswith("fwd=stale")
    assert (await edge.ask()).cache == expected


async def test_parts_are_kept_and_joined():
    def reply(scope, number):
        asked = dict(scope["headers"]).get(b"range")
        first, last = map(int, asked.removeprefix(b"bytes=").split(b"-"))
        body = b"0123456789"[first : last + 1]
        return whole(body, FRESH, (b"etag", b'"a"'), (b"content-range", b"bytes %d-%d/10" % (first, last)), status=206)

    edge = Edge(reply)

    async def asked(span):
        answer = await edge.ask(headers=lines(range=f"bytes={span}"))
        return answer.body, answer.cache

    assert await asked("0-4") == (b"01234", "fwd=uri-miss; stored")
    assert await asked("1-2") == (b"12", "hit; ttl=60")
    assert await asked("5-9") == (b"56789", "fwd=partial; stored")
    assert (await edge.ask()).body == b"0123456789"
    assert edge.calls == 2


WHOLE = [start(FRESH, (b"etag", b'"a"')), part(b"01", more=True), part(b"23", more=True), part()]


@pytest.mark.parametrize(
    ("fields", "status", "body"),
    [
        ({"range": "bytes=1-2"}, 206, b"12"),
        ({"range": "bytes=1-2", "if_range": '"a"'}, 206, b"12"),
        ({"range": "bytes=1-2", "if_range": '"b"'}, 200, b"0123"),
        ({"range": "bytes=9-"}, 416, b""),
        ({"range": "lines=1-2"}, 200, b"0123"),
    ],
)
async def test_all_is_fetched_for_a_part_where_that_is_wanted(fields, status, body):
    edge = Edge(lambda *_: WHOLE, whole_ranges=True)
    for cache in ("fwd=uri-miss; stored", "hit; ttl=60"):
        answer = await edge.ask(headers=lines(**fields))
        assert (answer.status, answer.body, answer.cache) == (status, body, cache)
    assert (edge.origin.sent("range"), edge.origin.sent("if-range")) == ([], [])
    assert (await edge.ask()).body == b"0123"


@pytest.mark.parametrize(
    "messages",
    [
        [start((b"cache-control", b"no-store")), *WHOLE[1:]],
        [start(FRESH, (b"content-length", b"3")), *WHOLE[1:]],
        [start(FRESH), *WHOLE[1:3], part(b"4" * 20, more=True), part()],
        WHOLE[:3],
    ],
    ids=["not storable", "another length", "too long", "short"],
)
async def test_what_was_fetched_for_a_part_and_cannot_be_stored_passes_as_it_is(messages):
    edge = Edge(lambda *_: messages, whole_ranges=True, max_body=10)
    answer = await edge.ask(headers=lines(range="bytes=1-2"))
    assert (answer.status, answer.body) == (200, b"".join(message.get("body", b"") for message in messages))
    assert not await edge.is_stored()


@pytest.mark.parametrize("is_stream", [False, True])
async def test_entity_tags_are_made_where_they_are_wanted_and_there_are_none(is_stream):
    edge = Edge(lambda *_: [start(FRESH), *[part(b"x", more=True)] * is_stream, part(b"y")], etags=True)
    first, again = await edge.ask(), await edge.ask()
    tag = again.header("etag")
    assert tag.startswith('"')
    assert first.header("etag") == (None if is_stream else tag)
    assert (await edge.ask(headers=lines(if_none_match=tag))).status == 304
    assert (await Edge(None, FRESH, (b"etag", b'"own"'), etags=True).ask()).header("etag") == '"own"'
    assert (await Edge(lambda *_: whole(b"", FRESH, status=404), etags=True).ask()).header("etag") is None
    assert (await Edge().ask()).header("etag") is None


async def test_a_part_is_no_answer_to_who_wants_all():
    def reply(scope, number):
        if any(name == b"range" for name, _ in scope["headers"]):
            return whole(b"01", FRESH, (b"content-range", b"bytes 0-1/4"), status=206)
        return whole(b"0123", FRESH)

    edge = Edge(reply)
    assert (await edge.ask(headers=lines(range="bytes=0-1"))).cache == "fwd=uri-miss; stored"
    answer = await edge.ask()
    assert (answer.status, answer.body, answer.cache) == (200, b"0123", "fwd=partial; stored")


# Validation


def validated(*, tag=b'"a"', confirms=b'"a"', status=304):
    """Give an app that confirms what it said before."""

    def reply(scope, number):
        if any(name == b"if-none-match" for name, _ in scope["headers"]):
            return whole(b"", FRESH, (b"etag", confirms), (b"x-n", b"%d" % number), status=status)
        return whole(b"%d" % number, FRESH, (b"etag", tag), (b"last-modified", b"Fri, 01 Jan 2027 00:00:00 GMT"))

    return reply


async def test_what_is_over_is_validated_with_the_app():
    edge = Edge(validated())
    await edge.ask()
    edge.clock.advance(61)
    answer = await edge.ask()
    assert edge.origin.sent("if-none-match") == ['"a"']
    assert edge.origin.sent("if-modified-since") == ["Fri, 01 Jan 2027 00:00:00 GMT"]
    assert (answer.status, answer.body, answer.header("x-n")) == (200, b"1", "2")
    assert answer.cache == "fwd=stale; fwd-status=304; stored"
    assert await edge.is_stored()


async def test_a_clients_condition_is_evaluated_anew_after_a_validation():
    edge = Edge(validated())
    await edge.ask()
    edge.clock.advance(61)
    has_it = await edge.ask(headers=lines(if_none_match='W/"a"'))
    assert (has_it.status, has_it.header("content-length")) == (304, None)
    assert edge.origin.sent("if-none-match") == ['"a"']
    edge.clock.advance(61)
    assert (await edge.ask(headers=lines(if_none_match='"z"'))).status == 200


async def test_a_304_about_something_else_is_not_seen_and_the_app_is_asked_again():
    edge = Edge(validated(confirms=b'"other"'))
    await edge.ask()
    edge.clock.advance(61)
    answer = await edge.ask()
    assert (answer.status, answer.body, answer.cache) == (200, b"3", "fwd=stale; stored")
    assert edge.origin.sent("if-none-match") == []


async def test_an_app_that_is_asked_again_hears_its_request_again():
    reply = validated(confirms=b'"other"')

    async def app(scope, receive, send):
        assert await receive() == {"type": "http.request", "body": b"", "more_body": False}
        await edge.origin(scope, receive, send)

    edge = Edge(reply)
    edge.app = CacheMiddleware(app, edge.backend, clock=edge.clock)
    await edge.ask()
    edge.clock.advance(61)
    assert (await asyncio.wait_for(edge.ask(), 5)).body == b"3"


async def test_a_304_to_the_clients_own_condition_passes():
    edge = Edge(validated())
    answer = await edge.ask(headers=lines(if_none_match='"mine"'))
    assert (answer.status, answer.cache) == (304, "fwd=uri-miss")
    assert edge.origin.sent("if-none-match") == ['"mine"']
    assert (await edge.ask()).cache == "fwd=uri-miss; stored"


async def test_the_scope_is_as_it_was_afterwards():
    edge = Edge(validated())
    await edge.ask()
    edge.clock.advance(61)
    scopes = []

    async def outer(scope, receive, send):
        before = dict(scope)
        await edge.app(scope, receive, send)
        scopes.append((before, scope))

    await ask(outer, headers=lines(if_none_match='"z"'), extensions={"http.response.pathsend": {}})
    ((before, after),) = scopes
    assert before == after


async def test_what_may_not_be_stored_any_more_answers_once_and_holds_up_nobody(redis_server, unique_prefix):
    def reply(scope, number):
        if any(name == b"if-none-match" for name, _ in scope["headers"]):
            return whole(b"", FRESH, (b"set-cookie", b"a=1"), status=304)
        return whole(b"%d" % number, FRESH, (b"etag", b'"a"'))

    edge = Edge(reply, backend=RedisCacheBackend(redis_server.url, key_prefix=unique_prefix, deadline=5))
    await edge.ask()
    edge.clock.advance(61)
    for _ in range(3):
        answer = await asyncio.wait_for(edge.ask(), 1)  # a right that is not given up stands for three seconds
        assert (answer.status, answer.body, answer.cache) == (200, b"1", "fwd=stale; fwd-status=304")
    await edge.app._home.found({})[0].aclose()


async def test_what_cache_says_of_itself_is_taken_back_where_a_cookie_came_beside_it():
    said = Said(b"max-age=0, s-maxage=60")
    for profile in ("safe", "rfc9111"):
        edge = Edge(None, (b"cache-control", said), (b"set-cookie", b"a=1"), profile=profile)
        assert (await edge.ask()).header("cache-control") is None
        assert (await edge.ask()).cache == "fwd=uri-miss"


# Variants (rules 15 and 41)


async def test_variants_lie_side_by_side_and_go_together():
    edge = Edge(None, FRESH, (b"vary", b"Accept, X-A"))
    one, other = lines(accept="a"), lines(accept="b")
    assert [(await edge.ask(headers=fields)).body for fields in (one, other, one, other)] == [b"1", b"2", b"1", b"2"]
    assert (await edge.ask(headers=lines(accept="c"))).cache == "fwd=vary-miss; stored"
    await edge.ask(method="POST")
    assert [(await edge.ask(headers=fields)).body for fields in (one, other)] == [b"5", b"6"]


async def test_cookies_in_several_fields_as_http2_has_them_are_one():
    edge = Edge(None, FRESH, (b"vary", b"cookie"))
    assert await edge.bodies("/", headers=[(b"cookie", b"a=1"), (b"cookie", b"b=2")]) == [b"1"]
    assert await edge.is_stored(headers=[(b"cookie", b"a=1"), (b"cookie", b"b=2")])
    assert not await edge.is_stored(headers=[(b"cookie", b"a=1"), (b"cookie", b"b=3")])


# Writes (rules 39 to 41)


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "PURGE", "M-SEARCH"])
@pytest.mark.parametrize(("status", "expected"), [(200, b"3"), (303, b"3"), (400, b"1"), (500, b"1")])
async def test_a_write_that_succeeds_invalidates_its_url_before_its_answer_is_seen(method, status, expected):
    edge = Edge(lambda scope, number: whole(b"%d" % number, FRESH, status=200 if scope["method"] == "GET" else status))
    seen = []

    async def send(message):
        if message["type"] == "http.response.start":
            seen.append((await edge.ask()).body)

    await edge.ask()
    answer = await edge.ask(method=method, send=send)
    assert (seen, answer.cache) == ([expected], "fwd=method")


@pytest.mark.parametrize("method", ["OPTIONS", "TRACE", "HEAD"])
async def test_safe_methods_invalidate_nothing(method):
    edge = Edge()
    await edge.ask()
    await edge.ask(method=method)
    assert await edge.is_stored()


@pytest.mark.parametrize("field", ["location", "content_location"])
@pytest.mark.parametrize(
    ("named", "is_gone"),
    [("/b?x=1", True), ("b?x=1", True), ("http://h/b?x=1", True), ("http://h:80/b?x=1", True),
      ("http://g/b?x=1", False), ("https://h/b?x=1", False), ("//g/b?x=1", False), ("/b", False), ("http://[", False)],
)  # fmt: skip
async def test_a_write_invalidates_what_it_names_of_the_same_origin(field, named, is_gone):
    def reply(scope, number):
        return whole(b"", FRESH, *(lines(**{field: named}) if scope["method"] == "PUT" else ()), status=201)

    edge = Edge(reply)
    await edge.ask("/b?x=1")
    await edge.ask("/a", method="PUT")
    assert await edge.is_stored("/b?x=1") is not is_gone


async def test_groups_are_invalidated_together_within_their_origin():
    def reply(scope, number):
        if scope["method"] == "POST":
            return whole(b"", (b"cache-group-invalidation", b'"red"'))
        return whole(b"", FRESH, (b"cache-groups", b'"red", "blue"' if scope["path"] == "/a" else b'"blue"'))

    edge = Edge(reply)
    for path in ("/a", "/b"):
        await edge.ask(path)
    await edge.ask("/c", method="POST", headers=[])
    assert [await edge.is_stored(path) for path in ("/a", "/b")] == [False, True]


# Requests that have nothing to do with the store


async def test_a_get_with_content_passes():
    edge = Edge()
    assert (await edge.ask(body=b"x", headers=lines(content_length=1))).cache == "fwd=bypass"
    assert not await edge.is_stored()


async def test_content_that_no_field_announced_is_not_stored():
    async def app(scope, receive, send):
        body = (await receive())["body"]
        for message in whole(body or b"nothing", FRESH):
            await send(message)

    edge = Edge()
    edge.app = CacheMiddleware(app, edge.backend, clock=edge.clock)
    assert (await edge.ask(body=b"evil", http_version="2")).body == b"evil"
    assert (await edge.ask()).body == b"nothing"


@pytest.mark.parametrize("profile", ["safe", "rfc9111"])
async def test_only_if_cached_is_answered_here(profile):
    edge = Edge(profile=profile)
    answer = await edge.ask(headers=lines(cache_control="only-if-cached"))
    assert (answer.status, answer.cache, edge.calls) == (504, "detail=only-if-cached", 0)
    await edge.ask()
    assert await edge.is_stored(headers=lines(cache_control="only-if-cached"))


@pytest.mark.parametrize(("profile", "expected"), [("safe", "hit; ttl=60"), ("rfc9111", "fwd=request; stored")])
async def test_a_reload_is_a_matter_of_the_profile(profile, expected):
    edge = Edge(profile=profile)
    await edge.ask()
    assert (await edge.ask(headers=lines(cache_control="no-cache"))).cache == expected


async def test_a_request_that_says_no_store_is_not_stored():
    edge = Edge()
    await edge.ask(headers=lines(cache_control="no-store"))
    assert not await edge.is_stored()


@pytest.mark.parametrize("fields", [{"authorization": "a"}, {"cookie": "a=1"}])
async def test_a_request_with_an_identity_shares_only_what_is_for_all(fields):
    for control, shares in (("max-age=60", False), ("max-age=60, public", True), ("s-maxage=60", True)):
        edge = Edge(None, (b"cache-control", control.encode()))
        assert (await edge.ask(headers=lines(**fields))).cache == "fwd=uri-miss; stored" * shares + "fwd=uri-miss" * (
            not shares
        )
        assert await edge.is_stored() is shares
        assert await edge.is_stored(headers=lines(**fields)) is shares


# Hosts (rule 53)


async def test_hosts_are_told_apart_by_name_and_port():
    edge = Edge()
    hosts = [b"h", b"H", b"h:80", b"h:81", b"g", b"h"]
    bodies = [(await ask_host(edge, host)).body for host in hosts]
    assert bodies == [b"1", b"1", b"1", b"2", b"3", b"1"]


async def test_one_name_stands_for_all_hosts():
    edge = Edge(host="shop.example")
    assert [(await ask_host(edge, host)).body for host in (b"a", b"b")] == [b"1", b"1"]
    assert await edge.app._home.found({})[0].invalidate_url_async("http://shop.example/")
    assert (await ask_host(edge, b"c")).body == b"2"


async def test_other_hosts_than_those_allowed_pass():
    edge = Edge(host=["Shop.example", "b:8080"])
    for host, cached in [(b"shop.example", 1), (b"shop.EXAMPLE:80", 1), (b"b:8080", 1), (b"b", 0), (b"evil", 0)]:
        await ask_host(edge, host)
        answer = await ask_host(edge, host)
        assert answer.cache == ("hit; ttl=60" if cached else "fwd=bypass")


async def test_what_another_middleware_stored_of_a_host_is_not_allowed_either():
    edge = Edge(host=["h"])
    app = CacheMiddleware(edge.origin, edge.backend, clock=edge.clock)
    headers = {"headers": [(b"host", b"evil")]}
    caches = [
        (await raw(app, **headers)).cache,
        (await raw(app, **headers)).cache,
        (await raw(edge.app, **headers)).cache,
    ]
    assert caches == ["fwd=uri-miss; stored", "hit; ttl=60", "fwd=bypass"]


async def test_two_host_fields_pass_and_none_is_the_servers_own():
    edge = Edge()
    for host in (b"a", b"b"):
        await ask_host(edge, host)
    two = [(b"host", b"a"), (b"host", b"b")]
    scopes = [{"headers": two}, {"headers": two}, {"headers": []}, {"headers": []}]
    caches = [(await raw(edge.app, **scope)).cache for scope in scopes]
    assert caches == ["fwd=bypass", "fwd=bypass", "fwd=uri-miss; stored", "hit; ttl=60"]


async def test_a_write_without_any_host_invalidates_its_own():
    edge = Edge(lambda scope, _: whole(b"x", FRESH, (b"location", b"/b")))
    nowhere = {"headers": [], "server": None}
    told = [(await raw(edge.app, **nowhere, method=method)).cache for method in ("GET", "PUT", "GET")]
    assert told == ["fwd=uri-miss; stored", "fwd=method", "fwd=uri-miss; stored"]


async def raw(app, **scope):
    """Ask with this header alone."""

    async def outer(given, receive, send):
        await app({**given, **scope}, receive, send)

    return await ask(outer)


async def ask_host(edge, host):
    return await raw(edge.app, headers=[(b"host", host)])


# What may not go wrong (rule 52)


@pytest.mark.parametrize(
    "fields",
    [
        {"cache_control": "max-age=a3600"}, {"cache_control": 'max-age="60'}, {"cache_control": "\0\xff"},
        {"expires": "0"}, {"age": "-1", "cache_control": "max-age=60"}, {"vary": ",,;"}, {"content_length": "ten"},
        {"etag": "broken", "cache_control": "max-age=0"}, {"cdn_cache_control": "max-age=60;;"}, {"date": "never"},
        {"cache_groups": "}{"}, {"content_range": "bytes x"}, {"last_modified": "\xe9"}, {"location": "http://["},
    ],
    ids=str,
)  # fmt: skip
async def test_no_field_of_the_app_makes_a_failure(fields):
    edge = Edge(lambda *_: whole(b"x", *lines(**fields)), profile="rfc9111")
    for method in ("GET", "GET", "HEAD", "POST", "GET"):
        assert (await edge.ask(method=method)).status == 200
    edge.clock.advance(100)
    assert (await edge.ask()).body == b"x"


# The service, and what it knows


async def test_the_cache_that_is_installed_is_used_from_outside_and_inside():
    def page(request):
        return PlainTextResponse("x", headers={"cache-control": "max-age=60"})

    for inside in (False, True):
        app = Starlette(routes=[Route("/", page)])
        install(app, CacheModule.setup(default="local"))
        if inside:
            app.add_middleware(CacheMiddleware)
        outer = app if inside else CacheMiddleware(app)
        assert [(await ask(outer)).cache for _ in range(2)] == ["fwd=uri-miss; stored", "hit; ttl=60"]
        service = app.state.asynccache.service
        assert await service.invalidate_url_async("http://h/")
        assert (await ask(outer)).cache == "fwd=uri-miss; stored"


async def test_without_a_cache_it_says_what_is_missing():
    app = CacheMiddleware(Origin(lambda *_: whole(b"x")))
    with pytest.raises(ConfigurationError, match=r"give it a service, .* or call install\(app"):
        await ask(app)


async def test_backends_versions_and_prefixes_keep_responses_apart():
    async with CacheService(default="local", pages="local") as service:
        origin = Origin(lambda scope, number: whole(b"%d" % number, FRESH))
        options = [{}, {"backend": "pages"}, {"version": 2}, {"key_prefix": "b"}]
        edges = [CacheMiddleware(origin, service, **given) for given in options]
        assert [(await ask(edge)).body for edge in edges * 2] == [b"1", b"2", b"3", b"4"] * 2
        assert await service.invalidate_url_async("http://h/", backend="pages")
        assert (await ask(edges[1])).body == b"5"


async def test_a_backend_may_be_given_by_that_name():
    for backend in (LocalMemCacheBackend(), "local://"):
        app = CacheMiddleware(Origin(lambda *_: whole(b"x", FRESH)), backend=backend)
        assert [(await ask(app)).cache for _ in range(2)] == ["fwd=uri-miss; stored", "hit; ttl=60"]


async def test_a_handler_gives_tags_and_forbids():
    async def app(scope, receive, send):
        note_in(scope).add_tags(["red"])
        if scope["path"] == "/mine":
            note_in(scope).forbid("a session was read")
        for message in (start(FRESH), part(b"x", more=True), part(b"y")):
            await send(message)

    async with CacheService(default="local") as service:
        outer = CacheMiddleware(CacheMiddleware(app, service, key_prefix="inner", name="inner"), service, debug=True)
        told = [(await ask(outer)).messages[0]["headers"][-1][1].partition(b"; key")[0] for _ in range(2)]
        await service.invalidate_tags_async("red")
        told.append((await ask(outer)).messages[0]["headers"][-1][1].partition(b"; key")[0])
        assert told == [b"asynccache; fwd=uri-miss", b"asynccache; hit; ttl=60", b"asynccache; fwd=uri-miss"]
        for path, detail in (("/", 'key="edge GET http://h/"'), ("/mine", 'detail="a session was read"')):
            assert detail in (await ask(outer, path)).messages[0]["headers"][-1][1].decode()
        assert (await ask(outer, "/mine")).header("cache-status") == "inner; fwd=uri-miss"


async def test_a_handler_may_answer_before_the_request_is_routed():
    class Handler:
        def reply_at_edge(self, scope, key, owner):
            return Reply(200, [], b"at once") if scope["query_string"] == b"now" else None

        async def answer_at_edge(self, scope, send, key, owner):
            for message in whole(f"{key} {owner}".encode()) if scope["query_string"] != b"no" else ():
                await send(message)
            return scope["query_string"] != b"no"

    async def app(scope, receive, send):
        note_in(scope).remember(Handler(), "key", "owner")
        for message in whole(b"routed"):
            await send(message)

    edge = Edge()
    edge.app = CacheMiddleware(app, edge.backend)
    assert await edge.bodies("/", "/", "/?no", "/?no") == [b"routed", b"key owner", b"routed", b"routed"]
    assert await edge.bodies("/?now", "/?now") == [b"routed", b"at once"]


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"profile": "strict"}, ConfigurationError, r"profile='strict': give one of \['rfc9111', 'safe'\]"),
        ({"profile": None}, TypeError, "profile=None: give str"),
        ({"targets": "CDN-Cache-Control"}, TypeError, r"give a collection of names, e.g. \('CDN-Cache-Control',\)"),
        ({"targets": ["CDN Cache"]}, ConfigurationError, "targets has 'CDN Cache', which is no name in HTTP"),
        ({"targets": [1]}, TypeError, "targets has 1: give names as str"),
        ({"default_ttl": -1}, ConfigurationError, "default_ttl=-1: give a number of seconds, 0 or more"),
        ({"default_ttl": float("nan")}, ConfigurationError, "default_ttl=nan: give a number of seconds"),
        ({"default_ttl": "60"}, TypeError, "default_ttl='60': give int or float"),
        ({"keep_stale": True}, TypeError, "keep_stale=True: give int or float"),
        ({"max_body": -1}, ConfigurationError, "max_body=-1: give a number of bytes"),
        ({"max_body": 1.5}, TypeError, "max_body=1.5: give int"),
        ({"timeout": -1}, ConfigurationError, "timeout=-1: give a number of seconds"),
        ({"host": ""}, ConfigurationError, "host='': give a whole name, as the Host field has it"),
        ({"host": "https://h"}, ConfigurationError, "host='https://h': give a whole name"),
        ({"host": ["*.h"]}, ConfigurationError, r"host='\*.h': give a whole name"),
        ({"host": []}, ConfigurationError, "host is empty: nothing would be cached"),
        ({"host": [b"h"]}, TypeError, "host has b'h': give names as str"),
        ({"host": 1}, TypeError, "host=1: give None, a name"),
        ({"backend": "pages"}, UnknownBackendError, r"no backend is called 'pages'; there are \['default'\]"),
        ({"backend": LocalMemCacheBackend()}, ConfigurationError, "beside a service: give the name of one"),
        ({"backend": "local://"}, ConfigurationError, "backend='local://' beside a service: give the name of one"),
        ({"backend": "redis://:hidden@h"}, ConfigurationError, r"backend='redis://:\*\*\*@h' beside"),
        ({"backend": None, "service": None}, TypeError, "backend=None: give the name"),
        ({"whole_ranges": 1}, TypeError, "whole_ranges=1: give bool"),
        ({"version": 1.5}, TypeError, "version=1.5: give str or int"),
        ({"key_prefix": None}, TypeError, "key_prefix=None: give str"),
        ({"name": ""}, ConfigurationError, "name='': give printable ASCII letters"),
        ({"debug": 1}, TypeError, "debug=1: give bool"),
        ({"etags": "weak"}, TypeError, "etags='weak': give bool"),
        ({"clock": 0}, ConfigurationError, "clock=0: give a function that returns seconds"),
        ({"service": "nowhere"}, ConfigurationError, "'nowhere' is no backend"),
        ({"app": None}, TypeError, "app=None: give an ASGI app"),
    ],
)  # fmt: skip
def test_arguments_that_make_no_sense_are_told_at_once(options, error, message):
    with pytest.raises(error, match=message):
        CacheMiddleware(**{"app": Origin(whole), "service": LocalMemCacheBackend(), **options})
