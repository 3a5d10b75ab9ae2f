"""Every error that asynccache raises: one base, and each child is also the built-in that fits."""


class CacheError(Exception):
    """The base of all errors of this package."""


class ConfigurationError(CacheError, ValueError):
    """Something was set up in a way that cannot work; the message says what was given and what would do."""


class UnknownBackendError(CacheError, LookupError):
    """A backend was asked for by a name that was never registered."""


class SerializationError(CacheError, TypeError):
    """A value cannot be stored by the backend's serializer."""


class NotAnIntegerError(CacheError, TypeError):
    """`incr` or `decr` met a value that is no signed 64-bit integer, or would leave that range."""


class BackendUnavailableError(CacheError, ConnectionError):
    """The store did not answer in time, or refused; `queued` tells whether the operation will be replayed."""

    queued: bool = False


class CacheTimeoutError(CacheError, TimeoutError):
    """A load took longer than its policy allows, or a lock was not free in time."""


class LockError(CacheError, RuntimeError):
    """A lock was lost before its block was left, or is wanted by whoever has it."""


class MissingDependencyError(CacheError, ImportError):
    """An optional package is needed and not installed; the message has the command that installs it."""

    @classmethod
    def of(cls, needed_by: str, package: str, extra: str) -> "MissingDependencyError":
        """Name what is missing, who needs it, and the pip command."""
        return cls(f"{needed_by} needs the package {package!r}: pip install 'asynccache[{extra}]'")
