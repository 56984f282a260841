"""The metrics of the domain: one row each for positions and for symbols.

Units are in the names: ratios, seconds, contracts; prices in quote currency, amounts in the settlement asset.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from operator import attrgetter

from monitor.engine.views import PositionView, SymbolView
from monitor.export.writer import Column, Family, Table

PRICE_FIELDS = ("mark", "index", "last")
SIDES = ("long", "short")

_PLACE, _INFO = 0, 1  # label sets of positions
_FIELDS = tuple(range(1, 1 + len(PRICE_FIELDS)))  # label sets of symbols; 0 is venue and symbol alone
_SIDES = tuple(range(_FIELDS[-1] + 1, _FIELDS[-1] + 1 + len(SIDES)))


def _of_position(
    name: str, value_of: Callable[[PositionView], float | None], text: str, labels: int = _PLACE
) -> Family[PositionView]:
    return Family(f"perp_position_{name}", "gauge", text, (Column(value_of, labels),))


def _place(view: PositionView) -> Mapping[str, str]:
    return {"position": view.name, "venue": view.venue, "symbol": view.symbol}


def _info(view: PositionView) -> Mapping[str, str]:
    return {
        **_place(view),
        "position_side": view.side,
        "margin_mode": view.margin_mode,
        "settle_asset": view.settle,
    }


_POSITION = (
    _of_position("level", attrgetter("level"), "How near: 0 ok, 1 warning, 2 critical, 3 liquidation, 4 bankruptcy."),
    _of_position("quality", attrgetter("quality"), "How sure: 0 live, 1 fallback, 2 stale, 3 never."),
    _of_position(
        "liquidation_price",
        attrgetter("liquidation_price"),
        "Mark price at which the venue takes over; absent when there is none.",
    ),
    _of_position(
        "bankruptcy_price",
        attrgetter("bankruptcy_price"),
        "Mark price at which equity is zero; absent when there is none.",
    ),
    _of_position(
        "liquidation_distance_ratio",
        attrgetter("liquidation_distance_ratio"),
        "Distance to liquidation as a share of the mark price: 0 at it, below 0 past it; absent while unknown.",
    ),
    _of_position(
        "bankruptcy_distance_ratio",
        attrgetter("bankruptcy_distance_ratio"),
        "Distance to bankruptcy as a share of the mark price: 0 at it, below 0 past it; absent while unknown.",
    ),
    _of_position(
        "margin_ratio",
        attrgetter("margin_ratio"),
        "Maintenance margin by equity: 1 is the trigger, larger is worse; absent while unknown or without equity.",
    ),
    _of_position(
        "liquidation_price_drift_ratio",
        attrgetter("drift_ratio"),
        "Our liquidation price against the venue's own figure in the operator's file, less 1; absent without one.",
    ),
    _of_position("info", lambda _: 1.0, "Always 1; what kind of position it is.", _INFO),
)

_AMOUNTS = (
    _of_position("notional", attrgetter("notional"), "Absolute value of the position, in the settlement asset."),
    _of_position("equity", attrgetter("equity"), "Equity behind the position, in the settlement asset."),
    _of_position(
        "maintenance_margin",
        attrgetter("maintenance_margin"),
        "Equity at which the venue takes over, in the settlement asset.",
    ),
)


def _of_symbol(name: str, attribute: str, text: str) -> Family[SymbolView]:
    return Family(f"perp_{name}", "gauge", text, (Column(attrgetter(attribute)),))


def _contract(view: SymbolView) -> Mapping[str, str]:
    return {"venue": view.venue, "symbol": view.symbol}


def _contract_with(label: str, value: str) -> Callable[[SymbolView], Mapping[str, str]]:
    return lambda view: {**_contract(view), label: value}


def _contract_info(view: SymbolView) -> Mapping[str, str]:
    contract = view.contract
    if contract is None:
        return _contract(view)
    return {
        **_contract(view),
        "kind": contract.kind,
        "base": contract.base,
        "quote": contract.quote,
        "settle": contract.settle,
    }


def _contract_known(view: SymbolView) -> float | None:
    return None if view.contract is None else 1.0


_SYMBOL_LABELS = (
    _contract,
    *(_contract_with("field", field) for field in PRICE_FIELDS),
    *(_contract_with("position_side", side) for side in SIDES),
    _contract_info,
)
_INFO = len(_SYMBOL_LABELS) - 1


def _liquidated(name: str, attribute: str, text: str) -> Family[SymbolView]:
    """Return a counter by side of the position; both sides start at zero."""

    def sum_of(side: str) -> Callable[[SymbolView], float | None]:
        sums: Callable[[SymbolView], Mapping[str, float]] = attrgetter(attribute)
        return lambda view: None if view.proxied else sums(view).get(side, 0.0)

    columns = tuple(Column(sum_of(side), labels) for side, labels in zip(SIDES, _SIDES, strict=True))
    return Family(f"perp_{name}_total", "counter", text, columns)


def _accepted(wall: float) -> Family[SymbolView]:
    """Return the times of the last valid values: *wall* less the age on the boot clock."""

    def time_of(field: str) -> Callable[[SymbolView], float | None]:
        def time(view: SymbolView) -> float | None:
            age = view.ages.get(field)
            return None if age is None else wall - age

        return time

    text = "When the last valid value came in; time() less this is the age that decides quality."
    columns = tuple(Column(time_of(field), labels) for field, labels in zip(PRICE_FIELDS, _FIELDS, strict=True))
    return Family("perp_price_accepted_timestamp_seconds", "gauge", text, columns)


_SYMBOL = (
    _of_symbol("mark_price", "mark_price", "The price that liquidation follows, in quote currency."),
    _of_symbol("index_price", "index_price", "The venue's spot index, in quote currency."),
    _of_symbol("last_price", "last_price", "Price of the last trade, in quote currency."),
    _of_symbol("mark_price_timestamp_seconds", "mark_time", "The venue's own time of the mark price."),
    _of_symbol("funding_rate_ratio", "funding_rate", "Running funding rate per funding interval."),
    _of_symbol("funding_interval_seconds", "funding_interval_seconds", "Seconds between two funding charges."),
    Family(
        "perp_contract_info",
        "gauge",
        "Always 1; the contract in common names, whatever the venue calls it.",
        (Column(_contract_known, _INFO),),
    ),
    _of_symbol("open_interest_contracts", "open_interest_contracts", "Open contracts, one side counted."),
    _liquidated(
        "liquidated_contracts",
        "liquidated_contracts",
        "Contracts liquidated, from the public feed, by side of the position.",
    ),
    _liquidated(
        "liquidated_notional",
        "liquidated_notional",
        "Notional liquidated, from the public feed, in the settlement asset, by side of the position.",
    ),
)


def position_table(*, amounts: bool) -> Table[PositionView]:
    """Return the rows about positions; those that show sizes only where the operator switched them on."""
    families = _POSITION + _AMOUNTS if amounts else _POSITION
    return Table(attrgetter("name", "venue", "symbol", "side", "margin_mode", "settle"), (_place, _info), families)


def symbol_table(wall: float) -> Table[SymbolView]:
    """Return the rows about watched contracts for a scrape at *wall* time."""
    return Table(attrgetter("venue", "symbol", "contract"), _SYMBOL_LABELS, (*_SYMBOL, _accepted(wall)))
