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


# --- what the numbers and times of messages say -------------------------------------------------------------------


def test_a_side_whose_known_levels_are_used_up_is_not_an_empty_side():
    book = OrderBook()
    bids = [(1000.0 - level, 1.0) for level in range(3 * KEPT_LEVELS)]
    book.apply(change(bids, [(1001.0, 1.0)], whole=True, number=1), 1.0)
    gone = [(price, 0.0) for price, _ in bids[:KEPT_LEVELS]]
    assert not book.apply(change(gone, number=2, previous=1), 2.0)
    assert book.gaps == 1


def test_a_side_that_is_known_to_its_end_may_be_empty(book):
    assert book.apply(change([(99.0, 0.0), (98.0, 0.0)], number=11, previous=10), 2.0)
    assert book.best_bid is None


def test_lower_numbers_with_newer_times_are_a_hole_and_no_old_messages(book):
    assert not book.apply(change([(98.5, 4.0)], number=3, previous=2, time=5.0), 2.0)
    assert book.gaps == 1


def test_a_number_that_builds_on_nothing_is_a_hole(book):
    assert not book.apply(change([(99.0, 0.0)], number=11, time=1.0), 2.0)


def test_a_whole_book_that_is_older_than_the_known_one_is_passed_over(book):
    """The first frame of a second connection, made a moment before what the old one has brought already."""
    for number in (11, 12):
        book.apply(change([(98.5, 4.0)], number=number, previous=number - 1, time=float(number)), 2.0)
    assert book.apply(change([(90.0, 1.0)], [(101.0, 1.0)], whole=True, number=11, time=11.0), 3.0)
    assert (book.number, book.best_bid) == (12, 99.0)


def test_two_connections_that_bring_the_same_changes_make_no_hole(book):
    """The second begins with the book of number 10 when the first has brought 11 already."""
    book.apply(change(number=11, previous=10, time=1.0), 2.0)
    book.apply(change([(99.0, 1.0)], [(101.0, 1.0)], whole=True, number=10, time=0.5), 2.1)
    for number in (12, 11, 12, 13, 13):
        assert book.apply(change(number=number, previous=number - 1, time=number - 10.0), 3.0)
    assert (book.number, book.gaps) == (13, 0)


def lived(chance, steps, *, joining):
    """Yield what a venue sends in *steps* changes, each with the state after it: ({bid: contracts}, {ask: ...}).

    Where changes join a whole book that is read elsewhere they say their first number, too.
    """
    bids = {100.0 - 0.5 * level: 1.0 for level in range(20)}
    asks = {100.5 + 0.5 * level: 1.0 for level in range(20)}
    middle, number = 100.25, 1000
    for step in range(steps):
        middle += chance.choice((-0.5, 0.0, 0.5))
        below = {price: 0.0 for price in bids if price > middle} | {middle - 0.25 - 0.5 * chance.randrange(20): 2.0}
        above = {price: 0.0 for price in asks if price < middle} | {middle + 0.25 + 0.5 * chance.randrange(20): 3.0}
        for side, rows in ((bids, below), (asks, above)):
            side.update(rows)
            for price in [price for price, contracts in side.items() if not contracts]:
                del side[price]
        previous, number = number, number + chance.randrange(1, 4)
        first = previous + 1 if joining else None
        said = change(below.items(), above.items(), number=number, previous=previous, first=first, time=float(step))
        yield said, (dict(bids), dict(asks))


def spoiled(chance, life):
    """Return the messages of *life*: some lost, some twice or late, and whole books of about that moment between."""
    out = []
    for at, (said, _) in enumerate(life):
        if chance.random() < 0.06:
            continue
        out.append(said)
        if chance.random() < 0.1:
            out.append(chance.choice(out[-5:]))
        if chance.random() < 0.05 and len(out) > 1:
            out[-1], out[-2] = out[-2], out[-1]
        if chance.random() < 0.25:
            then, (bids, asks) = life[max(0, min(len(life) - 1, at + chance.randrange(-6, 4)))]
            out.append(change(bids.items(), asks.items(), whole=True, number=then.number, time=then.event_time))
    return out


@pytest.mark.parametrize("joining", [True, False])
@pytest.mark.parametrize("seed", range(30))
def test_whatever_is_lost_late_or_doubled_a_book_that_can_be_used_is_that_of_the_venue(seed, joining):
    chance = random.Random(seed)
    life = list(lived(chance, 60, joining=joining))
    states = {said.number: state for said, state in life}
    book, used = OrderBook(), 0
    for number, said in enumerate(spoiled(chance, life)):
        if book.apply(said, float(number)):
            used += 1
            bids, asks = states[book.number]
            assert (dict(book.levels("sell")), dict(book.levels("buy"))) == (bids, asks)
    assert used
