"""What a bad network does to the bytes that pass: pure decisions, made with the dice handed in."""

import random
from dataclasses import dataclass
from enum import Enum, auto


class Fate(Enum):
    """What becomes of one chunk."""

    PASS = auto()
    VANISH = auto()
    RESET = auto()
    CUT = auto()  # the first half passes, then the connection is reset
    FINISH = auto()  # nothing more passes: FIN to the client


@dataclass(frozen=True, slots=True)
class Faults:
    """The faults of the moment; `_p` are probabilities per chunk, times are seconds."""

    latency: float = 0.0
    """Added to each chunk in each direction; chunks under way at once are late at once."""
    jitter: float = 0.0
    """Added to or taken from the latency, up to this; the order of chunks stays."""
    blackhole: bool = False
    """Take everything, hand on nothing, until healed: a frozen host."""
    slice: int = 0
    """Hand replies on in pieces of so many bytes; 0 for whole."""
    reset_p: float = 0.0
    """Reset the connection (RST); either direction."""
    half_close_p: float = 0.0
    """Replies: close towards the client (FIN) instead."""
    drop_p: float = 0.0
    """Replies: lose it; the connection stays."""
    prepend_p: float = 0.0
    """Replies: put `prepend` before it, as if another's answer came first."""
    prepend: bytes = b"$5\r\nSTRAY\r\n"
    truncate_p: float = 0.0
    """Replies: hand half of it on, then reset."""
    garbage_p: float = 0.0
    """Replies: overwrite an eighth of its bytes at random."""

    def delay(self, dice: random.Random) -> float:
        """Draw how much later a chunk arrives."""
        return max(0.0, self.latency + dice.uniform(-self.jitter, self.jitter))

    def fate(self, dice: random.Random, *, reply: bool) -> Fate:
        """Draw what becomes of a chunk; at most one of these happens to it."""
        chances = [(self.reset_p, Fate.RESET)]
        if reply:
            chances += [
                (self.half_close_p, Fate.FINISH),
                (self.drop_p, Fate.VANISH),
                (self.truncate_p, Fate.CUT),
            ]
        return next((fate for chance, fate in chances if chance and dice.random() < chance), Fate.PASS)

    def spoil(self, dice: random.Random, chunk: bytes) -> bytes:
        """Give a reply as it arrives: garbled, or after a stray one."""
        if self.garbage_p and dice.random() < self.garbage_p:
            garbled = bytearray(chunk)
            for _ in range(max(1, len(garbled) // 8)):
                garbled[dice.randrange(len(garbled))] = dice.randrange(256)
            chunk = bytes(garbled)
        if self.prepend_p and dice.random() < self.prepend_p:
            chunk = self.prepend + chunk
        return chunk

    def pieces(self, chunk: bytes, *, reply: bool) -> list[bytes]:
        """Cut a chunk into what is sent at once."""
        size = self.slice if reply and self.slice else len(chunk)
        return [chunk[start : start + size] for start in range(0, len(chunk), size)]
