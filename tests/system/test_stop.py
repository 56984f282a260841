"""SIGTERM: prices first, then what is pending, then the end; nothing is lost."""

import signal

from monitor.sim.receiver import Reaction


async def test_a_stop_with_nothing_to_do_ends_with_0(stage, short):
    daemon = stage.start(stage.configure(short))
    await daemon.ready()
    daemon.process.terminate()
    assert await daemon.ended(12.0) == 0
    assert daemon.log()[-1]["event"] == "daemon.stopped"


async def test_what_no_receiver_took_before_the_stop_is_delivered_after_the_next_start(
    stage, short, short_at, eventually
):
    stage.receiver.default = Reaction(status=503)
    config = stage.configure(short)
    daemon = stage.start(config)
    await daemon.ready()
    stage.move("BTCUSDT", short_at["liquidation"])
    await eventually(lambda: stage.receiver.messages)
    daemon.process.terminate()
    assert await daemon.ended(12.0) == 0
    assert not stage.receiver.accepted

    stage.receiver.default = Reaction()
    await stage.start(config).started()
    await eventually(lambda: stage.receiver.accepted)
    assert len({(message.id, message.body) for message in stage.receiver.messages}) == 1
    assert len(stage.receiver.accepted) == 1


async def test_a_stop_delivers_what_a_slow_receiver_still_takes(stage, short, short_at, eventually):
    stage.receiver.default = Reaction(delay_seconds=2.0)
    daemon = stage.start(stage.configure(short))
    await daemon.ready()
    stage.move("BTCUSDT", short_at["critical"])
    await eventually(lambda: stage.receiver.messages)
    daemon.process.terminate()
    assert await daemon.ended(12.0) == 0
    assert daemon.log("delivery.succeeded")


async def test_a_second_signal_ends_it_at_once_and_loses_nothing(stage, short, short_at, eventually):
    stage.receiver.default = Reaction(status=503)
    config = stage.configure(short)
    daemon = stage.start(config)
    await daemon.ready()
    stage.move("BTCUSDT", short_at["critical"])
    await eventually(lambda: stage.receiver.messages)
    daemon.process.terminate()
    await eventually(lambda: not stage.sim.clients())
    daemon.process.terminate()
    assert await daemon.ended(5.0) == -signal.SIGTERM

    stage.receiver.default = Reaction()
    await stage.start(config).started()
    await eventually(lambda: stage.receiver.accepted)
    assert len({message.id for message in stage.receiver.messages}) == 1
