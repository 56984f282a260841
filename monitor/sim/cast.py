"""One story for every venue: the demo's contracts in the spelling and units of each.

The story is written for linear contracts of one coin. A role says which contract plays a part elsewhere; prices may be
scaled (another coin), and sizes follow, so that the amounts of money stay what they are.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import msgspec

from monitor.sim.actions import Answer, AnyAction, Liquidation, Ramp, Set, Silence, Wick
from monitor.sim.market import Listing, Pool
from monitor.sim.scenario import Scenario

_PRICE = re.compile(r"\b\d{2,3},\d{3}(?:\.\d+)?\b", re.ASCII)
"""A price as the story tells it."""

RETURN_SECONDS = 15.0
"""What a client that was long left alone needs to find back, besides what the story gives it."""


class Role(msgspec.Struct, frozen=True, kw_only=True):
    """The contract that plays a part. ``listing`` are the fields of its ``Listing`` that differ from the story's.

    An ``inverse`` contract is of ``contract_size`` units of quote currency; one that plays a position of 1 coin holds
    as many of them as that coin is worth at *entry_price*.
    """

    symbol: str
    base: str
    quote: str
    inverse: bool = False
    contract_size: float = 1.0
    price_scale: float = 1.0
    listing: Mapping[str, Any] = {}

    def contracts(self, quantity: float, entry_price: float) -> float:
        """Return how many contracts make *quantity* coins of the story, entered at the story's *entry_price*."""
        worth = quantity * entry_price if self.inverse else quantity / self.price_scale
        return worth / self.contract_size

    def price(self, price: float) -> float:
        """Return a price of the story as this contract has it."""
        return price * self.price_scale


def recast(scenario: Scenario, cast: Mapping[str, Role], entry_price: float) -> Scenario:
    """Return the story with the contracts of *cast* alone, entered at *entry_price*; an empty cast changes nothing."""
    if not cast:
        return scenario
    listings = {listing.symbol: listing for listing in scenario.symbols}
    actions = (
        _action(action, cast, entry_price)
        for action in scenario.actions
        if getattr(action, "symbol", None) is None or getattr(action, "symbol", None) in cast
    )
    return msgspec.structs.replace(
        scenario,
        symbols=tuple(_listing(listings[name], role) for name, role in cast.items()),
        pools=tuple(filter(None, (_pool(pool, cast) for pool in scenario.pools))),
        actions=tuple(actions),
    )


def _listing(listing: Listing, role: Role) -> Listing:
    changed: dict[str, Any] = {
        "symbol": role.symbol,
        "base": role.base,
        "quote": role.quote,
        "product": "CM" if role.inverse else "UM",
        "contract_size": role.contract_size,
        "mark_price": role.price(listing.mark_price),
        "index_price": None if listing.index_price is None else role.price(listing.index_price),
        "last_price": None if listing.last_price is None else role.price(listing.last_price),
        "tick_size": listing.tick_size * role.price_scale,
    }
    return msgspec.structs.replace(listing, **{**changed, **role.listing})


def _pool(pool: Pool, cast: Mapping[str, Role]) -> Pool | None:
    symbols = tuple(cast[symbol].symbol for symbol in pool.symbols if symbol in cast)
    return Pool(symbols=symbols, balances=dict(pool.balances), update_time=pool.update_time) if symbols else None


def _action(action: AnyAction, cast: Mapping[str, Role], entry_price: float) -> AnyAction:
    symbol, said = getattr(action, "symbol", None), action.say
    for name, player in cast.items():
        said = said.replace(name, player.symbol)
    if symbol is None:
        return msgspec.structs.replace(action, say=said)
    role = cast[symbol]
    said = _PRICE.sub(lambda found: f"{role.price(float(found[0].replace(',', ''))):,.10g}", said)
    changed: dict[str, Any] = {"symbol": role.symbol, "say": said}
    if isinstance(action, Ramp | Set) and action.mark_price is not None:
        changed["mark_price"] = role.price(action.mark_price)
    if isinstance(action, Wick):
        changed["last_price"] = role.price(action.last_price)
    if isinstance(action, Liquidation):
        changed["contracts"] = role.contracts(action.contracts, entry_price)
        changed["limit_price"], changed["fill_price"] = role.price(action.limit_price), role.price(action.fill_price)
    return msgspec.structs.replace(action, **changed)


def drawn_out(scenario: Scenario, seconds: float) -> Scenario:
    """Return the story with silences of *seconds*, in which REST says nothing either; what follows comes later.

    For venues whose unchanged prices are confirmed by REST: there a silent stream alone proves nothing.
    """
    later = 0.0
    actions: list[AnyAction] = []
    for action in sorted(scenario.actions, key=lambda action: action.at):
        moved = msgspec.structs.replace(action, at=action.at + later)
        if isinstance(moved, Silence) and seconds > moved.seconds:
            later += seconds - moved.seconds
            moved = msgspec.structs.replace(moved, seconds=seconds)
            actions.append(Answer(at=moved.at, status=503, seconds=seconds))
        actions.append(moved)
    tail = RETURN_SECONDS if later else 0.0
    return msgspec.structs.replace(scenario, actions=tuple(actions), seconds=scenario.seconds + later + tail)
