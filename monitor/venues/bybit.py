"""Bybit v5, linear (USDT, USDC) and inverse contracts: public streams and REST, and how it calculates since 2025-09-02.

Streams: ``tickers`` (mark, index, last, best quotes, funding, open interest in one topic), ``allLiquidation``,
``orderbook.200``, and per settlement coin ``insurance`` and ``adlAlert``. Decoding: ``bybit_wire.py``; REST:
``bybit_rest.py``. Contracts are coins (linear) or USD (inverse), as the venue counts a position; their size is 1.

Traps of the wire, each with a payload in ``tests/venues/bybit/``:

- Linear and inverse have a socket each, and topics do not say which; a symbol's spelling does.
- One unknown topic fails its whole subscribe frame, and the answer names no topic: it is matched by ``req_id``.
- The client has to ping; the answer to it says ``op: ping`` as well.
- ``tickers`` deltas carry only what changed: absent is unchanged, never zero, "" is empty. A mark that stands still
  is not sent at all: the REST tickers confirm it. Of a pair (both sides of the quote, rate and time of funding) a
  delta may carry half: that gives nothing, and the next REST answer has both.
- ``openInterest`` counts both sides; ``singleOpenInterest`` is preferred, else it is halved.
- ``allLiquidation``: ``S`` is the side of the position (``Buy``: a long was liquidated), ``p`` its bankruptcy price.
- ``orderbook``: ``u`` grows by one a message, ``seq`` does not; a later snapshot (``u`` 1 after a restart) begins anew.
- Shared insurance pools never come on the stream and are a day old in REST; no message there is normal. Balances can
  be negative.
- ``adlAlert`` needs its suffix; its values are numbers or strings, and its drawdown rule holds only above ``adl_tt``.
- Dated contracts: ``fundingRate`` and ``nextFundingTime`` are "" (or "0").
- Pre-market contracts (status ``PreLaunch``) are known but not watched.

Maintenance is on the mark; initial margin of an isolated position stays at entry. Both contain the fee to close at the
bankruptcy price ``E * (1 -+ 1/L)`` (inverse mirrored), so for a plain isolated position it cancels out.

Traps of the calculation:

- ``margin`` here is the whole position margin with that fee in it, as ``positionIM`` shows an isolated position:
  entry value / leverage alone lies the fee too low. Margin added by hand counts whole.
- ``positionMM`` is a requirement at the present mark and falls with a long's price: never a fixed amount.
- Positions captured before 2025-09-02 had their requirement at entry; they do not test this rule.
- The margin mode is the account's. In cross (UTA) the test is on the account in USD, coins counted with haircuts:
  the ``liqPrice`` of the venue is itself an estimate there, and empty in portfolio margin or out of the price limits.
- In cross the venue reserves the closing fee at ``E * (1 -+ 1/L)`` of the leverage chosen, too (captured payloads agree);
  here it is reserved at the price where the account is bankrupt: a difference of less than the fee of the position.
- ``mmDeduction`` of the first tier is an empty string: 0.

Facts: help centre "Liquidation Price under Isolated Mode" of 2026-05-27 (which gives the inverse formula; the linear
one follows by the same derivation), "New Margin Calculation" of 2025-09-18; v5 documentation: position, risk-limit.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from itertools import groupby

import msgspec

from monitor.core.contract import LiquidationRule
from monitor.venues.base import (
    COLLATERAL_HELD,
    PORTFOLIO_MARGIN,
    Connection,
    Feature,
    Keepalive,
    Limits,
    Request,
    Stream,
    Venue,
    Word,
)
from monitor.venues.bybit_rest import CONFIRM_SECONDS, category, polls
from monitor.venues.bybit_ticker import NAME
from monitor.venues.bybit_wire import DEPTH_TOPIC, decode

_INVERSE = LiquidationRule(
    name="Bybit inverse",
    source="Bybit help centre: Liquidation Price under Isolated Mode (2026-05-27); New Margin Calculation (2025-09-18)",
    date="2026-11-22",
    maintenance="mark",
    tier_by="notional",
    deduction="published",
    closing_fee="at_bankruptcy",
    bankruptcy="equity_less_fee",
    rounding="tick",
    approximations=("the margin is taken with the reserve for the closing fee in it, as positionIM shows it",),
    cross_approximations=(
        "an estimate, as the venue calls its own: the test there is on the whole account, in USD",
        "the closing fee is reserved at the account's bankruptcy price, by the venue at that of the chosen leverage",
        "margin of open orders and losses on collateral that could become a loan are left out",
        COLLATERAL_HELD,
        PORTFOLIO_MARGIN,
    ),
)

RULES = {
    "linear": msgspec.structs.replace(
        _INVERSE,
        name="Bybit linear",
        approximations=(
            *_INVERSE.approximations,
            "the linear formula is derived from the inverse one, which alone is published",
        ),
    ),
    "inverse": _INVERSE,
}

SYMBOLS_PER_CONNECTION = 100
"""A frame a symbol takes its time, and all topics of a connection may have 21,000 characters."""

DEPTH_SECONDS = 20.0

# --- subscriptions -----------------------------------------------------------------------------------------


def group(symbol: str) -> str:
    """Return what the topics about a whole market are called by: the settlement coin, or ``inverse``.

    >>> group("BTCUSDT"), group("BTCUSDT-25DEC26"), group("BTCPERP"), group("BTC-25DEC26"), group("BTCUSD")
    ('USDT', 'USDT', 'USDC', 'USDC', 'inverse')
    """
    if category(symbol) == "inverse":
        return "inverse"
    return "USDT" if symbol.partition("-")[0].endswith("USDT") else "USDC"


def connections(symbols: Sequence[str], base: str) -> list[Connection]:
    """Return the websockets for *symbols*: by category, books apart. Topics about a market stand on the first one."""
    found: list[Connection] = []
    for name in ("linear", "inverse"):
        ours = [symbol for symbol in symbols if category(symbol) == name]
        url = f"{base.rstrip('/')}/v5/public/{name}"
        markets = [
            Stream(f"{topic}.{market}", (), None, 0.0)
            for market in sorted({group(symbol) for symbol in ours})
            for topic in ("adlAlert", "insurance")
        ]
        for start in range(0, len(ours), SYMBOLS_PER_CONNECTION):
            part = ours[start : start + SYMBOLS_PER_CONNECTION]
            suffix = f"-{start // SYMBOLS_PER_CONNECTION + 1}" if start else ""
            facts = [stream for symbol in part for stream in _streams(symbol)] + ([] if start else markets)
            books = [Stream(f"{DEPTH_TOPIC}.{symbol}", (symbol,), "depth", DEPTH_SECONDS) for symbol in part]
            found.append(Connection(f"{name}{suffix}", url, tuple(facts)))
            found.append(Connection(f"depth-{name}{suffix}", url, tuple(books)))
    return found


def _streams(symbol: str) -> tuple[Stream, Stream]:
    return (
        Stream(f"tickers.{symbol}", (symbol,), "mark", CONFIRM_SECONDS),
        Stream(f"allLiquidation.{symbol}", (symbol,), None, 0.0),
    )


def _control(op: str, streams: Sequence[Stream], first_id: int) -> list[Request]:
    """Return one frame a symbol, and one for each topic about a market: what fails, fails alone."""
    found: list[Request] = []
    for symbols, part in groupby(streams, key=lambda stream: stream.symbols):
        wanted = tuple(part)
        for topics in [wanted] if symbols else [(stream,) for stream in wanted]:
            number = str(first_id + len(found))
            words = {"req_id": number, "op": op, "args": [stream.name for stream in topics]}
            found.append(Request(json.dumps(words, ensure_ascii=False), topics, number if op == "subscribe" else ""))
    return found


def subscribe(streams: Sequence[Stream], first_id: int, _now: float) -> list[Request]:
    """Return the control frames that ask for *streams*."""
    return _control("subscribe", streams, first_id)


def unsubscribe(streams: Sequence[Stream], first_id: int, _now: float) -> list[Request]:
    """Return the control frames that end *streams*. What cannot be ended is no refusal of anything."""
    return _control("unsubscribe", streams, first_id)


class _Answer(msgspec.Struct):
    success: bool
    op: str = ""
    req_id: str = ""
    ret_msg: str = ""


_answer = msgspec.json.Decoder(_Answer).decode


def hear(frame: bytes) -> Word | None:
    """Return the refusal that an answer is: it names the request alone, all topics of which are refused."""
    try:
        answer = _answer(frame)
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError):
        return None
    if answer.success or answer.op != "subscribe" or not answer.req_id:
        return None
    if "already" in answer.ret_msg.lower():  # asked for twice: the data come all the same
        return None
    return Word(refused=(answer.req_id,), reason=answer.ret_msg)


def _ping(number: int, _now: float) -> str:
    return json.dumps({"req_id": str(number), "op": "ping"})


def bind(symbols: Sequence[str]) -> Venue:
    """Return the venue that tells of *symbols* alone where a topic is about a whole market."""
    return replace(VENUE, decode=partial(decode, watched=frozenset(symbols)), bind=None)


VENUE = Venue(
    name=NAME,
    rules=RULES,
    stream_url="wss://stream.bybit.com",
    rest_url="https://api.bybit.com",
    limits=Limits(
        weight_per_minute=1200,  # of which half is used: the 600 that are allowed in 5 s, in a minute
        weight_header="",
        quiet={403: 600.0},  # its answer to too many requests, and to addresses in countries that it does not serve
        control_messages_per_second=20.0,
        lifetime_seconds=86_400.0,  # none is documented; a fresh connection a day costs nothing
        connects=500,
    ),
    expected_intervals=dict.fromkeys(("mark", "index", "last", "book"), CONFIRM_SECONDS),
    decode=decode,
    connections=connections,
    subscribe=subscribe,
    unsubscribe=unsubscribe,
    polls=polls,
    shipped_tiers=lambda _symbol: None,
    features=(
        Feature("mark", "stream", "tickers", CONFIRM_SECONDS, "changes only; REST tickers confirm it"),
        Feature("index", "stream", "tickers", CONFIRM_SECONDS, "changes only; REST tickers confirm it"),
        Feature("last", "stream", "tickers", CONFIRM_SECONDS, "changes only; REST tickers confirm it"),
        Feature("funding", "poll", "tickers", CONFIRM_SECONDS, "a stream carries the rate without its time"),
        Feature("open interest", "stream", "tickers", CONFIRM_SECONDS, "one side"),
        Feature("liquidations", "stream", "allLiquidation", None, "all; the price is the bankruptcy price"),
        Feature("depth", "stream", DEPTH_TOPIC, DEPTH_SECONDS),
        Feature("contracts", "poll", "instruments-info", 3600.0),
        Feature("tiers", "poll", "risk-limit", 3600.0),
        Feature("insurance fund", "poll", "insurance", 600.0, "shared pools are a day old; isolated ones are streamed"),
        Feature("ADL", "stream", "adlAlert", 1.0, "with its own trigger; shared pools' balance is a day old"),
    ),
    hear=hear,
    keepalive=Keepalive(20.0, _ping),
    bind=bind,
)
