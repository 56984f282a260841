"""Slips of sign, unit and scale in one position: each check yields what is odd and what may be meant instead.

Limits are wide: funding wears a margin down, and ladders go out of date.
"""

from __future__ import annotations

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
EXACT, LEAST_PROFIT = 1e-6, 1e-5
"""A margin that is notional / leverage and the profit to so many digits has this profit in it, however small."""
SHORT_OF = 0.95
"""Below this share of notional / leverage, margin and leverage are not those of one position."""

PERCENT = "A fraction is expected: 0.5 % is 0.005"


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
    position = case.position
    if not case.isolated or position.margin is None or "margin" not in case.keys:
        return
    if position.leverage is not None:
        yield from _against_leverage(case, position.margin, position.leverage)
    if case.requirement is not None and position.margin < case.requirement:
        what = f"below the requirement of {say(case.requirement)} at the entry price: already liquidatable at entry"
        yield Finding(case.at("margin"), f"{shortest(position.margin)} is {what}")


def _against_leverage(case: Case, said: float, leverage: float) -> Iterator[Finding]:
    """A margin that is not what the leverage gives: with the profit in it, or too little."""
    position, its = case.position, case.terms
    initial = isolated_margin(position.quantity, position.entry_price, leverage, its)
    profit = 0.0 if its.mark_price is None else position.profit_at(its.mark_price, its.kind)
    apart, size = abs(said - initial - profit), abs(profit)
    plain = size > 2.0 * SAME * initial and apart <= SAME * said
    if plain or (size >= LEAST_PROFIT * said and apart <= EXACT * said):
        yield Finding(
            case.at("margin"),
            f"{shortest(said)} is notional / leverage and the unrealised profit of {say(profit)}: expected "
            f"the margin without it, about {say(initial)} (Binance: isolatedWallet; isolatedMargin includes profit)",
        )
    elif said < SHORT_OF * case.notional / leverage:
        what = f"a notional of {say(case.notional)} at a leverage of {shortest(leverage)}"
        yield Finding(
            case.at("margin"),
            f"{shortest(said)} contradicts the leverage: {what} is a margin of {say(case.notional / leverage)}",
        )


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


CHECKS = (_counts, _margin, _leverage, _amounts, _prices)
