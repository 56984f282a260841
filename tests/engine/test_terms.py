"""What a venue says of a contract: units, ends, rhythms, refusals; and contracts that are watched by another's mark."""

import random

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


LEVELS = {"position.warning", "position.critical", "position.liquidation", "position.bankruptcy"}


def contract(size=1.0, kind="linear", delivery=None, status="TRADING", watchable=True, symbol="BTCUSDT"):
    return ev.ContractTerms(
        "demo", symbol, kind, size, "BTC", "USDT", "USDT", status, watchable, delivery_time=delivery
    )


def two(margin_mode):
    """A long of 1 BTC and one of 10 ETH, each with 5,000 margin if isolated."""
    margin = 5_000.0 if margin_mode == "isolated" else None
    return (
        Position("btc", "BTCUSDT", 1.0, 50_000.0, margin_mode, margin, 1.0),
        Position("eth", "ETHUSDT", 10.0, 3_000.0, margin_mode, margin, 1.0),
    )


class Market:
    """One short of 1 BTC at 50,000 with 5,000 margin, unless *positions* are given; ``home`` may be a venue that has
    no feed.
    """

    def __init__(self, *positions, rule=RULE, tables=True, proxy=None, balance=None, kind="linear"):
        positions = positions or (Position("short", "BTCUSDT", -1.0, 50_000.0, "isolated", 5_000.0, 1.0),)
        symbols = [position.symbol for position in positions]
        self.home = "demo" if proxy is None else "dark"
        watched = WatchedAccount(
            Account("main", self.home, positions, balance=balance),
            {symbol: Terms(rule=rule, kind=kind) for symbol in symbols},
            tables=dict.fromkeys(symbols, TABLE) if tables else {},
            contract_sizes=dict.fromkeys(symbols, 1.0),
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

    def mark(self, now, price=50_000.0, symbol="BTCUSDT", lag=0.01):
        return self.hear(ev.MarkPrice("demo", symbol, price, EPOCH + now - lag), now)

    def tick(self, now):
        found = list(self.engine.tick(now))
        self.said += found
        return found

    def view(self, now, index=0):
        return self.engine.position_views(index, index + 1, now)[0]

    @property
    def kinds(self):
        return [alert.kind for alert in self.said]

    @property
    def levels(self):
        return [kind for kind in self.kinds if kind in LEVELS]


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
    assert market.hear(contract(delivery=EPOCH + 60 * 86_400.0), 2.0) == []


def test_an_end_that_is_near_is_told_at_first_sight_too(market):
    (alert,) = market.hear(contract(delivery=EPOCH + 86_400.0), 2.0)
    assert (alert.kind, alert.reason, alert.after) == ("position.terms_changed", "delisting", EPOCH + 86_400.0)


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
    assert market.hear(ev.TierTableChanged("demo", "BTCUSDT", rows, EPOCH + 1.0), 3.0) == []


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


# --- mixed units, whichever way they come --------------------------------------------------------------------------


def test_a_price_that_stands_in_works_out_no_level_from_mixed_units(market):
    market.hear(contract(10.0), 2.0)
    for second in range(3, 40):
        market.hear(ev.LastPrice("demo", "BTCUSDT", 54_900.0 + second, EPOCH + second), float(second))
        market.tick(second + 0.1)
    assert market.levels == []
    assert market.view(39.5).quality is Quality.STALE


def test_units_that_were_wrong_before_the_first_mark_give_no_level():
    market = Market()
    market.hear(contract(10.0), 0.5)
    market.mark(1.0, 54_900.0)
    market.tick(1.5)
    assert market.levels == []


def test_a_level_that_was_reached_in_mixed_units_is_said_once_they_are_right_again(market):
    market.hear(contract(10.0), 2.0)
    market.mark(3.0, 54_500.0)
    market.hear(contract(1.0), 4.0)
    market.mark(4.5, 54_501.0)
    assert market.levels == ["position.critical"]


def test_a_jump_and_a_new_size_within_a_second_make_no_level():
    """A contract that is made ten times as big at a tenth of the price."""
    market = Market(Position("long", "BTCUSDT", 1.0, 50_000.0, "isolated", 5_000.0, 1.0))
    market.mark(1.0)
    market.mark(2.0, 5_000.0)
    market.hear(contract(10.0), 2.5)
    for second in range(3, 13):
        market.mark(float(second), 5_000.0 + second)
        market.tick(second + 0.1)
    assert market.levels == []


@pytest.fixture
def cross():
    found = Market(*two("cross"), balance=12_000.0)
    found.mark(1.0)
    found.mark(1.0, 3_000.0, "ETHUSDT")
    found.tick(1.2)
    assert [found.view(1.3, index).quality for index in (0, 1)] == [Quality.LIVE, Quality.LIVE]
    return found


def test_what_shares_collateral_with_mixed_units_is_unknown_too(cross):
    cross.hear(contract(10.0), 2.0)
    assert [cross.view(2.0, index).quality for index in (0, 1)] == [Quality.STALE, Quality.STALE]


def test_what_shares_collateral_with_mixed_units_reaches_no_level(cross):
    cross.hear(contract(10.0), 2.0)
    for second in range(3, 15):
        cross.mark(float(second), 50_000.0 - 1_200.0 * (second - 2))
        cross.mark(float(second), 3_000.0 + second, "ETHUSDT")
        cross.tick(second + 0.1)
    assert cross.levels == []


def test_an_isolated_neighbour_of_mixed_units_is_watched_on():
    market = Market(*two("isolated"))
    market.mark(1.0)
    market.mark(1.0, 3_000.0, "ETHUSDT")
    market.hear(contract(10.0), 2.0)
    assert [market.view(2.0, index).quality for index in (0, 1)] == [Quality.STALE, Quality.LIVE]
    market.mark(3.0, 2_600.0, "ETHUSDT")
    assert market.levels == ["position.warning"]


# --- two sources that differ ---------------------------------------------------------------------------------------

TURNS = {
    "contract size": (lambda odd, _now: contract(1.0 if odd else 10.0), 1),
    "delivery time": (lambda odd, _now: contract(delivery=EPOCH + 1e6 if odd else EPOCH + 2e6), 2),
    "funding interval": (lambda odd, _now: ev.FundingTerms("demo", "BTCUSDT", 28_800.0 if odd else 14_400.0), 2),
    "tiers": (
        lambda odd, now: ev.TierTableChanged("demo", "BTCUSDT", ((0.0, 0.004 if odd else 0.04, 0.0),), EPOCH + now),
        2,
    ),
}


@pytest.mark.parametrize(("says", "times"), TURNS.values(), ids=TURNS)
def test_terms_that_come_and_go_are_announced_once_each(market, says, times):
    for turn in range(20):
        market.hear(says(turn % 2, 2.0 + turn), 2.0 + turn)
    assert market.kinds == ["position.terms_changed"] * times


def test_terms_that_are_as_they_were_more_than_an_hour_ago_are_news(market):
    for now, seconds in ((2.0, 28_800.0), (3.0, 14_400.0), (4.0, 28_800.0), (3_700.0, 14_400.0)):
        market.hear(ev.FundingTerms("demo", "BTCUSDT", seconds), now)
    assert [alert.arrived for alert in market.said] == [3.0, 4.0, 3_700.0]


def test_a_deduction_in_coins_is_not_taken_for_rounding():
    """Half a dollar may be; half a coin is a ladder of something else."""
    market = Market(tables=False, kind="inverse")
    rows = ((0.0, 0.004, 0.0), (10.0, 0.01, 0.5))
    market.hear(ev.TierTableChanged("demo", "BTCUSDT", rows, EPOCH), 2.0)
    assert market.engine._venues["demo"].symbols["BTCUSDT"].table is None


# --- refusals ------------------------------------------------------------------------------------------------------


def refuse(market, now):
    return market.hear(ev.SubscriptionRefused("demo", "BTCUSDT", "mark", "unknown symbol"), now)


def test_a_stream_that_is_refused_again_and_again_while_a_poll_brings_marks_is_said_once(market):
    for second in range(2, 400):
        if second % 60 == 0:
            refuse(market, float(second))
        market.mark(second + 0.5)
        market.tick(second + 0.6)
    assert market.kinds == ["position.unwatchable", "feed.recovered"]


def test_a_second_refusal_counts_once_no_marks_come_another_way(market):
    refuse(market, 2.0)
    for second in range(3, 20):
        market.mark(float(second))
        market.tick(second + 0.1)
    refuse(market, 30.0)
    assert market.kinds == ["position.unwatchable", "feed.recovered", "position.unwatchable"]


def test_a_late_mark_does_not_end_a_refusal(market):
    refuse(market, 2.0)
    market.mark(10.0, 50_100.0, lag=5.0)
    market.tick(10.1)
    assert (market.view(10.2).quality, market.view(10.2).reason) == (Quality.STALE, "status")


# --- order books ---------------------------------------------------------------------------------------------------


def test_the_best_prices_of_a_book_that_is_not_kept_up_any_more_are_not_shown(market):
    rows = ((49_990.0, 1.0),), ((50_010.0, 1.0),)
    market.hear(ev.BookChange("demo", "BTCUSDT", *rows, EPOCH + 1.0, whole=True, number=5), 1.0)
    shown = [next(market.engine.symbol_views(now)) for now in (61.0, 61.1)]
    assert [(view.bid_price, view.ask_price) for view in shown] == [(49_990.0, 50_010.0), (None, None)]


# --- all of it together --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("margin_mode", ["cross", "isolated"])
@pytest.mark.parametrize("seed", range(25))
def test_whatever_happens_nothing_is_live_or_resolved_while_something_is_wrong(seed, margin_mode):
    chance = random.Random(seed)
    market = Market(*two(margin_mode), balance=9_000.0 if margin_mode == "cross" else None)
    prices = {"BTCUSDT": 50_000.0, "ETHUSDT": 3_000.0}
    wrong, behind, now = set(), False, 1.0
    for _ in range(400):
        now += 0.8 * chance.random()
        symbol, turn, bad = chance.choice(list(prices)), chance.random(), chance.random() < 0.5
        if turn < 0.7:
            prices[symbol] *= 1.0 + chance.gauss(0.0, 0.01)
            said = market.mark(now, prices[symbol], symbol)
        elif turn < 0.74:
            said = market.hear(contract(10.0 if bad else 1.0, symbol=symbol), now)
            wrong -= {(symbol, "units"), (symbol, "halted")}
            wrong |= {(symbol, "units")} if bad else set()
        elif turn < 0.77:
            said = market.hear(ev.ContractStatus("demo", symbol, "", not bad, EPOCH + now), now)
            wrong -= {(symbol, "halted")}
            wrong |= {(symbol, "halted")} if bad else set()
        elif turn < 0.79:
            market.hear(ev.VenueBehind("demo", 100.0 if bad else 0.0, EPOCH + now), now)
            behind = bad
            said = market.tick(now)
        else:
            said = market.tick(now)
        hit = {name for name, _ in wrong}
        if behind or (hit and margin_mode == "cross"):
            hit = set(prices)
        views = [market.view(now, index) for index in (0, 1)]
        assert not [view for view in views if view.symbol in hit and view.quality is Quality.LIVE]
        assert not [alert for alert in said if alert.symbol in hit and alert.kind == "position.resolved"]


# --- over a restart --------------------------------------------------------------------------------------------


def restarted(before, **options):
    """Return a market that takes up what *before* has stored."""
    after = Market(**options)
    after.engine.restore([*before.engine.states(), *before.engine.unsaved()])
    return after


def test_a_ladder_that_the_venue_announced_still_counts_after_a_restart(market):
    market.hear(ev.TierTableChanged("demo", "BTCUSDT", ((0.0, 0.02, 0.0),), EPOCH), 2.0)
    again = restarted(market)
    again.mark(1.0)
    assert again.view(1.1).liquidation_price == market.view(2.1).liquidation_price == pytest.approx(53_921.5686)


def test_a_ladder_that_the_operator_brought_since_wins_over_a_stored_one(market, monkeypatch):
    market.hear(ev.TierTableChanged("demo", "BTCUSDT", ((0.0, 0.02, 0.0),), EPOCH), 2.0)
    monkeypatch.setitem(globals(), "TABLE", TierTable((Tier(0.0, 0.005),), "a newer file"))
    again = restarted(market)
    again.mark(1.0)
    assert again.view(1.1).liquidation_price == pytest.approx(55_000.0 / 1.005)


def test_what_changed_while_nobody_watched_is_told_after_the_restart(market):
    market.hear(contract(), 2.0)
    market.hear(ev.FundingTerms("demo", "BTCUSDT", 28_800.0), 2.0)
    again = restarted(market)
    (alert,) = again.hear(ev.FundingTerms("demo", "BTCUSDT", 3_600.0), 1.0)
    assert (alert.reason, alert.before, alert.after) == ("funding_interval", 28_800.0, 3_600.0)


def test_an_end_that_was_told_before_a_restart_is_not_told_again(market):
    market.hear(contract(delivery=EPOCH + 86_400.0), 2.0)
    assert restarted(market).hear(contract(delivery=EPOCH + 86_400.0), 1.0) == []


def test_no_line_is_shown_of_a_contract_in_other_units(market):
    market.hear(contract(10.0), 2.0)
    assert (market.view(2.1).liquidation_price, market.view(2.1).bankruptcy_price) == (None, None)


def test_wrong_units_that_were_told_before_a_restart_are_not_told_again(market):
    market.hear(contract(10.0), 2.0)
    again = restarted(market)
    assert again.hear(contract(10.0), 1.0) == []
    again.mark(1.5)
    assert again.view(1.6).quality is not Quality.LIVE
    assert restarted(again).hear(contract(10.0), 1.0) == []


def test_wrong_units_are_told_again_once_they_were_right(market):
    market.hear(contract(10.0), 2.0)
    again = restarted(market)
    again.hear(contract(1.0), 1.0)
    assert [alert.reason for alert in again.hear(contract(10.0), 2.0)] == ["contract_size"]


def test_a_ladder_that_comes_back_is_told_like_the_one_that_it_replaces(market):
    safe, harsh = ((0.0, 0.004, 0.0),), ((0.0, 0.05, 0.0),)
    assert market.hear(ev.TierTableChanged("demo", "BTCUSDT", safe, EPOCH), 2.0) == []
    for now, rows in ((3.0, harsh), (4.0, safe)):
        market.hear(ev.TierTableChanged("demo", "BTCUSDT", rows, EPOCH), now)
    told = [alert for alert in market.said if alert.kind == "position.terms_changed"]
    assert [round(alert.after) for alert in told] == [52_381, 54_781]


def test_only_a_status_that_is_news_has_the_terms_read_again(market):
    market.hear(contract(), 2.0)
    same, other = (ev.ContractStatus("demo", "BTCUSDT", word, True, EPOCH) for word in ("TRADING", "POST_ONLY"))
    for second in range(3, 9):
        market.hear(same, float(second))
    assert market.engine.jumps("demo") == 0
    market.hear(other, 9.0)
    assert market.engine.jumps("demo") == 1
