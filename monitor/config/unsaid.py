"""What a file leaves unsaid of a contract, or says in vain: kind, size and fee, and keys that its rule does not use."""

from __future__ import annotations

import re
from collections.abc import Iterator

from monitor.config.slips import Case, Finding

_COIN_MARGINED = re.compile(
    r"[A-Z0-9]+USD_(PERP|\d{6})|(ADA|BTC|DOT|EOS|ETH|LTC|MANA|SOL|XRP)USD([HMUZ]\d\d)?|[A-Z0-9]+-USD-(SWAP|\d{6})"
    r"|(PI|FI)_.+|(BTC|ETH)-(PERPETUAL|\d{1,2}[A-Z]{3}\d\d)"
)
_SIZED = re.compile(r"[A-Z0-9]+USD_(PERP|\d{6})|.+-SWAP")


def _unused(case: Case) -> Iterator[Finding]:
    """What the rule does not use, or needs and is not told."""
    rule, said = case.terms.rule, case.said.places
    if rule is None:
        return
    if rule.deduction == "none" and "deduction" in said:
        what = f"not used: under the rule of {rule.name} a tier's rate bears on the whole position"
        yield Finding(said["deduction"], what)
    if "maintenance_slope" in said and rule.maintenance != "size":
        yield Finding(said["maintenance_slope"], f"not used: under the rule of {rule.name} no rate rises with the size")
    if rule.maintenance == "size" and case.said.table is not None and "maintenance_slope" not in said:
        what = f"the rate of {rule.name} rises with the size: without maintenance_slope it stays as it is"
        yield Finding(case.at_terms("maintenance_rate", "tiers"), what)
    if rule.maintenance == "fixed" and case.said.table is not None:
        what = f"not used: {rule.name} takes the requirement from the position's maintenance_margin"
        yield Finding(case.at_terms("maintenance_rate", "tiers"), what)


def unknown_kind(case: Case) -> Iterator[Finding]:
    """A kind that is not said, of a contract whose name tells another: no figure of it would mean anything."""
    symbol = case.position.symbol
    unsaid = "kind" not in case.said.places and case.terms.kind == "linear" and "inverse" in case.rules
    if unsaid and _COIN_MARGINED.fullmatch(symbol):
        what = f"{symbol} is spelt like a coin-margined contract, and its kind is not said"
        how = f"write terms.{symbol}.kind: inverse, or kind: linear if it really is"
        yield Finding(case.symbol_place, f"{what}: {how}", fatal=True)


def _size(case: Case) -> Iterator[Finding]:
    """A size of contract that is not said where contracts are rarely of one coin."""
    symbol = case.position.symbol
    if "contract_size" not in case.said.places and _SIZED.fullmatch(symbol):
        what = f"the size of a contract of {symbol} is not said, and is taken as 1"
        yield Finding(case.symbol_place, f"{what}: write terms.{symbol}.contract_size")


def _fee(case: Case) -> Iterator[Finding]:
    """A closing fee that the rule counts and the file does not say; isolated, one at bankruptcy cancels by leverage."""
    rule, symbol = case.terms.rule, case.position.symbol
    if rule is None or rule.closing_fee == "none" or "closing_fee_rate" in case.said.places:
        return
    if rule.closing_fee == "mark_notional" or not case.isolated or "margin" in case.keys:
        what = f"{rule.name} adds the closing fee to the requirement: it is not said, and counts as 0"
        yield Finding(case.symbol_place, f"{what}: write terms.{symbol}.closing_fee_rate, your own taker rate")


CHECKS = (_unused, _size, _fee)
