"""What comes together while the files are read."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from monitor.config.nodes import Node
from monitor.config.places import Place, Problems
from monitor.config.settings import Rules
from monitor.config.source import MAX_BYTES, MAX_VALUES, parse, read_bytes
from monitor.core.contract import TierTable
from monitor.venues.generic_definition import Definition


@dataclass(slots=True)
class Loading:
    """What comes together while files are read."""

    rules: dict[str, Rules]
    canonical: Callable[[str], str]
    shipped_tiers: dict[str, Callable[[str], TierTable | None]]
    environ: Mapping[str, str] = field(default_factory=dict)
    live: dict[str, Collection[str]] | None = None
    """Per venue that can be watched: the kinds of contract that its feed carries; None where nobody asks."""
    announcing: set[str] = field(default_factory=set)
    """Venues that tell everybody their ladders."""
    definitions: dict[str, Definition] = field(default_factory=dict)
    declared: set[str] = field(default_factory=set)
    """Venues of the operator's own."""
    problems: Problems = field(default_factory=Problems)
    warnings: list[str] = field(default_factory=list)
    digests: list[bytes] = field(default_factory=list)

    def declare(self, name: str, rules: Rules, kinds: Collection[str]) -> None:
        """Make known a venue of the operator's own, with the kinds of contract that can be watched there."""
        self.declared.add(name)
        self.shipped_tiers[name] = lambda _symbol: None
        self.rules[name] = rules
        if self.live is not None:
            self.live[name] = kinds

    def open(
        self, path: Path, name: str, asked_at: Place, limit: int = MAX_BYTES, max_values: int = MAX_VALUES
    ) -> Node | None:
        """Return the top node of a file, None after noting at *asked_at*, or in the file, why there is none."""
        self.problems.order(name)
        try:
            data = read_bytes(path, limit)
        except ValueError as error:
            named = "" if asked_at.file == name else f"{name} "
            self.problems.add(asked_at, f"{named}{error}")
            return None
        self.digests.append(hashlib.sha256(data).digest())
        return parse(data, name, self.problems, max_values)
