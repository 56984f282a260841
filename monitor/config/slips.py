"""Slips of sign, unit and scale in one position: each check yields what is odd and what may be meant instead.

Limits are wide: funding wears a margin down, and ladders go out of date.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from monitor.config.places import Place
from monitor.config.settings import Rules, SymbolTerms
from monitor.core.account import Position
from monitor.core.pool import Terms, isolated_margin
from monitor.numbers import shortest

MAX_LEVERAGE = 200.0
WORN = 1.5
"""By how much the notional may outgrow the venue's largest leverage while funding wears the margin down."""
LEAST_LEVERAGE = 0.2
USUAL_LEAST = 0.5
APART = 10.0
FEE_IN_PERCENT = 0.01
RATE_IN_PERCENT, INITIAL_SHARE = 0.2, 0.75
"""From this rate of the lowest tier on, a maintenance above this share of the initial margin is taken for percent."""
AMOUNT_RATIO = 0.001
COIN_RATIO = 1e-4
FAR = 5.0
"""A requirement at the present mark that is so many times the one at entry was reckoned from something else."""
SAME = 0.005

PERCENT = "A fraction is expected: 0.5 % is 0.005"

_COIN_MARGINED = re.compile(
    r"[A-Z0-9]+USD_(PERP|\d{6})|(BTC|ETH|XRP|EOS|DOT)USD([HMUZ]\d\d)?|[A-Z0-9]+-USD-(SWAP|\d{6})|(PI|FI)_.+"
    r"|(BTC|ETH)-(PERPETUAL|\d{1,2}[A-Z]{3}\d\d)"
)
_SIZED = re.compile(r"[A-Z0-9]+USD_(PERP|\d{6})|.+-SWAP")


class Finding(NamedTuple):
    """What is odd, and whether no reading of it makes sense."""

    place: Place
    message: str
    fatal: bool = False


@dataclass(frozen=True, slots=True)
class Case:
    """One position with all that is said of it.

    ``notional``, ``requirement`` (by the ladder) and ``max_leverage`` (of the tier) are those at the entry price.
    ``collateral`` is what stands behind the position and all others in ``pooled_notional``, None if it is unknown;
    the position ``leads`` if it is the largest of these.
    """

    position: Position
    said: SymbolTerms
    terms: Terms
    rules: Rules
    keys: Mapping[str, Place]
    symbol_place: Place
    notional: float
    requirement: float | None
    max_leverage: float | None
    collateral: float | None
    pooled_notional: float
    leads: bool

    def at(self, key: str) -> Place:
        """Return where *key* of the position stands, or else its symbol."""
        return self.keys.get(key, self.symbol_place)

    def at_terms(self, *keys: str) -> Place:
        """Return where the first of *keys* that was said stands in the terms, or else the position's symbol."""
        return next((self.said.places[key] for key in keys if key in self.said.places), self.symbol_place)

    @property
    def isolated(self) -> bool:
        """Return whether the position has a margin of its own."""
        return self.position.margin_mode == "isolated"

    @property
    def implied_leverage(self) -> float | None:
        """Return the notional of everything on the collateral, over the collateral."""
        return self.pooled_notional / self.collateral if self.collateral and self.collateral > 0.0 else None


def say(value: float) -> str:
    """Return a computed figure for a message, in six digits.

    >>> say(1 / 3), say(12345678.0)
    ('0.333333', '12345700')
    """
    return shortest(float(f"{value:.6g}"))


def _counts(case: Case) -> Iterator[Finding]:
    """Coins where contracts are counted, or the other way round."""
    position, size = case.position, case.said.contract_size
    contracts, inverse = position.contracts, case.terms.kind == "inverse"
    tenths = contracts * 10.0
    if inverse and ((size == 1.0 and contracts < 1.0) or abs(tenths - round(tenths)) > 1e-9 * tenths):
        face = f"{shortest(contracts)} contracts of {shortest(size)} have a face value of {say(abs(position.quantity))}"
        meant = f"if these are coins, write contracts: {say(contracts * position.entry_price / size)}"
        yield Finding(case.at("contracts"), f"{face} in the quote currency: {meant}")
        return
    leverage = case.implied_leverage
    told = not case.isolated or "margin" in case.keys
    if leverage is None or case.collateral is None or not told or not case.leads:
        return
    behind = "margin" if case.isolated else "collateral"
    figures = f"a notional of {say(case.pooled_notional)} on a {behind} of {say(case.collateral)}"
    largest = MAX_LEVERAGE if case.max_leverage is None or not case.isolated else case.max_leverage * WORN
    if leverage > largest:
        yield Finding(
            case.at("contracts"), f"{figures} is {say(leverage)} times leverage{_other_reading(case, largest)}"
        )
    elif case.isolated and leverage < LEAST_LEVERAGE:
        yield Finding(case.at("margin"), f"{figures} is {say(leverage)} times leverage{_other_reading(case, largest)}")
    elif inverse and leverage < COIN_RATIO:
        yield Finding(case.at("contracts"), f"{figures}: the balance of inverse contracts is in the coin")


def _other_reading(case: Case, largest: float) -> str:
    """Return what may be meant, where another unit of contracts or margin gives a usual leverage."""
    contracts, size, entry = case.position.contracts, case.said.contract_size, case.position.entry_price
    leverage = case.implied_leverage or 0.0
    inverse = case.terms.kind == "inverse"
    readings: list[tuple[float, str]] = []
    if inverse and case.isolated and case.collateral is not None:
        coins = f"margin: {say(case.collateral / entry)} (it is in the coin)"
        readings.append((leverage * entry, f": did you mean {coins}?"))
    if size != 1.0:
        readings.append(
            (leverage / size, f": did you mean contracts: {say(contracts / size)}, of {shortest(size)} each?")
        )
    if inverse:
        readings.append((leverage * entry / size, f": did you mean contracts: {say(contracts * entry / size)}?"))
    for meant, words in readings:
        if USUAL_LEAST <= meant <= largest:
            return words
    hint = "" if "contract_size" in case.said.places else " (contract_size is not said: 1)"
    return f": are contracts, contract_size and prices in the venue's units?{hint}"


def _margin(case: Case) -> Iterator[Finding]:
    """Profit counted twice, and a margin that the requirement exceeds from the start."""
    position, its = case.position, case.terms
    if not case.isolated or position.margin is None or "margin" not in case.keys:
        return
    if position.leverage is not None and its.mark_price is not None:
        initial = isolated_margin(position.quantity, position.entry_price, position.leverage, its)
        profit = position.profit_at(its.mark_price, its.kind)
        if abs(profit) > 2.0 * SAME * initial and abs(position.margin - initial - profit) <= SAME * position.margin:
            yield Finding(
                case.at("margin"),
                f"{shortest(position.margin)} is notional / leverage and the unrealised profit of {say(profit)}: expected "
                f"the margin without it, about {say(initial)} (Binance: isolatedWallet; isolatedMargin includes profit)",
            )
    if case.requirement is not None and position.margin < case.requirement:
        what = f"below the requirement of {say(case.requirement)} at the entry price: already liquidatable at entry"
        yield Finding(case.at("margin"), f"{shortest(position.margin)} is {what}")


def _leverage(case: Case) -> Iterator[Finding]:
    """A leverage that the ladder does not allow, and rates that do not go with it."""
    position, its = case.position, case.terms
    lowest = 0.0 if its.table is None else its.table.tiers[0].maintenance_rate
    leverage = position.leverage
    if leverage is not None:
        initial = isolated_margin(position.quantity, position.entry_price, leverage, its)
        at_once = case.requirement is not None and case.requirement >= initial
        if at_once and case.requirement is not None:
            percent = f"; is the maintenance rate of {shortest(lowest)} in percent? {PERCENT}"
            yield Finding(
                case.at("leverage"),
                f"{shortest(leverage)} gives a margin of {say(initial)}, and the requirement is {say(case.requirement)}: "
                f"liquidated at once{percent if lowest >= RATE_IN_PERCENT else ''}",
                fatal=case.isolated and "margin" not in case.keys,
            )
            return
        if case.max_leverage is not None and leverage > case.max_leverage * (1.0 + 1e-9):
            largest = f"the largest of the tier for a notional of {say(case.notional)} is {say(case.max_leverage)}"
            yield Finding(case.at("leverage"), f"{shortest(leverage)} is more than the venue allows: {largest}")
    used = leverage or case.implied_leverage
    if lowest >= RATE_IN_PERCENT and used is not None and used * lowest > INITIAL_SHARE:
        what = f"a rate of {shortest(lowest)} does not go with a leverage of {say(used)}: is it in percent?"
        yield Finding(case.at_terms("maintenance_rate", "tiers"), f"{what} {PERCENT}")


def _amounts(case: Case) -> Iterator[Finding]:
    """Fees in percent, and a rate where an amount is expected."""
    fee = case.terms.closing_fee_rate
    if fee >= FEE_IN_PERCENT:
        what = f"{shortest(fee)} is a fee of {say(100.0 * fee)} %: is it in percent? A fraction is expected: 0.05 % is 0.0005"
        yield Finding(case.at_terms("closing_fee_rate"), what)
    amount = case.position.maintenance_margin
    if amount is None:
        return
    ratio = amount / case.notional
    figures = f"{shortest(amount)} on a notional of {say(case.notional)}: expected an amount in the settlement asset"
    where = case.at("maintenance_margin")
    if ratio < AMOUNT_RATIO and amount < 1.0:
        yield Finding(where, f"{figures}; is it a rate?")
    elif ratio >= 1.0:
        yield Finding(where, figures + (" (the coin, if inverse)" if case.terms.kind == "inverse" else ""))
    elif case.requirement is not None and case.requirement > 0.0 and not 1.0 / FAR <= amount / case.requirement <= FAR:
        ladder = f"the ladder asks for {say(case.requirement)} at the entry price"
        yield Finding(
            where, f"{shortest(amount)}, but {ladder}: are contract_size and the ladder those of this contract?"
        )


def _prices(case: Case) -> Iterator[Finding]:
    """Prices of another unit or scale, and a liquidation price on the wrong side."""
    position, mark = case.position, case.terms.mark_price
    entry = position.entry_price
    if mark is not None and not 1.0 / APART <= mark / entry <= APART:
        what = f"{shortest(mark)} and the entry price {shortest(entry)} of {position.name} are more than 10 times apart"
        yield Finding(case.at_terms("mark_price"), f"{what}: is one of them in another unit?")
    theirs = position.reported_liquidation_price
    if not case.isolated or not theirs:
        return
    of, price = ("entry price", entry) if mark is None else ("mark price", mark)
    wrong = theirs >= price if position.quantity > 0.0 else theirs <= price
    if wrong:
        side = "below" if position.quantity > 0.0 else "above"
        what = f"expected a price {side} the {of} {shortest(price)} for an isolated {position.side}"
        yield Finding(case.at("reported_liquidation_price"), f"{what}, got {shortest(theirs)}")


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


def _spelling(case: Case) -> Iterator[Finding]:
    """A kind or a size that is not said, of a contract whose name tells another."""
    symbol, said = case.position.symbol, case.said.places
    if (
        "kind" not in said
        and case.terms.kind == "linear"
        and "inverse" in case.rules
        and _COIN_MARGINED.fullmatch(symbol)
    ):
        what = f"{symbol} is spelt like a coin-margined contract, and is taken as linear"
        yield Finding(case.symbol_place, f"{what}: write terms.{symbol}.kind, inverse or linear")
    if "contract_size" not in said and _SIZED.fullmatch(symbol):
        what = f"the size of a contract of {symbol} is not said, and is taken as 1"
        yield Finding(case.symbol_place, f"{what}: write terms.{symbol}.contract_size")


CHECKS = (_counts, _margin, _leverage, _amounts, _prices, _unused, _spelling)
