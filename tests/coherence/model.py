"""A model of the whole: every step that could happen next, and what it does.

A step is one that nothing can come between: a script of the store, a reply that is dealt with, an accident. A call
begins in the moment of its first look, which is when most is demanded of it. The worst is assumed: stamps begin from 1
again where the notebook was lost.
"""

from tests.coherence.nodes import Nodes
from tests.coherence.world import (
    ANSWERED,
    ASK,
    CLAIM,
    DONE,
    FACTORY,
    FOLLOW,
    LAND,
    LATE,
    LOADED,
    LOOKED,
    SENT,
    START,
    UNMARKED,
    Confirmed,
    Load,
    Node,
    Violation,
)

ASKS = 2
"""How often a load asks for the right to load before it waits until it can have it."""


class Model(Nodes):
    """Steps are names with the number of the call or node that they are about, or -1."""

    def steps(self, world):
        """Give all that can happen next."""
        found = [("call", index) for index, call in enumerate(world.calls) if self._goes_on(world, call)]
        found += [("give up", index) for index, call in enumerate(world.calls) if call.phase == SENT]
        found += [("follow", index) for index, node in enumerate(world.nodes) if self.lags(world, node)]
        for accident, count in world.budget:
            if count:
                found += self._accidents(world, accident)
        return found

    def after(self, world, step):
        """Give the state after a step; `Violation` where it is one that must not be."""
        world = world.copy()
        name, index = step
        if name == "call":
            call = world.calls[index]
            (self._load if isinstance(call, Load) else self._invalidate)(world, index, call)
        elif name == "give up":
            world.put_call(index, world.calls[index]._replace(phase=LATE))
        elif name == "follow":
            self.follow(world, index)
        else:
            world.spend(name)
            self._accident(world, name, index)
        self.check(world)
        return world

    def grounded(self, world, load):
        """Give a load that sends a question with what its node knows now, if that matters."""
        del world
        return load

    # Accidents

    def _accidents(self, world, accident):
        if accident == "crash":
            return [(accident, index) for index in range(len(world.nodes))]
        if accident == "land unheard":
            return [(accident, index) for index, call in enumerate(world.calls) if call.phase == LAND]
        happens = {
            "lose notebook": world.notebook is not None,
            "lose table": world.marks != UNMARKED,
            "lose lease": world.lease,
            "lose entry": world.entry is not None,
            "trim log": world.log,
            "copy": world.replica != world.kept,
            "fail over": True,
        }
        return [(accident, -1)] if happens[accident] else []

    def _accident(self, world, accident, index):
        if accident == "lose notebook":
            world.notebook = None
        elif accident == "lose table":
            world.marks = UNMARKED
        elif accident == "lose lease":
            world.lease = 0
        elif accident == "lose entry":
            world.entry = None
        elif accident == "trim log":
            world.log = world.log[1:]
        elif accident == "copy":
            world.replica = world.kept
        elif accident == "fail over":
            world.kept = world.replica
            world.process += 1
        elif accident == "land unheard":
            load = world.calls[index]
            self._answer(world, index, load, load.made, None)
            world.put_call(index, load.orphan())
        elif accident == "crash":
            gone = [call.orphan() if call.phase == LAND else call.done() for call in world.calls]
            world.calls = tuple(
                left if call.node == index else call for call, left in zip(world.calls, gone, strict=True)
            )
            world.put_node(index, **Node(applied=0, recent=0, known=0)._asdict())

    # Calls

    def _goes_on(self, world, call):
        if call.phase in {FOLLOW, DONE}:
            return False
        if call.phase == SENT:
            return world.origin == call.value  # what is set is the truth at that moment
        waits = call.phase == CLAIM and isinstance(call, Load) and call.asked >= ASKS
        return not waits or not self._is_taken(world, call)

    def _is_taken(self, world, load):
        book = world.notebook
        is_ours = book is not None and book.keeper == world.process
        return is_ours and world.lease and (load.renews or not self.is_valid(world))

    def _invalidate(self, world, index, call):
        if call.phase == START:
            if call.kind != "other":
                world.origin += 1
            phase = SENT if call.late else CLAIM
            call = call._replace(phase=phase, value=world.origin if call.kind != "other" else 0)
            if call.kind != "set" or call.late:
                world.put_call(index, call)
                return
        if call.phase == CLAIM:
            stamp = self.invalidate(world, call.kind, call.value)
            world.put_call(index, call._replace(phase=ANSWERED, stamp=stamp, view=world.notebook.view))
            return
        if call.phase == ANSWERED:
            self.apply_own(world, call)
            world.returned = max(world.returned, call.value)
        elif call.phase == SENT or not self.has("deadline of a set"):
            self.invalidate(world, call.kind, call.value)
        world.put_call(index, call.done())

    def _load(self, world, index, load):
        node = world.nodes[load.node]
        if load.phase == START:
            self._begin(world, index, load, node)
        elif load.phase == LOOKED:
            self._decide(world, index, load, node)
        elif load.phase == CLAIM:
            self._claim(world, index, load)
        elif load.phase == LAND:
            landed = self.land(world, load)
            world.put_call(index, load._replace(phase=ANSWERED, found=landed, proof=load.asked if landed else 0))
        elif load.phase == LATE:
            self.land(world, load)
            world.put_call(index, load.done())
        elif load.phase == ANSWERED:
            if load.found is not None and not load.unstored:
                self.admit(world, load, load.found)
            value = load.made if load.found is None else load.found.value
            self._answer(world, index, load, value, load.found)
        else:
            world.put_call(index, self.grounded(world, _AFTERWARDS[load.phase](world, load)))

    def _begin(self, world, index, load, node):
        """Begin, and look in the same moment, unless what the node holds will do."""
        if load.arrived < 0:
            needs_here = node.needs if load.from_replica else 0
            load = load._replace(needs=world.returned, needs_here=needs_here, arrived=node.begun)
        if load.renews:
            world.put_call(index, load._replace(phase=ASK))
        elif self.serves(node):
            self._serve(world, index, load, node.held.value, load.needs_here)
        else:
            found = self._look(world, load, node)
            world.put_call(index, self.grounded(world, load._replace(phase=LOOKED, found=found)))

    def _look(self, world, load, node):
        kept = world.replica if load.from_replica else world.kept
        entry, _, book, _, _ = kept
        if not self.is_valid(world, kept if load.from_replica else None):
            return None
        is_behind = load.from_replica and (book.seq < node.known or book.view != node.view)
        if is_behind and self.has("replica's position"):
            return None
        return Confirmed(*entry, book.seq, book.view)

    def _decide(self, world, index, load, node):
        """Take what was found, or join the flight of the node, or lead one."""
        if load.found is not None:
            self.admit(world, load, load.found)
            self._serve(world, index, load, load.found.value, load.needs_here if load.from_replica else load.needs)
        elif node.flight:
            leader = world.calls[node.flight - 1]
            world.put_call(
                index,
                load._replace(phase=FOLLOW, leader=node.flight, number=leader.number, asked=leader.asked),
            )
        else:
            world.put_node(load.node, flight=index + 1, begun=node.begun + 1)
            world.put_call(index, load._replace(phase=ASK, number=node.begun + 1))

    def _claim(self, world, index, load):
        world.tokens += 1
        answer = self.open(world, load, world.tokens)
        if answer is None:
            world.put_call(index, load._replace(phase=ASK))
        elif isinstance(answer, Confirmed):
            world.put_call(index, load._replace(phase=ANSWERED, found=answer, proof=load.asked))
        else:
            world.put_call(index, answer._replace(phase=FACTORY))

    def _answer(self, world, index, load, value, found):
        """End a flight: followers take its value where they may, and begin again where not."""
        proof = 0 if found is None else load.proof
        for other, follower in enumerate(world.calls):
            if follower.phase != FOLLOW or follower.node != load.node or follower.leader != index + 1:
                continue
            if self.rules.is_shared(follower.number, follower.arrived, proof, follower.asked):
                self._serve(world, other, follower, value, follower.needs)
            else:
                world.put_call(other, follower._replace(phase=START, leader=0, number=0, asked=0))
        if world.nodes[load.node].flight == index + 1:
            world.put_node(load.node, flight=0)
        self._serve(world, index, load, value, load.needs)

    def _serve(self, world, index, load, value, needs):
        if value < needs:
            raise Violation(f"call {index} got version {value}; {needs} had been demanded when it began")
        world.put_call(index, load.done())


_AFTERWARDS = {
    ASK: lambda _, load: load._replace(phase=CLAIM, asked=load.asked + 1),
    FACTORY: lambda world, load: load._replace(phase=LOADED, made=world.origin),
    LOADED: lambda _, load: load._replace(phase=LAND, asked=load.asked + 1),
}
