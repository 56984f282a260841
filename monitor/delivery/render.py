"""The payload (R40): what a receiver gets, rendered once and kept as bytes.

Numbers of prices and ratios are decimal text, the shortest that reads back as the same float64; what is unknown is
null. Account names and amounts stay at home. A body stays below 20 kB: long lists of positions are cut and counted.
"""

from __future__ import annotations

import math
from datetime import UTC, datetime
from itertools import accumulate
from typing import Any

import msgspec

from monitor.core.alert_event import AlertEvent
from monitor.core.alerts import Ladder
from monitor.delivery.identity import dedup_key
from monitor.delivery.summary import summary
from monitor.numbers import shortest

MAX_POSITION_BYTES = 8_000


def event_data(event: AlertEvent, event_id: str, *, unpersisted: bool = False) -> dict[str, Any]:
    """Return the ``data`` object of *event*."""
    return {
        "summary": summary(event),
        "position": event.position or None,
        "positions": _within(event.positions),
        "position_count": len(event.positions) or int(bool(event.position)),
        "venue": event.venue,
        "symbol": event.symbol or None,
        "side": event.side or None,
        "severity": event.severity,
        "level": event.level.word,
        "prev_level": event.prev_level.word,
        "condition": event.condition,
        "quality": event.quality.word,
        "reason": event.reason,
        "liquidation_distance_ratio": _decimal(event.liquidation_distance_ratio),
        "bankruptcy_distance_ratio": _decimal(event.bankruptcy_distance_ratio),
        "mark_price": _decimal(event.mark_price),
        "price_source": event.price_source or None,
        "price_age_seconds": _decimal(event.price_age_seconds),
        "liquidation_price": _decimal(event.liquidation_price),
        "bankruptcy_price": _decimal(event.bankruptcy_price),
        "before": _decimal(event.before),
        "after": _decimal(event.after),
        "thresholds": _thresholds(event.ladder),
        "episode": event.episode,
        "seq": event.seq,
        "event_id": event_id,
        "dedup_key": dedup_key(event),
        "skipped": list(event.skipped),
        "history": [],
        "late": False,
        "unpersisted": unpersisted,
    }


def body(kind: str, happened: float, data: dict[str, Any]) -> bytes:
    """Return the bytes of a delivery; *happened* is in epoch seconds."""
    return msgspec.json.encode({"type": kind, "timestamp": timestamp(happened), "data": data})


def timestamp(epoch_seconds: float) -> str:
    """Return ISO 8601 in UTC, to the microsecond.

    >>> timestamp(1614265330.25)
    '2021-02-25T15:02:10.250000Z'
    """
    return datetime.fromtimestamp(epoch_seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _decimal(value: float | None) -> str | None:
    return None if value is None or not math.isfinite(value) else shortest(float(value))


def _thresholds(ladder: Ladder | None) -> dict[str, str] | None:
    return None if ladder is None else {"warning": shortest(ladder.warning), "critical": shortest(ladder.critical)}


def _within(names: tuple[str, ...]) -> list[str]:
    ends = accumulate(len(msgspec.json.encode(name)) + 1 for name in names)
    return [name for name, end in zip(names, ends, strict=True) if end <= MAX_POSITION_BYTES]
