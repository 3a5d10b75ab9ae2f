"""The shape of a backend: what holds even for one that keeps nothing."""

from __future__ import annotations

import inspect
import math
from typing import TYPE_CHECKING, Any, ClassVar

import pytest

from asynccache.model import BaseCacheBackend, Capability
from asynccache.testing.contract.base import ContractBase

if TYPE_CHECKING:
    from collections.abc import Callable

    from asynccache.testing.contract.base import Flavoured, MakeCache

OPERATIONS: dict[str, Callable[[Any], tuple[Any, ...]]] = {
    "get": lambda key: (key,),
    "set": lambda key: (key, "v"),
    "add": lambda key: (key, "v"),
    "delete": lambda key: (key,),
    "has_key": lambda key: (key,),
    "touch": lambda key: (key,),
    "incr": lambda key: (key,),
    "decr": lambda key: (key,),
    "get_many": lambda key: ([key],),
    "delete_many": lambda key: ([key],),
}
"""Every operation on a key, and how it is called."""
WITH_TTL: dict[str, tuple[Any, ...]] = {"set": ("k", 1), "add": ("k", 1), "touch": ("k",), "set_many": ({"k": 1},)}


class ShapeContract(ContractBase):
    """Twins, arguments, numbers, names."""

    secrets: ClassVar[tuple[str, ...]] = ()
    """What `make_backend` was configured with and nobody may see: passwords."""

    @pytest.mark.parametrize("key", [1, b"k", None, ["k"], ("k",), 1.5], ids=repr)
    @pytest.mark.parametrize("operation", OPERATIONS)
    async def test_key_that_is_no_str_is_an_error(self, cache: Flavoured, operation: str, key: Any) -> None:
        with pytest.raises(TypeError):
            await getattr(cache, operation)(*OPERATIONS[operation](key))

    async def test_key_of_set_many_that_is_no_str_is_an_error(self, cache: Flavoured) -> None:
        for key in (1, b"k", None, ("k",)):
            with pytest.raises(TypeError):
                await cache.set_many({key: "v"})

    @pytest.mark.parametrize("operation", WITH_TTL)
    async def test_ttl_that_is_no_time_is_an_error(self, cache: Flavoured, operation: str) -> None:
        call = getattr(cache, operation)
        with pytest.raises(ValueError, match="NaN"):
            await call(*WITH_TTL[operation], math.nan)
        for ttl in (True, False, "60", b"60", [60]):
            with pytest.raises(TypeError):
                await call(*WITH_TTL[operation], ttl)

    @pytest.mark.parametrize("version", [True, 1.0, b"1", ("1",)], ids=repr)
    async def test_version_that_is_neither_str_nor_int_is_an_error(self, cache: Flavoured, version: Any) -> None:
        await cache.get("k", 1)
        for operation, arguments in OPERATIONS.items():
            with pytest.raises(TypeError):
                await getattr(cache, operation)(*arguments("k"), version=version)

    async def test_twins_take_the_same_arguments(self, cache: Flavoured) -> None:
        kind = type(cache.backend)
        twins = [name for name in dir(kind) if name.endswith("_async") and not name.startswith("_")]
        assert {f"{name}_async" for name in OPERATIONS} | {"set_many_async"} <= set(twins)
        for name in [*OPERATIONS, "set_many"]:
            ours, named = inspect.signature(getattr(kind, name)), inspect.signature(getattr(BaseCacheBackend, name))
            assert list(ours.parameters.values()) == list(named.parameters.values()), name
        for name in twins:
            plain, on_loop = getattr(kind, name.removesuffix("_async")), getattr(kind, name)
            assert inspect.signature(plain) == inspect.signature(on_loop), name
            assert inspect.iscoroutinefunction(on_loop), name
            assert not inspect.iscoroutinefunction(plain), name
        assert inspect.signature(kind.close) == inspect.signature(kind.aclose)

    async def test_capabilities_are_a_set_of_promises(self, cache: Flavoured) -> None:
        assert isinstance(cache.backend.capabilities, frozenset)
        assert {type(promise) for promise in cache.backend.capabilities} <= {Capability}

    async def test_stats_are_numbers(self, cache: Flavoured) -> None:
        await cache.get("k")
        stats = cache.backend.stats()
        assert {type(number) for number in stats.values()} <= {int}
        assert {type(name) for name in stats} <= {str}

    async def test_repr_tells_the_name_and_no_secret(self, make_cache: MakeCache) -> None:
        from asynccache.serializers import PickleSerializer

        secret = "not to be shown 0123456789abcdef"  # noqa: S105  # made up, to look for it
        backend = make_cache(serializer=PickleSerializer(secret=secret)).backend
        for text in (repr(backend), str(backend), repr(backend.serializer)):
            for hidden in (secret, *self.secrets):
                assert hidden not in text
        assert type(backend).__name__ in repr(backend)
