"""The payloads of a simulated Lighter, as plain objects ready for JSON.

Shapes and field meanings: the venue's own documentation, as read on 2026-11-22. Traps kept on purpose: rates in
percent, open interest in USD here and in coins over REST, three units of time, sides of a trade told by
``is_maker_ask`` and two account numbers.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import count
from typing import Any

from monitor.numbers import shortest
from monitor.sim.book import Change, Row
from monitor.sim.market import Instrument, LiquidationPrint

Payload = dict[str, Any]

LLP_ACCOUNT = 281_474_976_710_654
DEFAULT_FUND = LLP_ACCOUNT + 1
"""What a market names as its insurance fund: "the default one"."""

NO_CAP = "72057594037927936.000000"
HOUR = 3600
BLOCK_SECONDS = 9
"""How long before its trade a block may have begun."""

MAKER, HOLDER, WINNER = 27_927, 72_056, 90_001
"""Accounts that take part in trades."""

_STATUS = {
    "TRADING": "active",
    "PENDING_TRADING": "inactive",
    "SETTLING": "in-settlement",
    "DELIVERED": "settled",
    "CLOSE": "settled",
}
"""The scenarios' words in the venue's."""


def places(step: float) -> int:
    """Return the decimal places that multiples of *step* need.

    >>> places(0.1), places(0.005), places(1.0)
    (1, 3, 0)
    """
    return len(shortest(round(step, 12)).partition(".")[2])


def price(found: Instrument, value: float) -> str:
    """Return a price with the market's places."""
    return f"{value:.{places(found.listing.tick_size)}f}"


def size(found: Instrument, value: float) -> str:
    """Return a size with the market's places; more of them where the size itself has more."""
    return f"{value:.{max(places(found.listing.step_size), min(places(value), 8))}f}"


def usd(value: float) -> str:
    """Return an amount of USDC."""
    return f"{value:.6f}"


def percent(ratio: float) -> str:
    """Return a rate as the venue shows it.

    >>> percent(-0.000005)
    '-0.0005'
    """
    return f"{100 * ratio:.4f}"


def ms(seconds: float) -> int:
    """Return epoch milliseconds."""
    return int(seconds * 1000)


def us(seconds: float) -> int:
    """Return epoch microseconds."""
    return int(seconds * 1_000_000)


def status(found: Instrument, wall: float) -> str:
    """Return the market's status; one whose last day has passed is settled."""
    return "settled" if wall >= found.delivery_time else _STATUS.get(found.status, found.status)


def stats(found: Instrument, number: int, best: tuple[list[Row], list[Row]], wall: float) -> Payload:
    """One market of ``market_stats``."""
    bids, asks = best
    last = found.last_price
    return {
        "symbol": found.symbol,
        "market_id": number,
        "index_price": price(found, found.index_price),
        "mark_price": price(found, found.mark_price),
        "mid_price": price(found, (bids[0][0] + asks[0][0]) / 2) if bids and asks else "",
        "best_ask_price": price(found, asks[0][0]) if asks else "",
        "best_bid_price": price(found, bids[0][0]) if bids else "",
        "open_interest": usd(found.open_interest * found.mark_price),
        "open_interest_limit": NO_CAP,
        "funding_clamp_small": "0.0500",
        "funding_clamp_big": "4.0000",
        "last_trade_price": price(found, last),
        "current_funding_rate": percent(found.funding_rate),
        "funding_rate": percent(found.funding_rate),
        "funding_timestamp": ms(int(wall) // HOUR * HOUR) + 1,
        "base_interest_rate": "0.0100",
        "premium": "0.0000",
        "daily_base_token_volume": found.volume,
        "daily_quote_token_volume": found.volume * last,
        "daily_price_low": min(found.low_price or last, last),
        "daily_price_high": max(found.high_price, last),
        "daily_price_change": 100 * (last / (found.open_price or last) - 1),
    }


def data(kind: str, what: str, channel: str, wall: float, **content: object) -> Payload:
    """One data frame: *kind* is ``subscribed`` or ``update``."""
    return {"type": f"{kind}/{what}", "channel": channel, **content, "timestamp": ms(wall)}


def _levels(found: Instrument, rows: Iterable[Row]) -> list[Payload]:
    return [{"price": price(found, at), "size": size(found, there)} for at, there in rows]


def book(kind: str, found: Instrument, channel: str, change: Change, wall: float) -> Payload:
    """One ``order_book``. ``offset`` grows by leaps: nobody may count on it."""
    offset, begin = 2 * change.number + int(wall) % 5, 0 if kind == "subscribed" else change.previous
    content: Payload = {
        "code": 0,
        "asks": _levels(found, change.asks),
        "bids": _levels(found, change.bids),
        "offset": offset,
        "nonce": change.number,
        "last_updated_at": us(wall),
        "begin_nonce": begin,
    }
    return data(kind, "order_book", channel, wall, offset=offset, last_updated_at=us(wall), order_book=content)


def ticker(
    kind: str, found: Instrument, channel: str, best: tuple[list[Row], list[Row]], nonce: int, wall: float
) -> Payload:
    """One ``ticker``: the best ask and bid; a side that is empty has neither price nor size."""
    bids, asks = ([*_levels(found, rows[:1]), {"price": "", "size": ""}][0] for rows in best)
    content: Payload = {"s": found.symbol, "a": asks, "b": bids, "last_updated_at": us(wall)}
    return data(kind, "ticker", channel, wall, nonce=nonce, last_updated_at=us(wall), ticker=content)


class Trades:
    """Makes trades, each with a number of its own."""

    def __init__(self) -> None:
        self._numbers = count(18_240_999_145)

    def plain(self, found: Instrument, number: int, wall: float) -> Payload:
        """A trade at the last price; buyers and sellers take turns as takers."""
        sells = found.trades % 2 == 0
        accounts = (HOLDER, MAKER) if sells else (MAKER, HOLDER)
        row = self._trade(
            found, number, "trade", found.last_price, found.listing.step_size, accounts, wall, sells=sells
        )
        return row | {"taker_fee": 196, "maker_fee": 28}

    def liquidation(self, found: Instrument, number: int, forced: LiquidationPrint, wall: float) -> Payload:
        """A liquidation order that was filled: the holder is the taker."""
        sells = forced.order_side == "sell"
        accounts = (HOLDER, MAKER) if sells else (MAKER, HOLDER)
        row = self._trade(
            found, number, "liquidation", forced.fill_price, forced.contracts, accounts, wall, sells=sells
        )
        before = size(found, forced.contracts if sells else -forced.contracts)
        return row | {"taker_fee": 10_000, "taker_position_size_before": before}

    def deleverage(
        self, found: Instrument, number: int, forced: LiquidationPrint, against: int, wall: float
    ) -> Payload:
        """A position that went to *against*, the pool or a winning holder, at its zero price."""
        sells = forced.order_side == "sell"
        accounts = (HOLDER, against) if sells else (against, HOLDER)
        return self._trade(
            found, number, "deleverage", forced.fill_price, forced.contracts, accounts, wall, sells=sells
        )

    def _trade(
        self,
        found: Instrument,
        number: int,
        kind: str,
        at: float,
        contracts: float,
        accounts: tuple[int, int],
        wall: float,
        *,
        sells: bool,
    ) -> Payload:
        identity = next(self._numbers)
        return {
            "trade_id": identity,
            "trade_id_str": str(identity),
            "tx_hash": f"{identity:080x}",
            "type": kind,
            "market_id": number,
            "size": size(found, contracts),
            "price": price(found, at),
            "usd_amount": usd(contracts * at),
            "ask_id": 281_476_612_587_355,
            "bid_id": 562_948_334_068_259,
            "ask_client_id": 0,
            "bid_client_id": 0,
            "ask_account_id": accounts[0],
            "bid_account_id": accounts[1],
            "is_maker_ask": not sells,
            "block_height": 218_856_170 + int(wall) % 1_000_000,
            "timestamp": ms(wall - BLOCK_SECONDS),
            "transaction_time": us(wall),
        }


def trades(channel: str, rows: list[Payload], forced: list[Payload], nonce: int, *, kind: str = "update") -> Payload:
    """One ``trade`` frame; it is the one without a time of its own."""
    return {
        "type": f"{kind}/trade",
        "channel": channel,
        "nonce": nonce,
        "trades": rows,
        "liquidation_trades": forced,
    }


def pool(kind: str, what: str, value: float, wall: float) -> Payload:
    """One frame of the pool's own account, ``account_all`` or ``user_stats``: it holds no position here."""
    channel, worth = f"{what}:{LLP_ACCOUNT}", usd(value)
    if what == "account_all":
        return data(kind, what, channel, wall, account=LLP_ACCOUNT, positions={}, trades={}, assets={}, shares=[])
    stats = {"collateral": worth, "portfolio_value": worth, "available_balance": worth}
    return data(kind, what, channel, wall, stats=stats)
