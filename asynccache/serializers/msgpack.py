"""The default serializer: msgpack, with an extension type for each Python type that msgpack does not know.

The first byte tells what follows: `b` bytes, `s` text, `m` msgpack. Plain values are msgpack as anybody reads it; the
rest is wrapped in extension types, whose contents are msgpack again.
"""

from collections.abc import Iterable
from typing import Any

from msgspec.msgpack import Decoder, Encoder

from asynccache.core.codec import DamagedEntryError
from asynccache.core.names import full_name
from asynccache.errors import SerializationError
from asynccache.serializers.base import ICacheSerializer
from asynccache.serializers.classes import Recipe, recipes
from asynccache.serializers.extended import packer, unpacker
from asynccache.serializers.plain import is_plain

_BYTES, _TEXT, _TREE = b"b", b"s", b"m"


class MsgpackSerializer(ICacheSerializer):
    """Store values with their types and without pickle: nothing that is stored can run code.

    It knows `None`, `bool`, `int` of any size, `float`, `str`, `bytes`, `bytearray`, `list`, `tuple`, `set`,
    `frozenset`, `dict` with any keys, `datetime`, `date`, `time`, `timedelta`, `Decimal`, `UUID` and paths.

    Args:
        types: classes of your own whose instances are stored: Enum, dataclass, `msgspec.Struct`, pydantic model, attrs
            class, NamedTuple. They come back without `__init__` being called.

    Raises `ConfigurationError` for a class of another sort.
    """

    def __init__(self, types: Iterable[type] = ()) -> None:
        known = recipes(types)
        self._recipes: dict[str, Recipe] = {recipe.label: recipe for recipe in known.values()}
        self._encode = Encoder().encode
        self._pack = packer(known)
        self._pack_carefully = packer(known, careful=True)
        self._decode = Decoder(ext_hook=unpacker(self._recipes)).decode

    def __repr__(self) -> str:
        return f"<MsgpackSerializer types={[recipe.label.partition('#')[0] for recipe in self._recipes.values()]}>"

    def dumps(self, value: Any) -> bytes:
        """Give the bytes of a value; `SerializationError` names the type that is not known here."""
        try:
            if type(value) is bytes:
                return _BYTES + value
            if type(value) is str:
                return _TEXT + value.encode()
            return _TREE + self._encode(value if is_plain(value) else self._pack(value))
        except (OverflowError, UnicodeEncodeError):  # big integers, lone surrogates: rare, so looked for late
            return self._carefully_dumped(value)
        except SerializationError:
            raise
        except Exception as exc:  # users' classes may raise whatever they like while they are taken apart
            raise _failed(type(value), exc) from exc

    def loads(self, payload: bytes) -> Any:
        """Give the value back; `DamagedEntryError` where the bytes are no value of known types."""
        try:
            tag, rest = payload[:1], payload[1:]
            if tag == _TREE:
                return self._decode(rest)
            if tag == _BYTES:
                return rest
            if tag == _TEXT:
                return rest.decode()
        except DamagedEntryError:
            raise
        except Exception as exc:  # foreign bytes may fail in any way; all of them are a miss
            raise DamagedEntryError(f"the payload does not decode: {type(exc).__name__}") from exc
        raise DamagedEntryError("the payload is not one of MsgpackSerializer")

    def _carefully_dumped(self, value: Any) -> bytes:
        try:
            return _TREE + self._encode(self._pack_carefully(value))
        except SerializationError:
            raise
        except Exception as exc:  # likewise
            raise _failed(type(value), exc) from exc


def _failed(kind: type, exc: Exception) -> SerializationError:
    return SerializationError(f"cannot store this {full_name(kind)}: {type(exc).__name__}")
