"""Names that stay the same over retries, restarts and replicas (R18 to R20).

All are the first 26 base-32 characters (130 bits) of a SHA-256 over a JSON list of what they depend on.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence

import msgspec

from monitor.core.alert_event import AlertEvent

_DATA_KINDS = (
    "position.stale",
    "position.unwatchable",
    "position.terms_changed",
    "position.drift",
    "feed.recovered",  # of one position: it ends that position's stale alert
)


def event_id(state_id: str, run_id: str, event: AlertEvent, created_ms: int) -> str:
    """Return the id of one alert event.

    The run is part of it: a sequence number used again after a lost write must not give two different alarms one
    id, or a receiver would fold the second away.
    """
    return "evt_" + _digest(state_id, run_id, event.subject, event.seq, event.kind, created_ms)


def webhook_id(receiver: str, event_ids: Sequence[str]) -> str:
    """Return the id of one delivery: these events to this receiver."""
    return "msg_" + _digest(receiver, list(event_ids))


def dedup_key(event: AlertEvent) -> str:
    """Return the key receivers fold on: the same for a whole episode and on every replica.

    A position has two families, ``liquidation`` and ``data``; anything else is a family by its own name.
    """
    family = event.kind.partition(".")[0]
    if event.position:
        family = "data" if event.kind in _DATA_KINDS else "liquidation"
    return _digest(event.account, event.subject, family)


def _digest(*parts: object) -> str:
    digest = hashlib.sha256(msgspec.json.encode(parts)).digest()
    return base64.b32encode(digest).decode().lower()[:26]
