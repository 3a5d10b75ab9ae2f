"""`explain`: what it tells of a request, by which rule, and what scripts are told."""

import gc
import json

import pytest
from typer.testing import CliRunner

from asynccache.cli.commands import app
from tests.cli import windows

APP = "tests.cli.windows:app"


def run(*words, of=APP, code=0):
    result = CliRunner().invoke(app, ["explain", *words, "--app", of], env={"COLUMNS": "200"})
    assert result.exit_code == code, result.output
    return result


@pytest.fixture
def told():
    """Ask as scripts do; give the rows by whose they are and what they tell, and the verdict."""

    def told(*words, of=APP, code=0):
        found = json.loads(run(*words, "--json", of=of, code=code).stdout)
        assert found["cached"] is (code == 0)
        rows = {(row["about"], row["what"]): (row["found"], row["means"], row["rule"]) for row in found["rows"]}
        return rows, found["verdict"]

    return told


def test_what_a_cached_handler_reads_is_told_and_under_which_key_its_page_lies(told):
    rows, verdict = told("http://shop.example/products?b=2&a=1", "-H", "Accept-Language: de")
    assert verdict == "cached: asked again, it came from the store"
    assert rows["@Cache", "handler"][0] == "tests.cli.windows.products"
    assert rows["@Cache", "key"][0] == "GET http://shop.example/products?a=1&b=2"
    assert rows["@Cache", "headers read"][0] == "accept-language"
    assert rows["@Cache", "stored"][:2] == ("yes", "for 60 s, with the tags products")
    assert rows["what became of it", "again"][1] == "asynccache; hit"


def test_why_a_handler_is_not_cached_is_its_own_refusal(told):
    rows, verdict = told("/basket", code=1)
    assert rows["@Cache", "identity read"][0] == "cookie"
    assert rows["@Cache", "stored"][0] == "no"
    assert "the handler read cookie" in rows["@Cache", "stored"][1]
    assert verdict == f"not cached: {rows['@Cache', 'stored'][1]}"
    assert told("/brief", code=1)[1] == "not cached: asked again, the app made it anew"


@pytest.mark.parametrize(
    ("path", "words", "safe", "full"),
    [
        ("/fresh", (), "hit", "hit"),
        ("/fresh", ("-H", "Authorization: Bearer t"), "RFC 9111 3.5", "RFC 9111 3.5"),
        ("/fresh", ("-H", "Cookie: a=b"), "asynccache: safe", "hit"),
        ("/fresh", ("-H", "Cache-Control: no-cache"), "hit", "asks the app"),
        ("/private", (), "RFC 9111 5.2.2.7", "RFC 9111 5.2.2.7"),
        ("/checked", (), "asks the app", "asks the app"),
        ("/login", (), "asynccache: safe", "hit"),
        ("/guess", (), "asks the app", "hit"),
        ("/edge", (), "hit", "hit"),
        ("/odd", (), "RFC 9111 4.1", "RFC 9111 4.1"),
        ("/missing", (), "RFC 9111 3", "RFC 9111 3"),
    ],
)
def test_what_each_profile_would_do_is_told_with_the_rule_that_says_so(told, path, words, safe, full):
    rows = told(path, *words, code=1)[0]
    for profile, expected in (("safe", safe), ("rfc9111", full)):
        stored = rows[f"CacheMiddleware, {profile}", "stored"]
        again = rows.get((f"CacheMiddleware, {profile}", "the same again"), stored)
        assert (again[0] if stored[0] == "yes" else stored[2]) == expected


@pytest.mark.parametrize("profile", ["safe", "rfc9111"])
@pytest.mark.parametrize("path", ["/fresh", "/private", "/login", "/edge", "/odd"])
def test_what_a_profile_would_do_is_what_it_does(told, path, profile):
    would = told(path, code=1)[0].get((f"CacheMiddleware, {profile}", "the same again"), ("",))[0]
    told(path, "--profile", profile, code=0 if would == "hit" else 1)


def test_where_the_lifetime_comes_from_is_told(told):
    assert told("/fresh", code=1)[0]["answer", "lifetime"][:2] == ("60 s", "by max-age")
    rows = told("/edge", code=1)[0]
    assert rows["answer", "CDN-Cache-Control"][2] == "RFC 9213 2.2"
    assert rows["answer", "lifetime"][:2] == ("600 s", "by max-age")
    assert "rfc9111 guesses 86400 s" in told("/guess", code=1)[0]["answer", "lifetime"][1]


def test_secrets_of_the_request_and_cookies_of_the_answer_are_not_shown():
    shown = run("/login", "-H", "Authorization: Bearer hidden", "-H", "Cookie: hidden", "--json", code=1).output
    assert "hidden" not in shown
    assert "session=secret" not in shown


@pytest.mark.parametrize(("path", "of"), [("/products", "app"), ("/guess", "create_app()"), ("/guess", "lazy")])
def test_the_stores_of_the_app_are_left_alone_wherever_it_keeps_them(told, path, of):
    assert told(path, of=f"tests.cli.windows:{of}")[1].startswith("cached")  # with its own, which is away, it is not


def test_the_stores_of_an_app_that_froze_its_garbage_are_left_alone_as_well(told):
    gc.freeze()  # as servers do before they fork: then nobody is told of what there is
    assert told("/products", of="tests.cli.windows:app")[1].startswith("cached")


def test_a_store_that_the_lifespan_has_opened_is_left_alone_as_well():
    assert json.loads(run("/", "--json", of="tests.cli.windows:late", code=1).stdout)["statuses"] == [200, 200]


def test_what_may_change_something_is_sent_once_and_only_when_told_to(told):
    windows.calls.clear()
    assert "give --yes" in run("/fresh", "-X", "POST", code=2).stderr
    assert windows.calls == []
    rows, verdict = told("/fresh", "-X", "post", "--yes", code=1)
    assert (windows.calls, verdict) == (["POST"], "not cached: it was asked once")
    assert rows["request", "method"][2] == "RFC 9111 4.4"


def test_an_app_that_raises_is_told_of_beside_its_answer(told):
    rows = told("/broken", code=1)[0]
    assert rows["what became of it", "first"][0].endswith("and it raised RuntimeError: no stock")


def test_a_handler_without_a_cache_is_told_how_to_get_one(told):
    assert "--profile tries one" in told("/fresh", code=1)[1]


def test_people_get_a_table_and_one_line():
    shown = run("/products")
    assert "RFC 9111 4.2.1" in shown.stdout
    assert shown.stderr.endswith("cached: asked again, it came from the store\n")


@pytest.mark.parametrize(
    ("words", "of", "code", "message"),
    [
        (["/"], "tests.cli.windows", 2, "write module:app"),
        (["/"], "tests.cli.windows:nothing", 2, "cannot be found"),
        (["/"], "tests.cli.nowhere:app", 2, "cannot be found"),
        (["/"], "tests.cli.broken:app", 2, "ZeroDivisionError"),
        (["/"], "tests.cli.windows:AWAY", 2, "is no ASGI app"),
        (["products"], APP, 2, "give a URL"),
        (["ftp://shop.example/"], APP, 2, "give a URL"),
        (["/ö"], APP, 2, "give a URL"),
        (["/", "-H", "nonsense"], APP, 2, "'Name: value'"),
        (["/", "--profile", "odd"], APP, 2, "['rfc9111', 'safe']"),
        (["/"], "tests.cli.windows:down", 4, "no database"),
        (["/"], "tests.cli.windows:silent", 4, "what is http?"),
    ],
)
def test_what_is_wrong_is_told_and_by_the_code(words, of, code, message):
    shown = run(*words, of=of, code=code)
    assert message in shown.output
