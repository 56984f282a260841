"""Hyperliquid perpetuals: the venue's own contracts (``BTC``) and those of builder dexes, HIP-3 (``xyz:GOLD``).

Streams: mark, oracle, funding and open interest from ``activeAssetCtx``, last price from ``trades``, best quotes from
``bbo``, books from ``l2Book``, a part of the liquidations from the fills of the accounts behind the HLP vault
(``userFills``). Decoding: ``hyperliquid_wire.py``; ``POST /info``: ``hyperliquid_rest.py``. Sizes and open interest are
coins, which is what a position counts; a contract is one coin (``kPEPE``: one thousand, in price and size).

Traps of the wire, each with a payload in ``tests/venues/hyperliquid/``:

- An unknown coin, or one in the wrong case, costs the whole connection within 100 ms, without an error or a close
  frame: only names that the latest ``meta`` of their dex lists are ever sent.
- One subscription a frame; errors are a text without an id that quotes the frame, except when an address follows too
  many accounts: that text quotes nothing.
- ``activeAssetCtx`` comes about once a second, changed or not (mark and oracle move every 3 s), and carries no time: the
  arrival is as near as we can know, and a venue that is frozen may go on repeating itself: the time of a book, read every
  10 s, tells.
- Funding is hourly and its next time is not sent: it is the next full hour.
- There is no last price; the first frame of ``trades`` is a backlog, recognised by its times alone.
- ``l2Book`` sends whole books. The default has 20 levels every 5.4 s, ``fast`` 5 levels every 0.54 s, and nothing tells
  the two apart: the default is asked for, since what is estimated from a book walks through it and hangs more on its
  depth than on its age.
- A side of ``bbo``, ``midPx``, ``premium`` and ``impactPxs`` may be null or missing.
- There is no public feed of liquidations. A fill says so when its other side was being liquidated; only fills of ten
  accounts may be followed, so what is seen is a lower bound. The first frame (``isSnapshot``) is history.
- The server ends a connection on which it had nothing to say for 60 s: we ping.

The requirement is half the initial margin at the **maximum** leverage of the tier, ``1 / (2 * max_leverage)`` of the
notional, less the deduction that makes it continuous. No fee is in the test.

Traps of the calculation:

- The leverage that a holder chose never enters the requirement; isolated, it only says what margin was put in.
- ``marginUsed`` of an isolated position contains unrealised profit. Its margin here is ``rawUsd + szi * entryPx``.
- ``maxLeverage`` of a position is the one of the first tier; a large position is in a lower one.
- Funding is taken from the position's own raw USD (isolated), so a reported position already has it.
- A unified or portfolio account keeps its collateral in spot balances: its perpetual account value is not its equity.
- Each builder dex (HIP-3) has a margin of its own. Payloads of 2023 held the requirement fixed: an older rule.

Facts: Hyperliquid documentation, "Liquidations" and "Margin tiers".
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from functools import partial

from monitor.core.contract import LiquidationRule, TierTable, build_deductions
from monitor.venues.base import SHIPPED, Connection, Feature, Keepalive, Limits, Request, Stream, Venue
from monitor.venues.hyperliquid_rest import Names, dex_of, polls
from monitor.venues.hyperliquid_rows import NAME
from monitor.venues.hyperliquid_wire import FILL_ACCOUNTS, decode, hear

RULES = {
    "linear": LiquidationRule(
        name="Hyperliquid",
        source="Hyperliquid documentation: Liquidations; Margin tiers",
        date="2026-11-22",
        maintenance="mark",
        tier_by="notional",
        deduction="built",
        closing_fee="none",
        cross_approximations=(
            "in unified and portfolio mode the spot balances count as well, by a formula that is not published",
        ),
    )
}

TIERS_DATE = "2026-11-22"

SUBSCRIPTIONS = 800
"""An address may hold 1,000: the rest is room for the successor of a connection, which carries the same once more."""

STREAMS_PER_CONNECTION = 200

_ALONE = {
    "BTC": ((0.0, 40), (150e6, 20)),
    "ETH": ((0.0, 25), (100e6, 15)),
    "SOL": ((0.0, 20), (70e6, 10)),
    "XRP": ((0.0, 20), (40e6, 10)),
}
_LARGE = ("DOGE", "kPEPE", "SUI", "LINK", "AVAX", "ADA", "HYPE")
_MIDDLE = ("OP", "ARB", "LDO", "TON", "BNB", "DOT", "INJ")

MAX_LEVERAGE: dict[str, tuple[tuple[float, int], ...]] = {
    **_ALONE,
    **dict.fromkeys(_LARGE, ((0.0, 10), (20e6, 5))),
    **dict.fromkeys(_MIDDLE, ((0.0, 10), (3e6, 5))),
}
"""(lower bound of the notional in USD, maximum leverage) by coin, for those that the page names."""


def shipped_tiers(symbol: str) -> TierTable | None:
    """Return the ladder of a coin from the page "Margin tiers", None for a coin that it does not name.

    >>> shipped_tiers("BTC").tiers
    (Tier(floor=0.0, maintenance_rate=0.0125, deduction=0.0), Tier(floor=150000000.0, maintenance_rate=0.025, deduction=1875000.0))
    """
    rows = MAX_LEVERAGE.get(symbol)
    if rows is None:
        return None
    tiers = build_deductions([(floor, 1.0 / (2.0 * leverage)) for floor, leverage in rows])
    largest = tuple(float(leverage) for _, leverage in rows)
    return TierTable(tiers, f"{SHIPPED} (Hyperliquid documentation: Margin tiers)", TIERS_DATE, max_leverages=largest)


# --- subscriptions -----------------------------------------------------------------------------------------


def connections(symbols: Sequence[str], base: str) -> list[Connection]:
    """Return the websockets for *symbols*. Where they are too many, books go first, then quotes, then trades."""
    url, room = f"{base.rstrip('/')}/ws", SUBSCRIPTIONS - FILL_ACCOUNTS
    share = max(1, min(4, room // max(1, len(symbols))))
    served = symbols[:room]
    after = "perpDexs" if all(map(dex_of, symbols)) else "meta"  # a dex that is gone keeps nobody waiting for its own
    kinds = [("prices", partial(_prices, share), min(3, share))] + ([("depth", _book, 1)] if share == 4 else [])
    found: list[Connection] = []
    for label, streams_of, cost in kinds:
        most = STREAMS_PER_CONNECTION // cost
        for start in range(0, len(served), most):
            streams = tuple(stream for symbol in served[start : start + most] for stream in streams_of(symbol))
            name = f"{label}-{start // most + 1}" if start else label
            found.append(Connection(name, url, streams, after=after))
    if any(not dex_of(symbol) for symbol in symbols):
        fills = tuple(Stream(f"userFills:{number}", (), None, 0.0) for number in range(FILL_ACCOUNTS))
        found.append(Connection("liquidations", url, fills, after="vaultDetails"))
    return found


def _prices(share: int, symbol: str) -> list[Stream]:
    """Return what brings the prices of *symbol* by *share* subscriptions. Trades come and go with the mark's."""
    mark = f"activeAssetCtx{'+trades' if share >= 2 else ''}:{symbol}"
    quotes = [Stream(f"bbo:{symbol}", (symbol,), "book", 100.0)] if share >= 3 else []
    return [Stream(mark, (symbol,), "mark", 2.0), *quotes]


def _book(symbol: str) -> list[Stream]:
    return [Stream(f"l2Book:{symbol}", (symbol,), "depth", 20.0)]


def _control(method: str, names: Names, streams: Sequence[Stream], _first_id: int, _now: float) -> list[Request]:
    """Return one frame a subscription. What the venue does not list, or has not told us yet, is left out."""
    found: list[Request] = []
    for stream in streams:
        kinds, _, what = stream.name.partition(":")
        for kind in kinds.split("+"):
            for field, name in _named(kind, what, names):
                words = {"method": method, "subscription": {"type": kind, field: name}}
                found.append(Request(json.dumps(words), (stream,), f"{kind}:{name}"))
    return found


def _named(kind: str, what: str, names: Names) -> list[tuple[str, str]]:
    """Return the field and the name by which a stream is asked for, nothing if we do not know one."""
    if kind == "userFills":
        return [("user", account) for account in names.backstop[int(what) : int(what) + 1]]
    return [("coin", what)] if names.lists(what) else []


def _ping(_number: int, _now: float) -> str:
    return '{"method":"ping"}'


# --- the venue ---------------------------------------------------------------------------------------------

FEATURES = (
    Feature("mark", "stream", "activeAssetCtx", 2.0),
    Feature("index", "stream", "activeAssetCtx", 2.0),
    Feature("last", "stream", "trades"),
    Feature("funding", "stream", "activeAssetCtx", 2.0, "hourly"),
    Feature("open interest", "stream", "activeAssetCtx", 2.0),
    Feature(
        "liquidations",
        "stream",
        "userFills",
        note="lower bound: only those whose other side is the HLP vault, which includes every takeover by it;"
        " none of builder dexes",
    ),
    Feature("depth", "stream", "l2Book", 6.0, "20 levels a side"),
    Feature("contracts", "poll", "meta", 3600.0),
    Feature("tiers", "poll", "meta", 3600.0),
    Feature(
        "insurance fund",
        "poll",
        "vaultDetails",
        60.0,
        "account value of the HLP vault, which deposits and withdrawals move too; builder dexes have none",
    ),
)


def _venue(names: Names) -> Venue:
    return Venue(
        name=NAME,
        rules=RULES,
        stream_url="wss://api.hyperliquid.xyz",
        rest_url="https://api.hyperliquid.xyz",
        limits=Limits(
            weight_per_minute=1200,
            weight_header="",
            control_messages_per_second=20,  # 2,000 a minute and address, for a handful of connections
            lifetime_seconds=7 * 86_400.0,  # none is known: a new connection a week costs nothing
            frame_bytes=4 << 20,  # the history of an account's fills comes in one frame
            connects=30,
            connect_window_seconds=60.0,
        ),
        expected_intervals={"mark": 2.0, "index": 2.0, "last": 10.0, "book": 10.0},
        decode=decode,
        connections=connections,
        subscribe=partial(_control, "subscribe", names),
        unsubscribe=partial(_control, "unsubscribe", names),
        polls=partial(polls, names),
        shipped_tiers=shipped_tiers,
        features=FEATURES,
        hear=hear,
        keepalive=Keepalive(30.0, _ping),
    )


def bind(_symbols: Sequence[str]) -> Venue:
    """Return the venue with a memory of its own for the names that only its answers give."""
    return _venue(Names())


VENUE = replace(_venue(Names()), bind=bind)
