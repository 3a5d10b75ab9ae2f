"""What the model is tried with: nodes, calls on them, and the accidents that may happen meanwhile."""

from typing import NamedTuple

from tests.coherence.world import Invalidation, Load, World


class Configuration(NamedTuple):
    calls: tuple
    accidents: dict
    nodes: int = 2

    def begin(self):
        return World(self.nodes, self.calls, self.accidents)


def delete(node):
    return Invalidation(node, "delete")


def put(node, *, late=False):
    return Invalidation(node, "set", late)


def tag(node):
    return Invalidation(node, "tag")


def clear(node):
    return Invalidation(node, "clear")


def other(node):
    return Invalidation(node, "other")


def replica(node):
    return Load(node, from_replica=True)


def renewal(node):
    return Load(node, renews=True)


def unstored(node):
    return Load(node, unstored=True)


def _of(*calls, nodes=2, **accidents):
    return Configuration(calls, {name.replace("_", " "): count for name, count in accidents.items()}, nodes)


SMALL = {
    "delete": _of(Load(0), Load(1), delete(1), lose_lease=1),
    "delete on the same node": _of(Load(0), Load(0), delete(0), lose_lease=1, nodes=1),
    "set": _of(Load(0), Load(1), put(1), lose_lease=1),
    "tag": _of(Load(0), Load(1), tag(1), lose_lease=1),
    "clear": _of(Load(0), Load(1), clear(1), lose_lease=1),
    "renewal": _of(renewal(0), Load(1), delete(1), lose_lease=1),
    "nothing stored": _of(unstored(0), Load(0), tag(1), lose_lease=1),
    "followers": _of(Load(0), Load(0), delete(1), lose_lease=1),
    "landing unheard": _of(Load(0), Load(0), tag(1), land_unheard=1, lose_lease=1),
    "landing late": _of(Load(0), delete(1), Load(1), land_unheard=1, lose_lease=1),
    "notebook lost": _of(Load(0), tag(1), lose_notebook=1),
    "notebook lost, clear": _of(Load(0), clear(1), lose_notebook=1),
    "notebook lost, set": _of(put(0), tag(1), Load(1), lose_notebook=1),
    "table lost": _of(put(0), tag(1), Load(0), lose_table=1),
    "lease lost": _of(Load(0), Load(1), delete(1), lose_lease=1, lose_entry=1),
    "log trimmed, tag": _of(Load(1), tag(0), delete(0), trim_log=2),
    "log trimmed, other": _of(Load(1), delete(0), other(0), trim_log=1),
    "crash": _of(Load(0), Load(1), delete(1), crash=1, lose_lease=1),
    "late set": _of(put(0, late=True), delete(1), Load(1)),
    "late set, tag": _of(put(0, late=True), tag(1), Load(0)),
    "replica and log": _of(put(0), replica(1), delete(0), copy=2),
    "fail-over": _of(Load(0), delete(1), copy=1, fail_over=1),
    "set held nearby": _of(put(0), Load(1), delete(0)),
    "set and tag": _of(put(0), Load(1), tag(0)),
}
"""Tried at every push."""

LARGE = {
    "two invalidations": _of(Load(0), Load(1), tag(0), delete(1)),
    "set and tag, two loads": _of(put(0), tag(0), Load(1), Load(1)),
    "notebook lost, later load": _of(tag(1), Load(0), tag(1), lose_notebook=1),
    "notebook lost, set again": _of(put(0), tag(0), Load(0), put(0), nodes=1, lose_notebook=1),
    "notebook lost, tag": _of(Load(0), tag(1), Load(1), lose_notebook=1),
    "notebook lost, clear and load": _of(Load(0), clear(1), Load(1), lose_notebook=1),
    "table lost twice": _of(put(0), tag(1), Load(0), lose_table=2),
    "table lost, two loads": _of(Load(0), tag(1), Load(1), lose_table=2),
    "followers of a hit": _of(put(0), Load(1), Load(1), tag(0)),
    "followers of another's hit": _of(Load(0), Load(0), Load(1), tag(1)),
    "renewal of a set": _of(put(0), renewal(0), Load(1), delete(1), lose_lease=1),
    "followers of a second hit": _of(Load(0), Load(0), Load(1), delete(1), lose_lease=1),
    "three followers": _of(Load(0), Load(0), Load(0), tag(1)),
    "set held nearby twice": _of(put(0), Load(1), Load(1), delete(0)),
    "set and clear": _of(put(0), Load(1), clear(0), Load(1)),
    "notebook lost twice": _of(put(0), tag(1), Load(1), lose_notebook=2),
    "log trimmed": _of(put(0), Load(1), delete(0), put(0), trim_log=2),
    "log trimmed, set and other": _of(put(0), Load(1), delete(0), other(0), trim_log=2),
    "gap while reading": _of(Load(1), Load(1), delete(0), other(0), trim_log=2),
    "fail-over and load": _of(Load(0), delete(1), Load(1), copy=2, fail_over=1),
    "fail-over, tag": _of(put(0), tag(1), Load(0), copy=1, fail_over=1),
    "fail-over on one node": _of(put(0), tag(0), Load(0), nodes=1, fail_over=1),
    "replica": _of(put(0), replica(1), delete(1), replica(1), copy=2),
}
"""Tried in the long run."""
ALL = SMALL | LARGE


def drawn(luck):
    """Draw a configuration of two to four nodes."""
    nodes = luck.choice([2, 3, 4])
    loads = [
        Load(
            luck.randrange(nodes),
            from_replica=luck.random() < 0.1,
            renews=luck.random() < 0.1,
            unstored=luck.random() < 0.1,
        )
        for _ in range(luck.randint(3, 7))
    ]
    kinds = ["delete", "set", "tag", "clear"]
    changes = [Invalidation(luck.randrange(nodes), luck.choice(kinds)) for _ in range(luck.randint(1, 4))]
    if luck.random() < 0.3:
        changes.append(put(luck.randrange(nodes), late=True))
    calls = luck.sample(loads + changes, len(loads) + len(changes))
    often = dict.fromkeys(["lose notebook", "lose table", "lose entry", "trim log", "crash", "land unheard"], 2)
    often |= {"lose lease": 5, "copy": 4, "fail over": 2}
    return Configuration(tuple(calls), {name: luck.randint(0, most) for name, most in often.items()}, nodes)
