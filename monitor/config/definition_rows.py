"""How a definition's messages become events: ``match``, ``rows``, ``fields`` and their like, with what they need of each other.

Expressions, patterns and templates are compiled here once, so that a slip in one is named with its line.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import msgspec

from monitor.config.nodes import Scalar, describe
from monitor.config.schema import Bounds, Section
from monitor.core.contract import SWITCHES
from monitor.venues.generic_definition import (
    FIELDS,
    FUNDING_INTERVAL,
    LIQUIDATED,
    OPEN_INTEREST,
    PRICE_KINDS,
    PRICES,
    QUOTE_SIZES,
    ROWS_AS,
    SIGNED_ORDER,
    SIGNED_POSITION,
    STEPS,
    TEXTS,
    TIME_UNITS,
    Rows,
)
from monitor.venues.generic_paths import MAX_LENGTH, WHOLE, compile_path
from monitor.venues.generic_words import SAID, fill, template_problem

MAX_FRAME = 16_384
"""Characters of a frame that is sent or shown as a sample."""

COUNT = Bounds(least=1.0, most=1e6)
BYTES = Bounds(least=1024.0, most=64.0 * (1 << 20))
SECONDS = Bounds(above=0.0, most=86_400.0)


@dataclass(frozen=True, slots=True)
class Sample:
    """A message as the venue sends it, and what must come out: events, or words. ``section`` is where it stands."""

    section: Section
    text: str
    gives: tuple[Section, ...]


def path_text(section: Section, key: str, *, needed: bool = False, whole: bool = False) -> str:
    """Return a JMESPath expression, "" if there is none or it is bad; *whole* ones may begin with ``$.``."""
    text = section.text(key, needed=needed, most=MAX_LENGTH)
    if text is None:
        return ""
    try:
        compile_path(text.removeprefix(WHOLE) if whole else text)
    except ValueError as error:
        section.note(section.place_of(key), f"expected a JMESPath expression: {error}")
        return ""
    return text


def pattern_text(section: Section, key: str, groups: Collection[str] = ()) -> str:
    """Return a regular expression with at most one group, or with the named *groups*; "" if there is none."""
    text = section.text(key, most=MAX_LENGTH)
    if text is None:
        return ""
    try:
        found = re.compile(text)
    except (re.error, RecursionError, OverflowError) as error:
        section.note(section.place_of(key), f"expected a regular expression: {error}")
        return ""
    missing = [name for name in groups if name not in found.groupindex]
    if missing or (not groups and found.groups > 1):
        what = f"a group (?P<{missing[0]}>...)" if missing else "one group at most"
        section.note(section.place_of(key), f"expected {what} in the pattern")
        return ""
    return text


def frame_text(section: Section, key: str, *, needed: bool = False, names: Collection[str] | None = SAID) -> str:
    """Return a frame to be sent, a template; one that begins like JSON must be JSON once it is filled in."""
    text = section.text(key, needed=needed, most=MAX_FRAME)
    if text is None:
        return ""
    problem = template_problem(text, names)
    if problem is None and text[0] in "{[":
        try:
            msgspec.json.decode(fill(text, _Filled()))
        except msgspec.DecodeError as error:
            problem = f"this is not JSON once it is filled in: {error}"
    if problem is not None:
        section.note(section.place_of(key), problem)
        return ""
    return text


class _Filled(dict[str, str]):
    """Has a value for every name, one that fits with and without quotes around it."""

    def get(self, name: str, _default: Any = None) -> str:
        """Return that value."""
        return "[]" if name == "symbols" else "1"


def texts_of(section: Section | None) -> dict[str, str]:
    """Return a mapping of texts."""
    found: dict[str, str] = {}
    for key, node, place in section.members() if section is not None else ():
        if isinstance(node, Scalar) and not node.empty and node.text.isprintable() and len(node.text) <= MAX_FRAME:
            found[key] = node.text
        elif section is not None:
            section.note(place, f"expected text, got {describe(node)}")
    return found


def query_of(section: Section | None) -> dict[str, str]:
    """Return the query of a request: texts in which ``${symbol}`` may stand, and nothing else."""
    found = texts_of(section)
    for key, _, place in section.members() if section is not None else ():
        problem = template_problem(found.get(key, ""), ("symbol",))
        if section is not None and problem is not None:
            section.note(place, problem)
            del found[key]
    return found


_HEADER = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,64}", re.ASCII)
_OURS = re.compile(
    r"(?:host|upgrade|connection|accept-encoding|content-\S*|transfer-encoding|sec-websocket-\S*)", re.IGNORECASE
)
"""Headers that the connection itself is made of."""


def headers_of(section: Section | None) -> dict[str, str]:
    """Return request headers; their values may be secret and are never quoted in a problem."""
    found: dict[str, str] = {}
    for key, node, place in section.members() if section is not None else ():
        if section is None:
            continue
        if _HEADER.fullmatch(key) is None or _OURS.fullmatch(key) is not None:
            section.note(place, "expected the name of a header that is not the connection's own")
        elif not isinstance(node, Scalar) or node.empty or not (node.text.isascii() and node.text.isprintable()):
            section.note(place, "expected text in printable ASCII")
        else:
            found[key] = node.text
    return found


def words_of(section: Section, key: str) -> tuple[str, ...]:
    """Return a text with commas as its parts."""
    text = section.text(key, most=MAX_LENGTH) or ""
    return tuple(part.strip() for part in text.split(",") if part.strip())


def read_rows(section: Section, name: str, kind: str, *, asked: bool = False) -> dict[str, Any]:
    """Return the arguments of ``Rows`` that *section* says; *asked*: a request names the contract."""
    fields = _paths(section.section("fields"), FIELDS)
    texts = _paths(section.section("text"), TEXTS)
    found: dict[str, Any] = {
        "name": name,
        "match": path_text(section, "match"),
        "rows": path_text(section, "rows") or "[@]",
        "rows_as": section.text("rows_as", one_of=ROWS_AS) or "list",
        "symbol": path_text(section, "symbol", whole=True),
        "symbol_regex": pattern_text(section, "symbol_regex"),
        "time": path_text(section, "time", whole=True),
        "unit": section.text("unit", one_of=tuple(TIME_UNITS)) or "auto",
        "fields": fields,
        "text": texts,
        "price_kind": section.text("price_kind", one_of=PRICE_KINDS) or "fill",
        "trading": words_of(section, "trading"),
        "complete": section.flag("complete"),
        "pool": section.text("pool") or "",
        "asset": section.text("asset") or "",
    }
    for problem in _missing(Rows(**found), kind, asked=asked, liquidates="price_kind" in section):
        section.note(section.place_of("fields"), problem)
    return found


def read_sample(section: Section) -> Sample | None:
    """Return the sample message of *section* with what it must give, None after noting that there is none."""
    text = section.text("sample", needed=True, most=MAX_FRAME)
    gives = section.sections("gives", needed=True)
    return None if text is None or gives is None else Sample(section, text, tuple(gives))


def _paths(section: Section | None, known: Collection[str]) -> dict[str, str]:
    if section is None:
        return {}
    found = {name: path_text(section, name, whole=True) for name in known if name in section}
    section.given(*known)
    section.done()
    return {name: text for name, text in found.items() if text}


def _missing(rows: Rows, kind: str, *, asked: bool, liquidates: bool) -> list[str]:
    """Return which fields make no fact, because what they need beside them is missing."""
    has, said = set(rows.fields), set(rows.text)
    found = []

    def need(given: Collection[str], needed: Collection[str], what: str) -> None:
        if has.intersection(given) and not (has | said).intersection(needed):
            names = " or ".join(sorted(has.intersection(given)))
            found.append(f"{names} needs {what} in the same row")

    need(("funding_cap", "funding_floor"), FUNDING_INTERVAL, "the interval")
    need(("liquidated_price",), (*LIQUIDATED, SIGNED_ORDER, SIGNED_POSITION), "how much was liquidated")
    need((*LIQUIDATED, SIGNED_ORDER, SIGNED_POSITION), ("liquidated_price",), "liquidated_price")
    need(LIQUIDATED, ("order_side", "position_side"), "order_side or position_side under text, whose side is meant")
    need(("bid_price", "ask_price", *QUOTE_SIZES), ("bid_price",), "bid_price")
    for side in ("bid", "ask"):
        sizes = (f"{side}_contracts", f"{side}_base")
        need(("bid_price", "ask_price"), sizes, " or ".join(sizes))
    need(("tier_maintenance_rate",), ("tier_floor", "tier_cap"), "tier_floor or tier_cap")
    need(("tier_floor", "tier_cap"), ("tier_maintenance_rate",), "tier_maintenance_rate")
    for step in STEPS:
        need(STEPS, (step,), step)
    counted = OPEN_INTEREST[1 if kind == "inverse" else 2]
    need((counted,), PRICES, "a price to be counted by (mark_price, index_price or last_price)")
    if "liquidated_price" in has and not liquidates:
        found.append(f"liquidated_price needs price_kind: {' or '.join(PRICE_KINDS)}")
    if "fund_balance" in has and not (rows.asset or "fund_asset" in said):
        found.append("fund_balance needs asset, or fund_asset under text")
    if "fund_balance" in has and not (rows.pool or "fund_symbols" in said or rows.symbol):
        found.append("fund_balance needs pool, or fund_symbols under text, or symbol")
    if has - {"fund_balance"} and not (rows.symbol or asked or rows.rows_as == "map"):
        found.append("the rows name no contract: expected symbol, or ${symbol} in the address of the request")
    return found


def rule_switches(section: Section) -> dict[str, str]:
    """Return the switches of a rule that *section* says."""
    said = {switch: section.text(switch, one_of=values) for switch, values in SWITCHES.items()}
    return {switch: value for switch, value in said.items() if value is not None}
