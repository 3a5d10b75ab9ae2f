"""The names in tags of pages: arguments of the handler, or parameters in the path, of which few frameworks tell it."""

from __future__ import annotations

from inspect import Parameter, signature
from typing import TYPE_CHECKING, Any

from asynccache.core.web_types import is_request
from asynccache.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from asynccache.core.tags import TagTemplates

_STARS = {Parameter.VAR_POSITIONAL, Parameter.VAR_KEYWORD}
_OWNERS = ("self", "cls")


def check_tag_names(
    function: Callable[..., Any], hints: Mapping[str, Any], templates: TagTemplates, decorator: str = "@Cache"
) -> None:
    """Raise `ConfigurationError` where tags name what is no parameter of a handler, and it takes no request.

    Who takes the request takes the parameters in the path with it.
    """
    parameters = list(signature(function).parameters.values())
    if parameters and parameters[0].name in _OWNERS:
        parameters = parameters[1:]
    if any(_may_be_request(each, hints.get(each.name)) for each in parameters):
        return
    known = [each.name for each in parameters]
    if unknown := sorted(templates.names - set(known)):
        raise ConfigurationError(
            f"{decorator} on {function.__qualname__}: tags name {unknown[0]!r}, and it takes {known}: add it to the "
            "parameters, if it is in the path"
        )


def _may_be_request(parameter: Parameter, hint: Any) -> bool:
    """Tell whether this may be given a request, or anything at all."""
    if parameter.kind in _STARS or hint is None or parameter.name == "request":
        return True
    return "Request" in hint if isinstance(hint, str) else is_request(hint)
