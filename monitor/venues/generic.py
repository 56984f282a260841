"""Any other exchange: its rule is named in the operator's file, under ``terms.SYMBOL.rule``.

There is none to ship: a venue that nobody has read gets no guess. The forms to choose from are those of
``monitor.core.contract.LiquidationRule``. As worked examples, each checked against figures of its venue: Gate is
``maintenance: mark`` with ``closing_fee: mark_notional``; KuCoin isolated ``maintenance: fixed`` with the amount that
it reports; BitMEX (closed since 2026-09-23) and Bybit before 2025-09-02 ``maintenance: entry``.
"""

from __future__ import annotations

from monitor.core.contract import LiquidationRule

RULES: dict[str, LiquidationRule] = {}
