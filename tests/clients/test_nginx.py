"""A real nginx before the app, with the configurations of docs/cdn.md."""

import re
from contextlib import ExitStack
from pathlib import Path

import httpx2 as httpx
import pytest

from tests.http.over_sockets import serving
from tests.servers import Nginx
from tests.servers.process import wait_until

ROOT = Path(__file__).resolve().parents[2]
PASSING, STORING = re.findall(r"```nginx\n(.*?)```", (ROOT / "docs/cdn.md").read_text(), re.DOTALL)
HOST = {"host": "shop.example"}


@pytest.fixture
def nginx(launch):
    """Launch an nginx with a configuration before an app's address, and give a client of it."""
    with ExitStack() as opened:

        def start(site, origin):
            server = launch(Nginx(site, origin))
            return opened.enter_context(httpx.Client(base_url=f"http://{server.address}", headers=HOST))

        yield start


@pytest.fixture
def passing(url, nginx):
    """Give a client of an nginx that stores nothing."""
    return nginx(PASSING, url.removeprefix("http://"))


@pytest.fixture
def storing(url, nginx):
    """Give a client of an nginx that stores."""
    return nginx(STORING, url.removeprefix("http://"))


def by(response):
    """Give what each cache on the way says, the app's first."""
    return re.findall(r"; (hit|fwd=[a-z-]+)", response.headers["cache-status"])


def test_what_nginx_passes_on_is_found_in_the_app_under_the_name_that_the_client_typed(passing, shop):
    answers = [passing.get("/page") for _ in range(3)]
    assert [answer.text for answer in answers] == ["/page 1"] * 3
    assert [by(answer) for answer in answers] == [["fwd=uri-miss"], ["hit"], ["hit"]]
    assert by(passing.get("/page", headers={"host": "other.example"})) == ["fwd=uri-miss"]
    assert shop.hosts == {"shop.example", "other.example"}


def test_conditions_and_head_pass_nginx(passing, shop):
    etag = passing.get("/page").headers["etag"]
    answer = passing.get("/page", headers={"if-none-match": etag})
    assert (answer.status_code, answer.content, answer.headers["etag"], by(answer)) == (304, b"", etag, ["hit"])
    head = passing.head("/page")
    assert (head.status_code, head.headers["content-length"], by(head)) == (200, "7", ["hit"])
    assert shop.made["/page"] == 1


def test_a_client_gets_one_date_whatever_was_stored(passing):
    assert [len(passing.get("/page").headers.get_list("date")) for _ in range(2)] == [1, 1]


def test_nginx_stores_what_the_app_lets_it(storing, shop):
    first, second = (storing.get("/page") for _ in range(2))
    assert (by(first), by(second), second.text) == (
        ["fwd=uri-miss", "fwd=uri-miss"],
        ["fwd=uri-miss", "hit"],
        "/page 1",
    )
    assert len(shop.asked("/page")) == 1


@pytest.mark.parametrize("path", ["/news", "/private"])
def test_nginx_stores_nothing_that_is_not_for_all(storing, shop, path):
    assert [by(storing.get(path))[-1] for _ in range(3)] == ["fwd=uri-miss"] * 3


@pytest.mark.parametrize("carried", [{"authorization": "Bearer t"}, {"cookie": "a=b"}], ids=["authorization", "cookie"])
def test_who_carries_an_identity_passes_nginx_by(storing, shop, carried):
    storing.get("/page")
    assert [by(storing.get("/page", headers=carried))[1] for _ in range(2)] == ["fwd=bypass"] * 2
    assert storing.get("/page").text == "/page 1"


def test_each_variant_is_one_of_nginx_as_well(storing):
    def asked(language):
        return storing.get("/languages", headers={"accept-language": language}).text

    assert [asked(language) for language in ("de", "fr", "de", "fr")] == ["/languages 1 de", "/languages 2 fr"] * 2


def test_what_was_in_our_store_for_a_while_is_not_given_a_second_life(storing, shop):
    assert [by(storing.get("/old"))[1] for _ in range(2)] == ["fwd=uri-miss"] * 2
    assert (shop.made["/old"], len(shop.asked("/old"))) == (1, 2)


def test_nginx_answers_conditions_from_what_it_stores(storing, shop):
    etag = storing.get("/page").headers["etag"]
    assert storing.get("/page", headers={"if-none-match": etag}).status_code == 304
    assert len(shop.asked("/page")) == 1


def test_nginx_finds_the_app_on_a_unix_socket_and_the_app_knows_the_scheme(shop, nginx, tmp_path):
    socket = f"{tmp_path}/app"
    with serving(shop, path=socket, forwarded_allow_ips="*"):
        client = nginx(PASSING.replace("$scheme", "https"), f"unix:{socket}")
        assert [by(client.get("/page")) for _ in range(2)] == [["fwd=uri-miss"], ["hit"]]
        assert shop.schemes == {"https"}


def test_an_error_of_the_app_passes_both_and_stays_in_neither(storing, shop):
    shop.fails.add("/page")
    assert [storing.get("/page").status_code for _ in range(2)] == [500, 500]
    shop.fails.clear()
    assert storing.get("/page").text == "/page 1"


@pytest.mark.parametrize("shop", ["safe"], indirect=True)
def test_while_the_app_is_away_nginx_sends_what_the_app_allows_to_be_stale_and_nothing_else(shop, nginx):
    with serving(shop) as port:
        client = nginx(STORING, f"127.0.0.1:{port}")
        assert [client.get(path).status_code for path in ("/short", "/strict")] == [200, 200]
    wait_until(lambda: client.get("/strict").status_code == 502, "nginx lets its pages end")
    stale = client.get("/short")
    assert (stale.status_code, stale.text, by(stale)[-1]) == (200, "/short 1", "hit")
