"""One position's sum as text: every line can be checked with a pocket calculator."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from textwrap import wrap

from monitor.cli import sum_account, sum_liquidation, sum_outlook
from monitor.cli.case import Case
from monitor.cli.figures import figure
from monitor.cli.sum_account import Row
from monitor.core.contract import SWITCHES
from monitor.core.levels import NONE, UNAVAILABLE

WIDTH = 110
NARROWEST = 40
"""Columns of a whole line, and what is left at least for how a value comes about."""

_STATUS = {
    "ok": "ok",
    NONE: "none: no positive price liquidates this position",
    "already_liquidatable": "already liquidatable: the requirement exceeds the equity at the present mark",
    UNAVAILABLE: "unavailable",
}

_SECTIONS = (
    sum_account.given,
    sum_account.equity,
    sum_account.requirement,
    sum_liquidation.liquidation,
    sum_liquidation.bankruptcy,
    sum_liquidation.compared,
    sum_outlook.shocks,
    sum_outlook.remedies,
)


def lines(case: Case) -> Iterator[str]:
    """Yield the lines: what is given, what follows, and where the rule comes from."""
    position, found = case.position, case.found
    where = f"account {case.account.name} at {case.account.venue}"
    yield f"{position.name}: {position.symbol} {position.side}, {position.margin_mode}, {where}"
    parts = [list(section(case)) for section in _SECTIONS]
    words = [list(sum_outlook.assumptions(case)), list(sum_outlook.advised(case)), list(_rule(case))]
    rows = [row for part in parts for row in part]
    labels = max(len(label) for label, _, _ in (*rows, ("missing", "", ""))) + 2
    yield from _prose([("status", "", _STATUS[found.status])], labels)
    yield from _prose([("missing", "", f"{item}{_hint(item)}") for item in found.missing], labels)
    if case.marks:
        marks = ", ".join(f"{symbol} at {figure(price)}" for symbol, price in case.marks.items())
        yield from _prose([("what if", "", marks)], labels)
    gap = [""]
    for part in parts:
        yield from [*gap, *_table(part, rows, labels)] if part else ()
        gap = [""]
    for part in words:
        yield from ["", *_prose(part, labels)] if part else ()


def _table(part: Sequence[Row], rows: Sequence[Row], labels: int) -> Iterator[str]:
    """Yield the lines of one part; the values of all *rows* stand point under point."""
    whole = max(len(value.partition(".")[0]) for _, value, _ in rows)
    rest = max(len(value) - len(value.partition(".")[0]) for _, value, _ in rows)
    for label, value, how in part:
        if not label and not value:
            yield from _formula(how, labels + 4)
            continue
        start, point, decimals = value.partition(".")
        line = f"  {label:<{labels}}{start:>{whole}}{point + decimals:<{rest}}   "
        room = max(NARROWEST, WIDTH - len(line))
        first, *more = wrap(how, room, break_long_words=False, break_on_hyphens=False) or [""]
        yield f"{line}{first}".rstrip()
        yield from (" " * len(line) + text for text in more)


def _formula(how: str, indent: int) -> Iterator[str]:
    """Yield a formula on lines of its own, broken before the bar of its fraction where it is long."""
    room = WIDTH - indent
    halves = how.replace(") / ", ")\n  / ").split("\n") if len(how) > room else [how]
    for half in halves:
        for text in wrap(half, room, subsequent_indent="    ", break_long_words=False, break_on_hyphens=False):
            yield " " * indent + text


def _prose(part: Sequence[Row], labels: int) -> Iterator[str]:
    """Yield rows that have words instead of a value."""
    for label, _, words in part:
        first, *more = wrap(words, WIDTH - labels - 2, break_long_words=False, break_on_hyphens=False) or [""]
        yield f"  {label:<{labels}}{first}"
        yield from (" " * (labels + 2) + text for text in more)


def _rule(case: Case) -> Iterator[Row]:
    """Yield how the venue calculates, where that was read, and what the answer leaves out."""
    rule = case.rule
    if rule is not None:
        yield "rule", "", f"{rule.name}: {rule.source}" + (f", read {rule.date}" if rule.date else "")
        yield "switches", "", ", ".join(f"{switch} {getattr(rule, switch)}" for switch in SWITCHES)
    for note in case.found.approximations:
        yield "note", "", note


def _hint(item: str) -> str:
    """Return what to write where *item* is missing."""
    what, _, name = item.partition(" of ")
    if what in {"mark_price", "tiers"} and " " not in name:
        return f": write terms.{name}.{what}"
    return ": write it with the position" if what in {"maintenance_margin", "margin"} else ""
