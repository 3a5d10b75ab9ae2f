"""What the store of the model does in one step, as the scripts of a real one do."""

from asynccache.core.fence import CLEAR, KEYS, NOTHING, TAGS, Birth, Change, Marks, Notebook
from tests.coherence.world import CELL, RULES, UNMARKED, Confirmed, Event, Stored

LOGGED = {"delete": KEYS, "set": KEYS, "tag": TAGS, "clear": CLEAR, "other": NOTHING}


class Scripts:
    """The store's side.

    Args:
        off: the fences that are switched off.
        rules: those of `core/fence.py`, or some with a clause less.
    """

    def __init__(self, off=(), rules=RULES):
        self.off = frozenset(off)
        self.rules = rules

    def has(self, fence):
        return fence not in self.off

    def is_valid(self, world, kept=None):
        """Tell what any reader can decide from the notebook, the entry and the cells of its tags."""
        entry, _, notebook, marks, _ = world.kept if kept is None else kept
        keeper = world.process if kept is None or notebook is None else notebook.keeper
        return entry is not None and self.rules.is_valid(entry.birth, notebook, keeper, marks)

    def begin(self, world):
        """Begin a script: what was lost is of a new generation, what another process wrote is accepted as cleared."""
        if world.notebook is None:
            world.generations += 1
            world.notebook = Notebook(world.generations, 1, 1, world.process)
            world.marks, world.log = UNMARKED, ()
        if world.notebook.keeper != world.process and self.has("adopt"):
            world.notebook = world.notebook._replace(keeper=world.process)
            world.notebook = world.notebook._replace(floor=self._stamp(world, CLEAR, world.demanded))
        return world.notebook

    def open(self, world, load, token):
        """Give the entry, or the right to load; None where another holds that."""
        book = self.begin(world)
        if self.is_valid(world) and not load.renews:
            return Confirmed(*world.entry, book.seq, book.view)
        if world.lease:
            return None
        world.lease = token
        return load._replace(token=token, born=book.seq, view=book.view)

    def land(self, world, load):
        """Store what was loaded, if the right still stands and nothing was invalidated since; tell where that was."""
        book = world.notebook
        if book is None or (book.keeper != world.process and self.has("adopt")):
            return None
        if load.view != book.view and self.has("ticket's view"):
            return None
        if world.lease != load.token and self.has("token"):
            return None
        born = load.born if self.has("born at lease") else book.seq
        entry = Stored(load.made, Birth(book.gen, born, (CELL,)))
        allowed = self.rules.is_valid(entry.birth, book, world.process, world.marks)
        if world.marks == UNMARKED:
            world.marks = Marks(self._stamp(world, NOTHING, 0), (0,))
        world.lease = 0
        if not allowed and self.has("land checks"):
            return None
        if not load.unstored:
            world.entry = entry
        return Confirmed(*entry, world.notebook.seq, world.notebook.view)

    def invalidate(self, world, kind, value):
        """Do what a delete, set, tag or clear does; `other` is an invalidation of another key."""
        self.begin(world)
        if (kind == "delete" and self.has("delete revokes")) or (kind == "set" and self.has("set revokes")):
            world.lease = 0
        stamp = self._stamp(world, LOGGED[kind], value)
        if kind == "delete":
            world.entry = None
        elif kind == "set":
            world.entry = Stored(value, Birth(world.notebook.gen, stamp, (CELL,)))
            world.marks = Marks(world.marks.floor or stamp, world.marks.stamps)
        elif kind == "tag":
            world.marks = Marks(world.marks.floor or stamp, (stamp,))
        elif kind == "clear":
            world.notebook = world.notebook._replace(floor=stamp)
        world.demanded = max(world.demanded, value)
        return stamp

    def _stamp(self, world, kind, value):
        book = world.notebook
        change = Change(book.seq + 1, book.seq, kind)
        world.notebook = book._replace(seq=change.stamp)
        world.log += (Event(change, max(world.demanded, value)),)
        return change.stamp
