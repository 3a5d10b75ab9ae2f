"""Values as pickles, which run code when they are read, and so only such as carry our signature."""

import pickle
from typing import Any, Self

from asynccache.core.codec import DamagedEntryError
from asynccache.errors import SerializationError
from asynccache.serializers.base import ICacheSerializer
from asynccache.serializers.signed import Secret, Signer

PROTOCOL = 5


class PickleSerializer(ICacheSerializer):
    """Store whatever pickle can, signed: nothing is unpickled but what was written with the secret.

    Whoever knows the secret and can write to the store can run code here: keep it out of the store, and out of code.

    Args:
        secret: at least 16 bytes, or a list to change it without losing entries: the first signs, all verify.

    Raises `ConfigurationError` for a secret that is missing or short.
    """

    def __init__(self, *, secret: Secret) -> None:
        self._pickles = Signer(secret, b"asynccache pkl")
        self._pages = Signer(secret, b"asynccache page")
        self._owner = b""

    def __repr__(self) -> str:
        return "<PickleSerializer>"

    def bound(self, owner: bytes) -> Self:
        """Sign for the entry of one key."""
        one = self._twin()
        one._owner = owner  # noqa: SLF001  # it is of this class
        return one

    def dumps(self, value: Any) -> bytes:
        """Give the signed pickle of a value; `SerializationError` where pickle cannot hold it."""
        try:
            return self._pickles.sign(pickle.dumps(value, PROTOCOL), self._owner)
        except Exception as exc:  # users' classes may raise whatever they like while they are pickled
            raise SerializationError(f"cannot pickle a {type(value).__name__}: {type(exc).__name__}: {exc}") from exc

    def loads(self, payload: bytes) -> Any:
        """Give the value back; `DamagedEntryError` where the signature does not fit or the class is gone."""
        trusted = self._pickles.verified(payload, self._owner)
        try:
            return pickle.loads(trusted)  # signed by us
        except Exception as exc:  # classes that were moved or changed fail in any way; all of them are a miss
            raise DamagedEntryError(f"the pickle does not load: {type(exc).__name__}") from exc

    def wrap(self, payload: bytes) -> bytes:
        """Sign a page."""
        return self._pages.sign(payload, self._owner)

    def unwrap(self, payload: bytes) -> bytes:
        """Give the page back; `DamagedEntryError` where the signature does not fit."""
        return self._pages.verified(payload, self._owner)
