"""Stand-ins for what a request carries, which behave the same and tell what was asked of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol


class Watcher(Protocol):
    """Who is told."""

    def asked(self, name: bytes, *, found: bool) -> None:
        """Note that the first header's name was compared with this one."""

    def asked_all(self) -> None:
        """Note that the headers were gone through."""

    def iterated(self) -> None:
        """Note that somebody begins to go through the headers."""

    def value_read(self) -> None:
        """Note that the first header's value was looked at."""

    def read(self, what: str) -> None:
        """Note that this identity was read."""

    def state_read(self, key: object) -> None:
        """Note that this item of the state was read; None: all of them."""

    def state_written(self, key: object) -> None:
        """Note that this item of the state is now the handler's own."""


class Name(bytes):
    """The first header's name: every look-up compares with it, and so tells what it looks for."""

    watcher: Watcher

    def __eq__(self, other: object) -> bool:
        found = bytes.__eq__(self, other)
        if isinstance(other, bytes):
            self.watcher.asked(bytes(other), found=found is True)
        return found

    def __ne__(self, other: object) -> bool:
        return not self == other

    def __reduce_ex__(self, protocol: Any) -> Any:
        self.watcher.asked_all()
        return bytes, (bytes.__bytes__(self),)

    __hash__ = bytes.__hash__


class Value(bytes):
    """The first header's value: read without its name having been asked for, all headers were gone through."""

    watcher: Watcher
    __hash__ = bytes.__hash__

    def __reduce_ex__(self, protocol: Any) -> Any:
        self.watcher.value_read()
        return bytes, (bytes.__bytes__(self),)


class Pairs(list[Any]):
    """The headers: whoever goes through them and does not look at the first is after others without naming them."""

    watcher: Watcher

    def __iter__(self) -> Any:
        self.watcher.iterated()
        return list.__iter__(self)

    def __reduce_ex__(self, protocol: Any) -> Any:
        self.watcher.asked_all()
        return list, (list(list.__iter__(self)),)


class Text(str):
    """A text within the address, which tells when C code formats it: `%` asks a tuple's items, not the tuple."""

    __slots__ = ("watcher",)
    watcher: Watcher

    def __str__(self) -> str:
        self.watcher.read("client")
        return str.__str__(self)


class Client(tuple[Any, ...]):  # noqa: SLOT001  # a tuple cannot have slots of its own
    """The client's address; what it gives away is `plain`."""

    watcher: Watcher
    plain: tuple[Any, ...]

    def __reduce_ex__(self, protocol: Any) -> Any:
        self.watcher.read("client")
        return tuple, (self.plain,)


class State(dict[Any, Any]):
    """The request's state."""

    watcher: Watcher

    def __setitem__(self, key: Any, value: Any) -> None:
        self.watcher.state_written(key)
        dict.__setitem__(self, key, value)

    def __reduce_ex__(self, protocol: Any) -> Any:
        self.watcher.state_read(None)
        return dict, (), None, None, iter(list(dict.items(self)))


def _telling(base: type, method: str, tell: Callable[[Any], None]) -> Callable[..., Any]:
    original = getattr(base, method)

    def told(self: Any, *args: Any, **options: Any) -> Any:
        tell(self)
        return original(self, *args, **options)

    return told


def _keyed(base: type, method: str, tell: Callable[[Any, Any], None]) -> Callable[..., Any]:
    original = getattr(base, method)

    def told(self: Any, key: Any, *args: Any, **options: Any) -> Any:
        tell(self, key)
        return original(self, key, *args, **options)

    return told


def teach(disguise: type, base: type, methods: str, tell: Callable[[Any], None]) -> None:
    """Let these methods of a disguise tell that they were called, and do what they do in the base."""
    for method in methods.split():
        setattr(disguise, method, _telling(base, method, tell))


def teach_keyed(disguise: type, base: type, methods: str, tell: Callable[[Any, Any], None]) -> None:
    """Let these methods of a disguise tell the key that they were asked for, and do what they do in the base."""
    for method in methods.split():
        setattr(disguise, method, _keyed(base, method, tell))


def _of_plain(method: str) -> Callable[..., Any]:
    original = getattr(tuple, method)

    def told(self: Client, *args: Any) -> Any:
        self.watcher.read("client")
        return original(self.plain, *args)

    return told


_TEXT = frozenset(name for name in vars(bytes) if not name.startswith("_")) - {"fromhex", "maketrans"}
_BYTES = " ".join(_TEXT) + (
    " __getitem__ __iter__ __contains__ __lt__ __le__ __gt__ __ge__ __add__ __mul__ __rmul__ __mod__ __hash__ __repr__"
    " __str__ __bytes__ __len__"
)
teach(Name, bytes, _BYTES, lambda name: name.watcher.asked_all())
teach(Value, bytes, f"{_BYTES} __eq__ __ne__", lambda value: value.watcher.value_read())
teach(
    Pairs,
    list,
    "__getitem__ __reversed__ __contains__ __add__ __mul__ __rmul__ __repr__ copy count index pop sort reverse",
    lambda pairs: pairs.watcher.asked_all(),
)
Pairs.__radd__ = lambda pairs, other: [*other, *pairs.copy()]  # type: ignore[attr-defined]  # a list has none
_TUPLE = (
    "__getitem__ __iter__ __contains__ __eq__ __ne__ __lt__ __le__ __gt__ __ge__ __hash__ __repr__ __add__ __mul__ "
    "__rmul__ index count"
)
for _method in _TUPLE.split():
    setattr(Client, _method, _of_plain(_method))
teach(
    State,
    dict,
    "keys values items __iter__ __reversed__ __len__ copy __repr__ __eq__ __ne__ __or__ __ror__ popitem",
    lambda state: state.watcher.state_read(None),
)
teach_keyed(
    State, dict, "__getitem__ get __contains__ pop setdefault", lambda state, key: state.watcher.state_read(key)
)
