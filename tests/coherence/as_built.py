"""The model with what Redis and the tiers do otherwise: it costs less, and is as safe.

Marks are asked for in a second question, after the entry; then stamps must not begin anew where a notebook is lost, for
which the server's clock sees. What is held nearby rests on what the node knew when it asked, in place of where the
store was when it answered and of where the entry was born.
"""

from asynccache.core.fence import Marks
from tests.coherence.model import Model

CLEAN = Marks(1, (0,))


class AsBuilt(Model):
    """As `Model` otherwise."""

    def after(self, world, step):
        world = super().after(world, step)
        if self.has("clock goes on") and world.notebook is not None and world.notebook.seq > world.clock:
            world.clock = world.notebook.seq
        return world

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
            clean = self.rules.is_clean(load.found.birth.born, world.marks)
            load = load._replace(found=load.found if clean else None)
        super()._decide(world, index, load, node)

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
