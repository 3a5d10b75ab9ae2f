"""Where a backend is called from: threads, loops, tasks that are cancelled, forked children, after closing."""

from __future__ import annotations

import asyncio
import faulthandler
import os
import threading
import traceback
import warnings
from typing import TYPE_CHECKING

import pytest

from asynccache.model import Capability
from asynccache.testing.contract.base import ContractBase

if TYPE_CHECKING:
    from collections.abc import Callable

    from asynccache.model import BaseCacheBackend
    from asynccache.testing.contract.base import Flavoured


def use(backend: BaseCacheBackend, key: str) -> None:
    """Call every sync operation."""
    backend.set(key, 1)
    backend.add(key, 2)
    backend.set_many({f"{key} of many": 1})
    assert isinstance(backend.incr(key), int)
    assert isinstance(backend.decr(key), int)
    assert isinstance(backend.touch(key, 60), bool)
    assert backend.get(key) == (1 if backend.has_key(key) else None)
    assert len(backend.get_many([key])) == backend.delete_many([key])
    assert backend.delete(key) is False


async def use_async(backend: BaseCacheBackend, key: str) -> None:
    """Call every async operation."""
    await backend.set_async(key, 1)
    await backend.add_async(key, 2)
    await backend.set_many_async({f"{key} of many": 1})
    assert isinstance(await backend.incr_async(key), int)
    assert isinstance(await backend.decr_async(key), int)
    assert isinstance(await backend.touch_async(key, 60), bool)
    assert await backend.get_async(key) == (1 if await backend.has_key_async(key) else None)
    assert len(await backend.get_many_async([key])) == await backend.delete_many_async([key])
    assert await backend.delete_async(key) is False


def _fork_and(work: Callable[[], object]) -> int:
    """Do the work in a forked child, which never returns from here; give its process id to the parent."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of fork beside threads: that is the case
        child = os.fork()
    if child == 0:
        faulthandler.dump_traceback_later(10, exit=True)
        try:
            work()
        except BaseException:  # noqa: BLE001  # a child must not run on into the parent's tests
            traceback.print_exc()
            os._exit(1)
        os._exit(0)
    return child


class SurroundingsContract(ContractBase):
    """The service is one object for a whole application, wherever that calls it from."""

    async def test_concurrent_callers_get_what_is_theirs(self, cache: Flavoured) -> None:
        async def visit(number: int) -> None:
            mine = {f"{number}": f"value {number}", f"{number} too": [number]}
            await cache.set_many(mine)
            if cache.can(Capability.KEEPS_ENTRIES):
                assert await cache.get(f"{number}") == f"value {number}"
                assert await cache.get_many(mine) == mine
                assert await cache.incr(f"count {number}", number) == number

        await asyncio.gather(*[visit(number) for number in range(40)])

    async def test_cancelled_calls_harm_nobody(self, cache: Flavoured) -> None:
        backend, keeps = cache.backend, cache.can(Capability.KEEPS_ENTRIES)
        values = {f"k{number}": f"value {number}" for number in range(10)}
        await cache.set_many(values)
        for ticks in range(40):
            key, other = f"k{ticks % 10}", f"k{(ticks + 1) % 10}"
            calls = [backend.get_async(key), backend.set_async(key, values[key]), backend.incr_async("n")]
            tasks = [asyncio.ensure_future(call) for call in calls]
            for _ in range(ticks % 8):
                await asyncio.sleep(0)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            if keeps:
                assert await backend.get_async(other) == values[other]
        if keeps:
            assert await cache.get_many(values) == values

    async def test_sync_operations_work_inside_a_running_loop(self, cache: Flavoured) -> None:
        use(cache.backend, "k")
        await use_async(cache.backend, "k")
        use(cache.backend, "k")

    async def test_sync_operations_work_in_plain_threads(self, cache: Flavoured) -> None:
        failures: list[BaseException] = []

        def work(key: str) -> None:
            try:
                for _ in range(5):
                    use(cache.backend, key)
            except BaseException as failure:  # noqa: BLE001  # handed to the test
                failures.append(failure)

        threads = [threading.Thread(target=work, args=(f"k{number}",)) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            await asyncio.to_thread(thread.join)
        assert failures == []

    async def test_several_loops_use_it_one_after_the_other(self, cache: Flavoured) -> None:
        async def visit() -> None:
            await use_async(cache.backend, "k")
            use(cache.backend, "k")
            await use_async(cache.backend, "k")

        await visit()
        for _ in range(3):
            await asyncio.to_thread(asyncio.run, visit())
        await visit()

    async def test_several_loops_use_it_at_the_same_time(self, cache: Flavoured) -> None:
        async def visit(name: str) -> None:
            await asyncio.gather(*[use_async(cache.backend, f"{name} {number}") for number in range(5)])

        await asyncio.gather(*[asyncio.to_thread(asyncio.run, visit(f"loop {number}")) for number in range(4)])

    @pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
    async def test_forked_child_and_its_parent_both_go_on(self, cache: Flavoured) -> None:
        def in_child() -> None:
            use(cache.backend, "child")
            asyncio.run(use_async(cache.backend, "child"))
            cache.backend.set("from the child", 1)

        use(cache.backend, "k")
        await use_async(cache.backend, "k")
        child = _fork_and(in_child)
        for _ in range(20):
            use(cache.backend, "k")
            await use_async(cache.backend, "k")
        _, status = await asyncio.to_thread(os.waitpid, child, 0)
        assert os.waitstatus_to_exitcode(status) == 0
        if cache.can(Capability.SHARED):
            assert await cache.get("from the child") == 1
        use(cache.backend, "k")
        await use_async(cache.backend, "k")

    async def test_it_can_be_used_after_it_was_closed(self, cache: Flavoured) -> None:
        await cache.set("k", 1)
        await cache.close()
        await cache.close()
        use(cache.backend, "k")
        await use_async(cache.backend, "k")
