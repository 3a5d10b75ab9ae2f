from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import pytest

from asynccache.testing import BackendContract
from examples.own_backend import FileCacheBackend

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


class TestFileCacheBackend(BackendContract):
    @pytest.fixture
    def backend_factory(self, tmp_path: Path) -> Callable[..., FileCacheBackend]:
        return partial(FileCacheBackend, tmp_path)


async def test_entries_are_shared_and_survive_the_backend_that_wrote_them(tmp_path: Path) -> None:
    FileCacheBackend(tmp_path).set("k", [1, (2,)])
    assert await FileCacheBackend(tmp_path).get_async("k") == [1, (2,)]
    assert FileCacheBackend(tmp_path, key_prefix="other").get("k") is None


def test_no_draft_stays_behind(tmp_path: Path) -> None:
    cache = FileCacheBackend(tmp_path)
    cache.set_many({"a": 1, "b": 2})
    cache.delete("a")
    assert len(list(tmp_path.iterdir())) == 1
