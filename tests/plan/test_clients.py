"""A client lives as long as its loop, and is closed there."""

import asyncio
import gc
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from asynccache.plan.clients import LoopClients


class Client:
    """Notes on which loop it was made and closed."""

    def __init__(self) -> None:
        self.made_on = asyncio.get_running_loop()
        self.closed_on: list[asyncio.AbstractEventLoop] = []

    async def aclose(self) -> None:
        await asyncio.sleep(0)
        self.closed_on.append(asyncio.get_running_loop())


@pytest.fixture
def clients() -> LoopClients[Client]:
    return LoopClients(Client, Client.aclose)


async def current(clients: LoopClients[Client]) -> Client:
    return clients.current()


@pytest.fixture
def other_loop() -> Iterator[Callable[..., Client]]:
    """Run a coroutine on a loop that goes on running in another thread."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    yield lambda work: asyncio.run_coroutine_threadsafe(work, loop).result(5)
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.run_until_complete(loop.shutdown_asyncgens())
    loop.close()


async def test_one_loop_has_one_client(clients):
    assert clients.current() is clients.current()
    await clients.aclose()


async def test_another_loop_has_another_client(clients, other_loop):
    assert clients.current() is not other_loop(current(clients))
    await clients.aclose()


async def test_aclose_closes_here_and_on_loops_that_run_elsewhere(clients, other_loop):
    both = [clients.current(), other_loop(current(clients))]
    await clients.aclose()
    assert [client.closed_on for client in both] == [[client.made_on] for client in both]


def test_close_waits_for_the_other_loops(clients, other_loop):
    client = other_loop(current(clients))
    clients.close()
    assert client.closed_on == [client.made_on]


async def test_close_on_a_running_loop_closes_its_client_soon(clients):
    client = clients.current()
    clients.close()
    await asyncio.sleep(0.01)
    assert client.closed_on == [client.made_on]


def test_close_gives_up_on_a_loop_that_is_blocked(clients, other_loop):
    client = other_loop(current(clients))
    release = threading.Event()
    client.made_on.call_soon_threadsafe(release.wait)
    began = time.monotonic()
    clients.close()
    took = time.monotonic() - began
    release.set()
    assert took > 0.9


async def test_it_can_be_used_after_it_was_closed(clients):
    first = clients.current()
    await clients.aclose()
    await clients.aclose()
    assert clients.current() is not first
    await clients.aclose()


def test_loop_that_ends_closes_its_client(clients):
    first = asyncio.run(current(clients))
    second = asyncio.run(current(clients))
    assert first.closed_on == [first.made_on]
    assert second.closed_on == [second.made_on]
    assert clients._kept == {}


def test_client_closed_by_hand_is_not_closed_again_by_the_end_of_its_loop(clients):
    async def use() -> Client:
        client = clients.current()
        await clients.aclose()
        return client

    assert len(asyncio.run(use()).closed_on) == 1


def test_loop_closed_without_shutting_down_is_forgotten(clients):
    loop = asyncio.new_event_loop()
    loop.run_until_complete(current(clients))
    loop.close()
    asyncio.run(current(clients))
    assert clients._kept == {}


async def test_client_is_closed_when_its_owner_is_forgotten(clients):
    client = LoopClients(Client, Client.aclose).current()
    gc.collect()
    await asyncio.sleep(0.01)
    assert client.closed_on == [client.made_on]


def test_many_threads_with_loops_of_their_own(clients):
    with ThreadPoolExecutor(8) as threads:
        made = list(threads.map(lambda _: asyncio.run(current(clients)), range(50)))
    assert len(set(made)) == 50
    assert all(client.closed_on == [client.made_on] for client in made)


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_forked_child_that_goes_on_with_a_loop_has_a_client_of_its_own(clients):
    loop = asyncio.new_event_loop()
    client = loop.run_until_complete(current(clients))
    if (child := os.fork()) == 0:
        mine = loop.run_until_complete(current(clients))
        os._exit(1 if mine is client else 0)
    assert os.waitpid(child, 0)[1] == 0
    assert loop.run_until_complete(current(clients)) is client
    loop.run_until_complete(loop.shutdown_asyncgens())
    loop.close()


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_forked_child_leaves_its_parents_clients_alone(clients, other_loop):
    client = other_loop(current(clients))
    reader, writer = os.pipe()
    if (child := os.fork()) == 0:
        clients.close()
        mine = asyncio.run(current(clients))
        fine = mine is not client and len(mine.closed_on) == 1 and not client.closed_on
        os.write(writer, b"y" if fine else b"n")
        os._exit(0)
    os.waitpid(child, 0)
    assert os.read(reader, 1) == b"y"
    os.close(reader)
    os.close(writer)
    assert other_loop(current(clients)) is client
    clients.close()


def test_process_that_ends_closes_what_its_sync_calls_opened():
    code = """
from asynccache.plan.clients import LoopClients
from asynccache.plan.portal import portal

class Client:
    async def aclose(self):
        print("closed")

clients = LoopClients(Client, Client.aclose)

async def use():
    clients.current()

portal.finish(use())
"""
    ended = subprocess.run([sys.executable, "-X", "dev", "-W", "error", "-c", code], capture_output=True, check=True)
    assert (ended.stdout, ended.stderr) == (b"closed\n", b"")
