"""The shop's database: a real SQLite file whose biggest table has no index, so that its questions take their time."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

TEAS = (
    ("Assam Breakfast", "Malty and strong, takes milk well.", 690),
    ("Bancha", "Mild, low in caffeine, for any hour.", 540),
    ("Chamomile", "Whole blossoms, soft as hay.", 480),
    ("Darjeeling First Flush", "Light, flowery, picked in March.", 1450),
    ("Earl Grey", "Ceylon with oil of bergamot.", 720),
    ("Genmaicha", "Green tea with roasted rice.", 650),
    ("Gyokuro", "Shaded for three weeks, sweet and dense.", 2900),
    ("Jasmine Pearls", "Rolled by hand, scented seven times.", 1850),
    ("Lapsang Souchong", "Dried over pine smoke.", 990),
    ("Masala Chai", "Ginger, cardamom, cinnamon, pepper.", 780),
    ("Oolong Tieguanyin", "Half way between green and black.", 1320),
    ("Rooibos", "Red, round, no caffeine.", 450),
)
SALES = 500_000

SCHEMA = """
CREATE TABLE tea (id INTEGER PRIMARY KEY, name TEXT NOT NULL, about TEXT NOT NULL, cents INTEGER NOT NULL);
CREATE TABLE sale (id INTEGER PRIMARY KEY, tea_id INTEGER, customer_id INTEGER, stars INTEGER);
"""
FILL_SALES = """
WITH RECURSIVE
    number(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM number LIMIT :sales),
    draw(n, dice, customer) AS (SELECT n, n * n % 7919, n * 48271 % 65537 FROM number),
    sold(n, customer, tea) AS (
        SELECT n, customer, 1 + (dice * customer / 65537 * :teas / 7919 * 5 + 3) % :teas FROM draw
    )
INSERT INTO sale SELECT n, tea, customer, CASE WHEN n % 11 < tea * 5 % 7 + 4 THEN 5 ELSE 2 + n % 3 END FROM sold
"""
ALL_TEAS = """
SELECT tea.id, name, about, cents, count(*), avg(stars)
FROM tea JOIN sale ON sale.tea_id = tea.id GROUP BY tea.id ORDER BY count(*) DESC
"""
ONE_TEA = """
SELECT tea.id, name, about, cents, count(*), avg(stars)
FROM tea JOIN sale ON sale.tea_id = tea.id WHERE tea.id = ? GROUP BY tea.id
"""
ALSO_BOUGHT = """
SELECT tea.id, name FROM sale JOIN tea ON tea.id = sale.tea_id
WHERE customer_id IN (SELECT customer_id FROM sale WHERE tea_id = :tea) AND tea_id != :tea
GROUP BY tea.id ORDER BY count(*) DESC LIMIT 3
"""


@dataclass(frozen=True, slots=True)
class Tea:
    """One product; `cents` are euro cents, `stars` the average of its sales."""

    id: int
    name: str
    about: str
    cents: int
    sold: int
    stars: float


class Shop:
    """Answers from the database, with one connection per question: safe in any thread."""

    def __init__(self, database: Path) -> None:
        self._database = database
        with self._connection() as db:
            db.executescript(SCHEMA)
            db.executemany("INSERT INTO tea (name, about, cents) VALUES (?, ?, ?)", TEAS)
            db.execute(FILL_SALES, {"sales": SALES, "teas": len(TEAS)})

    @contextmanager
    def _connection(self) -> Iterator[sqlite3.Connection]:
        db = sqlite3.connect(self._database)
        try:
            with db:  # commits
                yield db
        finally:
            db.close()

    def teas(self) -> list[Tea]:
        """All products, what sells best first: looks at every sale."""
        with self._connection() as db:
            return [Tea(*row) for row in db.execute(ALL_TEAS)]

    def tea(self, tea_id: int) -> Tea | None:
        """One product: looks at every sale."""
        with self._connection() as db:
            row = db.execute(ONE_TEA, (tea_id,)).fetchone()
        return Tea(*row) if row else None

    def also_bought(self, tea_id: int) -> list[tuple[int, str]]:
        """Ids and names of what its customers buy besides: looks at every sale, twice."""
        with self._connection() as db:
            return db.execute(ALSO_BOUGHT, {"tea": tea_id}).fetchall()

    def change_price(self, tea_id: int, cents: int) -> bool:
        """Set a price; False where there is no such product."""
        with self._connection() as db:
            return db.execute("UPDATE tea SET cents = ? WHERE id = ?", (cents, tea_id)).rowcount == 1
