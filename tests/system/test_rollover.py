"""The venue ends every connection after a lifetime; here it lasts 4 s. The daemon must always have been quicker."""

import asyncio
import gc
from dataclasses import replace

import msgspec
import pytest

from monitor.app import App
from monitor.cli.files import read_config
from monitor.core.alerts import Quality
from monitor.feed.settings import FeedSettings
from monitor.net.clock import boot
from monitor.sim.limits import Limits
from monitor.venues import VENUES

LIFETIME = 4.0
LIFETIMES = 3
EARLY = FeedSettings(lifetime_share=0.7)
"""A second is worth little of 24 h and much of 4 s: the successor is opened sooner."""


@pytest.fixture
def market(market):
    """The market, five ticks a second, with short-lived connections."""
    limits = Limits(lifetime_seconds=LIFETIME)
    return msgspec.structs.replace(market, limits=limits, tick_seconds=0.2)


@pytest.fixture
def thawed():
    """Undo what the daemon does to the garbage collector at its start."""
    yield
    gc.unfreeze()


async def test_no_price_ages_while_connections_are_rolled_over(stage, short, long, monkeypatch, thawed):
    venue = VENUES["binance"]
    limits = replace(venue.limits, lifetime_seconds=LIFETIME)
    monkeypatch.setitem(VENUES, "binance", replace(venue, limits=limits))
    app = App(read_config(stage.configure(short, long)), feed_settings=EARLY)
    seen: set[Quality] = set()
    oldest = 0.0
    async with asyncio.TaskGroup() as group:
        group.create_task(app.run())
        await app.started.wait()
        async with asyncio.timeout(30):
            while {view.quality for view in app.engine.position_views(0, 2, boot())} != {Quality.LIVE}:  # noqa: ASYNC110
                await asyncio.sleep(0.02)
        end = boot() + LIFETIMES * LIFETIME
        while (now := boot()) < end:
            seen |= {view.quality for view in app.engine.position_views(0, 2, now)}
            for symbol in ("BTCUSDT", "ETHUSDT"):
                oldest = max(oldest, now - app.engine.accepted_time("binance", symbol, "mark"))
            await asyncio.sleep(0.02)
        drops = {reason: count for reason, count in app.feeds[0].stats.drops.items() if count}
        app.stopping.set()

    assert seen == {Quality.LIVE}
    assert oldest < 3.0, "no price was ever older than a fresh one may be"
    assert drops == {}, "a planned roll-over is not a drop"
    assert len(stage.sim.journal.opened) >= 3 * (1 + LIFETIMES), "each connection was replaced in each lifetime"
    assert "connection lifetime reached" not in {closed.reason for closed in stage.sim.journal.closed}
    assert not stage.receiver.messages
