"""The contracts of a simulated OKX: its list, its ladders, its security fund, and those that the demo plays with."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from monitor.core.contract import Tier
from monitor.numbers import shortest
from monitor.sim.cast import Role
from monitor.sim.market import DAY, NEVER_DELIVERED, Instrument, Pool
from monitor.sim.okx_frames import Payload, contracts, family, index_id, inverse, ms, named

CAST: Mapping[str, Role] = MappingProxyType(
    {
        "BTCUSDT": Role(
            symbol="BTC-USDT-SWAP",
            base="BTC",
            quote="USDT",
            contract_size=0.01,
            listing={
                "step_size": 0.01,
                "open_interest": 2_216_113.01,
                "tiers": ((0.0, 0.004), (1_000.0, 0.005), (2_000.0, 0.0075)),
            },
        ),
        "BTCUSDC": Role(
            symbol="BTC-USDC-SWAP",
            base="BTC",
            quote="USDC",
            contract_size=0.0001,
            listing={
                "step_size": 1.0,
                "open_interest": 776_509.0,
                "tiers": ((0.0, 0.004), (50_000.0, 0.005), (100_000.0, 0.0075)),
            },
        ),
        "ETHUSDT": Role(
            symbol="ETH-USDT-SWAP",
            base="ETH",
            quote="USDT",
            contract_size=0.1,
            listing={
                "step_size": 0.01,
                "open_interest": 5_120_000.0,
                "tiers": ((0.0, 0.004), (5_000.0, 0.005), (10_000.0, 0.0075)),
            },
        ),
    }
)
"""Ladders are by contracts, of which a coin is a hundred, ten thousand or ten."""

SNAPSHOT_OF_DAY = 8 * 3600.0
"""When the fund's daily figure is taken, seconds after midnight UTC."""

LAST_TIER_FACTOR = 10.0
"""The last tier ends at so many times its floor."""

STATES = {
    "TRADING": "live",
    "PENDING_TRADING": "preopen",
    "SETTLING": "suspend",
    "DELIVERED": "expired",
    "CLOSE": "expired",
}
"""A scenario's status words in the venue's; any other is said as it is."""


def listing(instrument: Instrument) -> Payload:
    """One row of the contract list."""
    listed = instrument.listing
    step = shortest(listed.step_size)
    return {
        **named(instrument),
        "instFamily": family(instrument),
        "uly": index_id(instrument),
        "ctType": "inverse" if inverse(instrument) else "linear",
        "ctVal": shortest(listed.contract_size),
        "ctMult": "1",
        "ctValCcy": listed.quote if inverse(instrument) else listed.base,
        "settleCcy": listed.settle,
        "baseCcy": "",
        "quoteCcy": "",
        "lever": "100",
        "tickSz": shortest(listed.tick_size),
        "lotSz": step,
        "minSz": step,
        "state": STATES.get(instrument.status, instrument.status),
        "ruleType": "normal",
        "instCategory": "1",
        "instIdCode": 10458,
        "groupId": "2",
        "listTime": "1573557408000",
        "expTime": "" if instrument.delivery_time >= NEVER_DELIVERED else ms(instrument.delivery_time),
        "maxLmtSz": "100000000",
        "maxMktSz": "12000",
        "upcChg": [],
    }


def tiers(instrument: Instrument) -> list[Payload]:
    """The rungs of a ladder: one begins a lot after the end of the one before."""
    ladder, lot = instrument.tiers, instrument.listing.step_size
    ends = [tier.floor for tier in ladder[1:]] + [LAST_TIER_FACTOR * max(ladder[-1].floor, 1000.0)]
    return [
        _rung(instrument, number, tier, tier.floor + lot if number > 1 else 0.0, end)
        for number, (tier, end) in enumerate(zip(ladder, ends, strict=True), 1)
    ]


def _rung(instrument: Instrument, number: int, tier: Tier, begin: float, end: float) -> Payload:
    leverage = max(1.0, round(0.4 / tier.maintenance_rate, 2))
    return {
        "uly": index_id(instrument),
        "instFamily": family(instrument),
        "instId": "",
        "tier": str(number),
        "minSz": contracts(instrument, begin),
        "maxSz": contracts(instrument, end),
        "mmr": shortest(tier.maintenance_rate),
        "imr": shortest(round(1.0 / leverage, 4)),
        "maxLever": shortest(leverage),
        "optMgnFactor": "0",
        "quoteMaxLoan": "0",
        "baseMaxLoan": "0",
    }


def fund(instrument: Instrument, pool: Pool | None, wall: float) -> Payload:
    """The security fund of one family: the daily figure, unless the balance was set since."""
    snapshot = wall // DAY * DAY + SNAPSHOT_OF_DAY
    snapshot -= DAY if snapshot > wall else 0.0
    asset = instrument.listing.settle
    details = []
    if pool is not None and asset in pool.balances:
        stamp = snapshot if pool.update_time is None else pool.update_time
        details = [
            {
                "adlType": "",
                "amt": "",
                "balance": shortest(pool.balances[asset]),
                "ccy": asset,
                "maxBal": "",
                "maxBalTs": "",
                "ts": ms(stamp),
                "type": "regular_update",
            }
        ]
    return {"details": details, "instFamily": family(instrument), "instType": "SWAP", "total": "1311020450.1"}
