"""`call`: a `@cached` function from the command line, by way of the same cache that handlers and workers use."""

from __future__ import annotations

import asyncio
import inspect
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, get_type_hints

import msgspec
import typer
from rich.traceback import Traceback

from asynccache.calls import CachedCalls
from asynccache.cli import target
from asynccache.cli.exits import FAILED, UNAVAILABLE, telling
from asynccache.cli.output import complain, err, show, tell
from asynccache.cli.values import literal
from asynccache.core.events import Hit, Loaded
from asynccache.errors import BackendUnavailableError, CacheError, ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import TracebackType

    from asynccache.core.events import Event
    from asynccache.service import CacheService

_ON_THE_WAY = (Path(__file__).parent.parent, Path(asyncio.__file__).parent)
"""Where the code lies that leads to a function which is called."""


def call(
    function: Annotated[str, typer.Argument(help="module:function, decorated with @cached.")],
    arguments: Annotated[list[str] | None, typer.Argument(help="Values, and name=value.")] = None,
    refresh: Annotated[
        bool, typer.Option("--refresh", help="Call it, whatever is stored, and store the result.")
    ] = False,
    only_key: Annotated[bool, typer.Option("--key", help="Print the key of this call, and call nothing.")] = False,
    url: target.Url = None,
    config: target.Config = None,
    as_json: target.AsJson = False,
) -> None:
    """Call a cached function: what is stored for these arguments, else what it returns, which is then stored.

    Arguments are read by their annotations, else as JSON, else as text. Exit code 4 if the function fails, 3 if the
    store does not answer: what the function returned is printed then, and not stored.

    Example:  python -m asynccache call shop.reports:sales year=2026 --json --url redis://localhost
    """
    with telling():
        called = found(function)
        args, kwargs = coerced(called, arguments or [])
        if only_key:
            show(called.key(*args, **kwargs), as_json=as_json)
            return
        service = target.service(url, config, strict=True)
        target.warn(service, called.backend)
        show(_run(service, called.refresh_async if refresh else called, args, kwargs), as_json=as_json)
    _check_stored(service, called, called.key(*args, **kwargs))


def found(path: str) -> CachedCalls[Any, Any]:
    """Import the function that `module:function` names; `ConfigurationError` for what is no `@cached` function."""
    named = target.imported(path, "function, such as shop.reports:sales")
    if not isinstance(named, CachedCalls):
        raise ConfigurationError(f"{path!r} is no function with @cached, but {type(named).__name__}")
    return named


def coerced(called: CachedCalls[Any, Any], words: list[str]) -> tuple[list[Any], dict[str, Any]]:
    """Turn words into arguments, by the annotations of the function."""
    function: Any = called
    signature = inspect.signature(function)
    hints = get_type_hints(inspect.unwrap(function))
    names = list(signature.parameters)
    args: list[Any] = []
    kwargs: dict[str, Any] = {}
    takes_any = any(known.kind is known.VAR_KEYWORD for known in signature.parameters.values())
    for word in words:
        name, equals, text = word.partition("=")
        if equals and (name in names or (takes_any and name.isidentifier())):
            kwargs[name] = _read(name, text, hints.get(name, Any))
        else:
            place = names[len(args)] if len(args) < len(names) else ""
            with _perhaps_misspelt(word if equals else "", name, names):
                args.append(_read(place, word, hints.get(place, Any)))
    signature.bind(*args, **kwargs)
    return args, kwargs


@contextmanager
def _perhaps_misspelt(word: str, name: str, names: list[str]) -> Iterator[None]:
    """Name the parameter that there is not: a value may hold a `=`, but this one can be no value."""
    try:
        yield
    except ConfigurationError as wrong:
        if not word:
            raise
        raise ConfigurationError(f"{word!r}: the function has no parameter {name!r}; it has {names}") from wrong


def _read(name: str, text: str, kind: Any) -> Any:
    if kind is Any:
        return literal(text)
    if kind is str:
        return text
    try:
        return msgspec.json.decode(text, type=kind, strict=False, dec_hook=_made)
    except (msgspec.MsgspecError, TypeError):
        try:
            return msgspec.convert(text, kind, strict=False, dec_hook=_made)
        except (msgspec.MsgspecError, TypeError) as wrong:
            raise ConfigurationError(f"{name}={text!r} is no {inspect.formatannotation(kind)}: {wrong}") from wrong


def _made(kind: Any, value: Any) -> Any:
    return kind(value)


def _run(service: CacheService, function: Any, args: list[Any], kwargs: dict[str, Any]) -> Any:
    service.listeners.append(_note)
    try:
        with err.status("calling"):
            if inspect.iscoroutinefunction(function):
                return asyncio.run(_awaited(service, function, args, kwargs))
            with service:
                return function(*args, **kwargs)
    except CacheError:
        raise
    except Exception as failure:
        theirs, hidden = _their_part(failure.__traceback__), [str(ours) for ours in _ON_THE_WAY]
        err.print(Traceback.from_exception(type(failure), failure, theirs, suppress=hidden))
        raise typer.Exit(FAILED) from failure


def _their_part(way: TracebackType | None) -> TracebackType | None:
    """Leave out how the function was reached: what failed is in it."""
    while way is not None and any(Path(way.tb_frame.f_code.co_filename).is_relative_to(ours) for ours in _ON_THE_WAY):
        way = way.tb_next
    return way


def _check_stored(service: CacheService, called: CachedCalls[Any, Any], key: str) -> None:
    """Say that what was printed is not stored, where the store does not answer: loads go on without it."""
    try:
        with service:
            service.has_key(key, backend=called.backend)
    except BackendUnavailableError as away:
        complain(f"not stored: {away}")
        raise typer.Exit(UNAVAILABLE) from away


async def _awaited(service: CacheService, function: Any, args: list[Any], kwargs: dict[str, Any]) -> Any:
    async with service:
        return await function(*args, **kwargs)


def _note(event: Event) -> None:
    match event:
        case Hit():
            tell("hit")
        case Loaded(load_seconds=seconds):
            tell(f"called, in {seconds:.3f} s")
