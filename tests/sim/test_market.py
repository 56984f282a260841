import pytest

from monitor.sim.market import Listing, Market, Pool


@pytest.fixture
def market():
    listing = Listing(symbol="X", base="X", quote="Y", mark_price=100.0, index_price=101.0, last_price=99.0)
    market = Market([listing], [Pool(symbols=("X",), balances={"Y": 5.0})])
    market.reset(wall=1_795_169_703.0)
    return market


def prices(market):
    instrument = market.instrument("X")
    return instrument.mark_price, instrument.index_price, instrument.last_price


def test_index_and_last_follow_the_mark_price_in_proportion(market):
    market.set_mark("X", 200.0)
    assert prices(market) == (200.0, 202.0, 198.0)


def test_a_held_price_does_not_follow_until_it_is_let_go(market):
    market.set_last("X", 90.0)
    market.set_index("X", 95.0)
    market.set_mark("X", 200.0)
    assert prices(market) == (200.0, 95.0, 90.0)
    market.set_last("X", None)
    market.set_index("X", None)
    assert prices(market) == (200.0, 202.0, 198.0)


def test_a_ramp_is_a_straight_line_that_ends_at_its_target(market):
    market.ramp("X", 110.0, seconds=4.0, now=10.0)
    seen = []
    for now in (10.0, 11.0, 12.0, 14.0, 20.0):
        market.advance(now)
        seen.append(market.instrument("X").mark_price)
    assert seen == [100.0, 102.5, 105.0, 110.0, 110.0]


def test_a_new_ramp_starts_where_the_last_one_has_got_to(market):
    market.ramp("X", 110.0, seconds=4.0, now=0.0)
    market.ramp("X", 105.0, seconds=1.0, now=2.0)
    market.advance(2.0)
    assert market.instrument("X").mark_price == 105.0


def test_a_price_set_at_once_ends_the_ramp(market):
    market.ramp("X", 110.0, seconds=4.0, now=0.0)
    market.set_mark("X", 50.0)
    market.advance(2.0)
    assert market.instrument("X").mark_price == 50.0


def test_a_wick_moves_the_last_price_alone_and_returns(market):
    market.wick("X", 120.0, seconds=4.0, now=0.0)
    market.advance(3.9)
    assert prices(market) == (100.0, 101.0, 120.0)
    market.advance(4.0)
    assert prices(market) == (100.0, 101.0, 99.0)


def test_a_second_wick_returns_to_before_the_first(market):
    market.wick("X", 120.0, seconds=4.0, now=0.0)
    market.wick("X", 130.0, seconds=4.0, now=2.0)
    market.advance(6.0)
    assert market.instrument("X").last_price == 99.0


def test_a_reset_brings_back_the_beginning(market):
    market.set_mark("X", 200.0)
    market.ramp("X", 300.0, seconds=4.0, now=0.0)
    market.pools[0].balances["Y"] = 0.0
    market.reset(wall=0.0)
    market.advance(9.0)
    assert prices(market) == (100.0, 101.0, 99.0)
    assert market.pools[0].balances == {"Y": 5.0}
