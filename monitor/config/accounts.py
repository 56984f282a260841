"""``accounts``: who holds what. The same format in the configuration and in a file of its own."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from monitor.config.places import Place, Problems, nearest, show
from monitor.config.schema import POSITIVE, Bounds, Section
from monitor.config.settings import AccountFile, Places, SymbolTerms
from monitor.config.terms import read_ladder, read_terms
from monitor.core.account import Account, Position
from monitor.core.alerts import Ladder

MARGIN_MODES = ("cross", "isolated")
POSITION_MODES = ("one_way", "hedge")
SIDES = ("long", "short")
LEVERAGE = Bounds(above=0.0, most=200.0)

MISSING_ACCOUNTS = 'a list of accounts (a single account is a list as well: "accounts:" and below it "- name: ...")'


@dataclass(slots=True)
class _Reader:
    """What is known while the accounts of one file are read."""

    problems: Problems
    known_venues: Collection[str]
    ladder: Ladder
    warnings: list[str]
    accounts: list[Account] = field(default_factory=list)
    terms: dict[str, Mapping[str, SymbolTerms]] = field(default_factory=dict)
    ladders: dict[str, Ladder] = field(default_factory=dict)
    account_places: dict[str, Place] = field(default_factory=dict)
    position_places: dict[str, Place] = field(default_factory=dict)
    symbol_places: dict[str, Place] = field(default_factory=dict)


def read_accounts(
    root: Section,
    outer_terms: Mapping[str, SymbolTerms],
    ladder: Ladder,
    known_venues: Collection[str],
    warnings: list[str],
) -> AccountFile:
    """Return what ``accounts`` and ``terms`` of *root* say; *outer_terms* and *ladder* stand where they are silent."""
    reader = _Reader(root.problems, known_venues, ladder, warnings)
    terms_section = root.section("terms")
    terms = read_terms(terms_section, outer_terms, warnings)
    if "accounts" not in root:
        root.note(root.place_of("accounts"), f"missing: expected {MISSING_ACCOUNTS}")
    sections = root.sections("accounts")
    if sections is not None and not sections:
        root.note(root.place_of("accounts"), "expected at least one account")
    for section in sections or ():
        _read_account(section, terms, reader)
    held = {position.symbol for account in reader.accounts for position in account.positions}
    _warn_of_idle_terms(terms_section, held, warnings)
    return AccountFile(
        accounts=tuple(reader.accounts),
        terms=reader.terms,
        ladders=reader.ladders,
        places=Places(reader.account_places, reader.position_places, reader.symbol_places),
    )


def _warn_of_idle_terms(section: Section | None, held: Collection[str], warnings: list[str]) -> None:
    """Say which terms no position uses: a misspelt symbol would silently leave the position to other terms."""
    for symbol, _, place in section.members() if section is not None else ():
        if symbol not in held:
            warnings.append(f"{place}: no position has this symbol{nearest(symbol, held)}")


def _read_account(section: Section, outer_terms: Mapping[str, SymbolTerms], reader: _Reader) -> None:
    name = section.text("name", needed=True) or ""
    if name and reader.account_places.setdefault(name, section.place) is not section.place:
        first = reader.account_places[name]
        section.note(section.place_of("name"), f"repeated account name {show(name)} (first: {first})")
    venue = section.text("venue", needed=True) or ""
    if venue and venue not in reader.known_venues:
        known = ", ".join(sorted(reader.known_venues))
        hint = nearest(venue, reader.known_venues)
        section.note(section.place_of("venue"), f"unknown venue {show(venue)}: expected one of {known}{hint}")
    margin_mode = section.text("margin_mode", one_of=MARGIN_MODES)
    position_mode = section.text("position_mode", one_of=POSITION_MODES) or "one_way"
    balance = section.number("balance")
    equity = section.number("equity")
    terms_section = section.section("terms")
    terms = read_terms(terms_section, outer_terms, reader.warnings)
    positions = [
        _read_position(each, section, margin_mode, terms, reader)
        for each in section.sections("positions", needed=True) or ()
    ]
    section.done()
    _warn_of_idle_terms(terms_section, {position.symbol for position, _ in positions}, reader.warnings)
    _check_collateral(section, positions)
    _check_sides(positions, position_mode)
    reader.terms[name] = terms
    reader.accounts.append(
        Account(name, venue, tuple(position for position, _ in positions), position_mode, balance, equity)
    )


def _read_position(
    section: Section, account: Section, inherited_mode: str | None, terms: Mapping[str, SymbolTerms], reader: _Reader
) -> tuple[Position, Section]:
    symbol = section.text("symbol", needed=True) or ""
    side = section.text("side", needed=True, one_of=SIDES) or ""
    contracts = section.number("contracts", POSITIVE, needed=True) or 0.0
    entry_price = section.number("entry_price", POSITIVE, needed=True) or 0.0
    name = section.text("name") or (f"{symbol}-{side}".lower() if symbol and side else "")
    margin_mode = section.text("margin_mode", one_of=MARGIN_MODES)
    if "margin_mode" not in section:
        margin_mode = inherited_mode
        if "margin_mode" not in account:
            section.note(section.place_of("margin_mode"), "missing: expected cross or isolated, here or in the account")
    margin = section.number("margin", POSITIVE)
    leverage = section.number("leverage", LEVERAGE)
    ladder = read_ladder(section.section("thresholds"), reader.ladder)
    section.done()
    _check_margin(section, margin_mode)
    its = terms.get(symbol, SymbolTerms())
    quantity = contracts * its.contract_size
    if leverage is not None and entry_price:
        notional = quantity * entry_price if its.kind == "linear" else quantity / entry_price
        margin = notional / leverage
    if contracts and (quantity == 0.0 or margin == 0.0):
        section.note(section.place_of("contracts"), "too small: contracts x contract_size comes to nothing")
    if name:
        _place_position(section, name, ladder, reader)
    signed = -quantity if side == "short" else quantity
    return Position(name, symbol, signed, entry_price, margin_mode or "", margin, contracts), section


def _place_position(section: Section, name: str, ladder: Ladder, reader: _Reader) -> None:
    first = reader.position_places.setdefault(name, section.place)
    if first is not section.place:
        hint = "" if "name" in section else ": give it a name of its own"
        where = section.place_of("name")
        section.note(where, f"repeated position name {show(name)} (first: {first}){hint}")
        return
    reader.symbol_places[name] = section.place_of("symbol")
    reader.ladders[name] = ladder


def _check_margin(section: Section, margin_mode: str | None) -> None:
    """An isolated position has its own margin, said in one of two ways; a cross position has none."""
    given = section.given("margin", "leverage")
    if margin_mode == "cross":
        for key in given:
            section.note(section.place_of(key), "not for a cross position: its collateral is the account's balance")
    elif margin_mode == "isolated" and len(given) != 1:
        got = "both" if given else "neither"
        section.note(section.place_of("margin"), f"expected either margin or leverage (isolated), got {got}")


def _check_collateral(section: Section, positions: list[tuple[Position, Section]]) -> None:
    """A cross account says its balance or its equity; an isolated one needs neither."""
    given = section.given("balance", "equity")
    cross = any(position.margin_mode == "cross" for position, _ in positions)
    if len(given) == 2 or (cross and not given):
        got = "both" if given else "neither"
        section.note(section.place_of("balance"), f"expected either balance or equity (cross), got {got}")


def _check_sides(positions: list[tuple[Position, Section]], position_mode: str) -> None:
    """One position per symbol in one-way mode; one long and one short in hedge mode."""
    seen: dict[tuple[str, ...], Section] = {}
    for position, section in positions:
        if not position.symbol or not position.contracts:
            continue
        hedge = position_mode == "hedge"
        key = (position.symbol, position.margin_mode, position.side if hedge else "")
        message = "one-way mode has one position a symbol; for a long and a short set position_mode: hedge"
        if hedge:
            message = "hedge mode has one long and one short a symbol"
        first = seen.setdefault(key, section)
        if first is not section:
            what = f"second {position.margin_mode} position in {position.symbol} (first: {first.place})"
            section.note(section.place_of("symbol"), f"{what}: {message}")
