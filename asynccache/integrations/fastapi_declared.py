"""What FastAPI knows beforehand of a route: the parameters of the query, and the headers, that it takes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, get_args

from pydantic import AliasChoices, BaseModel

from asynccache.core.query import Parameters

if TYPE_CHECKING:
    from collections.abc import Iterator

_KEPT_AS = "_asynccache_declared"
_OPEN = "allow"


class Declared(NamedTuple):
    """What a route and its dependencies take.

    `query` are the parameters, each by the names that it may have, and the `parameters` stand for all of these; None:
    any, as a model says that allows extra ones. `headers` are the names of headers, for which FastAPI goes through all
    that there are, by its version or where a model takes them; None: there are none, or a model allows extra ones.
    `may_read`: dependencies, headers (a body's Content-Type) or cookies are looked at before the handler is called.
    """

    query: tuple[frozenset[str], ...] | None
    parameters: Parameters | None
    headers: frozenset[bytes] | None
    may_read: bool


def declared(route: Any, scope: Any = None) -> Declared:
    """Find what a route takes, with the dependencies of the routers that it is included by for this request."""
    context = (scope or {}).get("fastapi", {}).get("effective_route_context")
    owner = context if context is not None and context.original_route is route else route
    found: Declared | None = owner.__dict__.get(_KEPT_AS)
    if found is None:
        found = owner.__dict__[_KEPT_AS] = _found(owner.dependant)
    return found


def _found(dependant: Any) -> Declared:
    dependants = list(_with_dependencies(dependant))
    queries = [field for each in dependants for field in each.query_params]
    headers = [field for each in dependants for field in each.header_params]
    any_query = any(_is_open(model) for field in queries for model in _models(field))
    any_header = any(_is_open(model) for field in headers for model in _models(field))
    named = tuple(names for field in queries for names in _names(field))
    return Declared(
        None if any_query else named,
        None if any_query else Parameters(frozenset[str]().union(*named)),
        frozenset(name for field in headers for name in _header_names(field)) if headers and not any_header else None,
        bool(headers or dependant.cookie_params or dependant.body_params or len(dependants) > 1),
    )


def _with_dependencies(dependant: Any) -> Iterator[Any]:
    yield dependant
    for each in dependant.dependencies:
        yield from _with_dependencies(each)


def _models(field: Any) -> list[type[BaseModel]]:
    """Give the models whose fields are the parameters: one, or those of a union."""
    annotation = field.field_info.annotation
    return [
        kind for kind in (annotation, *get_args(annotation)) if isinstance(kind, type) and issubclass(kind, BaseModel)
    ]


def _is_open(model: type[BaseModel]) -> bool:
    return model.model_config.get("extra") == _OPEN


def _names(field: Any) -> Iterator[frozenset[str]]:
    """Give all names under which a parameter may come, or each of those of a model."""
    return (frozenset(_aliases(field, name, info)) for name, info in _infos(field))


def _infos(field: Any) -> list[tuple[str, Any]]:
    """Give what is said of a parameter, or of each that is a field of a model."""
    of_models = [pair for model in _models(field) for pair in model.model_fields.items()]
    return of_models or [(field.name, field.field_info)]


def _aliases(field: Any, name: str, info: Any) -> set[str]:
    """Give the aliases of a parameter, and its name where it has none, or where its model takes both."""
    given: set[str] = set()
    for alias in (info.alias, info.validation_alias):
        choices = alias.choices if isinstance(alias, AliasChoices) else [alias]
        given.update(choice if isinstance(choice, str) else name for choice in choices if choice is not None)
    configs = [model.model_config for model in _models(field)]
    takes_name = any(config.get("populate_by_name") or config.get("validate_by_name") for config in configs)
    return given | {name} if takes_name or not given else given


def _header_names(field: Any) -> Iterator[bytes]:
    """Give the names of headers: those that are not spelt out have dashes in place of underscores."""
    converts = getattr(field.field_info, "convert_underscores", True)
    for name, info in _infos(field):
        written = name.replace("_", "-") if getattr(info, "convert_underscores", converts) else name
        for alias in _aliases(field, name, info):
            yield (written if alias == name else alias).lower().encode("latin-1", "replace")
