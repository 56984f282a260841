"""The real daemon as a child process, between a simulated venue and a receiver that live in the test.

Everything goes over real websockets and HTTP on loopback. Nothing here is timed: what must happen is waited for,
up to a generous limit.
"""

import asyncio
import base64
import json
import os
import subprocess
import sys
from collections.abc import Callable
from contextlib import AsyncExitStack
from importlib import resources
from pathlib import Path

import aiohttp
import pytest
from prometheus_client.parser import text_string_to_metric_families

import monitor
from monitor.cli.main import main
from monitor.sim.binance import BinanceSim
from monitor.sim.receiver import Receiver
from monitor.sim.scenario import Scenario, parse_scenario
from monitor.sim.venues import SIMS

PATIENCE = 30.0

CHANNELS = ("mark_price", "last_price", "best_quote")
"""What the three connections bring, one each."""

MARKET = """
tick_seconds: 0.25
symbols:
  - {symbol: BTCUSDT, base: BTC, quote: USDT, mark_price: 50000, tick_size: 0.1}
  - {symbol: ETHUSDT, base: ETH, quote: USDT, mark_price: 2000, tick_size: 0.01}
  - {symbol: SOLUSDT, base: SOL, quote: USDT, mark_price: 100, tick_size: 0.01}
pools:
  - {symbols: [BTCUSDT, ETHUSDT, SOLUSDT], balances: {USDT: 1000000.0}}
"""

SHORT = {"name": "short", "symbol": "BTCUSDT", "side": "short", "contracts": 1, "entry_price": 50000, "margin": 5000}
LONG = {"name": "long", "symbol": "ETHUSDT", "side": "long", "contracts": 10, "entry_price": 2000, "margin": 2000}
SHORT_AT = {"warning": 52_500.0, "critical": 54_000.0, "liquidation": 54_900.0, "bankruptcy": 55_100.0}
LONG_AT = {"warning": 1_880.0, "critical": 1_830.0, "liquidation": 1_804.0, "bankruptcy": 1_798.0}
"""Mark prices well inside each level of the two positions."""


def environment() -> dict[str, str]:
    """Return the environment of a child that finds the package wherever the tests are started."""
    return os.environ | {"PYTHONPATH": str(Path(monitor.__file__).parents[1]), "PYTHONUNBUFFERED": "1"}


async def until(condition: Callable[[], object], seconds: float = PATIENCE) -> None:
    """Wait until *condition* holds, looking again and again."""
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110 - processes and files have no event to wait for
            await asyncio.sleep(0.01)


class Metrics:
    """One reading of /metrics."""

    def __init__(self, text: str) -> None:
        self.text = text
        self._samples = [s for family in text_string_to_metric_families(text) for s in family.samples]

    def value(self, name: str, **labels: str) -> float | None:
        """Return the sample of *name* whose labels include *labels*, None where there is none."""
        fits = [s.value for s in self._samples if s.name == name and labels.items() <= s.labels.items()]
        assert len(fits) <= 1, f"{name} {labels} is not one sample"
        return fits[0] if fits else None

    def reasons(self, name: str) -> dict[str, float]:
        """Return what the counter *name* says by reason, without what never happened."""
        return {s.labels["reason"]: s.value for s in self._samples if s.name == name and s.value}

    def drops(self) -> dict[str, float]:
        """Return the connections lost so far, by reason."""
        return self.reasons("perp_monitor_feed_drops_total")


class Daemon:
    """``perp-monitor run`` as a child process. Its output goes to files, as it would under a service manager."""

    def __init__(self, config: Path, folder: Path, number: int, wrapper: tuple[str, ...] = ()) -> None:
        self.out, self.err = folder / f"daemon-{number}.out", folder / f"daemon-{number}.err"
        command = [sys.executable, *wrapper, "-m", "monitor", "run", "--config", str(config)]
        with self.out.open("wb") as out, self.err.open("wb") as err:
            self.process = subprocess.Popen(command, stdout=out, stderr=err, cwd=folder, env=environment())

    @property
    def said(self) -> str:
        """Return everything it wrote on stderr."""
        return self.err.read_text(encoding="utf-8")

    def log(self, name: str | None = None) -> list[dict]:
        """Return its log lines, or those of one event."""
        lines = [json.loads(line) for line in self.said.splitlines() if line.startswith("{") and line.endswith("}")]
        return [line for line in lines if name in (None, line["event"])]

    async def started(self) -> str:
        """Wait until it runs and return its address."""
        await until(lambda: self.log("daemon.started") or self.process.poll() is not None)
        assert self.process.poll() is None, f"it ended with {self.process.returncode}: {self.said}"
        return f"http://{self.log('daemon.started')[0]['listen']}"

    async def get(self, path: str) -> tuple[int, str]:
        """Return status and text of one of its pages."""
        address = await self.started()
        async with aiohttp.ClientSession() as session, session.get(address + path) as answer:
            return answer.status, await answer.text()

    async def metrics(self) -> Metrics:
        """Scrape it."""
        status, text = await self.get("/metrics")
        assert status == 200
        return Metrics(text)

    async def ready(self) -> None:
        """Wait until every position is live and every connection has brought data."""
        name = "perp_monitor_feed_messages_total"
        await self.shows(lambda metrics: all(metrics.value(name, channel=channel) for channel in CHANNELS))
        async with asyncio.timeout(PATIENCE):
            while (await self.get("/-/ready"))[0] != 200:  # noqa: ASYNC110 - asked from outside
                await asyncio.sleep(0.05)

    async def shows(self, condition: Callable[[Metrics], object]) -> Metrics:
        """Wait until *condition* holds for what /metrics says, and return that."""
        async with asyncio.timeout(PATIENCE):
            while not condition(found := await self.metrics()):  # noqa: ASYNC110 - asked from outside
                await asyncio.sleep(0.05)
        return found

    async def ended(self, seconds: float = PATIENCE) -> int:
        """Wait for its end and return its exit code."""
        await until(lambda: self.process.poll() is not None, seconds)
        return self.process.returncode

    def kill(self) -> None:
        """End it without a word, as a power cut would."""
        self.process.kill()
        self.process.wait()


class Stage:
    """A folder with a configuration, and the daemons that were started on it."""

    def __init__(self, folder: Path, sim: BinanceSim, receiver: Receiver, secret: str) -> None:
        self.folder, self.sim, self.receiver = folder, sim, receiver
        self.store = folder / "state" / "perp-monitor.db"
        self.daemons: list[Daemon] = []
        secret_file = folder / "webhook.secret"
        secret_file.touch(mode=0o600)
        secret_file.write_text(secret, encoding="ascii")

    def configure(self, *positions: dict, name: str = "monitor.json", **sections: object) -> Path:
        """Write a configuration for *positions*, with *sections* in place of the usual ones."""
        account = {"name": "main", "venue": "binance", "margin_mode": "isolated", "positions": list(positions)}
        receiver = {"name": "hook", "url": self.receiver.url, "secret_file": "webhook.secret"}
        document = {
            "venues": {"binance": {"stream_url": self.sim.stream_url, "rest_url": self.sim.rest_url}},
            "accounts": [account],
            "receivers": [receiver | {"allow_http_loopback": True}],
            "web": {"listen": "127.0.0.1:0"},
            "store": {"path": str(self.store)},
        } | sections
        path = self.folder / name
        path.write_text(json.dumps(document, indent=1), encoding="utf-8")
        return path

    def start(self, config: Path, *wrapper: str) -> Daemon:
        """Start a daemon."""
        daemon = Daemon(config, self.folder, len(self.daemons), wrapper)
        self.daemons.append(daemon)
        return daemon

    def move(self, symbol: str, mark_price: float) -> None:
        """Let the mark price be *mark_price* from now on, and say so at once."""
        self.sim.set_mark(symbol, mark_price)
        self.sim.push()

    def heard(self, **facts: object) -> list:
        """Return the messages whose event has these *facts*, in the order of their arrival."""
        return [m for m in self.receiver.messages if facts.items() <= (m.json()["data"] | {"kind": kind(m)}).items()]

    def close(self) -> None:
        """End every daemon."""
        for daemon in self.daemons:
            daemon.kill()


def kind(message) -> str:
    """Return the kind of the event in *message*."""
    return message.json()["type"]


@pytest.fixture
def market() -> Scenario:
    return parse_scenario(MARKET)


@pytest.fixture
async def stage(tmp_path, market):
    """Open a venue and a receiver; every daemon that a test starts is ended with it."""
    secret = "whsec_" + base64.b64encode(os.urandom(32)).decode()
    async with AsyncExitStack() as stack:
        sim = await stack.enter_async_context(BinanceSim(market))
        receiver = await stack.enter_async_context(Receiver(secret=secret))
        found = Stage(tmp_path, sim, receiver, secret)
        stack.callback(found.close)
        yield found


@pytest.fixture
def short() -> dict:
    return dict(SHORT)


@pytest.fixture
def long() -> dict:
    return dict(LONG)


@pytest.fixture
def short_at() -> dict[str, float]:
    return SHORT_AT


@pytest.fixture
def long_at() -> dict[str, float]:
    return LONG_AT


@pytest.fixture
def eventually():
    return until


@pytest.fixture
def perp_monitor():
    """Run a verb of the command line to its end, as a process of its own."""

    def run(*arguments: object, stdin: bytes = b"") -> subprocess.CompletedProcess:
        command = [sys.executable, "-m", "monitor", *map(str, arguments)]
        return subprocess.run(
            command, input=stdin, capture_output=True, timeout=PATIENCE, check=False, env=environment()
        )

    return run


@pytest.fixture
def perp_monitor_here(capsysbinary):
    """Run a verb of the command line to its end, in this process: a second quicker."""

    def run(*arguments: object) -> subprocess.CompletedProcess:
        command = [*map(str, arguments)]
        code = main(command)
        return subprocess.CompletedProcess(command, code, *capsysbinary.readouterr())

    return run


class Show:
    """``perp-monitor demo`` playing in the background."""

    def __init__(self, folder: Path, name: str, scenario: str, venue: str = "binance") -> None:
        self._out = folder / f"{name}.out"
        command = [sys.executable, "-m", "monitor", "demo", "--scenario", scenario, "--venue", venue]
        with self._out.open("wb") as out:
            self.process = subprocess.Popen(command, stdout=out, stderr=subprocess.STDOUT, env=environment())

    def end(self) -> tuple[int, str]:
        """Wait for its end and return the exit code and what it showed."""
        return self.process.wait(timeout=120), self._out.read_text(encoding="utf-8")


STORIES = {
    "as it is": {},
    "another fill": {"fill_price: 55200": "fill_price: 55300"},
    "short climb": {"mark_price: 55010": "mark_price: 54990", "mark_price: 55150": "mark_price: 54995"},
}
"""What is changed in the demo's story, so that its promises must break."""


def looks_at_demos(item: pytest.Item) -> bool:
    return item.path == Path(__file__).with_name("test_demo.py")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let the demos, which take 45 s, be looked at last: they play while the other tests run."""
    items.sort(key=looks_at_demos)


@pytest.fixture(scope="session", autouse=True)
def shows(request, tmp_path_factory):
    """Start the demos with the first test of this directory, if any test is going to look at them."""
    playing: dict[str, Show] = {}
    if any(map(looks_at_demos, request.session.items)):
        folder = tmp_path_factory.mktemp("demo")
        story = (resources.files("monitor.sim") / "scenarios" / "demo.yaml").read_text(encoding="utf-8")
        for name, changes in STORIES.items():
            text = story
            for before, after in changes.items():
                assert before in text, f"the demo's story has changed: {before}"
                text = text.replace(before, after)
            scenario = folder / f"{name}.yaml"
            scenario.write_text(text, encoding="utf-8")
            playing[name] = Show(folder, name, str(scenario) if changes else "demo")
        for venue in SIMS.keys() - {"binance"}:
            playing[venue] = Show(folder, venue, "demo", venue)
    yield playing
    for show in playing.values():
        show.process.kill()
        show.process.wait()
