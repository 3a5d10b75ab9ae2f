"""httpx, which keeps its connection: one byte too many or too few in an answer, and the next one fails."""

import asyncio

import httpx2 as httpx
import pytest


@pytest.fixture
def client(url):
    with httpx.Client(base_url=url) as client:
        yield client


def test_answers_of_all_kinds_follow_each_other_on_one_connection(client, shop):
    etag = client.get("/long").headers["etag"]
    for _ in range(2):
        assert client.get("/long").text.startswith("/long 1 0123")
        assert client.get("/long", headers={"if-none-match": etag}).status_code == 304
        assert client.head("/long").headers["content-length"] == "10008"
        assert client.get("/long", headers={"range": "bytes=2-5"}).text == "ong "
        assert client.get("/long", headers={"range": "bytes=90000-"}).status_code == 416
        assert client.get("/missing").status_code == 404
    assert (shop.made["/long"], len(shop.clients)) == (1, 1)


async def test_fifty_at_once_run_the_handler_once(url, shop):
    async with httpx.AsyncClient(base_url=url) as client:
        answers = await asyncio.gather(*(client.get("/slow") for _ in range(50)))
    assert {answer.text for answer in answers} == {"/slow 1"}
    assert shop.made["/slow"] == 1


async def test_who_hangs_up_fails_nobody(url, shop):
    async with httpx.AsyncClient(base_url=url) as client:
        with pytest.raises(httpx.TimeoutException):
            await client.get("/slow", timeout=0.02)
        assert (await client.get("/slow")).text in {"/slow 1", "/slow 2"}


def test_languages_are_apart(client):
    def asked(language):
        return client.get("/languages", headers={"accept-language": language}).text

    assert [asked(language) for language in ("de", "fr", "de")] == [
        "/languages 1 de",
        "/languages 2 fr",
        "/languages 1 de",
    ]
