"""Deribit perpetuals, inverse and linear, standard margin: how it calculates, and its public feed.

**How it calculates.** The maintenance rate rises with the size in coins: ``base + slope * size``. For a linear contract
the size is fixed and the price has a closed form; for an inverse one the size in coins is the notional, which grows as
the price falls, so the test is a quadratic in it. Traps of the calculation:

- No public call gives base and slope. Those of January 2022 were 1 % + 0.005 % a coin (BTC), 1 % + 0.0004 % (ETH) and
  2 % + 0.0005 % (SOL_USDC). A new standard margin was announced for 2026-10-01 and its figures are not public: none is
  shipped; the operator gives ``maintenance_rate`` and ``maintenance_slope``, or the position's ``maintenance_margin``.
- A reported ``maintenance_margin`` keeps its *rate* here, without the slope: about 0.02 % off for 50 BTC.
- The venue closes step by step, one round a second: after each the price of the rest lies elsewhere.

Facts: support pages "Liquidations", "Margin types and usage", margin notes of 11 January 2022 and of August 2026.

**The feed.** ``ticker`` every 100 ms brings mark, index, last, best quotes, funding, open interest and the state; the
``trades`` carry the liquidations; ``book`` is the whole book in a chain of changes; contract states and locks come on
channels of their own. Decoding: ``deribit_wire.py``; REST: ``deribit_rest.py``. Not published: a ladder, a balance of
the insurance fund (only what it paid is, in settlements of type bankruptcy), any signal of auto-deleveraging.

Contracts are counted as the account file does: inverse ones in contracts of ``contract_size`` USD (an amount of 10,000
is 1,000 contracts of BTC-PERPETUAL), linear ones in coins. Traps, each with a payload in ``tests/venues/deribit/``:

- Amounts are USD for inverse and coins for linear contracts, under one name.
- The acknowledgement lists the channels that were taken: a wrong name is missing from it, which is all of the refusal.
  So what was asked is remembered until it is answered, under request numbers that no two connections share.
- A subscription costs 3,000 credits of 30,000 (3.3 a second come back), however many channels it names; who runs out
  is answered 10028 and loses the session. That, and an engine that is busy or being maintained, refuses no channel.
- ``test_request`` must be answered with ``public/test``, or the venue hangs up; without ``set_heartbeat`` a dead
  connection gives no sign.
- Funding is charged every millisecond at ``current_funding``, a rate per 8 hours: the time of the charge is now.
- ``liquidation`` of a trade: T the taker was liquidated (his side is ``direction``), M the maker (the other side), MT
  both; the price is a fill. Nothing else tells of liquidations.
- Prices may be null, and a best price of 0 means that there is no quote. ``raw`` channels need a login.
- ``platform_state`` names an index, not contracts, and has no time: each watched contract on it is said to be locked
  until its next ticker, whose ``state`` is what counts.
- A ticker comes when something has changed, which may take seconds where little happens: an unchanged mark is
  confirmed by poll, and a ticker that is silent for longer is asked for anew: its first frame comes at once.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from itertools import count
from typing import Any

import msgspec

from monitor.core.contract import LiquidationRule, TierTable
from monitor.venues.base import PORTFOLIO_MARGIN, Connection, Feature, Limits, Request, Stream, Venue, Word
from monitor.venues.deribit_contracts import NAME, Contracts
from monitor.venues.deribit_rest import CONFIRM_SECONDS, polls
from monitor.venues.deribit_wire import decode

_LINEAR = LiquidationRule(
    name="Deribit linear",
    source="Deribit support: Liquidations; Margin types and usage; 11 January 2022",
    date="2026-11-22",
    maintenance="size",
    tier_by="none",
    deduction="none",
    closing_fee="none",
    approximations=(
        "the standard margin in force since 2026-10-01 is not published: rate and slope are as the operator gives them",
    ),
    together=True,
    cross_approximations=(
        PORTFOLIO_MARGIN,
        "the venue's own estimate moves all marks together: compare it with the fatal move",
    ),
)

RULES = {"linear": _LINEAR, "inverse": msgspec.structs.replace(_LINEAR, name="Deribit inverse")}

SYMBOLS_PER_CONNECTION = 100
"""Two channels a contract: 200 names in one subscription are known to be taken."""

QUIET_SECONDS = 2.0
"""The longest normal silence of a contract that is traded: prices move with the index, worked out every second."""

HEARTBEAT = '{"jsonrpc":"2.0","id":0,"method":"public/set_heartbeat","params":{"interval":30}}'
ALIVE = '{"jsonrpc":"2.0","id":0,"method":"public/test","params":{}}'

LATER = {10028, 10047, 10066, 11051}
"""Errors that refuse no channel: too many requests, a full queue, too many at once, maintenance."""

REMEMBERED = 1000
"""Subscriptions that may still be answered."""

# --- subscriptions -----------------------------------------------------------------------------------------


def connections(symbols: Sequence[str], base: str) -> list[Connection]:
    """Return the websockets for *symbols*: prices and trades, and books on others, which may be cut by their size."""
    url = f"{base.rstrip('/')}/ws/api/v2"
    found: list[Connection] = []
    for start in range(0, len(symbols), SYMBOLS_PER_CONNECTION):
        part, suffix = symbols[start : start + SYMBOLS_PER_CONNECTION], "" if start == 0 else f"-{len(found) // 2 + 1}"
        streams = [Stream(f"ticker.{symbol}.100ms", (symbol,), "mark", CONFIRM_SECONDS) for symbol in part]
        streams += [Stream(f"trades.{symbol}.100ms", (symbol,), None, 0.0) for symbol in part]
        if start == 0:
            streams += [Stream(name, (), None, 0.0) for name in ("instrument.state.future.any", "platform_state")]
        books = tuple(Stream(f"book.{symbol}.100ms", (symbol,), "depth", 20.0) for symbol in part)
        found += (Connection(f"market{suffix}", url, tuple(streams)), Connection(f"depth{suffix}", url, books))
    return found


class _Error(msgspec.Struct):
    code: int = 0
    message: str = ""


class _Said(msgspec.Struct):
    """A frame that is no data: an answer, or a heartbeat."""

    id: int | str | None = None
    method: str = ""
    params: dict[str, Any] = {}
    result: Any = None
    error: _Error | None = None


_said = msgspec.json.Decoder(_Said).decode


class Talk:
    """Asks for channels and understands the answers, of which a subscription's names only what was taken."""

    def __init__(self) -> None:
        self._numbers = count(1)
        self._asked: dict[str, tuple[str, ...]] = {}
        """Request number -> channels asked for; no two connections use the same number."""

    def subscribe(self, streams: Sequence[Stream], _first_id: int, _now: float) -> list[Request]:
        """Return the control frame that asks for *streams*."""
        number = next(self._numbers)
        self._asked[str(number)] = tuple(stream.name for stream in streams)
        while len(self._asked) > REMEMBERED:
            del self._asked[next(iter(self._asked))]
        return [Request(_call("subscribe", number, streams), tuple(streams), str(number))]

    def unsubscribe(self, streams: Sequence[Stream], _first_id: int, _now: float) -> list[Request]:
        """Return the control frame that ends *streams*; nothing is expected of its answer."""
        return [Request(_call("unsubscribe", next(self._numbers), streams), tuple(streams))]

    def hear(self, frame: bytes) -> Word | None:
        """Answer a test request, and find what a subscription was refused."""
        try:
            said = _said(frame)
        except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError):
            return None
        if said.method == "heartbeat":
            return Word(answer=ALIVE) if said.params.get("type") == "test_request" else None
        if said.error is not None:
            reason = f"{said.error.code} {said.error.message}"
            key = "" if self._asked.pop(str(said.id), None) is None else str(said.id)
            return Word(refused=() if said.error.code in LATER or not key else (key,), reason=reason)
        if isinstance(said.result, list) and (asked := self._asked.pop(str(said.id), None)) is not None:
            taken = {name for name in said.result if isinstance(name, str)}
            missing = tuple(name for name in asked if name not in taken)
            return Word(refused=missing, reason="not among the channels that were taken") if missing else None
        return None


def _call(method: str, number: int, streams: Sequence[Stream]) -> str:
    params = {"channels": [stream.name for stream in streams]}
    words = {"jsonrpc": "2.0", "id": number, "method": f"public/{method}", "params": params}
    return json.dumps(words, ensure_ascii=False)


def no_tiers(_symbol: str) -> TierTable | None:
    """Return None: the venue publishes no ladder, so none is shipped."""
    return None


TICKER = "ticker.{instrument}.100ms"


def _feature(fact: str, note: str = "") -> Feature:
    return Feature(fact, "stream", TICKER, QUIET_SECONDS, note)


FEATURES = (
    Feature("mark", "stream", TICKER, CONFIRM_SECONDS, "confirmed by public/get_book_summary_by_currency"),
    _feature("index"),
    _feature("last"),
    _feature("funding", "per 8 hours, charged all the time"),
    _feature("open interest"),
    Feature("liquidations", "stream", "trades.{instrument}.100ms", note="fills of trades marked T, M or MT"),
    Feature("depth", "stream", "book.{instrument}.100ms"),
    Feature("contracts", "poll", "public/get_instruments", 3600.0),
)


def _venue(symbols: Sequence[str]) -> Venue:
    """Return the venue for one feed, with what is remembered of its requests and of what one contract is."""
    contracts, talk = Contracts(symbols), Talk()
    return Venue(
        name=NAME,
        rules=RULES,
        stream_url="wss://www.deribit.com",
        rest_url="https://www.deribit.com",
        limits=Limits(
            weight_per_minute=600,  # half of what a key has; the figures for an address without one are not disclosed
            weight_header="",
            control_messages_per_second=4.0,  # subscriptions 3.3, but the greeting is counted apart
            lifetime_seconds=86_400.0,  # none is documented: an age at which nobody is surprised
            frame_bytes=4 << 20,  # a book begins with all its levels
            connects=32,  # that many may be open at once
            connect_window_seconds=60.0,
        ),
        expected_intervals={"mark": CONFIRM_SECONDS} | dict.fromkeys(("index", "last", "book"), QUIET_SECONDS),
        decode=partial(decode, contracts),
        connections=connections,
        subscribe=talk.subscribe,
        unsubscribe=talk.unsubscribe,
        hear=talk.hear,
        greeting=(HEARTBEAT,),
        polls=partial(polls, contracts),
        shipped_tiers=no_tiers,
        features=FEATURES,
    )


VENUE = replace(_venue(()), bind=_venue)
