"""The waits between attempts, with the time written in the test."""

import random

from monitor.net.backoff import STEPS, Backoff


def longest(backoff, count=1):
    return [backoff.next_delay(lambda: 1.0) for _ in range(count)]


def test_the_waits_grow_to_a_cap():
    assert longest(Backoff(), 9) == [0.5, 1.0, 2.0, 4.0, 8.0, 15.0, 30.0, 30.0, 30.0]


def test_the_jitter_is_full():
    chance = random.Random(7)
    waits = [Backoff((10.0,)).next_delay(chance.random) for _ in range(1000)]
    assert min(waits) < 0.1
    assert max(waits) > 9.9
    assert 4.5 < sum(waits) / 1000 < 5.5


def test_an_open_that_does_not_last_with_data_resets_nothing():
    backoff = Backoff()
    longest(backoff, 3)
    backoff.data_flowed(100.0)
    backoff.data_flowed(159.9)
    assert longest(backoff) == [4.0]


def test_a_minute_with_data_starts_anew():
    backoff = Backoff()
    longest(backoff, 3)
    backoff.data_flowed(100.0)
    backoff.data_flowed(160.0)
    assert longest(backoff) == [0.5]


def test_two_half_minutes_are_no_minute():
    backoff = Backoff()
    longest(backoff, 3)
    backoff.data_flowed(100.0)
    backoff.data_flowed(140.0)
    assert longest(backoff) == [4.0]
    backoff.data_flowed(150.0)
    backoff.data_flowed(190.0)
    assert longest(backoff) == [8.0]


def test_a_server_that_always_closes_after_five_seconds_sees_few_attempts_in_five_minutes():
    """At most 26 in 300 s, one run in a thousand above 25."""
    chance = random.Random(11)
    counts = []
    for _ in range(300):
        backoff, now, attempts = Backoff(STEPS), 0.0, 0
        while now < 300.0:
            attempts += 1
            backoff.data_flowed(now)
            now += 5.0
            backoff.data_flowed(now)
            now += backoff.next_delay(chance.random)
        counts.append(attempts)
    assert max(counts) <= 26
    assert sum(counts) / len(counts) < 21
