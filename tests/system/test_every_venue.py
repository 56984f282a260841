"""One daemon with a position at each of the venues, every one of them played by its simulator."""

import asyncio
import json
import sys
from contextlib import AsyncExitStack

import pytest

from monitor.cli.plot import Plot
from monitor.sim.cast import recast
from monitor.sim.scenario import load_scenario
from monitor.sim.venues import SIMS

ACCOUNTS = """\
  - name: {name}
    venue: {venue}
    margin_mode: isolated
    positions:
      - {position}
    {terms}"""


@pytest.fixture
async def everywhere(tmp_path, stage):
    """A configuration with the mission's short at every venue, and the simulators that play them, by venue."""
    async with AsyncExitStack() as stack:
        sims, venues, accounts = {}, [], []
        for name, kind in sorted(SIMS.items()):
            sims[name] = await stack.enter_async_context(kind(recast(load_scenario("demo"), kind.CAST, 50_000.0)))
            plot = Plot.of(kind)
            venues.append(f'  {name}: {{stream_url: "{sims[name].stream_url}", rest_url: "{sims[name].rest_url}"}}')
            position = plot.mission.line().replace("mission-short", f"at-{name}")
            terms = plot.terms().replace("\n  ", "\n      ").rstrip()
            accounts.append(ACCOUNTS.format(name=name, venue=name, position=position, terms=terms))
        config = tmp_path / "every.yaml"
        web = 'web: {listen: "127.0.0.1:0"}\n' + f'store: {{path: "{tmp_path / "every.db"}"}}\n'
        config.write_text("\n".join(["venues:", *venues, "accounts:", *accounts, web]))
        yield config, sims


async def test_every_venue_is_live_in_one_daemon_and_explain_agrees_with_it(everywhere, stage):
    config, sims = everywhere
    daemon = stage.start(config)
    names = [f"at-{venue}" for venue in sims]
    metrics = await daemon.shows(lambda m: all(m.value("perp_position_quality", position=n) == 0 for n in names))
    assert metrics.drops() == {}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "monitor", "explain", str(config), "--live", "--json", stdout=asyncio.subprocess.PIPE
    )
    out, _ = await process.communicate()
    explained = {row["name"]: row for row in map(json.loads, out.splitlines())}
    assert set(explained) == set(names)
    for name in names:
        ours = metrics.value("perp_position_liquidation_price", position=name)
        assert explained[name]["liquidation_price"] == pytest.approx(ours, rel=1e-9), name
        assert explained[name]["mark_price"] is not None


async def test_explain_live_refuses_what_the_daemon_would_not_start_with(everywhere, tmp_path):
    config, _ = everywhere
    wrong = tmp_path / "wrong.yaml"
    wrong.write_text(config.read_text().replace("contract_size: 0.01", "contract_size: 0.1"))
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "monitor", "explain", str(wrong), "--live", stderr=asyncio.subprocess.PIPE
    )
    _, err = await process.communicate()
    assert process.returncode == 2
    assert b"okx says that a contract of BTC-USDT-SWAP is 0.01 BTC" in err
