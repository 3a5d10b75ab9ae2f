"""Other backends for a test: `with override(app, default="dummy"):`."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from asynccache.errors import ConfigurationError
from asynccache.http.current import SCOPE_KEY, Installed, service_of
from asynccache.service import CacheService

if TYPE_CHECKING:
    from collections.abc import Iterator

    from asynccache.config import BackendLike


@contextmanager
def override(target: Any, **backends: BackendLike) -> Iterator[CacheService]:
    """Give an app's service, or a service, other backends while the block runs; they are closed at its end.

    `target` is an app of any framework that a cache is installed on, or a `CacheService`.

    Raises `UnknownBackendError` for a name that was never registered, `ConfigurationError` where the app has no cache.
    """
    with _service(target).replaced(**backends) as service:
        yield service


def _service(target: Any) -> CacheService:
    if isinstance(target, CacheService):
        return target
    extensions = getattr(target, "extensions", None)  # where Flask's and Quart's apps keep what is theirs
    found = extensions.get(SCOPE_KEY) if isinstance(extensions, dict) else None
    if isinstance(found, Installed):
        return found.service
    if not hasattr(target, "state") and not isinstance(extensions, dict):
        raise ConfigurationError(f"override takes an app or a CacheService, not {target!r:.80}")
    return service_of({"app": target})
