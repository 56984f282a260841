"""Contracts without a feed that are watched by another venue's mark: several by one, hedged, halted, restarted."""

import random

import pytest

from monitor.core import events as ev
from monitor.core.account import Account, Position
from monitor.core.alert_event import StoredState
from monitor.core.alerts import Quality
from monitor.core.contract import LiquidationRule, Tier, TierTable
from monitor.core.pool import Terms
from monitor.engine.book import WatchedAccount
from monitor.engine.engine import Engine

EPOCH = 1_795_000_000.0
RULE = LiquidationRule("demo", "worked by hand", "2026-11-22", "mark", "notional", "none")
TABLE = TierTable((Tier(0.0, 0.004),), "by hand")
SOURCE = ("demo", "BTCUSDT")

SHORT = Position("short", "BTCUSDT", -1.0, 50_000.0, "isolated", 5_000.0, 1.0)
LONG = Position("long", "BTCUSDT", 1.0, 50_000.0, "isolated", 5_000.0, 1.0)
HEDGE = (
    Position("perpetual", "X-PERP", 10.0, 50_000.0, "cross", None, 1.0),
    Position("dated", "X-DATED", -10.0, 50_000.0, "cross", None, 1.0),
)


class Market:
    """Positions at ``dark``, which has no feed, watched by the mark of BTCUSDT at ``demo``; at ``demo`` by their own.

    The venue's clock is EPOCH ahead of the boot clock; without *clock* it has not been asked for its time.
    """

    def __init__(self, *positions, home="dark", balance=None, clock=True):
        positions = positions or (SHORT,)
        symbols = dict.fromkeys(position.symbol for position in positions)
        watched = WatchedAccount(
            Account("main", home, positions, balance=balance),
            {symbol: Terms(rule=RULE) for symbol in symbols},
            tables=dict.fromkeys(symbols, TABLE),
            contract_sizes=dict.fromkeys(symbols, 1.0),
            proxies=dict.fromkeys(symbols, SOURCE) if home == "dark" else {},
        )
        self.engine = Engine([watched], {"demo": {"mark": 1.0, "last": 2.0, "book": 5.0}}, 0.0)
        self.said = []
        if clock:
            self.hear(ev.VenueTime("demo", EPOCH), 0.0)

    def hear(self, event, now):
        found = list(self.engine.apply(event, now))
        self.said += found
        return found

    def mark(self, now, price=50_000.0, lag=0.01):
        return self.hear(ev.MarkPrice("demo", "BTCUSDT", price, EPOCH + now - lag), now)

    def tick(self, now):
        found = list(self.engine.tick(now))
        self.said += found
        return found

    def hold(self, start, stop, price=50_000.0):
        """One mark and one tick a second."""
        for second in range(start, stop):
            self.mark(float(second), price)
            self.tick(second + 0.1)

    def view(self, now, index=0):
        return self.engine.position_views(index, index + 1, now)[0]

    @property
    def kinds(self):
        return [alert.kind for alert in self.said]


@pytest.fixture
def proxied():
    found = Market()
    found.hold(1, 2)
    return found


@pytest.fixture
def hedged():
    """Long and short of 10 BTC on 60,000: one mark for both moves nothing, half of a move of 12 % takes it all."""
    found = Market(*HEDGE, balance=60_000.0)
    found.hold(1, 3)
    assert [found.view(3.0, index).quality for index in (0, 1)] == [Quality.FALLBACK, Quality.FALLBACK]
    return found


# --- several by one mark -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("step", [0.06, 0.1, 0.15])
def test_a_move_of_the_one_mark_reaches_a_hedged_account_as_a_whole(hedged, step):
    price = 50_000.0
    for second in range(3, 7):
        price *= 1.0 - step
        hedged.mark(float(second), price)
        hedged.tick(second + 0.1)
    assert hedged.said == []


def test_a_jump_that_its_second_tick_confirms_reaches_a_hedged_account_as_a_whole(hedged):
    hedged.mark(3.0, 35_000.0)
    hedged.mark(3.5, 35_001.0)
    hedged.tick(3.6)
    assert hedged.said == []
    assert [hedged.view(3.6, index).mark_price for index in (0, 1)] == [35_001.0, 35_001.0]


def test_a_jump_whose_quarantine_ends_reaches_a_hedged_account_as_a_whole(hedged):
    hedged.mark(3.0, 35_000.0)
    hedged.tick(5.1)
    assert hedged.said == []
    assert [hedged.view(5.1, index).mark_price for index in (0, 1)] == [35_000.0, 35_000.0]


def test_a_jump_is_confirmed_as_it_is_at_the_venue_itself():
    market = Market(LONG)
    market.hold(1, 2)
    market.mark(2.0, 30_000.0)
    assert market.said == []
    market.mark(2.5, 30_000.0)
    assert market.kinds == ["position.bankruptcy"]


# --- what happens to the source ------------------------------------------------------------------------------------


def test_where_the_source_is_halted_its_followers_are_unknown(proxied):
    proxied.hear(ev.ContractStatus("demo", "BTCUSDT", "SETTLING", watchable=False, event_time=EPOCH + 2.0), 2.0)
    proxied.hold(3, 4)
    assert (proxied.view(3.2).quality, proxied.view(3.2).reason) == (Quality.STALE, "suspended")


def test_where_the_source_is_refused_its_followers_are_unknown(proxied):
    proxied.hear(ev.SubscriptionRefused("demo", "BTCUSDT", "mark", "unknown symbol"), 2.0)
    proxied.tick(2.1)
    assert (proxied.view(2.2).quality, proxied.view(2.2).reason) == (Quality.STALE, "suspended")


def test_a_source_that_trades_again_is_followed_again(proxied):
    for now, watchable in ((2.0, False), (4.0, True)):
        proxied.hear(ev.ContractStatus("demo", "BTCUSDT", "", watchable=watchable, event_time=EPOCH + now), now)
        proxied.tick(now + 0.1)
    proxied.hold(5, 6)
    assert proxied.view(5.2).quality is Quality.FALLBACK


def test_where_the_source_stands_still_its_followers_are_unknown(proxied):
    proxied.hear(ev.VenueBehind("demo", 100.0, EPOCH + 2.0), 2.0)
    proxied.tick(2.5)
    assert (proxied.view(2.6).quality, proxied.view(2.6).reason) == (Quality.STALE, "late")


def test_a_first_mark_from_the_future_blinds_no_follower_once_the_source_said_its_time():
    market = Market(clock=False)
    market.mark(1.0, lag=-4_000.0)
    market.hear(ev.VenueTime("demo", EPOCH + 2.0), 2.0)
    market.hold(3, 20)
    assert market.view(19.2).quality is Quality.FALLBACK


# --- alerts of data ------------------------------------------------------------------------------------------------


def test_a_feed_of_followers_that_is_back_is_called_an_estimate(proxied):
    for second in range(2, 60):
        proxied.tick(float(second))
    proxied.hold(60, 75)
    assert [(alert.kind, alert.venue, alert.quality) for alert in proxied.said] == [
        ("feed.down", "dark", Quality.STALE),
        ("feed.recovered", "dark", Quality.FALLBACK),
    ]


def test_a_feed_that_was_down_when_its_venue_had_positions_is_left_to_be_ended():
    """It has only a mark that others follow now: nothing of its own would ever bring it back."""
    stored = StoredState("feed:demo", data_alerted=True, seq=3, episode=1)
    market = Market()
    assert market.engine.restore([stored]) == [stored]
    market.hold(1, 3)
    (view,) = [view for view in market.engine.venue_views(3.0, EPOCH + 3.0) if view.venue == "demo"]
    assert view.up


def test_a_restart_neither_repeats_nor_resolves_what_was_said(proxied):
    proxied.mark(2.0, 54_500.0)
    assert proxied.kinds == ["position.critical"]
    after = Market()
    assert after.engine.restore(proxied.engine.states()) == []
    after.tick(0.5)
    after.hold(1, 3, 54_500.0)
    assert after.said == []


@pytest.mark.parametrize("seed", range(40))
def test_a_proxied_position_lives_as_one_at_the_source_itself_does_but_never_for_certain(seed):
    chance = random.Random(seed)
    own, follower = Market(home="demo"), Market()
    now, price = 1.0, 50_000.0
    for _ in range(300):
        now += chance.choice((0.3, 1.0, 1.0, 1.0, 8.0))
        if chance.random() < 0.7:
            leap = 10.0 if chance.random() < 0.03 else 1.0
            price = min(max(price * (1.0 + leap * chance.gauss(0.0, 0.012)), 40_000.0), 60_000.0)
            lag = chance.choice((0.01, 0.01, 0.01, 4.0))
            own.mark(now, price, lag)
            follower.mark(now, price, lag)
        else:
            own.tick(now)
            follower.tick(now)
        assert follower.kinds == own.kinds
    assert Quality.LIVE not in {alert.quality for alert in follower.said}
