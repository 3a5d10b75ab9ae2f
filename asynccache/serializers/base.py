"""What turns values into bytes, and is wrapped by what compresses or signs them."""

from abc import ABC, abstractmethod
from typing import Any, Self

from asynccache.errors import ConfigurationError


class ICacheSerializer(ABC):
    """How a backend's values become bytes and come back equal, with their types.

    `dumps` and `loads` are for values. Pages and markers are bytes already and pass through `wrap` and `unwrap`, which
    change nothing unless the serializer compresses or signs.
    """

    def bound(self, owner: bytes) -> Self:
        """Give the serializer for the entry of one key, whose hash is `owner` (16 bytes): who signs, signs that too."""
        del owner
        return self

    def _twin(self) -> Self:
        """Copy what this one holds, without what `copy` costs."""
        one = object.__new__(type(self))
        one.__dict__.update(self.__dict__)
        return one

    @abstractmethod
    def dumps(self, value: Any) -> bytes:
        """Give the bytes of a value; `SerializationError` where it could not come back as it is."""

    @abstractmethod
    def loads(self, payload: bytes) -> Any:
        """Give the value back; `DamagedEntryError`, and no other, where the bytes cannot be trusted or read."""

    def wrap(self, payload: bytes) -> bytes:
        """Treat bytes that are already encoded as a value's bytes are treated: compress, sign."""
        return payload

    def unwrap(self, payload: bytes) -> bytes:
        """Undo `wrap`; `DamagedEntryError`, and no other, where the bytes cannot be trusted or read."""
        return payload


def checked(name: str, given: object) -> ICacheSerializer:
    """Give a serializer back; `ConfigurationError` for what is none, such as its class."""
    if isinstance(given, ICacheSerializer):
        return given
    shown = given if isinstance(given, str | type) else type(given)
    raise ConfigurationError(f"{name}={shown!r:.80}: give an instance, such as MsgpackSerializer()")
