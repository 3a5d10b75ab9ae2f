"""What a peer that does not speak as memcached does must not lead to; each test class says which backend it is."""

import asyncio
from traceback import format_exception

import pytest

from asynccache.errors import BackendUnavailableError
from tests.backends.peer import DELETES, END, READS, STARTS, WRITES, Peer, hit


class Nonsense:
    @pytest.mark.parametrize("reply", READS.values(), ids=READS)
    async def test_reply_to_a_read_that_makes_no_sense_is_no_value(self, make, reply):
        async with Peer(make, reply).cache() as cache:
            assert await cache.get_async("k", default="a miss") == "a miss"
            assert cache.stats()["errors"] == 1
            for operation in (cache.incr_async("k"), cache.touch_async("k")):
                with pytest.raises(BackendUnavailableError):
                    await operation

    @pytest.mark.parametrize("reply", WRITES)
    async def test_reply_to_a_write_that_makes_no_sense_is_no_success(self, make, reply):
        async with Peer(make, reply, keeps_notebook=True).cache() as cache:
            assert await cache.set_async("k", 1) is False
            assert await cache.set_many_async({"k": 1}) == ["k"]
            with pytest.raises(BackendUnavailableError):
                await cache.add_async("k", 1)

    @pytest.mark.parametrize("reply", DELETES)
    async def test_reply_to_a_delete_that_makes_no_sense_is_no_success(self, make, reply):
        async with Peer(make, reply, keeps_notebook=True).cache() as cache:
            with pytest.raises(BackendUnavailableError):
                await cache.delete_async("k")
            with pytest.raises(BackendUnavailableError):
                await cache.delete_many_async(["k"])

    @pytest.mark.parametrize("start", STARTS)
    async def test_bytes_that_may_be_a_value_get_into_no_log_and_no_error(self, make, start, caplog):
        caplog.set_level("DEBUG")
        async with Peer(make, start + b"canary" * 5 + b"\r\n").cache(on_error="raise") as cache:
            for operation in (cache.get_async, cache.delete_async, cache.incr_async, cache.get_async):
                with pytest.raises(BackendUnavailableError) as raised:
                    await operation("k")
                assert "canary" not in "".join(format_exception(raised.value))
        assert "canary" not in caplog.text
        assert "down" in caplog.text


class NonsenseToTheLoop(Nonsense):
    """To those that speak for themselves, from the loop."""

    @pytest.mark.parametrize("part", [0, 1, 10, 45, 120])
    async def test_connection_closed_within_a_reply_is_no_value_and_no_frozen_loop(self, make, part):
        peer = Peer(make, None)
        reply = hit("k", "v")

        async def cut(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readline()
            writer.write(reply[:part])
            writer.close()

        peer.serve = cut
        async with peer.cache() as cache:
            for operation in (cache.get_async("k"), cache.get_many_async(["k"]), cache.has_key_async("k")):
                assert not await operation
            with pytest.raises(BackendUnavailableError):
                await cache.delete_async("k")

    async def test_reply_that_comes_late_is_not_the_answer_to_the_next_question(self, make):
        peer = Peer(make, END)
        peer.late = hit("k", "stale")
        async with peer.cache() as cache:
            for connections in (1, 2, 3):
                assert await cache.get_async("k") is None
                assert peer.connections == connections
                while peer.lates < connections:
                    await asyncio.sleep(0.005)
                await asyncio.sleep(0.005)  # in which the loop reads it, before it is asked anything else

    async def test_connection_that_ended_well_is_used_again(self, make):
        peer = Peer(make, hit("k", "v"))
        async with peer.cache() as cache:
            assert [await cache.get_async("k") for _ in range(5)] == ["v"] * 5
            assert peer.connections == 1
