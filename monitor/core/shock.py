"""Whole-account shock: what happens when the marks move together, where a liquidation price holds all but one still.

For a shock ``s`` (a ratio, -0.1 is a market that falls by 10 %) every coin goes to ``P0 * max(0, 1 + beta*s)``: the
marks of all positions on one collateral and the other assets that count in it. The balance stays. The surplus of the
account, equity less requirement, is then a function of the one number s. It bends at tier boundaries and where a price
reaches zero, jumps where a rate bears on the whole position, and may have several roots; what counts is the first one
walking outward from the present marks. It is looked for on a grid of 0.25 % steps with both sides of each boundary
added (between those the surplus of linear contracts is a straight line or concave, so nothing is missed) and then on
ever finer grids in the first bad interval.

A coin has one price: an asset that is valued at the mark of a contract moves with it, and with that contract's beta
where the account holds a position in it; else it has a beta of its own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec
import numpy as np
import numpy.typing as npt

from monitor.core import margin
from monitor.core.account import Account, Position
from monitor.core.contract import Tier
from monitor.core.margin import Leg, coordinate
from monitor.core.pool import Pool, Terms, asset_price, pool_of

Column = npt.NDArray[np.float64]

STEPS = np.arange(0, 401) / 400.0
"""How far is looked for a fatal shock, and how closely: 0.25 % steps to 100 %."""

GRID = tuple(step / 20.0 for step in range(-6, 7))
"""The shocks that are shown with equity and requirement: -30 % to +30 %."""

BESIDE = 1e-13
"""Both sides of a boundary are looked at this near to it; a fatal shock is known as closely."""

FINER = 400
LOWEST = 1e-12
"""What is left of a price that fell to zero: an inverse contract has no value there."""


class Shock(msgspec.Struct, frozen=True):
    """The smallest fatal shocks of all that shares a collateral, as ratios; None where none within 100 % is fatal.

    ``down`` (< 0) and ``up`` (> 0) move each coin by its beta, ``down_together`` and ``up_together`` all alike (what
    has a beta of 0, a stablecoin, stays). ``against`` (> 0) is decorrelated: each coin moves, by the size of its
    beta, the way that hurts at the present marks, its positions and the collateral in it taken together. All are 0
    for an account that is liquidatable already.

    ``killer`` is the coin whose move alone, its collateral moving along, ends the account soonest: the symbol of its
    contract, or the asset. ``killer_price`` is where, ``killer_move`` how far from its mark (signed, without a limit
    of 100 %). ``grid`` has (shock, equity, requirement) rows by beta. ``missing`` names what is unknown.
    """

    down: float | None = None
    up: float | None = None
    down_together: float | None = None
    up_together: float | None = None
    against: float | None = None
    killer: str = ""
    killer_price: float | None = None
    killer_move: float | None = None
    grid: tuple[tuple[float, float, float], ...] = ()
    missing: tuple[str, ...] = ()


class Coin(msgspec.Struct):
    """What moves with one price: the legs of a symbol, and what the collateral in it counts at the present price."""

    name: str
    price: float
    beta: float
    kind: str = "linear"
    legs: Sequence[Leg] = ()
    value: float = 0.0

    def at(self, factor: Column) -> tuple[Column, Column]:
        """Return what equity gains without K, and the requirement, at *factor* times the present price."""
        gain = self.value * (factor - 1.0)
        need = np.zeros_like(factor)
        if self.legs:
            x = 1.0 / (self.price * factor) if self.kind == "inverse" else self.price * factor
            for leg in self.legs:
                gain += leg.quantity * (x - leg.entry_price)
                need += _requirement(x, leg)
        return gain, need

    def edges(self, beta: float) -> list[float]:
        """Return the shocks at which, moving by *beta*, a leg changes its tier or the price reaches zero."""
        if beta == 0.0:
            return []
        prices = [coordinate(x, self.kind) for x in margin.edges(self.legs)]
        return [-1.0 / beta, *((price / self.price - 1.0) / beta for price in prices)]

    def slope(self) -> float:
        """Return what the surplus gains per relative rise of the price, at the present one."""
        x = coordinate(self.price, self.kind)
        _, slope, bend = margin.curve(0.0, self.legs, x)
        way = -1.0 if self.kind == "inverse" else 1.0
        return self.value + way * x * (slope + 2.0 * bend * x)


NEAR_ZERO = 0.99
"""Beyond such a fall a rate that rises with the coins has grown past all that venues publish: no fatal move."""


def shock(account: Account, position: Position, terms: Mapping[str, Terms]) -> Shock:
    """Return the fatal shocks of what shares its collateral with *position*: itself if isolated, else the account.

    The closing fee at the bankruptcy price, where a rule reserves one, stays what it is at the present marks.
    """
    pool = pool_of(account, position, terms)
    cross = position.margin_mode == "cross"
    if not pool.groups:
        return Shock()
    missing = [item for items in pool.missing.values() for item in items]
    coins = [] if missing else _coins(pool, account if cross else None, terms, missing)
    if missing:
        return Shock(missing=tuple(missing))
    collateral = pool.collateral
    assert collateral is not None
    own = [coin.beta for coin in coins]
    together = [1.0 if coin.beta else 0.0 for coin in coins]
    against = [abs(coin.beta) * (-1.0 if coin.slope() > 0.0 else 1.0) for coin in coins]
    killer, price, move = _killer(collateral, coins)
    return Shock(
        down=_first_touch(collateral, coins, own, -1.0),
        up=_first_touch(collateral, coins, own, 1.0),
        down_together=_first_touch(collateral, coins, together, -1.0),
        up_together=_first_touch(collateral, coins, together, 1.0),
        against=_first_touch(collateral, coins, against, 1.0),
        killer=killer,
        killer_price=price,
        killer_move=move,
        grid=tuple(zip(GRID, *(row.tolist() for row in _sums(collateral, coins, own, np.array(GRID))), strict=True)),
    )


def _coins(pool: Pool, account: Account | None, terms: Mapping[str, Terms], missing: list[str]) -> list[Coin]:
    """Return what the pool's surplus hangs on, price by price; *account* where its other assets are in the pool."""
    coins: dict[str, Coin] = {}
    for symbol, group in pool.groups.items():
        assert group.mark is not None
        coins[symbol] = Coin(symbol, group.mark, group.terms.beta, group.terms.kind, group.legs)
    for asset in account.assets if account is not None else ():
        price = asset_price(asset, terms)
        if price is None:
            missing.append(f"price of {asset.asset}")
            continue
        key = asset.symbol or f"asset {asset.asset}"
        coin = coins.setdefault(key, Coin(asset.symbol or asset.asset, price, asset.beta))
        if coin.kind == "inverse":
            missing.append(f"price of {asset.asset} in the settlement asset: {asset.symbol} is not quoted in it")
        coin.value += asset.value_at(price)
    return list(coins.values())


def _sums(collateral: float, coins: Sequence[Coin], betas: Sequence[float], shocks: Column) -> tuple[Column, Column]:
    """Return equity and requirement of the account at *shocks*."""
    equity, need = np.full_like(shocks, collateral), np.zeros_like(shocks)
    for coin, beta in zip(coins, betas, strict=True):
        gained, needed = coin.at(np.maximum(LOWEST, 1.0 + beta * shocks))
        equity += gained
        need += needed
    return equity, need


def _requirement(x: Column, leg: Leg) -> Column:
    """Return ``monitor.core.margin.requirement`` for a column of coordinates."""
    notional = abs(leg.quantity) * x
    rate: float | Column = leg.tiers[0].maintenance_rate
    deduction: float | Column = leg.tiers[0].deduction
    if len(leg.tiers) > 1:  # a floor belongs to the tier below
        tier = np.searchsorted([tier.floor for tier in leg.tiers[1:]], notional, side="left")
        rate = np.array([tier.maintenance_rate for tier in leg.tiers])[tier]
        deduction = np.array([tier.deduction for tier in leg.tiers])[tier]
    return notional * (rate + leg.fee + leg.slope * notional) - deduction + leg.fixed


def _first_touch(collateral: float, coins: Sequence[Coin], betas: Sequence[float], way: float) -> float | None:
    """Return the smallest shock downward (*way* -1) or upward (+1) at which the surplus reaches zero."""
    edges = np.array([edge for coin, beta in zip(coins, betas, strict=True) for edge in coin.edges(beta)]) * way
    marks = np.concatenate([STEPS, edges - BESIDE, edges, edges + BESIDE])
    sizes = np.unique(marks[(marks >= 0.0) & (marks <= 1.0)])
    while True:
        equity, need = _sums(collateral, coins, betas, way * sizes)
        bad = equity <= need
        first = int(bad.argmax())
        if not bad[first]:
            return None
        if sizes[first] > NEAR_ZERO and any(leg.slope for coin in coins for leg in coin.legs):
            return None
        if first == 0 or sizes[first] - sizes[first - 1] <= 2.0 * BESIDE:
            return way * float(sizes[first]) + 0.0  # no -0.0 for people
        sizes = np.linspace(sizes[first - 1], sizes[first], FINER)


def _killer(collateral: float, coins: Sequence[Coin]) -> tuple[str, float | None, float | None]:
    """Return the coin whose move alone ends the account soonest, its price there and its move; no name if none does.

    The collateral in a coin is one more linear leg without a requirement, which the closed form takes like any other.
    """
    equity, need = _sums(collateral, coins, [0.0] * len(coins), np.zeros(1))
    surplus = float(equity[0] - need[0])
    if surplus <= 0.0:
        return "", None, None
    found: list[tuple[float, str, float, float]] = []
    for coin in coins:
        if coin.beta == 0.0:
            continue
        legs = list(coin.legs)
        if coin.value:
            legs.append(Leg(coin.value / coin.price, coin.price, (Tier(0.0, 0.0),)))
        x = coordinate(coin.price, coin.kind)
        price, _ = margin.liquidation_price(coin.price, surplus - margin.surplus(x, 0.0, legs), legs, coin.kind)
        if price is not None:
            move = (price - coin.price) / coin.price
            found.append((abs(move), coin.name, price, move))
    return min(found)[1:] if found else ("", None, None)
