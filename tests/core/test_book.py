"""The order book: chains, holes, joining a whole book, what is kept and what it tells."""

import random

import pytest

from monitor.core.book import KEPT_LEVELS, WAITING, OrderBook
from monitor.core.events import BookChange


def change(bids=(), asks=(), *, whole=False, number=None, previous=None, first=None, time=0.0):
    return BookChange("demo", "BTC", tuple(bids), tuple(asks), time, whole, number, previous, first)


def whole(number=10, bids=((99.0, 1.0), (98.0, 2.0)), asks=((101.0, 1.0), (102.0, 3.0))):
    return change(bids, asks, whole=True, number=number)


@pytest.fixture
def book():
    found = OrderBook()
    assert found.apply(whole(), 1.0)
    return found


def test_before_a_whole_book_there_is_nothing_to_tell():
    book = OrderBook()
    assert not book.apply(change([(99.0, 1.0)], number=11, previous=10), 1.0)
    assert (book.best_bid, book.best_ask, book.levels("buy"), book.contracts_within("buy", 0.1)) == (
        None,
        None,
        [],
        None,
    )


def test_a_change_sets_absolute_sizes_and_zero_removes(book):
    assert book.apply(change([(99.0, 0.0), (98.5, 4.0)], [(101.0, 7.0)], number=11, previous=10), 2.0)
    assert book.levels("sell") == [(98.5, 4.0), (98.0, 2.0)]
    assert book.levels("buy") == [(101.0, 7.0), (102.0, 3.0)]
    assert book.accepted == 2.0


def test_removing_a_level_that_is_not_there_is_normal(book):
    assert book.apply(change([(55.0, 0.0)], number=11, previous=10), 2.0)


def test_a_hole_in_the_chain_ends_the_book_at_once(book):
    assert not book.apply(change([(98.5, 4.0)], number=13, previous=12), 2.0)
    assert (book.valid, book.gaps, book.best_bid) == (False, 1, None)


def test_after_a_hole_only_a_whole_book_helps(book):
    book.apply(change(number=13, previous=12), 2.0)
    assert not book.apply(change(number=14, previous=13), 3.0)
    assert book.apply(whole(number=20), 4.0)
    assert book.best_bid == 99.0


def test_an_older_or_repeated_change_is_passed_over(book):
    book.apply(change([(98.5, 4.0)], number=11, previous=10), 2.0)
    assert book.apply(change([(98.5, 9.0)], number=11, previous=10), 3.0)
    assert book.levels("sell")[1] == (98.5, 4.0)
    assert (book.gaps, book.accepted) == (0, 2.0)


def test_an_empty_change_with_equal_numbers_keeps_the_book_fresh(book):
    assert book.apply(change(number=10, previous=10), 5.0)
    assert book.accepted == 5.0


def test_a_chain_may_be_reset_to_lower_numbers(book):
    assert book.apply(change([(98.5, 4.0)], number=3, previous=10), 2.0)
    assert book.apply(change([(98.6, 4.0)], number=4, previous=3), 3.0)


def test_a_whole_book_with_a_lower_number_begins_anew(book):
    assert book.apply(whole(number=1, bids=[(90.0, 1.0)]), 2.0)
    assert book.best_bid == 90.0


def test_a_whole_book_that_crosses_itself_is_not_used():
    book = OrderBook()
    assert not book.apply(whole(bids=[(102.0, 1.0)]), 1.0)
    assert book.gaps == 1


def test_a_numbered_change_that_crosses_the_book_ends_it(book):
    assert not book.apply(change([(101.5, 1.0)], number=11, previous=10), 2.0)


def test_without_numbers_a_newer_level_ends_the_older_ones_it_crosses():
    book = OrderBook()
    book.apply(whole(number=None), 1.0)
    assert book.apply(change([(101.5, 1.0)]), 2.0)
    assert (book.best_bid, book.best_ask) == (101.5, 102.0)
    assert book.apply(change([], [(98.5, 2.0)]), 3.0)
    assert (book.best_bid, book.best_ask) == (98.0, 98.5)


def test_changes_wait_for_the_whole_book_that_is_read_elsewhere():
    book = OrderBook()
    for last in (8, 12, 15):
        assert not book.apply(change([(99.5, float(last))], number=last, previous=last - 3, first=last - 2), 1.0)
    assert book.apply(whole(number=11), 2.0)
    assert book.levels("sell")[0] == (99.5, 15.0)
    assert book.number == 15


def test_a_whole_book_older_than_all_that_waits_has_to_be_read_again():
    book = OrderBook()
    book.apply(change(number=25, previous=20, first=21), 1.0)
    assert not book.apply(whole(number=11), 2.0)
    assert book.gaps == 1


def test_a_whole_book_ahead_of_what_waits_joins_with_what_comes():
    book = OrderBook()
    book.apply(change(number=8, previous=5, first=6), 1.0)
    assert book.apply(whole(number=11), 2.0)
    assert book.apply(change([(99.5, 1.0)], number=12, previous=9, first=10), 3.0)
    assert not book.apply(change(number=20, previous=15, first=16), 4.0)


def test_what_waits_is_bounded():
    book = OrderBook()
    for number in range(3 * WAITING):
        book.apply(change(number=number, previous=number - 1, first=number), 1.0)
    assert len(book._waiting) == WAITING


def test_only_the_best_levels_are_kept_and_the_end_of_what_is_known_is_respected():
    book = OrderBook()
    bids = [(1000.0 - level, 1.0) for level in range(3 * KEPT_LEVELS)]
    book.apply(change(bids, [(1001.0, 1.0)], whole=True, number=1), 1.0)
    assert len(book._bids.keys) == KEPT_LEVELS
    book.apply(change([(1000.0 - 2 * KEPT_LEVELS, 5.0)], number=2, previous=1), 2.0)
    assert len(book._bids.keys) == KEPT_LEVELS
    assert book.fill("sell", 10_000.0).contracts == KEPT_LEVELS


def test_a_fill_walks_the_levels_from_the_best():
    book = OrderBook()
    book.apply(change([(99.0, 1.0)], [(100.0, 1.0), (101.0, 1.0), (104.0, 2.0)], whole=True), 1.0)
    found = book.fill("buy", 3.0)
    assert (found.contracts, found.worst_price) == (3.0, 104.0)
    assert found.average_price == pytest.approx(305.0 / 3.0)


def test_a_fill_beyond_the_known_book_says_how_far_it_goes(book):
    assert book.fill("buy", 100.0).contracts == 4.0
    assert OrderBook().fill("buy", 1.0).average_price is None


def test_depth_near_the_touch_is_summed_from_the_best_price(book):
    assert book.contracts_within("buy", 0.005) == 1.0
    assert book.contracts_within("buy", 0.01) == 4.0
    assert book.contracts_within("sell", 0.02) == 3.0


def test_any_sequence_of_changes_gives_the_book_that_a_plain_dictionary_gives():
    chance = random.Random(7)
    book, bids, asks = OrderBook(), {99.0: 1.0}, {101.0: 1.0}
    book.apply(change(bids.items(), asks.items(), whole=True, number=0), 0.0)
    for number in range(1, 2000):
        below = [(round(chance.uniform(90.0, 99.9), 1), chance.choice([0.0, 1.0, 2.0])) for _ in range(3)]
        above = [(round(chance.uniform(100.0, 110.0), 1), chance.choice([0.0, 1.0, 2.0])) for _ in range(3)]
        for side, rows in ((bids, below), (asks, above)):
            for price, contracts in rows:
                side[price] = contracts
        assert book.apply(change(below, above, number=number, previous=number - 1), float(number))
    assert book.levels("sell") == sorted(((p, c) for p, c in bids.items() if c), reverse=True)
    assert book.levels("buy") == sorted((p, c) for p, c in asks.items() if c)
