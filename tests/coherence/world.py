"""What the model consists of: one key with one tag in a store, and nodes that hold copies of it and load it.

All is numbers and tuples, so that a state can be hashed. The values are versions of an origin: 1, 2, 3 and so on.
"""

from types import SimpleNamespace
from typing import NamedTuple

from asynccache.core import fence
from asynccache.core.fence import Birth, Change, Marks, Notebook, View

CELL = 7
"""The one cell that the model's tag has; `Marks` has its stamp."""
UNMARKED = Marks(0, (0,))
"""What is read of a table that is not there."""
RULES = SimpleNamespace(**{name: getattr(fence, name) for name in dir(fence) if not name.startswith("_")})
"""The project's own rules; tests leave out clauses of them."""


class Violation(Exception):
    """Something is older than it may be."""


class Stored(NamedTuple):
    value: int
    birth: Birth


class Confirmed(NamedTuple):
    """An entry, and where the store said that it is valid."""

    value: int
    birth: Birth
    as_of: int
    view: View


class Event(NamedTuple):
    """A change in the log; whoever knows it, and all before, must not serve what is older than `demands`."""

    change: Change
    demands: int


class Node(NamedTuple):
    """A process: what it holds, what it knows of changes, and the flight of its loader.

    `needs` is the version that it must not go behind any more. `flight` is the number of the call that leads, plus
    one (0: nobody); `begun` counts flights.
    """

    held: Confirmed | None = None
    view: View | None = None
    applied: int = 1
    recent: int = 1
    cell: int = 0
    floor: int = 0
    known: int = 1
    needs: int = 0
    flight: int = 0
    begun: int = 0


# What a call does next, or waits for.
START, LOOKED, ASK, CLAIM, FACTORY, LOADED, LAND, SENT, ANSWERED, FOLLOW, LATE, DONE = range(12)


class Load(NamedTuple):
    """A read-through.

    `needs` is what all that had returned when it began demands, `needs_here` likewise on its own node (for reads of
    replicas). `arrived` and `number` are flights of its node: the last one when it began, and its own. `asked` counts
    the questions that its flight had sent, when it joined or by now; `proof` is the one that was answered with "good".
    `ground` is what its node knew when it asked (`AsBuilt`).
    """

    node: int
    phase: int = START
    from_replica: bool = False
    renews: bool = False
    unstored: bool = False
    needs: int = 0
    needs_here: int = 0
    arrived: int = -1
    number: int = 0
    leader: int = 0
    asked: int = 0
    proof: int = 0
    token: int = 0
    born: int = 0
    view: View | None = None
    made: int = 0
    found: Confirmed | None = None
    ground: tuple[int, View] | None = None

    def done(self) -> "Load":
        """Forget what does not matter any more: there are fewer states then."""
        return Load(self.node, DONE)

    def orphan(self) -> "Load":
        """Keep what is under way to the store, and what nobody waits for any more."""
        mine = (self.token, self.born, self.view, self.made)
        return Load(self.node, LATE, unstored=self.unstored)._replace(
            **dict(zip(("token", "born", "view", "made"), mine, strict=True))
        )


class Invalidation(NamedTuple):
    """A delete, set, tag or clear: the origin changes, the store is told, its answer is heard.

    A `late` one is a set that the caller was told had failed, and whose bytes are still under way.
    """

    node: int
    kind: str
    late: bool = False
    phase: int = START
    value: int = 0
    stamp: int = 0
    view: View | None = None

    def done(self) -> "Invalidation":
        return Invalidation(self.node, self.kind, phase=DONE)


class World:
    """A state: the store, its replica, all nodes, all calls, and what is demanded.

    `demanded` is what the invalidations that were executed demand of the store, `returned` what those demand that have
    returned. `budget` says which accidents may still happen, and how often.
    """

    def __init__(self, nodes, calls, budget):
        self.entry: Stored | None = None
        self.lease = 0
        self.notebook: Notebook | None = Notebook(1, 1, 1, 1)
        self.marks = Marks(1, (0,))
        self.log: tuple[Event, ...] = ()
        self.replica = (None, 0, self.notebook, self.marks, ())
        self.process = 1
        self.generations = 1
        self.tokens = 0
        self.origin = 0
        self.demanded = 0
        self.returned = 0
        self.nodes = (Node(view=self.notebook.view),) * nodes
        self.calls = tuple(calls)
        self.budget = tuple(sorted(budget.items()))

    def copy(self):
        twin = World.__new__(World)
        twin.__dict__.update(self.__dict__)
        return twin

    def frozen(self):
        return tuple(self.__dict__.values())

    @property
    def kept(self):
        """What a replica copies."""
        return (self.entry, self.lease, self.notebook, self.marks, self.log)

    @kept.setter
    def kept(self, kept):
        self.entry, self.lease, self.notebook, self.marks, self.log = kept

    def put_node(self, index, **changes):
        nodes = list(self.nodes)
        nodes[index] = nodes[index]._replace(**changes)
        self.nodes = tuple(nodes)

    def put_call(self, index, call):
        calls = list(self.calls)
        calls[index] = call
        self.calls = tuple(calls)

    def spend(self, accident):
        self.budget = tuple((name, count - (name == accident)) for name, count in self.budget)
