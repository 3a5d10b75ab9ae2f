"""The contract suite itself: green for an honest backend in either mode of pytest-asyncio, red for dishonest ones."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

HONEST = """
from asynccache.backends.base import StoreBackend
from asynccache.core.entry import Kind
from asynccache.model import Capability
from asynccache.testing import BackendContract, FakeClock

class Honest(StoreBackend):
    capabilities = frozenset({Capability.KEEPS_ENTRIES, Capability.SUBSECOND_TTL})
    stored = {}

    async def _fetch(self, io, key):
        return self.stored.get(key)

    async def _store(self, io, key, raw, ttl):
        self.stored[key] = raw
        return True

    async def _drop(self, io, key):
        return self.stored.pop(key, None) is not None

clock = FakeClock()

class TestHonest(BackendContract):
    time_is_free = True

    def make_backend(self, **options):
        return Honest(clock=clock, **options)

    async def pass_time(self, seconds):
        clock.advance(seconds)
"""
DISHONEST = {
    "no falsy values": (
        """async def get_async(self, key, version=None, *, default=None):
        return await super().get_async(key, version) or default""",
        "test_value_comes_back_with_its_type[async-zero]",
    ),
    "forgets lifetimes": (
        """def lifetime(self, ttl):
        return float('inf')""",
        "test_entries_end_when_their_lifetime_does[sync]",
    ),
    "rounds lifetimes down": (
        """def lifetime(self, ttl):
        return float(int(super().lifetime(ttl)))""",
        "test_lifetime_below_a_second_is_not_rounded_down_to_nothing[sync]",
    ),
    "strips keys": (
        """def stored_key(self, key, version=None):
        return super().stored_key(key.strip(), version)""",
        "test_no_key_is_taken_for_another[async]",
    ),
    "ignores versions": (
        """def stored_key(self, key, version=None):
        return super().stored_key(key)""",
        "test_versions_are_apart_in_every_operation[sync]",
    ),
    "add overwrites": (
        """async def _add(self, io, key, raw, ttl):
        return await self._store(io, key, raw, ttl)""",
        "test_add_stores_only_where_nothing_is[sync]",
    ),
    "counters are not exact": (
        """async def _bump(self, io, key, delta, ttl):
        return int(float(await super()._bump(io, key, delta, ttl)))""",
        "test_extreme_steps_are_exact[async]",
    ),
    "counters lose their lifetime": (
        """async def _bump(self, io, key, delta, ttl):
        number = await super()._bump(io, key, delta, ttl)
        await self._touch(io, key, ttl)
        return number""",
        "test_entries_end_when_their_lifetime_does[async]",
    ),
    "says atomic and is not": (
        """capabilities = Honest.capabilities | {Capability.ATOMIC_COUNTERS}

    async def _add(self, io, key, raw, ttl):
        await io.offload(lambda: None)
        return True""",
        "test_one_of_many_concurrent_adds_wins[async]",
    ),
    "says shared and is not": (
        "capabilities = Honest.capabilities | {Capability.SHARED}",
        "test_forked_child_and_its_parent_both_go_on[async]",
    ),
    "promises in words": (
        "capabilities = Honest.capabilities | {'atomic'}",
        "test_capabilities_are_a_set_of_promises[sync]",
    ),
    "drops nothing when a value is refused": (
        """async def _closed(self, io, key, value, ttl, kind=Kind.VALUE):
        return self._encoded(key, value, ttl, kind)""",
        "test_value_that_cannot_be_stored_takes_the_old_one_with_it[sync]",
    ),
    "tells its secret": (
        """def __repr__(self):
        return f'<Dishonest {vars(self.serializer)}>'""",
        "test_repr_tells_the_name_and_no_secret[sync]",
    ),
    "twins drift": (
        """def touch(self, key, ttl=60, version=None):
        return super().touch(key, ttl, version)""",
        "test_twins_take_the_same_arguments[sync]",
    ),
    "forgets tags": (
        """def _is_current(self, frame):
        return True""",
        "test_invalidated_tag_takes_its_entries_and_no_others[sync]",
    ),
    "a tag that is invalidated takes all tags along": (
        """async def void(self, io, tags, version=None):
        self.fence.void(range(65_536))""",
        "test_several_tags_are_invalidated_together[async]",
    ),
    "says that it clears and clears nothing": (
        """capabilities = Honest.capabilities | {Capability.CLEARS}

    async def empty(self, io, version=None):
        self.stored.pop('', None)""",
        "test_clear_leaves_nothing_and_the_cache_goes_on[sync]",
    ),
    "clears more than its own": (
        """capabilities = Honest.capabilities | {Capability.CLEARS}

    async def empty(self, io, version=None):
        self.stored.clear()""",
        "test_clear_leaves_the_neighbours_alone[async]",
    ),
    "says fenced and is not": (
        "capabilities = Honest.capabilities | {Capability.FENCES}",
        "test_what_changed_meanwhile_is_not_overwritten[sync]",
    ),
    "says that it has locks and gives one to everybody": (
        """capabilities = Honest.capabilities | {Capability.LOCKS}

    async def claim_lock(self, io, key, lease, version=None):
        return await self.claim(io, key)""",
        "test_lock_has_one_holder_at_a_time[async]",
    ),
    "a delete that comes to nothing": (
        """async def remove(self, io, key, version=None):
        return False""",
        "test_delete_tells_whether_there_was_something[sync]",
    ),
    "a page is a value": (
        """async def read(self, io, key, version=None, kind=Kind.VALUE):
        return await super().read(io, key, version) or await super().read(io, key, version, Kind.PAGE)""",
        "test_page_is_a_miss_for_those_who_want_a_value[async]",
    ),
}


def run_pytest(folder: Path, source: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    (folder / "test_it.py").write_text(source)
    (folder / "pytest.ini").write_text(
        "[pytest]\nasyncio_default_fixture_loop_scope = function\nfilterwarnings = error\n"
    )
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *arguments]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("mode", ["auto", "strict"])
def test_suite_is_green_in_both_modes_of_pytest_asyncio(tmp_path: Path, mode: str) -> None:
    finished = run_pytest(tmp_path, HONEST, "-o", f"asyncio_mode={mode}", "test_it.py")
    assert finished.returncode == 0, finished.stdout
    assert " skipped" not in finished.stdout


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Run each test once with its dishonest backend and once with the honest one, all in one process."""
    source = HONEST + "".join(
        f"""
class Dishonest{number}(Honest):
    {method}

class TestDishonest{number}(TestHonest):
    def make_backend(self, **options):
        return Dishonest{number}(clock=clock, **options)
"""
        for number, (method, _) in enumerate(DISHONEST.values())
    )
    tests = [
        f"test_it.py::{suite}::{test}"
        for number, (_, test) in enumerate(DISHONEST.values())
        for suite in (f"TestDishonest{number}", "TestHonest")
    ]
    return run_pytest(tmp_path_factory.mktemp("dishonest"), source, "-rpf", *tests).stdout


@pytest.mark.parametrize("name", DISHONEST)
def test_suite_finds_a_dishonest_backend_out(outcomes: str, name: str) -> None:
    number, test = list(DISHONEST).index(name), DISHONEST[name][1]
    assert f"FAILED test_it.py::TestDishonest{number}::{test}" in outcomes, outcomes
    assert f"PASSED test_it.py::TestHonest::{test}" in outcomes


def test_suite_says_what_a_subclass_must_bring(tmp_path: Path) -> None:
    source = "from asynccache.testing import BackendContract\n\nclass TestMine(BackendContract):\n    pass\n"
    finished = run_pytest(tmp_path, source, "-k", "test_stats_are_numbers", "test_it.py")
    assert "TestMine needs make_backend(self, **options) or backend_factory" in finished.stdout


def test_helpers_come_without_pytest() -> None:
    script = "import sys, asynccache.testing\nassert 'pytest' not in sys.modules and 'starlette' not in sys.modules"
    subprocess.run([sys.executable, "-c", script], check=True)
