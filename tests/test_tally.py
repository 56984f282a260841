"""Plain counters: what they hold is what a scrape shows."""

from __future__ import annotations

import math

import pytest

from monitor.tally import LAG_BOUNDS, Histogram, Tally


def test_known_label_sets_start_at_zero():
    assert Tally([("reset",), ("dns",)]) == {("reset",): 0, ("dns",): 0}


def test_a_key_is_counted_once_or_several_times():
    tally = Tally([("reset",)])
    tally.add("reset")
    tally.add("reset", count=3)
    assert tally == {("reset",): 4}


def test_a_key_that_was_not_known_is_counted_from_zero():
    tally = Tally()
    tally.add("markPrice", "late")
    assert tally == {("markPrice", "late"): 1}


BUCKETS = {
    "below the first bound": (0.0, 0),
    "negative": (-1.0, 0),
    "at the first bound": (0.005, 0),
    "a float above it": (math.nextafter(0.005, 1.0), 1),
    "at the last bound": (30.0, len(LAG_BOUNDS) - 1),
    "above the last bound": (30.1, len(LAG_BOUNDS)),
    "infinite": (math.inf, len(LAG_BOUNDS)),
}


@pytest.mark.parametrize(("value", "bucket"), BUCKETS.values(), ids=BUCKETS.keys())
def test_a_bound_belongs_to_its_bucket_as_prometheus_wants_it(value, bucket):
    histogram = Histogram()
    histogram.observe(value)
    assert histogram.counts.index(1) == bucket
    assert sum(histogram.counts) == 1


def test_a_histogram_adds_up_what_it_saw():
    histogram = Histogram([1.0, 2.0])
    for value in (0.5, 1.5, 1.5, 9.0):
        histogram.observe(value)
    assert (histogram.counts, histogram.total) == ([1, 2, 1], 12.5)
