"""Refused batches are halved until the culprit stands alone; broken books are asked for anew, not too often."""

import pytest

from monitor.core.events import SubscriptionRefused
from monitor.feed.requests import REMEMBERED, Requests
from monitor.feed.settings import FeedSettings
from monitor.venues.base import Poll, Request, Stream

SETTINGS = FeedSettings()


def marks(*symbols):
    return tuple(Stream(f"mark.{symbol}", (symbol,), "mark", 1.0) for symbol in symbols)


@pytest.fixture
def asked():
    streams = marks("A", "B", "C", "D", "E")
    requests = Requests(streams, SETTINGS, 0.0)
    requests.asked([Request("...", streams, "1")])
    return requests


def test_a_refused_batch_is_halved_and_nobody_is_blamed(asked):
    assert asked.refused(("1",), 1.0) == []
    assert [[s.symbols[0] for s in batch] for batch in asked.to_retry(1.0)] == [["A", "B"], ["C", "D", "E"]]


def test_the_culprit_is_alone_in_the_end_and_all_others_run(asked):
    running, culprits, number = set(), [], 1
    asked.refused(("1",), 1.0)
    while batches := asked.to_retry(1.0):
        for batch in batches:
            number += 1
            asked.asked([Request("...", tuple(batch), str(number))])
            if any(stream.symbols == ("D",) for stream in batch):
                culprits += asked.refused((str(number),), 1.0)
            else:
                running |= {stream.symbols[0] for stream in batch}
    assert [stream.symbols for stream in culprits] == [("D",)]
    assert running == {"A", "B", "C", "E"}


def test_a_stream_that_the_venue_names_is_blamed_at_once(asked):
    assert [stream.symbols for stream in asked.refused(("mark.C",), 1.0)] == [("C",)]
    assert asked.to_retry(1.0) == []


def test_a_refusal_of_something_never_asked_for_is_nobodys(asked):
    assert asked.refused(("99", "mark.Z"), 1.0) == []


def test_a_refused_stream_is_asked_for_again_after_a_minute_and_alone(asked):
    asked.refused(("mark.C",), 1.0)
    assert asked.to_retry(60.9) == []
    assert [[s.symbols[0] for s in batch] for batch in asked.to_retry(61.0)] == [["C"]]
    assert asked.to_retry(61.0) == []


def test_a_stream_that_is_refused_again_and_again_is_asked_for_less_and_less(asked):
    now, waits = 1.0, []
    for _ in range(8):
        asked.refused(("mark.C",), now)
        wait = next(seconds for seconds in range(1, 5000) if asked.to_retry(now + seconds))
        waits.append(wait)
        now += wait
    assert waits == [60, 120, 240, 480, 960, 1800, 1800, 1800]


def test_what_the_engine_is_told_names_symbol_and_field(asked):
    (stream,) = asked.refused(("mark.C",), 1.0)
    assert list(asked.told("demo", stream, "no such symbol")) == [
        SubscriptionRefused("demo", "C", "mark", "no such symbol")
    ]


def test_a_refused_stream_of_many_symbols_blames_none_of_them(asked):
    assert list(asked.told("demo", Stream("all", ("A", "B"), "mark", 1.0), "no")) == []


def test_requests_that_are_remembered_are_bounded(asked):
    for number in range(3 * REMEMBERED):
        asked.asked([Request("...", (), str(number))])
    assert len(asked._asked) == REMEMBERED


def test_a_broken_book_is_asked_for_at_most_every_five_seconds():
    requests = Requests((Stream("depth.A", ("A",), "depth", 30.0),), SETTINGS, 0.0)
    broken = {"A"}
    assert requests.to_resnapshot(broken, 1.0) == []  # subscribing brings the first one
    assert broken == set()
    times = [second for second in range(2, 30) if requests.to_resnapshot({"A"}, float(second))]
    assert times == [5, 10, 15, 20, 25]


def test_a_book_that_is_read_by_rest_is_asked_for_at_once():
    poll = Poll("depth", "/depth", {}, 1, 60.0, lambda _body, _now: [])
    stream = Stream("depth.A", ("A",), "depth", 30.0, poll)
    assert Requests((stream,), SETTINGS, 0.0).to_resnapshot({"A"}, 0.0) == [stream]


def test_the_broken_books_of_other_connections_are_left_to_them():
    requests = Requests((Stream("depth.A", ("A",), "depth", 30.0),), SETTINGS, 0.0)
    broken = {"B"}
    assert requests.to_resnapshot(broken, 9.0) == []
    assert broken == {"B"}
