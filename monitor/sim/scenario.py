"""Scenario files: a market to begin with, then timed actions. Read with ``yaml.safe_load``, checked as a whole."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import resources
from pathlib import Path
from typing import Annotated, Any

import msgspec
import yaml

from monitor.core.contract import build_deductions, ladder_problem
from monitor.errors import ConfigError
from monitor.sim.actions import AnyAction, Fund
from monitor.sim.limits import Limits
from monitor.sim.market import Listing, Pool, Seconds


class Scenario(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A market, the venue's manners, and a story of ``seconds`` that may repeat."""

    symbols: Annotated[tuple[Listing, ...], msgspec.Meta(min_length=1)]
    pools: tuple[Pool, ...] = ()
    limits: Limits | None = None
    """How the venue treats its clients; None: as it usually does."""
    tick_seconds: Seconds = 1.0
    seconds: Seconds = 1.0
    repeat: bool = False
    actions: tuple[AnyAction, ...] = ()

    def problems(self) -> Iterator[str]:
        """Yield what is wrong with the parts taken together, each with its place."""
        known = {listing.symbol for listing in self.symbols}
        for number, listing in enumerate(self.symbols):
            if listing.symbol in {other.symbol for other in self.symbols[:number]}:
                yield f"symbols[{number}]: {listing.symbol} is listed twice"
            if wrong := ladder_problem(build_deductions(listing.tiers)):
                yield f"symbols[{number}].tiers: {wrong}"
        for number, pool in enumerate(self.pools):
            for symbol in pool.symbols:
                if symbol not in known:
                    yield f"pools[{number}].symbols: {symbol} is not one of the scenario's symbols"
        for number, action in enumerate(self.actions):
            named = getattr(action, "symbol", None)
            if named is not None and named not in known:
                yield f"actions[{number}].symbol: {named} is not one of the scenario's symbols"
            if isinstance(action, Fund) and not any(action.symbol in pool.symbols for pool in self.pools):
                yield f"actions[{number}].symbol: no pool stands behind {action.symbol}"
            if action.at > self.seconds:
                yield f"actions[{number}].at: {action.at:g} lies after the end of the story ({self.seconds:g} s)"
            if wrong := action.problem():
                yield f"actions[{number}]: {wrong}"


def parse_scenario(text: str, origin: str = "scenario") -> Scenario:
    """Return the scenario written in *text*; *origin* names it in errors. Raises ``ConfigError``."""
    try:
        document: Any = yaml.safe_load(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"{origin}:{mark.line + 1}" if mark else origin
        raise ConfigError([f"{where}: this is not YAML: {getattr(error, 'problem', error)}"]) from None
    try:
        scenario = msgspec.convert(document, Scenario)
    except msgspec.ValidationError as error:
        message, _, place = str(error).partition(" - at ")
        raise ConfigError([f"{origin}: {place.strip('`').removeprefix('$.') or 'file'}: {message}"]) from None
    if problems := [f"{origin}: {problem}" for problem in scenario.problems()]:
        raise ConfigError(problems)
    return scenario


def load_scenario(source: str | Path) -> Scenario:
    """Return the scenario of a file, or the packaged one of that name (``demo``, ``calm``, ``rough``)."""
    if isinstance(source, str) and source in packaged_scenarios():
        file = resources.files(__package__) / "scenarios" / f"{source}.yaml"
        return parse_scenario(file.read_text(encoding="utf-8"), f"{source}.yaml")
    try:
        text = Path(source).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError([f"{source}: the scenario cannot be read: {error}"]) from None
    return parse_scenario(text, str(source))


def packaged_scenarios() -> list[str]:
    """Return the names of the scenarios that come with the program."""
    folder = resources.files(__package__) / "scenarios"
    return sorted(file.name.removesuffix(".yaml") for file in folder.iterdir() if file.name.endswith(".yaml"))
