"""What the annotations of a function say about its cache, and the class around a method."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from inspect import Parameter, signature
from types import SimpleNamespace
from typing import Any, get_args, get_type_hints

from injector import Inject

from asynccache.core.web_types import is_dependency, is_request, is_response
from asynccache.errors import ConfigurationError
from asynccache.serializers import annotated

_INJECTED: Any = Inject[int].__metadata__[0]  # type: ignore[attr-defined]  # it is Annotated[int, marker]


class Scope:
    """What is known of one function.

    Args:
        function: what is to be cached.
        is_told: whether its user makes the keys.

    Raises `ConfigurationError` for one that takes requests or returns responses. `left_out` are the parameters that are
    filled in by an injector or a framework.
    """

    def __init__(self, function: Callable[..., Any], *, is_told: bool) -> None:
        self.name = function.__qualname__
        self._function = function
        self._is_told = is_told
        self._parameters = signature(function).parameters
        self._hints = _hints(function)
        self._is_in_class = self._is_settled = False
        self.left_out = {each.name for each in self._parameters.values() if self._is_filled_in(each)}
        self._check()
        annotated.know(self._hints.get("return"))

    @property
    def is_of_class(self) -> bool:
        """Whether it is written as a class method."""
        around = self.name.rpartition(".")[0]
        return next(iter(self._parameters), "") == "cls" and around != "" and not around.endswith("<locals>")

    def takes(self, name: str) -> bool:
        """Tell whether the function has this parameter, or takes any keyword."""
        return name in self._parameters or any(each.kind is Parameter.VAR_KEYWORD for each in self._parameters.values())

    def in_class(self, owner: type) -> None:
        """Note that it is a method of this class, which is just being made: a decorator may follow."""
        if self.name.rpartition(".")[0] != owner.__qualname__:
            return  # a function from elsewhere that the class has, too
        self._is_in_class = True
        if not _is_keyed(owner) and not any(
            name.startswith("__annot") for base in owner.__mro__ for name in vars(base)
        ):
            self._refuse(owner)

    def in_use(self, args: tuple[Any, ...]) -> None:
        """Settle what had to wait for the first use: names that were not defined yet, classes that were not made."""
        if self._is_settled:
            return
        if self._is_in_class and args and not _is_keyed(type(args[0])):
            self._refuse(type(args[0]))
        annotated.know(_hints(self._function).get("return"))
        self._is_settled = True

    def _is_filled_in(self, parameter: Parameter) -> bool:
        hint = self._hints.get(parameter.name)
        if isinstance(hint, str):
            return "Inject[" in hint or "Depends(" in hint
        marks = (parameter.default, *getattr(hint, "__metadata__", ()))
        return any(mark is _INJECTED or is_dependency(mark) for mark in marks)

    def _check(self) -> None:
        for name, hint in self._hints.items():
            if name == "return" and any(map(is_response, _members(hint))):
                raise ConfigurationError(f"@cached on {self.name}, which returns a response: use @Cache on handlers")
            if name not in {"return", *self.left_out} and any(map(is_request, _members(hint))):
                raise ConfigurationError(f"@cached on {self.name}, which takes the request {name!r}: use @Cache")

    def _refuse(self, owner: type) -> None:
        first = next(iter(self._parameters), None)
        if self._is_told or first is None or first in self.left_out:
            return
        raise ConfigurationError(
            f"@cached on {self.name}: nothing tells one {owner.__qualname__} from another; give it a method "
            f"__cache_key__, make it a frozen dataclass, or leave it out with ignore=[{first!r}]"
        )


def _is_keyed(owner: Any) -> bool:
    """Tell whether the instances of a class can be told apart for good."""
    if hasattr(owner, "__cache_key__") or issubclass(owner, Enum):
        return True
    dataclass_params: Any = getattr(owner, "__dataclass_params__", None)
    return dataclass_params is not None and bool(dataclass_params.frozen)


def _members(hint: Any) -> tuple[Any, ...]:
    """Give a class, or the classes of a union or an Annotated."""
    return (hint, getattr(hint, "__origin__", None), *get_args(hint))


def _hints(function: Any) -> dict[str, Any]:
    """Give the annotations, each resolved where the names in it are known by now."""
    try:
        return get_type_hints(function, include_extras=True)
    except (NameError, TypeError, AttributeError):
        hints = dict(getattr(function, "__annotations__", {}))
    for name, hint in hints.items():
        one = SimpleNamespace(__annotations__={name: hint})
        try:
            hints |= get_type_hints(one, function.__globals__, include_extras=True)
        except (NameError, TypeError, AttributeError):
            continue
    return hints
