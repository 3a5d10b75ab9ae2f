"""The model with what Redis and the tiers do otherwise: it costs less, and is as safe.

Marks are asked for in a second question, after the entry, and must be of the same generation and told by the same
process. What is held nearby rests on what the node knew when it asked, in place of where the store was when it answered
and of where the entry was born.
"""

from asynccache.core.fence import Marks
from tests.coherence.model import Model

CLEAN = Marks(1, (0,))


class AsBuilt(Model):
    """As `Model` otherwise."""

    # Two questions

    def _look(self, world, load, node):
        if load.from_replica:
            return super()._look(world, load, node)
        marks, world.marks = world.marks, CLEAN
        found = super()._look(world, load, node)
        world.marks = marks
        return found

    def _decide(self, world, index, load, node):
        if load.found is not None and not load.from_replica:
            clean = self._are_theirs(world, load.found.view) and self.rules.is_clean(load.found.birth.born, world.marks)
            load = load._replace(found=load.found if clean else None)
        super()._decide(world, index, load, node)

    def _are_theirs(self, world, view):
        """Tell whether marks that are told now belong to what was found in this view."""
        gen = None if world.notebook is None else world.notebook.gen
        return (gen == view.gen or not self.has("marks of its generation")) and (
            world.process == view.keeper or not self.has("marks of its process")
        )

    # What copies rest on

    def grounded(self, world, load):
        node = world.nodes[load.node]
        return load._replace(ground=None if node.view is None else (node.known, node.view))

    def serves(self, node):
        held = node.held
        return held is not None and self.rules.is_served(
            held.as_of, node.floor, (node.cell,) if held.birth.cells else ()
        )

    def admit(self, world, load, found):
        if load.ground is not None:
            as_of, view = load.ground
            self._admit(world, load.node, found._replace(as_of=as_of, view=view))
