"""The units of a contract: those in the file must be the venue's, and a change of them is never applied in silence."""


async def test_a_contract_size_that_is_not_the_venues_is_refused_at_the_start_with_its_line(stage, short):
    config = stage.configure(short | {"contracts": 10}, terms={"BTCUSDT": {"contract_size": 0.1}})
    daemon = stage.start(config)
    assert await daemon.ended() == 2
    assert "contract of BTCUSDT is 1 BTC: expected terms.BTCUSDT.contract_size 1, got 0.1" in daemon.said
    line = next(n for n, text in enumerate(config.read_text().splitlines(), 1) if '"contract_size"' in text)
    assert f"monitor.json:{line}" in daemon.said


async def test_a_position_that_was_watched_before_stops_nobody_and_is_unknown(stage, short, long, eventually):
    first = stage.start(stage.configure(short, long))
    await first.ready()
    first.process.terminate()
    assert await first.ended() == 0
    resized = {"BTCUSDT": {"contract_size": 0.1}}
    second = stage.start(stage.configure(short | {"contracts": 10}, long, terms=resized))
    await eventually(lambda: stage.heard(kind="position.terms_changed"))
    (message,) = stage.heard(kind="position.terms_changed")
    data = message.json()["data"]
    assert (data["position"], data["reason"], data["severity"]) == ("short", "contract_size", "critical")
    metrics = await second.shows(lambda m: m.value("perp_position_quality", position="long") == 0)
    assert metrics.value("perp_position_quality", position="short") in {2, 3}
    assert metrics.value("perp_position_liquidation_distance_ratio", position="short") is None
