"""The package as a whole: what it exports, what importing it costs, and what its errors are."""

import ast
import json
import pickle
import subprocess
import sys
from pathlib import Path

import pytest

import asynccache
from asynccache import errors

BUILT_IN = {
    "ConfigurationError": ValueError,
    "UnknownBackendError": LookupError,
    "SerializationError": TypeError,
    "NotAnIntegerError": TypeError,
    "BackendUnavailableError": ConnectionError,
    "CacheTimeoutError": TimeoutError,
    "LockError": RuntimeError,
    "MissingDependencyError": ImportError,
}


def loaded_by(statement):
    """Tell which modules a fresh interpreter has loaded after the statement."""
    script = f"{statement}\nimport json, sys; print(json.dumps(sorted(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return set(json.loads(done.stdout))


def test_importing_the_package_loads_no_framework_and_no_client():
    heavy = {"starlette", "anyio", "asyncio", "injector", "msgspec", "redis", "aiomcache", "pydantic", "attr"}
    assert loaded_by("import asynccache") & heavy == set()


def test_local_memory_needs_no_framework_and_no_client():
    needless = {"starlette", "redis", "aiomcache", "pydantic", "attr", "zstandard"}
    assert (
        loaded_by("from asynccache import CacheService; CacheService(default='local').set('key', 1)") & needless
        == set()
    )


@pytest.mark.parametrize("name", asynccache.__all__)
def test_every_public_name_is_there(name):
    assert not isinstance(getattr(asynccache, name), type(asynccache))
    assert name in dir(asynccache)


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="Cahce"):
        asynccache.Cahce  # noqa: B018


@pytest.mark.parametrize("first", ["asynccache.testing", "asynccache.injection", "asynccache.integrations.starlette"])
def test_no_module_hides_a_public_name(first):
    modules = "[name for name in asynccache.__all__ if type(getattr(asynccache, name)) is type(asynccache)]"
    script = f"import {first}, asynccache; print({modules})"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize(("name", "built_in"), BUILT_IN.items())
def test_each_error_is_a_cache_error_and_the_built_in_that_fits(name, built_in):
    error = getattr(asynccache, name)
    assert issubclass(error, asynccache.CacheError)
    assert issubclass(error, built_in)


def test_errors_survive_pickling():
    unavailable = errors.BackendUnavailableError("gone")
    unavailable.queued = True
    copied = pickle.loads(pickle.dumps(unavailable))
    assert (type(copied), copied.args, copied.queued) == (errors.BackendUnavailableError, ("gone",), True)


def test_a_missing_package_is_named_with_the_command_that_installs_it():
    error = errors.MissingDependencyError.of("RedisCacheBackend", "redis", "redis")
    assert "pip install 'asynccache[redis]'" in str(error)


def test_policies_survive_pickling():
    policy = asynccache.CachePolicy(ttl=60, jitter=0.1)
    assert pickle.loads(pickle.dumps(policy)) == policy


def test_every_module_says_what_it_is_for():
    files = Path(asynccache.__file__).parent.rglob("*.py")  # read, not imported: some need packages of their own
    assert [file for file in files if not ast.get_docstring(ast.parse(file.read_text()))] == []
