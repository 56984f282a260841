"""What a definition gives, as the table of venues shows it."""

from __future__ import annotations

from collections.abc import Iterator

from monitor.venues.base import FACTS, Feature
from monitor.venues.generic_definition import (
    LIQUIDATED,
    OPEN_INTEREST,
    SIGNED_ORDER,
    SIGNED_POSITION,
    STEPS,
    Definition,
    Rows,
)

_SHOWN: dict[str, tuple[str, ...]] = {
    "mark": ("mark_price",),
    "index": ("index_price",),
    "last": ("last_price",),
    "funding": ("funding_rate", "predicted_funding_rate"),
    "open interest": OPEN_INTEREST,
    "liquidations": (*LIQUIDATED, SIGNED_ORDER, SIGNED_POSITION),
    "contracts": ("contract_size",),
    "tiers": ("tier_maintenance_rate", *STEPS),
    "insurance fund": ("fund_balance",),
}
"""Which fields of a row are which fact."""


def features(definition: Definition) -> tuple[Feature, ...]:
    """Return how *definition* gives each fact: by a stream where there is one, by a poll, or by hand."""
    found = {fact: feature for fact in FACTS if (feature := _feature(definition, fact)) is not None}
    return tuple(found.values())


def _feature(definition: Definition, fact: str) -> Feature | None:
    for rows in (each for socket in definition.sockets for each in socket.streams.values()):
        if _gives(rows, fact):
            return Feature(fact, "stream", rows.name, definition.expected_seconds.get(fact))
    for poll in definition.polls:
        if _gives(poll, fact):
            return Feature(fact, "poll", poll.name, poll.every_seconds)
    return next(iter(_by_hand(definition, fact)), None)


def _gives(rows: Rows, fact: str) -> bool:
    return any(name in rows.fields for name in _SHOWN.get(fact, ()))


def _by_hand(definition: Definition, fact: str) -> Iterator[Feature]:
    if fact == "tiers" and definition.tiers:
        yield Feature(fact, "file", next(iter(definition.tiers.values())).source)
    if fact == "contracts" and definition.contracts:
        yield Feature(fact, "file", next(iter(definition.contracts.values())).source)
    if fact == "insurance fund" and definition.funds:
        yield Feature(fact, "file", definition.funds[0].source)
