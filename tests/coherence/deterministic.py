"""An event loop without a clock, sockets or chance: what is ready runs in an order that a seed says.

Time is told, not passed: where nothing is ready, it is the moment of the next timer. With `hurry`, it also passes by
itself while there is something to do, so that what takes long may take too long.
"""

import asyncio
from collections import deque
from random import Random


class Stuck(Exception):
    """Nothing will ever happen again, and somebody still waits."""


class PermutedLoop(asyncio.BaseEventLoop):
    """A loop for one schedule.

    Args:
        luck: decides which of the callbacks that are ready comes next.
        hurry: seconds that may pass, at most, each time that the loop looks round.
    """

    def __init__(self, luck, hurry=0.0):
        super().__init__()
        self._luck = luck
        self._hurry = hurry
        self._now = 0.0
        self._ready = _Shuffled(luck)
        self._selector = self

    def time(self):
        return self._now

    def select(self, timeout):
        if timeout is None:
            raise Stuck
        self._now += max(timeout, self._luck.random() * self._hurry)
        return ()

    def _process_events(self, event_list):
        pass

    def _write_to_self(self):
        pass


class _Shuffled(deque):
    def __init__(self, luck):
        super().__init__()
        self._luck = luck

    def popleft(self):
        self.rotate(-int(self._luck.random() * len(self)))
        return super().popleft()


def play(seed, scene, hurry=0.0):
    """Run `scene(luck)` on a loop of its own; the same seed gives the same schedule."""
    luck = Random(seed)
    loop = PermutedLoop(luck, hurry * luck.random())
    try:
        return loop.run_until_complete(scene(luck))
    finally:
        if left := asyncio.all_tasks(loop):
            for task in left:
                task.cancel()
            loop.run_until_complete(asyncio.wait(left))
        loop.close()
