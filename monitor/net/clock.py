"""The two clocks: ages and timers hang on the boot clock, people and signatures read the wall clock.

Wall times are never subtracted to get an age, so a stepped or wrong wall clock can make nothing look old or new.
"""

from __future__ import annotations

import time

_BOOT = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


def boot() -> float:
    """Return seconds since boot, suspended time included (where the system has such a clock)."""
    return time.clock_gettime(_BOOT)


def wall() -> float:
    """Return epoch seconds."""
    return time.time()
