"""``accounts``: who holds what. The same format in the configuration and in a file of its own."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import replace

from monitor.config.places import Place, nearest, show
from monitor.config.positions import MARGIN_MODES, Context, Reader, read_position
from monitor.config.schema import POSITIVE, Bounds, Section
from monitor.config.settings import AccountFile, Places, Rules, SymbolTerms
from monitor.config.terms import BETA, default_kind, read_terms, rule_fault
from monitor.core.account import Account, CollateralAsset, Position
from monitor.core.alerts import Ladder
from monitor.core.pool import Terms

POSITION_MODES = ("one_way", "hedge")
COUNTED = Bounds(above=0.0, most=1.0)
COUNTED_HINT = "a fraction, not percent: of 95 % the venue counts 0.95"

MISSING_ACCOUNTS = 'a list of accounts (a single account is a list as well: "accounts:" and below it "- name: ...")'


def read_accounts(
    root: Section,
    outer_terms: Mapping[str, SymbolTerms],
    ladder: Ladder,
    rules: Mapping[str, Rules],
    canonical: Callable[[str], str],
    warnings: list[str],
) -> AccountFile:
    """Return what ``accounts`` and ``terms`` of *root* say; *outer_terms* and *ladder* stand where they are silent.

    *rules* are those of each venue by kind of contract, under the names that *canonical* turns other spellings into.
    """
    reader = Reader(root.problems, rules, canonical, ladder, warnings)
    terms_section = root.section("terms")
    outer_terms = read_terms(terms_section, outer_terms, warnings)
    if "accounts" not in root:
        root.note(root.place_of("accounts"), f"missing: expected {MISSING_ACCOUNTS}")
    sections = root.sections("accounts")
    if sections is not None and not sections:
        root.note(root.place_of("accounts"), "expected at least one account")
    accounts: list[Account] = []
    terms: dict[str, Mapping[str, SymbolTerms]] = {}
    for section in sections or ():
        account, its = _read_account(section, outer_terms, reader)
        if account.name not in terms:  # a second one of the name is noted already
            accounts.append(account)
            terms[account.name] = its
    _warn_of_idle_terms(terms_section, {symbol for account in accounts for symbol in _symbols(account)}, warnings)
    warnings += _warn_of_shared_terms(terms_section, accounts, terms)
    return AccountFile(
        accounts=tuple(accounts),
        terms=terms,
        ladders=reader.ladders,
        places=Places(
            reader.account_places,
            reader.position_places,
            reader.symbol_places,
            reader.key_places,
            reader.venue_places,
            reader.asset_places,
        ),
    )


def _symbols(account: Account) -> set[str]:
    """Return the contracts that *account* holds, or takes the price of a collateral asset from."""
    return {position.symbol for position in account.positions} | {asset.symbol for asset in account.assets} - {""}


def _warn_of_shared_terms(
    section: Section | None, accounts: Collection[Account], terms: Mapping[str, Mapping[str, SymbolTerms]]
) -> Iterator[str]:
    """Yield which terms count at several venues at once: one spelling of a contract is not one contract."""
    for symbol, _, place in section.members() if section is not None else ():
        holders = [a for a in accounts if symbol in _symbols(a) and _is_at(terms[a.name][symbol], place)]
        venues = sorted({account.venue for account in holders})
        if len(venues) > 1:
            what = f"used for {symbol} at {' and '.join(venues)}, which are different contracts"
            yield f"{place}: {what}: write each under the terms of its own account (accounts: - terms: ...)"


def _is_at(its: SymbolTerms, place: Place) -> bool:
    """Return whether anything of *its* that differs between venues was said at *place*."""
    ours = {"contract_size", "kind", "tiers", "maintenance_rate", "closing_fee_rate", "tick_size", "maintenance_slope"}
    return any(said.path.startswith(f"{place.path}.") for key, said in its.places.items() if key in ours)


def _warn_of_idle_terms(section: Section | None, held: Collection[str], warnings: list[str]) -> None:
    """Say which terms no position uses: a misspelt symbol would silently leave the position to other terms."""
    for symbol, _, place in section.members() if section is not None else ():
        if symbol not in held:
            warnings.append(f"{place}: no position has this symbol{nearest(symbol, held)}")


def _read_account(
    section: Section, outer_terms: Mapping[str, SymbolTerms], reader: Reader
) -> tuple[Account, dict[str, SymbolTerms]]:
    name = section.text("name", needed=True) or ""
    if name and reader.account_places.setdefault(name, section.place) is not section.place:
        first = reader.account_places[name]
        section.note(section.place_of("name"), f"repeated account name {show(name)} (first: {first})")
    venue = _read_venue(section, name, reader)
    margin_mode = section.text("margin_mode", one_of=MARGIN_MODES)
    position_mode = section.text("position_mode", one_of=POSITION_MODES) or "one_way"
    balance = section.number("balance")
    equity = section.number("equity")
    assets = _read_assets(section, name, reader)
    terms_section = section.section("terms")
    said = read_terms(terms_section, outer_terms, reader.warnings)
    rules = reader.rules.get(venue, {})
    kind = default_kind(rules)
    terms = {s: its if "kind" in its.places else replace(its, kind=kind) for s, its in said.items()}
    terms = {s: _with_proxy(its, reader) for s, its in terms.items()}

    def its_terms(symbol: str) -> SymbolTerms:
        return terms.get(symbol) or SymbolTerms(kind=kind)

    def resolved(symbol: str) -> Terms:
        return its_terms(symbol).terms(rules, None)

    context = Context(section, margin_mode, its_terms, resolved)
    positions = [
        (read_position(each, context, reader), each) for each in section.sections("positions", needed=True) or ()
    ]
    section.done()
    account = Account(name, venue, tuple(position for position, _ in positions), position_mode, balance, equity, assets)
    terms |= {symbol: its_terms(symbol) for symbol in _symbols(account)}
    _warn_of_idle_terms(terms_section, _symbols(account), reader.warnings)
    _check_collateral(section, positions)
    _check_sides(positions, position_mode)
    if venue in reader.rules:
        _check_rules(venue, rules, positions, terms)
    return account, terms


def _with_proxy(its: SymbolTerms, reader: Reader) -> SymbolTerms:
    """Return *its* with the proxy's venue by the name that the rules have it under."""
    return its if its.proxy is None else replace(its, proxy=(reader.canonical(its.proxy[0]), its.proxy[1]))


def _read_venue(section: Section, account: str, reader: Reader) -> str:
    """Return the venue by the name that the rules have it under."""
    said = section.text("venue", needed=True) or ""
    venue = reader.canonical(said)
    if said and venue not in reader.rules:
        known = ", ".join(sorted(reader.rules))
        hint = nearest(said, reader.rules)
        section.note(section.place_of("venue"), f"unknown venue {show(said)}: expected one of {known}{hint}")
    if account:
        reader.venue_places.setdefault(account, section.place_of("venue"))
    return venue


def _read_assets(account: Section, name: str, reader: Reader) -> tuple[CollateralAsset, ...]:
    """Return the other assets that count beside the balance; an amount below 0 is a debt."""
    assets: dict[str, CollateralAsset] = {}
    places: list[Place] = []
    for section in account.sections("collateral") or ():
        asset = section.text("asset", needed=True) or ""
        amount = section.number("amount", needed=True)
        rate = section.number("rate", COUNTED, hint=COUNTED_HINT)
        price = section.number("price", POSITIVE)
        symbol = section.text("symbol")
        beta = section.number("beta", BETA)
        given = section.given("price", "symbol")
        section.done()
        if len(given) != 1:
            got = "both" if given else "neither"
            section.note(section.place_of("price"), f"expected either price or symbol, got {got}")
        if asset in assets:
            section.note(section.place_of("asset"), f"repeated asset {show(asset)}: add the amounts up")
        assets[asset] = CollateralAsset(
            asset, amount or 0.0, 1.0 if rate is None else rate, price, symbol or "", 1.0 if beta is None else beta
        )
        places.append(section.place_of(given[0] if given else "price"))
    if name:
        reader.asset_places.setdefault(name, places)
    return tuple(assets.values())


def _check_collateral(section: Section, positions: list[tuple[Position, Section]]) -> None:
    """A cross account says its balance or its equity; an isolated one needs neither."""
    given = section.given("balance", "equity")
    cross = any(position.margin_mode == "cross" for position, _ in positions)
    if len(given) == 2 or (cross and not given):
        got = "both" if given else "neither"
        section.note(section.place_of("balance"), f"expected either balance or equity (cross), got {got}")
    if "collateral" not in section:
        return
    where = section.place_of("collateral")
    if positions and not cross:
        section.note(where, "only for cross positions, and the account has none: an isolated one has its own margin")
    elif given == ["equity"]:
        section.note(where, "expected balance beside it, not equity, which contains the value of other assets already")


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


def _check_rules(
    venue: str, rules: Rules, positions: list[tuple[Position, Section]], terms: Mapping[str, SymbolTerms]
) -> None:
    """Each contract that is held has a rule: the venue's for its kind, or one that the operator names."""
    seen = {""}
    for position, section in positions:
        symbol = position.symbol
        fault = None if symbol in seen else rule_fault(venue, rules, symbol, terms[symbol])
        seen.add(symbol)
        if fault is not None:
            key, what = fault
            section.note(terms[symbol].places.get(key, section.place_of("symbol")), what)
