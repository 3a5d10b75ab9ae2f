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

    `query` are names of parameters, for which the `parameters` stand; None: any, as a model says that allows extra
    ones. `headers` are the names of all headers where a model takes some, which FastAPI finds by going through all of
    them; else None.
    """

    query: frozenset[str] | None
    parameters: Parameters | None
    headers: frozenset[bytes] | None


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
    header_models = [model for field in headers for model in _models(field)]
    by_model = bool(header_models) and not any(map(_is_open, header_models))
    names = frozenset(name for field in queries for name in _names(field))
    return Declared(
        None if any_query else names,
        None if any_query else Parameters(names),
        frozenset(name for field in headers for name in _header_names(field)) if by_model else None,
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


def _names(field: Any) -> Iterator[str]:
    """Give all names under which a parameter may come."""
    yield from _aliases(field.name, field.field_info)
    for model in _models(field):
        for name, info in model.model_fields.items():
            yield from _aliases(name, info)


def _aliases(name: str, info: Any) -> Iterator[str]:
    yield name
    for alias in (info.alias, info.validation_alias):
        choices = alias.choices if isinstance(alias, AliasChoices) else [alias]
        yield from (choice for choice in choices if isinstance(choice, str))


def _header_names(field: Any) -> Iterator[bytes]:
    """Give the names of headers: those that are not spelt out have dashes in place of underscores."""
    models = _models(field)
    converts = getattr(field.field_info, "convert_underscores", True)
    infos = [pair for model in models for pair in model.model_fields.items()] or [(field.name, field.field_info)]
    for name, info in infos:
        given = set(_aliases(name, info)) - {name}
        if not given or (models and _takes_names(models)):
            given.add(name.replace("_", "-") if getattr(info, "convert_underscores", converts) else name)
        yield from (one.lower().encode("latin-1", "replace") for one in given)


def _takes_names(models: list[type[BaseModel]]) -> bool:
    configs = [model.model_config for model in models]
    return any(config.get("populate_by_name") or config.get("validate_by_name") for config in configs)
