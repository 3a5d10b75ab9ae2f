"""A browser that is led from page to page: what it asks of the server, by which conditions, and what its user sees."""

import pytest

from tests.servers import Chromium


@pytest.fixture(scope="module")
def chromium():
    with Chromium() as browser:
        yield browser


@pytest.fixture
def tab(chromium):
    window = chromium.tab()
    yield window
    window.close()


def asked(shop, path):
    """Give the status and our word on each answer, and whether it was asked for on a condition."""
    return [(status, cache, "if-none-match" in asking) for asking, status, cache in shop.asked(path)]


def test_reload_is_answered_by_304_and_shows_the_page(tab, url, shop):
    assert [tab.open(f"{url}/page"), tab.reload(), tab.reload()] == ["/page 1"] * 3
    assert asked(shop, "/page") == [(200, "fwd=uri-miss; stored", False), (304, "hit", True), (304, "hit", True)]


def test_back_and_links_ask_nothing_while_a_page_is_fresh(tab, url, shop):
    shown = [tab.open(f"{url}/page"), tab.open(f"{url}/languages"), tab.back(), tab.open(f"{url}/page")]
    assert [text.split()[:2] for text in shown] == [[path, "1"] for path in ("/page", "/languages", "/page", "/page")]
    assert len(shop.asked("/page")) == 1


def test_another_visitor_is_answered_from_the_store(chromium, tab, url, shop):
    assert tab.open(f"{url}/page") == "/page 1"
    other = chromium.tab()
    assert other.open(f"{url}/page") == "/page 1"
    assert asked(shop, "/page")[1] == (200, "hit", False)
    other.close()


def test_reload_past_the_cache_does_not_make_the_page_anew(tab, url, shop):
    assert [tab.open(f"{url}/page"), tab.reload(past_the_cache=True)] == ["/page 1", "/page 1"]
    assert shop.asked("/page")[1] == ({"cache-control": "no-cache", "pragma": "no-cache"}, 200, "hit")


def test_a_script_gets_what_the_address_bar_gets(tab, url, shop):
    tab.open(f"{url}/page")
    assert tab.run("fetch('/page').then(answer => answer.text())") == "/page 1"
    assert tab.run("fetch('/page', {cache: 'no-cache'}).then(answer => answer.text())") == "/page 1"
    assert asked(shop, "/page") == [(200, "fwd=uri-miss; stored", False), (304, "hit", True)]


def test_after_a_change_reload_shows_the_new_page_and_back_the_one_that_was_seen(tab, url, shop):
    tab.open(f"{url}/page")
    tab.open(f"{url}/languages")
    shop.invalidate(f"{url}/page")
    assert tab.back() == "/page 1"
    assert tab.reload() == "/page 2"
    assert asked(shop, "/page")[1:] == [(200, "fwd=uri-miss; stored", True)]


def test_who_logs_in_sees_a_page_of_their_own_and_nobody_else_does(chromium, tab, url):
    stranger, ben = chromium.tab(), chromium.tab()
    assert stranger.open(f"{url}/hello") == "hello stranger"
    for visitor, name in ((tab, "Ann"), (ben, "Ben")):
        assert visitor.open(f"{url}/login?name={name}") == "welcome"
        assert visitor.open(f"{url}/hello") == f"hello {name}"
    assert [visitor.reload() for visitor in (tab, ben, stranger)] == ["hello Ann", "hello Ben", "hello stranger"]
    for visitor in (stranger, ben):
        visitor.close()


@pytest.mark.parametrize("shop", ["safe"], indirect=True)
@pytest.mark.parametrize(("path", "times"), [("/news", 1), ("/checked", 1), ("/draft", 2)])
def test_back_shows_what_was_seen_unless_it_must_not_be_kept(tab, url, shop, path, times):
    tab.open(f"{url}{path}")
    tab.open(f"{url}/page")
    assert tab.back() == f"{path} {times}"
    assert len(shop.asked(path)) == times


@pytest.mark.parametrize("shop", ["rfc9111"], indirect=True)
def test_by_the_letter_of_the_rfc_reload_asks_the_app(tab, url, shop):
    assert [tab.open(f"{url}/page"), tab.reload(), tab.reload(past_the_cache=True)] == ["/page 1", "/page 2", "/page 3"]
    said = [cache for _, _, cache in shop.asked("/page")]
    assert said == ["fwd=uri-miss; stored", "fwd=request; stored", "fwd=request; stored"]


@pytest.mark.parametrize("shop", ["safe"], indirect=True)
def test_what_the_app_wants_asked_for_each_time_is_sent_once(tab, url, shop):
    assert [tab.open(f"{url}/news"), tab.open(f"{url}/page"), tab.open(f"{url}/news")] == [
        "/news 1",
        "/page 1",
        "/news 1",
    ]
    assert [(status, "if-none-match" in asking) for asking, status, _ in shop.asked("/news")] == [
        (200, False),
        (304, True),
    ]
