"""The demo's story on the terminal, and the promises that it must have kept at its end."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from math import isclose
from typing import Any

from prometheus_client.parser import text_string_to_metric_families
from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from monitor.app import App
from monitor.cli.plot import LINES, SHORT, WICK, Plot
from monitor.core.events import Liquidation
from monitor.core.forced_close import ForcedClose, forced_close
from monitor.engine.views import PositionView
from monitor.net.clock import boot
from monitor.sim.actions import Action
from monitor.sim.receiver import Message

LADDER = ("position.warning", "position.critical", "position.liquidation", "position.bankruptcy")
STYLES = {"ok": "green", "warning": "yellow", "critical": "dark_orange", "liquidation": "red", "bankruptcy": "bold red"}
BAR = 24
FULL_BAR = 0.10


class Story:
    """Tells what happens while it happens, and remembers what was really seen."""

    def __init__(self, console: Console, plot: Plot) -> None:
        self.console = console
        self.plot = plot
        self.heard: list[dict[str, Any]] = []
        self.problems: list[str] = []
        self.fills: dict[float, ForcedClose] = {}
        self.fund: float | None = None
        self.wick_seen = False
        self.interrupted = False
        self.silent: dict[str, dict[str, float]] | None = None
        self.final: dict[str, dict[str, float]] | None = None
        self._app: App | None = None
        self._began = 0.0

    def begin(self, app: App, scenario: str) -> None:
        """Start the clock of the story."""
        self._app, self._began = app, boot()
        self.console.print(f"[bold]perp-monitor demo[/]: scenario {scenario}, simulated {self.plot.title} on loopback")
        for part in self.plot.parts:
            side = "long" if part.quantity > 0 else "short"
            entry, margin = part.role.price(part.entry_price), part.own_margin
            size = f"{part.contracts:,.10g} {part.role.symbol}"
            self.console.print(f"  {part.name:<14} {size} {side} from {entry:,.10g} with {margin:,.6g} margin")
        self.console.print()

    def _say(self, text: str) -> None:
        self.console.print(f"[dim]{boot() - self._began:5.1f} s[/] {text}")

    def tell(self, action: Action) -> None:
        """Narrate an action of the simulator, just before it is performed."""
        if action.say:
            self._say(f"[cyan]market[/]   {action.say}")

    def hear(self, message: Message) -> None:
        """Take a webhook request that reached the receiver."""
        body = message.json()
        data = body["data"]
        if message.problem is not None:
            self.problems.append(f"{data['event_id']}: {message.problem}")
            return
        self.heard.append({"type": body["type"], "arrival": message.arrival, **data})
        colour = STYLES.get(str(data["level"]), "white")
        self._say(f"[{colour}]webhook[/]  [bold]{body['type']}[/]: {data['summary']}")

    def on_liquidation(self, event: Liquidation) -> None:
        """Work out what a public liquidation print means for the fund, had it been the watched short."""
        short = next((v for v in self._views() if v.name == SHORT), None)
        if short is None or short.symbol != event.symbol or short.bankruptcy_price is None:
            return
        self.fund = self._fund(event.symbol)
        role = self.plot.mission.role
        quantity = -event.contracts * role.contract_size
        close = forced_close(
            quantity, short.bankruptcy_price, event.price, self.fund or 0.0, "inverse" if role.inverse else "linear"
        )
        self.fills[event.price] = close
        outcome = f"{close.surplus:+,.6g} {'to' if close.surplus >= 0 else 'from'} the fund"
        if self.fund is None and close.surplus < 0.0:
            outcome += ", whose balance the venue does not publish"
        elif close.uncovered:
            outcome += f" of {self.fund:,.0f}: {close.uncovered:,.0f} uncovered, laid on winners by ADL"
        self._say(
            f"[magenta]close[/]    filled at {event.price:,.8g} against bankruptcy {close.bankruptcy_price:,.8g}: {outcome}"
        )

    def _fund(self, symbol: str) -> float | None:
        """Return the balance behind *symbol*: its own pool's, or that of the venue's one pool; None if unknown."""
        assert self._app is not None, "the daemon runs before it hears anything"
        funds = self._app.engine.fund_views()
        own = [fund.balance for fund in funds if fund.pool == symbol]
        return own[0] if own else funds[0].balance if len({fund.pool for fund in funds}) == 1 else None

    def during_silence(self, metrics: str) -> None:
        """Keep what /metrics says while the feed is silent."""
        self.silent = samples(metrics)
        gone = "perp_position_liquidation_distance_ratio" not in self.silent
        self._say(f"[blue]metrics[/]  the distances have {'vanished from' if gone else 'NOT vanished from'} /metrics")

    def after(self, metrics: str) -> None:
        """Keep what /metrics says at the end."""
        self.final = samples(metrics)

    def _views(self) -> list[PositionView]:
        assert self._app is not None, "the daemon runs before it is shown"
        return self._app.engine.position_views(0, self._app.engine.position_count(), boot())

    async def show(self) -> None:
        """Keep a live table below the story where there is a terminal; watch the last price of the wick."""
        live = Live(console=self.console, auto_refresh=False, transient=True) if self.console.is_terminal else None
        if live is not None:
            live.start()
        try:
            while True:
                self._watch_wick()
                if live is not None:
                    live.update(self.table(), refresh=True)
                await asyncio.sleep(0.25)
        finally:
            if live is not None:
                live.stop()

    def _watch_wick(self) -> None:
        assert self._app is not None, "the daemon runs before it is watched"
        role = self.plot.wick.role
        mark, top = (role.price(price) for price in LINES)
        for view in self._app.engine.symbol_views(boot()):
            if (
                view.symbol == role.symbol
                and (view.last_price or 0.0) >= 0.9999 * top
                and (view.mark_price or 1e9) <= 1.0001 * mark
            ):
                if not self.wick_seen:
                    self._say(
                        f"[blue]monitor[/]  last price {top:,.8g} is beyond wick-short's liquidation price, and no alert:"
                        f" the venue liquidates by the mark price, which is {mark:,.8g}"
                    )
                self.wick_seen = True

    def table(self) -> Table:
        """Return the positions as they are, with a bar for the distance to liquidation."""
        table = Table(expand=False)
        for name in ("position", "contract", "mark", "liquidation", "bankruptcy", "distance", "", "condition"):
            table.add_column(
                name, justify="right" if name in {"mark", "liquidation", "bankruptcy", "distance"} else "left"
            )
        for view in self._views():
            table.add_row(
                view.name,
                f"{view.symbol} {view.side}",
                _number(view.mark_price),
                _number(view.liquidation_price),
                _number(view.bankruptcy_price),
                "unknown" if view.liquidation_distance_ratio is None else f"{view.liquidation_distance_ratio:+.2%}",
                _bar(view),
                Text(view.condition, STYLES.get(view.condition, "bold magenta")),
            )
        return table

    # --- promises ------------------------------------------------------------------------------------------

    def promises(self) -> Iterator[tuple[str, bool, str]]:
        """Yield each promise, whether it was kept, and what was seen."""
        wick = [h["type"] for h in self.heard if h.get("position") == WICK]
        kept = self.wick_seen and not {"position.liquidation", "position.bankruptcy"} & set(wick)
        seen = "the last price was seen beyond its line" if self.wick_seen else "the wick was not seen"
        yield (
            "a wick of the last price raises no liquidation alert",
            kept,
            f"{seen}; events: {', '.join(wick) or 'none'}",
        )

        said = [h for h in self.heard if h.get("position") == SHORT and h["type"] in LADDER]
        kinds = [h["type"] for h in said]
        yield (
            "the mark price climbs: each level is delivered, in order",
            kinds == list(LADDER),
            ", ".join(kinds) or "none",
        )
        late = [h["type"] for h in said if not _in_time(h)]
        yield "each is delivered at the price that crossed its line", bool(said) and not late, _prices(said)

        for fill, (surplus, uncovered) in self.plot.closes().items():
            close = next((c for price, c in self.fills.items() if isclose(price, fill, rel_tol=1e-6)), None)
            name = f"closed at {fill:,.8g}: {surplus:+,.6g} {'to' if surplus > 0 else 'from'} the fund"
            known = self.fund is not None
            name += f", {uncovered:,.0f} uncovered" if uncovered and known else ""
            if close is None:
                yield name, False, "not seen"
                continue
            right = isclose(close.surplus, surplus, rel_tol=1e-6)
            right = right and (not known or isclose(close.uncovered, uncovered, rel_tol=1e-6, abs_tol=1e-6))
            yield name, right, f"{close.surplus:+,.6g}" + (f", uncovered {close.uncovered:,.2f}" if known else "")

        down = [h for h in self.heard if h["type"] in {"feed.down", "position.stale"}]
        told = any(SHORT in (h.get("positions") or [h.get("position")]) and h["condition"] == "unknown" for h in down)
        yield "a silent feed on an open socket: the position is unknown, and that is alerted", told, _kinds(down)
        yield "its distance vanishes from /metrics", _vanished(self.silent), _quality(self.silent)
        resolved = [h for h in self.heard if h["type"] == "position.resolved"]
        yield "silence resolves nothing", not resolved, _kinds(resolved) or "nothing was resolved"
        back = [h for h in self.heard if h["type"] == "feed.recovered"]
        returned = bool(back) and not _vanished(self.final)
        yield "the feed recovers and says so", returned, _kinds(back)
        yield "every signature is right", not self.problems and bool(self.heard), f"{len(self.heard)} deliveries"

    def summary(self) -> bool:
        """Print what was promised and what was seen; return whether all promises were kept."""
        kept = True
        if self._app is None:
            self.console.print("[red]The daemon did not start.[/]")
            return False
        self.console.print()
        self.console.print(self.table())
        for name, good, seen in self.promises():
            kept &= good
            self.console.print(f"  {'[green]kept[/]  ' if good else '[red]BROKEN[/]'} {name} [dim]({seen})[/]")
        self.console.print("[green]All promises were kept.[/]" if kept else "[red]A promise was broken.[/]")
        return kept


def samples(text: str) -> dict[str, dict[str, float]]:
    """Return the per-position samples of an exposition: family -> position -> value."""
    found: dict[str, dict[str, float]] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            if "position" in sample.labels:
                found.setdefault(sample.name, {})[sample.labels["position"]] = sample.value
    return found


def _vanished(seen: dict[str, dict[str, float]] | None) -> bool:
    return seen is not None and SHORT not in seen.get("perp_position_liquidation_distance_ratio", {})


def _quality(seen: dict[str, dict[str, float]] | None) -> str:
    if seen is None:
        return "/metrics was not read"
    return f"quality {seen.get('perp_position_quality', {}).get(SHORT, 'absent')}, level {seen.get('perp_position_level', {}).get(SHORT, 'absent')}"


def _in_time(heard: dict[str, Any]) -> bool:
    """Whether the delivery carries the first mark price at or past its line: a level is said when it is crossed."""
    distance = float(heard["liquidation_distance_ratio"])
    return {
        "position.warning": 0.02 < distance <= 0.05,
        "position.critical": 0.0 < distance <= 0.02,
        "position.liquidation": distance <= 0.0 < float(heard["bankruptcy_distance_ratio"]),
        "position.bankruptcy": float(heard["bankruptcy_distance_ratio"]) <= 0.0,
    }[heard["type"]]


def _prices(said: list[dict[str, Any]]) -> str:
    return ", ".join(f"{h['type'].partition('.')[2]} at {float(h['mark_price']):,.2f}" for h in said)


def _kinds(heard: list[dict[str, Any]]) -> str:
    return ", ".join(f"{h['type']} ({', '.join(h.get('positions') or [h.get('position', '')])})" for h in heard)


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:,.2f}"


def _bar(view: PositionView) -> Text:
    """Return the distance as a bar: full at ten percent, empty at the liquidation price."""
    distance = view.liquidation_distance_ratio
    if distance is None:
        return Text("?" * BAR, "magenta")
    filled = round(BAR * min(1.0, max(0.0, distance / FULL_BAR)))
    return Text("█" * filled + "░" * (BAR - filled), STYLES.get(view.condition, "white"))
