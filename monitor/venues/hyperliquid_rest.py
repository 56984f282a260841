"""Hyperliquid: ``POST /info``, polled. What the venue calls its contracts and its backstop's accounts is learned here.

Traps: states (``ctxs``) carry no names and belong to ``meta.universe`` by their place, delisted contracts included;
margin tables below 50 are not listed, they mean one tier of that leverage; a dex that does not exist is answered with
500, so ``perpDexs`` says which there are; the account value of the HLP vault moves with deposits too; a venue that stands
still (an upgrade) may go on answering, and only the time of a book says how old it all is.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Annotated

import msgspec

from monitor.core import events as ev
from monitor.core.contract import build_deductions
from monitor.core.events import Event
from monitor.errors import WireError
from monitor.numbers import LIMIT
from monitor.venues import wire
from monitor.venues.base import Poll
from monitor.venues.hyperliquid_rows import NAME, Context, context_events
from monitor.venues.hyperliquid_wire import salvage_context
from monitor.venues.wire import Milliseconds, common_coin, number, parsed, read, seconds

HLP = "0xdfc24b077bc1425ad1dea75bcb6f8158e10df303"
"""The vault that stands behind the venue's own contracts."""

POOL, POOL_ASSET = "hlp", "USDC"
COLLATERAL = {0: "USDC", 235: "USDE", 268: "USDT0", 360: "USDH"}
"""Spot tokens in which a dex keeps its margin, by number."""

HOUR = 3600.0
BEHIND_SECONDS = 10.0
"""How often the time of a book is read."""

RATE_BOUND = 0.04
"""No hour is charged more than this on the venue's own contracts; builders set their own."""

LISTED_TABLES = 50
"""Margin tables with a lower number are not published: the number is the leverage."""

_ADDRESS = re.compile(r"0x[0-9a-fA-F]{40}", re.ASCII)


def dex_of(symbol: str) -> str:
    """Return the dex that lists a contract, "" for the venue's own.

    >>> dex_of("xyz:GOLD"), dex_of("BTC")
    ('xyz', '')
    """
    return symbol.partition(":")[0] if ":" in symbol else ""


class Names:
    """What the venue calls things, as its latest answers had it. Names only, never facts."""

    def __init__(self) -> None:
        self.coins: dict[str, frozenset[str]] = {}
        """Dex -> every contract that it ever listed."""
        self.backstop: tuple[str, ...] = ()
        """The accounts through which the HLP vault trades."""

    def lists(self, symbol: str) -> bool:
        """Return whether the venue knows *symbol*; naming any other would cost the connection."""
        return symbol in self.coins.get(dex_of(symbol), ())


# --- wire ------------------------------------------------------------------------------------------------------


class _Coin(msgspec.Struct):
    name: str
    marginTableId: int | None = None  # noqa: N815 - the venue's spelling
    isDelisted: bool | None = None  # noqa: N815


class _Tier(msgspec.Struct):
    lowerBound: Annotated[float, msgspec.Meta(ge=0.0, lt=LIMIT)]  # noqa: N815
    maxLeverage: Annotated[float, msgspec.Meta(ge=1.0, le=1000.0)]  # noqa: N815


class _Table(msgspec.Struct):
    marginTiers: Annotated[list[_Tier], msgspec.Meta(min_length=1)]  # noqa: N815


class _Meta(msgspec.Struct):
    universe: list[msgspec.Raw]
    marginTables: list[msgspec.Raw] = []  # noqa: N815
    collateralToken: int | None = None  # noqa: N815


class _Dex(msgspec.Struct):
    name: str


class _Status(msgspec.Struct):
    time: Milliseconds


class _Book(msgspec.Struct):
    time: Milliseconds


class _Vault(msgspec.Struct):
    portfolio: list[tuple[str, msgspec.Raw]]
    relationship: msgspec.Raw = msgspec.Raw(b"null")


class _History(msgspec.Struct):
    accountValueHistory: list[tuple[int, str]] = []  # noqa: N815


class _Children(msgspec.Struct):
    childAddresses: list[str] = []  # noqa: N815


class _Relationship(msgspec.Struct):
    data: _Children = msgspec.field(default_factory=_Children)


# --- answers to events -----------------------------------------------------------------------------------------


def _universe(names: Names, dex: str, meta: _Meta, out: list[Event]) -> list[_Coin | None]:
    """Return the contracts of a dex in their places, None for one that cannot be read, and learn their names."""
    found: list[_Coin | None] = []
    for raw in meta.universe:
        try:
            found.append(read(raw, _Coin))
        except WireError:
            found.append(None)
            out.append(ev.Rejected(NAME, "meta", "bad_row"))
    coins = frozenset(coin.name for coin in found if coin is not None)
    if not coins:
        raise WireError("a dex without contracts", reason="empty")  # no reason to call every symbol unlisted
    names.coins[dex] = coins
    return found


def _meta(names: Names, dex: str, watched: frozenset[str], body: bytes, received: float) -> list[Event]:
    out: list[Event] = []
    meta = read(body, _Meta)
    universe = _universe(names, dex, meta, out)
    all_read = not out  # a row that cannot be read may be the one that seems to be missing
    tables = _tables(meta.marginTables, out)
    listed = {coin.name: coin for coin in universe if coin is not None}
    token = meta.collateralToken or 0
    bound = None if dex else RATE_BOUND
    for symbol in sorted(watched):
        coin = listed.get(symbol)
        if coin is None:
            if all_read:
                out.append(ev.ContractStatus(NAME, symbol, "not listed", watchable=False, event_time=received))
            continue
        out.append(
            ev.ContractTerms(
                NAME,
                symbol,
                kind="linear",
                contract_size=1.0,
                base=common_coin(symbol.rpartition(":")[2]),
                quote="USD",
                settle=COLLATERAL.get(token, f"token {token}"),
                status=_status(coin),
                watchable=not coin.isDelisted,
            )  # no tick: prices have five significant figures
        )
        out.append(ev.FundingTerms(NAME, symbol, HOUR, bound, None if bound is None else -bound))
        out += _ladder(coin, tables, received)
    return out


def _status(coin: _Coin) -> str:
    return "delisted" if coin.isDelisted else "trading"


def _tables(raws: Sequence[msgspec.Raw], out: list[Event]) -> dict[int, _Table]:
    return dict(wire.rows(raws, tuple[int, _Table], NAME, "marginTables", out))


def _ladder(coin: _Coin, tables: dict[int, _Table], received: float) -> list[Event]:
    """Return the maintenance ladder: in each tier half the initial margin at its largest leverage."""
    number_of = coin.marginTableId
    if number_of is None:
        return []
    if 1 <= number_of < LISTED_TABLES:
        tiers = [_Tier(0.0, float(number_of))]
    elif number_of in tables:
        tiers = tables[number_of].marginTiers
    else:
        return [ev.Rejected(NAME, "marginTables", "no_table", coin.name)]
    built = build_deductions([(tier.lowerBound, 1.0 / (2.0 * tier.maxLeverage)) for tier in tiers])
    rows = tuple((tier.floor, tier.maintenance_rate, tier.deduction) for tier in built)
    largest = tuple(tier.maxLeverage for tier in tiers)
    return [ev.TierTableChanged(NAME, coin.name, rows, received, largest)]


def _states(names: Names, dex: str, watched: frozenset[str], body: bytes, received: float) -> list[Event]:
    """The states carry no time; the answer's arrival is as near as we can know."""
    out: list[Event] = []
    meta, states = read(body, tuple[_Meta, list[msgspec.Raw]])
    universe = _universe(names, dex, meta, out)
    if len(universe) != len(states):
        raise WireError("as many states as contracts were expected", reason="misaligned")
    for coin, state in zip(universe, states, strict=True):
        if coin is None or coin.name not in watched:
            continue
        out.append(ev.ContractStatus(NAME, coin.name, _status(coin), not coin.isDelisted, received))
        try:
            out += context_events(coin.name, read(state, Context), received)
        except WireError:
            try:
                salvage_context(coin.name, parsed(bytes(state)), received, out)
            except WireError:
                out.append(ev.Rejected(NAME, "metaAndAssetCtxs", "bad_row", coin.name))
    return out


def _dexes(watched: frozenset[str], body: bytes, received: float) -> list[Event]:
    """Say of contracts whose dex does not exist that they are not listed: asking for its contracts would not."""
    out: list[Event] = []
    rows = [raw for raw in read(body, list[msgspec.Raw]) if bytes(raw) != b"null"]  # the venue itself is null
    known = {row.name for row in wire.rows(rows, _Dex, NAME, "perpDexs", out)}
    if not known or out:
        return out
    unlisted = sorted(symbol for symbol in watched if dex_of(symbol) not in known)
    return [ev.ContractStatus(NAME, symbol, "not listed", watchable=False, event_time=received) for symbol in unlisted]


def _vault(names: Names, backed: tuple[str, ...], body: bytes, _received: float) -> list[Event]:
    vault = read(body, _Vault)
    try:
        children = read(vault.relationship, _Relationship).data.childAddresses
    except WireError:
        children = []
    found = tuple(child for child in children if _ADDRESS.fullmatch(child))
    names.backstop = found or names.backstop
    days = [read(raw, _History).accountValueHistory for name, raw in vault.portfolio if name == "day"]
    if not days or not days[0]:
        return []
    time, text = max(days[0])
    balance = number(text, -LIMIT, LIMIT)
    if balance is None:
        return [ev.Rejected(NAME, "vaultDetails", "bad_balance")]
    return [ev.InsuranceFund(NAME, POOL, POOL_ASSET, balance, backed, seconds(time))]


def _time(body: bytes, _received: float) -> list[Event]:
    return [ev.VenueTime(NAME, read(body, _Status).time / 1000.0)]


def _behind(body: bytes, received: float) -> list[Event]:
    """Say how old the newest book is: states carry no time, and are repeated by a venue that stands still."""
    return [ev.VenueBehind(NAME, received - read(body, _Book).time / 1000.0, received)]


# --- what to read ----------------------------------------------------------------------------------------------


def polls(names: Names, symbols: Sequence[str]) -> list[Poll]:
    """Return what to read about *symbols*. Each dex answers for itself: nobody waits for one that is gone."""
    watched = frozenset(symbols)
    dexes = sorted({dex_of(symbol) for symbol in symbols})
    own = tuple(sorted(symbol for symbol in watched if not dex_of(symbol)))
    found = [_poll("exchangeStatus", {}, 2, 600.0, _time)]
    for resource, interval, decode in (("meta", HOUR, _meta), ("metaAndAssetCtxs", 60.0, _states)):
        for dex in dexes:
            of_dex = frozenset(symbol for symbol in watched if dex_of(symbol) == dex)
            found.append(_poll(resource, {"dex": dex}, 20, interval, partial(decode, names, dex, of_dex)))
    if any(dexes):
        built = frozenset(symbol for symbol in watched if dex_of(symbol))
        found.append(_poll("perpDexs", {}, 20, HOUR, partial(_dexes, built)))
    found.append(replace(_poll("l2Book", {"coin": "BTC"}, 2, BEHIND_SECONDS, _behind), essential=False))
    if own:
        found.append(_poll("vaultDetails", {"vaultAddress": HLP}, 20, 60.0, partial(_vault, names, own)))
    return found


def _poll(
    kind: str, words: dict[str, str], weight: int, interval: float, decode: Callable[[bytes, float], list[Event]]
) -> Poll:
    body = json.dumps({"type": kind, **words}).encode()
    resource = f"{kind} {words['dex']}" if kind == "meta" and words["dex"] else kind
    return Poll(resource, "/info", {}, weight, interval, decode, body=body, terms=kind == "meta")
