"""What a user may rely on, as a test-suite that every backend passes, in both flavours.

    class TestMine(BackendContract):
        def make_backend(self, **options):
            return MyBackend(**options)

Where a backend needs fixtures, override the fixture `backend_factory` instead:

    class TestMine(BackendContract):
        @pytest.fixture
        def backend_factory(self, my_server):
            return functools.partial(MyBackend, servers=my_server.url)

Each test has a key prefix of its own and closes what it opened, so that the suite can run on a server that others use.
"""

from pkgutil import iter_modules

import pytest

pytest.register_assert_rewrite(*[f"{__name__}.{part.name}" for part in iter_modules(__path__)])

from asynccache.testing.contract.clearing import ClearContract  # noqa: E402  # after the line that rewrites asserts
from asynccache.testing.contract.counters import CounterContract  # noqa: E402
from asynccache.testing.contract.forgetting import ForgettingContract  # noqa: E402
from asynccache.testing.contract.hostile import HostileKeyContract  # noqa: E402
from asynccache.testing.contract.kept import KeptContract  # noqa: E402
from asynccache.testing.contract.kinds import KindContract  # noqa: E402
from asynccache.testing.contract.lifetimes import LifetimeContract  # noqa: E402
from asynccache.testing.contract.locks import LockContract  # noqa: E402
from asynccache.testing.contract.many import ManyContract  # noqa: E402
from asynccache.testing.contract.modelled import ModelContract  # noqa: E402
from asynccache.testing.contract.rights import RightsContract  # noqa: E402
from asynccache.testing.contract.shape import ShapeContract  # noqa: E402
from asynccache.testing.contract.surroundings import SurroundingsContract  # noqa: E402
from asynccache.testing.contract.tagged import TagContract  # noqa: E402
from asynccache.testing.contract.values import ValueContract  # noqa: E402

__all__ = ["BackendContract", "ForgettingContract"]


class BackendContract(
    ShapeContract,
    SurroundingsContract,
    ValueContract,
    LifetimeContract,
    CounterContract,
    ManyContract,
    HostileKeyContract,
    KindContract,
    KeptContract,
    TagContract,
    ClearContract,
    RightsContract,
    LockContract,
    ModelContract,
):
    """The promises of a backend that keeps what it is given."""
