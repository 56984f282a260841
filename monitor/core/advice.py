"""What a holder may want to know beside the numbers: computed, and only where it applies.

The points are those of the usual checklist before a leveraged position is held: where the stop lies and what triggers
it, what isolated or cross margin puts at stake, how large the position is against the market, who pays funding. None
of them is an order, and none changes an alert.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import msgspec

from monitor.core.account import Account, Position
from monitor.core.levels import NONE, OK, Levels
from monitor.core.pool import Terms
from monitor.core.shock import Shock
from monitor.numbers import shortest

EIGHT_HOURS = 28_800.0

CROWDED = 0.0005
"""Funding per 8 hours from which the paying side is called crowded; 0.0001 is what venues charge at rest."""


class Advice(msgspec.Struct, frozen=True):
    """One sentence about a position; ``slug`` names its kind for programs."""

    slug: str
    text: str


class Market(msgspec.Struct, frozen=True):
    """What is known of a contract's market. ``depth_quantity`` is what stands near the touch where the position closes.

    ``funding_rate`` is per ``funding_interval_seconds``, > 0 where longs pay. The depth is in the unit of a quantity.
    """

    funding_rate: float | None = None
    funding_interval_seconds: float | None = None
    open_interest_contracts: float | None = None
    depth_quantity: float | None = None


class _Case(msgspec.Struct, frozen=True):
    """One position with all that was worked out of it."""

    account: Account
    position: Position
    terms: Mapping[str, Terms]
    levels: Levels
    shock: Shock
    market: Market

    @property
    def own(self) -> Terms:
        """Return the position's own terms."""
        return self.terms.get(self.position.symbol, Terms())

    @property
    def with_betas(self) -> bool:
        """Return whether a shock moves something by more or less than the market."""
        legs = (self.terms.get(p.symbol, Terms()).beta for p in self.sharing)
        return any(beta != 1.0 for beta in (*legs, *(asset.beta for asset in self.account.assets)))

    @property
    def pair(self) -> tuple[Position, ...]:
        """Return the positions that share this one's price: more than one where both legs of a pair are in cross."""
        return tuple(p for p in self.sharing if p.symbol == self.position.symbol)

    @property
    def sharing(self) -> tuple[Position, ...]:
        """Return the positions that share this one's collateral, itself among them."""
        if self.position.margin_mode != "cross":
            return (self.position,)
        return tuple(p for p in self.account.cross_positions() if p.quantity != 0.0)


def advice(
    account: Account,
    position: Position,
    terms: Mapping[str, Terms],
    levels: Levels,
    shock: Shock,
    market: Market | None = None,
) -> tuple[Advice, ...]:
    """Return what applies to *position*, most urgent first; *levels* and *shock* are its answers, *market* its market's.

    A point whose facts are unknown is left out, never guessed.
    """
    if position.quantity == 0.0:
        return ()
    case = _Case(account, position, terms, levels, shock, market or Market())
    said = ((slug, point(case)) for slug, point in _POINTS.items())
    return tuple(Advice(slug, text) for slug, text in said if text is not None)


def _drift(case: _Case) -> str | None:
    ours, theirs = case.levels.liquidation_price, case.position.reported_liquidation_price
    if not case.levels.drifted or theirs is None:
        return None
    check = "balance or margin, entry price and terms in the account file may be out of date"
    if ours is None:
        return f"The venue shows a liquidation price of {_plain(theirs)} where this sum finds none: {check}."
    if case.levels.drift_ratio is None:
        return f"The venue shows no liquidation price where this sum finds {_plain(ours)}: {check}."
    gap = case.levels.drift_ratio
    where = "above" if gap > 0.0 else "below"
    return f"The sum's {_plain(ours)} lies {_share(abs(gap))} {where} the venue's own {_plain(theirs)}: {check}."


def _stop_beyond(case: _Case) -> str | None:
    stop, price = case.position.stop_price, case.levels.liquidation_price
    if stop is None or price is None or case.levels.status != OK or case.levels.danger * (stop - price) < 0.0:
        return None
    where = "at" if stop == price else "beyond"
    return (
        f"The stop at {_plain(stop)} lies {where} the liquidation price {_plain(price)}: when the mark is there, the "
        "venue has already taken the position over."
    )


def _stop_trigger(case: _Case) -> str | None:
    stop, trigger, price = case.position.stop_price, case.position.stop_trigger, case.levels.liquidation_price
    if stop is None or trigger in {"", "mark"} or price is None or case.levels.status != OK or _stop_beyond(case):
        return None
    mark = case.own.mark_price
    if mark is not None and case.levels.danger * (stop - mark) < 0.0:
        return None  # on the side of profit it has no race to lose
    return (
        f"The stop at {_plain(stop)} is triggered by the {trigger} price, liquidation by the mark: the mark can be at "
        f"{_plain(price)} before the {trigger} price has reached the stop."
    )


def _cross_consequence(case: _Case) -> str | None:
    equity, shock = case.levels.equity, case.shock
    if case.position.margin_mode != "cross" or equity is None:
        return None
    count = len(case.sharing)
    text = f"The account's whole equity of {_plain(equity)} stands behind "
    text += "this position" if count == 1 else f"its {count} cross positions, and a liquidation touches all of them"
    if count > 1 and shock.killer_price is not None and shock.killer_move is not None:
        way = "up" if shock.killer_move > 0.0 else "down"
        where = f"at {_plain(shock.killer_price)}, {_share(abs(shock.killer_move))} {way}"
        text += f"; {shock.killer} ends it soonest by its move alone, {where}"
    return f"{text}."


def _isolated_consequence(case: _Case) -> str | None:
    margin = case.levels.collateral
    if case.position.margin_mode == "cross" or margin is None:
        return None
    return f"At most its margin of {_plain(margin)} is at stake; the account's other money does not help it by itself."


def _hedge_shares_price(case: _Case) -> str | None:
    if len(case.pair) < 2 or case.levels.status not in {OK, NONE}:
        return None
    names, price = " and ".join(p.name for p in case.pair), case.levels.liquidation_price
    found = "no price liquidates them" if price is None else f"their one liquidation price is {_plain(price)}"
    return f"{names} share one collateral and one mark: {found}, and closing either leg moves it for the other."


def _shock_nearer(case: _Case) -> str | None:
    distance, found = case.levels.liquidation_distance_ratio, case.shock
    alone = len(case.sharing) == len(case.pair) and not (case.position.margin_mode == "cross" and case.account.assets)
    if alone or case.levels.status not in {OK, NONE}:
        return None
    moves = {
        "all marks falling": found.down,
        "all marks rising": found.up,
        "each mark moving against it": found.against,
    }
    fatal = [(abs(size), what) for what, size in moves.items() if size is not None]
    if not fatal or (distance is not None and min(fatal)[0] >= distance * (1.0 - 1e-9)):
        return None
    size, what = min(fatal)
    betas = " times its beta" if case.with_betas else ""
    own = f"no move of {case.position.symbol} alone does"
    if distance is not None:
        own = f"{case.position.symbol} alone would have to move by {_share(distance)}"
    return f"The account ends with {what} by {_share(size)}{betas}, where {own}."


def _size_against_depth(case: _Case) -> str | None:
    size, depth = abs(case.position.quantity), case.market.depth_quantity
    if depth is None or size <= depth:
        return None
    return (
        f"The position of {_plain(size)} is larger than the {_plain(depth)} that stand near the touch: closed at once, "
        "it pays worse prices than those shown."
    )


def _crowded_funding(case: _Case) -> str | None:
    rate, seconds = case.market.funding_rate, case.market.funding_interval_seconds
    if rate is None or not seconds or (rate > 0.0) != (case.position.quantity > 0.0):
        return None
    per_eight_hours = abs(rate) * EIGHT_HOURS / seconds
    if per_eight_hours <= CROWDED:
        return None
    text = f"The {case.position.side} side is crowded and pays {_share(per_eight_hours, 4)} funding per 8 hours"
    if case.levels.notional is not None:
        text += f", {_plain(per_eight_hours * case.levels.notional)} for this position"
    held, everything = case.position.contracts, case.market.open_interest_contracts
    if held and everything:
        text += f", which is {_share(held / everything)} of the {_plain(everything)} contracts open"
    return f"{text}."


_POINTS: dict[str, Callable[[_Case], str | None]] = {
    "drift": _drift,
    "stop_beyond_liquidation": _stop_beyond,
    "stop_trigger": _stop_trigger,
    "shock_nearer": _shock_nearer,
    "cross_consequence": _cross_consequence,
    "isolated_consequence": _isolated_consequence,
    "hedge_shares_price": _hedge_shares_price,
    "size_against_depth": _size_against_depth,
    "crowded_funding": _crowded_funding,
}
"""Every kind of advice, in the order in which it is given."""


def _plain(value: float) -> str:
    """Return a number for people: eight digits tell enough, thousands set apart.

    >>> _plain(54780.8764940239), _plain(-1234567.0), _plain(0.00001234)
    ('54,780.876', '-1,234,567', '0.00001234')
    """
    whole, point, decimals = shortest(float(f"{value:.8g}")).partition(".")
    sign = "-" if whole.startswith("-") else ""
    return f"{sign}{int(whole.removeprefix('-')):,}{point}{decimals}"


def _share(ratio: float, decimals: int = 2) -> str:
    return f"{100.0 * ratio:,.{decimals}f} %"
