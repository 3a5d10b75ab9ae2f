"""curl, with what it knows of conditions, ranges and files that are there in part."""

import subprocess

import pytest

from tests.clients.shop import said
from tests.servers import find


@pytest.fixture
def curl(url, tmp_path):
    """Run curl on a path of the shop; give the status, what its Cache-Status says, and the body."""
    program = find("curl")
    env = {"PATH": "/usr/bin:/bin", **program.env}
    wanted = "%{http_code} %header{cache-status}"

    def run(path, *words):
        body = tmp_path / "body"
        if "-C" not in words:
            body.unlink(missing_ok=True)
        command = [program.path, "-qsS", "--noproxy", "*", "-w", wanted, "-o", str(body), *words, f"{url}{path}"]
        told = subprocess.run(command, env=env, check=True, capture_output=True, text=True, timeout=20).stdout
        status, _, cache = told.partition(" ")
        return int(status), said(cache), body.read_bytes() if body.exists() else b""

    return run


def test_the_second_time_it_comes_from_the_store(curl):
    assert curl("/page") == (200, "fwd=uri-miss; stored", b"/page 1")
    assert curl("/page") == (200, "hit", b"/page 1")
    assert curl("/page", "--http1.0") == (200, "hit", b"/page 1")


def test_head_tells_what_get_would(curl, shop):
    curl("/page")
    assert curl("/page", "-I")[:2] == (200, "hit")
    assert shop.made["/page"] == 1


def test_a_file_that_it_has_is_not_sent_again(curl, tmp_path):
    etag = ("--etag-save", str(tmp_path / "etag"), "--etag-compare", str(tmp_path / "etag"))
    assert curl("/page", *etag) == (200, "fwd=uri-miss; stored", b"/page 1")
    assert curl("/page", *etag) == (304, "hit", b"")


def test_a_date_will_do_as_well(curl):
    curl("/page")
    assert curl("/page", "-z", "Sat, 01 Jan 2050 00:00:00 GMT") == (304, "hit", b"")
    assert curl("/page", "-z", "Sat, 01 Jan 2000 00:00:00 GMT") == (200, "hit", b"/page 1")


def test_a_file_that_it_has_in_part_is_made_whole(curl, shop, tmp_path):
    whole = curl("/long")[2]
    (tmp_path / "body").write_bytes(whole[:4000])
    assert curl("/long", "-C", "-") == (206, "hit", whole)
    assert shop.made["/long"] == 1


@pytest.mark.parametrize(
    ("words", "part"), [("0-3", slice(0, 4)), ("9000-", slice(9000, None)), ("-5", slice(-5, None))]
)
def test_a_part_is_cut_out_of_the_stored_whole(curl, shop, words, part):
    whole = curl("/long")[2]
    assert curl("/long", "-r", words) == (206, "hit", whole[part])
    assert shop.made["/long"] == 1


@pytest.mark.parametrize("shop", ["safe"], indirect=True)
def test_who_writes_ends_what_is_stored(curl):
    curl("/page")
    assert curl("/page", "-X", "POST")[:2] == (303, "fwd=method")
    assert curl("/page") == (200, "fwd=uri-miss; stored", b"/page 2")
