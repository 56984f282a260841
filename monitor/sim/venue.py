"""A simulated venue as a whole: opened and closed, its ticks, and the story it plays."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from types import TracebackType
from typing import ClassVar, Self

from monitor.sim.actions import Action
from monitor.sim.cast import Role
from monitor.sim.journal import boot
from monitor.sim.limits import Limits
from monitor.sim.market import Market
from monitor.sim.scenario import Scenario
from monitor.sim.stage import Stage


class VenueSim(Stage):
    """A venue on loopback: ``async with`` it, give ``stream_url`` and ``rest_url`` to a client, ``play`` a story.

    ``LIMITS`` is how the venue treats its clients where the scenario does not say otherwise; ``CAST`` gives the
    demo's contracts in the venue's spelling and units.

    Nothing of the story happens before :meth:`play`; until then the market stands where the scenario put it.
    """

    NAME: ClassVar[str]
    LIMITS: ClassVar[Limits] = Limits()
    CAST: ClassVar[Mapping[str, Role]] = {}

    def __init__(
        self,
        scenario: Scenario,
        *,
        speed: float = 1.0,
        stream_port: int = 0,
        rest_port: int = 0,
        wall: Callable[[], float] = time.time,
    ) -> None:
        market = Market(scenario.symbols, scenario.pools)
        super().__init__(market, scenario.limits or self.LIMITS, speed=speed, wall=wall)
        self.scenario = scenario
        self.streams.port, self.rest.port = stream_port, rest_port
        self._exit = AsyncExitStack()

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as opened:
            for server in (self.streams, self.rest):
                await server.listen()
                opened.push_async_callback(server.close)
            await opened.enter_async_context(self._group)
            opened.callback(self._end_tasks)
            self._exit = opened.pop_all()
        self._began = boot()
        self._spawn(self._beats(), "beats")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._exit.__aexit__(kind, error, trace)

    def _end_tasks(self) -> None:
        for task in list(self._tasks):
            task.cancel()

    @property
    def stream_url(self) -> str:
        """The websocket address, without a path."""
        return f"ws://{self.streams.host}:{self.streams.port}"

    @property
    def rest_url(self) -> str:
        """The REST address, without a path."""
        return f"http://{self.rest.host}:{self.rest.port}"

    async def play(self, tell: Callable[[Action], None] | None = None, *, repeat: bool | None = None) -> None:
        """Play the scenario's actions at their times and return at its end, or start again for ever.

        *tell* is told each action just before it is performed.
        """
        again = self.scenario.repeat if repeat is None else repeat
        actions = sorted(self.scenario.actions, key=lambda action: action.at)
        while True:
            start = self.clock()
            for action in actions:
                await self._until(start + action.at)
                if tell is not None:
                    tell(action)
                action.perform(self)
            await self._until(start + self.scenario.seconds)
            if not again:
                return
            self.market.reset(self.wall())
            for symbol, book in self.books.items():
                book.instrument = self.market.instrument(symbol)
            self.streams.end_silences()

    async def _beats(self) -> None:
        number = 0
        while True:
            number += 1
            await self._until(number * self.scenario.tick_seconds)
            self.market.advance(self.clock())
            self.beat(number)
