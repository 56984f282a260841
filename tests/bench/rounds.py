"""What the benches share: candidates measured in turns, and one JSON line a result."""

from __future__ import annotations

import gc
import json
import time
from collections.abc import Callable, Mapping
from statistics import median


def in_turns(candidates: Mapping[str, Callable[[], object]], rounds: int) -> dict[str, list[float]]:
    """Return the seconds of each call, one a round; A B C A B C, so that a busy host is busy for all of them."""
    took: dict[str, list[float]] = {name: [] for name in candidates}
    for _ in range(rounds):
        for name, candidate in candidates.items():
            gc.collect()  # nobody pays for the other's garbage
            start = time.perf_counter()
            candidate()
            took[name].append(time.perf_counter() - start)
    return took


def ratio(ours: list[float], anchor: list[float]) -> float:
    """Return the median of the rounds' ratios."""
    return median(a / b for a, b in zip(ours, anchor, strict=True))


def show(**facts: object) -> None:
    """Print one result."""
    print(json.dumps(facts), flush=True)


def rounded(value: float, digits: int = 3) -> float:
    """Return *value* with *digits* significant digits."""
    return float(f"{value:.{digits}g}")
