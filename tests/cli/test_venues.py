"""``perp-monitor venues`` and ``watch``: what they print, and that it is what the feeds run on."""

import json

import pytest

from monitor.cli.main import main
from monitor.cli.venues import markdown
from monitor.sim.binance import BinanceSim
from monitor.sim.scenario import load_scenario
from monitor.venues import VENUES
from monitor.venues.base import FACTS


@pytest.fixture
def printed(capsys):
    """Run a verb and return its exit code and what it printed."""

    def run(*arguments: str) -> tuple[int, str, str]:
        code = main([*arguments])
        told = capsys.readouterr()
        return code, told.out, told.err

    return run


def test_every_venue_and_every_fact_stands_in_the_table(printed):
    code, out, _ = printed("venues")
    assert code == 0
    assert all(name in out for name in VENUES)


def test_one_venue_is_told_in_full_with_its_channels(printed):
    _, out, _ = printed("venues", "kraken")
    assert "kraken-futures" in out
    assert "the venue publishes none" in out
    assert "instruments" in out


def test_json_holds_the_same_rows(printed):
    _, out, _ = printed("venues", "--json")
    rows = json.loads(out)
    assert rows.keys() == VENUES.keys()
    assert {row["fact"] for row in rows["okx"]} <= set(FACTS)


def test_an_unknown_venue_is_a_mistake_of_the_call(printed):
    code, _, err = printed("venues", "acme")
    assert code == 2
    assert "unknown venue 'acme': expected one of binance" in err


def test_a_file_of_the_operators_own_is_shown_like_any_venue(printed, request):
    code, out, _ = printed("venues", str(request.config.rootpath / "config" / "venues" / "gate.yaml"))
    assert code == 0
    assert "gate" in out


def test_the_table_of_the_readme_has_a_row_a_venue(printed):
    lines = markdown(VENUES).splitlines()
    assert len(lines) == 2 + len(VENUES)
    assert all(line.count("|") == len(FACTS) + 2 for line in lines)


async def test_watch_shows_every_fact_with_its_age_and_source(perp_monitor_beside):
    code, out, _ = await perp_monitor_beside("watch", "binance", "BTCUSDT", "ETHUSDT", "--once")
    assert code == 0
    for word in ("BTC/USDT settled in USDT", "mark", "markPrice", "funding", "open interest", "51,500", " s "):
        assert word in out, word


async def test_watch_prints_json_for_other_programs(perp_monitor_beside):
    code, out, _ = await perp_monitor_beside("watch", "binance", "BTCUSDT", "--once", "--json")
    (row,) = [json.loads(line) for line in out.splitlines()]
    assert (code, row["symbol"], row["mark_price"]) == (0, "BTCUSDT", 51500.0)
    assert row["contract"]["base"] == "BTC"


async def test_watch_refuses_a_contract_that_the_venue_does_not_list(perp_monitor_beside):
    code, _, err = await perp_monitor_beside("watch", "binance", "NOPE", "--once")
    assert (code, err.strip().splitlines()[-1]) == (2, "binance lists no contract 'NOPE'")


@pytest.fixture
async def perp_monitor_beside():
    """Run a verb as a process of its own beside a simulated venue."""
    import asyncio
    import os
    import sys
    from pathlib import Path

    import monitor

    async with BinanceSim(load_scenario("demo")) as sim:

        async def run(*arguments: str) -> tuple[int, str, str]:
            where = ["--stream-url", sim.stream_url, "--rest-url", sim.rest_url]
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "monitor",
                *arguments,
                *where,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
                env=os.environ | {"PYTHONPATH": str(Path(monitor.__file__).parents[1])},
            )
            out, err = await process.communicate()
            return process.returncode, out.decode(), err.decode()

        yield run
