"""What a node of the model does: it holds copies, follows the log, and has one flight."""

from asynccache.core.fence import CLEAR, KEYS, TAGS, Birth
from tests.coherence.scripts import LOGGED, Scripts
from tests.coherence.world import CELL, Confirmed, Event, Violation


class Nodes(Scripts):
    """The side of the nodes, over that of the store."""

    def serves(self, node):
        """Tell whether a node would answer from what it holds."""
        held = node.held
        return held is not None and self.rules.is_served(
            held.birth.born, node.floor, (node.cell,) if held.birth.cells else ()
        )

    def admit(self, world, load, found):
        """Hold what the store confirmed, if that is still news."""
        self._admit(world, load.node, found)

    def _admit(self, world, index, found):
        node = world.nodes[index]
        known_as_of = -1 if node.held is None else node.held.as_of
        if not self.rules.is_admitted(found.as_of, found.view, node.view, node.recent, known_as_of):
            return
        if found.as_of < known_as_of and found.value < node.held.value:
            raise Violation(f"node {index} goes back to {found.value}, which the store had said before")
        world.put_node(index, held=found)

    def apply(self, world, index, event):
        """Apply a change to what a node holds."""
        node, change = world.nodes[index], event.change
        changes = {"known": max(node.known, change.stamp), "needs": max(node.needs, event.demands)}
        if change.kind == KEYS:
            changes["recent"] = max(node.recent, change.stamp)
            if node.held is not None and change.stamp > node.held.as_of:
                changes["held"] = None
        elif change.kind == TAGS:
            changes["cell"] = max(node.cell, change.stamp)
        elif change.kind == CLEAR:
            changes["floor"] = max(node.floor, change.stamp)
        world.put_node(index, **changes)

    def apply_own(self, world, call):
        """Apply an invalidation of the node's own before it returns; later callers start their own load."""
        node = world.nodes[call.node]
        if self.has("own at once"):
            if call.view == node.view:
                change = self.rules.Change(call.stamp, 0, LOGGED[call.kind])
                self.apply(world, call.node, Event(change, call.value))
                if call.kind == "set":
                    birth = Birth(call.view.gen, call.stamp, (CELL,))
                    self._admit(world, call.node, Confirmed(call.value, birth, call.stamp, call.view))
            else:
                world.put_node(call.node, held=None, view=None)
            world.put_node(call.node, flight=0)
        world.put_node(call.node, needs=max(world.nodes[call.node].needs, call.value))

    def follow(self, world, index):
        """Read one change of the log, or find that something is missing."""
        if world.notebook.keeper != world.process:
            self.begin(world)
        node, book = world.nodes[index], world.notebook
        event = next((event for event in world.log if event.change.stamp > node.applied), None)
        if node.view != book.view:
            self._flush(world, index)
        elif event is None:
            if self.rules.has_hole(book.seq, node.applied):
                self._flush(world, index)
            else:
                world.put_node(index, applied=book.seq, needs=max(node.needs, world.demanded))
        elif self.rules.follows(event.change, node.applied):
            self.apply(world, index, event)
            world.put_node(index, applied=event.change.stamp)
        else:
            self._flush(world, index)

    def lags(self, world, node):
        """Tell whether there is something for a node to read."""
        book = world.notebook
        return book is not None and (node.view != book.view or node.applied != book.seq)

    def check(self, world):
        """Raise where the store or a node would serve what is older than an invalidation that it has executed."""
        if world.entry is not None and world.entry.value < world.demanded and self.is_valid(world):
            raise Violation(f"the store has a valid version {world.entry.value} after {world.demanded} was demanded")
        for index, node in enumerate(world.nodes):
            if node.held is not None and node.held.value < node.needs and self.serves(node):
                raise Violation(f"node {index} holds version {node.held.value} and knows that {node.needs} is needed")

    def _flush(self, world, index):
        node, book = world.nodes[index], world.notebook
        world.put_node(
            index,
            held=None if self.has("flush empties") else node.held,
            view=book.view,
            applied=book.seq,
            known=book.seq,
            recent=book.seq if self.has("flush remembers where") else 0,
            cell=0,
            floor=0,
            needs=max(node.needs, world.demanded),
        )
