"""Walk through the states of a model: all of them, or some at random."""

from random import Random
from typing import NamedTuple

from tests.coherence.configurations import drawn
from tests.coherence.world import DONE

STEPS = 250
_WEIGHTS = {"call": 6, "follow": 3, "give up": 1, "copy": 1}
_ACCIDENT = 0.35


class Extent(NamedTuple):
    states: int
    steps: int


def explore(model, configuration):
    """Visit all states; `Violation` where one must not be."""
    begin = configuration.begin()
    seen = {begin.frozen()}
    ahead = [begin]
    steps = 0
    while ahead:
        world = ahead.pop()
        for step in model.steps(world):
            steps += 1
            after = model.after(world, step)
            if (frozen := after.frozen()) not in seen:
                seen.add(frozen)
                ahead.append(after)
    return Extent(len(seen), steps)


def wander(model, seed):
    """Take random steps through a random configuration; tell whether all calls came to their end."""
    luck = Random(seed)
    world = drawn(luck).begin()
    for _ in range(STEPS):
        if not (steps := model.steps(world)):
            break
        chosen = luck.choices(steps, [_WEIGHTS.get(name, _ACCIDENT) for name, _ in steps])[0]
        world = model.after(world, chosen)
    return all(call.phase == DONE for call in world.calls)
