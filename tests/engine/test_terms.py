"""What a venue says of a contract: units, ends, rhythms, refusals; and contracts that are watched by another's mark."""

import pytest

from monitor.core import events as ev
from monitor.core.account import Account, Position
from monitor.core.alerts import Quality
from monitor.core.contract import LiquidationRule, Tier, TierTable
from monitor.core.pool import Terms
from monitor.engine.book import WatchedAccount
from monitor.engine.engine import Engine

EPOCH = 1_795_000_000.0
RULE = LiquidationRule("demo", "worked by hand", "2026-11-22", "mark", "notional", "none")
TABLE = TierTable((Tier(0.0, 0.004),), "by hand")


def contract(size=1.0, kind="linear", delivery=None, status="TRADING", watchable=True):
    return ev.ContractTerms(
        "demo", "BTCUSDT", kind, size, "BTC", "USDT", "USDT", status, watchable, delivery_time=delivery
    )


class Market:
    """One short of 1 BTC at 50,000 with 5,000 margin; ``home`` may be a venue that has no feed."""

    def __init__(self, *, rule=RULE, tables=True, proxy=None):
        position = Position("short", "BTCUSDT", -1.0, 50_000.0, "isolated", 5_000.0, 1.0)
        self.home = "demo" if proxy is None else "dark"
        watched = WatchedAccount(
            Account("main", self.home, (position,)),
            {"BTCUSDT": Terms(rule=rule)},
            tables={"BTCUSDT": TABLE} if tables else {},
            contract_sizes={"BTCUSDT": 1.0},
            proxies={} if proxy is None else {"BTCUSDT": proxy},
        )
        expected = {"demo": {"mark": 1.0, "last": 2.0, "book": 5.0}}
        self.engine = Engine([watched], expected, 0.0)
        self.engine.apply(ev.VenueTime("demo", EPOCH), 0.0)
        self.said = []

    def hear(self, event, now):
        found = list(self.engine.apply(event, now))
        self.said += found
        return found

    def mark(self, now, price=50_000.0):
        return self.hear(ev.MarkPrice("demo", "BTCUSDT", price, EPOCH + now - 0.01), now)

    def tick(self, now):
        found = list(self.engine.tick(now))
        self.said += found
        return found

    def view(self, now):
        return self.engine.position_views(0, 1, now)[0]


@pytest.fixture
def market():
    found = Market()
    found.mark(1.0)
    return found


def test_a_contract_in_other_units_makes_its_positions_unknown_and_says_so_at_once(market):
    market.hear(contract(1.0), 1.5)
    (alert,) = market.hear(contract(10.0), 2.0)
    assert (alert.kind, alert.reason, alert.severity) == ("position.terms_changed", "contract_size", "critical")
    assert (market.view(2.0).quality, market.view(2.0).reason) == (Quality.STALE, "terms")
    assert market.view(2.0).liquidation_distance_ratio is None


def test_no_level_is_worked_out_from_mixed_units(market):
    market.hear(contract(10.0), 2.0)
    for second, price in enumerate((52_500.0, 53_900.0, 54_900.0, 55_100.0), 3):
        assert market.mark(float(second), price) == []
        market.tick(second + 0.5)
    assert [alert.kind for alert in market.said] == ["position.terms_changed"]


def test_a_contract_of_another_kind_is_in_other_units(market):
    (alert,) = market.hear(contract(kind="inverse"), 2.0)
    assert alert.reason == "kind"


def test_units_that_are_right_again_are_watched_again(market):
    market.hear(contract(10.0), 2.0)
    market.hear(contract(1.0), 3.0)
    market.mark(3.1)
    assert market.view(3.2).quality is Quality.LIVE


def test_a_size_that_differs_by_rounding_alone_is_the_same(market):
    assert market.hear(contract(1.0 + 1e-12), 2.0) == []


def test_a_delivery_date_that_comes_into_sight_is_announced_once(market):
    market.hear(contract(), 2.0)
    (alert,) = market.hear(contract(delivery=EPOCH + 86_400.0), 3.0)
    assert (alert.kind, alert.reason, alert.severity) == ("position.terms_changed", "delisting", "warning")
    assert market.hear(contract(delivery=EPOCH + 86_400.0), 4.0) == []


def test_a_dated_contract_has_its_date_from_the_beginning(market):
    assert market.hear(contract(delivery=EPOCH + 86_400.0), 2.0) == []


def test_another_funding_rhythm_is_announced(market):
    assert market.hear(ev.FundingTerms("demo", "BTCUSDT", 28_800.0), 2.0) == []
    (alert,) = market.hear(ev.FundingTerms("demo", "BTCUSDT", 14_400.0), 3.0)
    assert (alert.kind, alert.reason) == ("position.terms_changed", "funding_interval")


def test_a_refused_subscription_of_marks_makes_a_position_unwatchable(market):
    (alert,) = market.hear(ev.SubscriptionRefused("demo", "BTCUSDT", "mark", "unknown symbol"), 2.0)
    assert (alert.kind, alert.reason) == ("position.unwatchable", "refused")
    assert market.view(2.0).quality is Quality.STALE


def test_a_refusal_of_anything_but_marks_leaves_the_position_watched(market):
    assert market.hear(ev.SubscriptionRefused("demo", "BTCUSDT", "depth", "no"), 2.0) == []
    assert market.view(2.0).quality is Quality.LIVE


def test_terms_that_come_after_a_refusal_do_not_hide_it(market):
    market.hear(ev.SubscriptionRefused("demo", "BTCUSDT", "mark", "unknown symbol"), 2.0)
    assert market.hear(contract(), 3.0) == []
    assert market.view(3.0).quality is Quality.STALE


def test_a_mark_that_comes_after_all_ends_a_refusal(market):
    market.hear(ev.SubscriptionRefused("demo", "BTCUSDT", "mark", "unknown symbol"), 2.0)
    market.mark(3.0)
    assert market.view(3.1).quality is Quality.LIVE


def test_a_ladder_without_deductions_gets_those_that_its_rule_builds():
    market = Market(
        rule=LiquidationRule("demo", "by hand", "2026-11-22", "mark", "notional", "none", deduction="built")
    )
    market.mark(1.0)
    market.hear(ev.TierTableChanged("demo", "BTCUSDT", ((0.0, 0.004, 0.0), (10_000.0, 0.01, 0.0)), EPOCH), 2.0)
    facts = market.engine._venues["demo"].symbols["BTCUSDT"]
    assert [tier.deduction for tier in facts.table.tiers] == [0.0, 60.0]


def test_a_ladder_that_lacks_published_deductions_is_not_taken():
    market = Market(
        rule=LiquidationRule("demo", "by hand", "2026-11-22", "mark", "notional", "none", deduction="published")
    )
    market.mark(1.0)
    market.hear(ev.TierTableChanged("demo", "BTCUSDT", ((0.0, 0.004, 0.0), (10_000.0, 0.01, 0.0)), EPOCH), 2.0)
    assert market.engine._venues["demo"].symbols["BTCUSDT"].table is None


def test_the_same_ladder_again_is_no_news(market):
    rows = ((0.0, 0.01, 0.0),)
    assert market.hear(ev.TierTableChanged("demo", "BTCUSDT", rows, EPOCH), 2.0)
    before = market.engine._venues["demo"].symbols["BTCUSDT"].table
    market.hear(ev.TierTableChanged("demo", "BTCUSDT", rows, EPOCH + 1.0), 3.0)
    assert market.engine._venues["demo"].symbols["BTCUSDT"].table is before


def test_the_worth_of_liquidated_contracts_is_in_the_settlement_asset(market):
    market.hear(contract(0.01), 2.0)
    market.hear(ev.Liquidation("demo", "BTCUSDT", "long", 200.0, 50_000.0, "fill", EPOCH + 2.0), 2.1)
    (view,) = market.engine.symbol_views(2.2)
    assert view.liquidated_notional["long"] == 100_000.0
    market.hear(contract(100.0, kind="inverse"), 3.0)
    market.hear(ev.Liquidation("demo", "BTCUSDT", "short", 200.0, 50_000.0, "fill", EPOCH + 3.0), 3.1)
    (view,) = market.engine.symbol_views(3.2)
    assert view.liquidated_notional["short"] == 0.4


# --- a contract without a feed, by another one's mark ----------------------------------------------------------


@pytest.fixture
def proxied():
    found = Market(proxy=("demo", "BTCUSDT"))
    found.mark(1.0)
    return found


def test_a_proxied_position_is_watched_by_the_other_mark_and_called_an_estimate(proxied):
    view = proxied.view(1.1)
    assert (view.venue, view.quality, view.estimate) == ("dark", Quality.FALLBACK, True)
    assert (view.mark_price, view.price_source) == (50_000.0, "proxy demo BTCUSDT")
    assert view.liquidation_distance_ratio == pytest.approx(0.0956, abs=1e-4)


def test_an_alert_of_a_proxied_position_says_what_it_rests_on(proxied):
    (alert,) = proxied.mark(2.0, 53_000.0)
    assert (alert.kind, alert.venue, alert.quality) == ("position.warning", "dark", Quality.FALLBACK)
    assert alert.price_source == "proxy demo BTCUSDT"


def test_a_proxied_position_recovers_by_the_same_marks(proxied):
    proxied.mark(2.0, 53_000.0)
    for second in range(3, 90):
        proxied.mark(float(second), 50_000.0)
        proxied.tick(float(second) + 0.1)
    assert "position.resolved" in [alert.kind for alert in proxied.said]


def test_without_the_other_mark_a_proxied_position_is_unknown(proxied):
    for second in range(2, 60):
        proxied.tick(float(second))
    view = proxied.view(60.0)
    assert (view.quality, view.liquidation_distance_ratio) == (Quality.STALE, None)
    assert [alert.kind for alert in proxied.said] == ["feed.down"]


def test_a_jump_is_held_back_for_a_proxied_position_too(proxied):
    assert proxied.mark(2.0, 90_000.0) == []
    assert proxied.view(2.1).mark_price == 50_000.0


def test_a_jump_that_is_confirmed_reaches_the_proxied_position(proxied):
    proxied.mark(2.0, 90_000.0)
    proxied.mark(2.5, 90_000.0)
    assert [alert.kind for alert in proxied.said] == ["position.bankruptcy"]


# --- a venue that stands still ---------------------------------------------------------------------------------


def test_a_venue_that_stands_still_by_its_own_account_is_not_live_whatever_it_repeats(market):
    market.hear(ev.VenueBehind("demo", 31.0, EPOCH + 2.0), 2.0)
    market.mark(2.5)
    market.tick(3.0)
    assert (market.view(3.0).quality, market.view(3.0).reason) == (Quality.STALE, "late")
    market.hear(ev.VenueBehind("demo", 2.0, EPOCH + 4.0), 4.0)
    market.mark(4.5)
    assert market.view(4.6).quality is Quality.LIVE


def test_an_older_figure_of_a_fund_does_not_replace_a_newer_one(market):
    for time, balance in ((5.0, 700.0), (3.0, 900.0)):
        market.hear(ev.InsuranceFund("demo", "BTCUSDT", "USDT", balance, ("BTCUSDT",), EPOCH + time), time)
    assert [fund.balance for fund in market.engine.fund_views()] == [700.0]
