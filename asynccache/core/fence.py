"""What keeps a value that was loaded before an invalidation from being used after it: positions, compared as numbers.

Whatever is remembered carries a position of the store's own order, and no clock of a client decides anything. A store
has a *notebook*: a generation, which is new whenever the notebook had to be made anew; the stamp of the last clear
(`floor`); the last stamp given (`seq`); and the process that this data was accepted for (`keeper`). Positions compare
only within one *view*, which is a generation and a keeper.

A tag maps to one of 65,536 *cells*, each of which has the stamp of the last invalidation of its tags; the table of
cells has a floor of its own, by which a table that was lost is told from one in which nothing has happened. Tags that
share a cell are invalidated together: a miss, never a wrong value.

Numbers in, truth out: no I/O. Stores, what sits before them and the model in the tests use the same functions.
"""

from collections.abc import Iterable
from hashlib import blake2b
from typing import NamedTuple

CELL_BYTES = 2
"""Of a cell's number; part of the format, since nodes that map a tag differently would lose invalidations."""
NOTEBOOK_SIZE = 59
_GEN, _FLOOR, _SEQ, _KEEPER = slice(0, 8), slice(9, 29), slice(30, 50), slice(51, 59)


class View(NamedTuple):
    """What positions compare within."""

    gen: bytes
    keeper: bytes


class Notebook(NamedTuple):
    """What a store writes down of its order: `gen` and `keeper` are 8 characters each, the others are numbers."""

    gen: bytes
    floor: int
    seq: int
    keeper: bytes

    @property
    def view(self) -> View:
        """What positions found under this notebook compare within."""
        return View(self.gen, self.keeper)

    def __bytes__(self) -> bytes:
        """Give it in fixed width, so that it can be cut and compared as text."""
        return b"%b %020d %020d %b" % (self.gen, self.floor, self.seq, self.keeper)


class Birth(NamedTuple):
    """Where an entry comes from: generation and position at which its load was granted, and the cells of its tags."""

    gen: bytes
    born: int
    cells: tuple[int, ...] = ()


class Marks(NamedTuple):
    """What the table of cells says: its own floor, 0 where it was lost, and the stamps of the cells asked for."""

    floor: int
    stamps: tuple[int, ...] = ()


class Change(NamedTuple):
    """An event in the log of a store: its stamp, that of its predecessor, and what has changed.

    `kind` is one of `KEYS`, `TAGS`, `CLEAR`, `WAKE` (a load of these keys is over) and `NOTHING`; `what` are keys or
    cells.
    """

    stamp: int
    prev: int
    kind: str
    what: tuple[str, ...] | tuple[int, ...] = ()


KEYS, TAGS, CLEAR, WAKE, NOTHING = "keys", "tags", "clear", "wake", "nothing"


def read_notebook(raw: bytes | None) -> Notebook | None:
    """Read a notebook; None where it is missing or damaged, which is the same."""
    if raw is None or len(raw) != NOTEBOOK_SIZE:
        return None
    floor, seq = raw[_FLOOR], raw[_SEQ]
    return Notebook(raw[_GEN], int(floor), int(seq), raw[_KEEPER]) if floor.isdigit() and seq.isdigit() else None


def cells_of(tags: Iterable[str]) -> tuple[int, ...]:
    """Give the cells of these tags, in order, none twice."""
    return tuple(sorted({_cell(tag) for tag in tags}))


def is_valid(birth: Birth, notebook: Notebook | None, keeper: bytes, marks: Marks | None = None) -> bool:
    """Tell whether an entry may be used, by what the store says now.

    `keeper` names the process that answers; `marks` are those of the entry's own cells, and not needed without any.
    """
    return (
        notebook is not None
        and birth.gen == notebook.gen
        and notebook.keeper == keeper
        and notebook.floor <= birth.born
        and (not birth.cells or (marks is not None and is_clean(birth.born, marks)))
    )


def is_clean(born: int, marks: Marks) -> bool:
    """Tell whether no tag was invalidated after this position."""
    return marks.floor != 0 and max(marks.floor, *marks.stamps) <= born


def is_admitted(as_of: int, view: View, mine: View, recent: int, known_as_of: int) -> bool:
    """Tell whether a value that the store confirmed at `as_of` may be held nearby.

    `recent` is the stamp of the last change of its key that is known here, `known_as_of` the position of what is held
    already (-1: nothing).
    """
    return view == mine and as_of >= recent and known_as_of <= as_of


def is_served(born: int, floor: int, marks: tuple[int, ...]) -> bool:
    """Tell whether what is held nearby may be used, by the changes that are known here."""
    return floor <= born and (not marks or max(marks) <= born)


def follows(change: Change, applied: int) -> bool:
    """Tell whether this is the next change after the position up to which all are known; else there is a hole."""
    return change.prev == applied


def has_hole(seq: int, applied: int) -> bool:
    """Tell whether the log has lost something, where it has nothing after `applied` and the notebook is at `seq`."""
    return seq != applied


def is_shared(number: int, arrived: int, proof: int, asked: int) -> bool:
    """Tell whether a caller who joined a load may take its value, however old that is.

    It may if the load was begun after the caller came: its `number` is later than that of the last one that had
    `arrived` before. Else it may be older than an invalidation that was over when the call began, unless the store
    said later than that that it is good: in answer to question `proof` (0: to none), when only so many had been `asked`
    as the caller joined.
    """
    return number > arrived or proof > asked


def _cell(tag: str) -> int:
    return int.from_bytes(blake2b(tag.encode("utf-8", "surrogatepass"), digest_size=CELL_BYTES).digest())
