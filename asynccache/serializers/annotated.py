"""Users' own classes that are known without being registered: those in the return annotations of cached functions.

Annotations are the program's own text, so that what is decoded is still nothing that stored bytes could choose.
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import Enum
from typing import Any, get_args, get_type_hints

from asynccache.serializers.classes import Recipe, recipes, registrable

by_type: dict[type, Recipe] = {}
by_label: dict[str, Recipe] = {}


def know(annotation: Any) -> None:
    """Let all serializers of this process know the classes in an annotation, and those in their fields."""
    for kind in _classes(annotation, set()):
        if kind not in by_type:
            recipe = recipes([kind])[kind]
            by_type[kind] = by_label[recipe.label] = recipe


def _classes(annotation: Any, seen: set[int]) -> Iterator[type]:
    if id(annotation) in seen:
        return
    seen.add(id(annotation))
    parts = [*get_args(annotation), getattr(annotation, "__origin__", None)]
    parts += [getattr(annotation, name, None) for name in ("__value__", "__supertype__")]  # aliases, NewType
    if isinstance(annotation, type) and registrable(annotation):
        yield annotation
        parts += () if issubclass(annotation, Enum) else _field_types(annotation)
    for part in parts:
        if part is not None:
            yield from _classes(part, seen)


def _field_types(kind: Any) -> list[Any]:
    """Give what the fields of a class are annotated with, where the names in it are known by now."""
    if hasattr(kind, "__pydantic_validator__"):
        return [field.annotation for field in kind.model_fields.values()]
    try:
        return list(get_type_hints(kind).values())
    except (NameError, TypeError, AttributeError):
        return []
