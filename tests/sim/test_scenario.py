from itertools import pairwise

import msgspec
import pytest

from monitor.errors import ConfigError
from monitor.sim.actions import Ramp, Wick
from monitor.sim.binance import BinanceSim
from monitor.sim.scenario import load_scenario, packaged_scenarios, parse_scenario

MARKET = """
symbols:
  - {symbol: BTCUSDT, base: BTC, quote: USDT, mark_price: 90000}
seconds: 10
"""


@pytest.mark.parametrize("name", packaged_scenarios())
async def test_a_packaged_scenario_plays_to_its_end(name):
    scenario = load_scenario(name)
    told = []
    async with BinanceSim(scenario, speed=scenario.seconds / 0.4) as sim:
        await sim.play(told.append, repeat=False)
    assert told == sorted(scenario.actions, key=lambda action: action.at)


def test_an_action_is_what_the_file_says():
    scenario = parse_scenario(MARKET + "actions: [{at: 2, do: ramp, symbol: BTCUSDT, mark_price: 1.5, seconds: 3}]")
    assert scenario.actions == (Ramp(at=2, symbol="BTCUSDT", mark_price=1.5, seconds=3),)


@pytest.mark.parametrize(
    ("more", "complaint"),
    [
        ("actions: [{at: 1, do: jump}]", "actions[0].do: Invalid value 'jump'"),
        (
            "actions: [{at: 1, do: ramp, symbol: BTCUSDT, mark_price: -1, seconds: 1}]",
            "actions[0].mark_price: Expected `float` > 0.0",
        ),
        (
            "actions: [{at: 1, do: ramp, symbol: BTCUSDT, mark_price: 1}]",
            "actions[0]: Object missing required field `seconds`",
        ),
        ("actions: [{at: 1, do: note, sya: hello}]", "actions[0]: Object contains unknown field `sya`"),
        (
            "actions: [{at: 1, do: wick, symbol: ETHUSDT, last_price: 1, seconds: 1}]",
            "actions[0].symbol: ETHUSDT is not one of the scenario's symbols",
        ),
        ("actions: [{at: 11, do: note}]", "actions[0].at: 11 lies after the end of the story (10 s)"),
        (
            "actions: [{at: 1, do: fund, symbol: BTCUSDT, asset: USDT, balance: 1}]",
            "actions[0].symbol: no pool stands behind BTCUSDT",
        ),
        (
            "actions: [{at: 1, do: tiers, symbol: BTCUSDT, tiers: [[5, 0.01]]}]",
            "actions[0]: the first floor must be 0, not 5",
        ),
        (
            "actions: [{at: 1, do: answer, status: 499, seconds: 1}]",
            "actions[0]: status 499 is not a status of HTTP",
        ),
        ("pools: [{symbols: [X], balances: {USDT: 1}}]", "pools[0].symbols: X is not one of the scenario's symbols"),
        ("limits: {ping_seconds: 0}", "limits.ping_seconds: Expected `float` > 0.0"),
    ],
)
def test_a_wrong_file_is_told_with_the_place_of_the_fault(more, complaint):
    with pytest.raises(ConfigError) as error:
        parse_scenario(MARKET + more, "story.yaml")
    assert error.value.problems == [f"story.yaml: {complaint}"]


def test_a_file_that_is_no_yaml_is_told_with_its_line():
    with pytest.raises(ConfigError, match=r"story\.yaml:3: this is not YAML"):
        parse_scenario("symbols:\n  - a\n b: [", "story.yaml")


def test_a_missing_file_is_told(tmp_path):
    with pytest.raises(ConfigError, match="cannot be read"):
        load_scenario(tmp_path / "none.yaml")


def test_symbols_listed_twice_and_bad_ladders_are_told_together():
    listing = "{symbol: A, base: A, quote: B, mark_price: 1, tiers: [[0, 2.0]]}"
    with pytest.raises(ConfigError) as error:
        parse_scenario(f"symbols: [{listing}, {listing}]")
    assert [problem.split(":")[1].strip() for problem in error.value.problems] == [
        "symbols[0].tiers",
        "symbols[1]",
        "symbols[1].tiers",
    ]


async def test_a_repeated_story_begins_again_with_the_first_prices():
    scenario = parse_scenario(MARKET + "repeat: true\nactions: [{at: 1, do: set, symbol: BTCUSDT, mark_price: 95000}]")
    marks = []

    class EnoughError(Exception):
        pass

    async with BinanceSim(scenario, speed=200) as sim:

        def tell(action):
            marks.append(sim.market.instrument("BTCUSDT").mark_price)
            if len(marks) == 3:
                raise EnoughError

        with pytest.raises(EnoughError):
            await sim.play(tell)
    assert marks == [90000, 90000, 90000]


class Stepped(BinanceSim):
    """A venue whose scenario time is what the test says."""

    now = 0.0

    def clock(self) -> float:
        return self.now


def told_prices(scenario, phase):
    """Return (second, BTCUSDT mark, BTCUSDC mark, BTCUSDC last) at each tick; ticks need not begin with the story."""
    sim = Stepped(scenario)
    waiting = sorted((a for a in scenario.actions if isinstance(a, Ramp | Wick)), key=lambda action: action.at)
    seen = []
    for second in range(int(scenario.seconds)):
        while waiting and waiting[0].at <= second + phase:
            sim.now = waiting[0].at
            waiting.pop(0).perform(sim)
        sim.now = second + phase
        sim.market.advance(sim.now)
        one, other = sim.market.instrument("BTCUSDT"), sim.market.instrument("BTCUSDC")
        seen.append((second, one.mark_price, other.mark_price, other.last_price))
    return seen


@pytest.mark.parametrize("phase", [0.0, 0.2, 0.5, 0.8, 0.99])
async def test_the_demo_holds_each_level_for_two_ticks_whenever_they_fall(phase):
    marks = [row[1] for row in told_prices(load_scenario("demo"), phase)]
    lines = (52172.26, 53706.74, 54780.88, 55000.0, 99999.0)
    for low, high in pairwise(lines):
        assert len([mark for mark in marks if low <= mark < high]) >= 2
    assert marks == sorted(marks)
    assert (marks[0], marks[-1]) == (51500.0, 55150.0)


async def test_the_demos_wick_moves_a_last_price_and_no_mark_price():
    seen = told_prices(load_scenario("demo"), 0.5)
    assert {row[2] for row in seen} == {54900.0}
    assert [row[0] for row in seen if row[3] == 55100.0] == [3, 4, 5, 6]
    assert {row[3] for row in seen} == {54900.0, 55100.0}


async def play_demo(scenario, open_socket):
    """Play the demo's story over the wire; return the payloads seen per stream."""
    async with BinanceSim(scenario, speed=30) as sim:
        socket = await open_socket(sim, "/market/stream?streams=btcusdt@markPrice@1s/btcusdt@forceOrder")
        await sim.play()
        seen: dict[str, list] = {}
        for message in await socket.everything():
            seen.setdefault(message["stream"], []).append(message["data"])
        return seen


async def test_the_demo_reports_three_closes_of_a_short(open_socket):
    orders = [message["o"] for message in (await play_demo(load_scenario("demo"), open_socket))["btcusdt@forceOrder"]]
    assert [order["ap"] for order in orders] == ["54900.0", "55200.0", "56000.0"]
    assert {(order["S"], order["z"], order["p"]) for order in orders} == {("BUY", "1.000", "56500.0")}


async def test_another_file_is_another_story(open_socket):
    scenario = load_scenario("demo")
    lower = tuple(
        msgspec.structs.replace(action, mark_price=action.mark_price - 2000, at=action.at - 7, seconds=0.5)
        for action in scenario.actions
        if isinstance(action, Ramp)
    )
    seen = await play_demo(msgspec.structs.replace(scenario, actions=lower, seconds=18.0), open_socket)
    assert max(float(row["p"]) for row in seen["btcusdt@markPrice@1s"]) == 53150.0
    assert "btcusdt@forceOrder" not in seen
