"""What listeners are told. Events carry names and numbers, never values."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened at a backend."""

    backend: str


@dataclass(frozen=True, slots=True)
class Hit(Event):
    """A read-through found its value."""

    key: str


@dataclass(frozen=True, slots=True)
class Miss(Event):
    """A read-through found nothing."""

    key: str


@dataclass(frozen=True, slots=True)
class Loaded(Event):
    """A load returned after so many seconds."""

    key: str
    load_seconds: float


@dataclass(frozen=True, slots=True)
class LoadFailed(Event):
    """A load raised."""

    key: str
    error: BaseException


@dataclass(frozen=True, slots=True)
class EntryDamaged(Event):
    """A stored entry could not be trusted and was treated as a miss."""

    key: str
    reason: str


@dataclass(frozen=True, slots=True)
class BackendDown(Event):
    """A store stopped answering; operations are short-cut until it is back."""

    reason: str


@dataclass(frozen=True, slots=True)
class BackendUp(Event):
    """A store answers again."""

    down_seconds: float


Listener = Callable[[Event], None]


class Observable(Protocol):
    """Whatever tells a list of listeners: a backend, a service."""

    listeners: list[Listener]
