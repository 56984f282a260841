"""Whether the process does its work (healthy), and whether everything it promises is true now (ready).

Liveness is read from the stamp that the evaluation itself leaves at the end of a pass, never from a timer that
could look alive on its own.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from monitor.delivery.stats import DeliveryStats
from monitor.engine.views import PositionView
from monitor.net.clock import boot

MAX_PASS_AGE_SECONDS: Final = 10.0

MAX_NAMED = 20
"""So many positions are named; the rest is counted."""

SLICE = 64


class Engine(Protocol):
    """What is asked of the engine."""

    @property
    def last_pass(self) -> float:
        """Boot time of the end of the last pass; 0 or less before the first one."""

    def position_count(self) -> int:
        """Return how many positions are watched."""

    def position_views(self, start: int, stop: int, now: float) -> Sequence[PositionView]:
        """Return the positions of one slice."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """A yes unless there are reasons against it; notes are said either way."""

    reasons: Sequence[str] = ()
    notes: Sequence[str] = ()


def health(engine: Engine) -> Verdict:
    """Return whether the process is alive: whether the last pass over all positions is recent."""
    if engine.last_pass <= 0.0:
        return Verdict(["no pass over the positions has ended yet"])
    age = boot() - engine.last_pass
    if age < MAX_PASS_AGE_SECONDS:
        return Verdict()
    return Verdict([f"the last pass over the positions ended {age:.1f} s ago, more than {MAX_PASS_AGE_SECONDS:g} s"])


async def readiness(engine: Engine, delivery: DeliveryStats) -> Verdict:
    """Return all that keeps alerts from being right and in time; looks at positions a slice at a time."""
    reasons = [*health(engine).reasons, *await _unknown_positions(engine)]
    notes = []
    if not delivery.store_ok:
        reasons.append("the store does not take alert events: they are sent from memory only")
    accepting = delivery.accepting
    if not accepting:
        notes.append("no receiver is configured: alerts go to the log and to /metrics only")
    elif not any(accepting.values()):
        reasons.append(f"no receiver accepts deliveries: {', '.join(sorted(accepting))}")
    for receiver, count in sorted(delivery.dead_pending.items()):
        if count:
            reasons.append(f"receiver {receiver}: {count} dead letters neither replayed nor discarded")
    return Verdict(reasons, notes)


async def _unknown_positions(engine: Engine) -> list[str]:
    now, start = boot(), 0
    unknown: list[str] = []
    while start < engine.position_count():
        unknown += [
            f"position {view.name}: unknown ({view.quality.word}, {view.reason})"
            for view in engine.position_views(start, start + SLICE, now)
            if not view.quality.known and view.reason != "status"  # announced as unwatchable, and no fault of ours
        ]
        start += SLICE
        await asyncio.sleep(0)
    if len(unknown) > MAX_NAMED:
        unknown[MAX_NAMED:] = [f"{len(unknown) - MAX_NAMED} more positions are unknown"]
    return unknown
