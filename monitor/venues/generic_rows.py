"""A message into events, for a venue without a module of its own: which rows it has, and what stands in each."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from monitor.core import events as ev
from monitor.core.events import Event
from monitor.errors import WireError
from monitor.venues import generic_terms as terms
from monitor.venues.generic_definition import Rows
from monitor.venues.generic_facts import Row, builders
from monitor.venues.generic_paths import compile_path, holds
from monitor.venues.generic_values import Known, finder, part, plain, seconds


class Reader:
    """Reads the messages of one stream or resource."""

    def __init__(self, rows: Rows, known: Known) -> None:
        self.rows = rows
        self._known = known
        self._match = compile_path(rows.match) if rows.match else None
        self._rows = compile_path(rows.rows)
        self._symbol = finder(rows.symbol) if rows.symbol else None
        self._pattern = re.compile(rows.symbol_regex) if rows.symbol_regex else None
        self._time = finder(rows.time) if rows.time else None
        self._builders = builders(rows, known)
        self._builders += [each for each in (terms.contracts(rows, known), terms.fund(rows, known)) if each]
        self._tiers = terms.tiers(rows)
        # A fund of the whole venue has no contract; everything else is about one.
        self._nameless = "fund_balance" in rows.fields and not rows.symbol

    def matches(self, message: Any) -> bool:
        """Return whether a message is of this kind."""
        return self._match is None or holds(self._match(message))

    def read(self, message: Any, received: float, asked: str = "") -> list[Event]:
        """Return the events of a message; *asked* is the contract that it was asked for. Raises ``WireError``."""
        out: list[Event] = []
        if not self._builders and self._tiers is None:
            return out
        ladders: terms.Ladders = {}
        spoilt: dict[str, str] = {}
        seen: set[str] = set()
        for key, row in self._each(message):
            symbol: str | None = ""
            try:
                symbol = self._name(row, message, key or asked)
                if symbol is None:
                    continue
                seen.add(symbol)
                time = received if self._time is None else seconds(self._time(row, message), self.rows.unit)
                at = Row(row, message, symbol, time, received, out)
                for build in self._builders:
                    build(at)
                if self._tiers is not None:
                    self._tiers(row, message, symbol, ladders)
            except WireError as error:
                spoilt[symbol or ""] = error.reason
                out.append(ev.Rejected(self._known.venue, self.rows.name, error.reason, symbol or ""))
        for symbol, tiers in ladders.items():
            if symbol not in spoilt:
                out.append(terms.ladder(self._known.venue, self.rows.name, symbol, tiers, received))
        if self.rows.complete:
            self._say_missing(seen, "" in spoilt, received, message, out)
        return out

    def _each(self, message: Any) -> Iterator[tuple[str, Any]]:
        """Yield the rows, each with its key where they are a map."""
        found = self._rows(message)
        if self.rows.rows_as == "map":
            if not isinstance(found, dict):
                raise WireError("expected an object by contract", reason="bad_rows")
            yield from found.items()
        elif isinstance(found, list):
            for row in found:
                yield "", row
        elif found is not None:
            yield "", found

    def _name(self, row: Any, message: Any, otherwise: str) -> str | None:
        """Return the contract of a row, None if it is not watched."""
        if self._nameless:
            return otherwise
        wire = otherwise if self._symbol is None else plain(self._symbol(row, message))
        if self._pattern is not None and wire:
            wire = part(self._pattern, wire)
        if not wire:
            raise WireError("a row without a contract", reason="no_symbol")
        return self._known.ours(wire)

    def _say_missing(self, seen: set[str], doubt: bool, received: float, message: Any, out: list[Event]) -> None:  # noqa: FBT001 - a state, not a switch
        """Say which watched contracts a complete list lacks; a row that could not be read may be the one."""
        if not any(True for _ in self._each(message)):
            raise WireError("a venue without contracts", reason="empty")
        missing = () if doubt else sorted((self._known.watched or frozenset()) - seen)
        out += (ev.ContractStatus(self._known.venue, symbol, "not listed", False, received) for symbol in missing)
