"""Other backends for a test: `with override(app, default="dummy"):`."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from asynccache.errors import ConfigurationError
from asynccache.service import CacheService

if TYPE_CHECKING:
    from collections.abc import Iterator

    from starlette.applications import Starlette

    from asynccache.config import BackendLike


@contextmanager
def override(target: Starlette | CacheService, **backends: BackendLike) -> Iterator[CacheService]:
    """Give an app's service, or a service, other backends while the block runs; they are closed at its end.

    Raises `UnknownBackendError` for a name that was never registered, `ConfigurationError` where the app has no cache.
    """
    with _service(target).replaced(**backends) as service:
        yield service


def _service(target: Starlette | CacheService) -> CacheService:
    if isinstance(target, CacheService):
        return target
    from starlette.applications import Starlette

    from asynccache.integrations.starlette import installed_on

    if not isinstance(target, Starlette):
        raise ConfigurationError(f"override takes an app or a CacheService, not {target!r:.80}")
    return installed_on(target).service
