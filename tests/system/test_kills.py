"""The daemon is killed at random moments of a story, and starts again with the same store."""

import asyncio
import random

from monitor.sim.receiver import Reaction

LEVELS = ("warning", "critical", "liquidation", "bankruptcy")


async def test_killed_at_any_moment_every_alert_arrives_and_only_under_one_id(
    stage, short, long, short_at, long_at, eventually
):
    """Eight moves through all levels with a kill right after each, and three more kills while the daemon starts."""
    seed = random.randrange(1 << 32)
    chance = random.Random(seed)
    print(f"seed {seed}")
    calm = {"name": "calm", "symbol": "SOLUSDT", "side": "long", "contracts": 1, "entry_price": 100, "leverage": 2}
    isolated = {"venue": "binance", "margin_mode": "isolated"}
    accounts = [
        isolated | {"name": "main", "positions": [short, long, calm]},
        isolated | {"name": "other", "positions": [short | {"name": "twin"}]},
    ]
    config = stage.configure(accounts=accounts)
    shorts = [("BTCUSDT", ("short", "twin"), level, short_at[level]) for level in LEVELS]
    longs = [("ETHUSDT", ("long",), level, long_at[level]) for level in LEVELS]
    unlucky = set(chance.sample(range(8), 3))
    expected: list[tuple[str, str]] = []
    for number in range(8):
        if number in unlucky:
            starting = stage.start(config)
            await asyncio.sleep(chance.uniform(0.3, 1.5))
            starting.kill()
        daemon = stage.start(config)
        await daemon.ready()
        symbol, positions, level, mark_price = chance.choice([s for s in (shorts, longs) if s]).pop(0)
        stage.move(symbol, mark_price)
        expected += [(position, level) for position in positions]
        await asyncio.sleep(chance.choice((0.01, 0.02, 0.06)) * chance.random())
        daemon.kill()

    daemon = stage.start(config)
    await daemon.ready()
    for position, level in expected:
        await eventually(lambda p=position, lv=level: stage.heard(position=p, level=lv))
    daemon.process.terminate()
    assert await daemon.ended() == 0

    assert {message.problem for message in stage.receiver.messages} == {None}
    for position, level in expected:
        deliveries = stage.heard(position=position, level=level)
        assert len({(message.id, message.body) for message in deliveries}) == 1, (position, level)
        assert deliveries[0].json()["data"]["prev_level"] == ("ok", *LEVELS)[LEVELS.index(level)]
    arrived = {(m.json()["data"].get("position"), m.json()["type"]) for m in stage.receiver.messages}
    assert arrived == {(position, f"position.{level}") for position, level in expected}, "nothing else was said"
    repeated = len(stage.receiver.messages) - len(expected)
    print(f"kills 11, expected {len(expected)}, lost 0, repeated {repeated}, unexpected 0")


async def test_a_delivery_whose_answer_was_cut_off_by_a_kill_is_repeated_as_it_was(stage, short, short_at, eventually):
    stage.receiver.react(Reaction(delay_seconds=20.0))
    config = stage.configure(short)
    daemon = stage.start(config)
    await daemon.ready()
    stage.move("BTCUSDT", short_at["critical"])
    await eventually(lambda: stage.receiver.messages)
    daemon.kill()

    await stage.start(config).started()
    await eventually(lambda: len(stage.receiver.messages) == 2)
    first, second = stage.receiver.messages
    assert (first.id, first.body) == (second.id, second.body)
    assert second.headers["perp-monitor-possible-duplicate"] == "true"


async def test_neither_a_kill_nor_a_start_says_anything_about_a_level_that_did_not_change(
    stage, short, short_at, eventually
):
    config = stage.configure(short)
    daemon = stage.start(config)
    await daemon.ready()
    stage.move("BTCUSDT", short_at["critical"])
    await eventually(lambda: stage.receiver.messages)
    daemon.process.terminate()
    assert await daemon.ended() == 0
    for _ in range(2):
        daemon = stage.start(config)
        await daemon.ready()
        stage.sim.push()
        daemon.kill()

    daemon = stage.start(config)
    await daemon.ready()
    metrics = await daemon.metrics()
    assert metrics.value("perp_position_level", position="short") == 2
    assert len(stage.receiver.messages) == 1


async def test_what_was_crossed_while_nobody_watched_is_said_at_the_next_start(
    stage, short, long, short_at, long_at, eventually
):
    """The market does not wait for us: two levels pass while the daemon is down."""
    config = stage.configure(short, long)
    daemon = stage.start(config)
    await daemon.ready()
    daemon.kill()
    stage.move("BTCUSDT", short_at["warning"])
    stage.move("BTCUSDT", short_at["liquidation"])
    stage.move("ETHUSDT", long_at["warning"])

    await stage.start(config).started()
    await eventually(lambda: len(stage.receiver.messages) == 2)
    said = {m.json()["data"]["position"]: m.json()["data"] for m in stage.receiver.messages}
    assert (said["short"]["level"], said["short"]["skipped"]) == ("liquidation", ["warning", "critical"])
    assert (said["long"]["level"], said["long"]["skipped"]) == ("warning", [])
