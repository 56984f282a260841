"""``terms`` and ``thresholds``: what the operator says of contracts and of how a venue calculates, and when to warn."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import msgspec

from monitor.config.ladders import RATE_HINT, read_table
from monitor.config.schema import FRACTION, POSITIVE, Bounds, Section, open_section
from monitor.config.settings import Rules, SymbolTerms
from monitor.core.alerts import Ladder
from monitor.core.contract import SWITCHES, rule_problem

KINDS = ("linear", "inverse")
FEE = Bounds(least=0.0, below=0.1)
SLOPE = Bounds(least=0.0, below=0.001)
BETA = Bounds(least=-10.0, most=10.0)
RATIO_HINT = "a ratio of the mark price: 0.05 is 5 %"
SLOPE_HINT = "a fraction per coin, not percent: 0.005 % is 0.00005"

OWN_RULE = ("maintenance", "closing_fee")
"""The switches that a rule of the operator's own must say; the others follow or have a usual value."""


def read_ladder(section: Section | None, base: Ladder) -> Ladder:
    """Return *base* with the thresholds of *section* in it."""
    if section is None:
        return base
    warning = section.number("warning", FRACTION, hint=RATIO_HINT)
    critical = section.number("critical", FRACTION, hint=RATIO_HINT)
    section.done()
    warning = base.warning if warning is None else warning
    critical = base.critical if critical is None else critical
    if critical >= warning:
        section.note(section.place, f"expected critical < warning, got critical {critical:g} and warning {warning:g}")
    return msgspec.structs.replace(base, warning=warning, critical=critical)


def read_terms(section: Section | None, base: Mapping[str, SymbolTerms], warnings: list[str]) -> dict[str, SymbolTerms]:
    """Return the terms by symbol; what *section* does not say of a symbol, *base* does."""
    terms = dict(base)
    if section is None:
        return terms
    for symbol, node, place in section.members():
        opened = open_section(node, place, section.problems)
        if opened is not None:
            terms[symbol] = _symbol_terms(opened, base.get(symbol, SymbolTerms()), warnings)
    return terms


def _symbol_terms(section: Section, base: SymbolTerms, warnings: list[str]) -> SymbolTerms:
    said: dict[str, Any] = {
        "kind": section.text("kind", one_of=KINDS),
        "contract_size": section.number("contract_size", POSITIVE),
        "mark_price": section.number("mark_price", POSITIVE),
        "closing_fee_rate": section.number("closing_fee_rate", FEE, hint=RATE_HINT),
        "maintenance_slope": section.number("maintenance_slope", SLOPE, hint=SLOPE_HINT),
        "tick_size": section.number("tick_size", POSITIVE),
        "beta": section.number("beta", BETA),
        "proxy": _read_proxy(section.section("proxy_mark")),
        "switches": _read_rule(section.section("rule")),
    }
    keys = (
        *(key for key in said if key not in {"switches", "proxy"}),
        "proxy_mark",
        "rule",
        "tiers",
        "maintenance_rate",
    )
    places = {key: section.place_of(key) for key in section.given(*keys)}
    inherited = dict(base.places)
    reading = read_table(section, "the operator's terms", warnings)
    if reading is not None:
        said["table"] = reading.table
        for key in ("tiers", "maintenance_rate", "deduction"):
            inherited.pop(key, None)
        if reading.deduction is not None:
            places["deduction"] = reading.deduction
    section.done()
    return replace(
        base,
        **{key: value for key, value in said.items() if value is not None},
        places={**inherited, **places},
    )


def _read_proxy(section: Section | None) -> tuple[str, str] | None:
    """Return venue and symbol of the contract whose mark stands in for one without a feed of its own."""
    if section is None:
        return None
    venue, symbol = section.text("venue", needed=True), section.text("symbol", needed=True)
    section.done()
    return (venue, symbol) if venue and symbol else None


def _read_rule(section: Section | None) -> dict[str, str] | None:
    """Return the switches that are said of a liquidation rule, with its name, source and date."""
    if section is None:
        return None
    said = {switch: section.text(switch, one_of=values) for switch, values in SWITCHES.items()}
    said |= {"name": section.text("name"), "source": section.text("source", most=256), "date": section.text("date")}
    section.done()
    return {key: value for key, value in said.items() if value is not None}


def default_kind(rules: Rules) -> str:
    """Return the kind of a contract of which the operator does not say it: linear, unless the venue has no such.

    >>> default_kind({})
    'linear'
    """
    return "linear" if not rules or "linear" in rules else next(iter(rules))


def rule_fault(venue: str, rules: Rules, symbol: str, its: SymbolTerms) -> tuple[str, str] | None:
    """Return the key of the terms that keeps a contract at *venue* from having a rule, and why; None if it has one."""
    if rules and its.kind not in rules:
        return "kind", f"{venue} has no rule for {its.kind} contracts ({symbol}): expected {' or '.join(rules)}"
    missing = [key for key in OWN_RULE if key not in its.switches] if not rules else []
    if missing:
        needed = ", ".join(f"{key}: {' | '.join(SWITCHES[key])}" for key in OWN_RULE)
        others = ", ".join(f"{key}: {' | '.join(SWITCHES[key])}" for key in SWITCHES if key not in OWN_RULE)
        what = f"{venue} has no rule of its own: expected terms.{symbol}.rule: {{{needed}}}, and if need be {others}"
        return "rule", what + ("" if len(missing) == len(OWN_RULE) else f"; {missing[0]} is missing")
    rule = its.rule(rules)
    problem = None if rule is None else rule_problem(rule)
    return None if problem is None else ("rule", problem)
