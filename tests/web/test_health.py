"""Healthy is a fact about the last pass; ready is a list of reasons that is empty."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from monitor.core.alerts import Level, Quality
from monitor.delivery.stats import DeliveryStats
from monitor.engine.views import PositionView
from monitor.net.clock import boot
from monitor.web.health import MAX_NAMED, Verdict, health, readiness


@dataclass
class MadeUpEngine:
    qualities: list[Quality] = field(default_factory=list)
    last_pass: float = field(default_factory=boot)

    def position_count(self):
        return len(self.qualities)

    def position_views(self, start, stop, now):
        unknown = dict.fromkeys(PositionView.__struct_fields__)
        rows = enumerate(self.qualities)
        return [
            PositionView(**{**unknown, "name": f"p{n}", "level": Level.OK, "quality": quality, "reason": "no_data"})
            for n, quality in rows
        ][start:stop]


@pytest.fixture
def delivery():
    return DeliveryStats(["pager", "chat"])


def test_a_recent_pass_is_healthy():
    assert health(MadeUpEngine()) == Verdict()


def test_a_pass_older_than_ten_seconds_is_unhealthy_and_its_age_is_said():
    (reason,) = health(MadeUpEngine(last_pass=boot() - 42.0)).reasons
    assert "42." in reason


def test_before_the_first_pass_the_process_is_not_healthy():
    assert health(MadeUpEngine(last_pass=0.0)).reasons == ["no pass over the positions has ended yet"]


async def test_live_and_fallback_positions_are_ready(delivery):
    assert (await readiness(MadeUpEngine([Quality.LIVE, Quality.FALLBACK]), delivery)).reasons == []


@pytest.mark.parametrize("quality", [Quality.STALE, Quality.NEVER])
async def test_an_unknown_position_is_named_with_its_reason(delivery, quality):
    reasons = (await readiness(MadeUpEngine([Quality.LIVE, quality]), delivery)).reasons
    assert reasons == [f"position p1: unknown ({quality.word}, no_data)"]


async def test_many_unknown_positions_are_counted(delivery):
    reasons = (await readiness(MadeUpEngine([Quality.STALE] * 500), delivery)).reasons
    assert (len(reasons), reasons[-1]) == (MAX_NAMED + 1, f"{500 - MAX_NAMED} more positions are unknown")


async def test_a_store_that_fails_is_not_ready(delivery):
    delivery.store_ok = False
    (reason,) = (await readiness(MadeUpEngine(), delivery)).reasons
    assert reason.startswith("the store")


async def test_one_accepting_receiver_is_enough(delivery):
    delivery.accepting["pager"] = False
    assert (await readiness(MadeUpEngine(), delivery)).reasons == []


async def test_no_accepting_receiver_is_not_ready(delivery):
    delivery.accepting.update(pager=False, chat=False)
    assert (await readiness(MadeUpEngine(), delivery)).reasons == ["no receiver accepts deliveries: chat, pager"]


async def test_no_configured_receiver_is_said_but_is_the_operators_choice():
    verdict = await readiness(MadeUpEngine(), DeliveryStats([]))
    assert verdict == Verdict([], ["no receiver is configured: alerts go to the log and to /metrics only"])


async def test_an_unhandled_dead_letter_is_not_ready(delivery):
    delivery.dead_pending["chat"] = 2
    assert (await readiness(MadeUpEngine(), delivery)).reasons == [
        "receiver chat: 2 dead letters neither replayed nor discarded"
    ]


async def test_a_process_that_is_not_healthy_is_not_ready(delivery):
    assert (await readiness(MadeUpEngine(last_pass=0.0), delivery)).reasons == [
        "no pass over the positions has ended yet"
    ]
