"""The order of the changes of one prefix and version, which is a *namespace*: statements about its notebook.

    notes   namespace, gen, cleared, seq     what `core/fence.py` calls a notebook, with `cleared` for its floor
            prev                             the stamp before the last
            mark                             the number of the change under way, if it came to be one

A change begins by `enter`, which locks the row until the end of the transaction: so changes of one namespace happen one
after the other, and the order in which they can be seen is that of their stamps. `stamp` then takes the next stamp *if*
there is something to change, and leaves the number of this change as a mark, which all that follows asks for.
"""

# ruff: noqa: S608  # texts are put together from the table's name alone, which is a plain identifier (sql_place.py)
from __future__ import annotations

from dataclasses import dataclass
from secrets import token_hex
from typing import TYPE_CHECKING, Any

from asynccache.backends.sql_replies import Statement, are_changes, begin_with
from asynccache.backends.sql_rows import ANY, SLOTS
from asynccache.backends.sql_words import lettered, listed

if TYPE_CHECKING:
    from collections.abc import Iterable

    from asynccache.backends.sql_words import Words

WHOLE = b"w"
"""The cell that says since when the table of cells is complete."""
LOG_LIMIT = 500
_LOG_MICROSECONDS = 30_000_000
_SLOTS = " UNION ALL ".join(f"SELECT {1 + 2 * slot}{' AS i' if slot == 0 else ''}" for slot in range(SLOTS))


@dataclass(frozen=True, slots=True)
class Order:
    """Statements about one namespace, for one change of it.

    Args:
        words: how to write them.
        namespace: as it is stored.
        nonce: the number of this change, above 0.
        now: seconds of the clock that counts where the server's does not.
    """

    words: Words
    namespace: bytes
    nonce: int
    now: float

    def enter(self) -> Statement:
        """Lock the notebook, making it anew where it is missing."""
        now = self.words.stamp_now
        text = (
            f"INSERT INTO {self.words.notes} (namespace, gen, cleared, prev, seq, mark) "
            f"VALUES (:ns, :gen, {now}, {now}, {now}, 0) {self.words.merging('namespace', {'mark': '0'})}"
        )
        return self.timed(text, gen=token_hex(4).encode())

    def stamp(self, condition: str = "", by: int | None = None, **parameters: Any) -> Statement:
        """Take the next stamp, if there is something to change; refused after the server's millisecond `by`."""
        mark = self.words.number("nonce")
        if by is not None:  # mark cannot be NULL
            mark, parameters = f"CASE WHEN {self.words.now} <= :by THEN {mark} END", parameters | {"by": by}
        text = (
            f"UPDATE {self.words.notes} SET prev = seq, seq = {self.words.greatest('seq + 1', self.words.stamp_now)}, "
            f"mark = {mark} WHERE namespace = :ns{condition and f' AND {condition}'}"
        )
        return self.timed(text, nonce=self.nonce, **parameters)

    def write_down(self, what: bytes) -> Statement:
        """Add this change to the log."""
        text = (
            f"INSERT INTO {self.words.log} (namespace, gen, stamp, prev, what) "
            f"SELECT namespace, gen, seq, prev, :what FROM {self.words.notes} WHERE {self.marked()}"
        )
        return Statement(text, {"ns": self.namespace, "nonce": self.nonce, "what": what})

    def clear(self) -> Statement:
        """Invalidate everything that was there before this stamp."""
        text = f"UPDATE {self.words.notes} SET cleared = seq WHERE namespace = :ns"
        return Statement(text, {"ns": self.namespace})

    def report(self, counter: bytes | None = None) -> Statement:
        """Ask what became of this change: nonce, mark, gen, prev, seq, the time, and the number of a counter."""
        joined = f" LEFT JOIN {self.words.entries} e ON e.cache_key = :k0" if counter is not None else ""
        text = (
            f"SELECT {self.words.number('nonce')}, n.mark, n.gen, n.prev, n.seq, {self.words.now}"
            f"{', e.number' if joined else ''} FROM {self.words.notes} n{joined} WHERE n.namespace = :ns"
        )
        key = {} if counter is None else {"k0": counter}
        return self.timed(text, begin_with(self.nonce), nonce=self.nonce, **key)

    # Tags

    def complete_cells(self) -> Statement:
        """See to it that the table of cells says since when it is complete."""
        cells, notes = self.words.cells, self.words.notes
        assigned = {name: self.words.fresh(name) for name in ("gen", "stamp")}
        text = (
            f"INSERT INTO {cells} (namespace, cell, gen, stamp) SELECT namespace, cell, gen, stamp FROM "
            f"(SELECT n.namespace, :whole AS cell, n.gen, n.seq AS stamp FROM {notes} n WHERE n.namespace = :ns AND "
            f"NOT EXISTS (SELECT 1 FROM {cells} w WHERE w.namespace = :ns AND w.cell = :whole AND w.gen = n.gen)"
            f") AS fresh WHERE 1 = 1 {self.words.merging('namespace, cell', assigned)}"
        )
        return Statement(text, {"ns": self.namespace, "whole": WHOLE})

    def void(self, cells: Iterable[int]) -> Statement:
        """Invalidate what has one of these cells."""
        names = lettered("c", [ANY, *[cell.to_bytes(2) for cell in cells]])
        noted = f"(SELECT {{}} FROM {self.words.notes} WHERE namespace = :ns)"
        rows = ", ".join(f"(:ns, :{name}, {noted.format('gen')}, {noted.format('seq')})" for name in names)
        assigned = {name: self.words.fresh(name) for name in ("gen", "stamp")}
        text = (
            f"INSERT INTO {self.words.cells} (namespace, cell, gen, stamp) VALUES {rows}{self.words.as_fresh} "
            f"{self.words.merging('namespace, cell', assigned)}"
        )
        return Statement(text, {"ns": self.namespace, **names})

    # Conditions

    def marked(self) -> str:
        """Tell, of a notebook, that this change came to be one."""
        return f"namespace = :ns AND mark = {self.words.number('nonce')}"

    def is_marked(self) -> str:
        """Tell that this change came to be one."""
        return f"EXISTS (SELECT 1 FROM {self.words.notes} WHERE {self.marked()})"

    def valid(self, entry: str) -> str:
        """Tell that an entry of this namespace is valid; `:whole` is to be said."""
        notes = self.words.notes
        return (
            f"EXISTS (SELECT 1 FROM {notes} m WHERE m.namespace = :ns AND m.gen = {entry}.gen "
            f"AND m.cleared <= {entry}.born) AND {self._clean(entry)}"
        )

    def _clean(self, entry: str) -> str:
        cells = self.words.cells
        return (
            f"({entry}.cells IS NULL OR (EXISTS (SELECT 1 FROM {cells} w WHERE w.namespace = :ns AND w.cell = :whole "
            f"AND w.gen = {entry}.gen AND w.stamp <= {entry}.born) AND NOT EXISTS (SELECT 1 FROM ({_SLOTS}) AS slot "
            f"JOIN {cells} c ON c.namespace = :ns AND c.cell = SUBSTR({entry}.cells, slot.i, 2) "
            f"WHERE c.gen = {entry}.gen AND c.stamp > {entry}.born)))"
        )

    def clean_right(self, right: str, cells: Iterable[int]) -> tuple[str, dict[str, Any]]:
        """Tell that nothing of these cells was invalidated since a right was granted, under the generation `:gen`."""
        names = lettered("c", [cell.to_bytes(2) for cell in cells])
        table = self.words.cells
        text = (
            f"EXISTS (SELECT 1 FROM {table} w WHERE w.namespace = :ns AND w.cell = :whole AND w.gen = :gen "
            f"AND w.stamp <= {right}.born) AND NOT EXISTS (SELECT 1 FROM {table} c WHERE c.namespace = :ns "
            f"AND c.cell IN ({listed(names)}) AND c.gen = :gen AND c.stamp > {right}.born)"
        )
        return text, {"whole": WHOLE, **names}

    # Following

    def news(self, gen: bytes, after: int) -> Statement:
        """Ask for nonce, gen and seq, and with them for stamp, prev and what of the changes of that gen after that."""
        text = (
            f"SELECT {self.words.number('nonce')}, n.gen, n.seq, g.stamp, g.prev, g.what FROM {self.words.notes} n "
            f"LEFT JOIN {self.words.log} g ON g.namespace = n.namespace AND g.gen = n.gen AND g.gen = :gen "
            f"AND g.stamp > :after WHERE n.namespace = :ns ORDER BY g.stamp LIMIT {LOG_LIMIT}"
        )
        parameters = {"ns": self.namespace, "nonce": self.nonce, "gen": gen, "after": after}
        return Statement(text, parameters, are_changes(self.nonce))

    def timed(self, text: str, fits: Any = None, **parameters: Any) -> Statement:
        """Give a statement about this namespace that may ask what time it is."""
        return self.words.timed(text, {"ns": self.namespace, **parameters}, self.now, fits)


def trim(words: Words, now: float) -> Statement:
    """Remove changes that are old news, of all namespaces."""
    text = f"DELETE FROM {words.log} WHERE stamp < {words.stamp_now} - {_LOG_MICROSECONDS}"
    return words.timed(text, {}, now)
