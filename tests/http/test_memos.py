"""What handlers remember of requests is bounded, however many different ones come."""

from starlette.responses import PlainTextResponse

from asynccache import Cache
from asynccache.backends.local_cache import LocalMemCacheBackend
from asynccache.core.page_keys import prefixed
from asynccache.http import ask as asking
from asynccache.http import pages, variants
from asynccache.http.ask import Keys
from asynccache.http.snapshot import Spec
from tests.conftest import LONG
from tests.http.serving import app_of, ask, scope_of

MOST = 4096
REQUESTS = 1_000_000 if LONG else 30_000


def test_keys_of_urls_that_come_once_are_not_kept():
    keys = Keys("shop.page", prefixed(""))
    most = 0
    for number in range(REQUESTS):
        keys.of(scope_of(f"/page/{number}?a={number}"), b"shop.example")
        most = max(most, len(keys.known))
    assert 1 < most <= MOST == asking._REMEMBERED


def test_keys_of_variants_that_come_once_are_not_kept():
    spec = Spec((b"x-a",), b"12345678")
    for number in range(REQUESTS):
        owner, value = ("shop.page", "", f"/{number}"), b"%d" % number
        variants.variant_of(f"GET http://h/{number}", owner, spec, (value,))
    assert len(variants._variants) <= MOST
    for number in range(100):
        variants.variant_of("GET http://h/" + "long" * 500 + str(number), owner, spec, (b"x" * 5000,))
    assert max(len(key) for key in variants._variants.values()) < 2000


async def test_requests_that_come_once_leave_nothing_but_pages():
    async def page(request):
        return PlainTextResponse(request.headers.get("x-a", ""))

    backend = LocalMemCacheBackend(max_entries=100)
    app = app_of(Cache()(page), backend=backend)
    for number in range(REQUESTS // 10):
        await ask(app, f"/{number}", headers=[(b"x-a", b"%d" % number)])
    assert backend.stats()["entries"] <= 100
    assert len(pages._hints) <= MOST
    assert len(variants._variants) <= MOST
