"""The key of a call: the function's name and what its parameters are bound to, defaults filled in."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from inspect import Parameter, Signature
from typing import Any

from asynccache.core.call_keys import LONGEST, PLAIN, UnkeyableError, shortened, text
from asynccache.core.web_types import is_request
from asynccache.errors import ConfigurationError

_STARS: dict[Any, str] = {Parameter.VAR_POSITIONAL: "*", Parameter.VAR_KEYWORD: "**"}
_FLAT = {Parameter.POSITIONAL_OR_KEYWORD, Parameter.KEYWORD_ONLY}


class Arguments:
    """Makes the keys of one function's calls.

    Args:
        name: that of the function, with which all its keys begin.
        signature: its parameters.
        left_out: names of those, or of keywords that it takes besides, that are no part of the key.
        callback: makes what stands for all arguments, of the arguments as they were given.
    """

    def __init__(
        self,
        name: str,
        signature: Signature,
        left_out: Collection[str] = (),
        callback: Callable[..., Any] | None = None,
    ) -> None:
        self.name = name
        self._signature = signature
        self._left_out = frozenset(left_out)
        self._callback = callback
        parameters = list(signature.parameters.values())
        self._parameters = [each for each in parameters if each.name not in self._left_out]
        shown = [f"{_STARS.get(each.kind, '')}{each.name}=%s" for each in self._parameters]
        self._template = f"{name.replace('%', '%%')}({','.join(shown)})"
        self._is_flat = all(each.kind in _FLAT for each in parameters)
        self._defaults = [(each.name, each.default) for each in parameters]
        self._most = sum(each.kind is Parameter.POSITIONAL_OR_KEYWORD for each in parameters)
        counted = [place for place, each in enumerate(parameters) if each.name not in self._left_out]
        self._counted = None if len(counted) == len(parameters) else counted
        defaults = [each.default for each in parameters]
        self._tails = [_tail(defaults[given:]) for given in range(self._most + 1)]

    def key(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> str:
        """Give the key of a call; `TypeError` names an argument that cannot be part of one."""
        if self._callback is not None:
            return shortened(f"{self.name}({self._text('key', self._callback(*args, **kwargs))})")
        values = self._arranged(args, kwargs) if self._is_flat else None
        if values is None:
            return self._written(self._bound(args, kwargs))
        try:
            key = self._template % tuple([PLAIN[type(value)](value) for value in values])
        except (KeyError, ValueError, UnkeyableError):  # what is not plain is rarer
            return self._written(values)
        return key if len(key) <= LONGEST else shortened(key)

    def named(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any]:
        """Give the arguments of a call by the names of their parameters, defaults filled in."""
        bound = self._signature.bind(*args, **kwargs)
        bound.apply_defaults()
        return bound.arguments

    def check_names(self, names: Collection[str]) -> None:
        """Raise `ConfigurationError` where one of these is not the name of one argument that is part of the key."""
        known = {each.name for each in self._parameters if each.kind not in _STARS}
        for name in sorted(set(names) - known):
            why = "is left out of the key" if name in self._left_out else "it does not take"
            raise ConfigurationError(f"@cached on {self.name}: tags name {name!r}, which {why}: use {sorted(known)}")

    def _arranged(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Sequence[Any] | None:
        """Give the values of the parameters that count, quickly; None: these arguments do not fit."""
        given = len(args)
        if given > self._most:
            return None
        values: Sequence[Any] | None
        if kwargs:
            values = self._filled(args, kwargs)
        else:
            tail = self._tails[given]
            values = None if tail is None else args + tail
        return values if values is None or self._counted is None else [values[place] for place in self._counted]

    def _filled(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Sequence[Any] | None:
        """Give the values of all parameters; None: these arguments do not fit."""
        values = list(args)
        taken = 0
        for name, default in self._defaults[len(args) :]:
            if name in kwargs:
                values.append(kwargs[name])
                taken += 1
            elif default is Parameter.empty:
                return None
            else:
                values.append(default)
        return values if taken == len(kwargs) else None

    def _bound(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> list[Any]:
        """Give the values of the parameters that count, whatever their kinds."""
        try:
            bound = self._signature.bind(*args, **kwargs)
        except TypeError as error:
            raise TypeError(f"{self.name}: {error}") from None
        bound.apply_defaults()
        return [self._named(each, bound.arguments[each.name]) for each in self._parameters]

    def _named(self, parameter: Parameter, value: Any) -> Any:
        if parameter.kind is not Parameter.VAR_KEYWORD:
            return value
        return {name: item for name, item in value.items() if name not in self._left_out}

    def _written(self, values: Sequence[Any]) -> str:
        texts = [self._text(each.name, value) for each, value in zip(self._parameters, values, strict=True)]
        return shortened(self._template % tuple(texts))

    def _text(self, name: str, value: Any) -> str:
        try:
            return text(value)
        except TypeError as error:
            if is_request(type(value)):
                raise TypeError(f"{self.name} takes a request, {name!r}: use @Cache on handlers") from None
            raise TypeError(
                f"{self.name} cannot be keyed by its argument {name!r}: {error}. Leave it out with ignore=[{name!r}], "
                "make the key with key=..., or give its class a method __cache_key__"
            ) from error


def _tail(defaults: list[Any]) -> tuple[Any, ...] | None:
    """Give what completes the arguments of a call; None where something has no default."""
    return None if any(default is Parameter.empty for default in defaults) else tuple(defaults)


class ClassArguments(Arguments):
    """Makes the keys of a class method's calls; their first argument is the class."""

    def key(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> str:
        """Give the key of a call; `TypeError` where the class is missing."""
        if not args or not isinstance(args[0], type):
            raise TypeError(f"{self.name} was not told its class: write @cached above @classmethod, not below")
        return super().key(args, kwargs)
