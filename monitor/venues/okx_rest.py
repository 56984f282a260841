"""OKX swaps: the public REST resources, polled, and the names that belong together.

Every answer is ``{"code", "msg", "data"}``, and a code other than "0" is an error even with HTTP 200.

Traps: everything is text and ``""`` means absent; a contract is ``ctVal * ctMult`` and linear or inverse by ``ctType``,
never by its name; a new listing comes with empty fields; ladders and the fund are asked for by family; a tier ends
where the next begins one lot later, so the floor of a tier is the end of the one before; the fund's balance is a daily
figure with its own time.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from itertools import pairwise
from typing import Annotated

import msgspec

from monitor.core import events as ev
from monitor.core.events import Event
from monitor.errors import WireError
from monitor.numbers import LIMIT
from monitor.venues import wire
from monitor.venues.base import Poll
from monitor.venues.wire import Milliseconds, Quantity, Raw, common_coin, number, read, seconds

NAME = "okx"
SWAP = "SWAP"

WATCHABLE = frozenset({"live", "post_only"})
"""States in which a contract is marked and closed as usual: ``post_only`` only restricts new orders."""

TOO_MANY = "50011"


class _Answer(msgspec.Struct):
    code: str
    msg: str = ""
    data: list[msgspec.Raw] = msgspec.field(default_factory=list)


class _Time(msgspec.Struct):
    ts: Milliseconds


class Instrument(msgspec.Struct):
    """One row of the contract list, of the REST resource and of the channel alike."""

    instId: str  # noqa: N815 - the venue's spelling
    state: str = ""
    ctType: str = ""  # noqa: N815
    ctVal: Raw = None  # noqa: N815
    ctMult: Raw = None  # noqa: N815
    settleCcy: str = ""  # noqa: N815
    uly: str = ""
    instFamily: str = ""  # noqa: N815
    tickSz: Raw = None  # noqa: N815
    expTime: str = ""  # noqa: N815


class _OfFamily(msgspec.Struct):
    instFamily: str  # noqa: N815


class _Tier(msgspec.Struct):
    tier: int
    minSz: Quantity  # noqa: N815
    maxSz: Quantity  # noqa: N815
    mmr: Annotated[float, msgspec.Meta(gt=0.0, lt=1.0)]
    maxLever: Raw = None  # noqa: N815


class _Fund(msgspec.Struct):
    instFamily: str  # noqa: N815
    details: list[msgspec.Raw]


class _Detail(msgspec.Struct):
    ccy: str
    ts: Milliseconds
    balance: Raw = None


# --- names -------------------------------------------------------------------------------------------------


def family_of(symbol: str) -> str:
    """Return the family of a swap: what its ladder and its fund are kept by.

    >>> family_of("BTC-USDT-SWAP")
    'BTC-USDT'
    """
    return symbol.removesuffix("-SWAP")


def index_of(symbol: str) -> str:
    """Return the index that a swap follows; those margined in a USD unit share the one of the coin-margined.

    >>> index_of("BTC-USDT-SWAP"), index_of("BTC-USD_UM-SWAP")
    ('BTC-USDT', 'BTC-USD')
    """
    return family_of(symbol).removesuffix("_UM")


# --- answers -----------------------------------------------------------------------------------------------


def _data(body: bytes) -> list[msgspec.Raw]:
    answer = read(body, _Answer)
    if answer.code != "0":
        reason = "rate_limited" if answer.code == TOO_MANY else "venue_error"
        raise WireError(f"{answer.code[:10]}: {answer.msg[:200]}", reason=reason)
    return answer.data


def _time(body: bytes, _received: float) -> list[Event]:
    data = _data(body)
    if len(data) != 1:
        raise WireError("one time was asked for", reason="malformed")
    return [ev.VenueTime(NAME, seconds(read(data[0], _Time).ts))]


def terms(row: Instrument, received: float) -> Event:
    """Return what a row says of its contract: all its terms, or its state alone while the rest is still empty."""
    size, multiplier = number(row.ctVal, 0.0, LIMIT), number(row.ctMult, 0.0, LIMIT)
    if row.ctType not in {"linear", "inverse"} or size is None or multiplier is None:
        if row.state and row.state not in WATCHABLE:
            return ev.ContractStatus(NAME, row.instId, row.state, watchable=False, event_time=received)
        return ev.Rejected(NAME, "instruments", "bad_terms", row.instId)
    pair = (row.uly or row.instFamily or row.instId).removesuffix("_UM").split("-")
    end = number(row.expTime, 0.0, LIMIT)
    try:
        delivery_time = None if end is None else seconds(end)
    except WireError as error:
        return ev.Rejected(NAME, "instruments", error.reason, row.instId)
    return ev.ContractTerms(
        NAME,
        row.instId,
        kind=row.ctType,
        contract_size=size * multiplier,
        base=common_coin(pair[0]),
        quote=common_coin(pair[1] if len(pair) > 1 else ""),
        settle=common_coin(row.settleCcy),
        status=row.state,
        watchable=row.state in WATCHABLE,
        tick_size=number(row.tickSz, 0.0, LIMIT),
        delivery_time=delivery_time,
    )


def _instruments(watched: frozenset[str], body: bytes, received: float) -> list[Event]:
    out: list[Event] = []
    rows = wire.rows(_data(body), Instrument, NAME, "instruments", out)
    if not rows:
        raise WireError("a venue without contracts", reason="empty")  # no reason to call every symbol unlisted
    all_read = not out  # a row that cannot be read may be the one that seems to be missing
    listed = {row.instId: row for row in rows if row.instId in watched}
    for symbol in sorted(watched):
        if symbol in listed:
            out.append(terms(listed[symbol], received))
        elif all_read:
            out.append(ev.ContractStatus(NAME, symbol, "not listed", watchable=False, event_time=received))
    return out


def _position_tiers(watched: frozenset[str], body: bytes, received: float) -> list[Event]:
    """Return the ladders by contracts: the resource gives no time of its own. A bad rung costs its whole ladder."""
    out: list[Event] = []
    ladders: dict[str, list[_Tier] | None] = {}
    for raw in _data(body):
        for owner in wire.rows([raw], _OfFamily, NAME, "position-tiers", out):
            rungs = wire.rows([raw], _Tier, NAME, "position-tiers", out)
            ladder = ladders.setdefault(owner.instFamily, [])
            if rungs and ladder is not None:
                ladder += rungs
            else:
                ladders[owner.instFamily] = None
    for symbol in sorted(watched):
        tiers = sorted(ladders.get(family_of(symbol)) or [], key=lambda tier: tier.tier)
        if tiers and _is_ladder(tiers):
            out.append(_ladder(symbol, tiers, received))
        elif tiers:
            out.append(ev.Rejected(NAME, "position-tiers", "bad_ladder", symbol))
    return out


def _is_ladder(tiers: Sequence[_Tier]) -> bool:
    """Return whether no rung is missing, double or upside down."""
    numbered = [tier.tier for tier in tiers] == list(range(1, len(tiers) + 1))
    rising = all(below.minSz < below.maxSz <= above.minSz for below, above in pairwise(tiers))
    return numbered and rising and tiers[0].minSz == 0.0


def _ladder(symbol: str, tiers: Sequence[_Tier], received: float) -> Event:
    floors = [0.0, *(tier.maxSz for tier in tiers[:-1])]
    leverages = [number(tier.maxLever, 0.0, LIMIT) for tier in tiers]
    known = tuple(leverage for leverage in leverages if leverage is not None)
    rows = tuple((floor, tier.mmr, 0.0) for floor, tier in zip(floors, tiers, strict=True))
    return ev.TierTableChanged(NAME, symbol, rows, received, known if len(known) == len(tiers) else ())


def _insurance_fund(watched: frozenset[str], body: bytes, _received: float) -> list[Event]:
    """Return the newest balance of each coin, in a pool named after the first watched swap that it backs."""
    out: list[Event] = []
    for fund in wire.rows(_data(body), _Fund, NAME, "insurance-fund", out):
        backed = tuple(sorted(symbol for symbol in watched if family_of(symbol) == fund.instFamily))
        newest: dict[str, ev.InsuranceFund] = {}
        for detail in wire.rows(fund.details, _Detail, NAME, "insurance-fund", out) if backed else []:
            balance = number(detail.balance, -LIMIT, LIMIT)
            time, asset = seconds(detail.ts), common_coin(detail.ccy)
            if balance is None or (asset in newest and newest[asset].event_time >= time):
                continue
            newest[asset] = ev.InsuranceFund(NAME, backed[0], asset, balance, backed, time)
        out += newest.values()
    return out


def polls(symbols: Sequence[str]) -> list[Poll]:
    """Return what to read about *symbols*: the ladders of five families at a time, the fund of each.

    The ladder is that of cross margin; the venue lists the same one for isolated swaps.
    """
    watched, swaps = frozenset(symbols), {"instType": SWAP}
    families = sorted({family_of(symbol) for symbol in symbols})
    return [
        Poll("time", "/api/v5/public/time", {}, 1, 600.0, _time),
        Poll("instruments", "/api/v5/public/instruments", swaps, 1, 3600.0, partial(_instruments, watched), terms=True),
        *(  # a family alone: one that has been delisted would cost the others their ladders
            Poll(
                "position-tiers",
                "/api/v5/public/position-tiers",
                {**swaps, "tdMode": "cross", "instFamily": family},
                1,
                3600.0,
                partial(_position_tiers, watched),
            )
            for family in families
        ),
        *(
            Poll(
                "insurance-fund",
                "/api/v5/public/insurance-fund",
                {**swaps, "instFamily": family, "limit": "20"},
                1,
                1200.0,
                partial(_insurance_fund, watched),
                essential=False,
            )
            for family in families
        ),
    ]
