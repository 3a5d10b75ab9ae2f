"""Payloads that only who knows the secret can have written: keyed BLAKE2b (RFC 7693), one fixed algorithm."""

from hashlib import blake2b
from hmac import compare_digest
from typing import Any, Self

from asynccache.core.codec import DamagedEntryError
from asynccache.errors import ConfigurationError
from asynccache.serializers.base import ICacheSerializer, checked

MIN_SECRET_SIZE = 16
SIGNATURE_SIZE = 32

Secret = str | bytes | list[str | bytes] | tuple[str | bytes, ...]


class Signer:
    """Signs payloads of one purpose; what was signed for another is not accepted.

    Args:
        secret: a `str` or `bytes` of at least 16 bytes, or several: the first signs, all of them verify.
        purpose: what the payloads are for, at most 16 bytes.

    Raises `ConfigurationError` for a secret that is missing or short.
    """

    def __init__(self, secret: Secret, purpose: bytes) -> None:
        secrets = secret if isinstance(secret, list | tuple) else [secret]
        if not secrets:
            raise ConfigurationError("secret=[]: give at least one")
        self._keys = [_key(each) for each in secrets]
        self._purpose = purpose

    def sign(self, payload: bytes, owner: bytes) -> bytes:
        """Put the signature before the payload; it is not accepted for another owner's."""
        return self._signature(self._keys[0], payload, owner) + payload

    def verified(self, signed: bytes, owner: bytes) -> bytes:
        """Give the payload; `DamagedEntryError` where no secret of ours signed it for this purpose and owner."""
        signature, payload = signed[:SIGNATURE_SIZE], signed[SIGNATURE_SIZE:]
        for key in self._keys:
            if compare_digest(signature, self._signature(key, payload, owner)):
                return payload
        raise DamagedEntryError("the signature does not fit")

    def _signature(self, key: bytes, payload: bytes, owner: bytes) -> bytes:
        return blake2b(payload, digest_size=SIGNATURE_SIZE, key=key, salt=owner, person=self._purpose).digest()


def _key(secret: str | bytes) -> bytes:
    if not isinstance(secret, str | bytes):
        raise ConfigurationError(f"a secret is a str or bytes, not {type(secret).__name__}")
    raw = secret.encode("utf-8", "surrogatepass") if isinstance(secret, str) else secret
    if len(raw) < MIN_SECRET_SIZE:
        raise ConfigurationError(
            f"a secret of {len(raw)} bytes: give at least {MIN_SECRET_SIZE}, such as secrets.token_urlsafe()"
        )
    return blake2b(raw).digest()


class Signed(ICacheSerializer):
    """Accept only what was written with the secret: others who can write to the store cannot plant values or pages.

    The signature tells who wrote a payload and for which key, not when. Wrap what compresses, so that only trusted
    bytes are decompressed: `Signed(Compressed(MsgpackSerializer()), secret=...)`.

    Args:
        inner: the serializer whose bytes are signed.
        secret: at least 16 bytes, or a list to change it without losing entries: the first signs, all verify.

    Raises `ConfigurationError` for what is no serializer, and for a secret that is missing or short.
    """

    def __init__(self, inner: ICacheSerializer, *, secret: Secret) -> None:
        self.inner = checked("inner", inner)
        self._values = Signer(secret, b"asynccache value")
        self._pages = Signer(secret, b"asynccache page")
        self._owner = b""

    def __repr__(self) -> str:
        return f"<Signed {self.inner!r}>"

    def bound(self, owner: bytes) -> Self:
        """Sign for the entry of one key."""
        one = self._twin()
        one.inner = self.inner.bound(owner)
        one._owner = owner  # noqa: SLF001  # it is of this class
        return one

    def dumps(self, value: Any) -> bytes:
        """Give the signed bytes of a value."""
        return self._values.sign(self.inner.dumps(value), self._owner)

    def loads(self, payload: bytes) -> Any:
        """Give the value back; `DamagedEntryError` where the signature does not fit."""
        return self.inner.loads(self._values.verified(payload, self._owner))

    def wrap(self, payload: bytes) -> bytes:
        """Sign a page."""
        return self._pages.sign(self.inner.wrap(payload), self._owner)

    def unwrap(self, payload: bytes) -> bytes:
        """Give the page back; `DamagedEntryError` where the signature does not fit."""
        return self.inner.unwrap(self._pages.verified(payload, self._owner))
