"""The payloads of a simulated Hyperliquid venue, as plain objects ready for JSON.

Shapes and field meanings: the venue's own documentation, as read on 2026-11-22. Traps kept on purpose: states carry no
name and no time, what a delisted contract lacks is null, numbers are text with at least one decimal, margin tables
below 50 are not listed, and a contract that was delisted stays in its place for ever.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import floor, log10
from typing import Any

from monitor.sim.book import SimBook
from monitor.sim.market import Instrument, LiquidationPrint

Payload = dict[str, Any]

FIGURES = 5
"""Significant figures of a price; whole numbers may have more."""

PRICE_PLACES = 6
LISTED_TABLES = 50
USDC = 0

HLP = "0xdfc24b077bc1425ad1dea75bcb6f8158e10df303"
STRATEGY = "0x" + "a1" * 20
"""The account of the vault that makes markets."""

LIQUIDATOR = "0x" + "b2" * 20
"""The account of the vault that takes positions over."""

_VICTIM, _SOMEBODY, _HASH = "0x" + "c3" * 20, "0x" + "d4" * 20, "0x" + "e5" * 32


def size_places(step: float) -> int:
    """Return ``szDecimals``: the places of a size."""
    return max(0, -floor(log10(step)))


def price_places(step: float, value: float) -> int:
    """Return the places of a price: five figures, and no more places than the sizes leave.

    >>> price_places(0.001, 54_900.0), price_places(0.001, 109.8), price_places(1.0, 0.0043217)
    (0, 2, 6)
    """
    return max(0, min(PRICE_PLACES - size_places(step), FIGURES - 1 - floor(log10(value))))


def decimal(value: float, places: int) -> str:
    """Return a number as the venue writes it: rounded, without trailing zeros, but with one decimal.

    >>> decimal(84143.0, 0), decimal(0.00036, 5), decimal(109.8, 2)
    ('84143.0', '0.00036', '109.8')
    """
    text = f"{value:.{max(1, places)}f}".rstrip("0") if places else f"{value:.0f}."
    return text + "0" if text.endswith(".") else text


def price(instrument: Instrument, value: float) -> str:
    """Return a price of *instrument*."""
    return decimal(value, price_places(instrument.listing.step_size, value))


def size(instrument: Instrument, value: float) -> str:
    """Return a quantity in coins."""
    return decimal(value, size_places(instrument.listing.step_size))


def ms(seconds: float) -> int:
    """Return epoch milliseconds."""
    return int(seconds * 1000)


def dex_of(symbol: str) -> str:
    """Return the builder dex of a contract, "" for the venue's own."""
    return symbol.partition(":")[0] if ":" in symbol else ""


def delisted(instrument: Instrument, wall: float) -> bool:
    """Return whether the contract does not trade any more."""
    return instrument.status != "TRADING" or wall >= instrument.delivery_time


# --- market data ---------------------------------------------------------------------------------------------


def context(instrument: Instrument, wall: float) -> Payload:
    """The state of one contract; it says neither whose nor of when. A delisted one keeps its last mark."""
    gone = delisted(instrument, wall)
    middle = None if gone else price(instrument, instrument.last_price)
    return {
        "funding": decimal(instrument.funding_rate, 10),
        "openInterest": size(instrument, instrument.open_interest),
        "prevDayPx": price(instrument, instrument.open_price or instrument.last_price),
        "dayNtlVlm": decimal(instrument.volume * instrument.last_price, 10),
        "premium": None if gone else decimal(instrument.mark_price / instrument.index_price - 1.0, 10),
        "oraclePx": price(instrument, instrument.index_price),
        "markPx": price(instrument, instrument.mark_price),
        "midPx": middle,
        "impactPxs": None if gone else [middle, middle],
        "dayBaseVlm": size(instrument, instrument.volume),
    }


def trade(instrument: Instrument, wall: float, *, liquidation: LiquidationPrint | None = None) -> Payload:
    """One trade. A liquidation in the book looks like any other."""
    forced = liquidation is not None
    buys = liquidation.order_side == "buy" if liquidation else instrument.trades % 2 == 0
    return {
        "coin": instrument.symbol,
        "side": "B" if buys else "A",
        "px": price(instrument, liquidation.fill_price if liquidation else instrument.last_price),
        "sz": size(instrument, liquidation.contracts if liquidation else instrument.listing.step_size),
        "time": ms(wall),
        "hash": _HASH,
        "tid": 1_045_359_000_000_000 + 2 * instrument.trades + forced,
        "users": [_SOMEBODY, _SOMEBODY],
    }


def levels(
    instrument: Instrument, bids: Sequence[tuple[float, float]], asks: Sequence[tuple[float, float]]
) -> list[list[Payload]]:
    """The two sides of a book."""
    return [
        [
            {"px": price(instrument, at), "sz": size(instrument, there), "n": 1 + place % 4}
            for place, (at, there) in side
        ]
        for side in (enumerate(bids), enumerate(asks))
    ]


def book(instrument: Instrument, sides: list[list[Payload]], wall: float) -> Payload:
    """One ``l2Book``: always the whole book."""
    return {"coin": instrument.symbol, "time": ms(wall), "levels": sides}


def best(instrument: Instrument, wall: float) -> Payload:
    """One ``bbo``; nobody quotes a delisted contract."""
    if delisted(instrument, wall):
        return {"coin": instrument.symbol, "time": ms(wall), "bbo": [None, None]}
    bids, asks = levels(instrument, *SimBook(instrument).snapshot(1))
    return {"coin": instrument.symbol, "time": ms(wall), "bbo": [bids[0], asks[0]]}


def fill(instrument: Instrument, liquidation: LiquidationPrint, wall: float, *, method: str) -> Payload:
    """The fill of the account that stood on the other side of a liquidation."""
    sells = liquidation.order_side == "buy"
    return {
        "coin": instrument.symbol,
        "px": price(instrument, liquidation.fill_price),
        "sz": size(instrument, liquidation.contracts),
        "side": "A" if sells else "B",
        "time": ms(wall),
        "startPosition": "0.0",
        "dir": "Open Short" if sells else "Open Long",
        "closedPnl": "0.0",
        "hash": _HASH,
        "oid": 55_030_000_000 + instrument.trades,
        "crossed": False,
        "fee": "0.0",
        "tid": 745_210_000_000_000 + instrument.trades,
        "liquidation": {
            "liquidatedUser": _VICTIM,
            "markPx": price(instrument, instrument.mark_price),
            "method": method,
        },
        "feeToken": "USDC",
        "twapId": None,
    }


# --- terms ---------------------------------------------------------------------------------------------------


def tiers(instrument: Instrument) -> list[Payload]:
    """A ladder as the venue has it: half the initial margin at the largest leverage is what must be left."""
    found = []
    for tier in instrument.tiers:
        leverage = round(1.0 / (2.0 * tier.maintenance_rate), 9)
        found.append(
            {
                "lowerBound": decimal(tier.floor, 6),
                "maxLeverage": int(leverage) if leverage == int(leverage) else leverage,
            }
        )
    return found


def table_number(instrument: Instrument, place: int) -> int:
    """Return the margin table of the contract in that place: one tier of a whole leverage needs none of its own."""
    rows = tiers(instrument)
    leverage = rows[0]["maxLeverage"]
    alone = len(rows) == 1 and isinstance(leverage, int) and leverage < LISTED_TABLES
    return int(leverage) if alone else LISTED_TABLES + 1 + place


def meta(instruments: Sequence[Instrument], wall: float) -> Payload:
    """The contracts of one dex in their places, and the margin tables that are listed."""
    universe, tables = [], []
    for place, instrument in enumerate(instruments):
        rows, number = tiers(instrument), table_number(instrument, place)
        row = {
            "name": instrument.symbol,
            "szDecimals": size_places(instrument.listing.step_size),
            "maxLeverage": int(rows[0]["maxLeverage"]),
            "marginTableId": number,
        }
        universe.append(row | ({"isDelisted": True} if delisted(instrument, wall) else {}))
        if number > LISTED_TABLES:
            tables.append([number, {"description": f"tiered {rows[0]['maxLeverage']:g}x", "marginTiers": rows}])
    return {"universe": universe, "marginTables": tables, "collateralToken": USDC}


def dex(name: str) -> Payload:
    """One builder dex of ``perpDexs``."""
    return {
        "name": name,
        "fullName": name.upper(),
        "deployer": _SOMEBODY,
        "oracleUpdater": None,
        "feeRecipient": None,
        "assetToStreamingOiCap": [],
        "subDeployers": [],
        "assetToFundingMultiplier": [],
    }


def vault(balance: float, stamp: float) -> Payload:
    """``vaultDetails`` of the backstop; some of its numbers are numbers."""
    history = {"accountValueHistory": [[ms(stamp - 600.0), decimal(balance, 6)], [ms(stamp), decimal(balance, 6)]]}
    return {
        "name": "Hyperliquidity Provider (HLP)",
        "vaultAddress": HLP,
        "leader": _SOMEBODY,
        "description": "",
        "portfolio": [[period, history | {"pnlHistory": [], "vlm": "0.0"}] for period in ("day", "week", "month")],
        "apr": 0.12,
        "followerState": None,
        "leaderFraction": 0.001,
        "leaderCommission": 0,
        "followers": [],
        "maxDistributable": 1234.5,
        "maxWithdrawable": 1234.5,
        "isClosed": False,
        "relationship": {"type": "parent", "data": {"childAddresses": [STRATEGY, LIQUIDATOR]}},
        "allowDeposits": True,
        "alwaysCloseOnWithdraw": False,
    }
