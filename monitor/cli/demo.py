"""``perp-monitor demo``: the main job against a simulated venue on loopback, as a story with its promises checked.

The daemon is the real one: it reads a configuration file, connects to the simulator by websocket and REST as it
would to the venue, keeps its outbox on disk and signs its webhooks. Only the addresses differ.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import secrets
import sys
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Any

import aiohttp
from rich.console import Console

from monitor import log
from monitor.app import App, Hooks
from monitor.cli.files import read_config
from monitor.cli.plot import ENTRY_PRICE, Plot
from monitor.cli.run import run_to_end
from monitor.cli.story import Story
from monitor.config.settings import Settings
from monitor.sim.actions import Action, Silence
from monitor.sim.cast import drawn_out, recast
from monitor.sim.receiver import Receiver
from monitor.sim.scenario import load_scenario
from monitor.sim.venue import VenueSim
from monitor.sim.venues import SIMS

LOOP_LISTEN = "127.0.0.1:9464"
ONCE_LISTEN = "127.0.0.1:0"
LOOK_BEFORE_SECONDS = 2.0
"""So long before the end of the silence /metrics is looked at: later than a mark price may be old."""

CALM_SECONDS = 75.0

CONFIG = """\
# The demo's configuration: the real one but for the addresses.
venues:
  {venue}: {{stream_url: "{stream_url}", rest_url: "{rest_url}"}}
accounts:
  - name: main
    venue: {venue}
    margin_mode: isolated
    positions:
{positions}
{terms}thresholds: {{warning: 0.05, critical: 0.02}}
receivers:
  - {{name: demo, url: "{hook_url}", secret_file: webhook.secret, allow_http_loopback: true}}
web: {{listen: "{listen}"}}
metrics: {{amounts: true}}
store: {{path: "{store}"}}
"""


def add(verbs: Any) -> None:
    """Add the verb to the parser."""
    parser = verbs.add_parser("demo", help="play the main job against a simulated venue: no internet, no key")
    parser.add_argument("--venue", default="binance", choices=sorted(SIMS), help="which venue plays it")
    parser.add_argument("--loop", action="store_true", help="keep going after the story, so that Prometheus can scrape")
    parser.add_argument(
        "--listen", metavar="HOST:PORT", type=_address, help=f"where to serve /metrics (with --loop: {LOOP_LISTEN})"
    )
    parser.add_argument(
        "--scenario",
        default="demo",
        metavar="FILE",
        help="another story for the same positions (see monitor/sim/scenarios)",
    )
    parser.set_defaults(run=run)


def _address(text: str) -> str:
    host, _, port = text.rpartition(":")
    if not host or not port.isascii() or not port.isdecimal() or int(port) > 65_535:
        raise argparse.ArgumentTypeError(f"expected HOST:PORT such as {LOOP_LISTEN}, got {text!r}")
    return text


def run(options: argparse.Namespace) -> int:
    """Play the story; 0 only if every promise was kept."""
    console = Console(highlight=False)
    if not console.is_terminal:
        console = Console(highlight=False, width=140)
    story = Story(console, Plot.of(SIMS[options.venue]))
    with (
        tempfile.TemporaryDirectory(prefix="perp-monitor-demo-") as folder,
        (Path(folder) / "daemon.log").open("w+", encoding="utf-8") as journal,
    ):
        log.configure("info", "json", journal)
        run_to_end(_demo(options, story, Path(folder)))
        if story.interrupted:
            console.print("Interrupted before the end of the story.")
            return 130
        kept = story.summary()
        if not kept and not options.loop:
            journal.seek(0)
            print("The daemon's log:", journal.read()[-4000:], sep="\n", file=sys.stderr)
    return 0 if kept else 1


async def _demo(options: argparse.Namespace, story: Story, folder: Path) -> None:
    secret = "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode()
    sim_of, plot = SIMS[options.venue], story.plot
    scenario = drawn_out(recast(load_scenario(options.scenario), sim_of.CAST, ENTRY_PRICE), plot.silence_seconds)
    async with sim_of(scenario) as sim, Receiver(secret=secret, hear=story.hear) as receiver:
        listen = options.listen or (LOOP_LISTEN if options.loop else ONCE_LISTEN)
        settings = _settings(folder, secret, sim, receiver, listen, story.plot)
        app = App(settings, Hooks(liquidation=story.on_liquidation))
        async with asyncio.TaskGroup() as group:
            daemon = group.create_task(app.run(), name="daemon")
            started = group.create_task(app.started.wait(), name="started")
            await asyncio.wait({daemon, started}, return_when=asyncio.FIRST_COMPLETED)
            if daemon.done():
                started.cancel()
                return
            story.begin(app, options.scenario)
            shown = group.create_task(story.show(), name="show")
            looks: list[asyncio.Task[None]] = []

            def tell(action: Action) -> None:
                story.tell(action)
                if isinstance(action, Silence):
                    looks.append(group.create_task(_look(app, story), name="look at /metrics"))

            played = group.create_task(sim.play(tell, repeat=False), name="story")
            stopped = group.create_task(app.stopping.wait(), name="stopped")
            await asyncio.wait({played, stopped}, return_when=asyncio.FIRST_COMPLETED)
            story.interrupted = not played.done()
            await _scrape(app, story.after)
            if options.loop and not app.stopping.is_set():
                story.summary()
                story.console.print(f"Still running: http://127.0.0.1:{app.port}/metrics (stop with Ctrl-C)")
                looping = group.create_task(_play_on(sim, story), name="loop")
                await stopped
                looping.cancel()
            app.stopping.set()
            await daemon
            for task in (played, stopped, shown, *looks):
                task.cancel()


async def _play_on(sim: VenueSim, story: Story) -> None:
    """Play the story again and again, with a calm between that is long enough for the feed to trust its venue again."""
    while True:
        await asyncio.sleep(CALM_SECONDS)
        story.console.print("The story again; levels that still stand are not announced anew.")
        await sim.play(story.tell, repeat=False)


async def _look(app: App, story: Story) -> None:
    await asyncio.sleep(story.plot.silence_seconds - LOOK_BEFORE_SECONDS)
    await _scrape(app, story.during_silence)


async def _scrape(app: App, take: Any) -> None:
    """Read /metrics as Prometheus would, and give the text to *take*."""
    with suppress(aiohttp.ClientError, TimeoutError):
        async with (
            aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=5), trust_env=False) as session,
            session.get(f"http://127.0.0.1:{app.port}/metrics") as answer,
        ):
            take(await answer.text())


def _settings(folder: Path, secret: str, sim: VenueSim, receiver: Receiver, listen: str, plot: Plot) -> Settings:
    """Write the configuration and read it back as ``run`` would."""
    secret_file = folder / "webhook.secret"
    secret_file.touch(mode=0o600)
    secret_file.write_text(secret, encoding="ascii")
    config = folder / "monitor.yaml"
    config.write_text(
        CONFIG.format(
            venue=sim.NAME,
            positions="\n".join(f"      - {line}" for line in plot.positions()),
            terms=plot.terms(),
            stream_url=sim.stream_url,
            rest_url=sim.rest_url,
            hook_url=receiver.url,
            listen=listen,
            store=folder / "state" / "perp-monitor.db",
        ),
        encoding="utf-8",
    )
    return read_config(config)
