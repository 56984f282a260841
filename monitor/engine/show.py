"""Views of the engine's state: what a scrape or a page sees. Unknown is None, never 0."""

from __future__ import annotations

from monitor.core.alerts import Quality
from monitor.core.levels import Levels
from monitor.engine.facts import SymbolFacts
from monitor.engine.views import PositionView, SymbolView
from monitor.engine.watch import Watch

BOOK_SECONDS = 60.0
"""A book that was not brought up to date for longer than this is not shown: its feed may be gone."""


def position(watch: Watch, now: float, present: Levels | None = None) -> PositionView:
    """Return one position; what follows from the mark is worked out here, and only while the price is known.

    *present* are its levels at this moment where they move with other marks.
    """
    state, levels, facts = watch.state, present or watch.levels, watch.facts
    lines = watch.lines if present is None else present.lines()
    price, source = None, ""
    if state.quality is Quality.LIVE:
        price, source = facts.mark.value, "mark"
    elif state.quality is Quality.FALLBACK:
        candidates = facts.fallback(now)
        if candidates:
            price, source = max(candidates, key=lambda c: lines.danger * c[0])
    liquidation = bankruptcy = equity = requirement = notional = None
    if price is not None:
        if levels.liquidation_price is not None:
            liquidation = lines.distance(price)
        if levels.bankruptcy_price is not None:
            bankruptcy = lines.bankruptcy_distance(price)
        amounts = watch.amounts(price, levels)
        if present is not None and price == facts.mark.value:
            notional, equity, requirement = present.notional, present.equity, present.maintenance_margin
        elif amounts is not None:
            notional, equity, requirement = amounts
    return PositionView(
        name=watch.position.name,
        account=watch.book.account.name,
        venue=watch.book.account.venue,
        symbol=watch.position.symbol,
        side=watch.position.side,
        margin_mode=watch.position.margin_mode,
        settle=facts.settle,
        estimate=bool(facts.proxy) or state.quality is not Quality.LIVE,
        level=state.level,
        quality=watch.shown_quality,
        reason=state.reason,
        status=levels.status,
        mark_price=price,
        price_source=watch.shown_source(source),
        liquidation_price=None if watch.mixed else levels.liquidation_price,
        bankruptcy_price=None if watch.mixed else levels.bankruptcy_price,
        liquidation_distance_ratio=liquidation,
        bankruptcy_distance_ratio=bankruptcy,
        margin_ratio=requirement / equity if requirement is not None and equity is not None and equity > 0.0 else None,
        notional=notional,
        equity=equity,
        maintenance_margin=requirement,
        drift_ratio=watch.drift_ratio,
    )


def symbol(facts: SymbolFacts, now: float) -> SymbolView:
    """Return one contract."""
    fields = {"mark": facts.mark, "index": facts.index, "last": facts.last, "book": facts.book}
    fresh_book = now - facts.depth.accepted <= BOOK_SECONDS
    seen = {name: field for name, field in fields.items() if field.accepted > float("-inf")}
    return SymbolView(
        venue=facts.venue,
        symbol=facts.symbol,
        mark_price=facts.mark.value if "mark" in seen else None,
        mark_time=facts.mark.time if "mark" in seen else None,
        index_price=facts.index.value if "index" in seen else None,
        last_price=facts.last.value if "last" in seen else None,
        ages={name: field.age(now) for name, field in seen.items()},
        funding_rate=facts.funding_rate,
        next_funding_time=facts.next_funding_time,
        funding_interval_seconds=facts.funding_interval,
        open_interest_contracts=facts.open_interest,
        status=facts.status,
        liquidated_contracts=dict(facts.liquidated_contracts),
        liquidated_notional=dict(facts.liquidated_notional),
        proxied=bool(facts.proxy),
        contract=facts.contract,
        bid_price=facts.depth.best_bid if fresh_book else None,
        ask_price=facts.depth.best_ask if fresh_book else None,
        adl=facts.adl,
        table=facts.table,
        fact_ages=_ages(facts, now),
    )


def _ages(facts: SymbolFacts, now: float) -> dict[str, float]:
    ages = {name: now - came for name, came in facts.came.items()}
    if facts.depth.valid:
        ages["depth"] = now - facts.depth.accepted
    return ages
