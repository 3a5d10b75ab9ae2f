import gc
import os
import signal
import subprocess
import sys
import time
import weakref

from asynccache.backends.local_cache import LocalMemCacheBackend


def until(condition, seconds=5.0):
    limit = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < limit, "it did not happen"
        time.sleep(0.005)


def run(script):
    """Run a script in a fresh interpreter, which must end well and tell what the test expects."""
    command = [sys.executable, "-W", "error", "-c", script]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


def test_entries_that_expire_are_freed_unread():
    cache = LocalMemCacheBackend()
    for number in range(5000):
        cache.set(f"k{number}", "x" * 1000, ttl=0.1 + number / 10_000)
    cache.set("mutable", [1], ttl=0.2)
    cache.set("stays", 1)
    assert cache.stats()["entries"] > 1
    until(lambda: cache.stats()["entries"] == 1, 2.0)
    assert cache.stats()["expired"] == 5001
    assert cache.get("stays") == 1
    assert len(cache._do.store._queues) < 100


def test_one_thread_serves_all_and_ends_when_nothing_is_to_expire():
    script = """
import threading, time
from asynccache.backends.local_cache import LocalMemCacheBackend
caches = [LocalMemCacheBackend(ttl=0.1) for _ in range(20)]
for _ in range(2):
    for cache in caches:
        cache.set("k", 1)
    print(threading.active_count())
    limit = time.monotonic() + 5
    while threading.active_count() > 1 and time.monotonic() < limit:
        time.sleep(0.01)
    print(threading.active_count(), sum(cache.has_key("k") for cache in caches))
"""
    assert run(script) == ["2", "1", "0"] * 2


def test_sooner_entry_does_not_wait_for_a_later_one():
    cache = LocalMemCacheBackend()
    cache.set("later", 1, ttl=1)
    time.sleep(0.05)
    cache.set("sooner", 1, ttl=0.05)
    until(lambda: not cache.has_key("sooner"), 0.5)
    assert cache.has_key("later")
    cache.delete("later")


def test_backend_that_nobody_has_is_let_go_though_entries_are_pending():
    cache = LocalMemCacheBackend()
    cache.set("k", [1], ttl=1)
    time.sleep(0.05)  # the reaper has seen it
    store = weakref.ref(cache._do.store)
    del cache
    gc.collect()
    assert store() is None


def test_nothing_is_started_by_the_import_nor_by_what_stays_for_ever():
    assert run(
        "import threading\n"
        "from asynccache.backends.local_cache import LocalMemCacheBackend as Local\n"
        "from asynccache.testing import FakeClock\n"
        "cache = Local(ttl=None)\n"
        "cache.set('k', 1); cache.get('k'); cache.incr('n')\n"
        "Local(clock=FakeClock()).set('k', 1)\n"
        "print(threading.active_count())\n"
        "cache.set('k', 1, ttl=60)\n"
        "print(threading.active_count())\n"
    ) == ["1", "2"]


def test_forked_child_has_a_copy_that_expires():
    script = """
import os, time
from asynccache.backends.local_cache import LocalMemCacheBackend
cache = LocalMemCacheBackend()
cache.set("brief", [1], ttl=0.3)
cache.set("long", [2], ttl=60)
child = os.fork()
cache.set("whose", "child" if child == 0 else "parent")
assert cache.get("brief") == [1]
time.sleep(0.5)
assert cache.get("brief") is None
assert (cache.get("long"), cache.get("whose")) == ([2], "child" if child == 0 else "parent")
cache.set("again", 1, ttl=0.1)
time.sleep(0.3)
assert cache.stats()["expired"] == 2, cache.stats()
if child == 0:
    os._exit(0)
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
print("well")
"""
    assert run(script) == ["well"]


def test_fork_while_threads_write_leaves_a_whole_store_and_free_locks():
    script = """
import os, sys, threading, time, warnings
warnings.simplefilter("ignore", DeprecationWarning)  # that a process with threads forks is what this is about
from asynccache.backends.local_cache import LocalMemCacheBackend
sys.setswitchinterval(1e-5)
caches = [LocalMemCacheBackend(max_entries=200) for _ in range(3)]
stop = threading.Event()
def write(number):
    while not stop.is_set():
        for cache in caches:
            for key in range(20):
                cache.set(f"{number} {key}", "x" * key, ttl=0.01 + key / 100)
                cache.delete(f"{number} {key - 7}")
threads = [threading.Thread(target=write, args=(number,)) for number in range(4)]
for thread in threads:
    thread.start()
children = []
for _ in range(10):
    child = os.fork()
    if child == 0:
        for cache in caches:
            for key in range(300):
                cache.set(f"mine {key}", key, ttl=60)
            stats, store = cache.stats(), cache._do.store
            slots = [slot for space in store._spaces for slot in space.slots.values()]
            assert stats["entries"] == len(slots) <= 200
            assert stats["bytes"] == 16 * sum(slot.units for slot in slots)
        time.sleep(0.4)
        assert all(cache.stats()["entries"] <= 200 for cache in caches)
        assert not any(cache.has_key("0 19") for cache in caches)
        os._exit(0)
    children.append(child)
assert {os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children} == {0}
stop.set()
for thread in threads:
    thread.join()
time.sleep(0.4)
assert sum(cache.stats()["entries"] for cache in caches) == 0
print("well")
"""
    assert run(script) == ["well"]


def test_stopped_process_forgets_soon_after_it_goes_on():
    script = """
import sys, time
from asynccache.backends.local_cache import LocalMemCacheBackend
cache = LocalMemCacheBackend()
cache.set("k", 1, ttl=0.3)
print("ready", flush=True)
sys.stdin.readline()
time.sleep(0.05)
print(cache.has_key("k"))
"""
    child = subprocess.Popen([sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    with child:
        assert child.stdout.readline() == "ready\n"
        os.kill(child.pid, signal.SIGSTOP)
        time.sleep(0.5)
        os.kill(child.pid, signal.SIGCONT)
        output, _ = child.communicate("go on\n", timeout=10)
    assert output == "False\n"
