"""Of a resource that changes, no answer is of two versions, of a wrong part, or of a version that is over."""

import os
import random

import pytest

from asynccache.backends.local_cache import LocalMemCacheBackend
from tests.coherence.tiny_backends import TinyBackend
from tests.coherence.tiny_store import TinyStore
from tests.http.proofs.versions import Resource

RESOURCES = 20_000 if os.environ.get("ASYNCCACHE_LONG") == "1" else 50
STEPS = 30


def shared(clock):
    """Make a backend that keeps bytes, far away."""
    return TinyBackend(TinyStore(), random.Random(1))


@pytest.mark.parametrize("make_backend", [LocalMemCacheBackend, shared], ids=["local", "shared"])
@pytest.mark.parametrize("profile", ["safe", "rfc9111"])
async def test_each_answer_is_of_one_version_that_is_good_enough(profile, make_backend):
    draw, asked, forwarded = random.Random(7), 0, 0
    for number in range(RESOURCES):
        resource = Resource(profile, draw, make_backend)
        try:
            await resource.play(STEPS)
        except BaseException as error:
            error.add_note(f"resource {number}: {resource.kind}, {resource.control}")
            raise
        asked += STEPS
        forwarded += resource.count
    assert forwarded < asked
