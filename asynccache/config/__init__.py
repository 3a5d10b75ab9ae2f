"""From what a configuration says to backends: instances, URLs, bare words, lists, `CACHES`, the environment."""

from asynccache.config.backends import BackendLike, backend_of
from asynccache.config.caches import app_backends, backends_of, environment_backends

__all__ = ["BackendLike", "app_backends", "backend_of", "backends_of", "environment_backends"]
