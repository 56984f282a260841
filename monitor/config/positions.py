"""One position of an account: each key of it, and what of it has to fit together."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from monitor.config.places import Place, Problems, show
from monitor.config.schema import POSITIVE, Bounds, Section
from monitor.config.settings import Rules, SymbolTerms
from monitor.config.terms import read_ladder
from monitor.core.account import Position
from monitor.core.alerts import Ladder
from monitor.core.pool import Terms, isolated_margin

MARGIN_MODES = ("cross", "isolated")
SIDES = ("long", "short")
STOP_TRIGGERS = ("mark", "last", "index")
LEVERAGE = Bounds(above=0.0, most=200.0)
NO_PRICE = {"none": 0.0}

KEYS = (
    "contracts",
    "entry_price",
    "margin",
    "leverage",
    "maintenance_margin",
    "unsettled_funding",
    "reported_liquidation_price",
    "stop",
)
"""What later checks may have to say something about."""


@dataclass(slots=True)
class Reader:
    """What is known while the accounts of one file are read."""

    problems: Problems
    rules: Mapping[str, Rules]
    canonical: Callable[[str], str]
    ladder: Ladder
    warnings: list[str]
    ladders: dict[str, Ladder] = field(default_factory=dict)
    account_places: dict[str, Place] = field(default_factory=dict)
    venue_places: dict[str, Place] = field(default_factory=dict)
    asset_places: dict[str, list[Place]] = field(default_factory=dict)
    position_places: dict[str, Place] = field(default_factory=dict)
    symbol_places: dict[str, Place] = field(default_factory=dict)
    key_places: dict[str, dict[str, Place]] = field(default_factory=dict)


class Context(NamedTuple):
    """What a position takes from its account: the account's own margin mode, its terms, and what its venue makes of them."""

    section: Section
    margin_mode: str | None
    terms: Callable[[str], SymbolTerms]
    resolved: Callable[[str], Terms]


def read_position(section: Section, context: Context, reader: Reader) -> Position:
    """Return one position; what was bad or missing in it is empty or 0."""
    symbol = section.text("symbol", needed=True) or ""
    side = section.text("side", needed=True, one_of=SIDES) or ""
    contracts = section.number("contracts", POSITIVE, needed=True) or 0.0
    entry_price = section.number("entry_price", POSITIVE, needed=True) or 0.0
    name = section.text("name") or (f"{symbol}-{side}".lower() if symbol and side else "")
    margin_mode = _margin_mode(section, context)
    margin = section.number("margin", POSITIVE)
    leverage = section.number("leverage", LEVERAGE)
    stop_price, stop_trigger = _read_stop(section.section("stop"))
    hint = "where the venue shows none, write none"
    reported = section.number("reported_liquidation_price", POSITIVE, hint=hint, words=NO_PRICE)
    maintenance_margin = section.number("maintenance_margin", POSITIVE)
    funding = section.number("unsettled_funding")
    ladder = read_ladder(section.section("thresholds"), reader.ladder)
    section.done()
    _check_margin(section, margin_mode)
    quantity = contracts * context.terms(symbol).contract_size
    signed = -quantity if side == "short" else quantity
    if margin_mode == "isolated" and margin is None and leverage is not None and entry_price:
        margin = isolated_margin(signed, entry_price, leverage, context.resolved(symbol))
    if contracts and (quantity == 0.0 or margin == 0.0):
        section.note(section.place_of("contracts"), "too small: contracts x contract_size comes to nothing")
    if name:
        _place(section, name, ladder, reader)
    return Position(
        name=name,
        symbol=symbol,
        quantity=signed,
        entry_price=entry_price,
        margin_mode=margin_mode or "",
        margin=margin,
        contracts=contracts,
        leverage=leverage,
        maintenance_margin=maintenance_margin,
        unsettled_funding=funding or 0.0,
        reported_liquidation_price=reported,
        stop_price=stop_price,
        stop_trigger=stop_trigger,
    )


def _margin_mode(section: Section, context: Context) -> str | None:
    margin_mode = section.text("margin_mode", one_of=MARGIN_MODES)
    if "margin_mode" not in section:
        margin_mode = context.margin_mode
        if "margin_mode" not in context.section:
            section.note(section.place_of("margin_mode"), "missing: expected cross or isolated, here or in the account")
    return margin_mode


def _read_stop(section: Section | None) -> tuple[float | None, str]:
    """Return price and trigger of the holder's own stop."""
    if section is None:
        return None, ""
    price = section.number("price", POSITIVE, needed=True)
    trigger = section.text("trigger", one_of=STOP_TRIGGERS) or ""
    section.done()
    return price, trigger


def _place(section: Section, name: str, ladder: Ladder, reader: Reader) -> None:
    first = reader.position_places.setdefault(name, section.place)
    if first is not section.place:
        hint = "" if "name" in section else ": give it a name of its own"
        where = section.place_of("name")
        section.note(where, f"repeated position name {show(name)} (first: {first}){hint}")
        return
    reader.symbol_places[name] = section.place_of("symbol")
    reader.key_places[name] = {key: section.place_of(key) for key in section.given(*KEYS)}
    reader.ladders[name] = ladder


def _check_margin(section: Section, margin_mode: str | None) -> None:
    """An isolated position has its own margin, said or following from its leverage; a cross position has none."""
    if margin_mode == "cross" and "margin" in section:
        section.note(section.place_of("margin"), "not for a cross position: its collateral is the account's balance")
    elif margin_mode == "isolated" and not section.given("margin", "leverage"):
        section.note(section.place_of("margin"), "expected margin or leverage (isolated), got neither")
