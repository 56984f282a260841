"""Levels of positions that share collateral, as they are at this moment: many at once, for whoever looks on.

Between two looks of the engine the lines of such a position move with every mark of its account. What people are
shown is worked out when they look, in columns (``monitor.core.columns``).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import nan

import numpy as np
from msgspec.structs import replace

from monitor.core.columns import solve
from monitor.core.columns_build import columns_of
from monitor.core.columns_table import Columns
from monitor.core.levels import Levels
from monitor.engine.book import Book
from monitor.engine.facts import SymbolFacts
from monitor.engine.watch import Watch

CHUNK = 16
"""So many accounts stand in one table, which is made and solved as a whole: few, so that nobody waits for it."""


class Table:
    """The columns of a few accounts, made at the first look and again when something was forgotten."""

    def __init__(self, books: Sequence[Book]) -> None:
        self.books = list(books)
        self._columns: Columns | None = None
        self._facts: list[SymbolFacts] = []
        self._row: dict[tuple[str, str], int] = {}

    def forget(self) -> None:
        """Forget the columns: terms or collateral have changed."""
        self._columns = None

    def levels(self, watches: Iterable[Watch]) -> dict[Watch, Levels]:
        """Return the levels of *watches* at the present marks."""
        columns = self._columns or self._made()
        marks = np.array([facts.mark.value if facts.mark.value > 0.0 else nan for facts in self._facts])
        solved = solve(columns, marks)
        return {w: solved.levels(self._row[w.book.account.name, w.position.name]) for w in watches}

    def _made(self) -> Columns:
        shared = []
        for book in self.books:
            account = replace(book.account, positions=book.account.cross_positions())
            shared.append((account, {symbol: book.terms(symbol) for symbol in book.shared_symbols}))
        columns = columns_of(shared)
        facts = {(facts.venue, facts.symbol): facts for book in self.books for facts in book.facts.values()}
        self._facts = [facts[key] for key in columns.symbols]
        self._row = {(held.account, held.position.name): row for row, held in enumerate(columns.held)}
        self._columns = columns
        return columns


class Present:
    """All accounts whose positions share collateral, in tables."""

    def __init__(self) -> None:
        self._tables: list[Table] = []
        self._table: dict[Book, Table] = {}

    def add(self, book: Book) -> None:
        """Take on an account."""
        if not self._tables or len(self._tables[-1].books) == CHUNK:
            self._tables.append(Table(()))
        self._tables[-1].books.append(book)
        self._table[book] = self._tables[-1]

    def forget(self, book: Book) -> None:
        """Forget what was made of an account: its terms or its collateral have changed."""
        self._table[book].forget()

    def levels(self, watches: Iterable[Watch]) -> dict[Watch, Levels]:
        """Return the levels of *watches*, all of them in accounts taken on, at the present marks."""
        by_table: dict[Table, list[Watch]] = {}
        for watch in watches:
            by_table.setdefault(self._table[watch.book], []).append(watch)
        found: dict[Watch, Levels] = {}
        for table, some in by_table.items():
            found |= table.levels(some)
        return found
