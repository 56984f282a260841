"""A calm market whose clock ticks only when a test says so, and a plain websocket client that knows no venue."""

import asyncio
import json
from collections.abc import Callable
from contextlib import AsyncExitStack

import aiohttp
import msgspec
import pytest
from websockets.asyncio.client import ClientConnection, connect

from monitor.sim.binance import BinanceSim
from monitor.sim.limits import Limits
from monitor.sim.scenario import Scenario, load_scenario


class Socket:
    """A websocket that reads JSON and can tell when it has read everything sent so far."""

    def __init__(self, connection: ClientConnection) -> None:
        self.connection = connection
        self._marker = 900_000

    async def say(self, message: object) -> None:
        await self.connection.send(message if isinstance(message, str) else json.dumps(message))

    async def hear(self) -> object:
        async with asyncio.timeout(5):
            return json.loads(await self.connection.recv())

    async def ask(self, method: str, *params: object, **more: object) -> object:
        await self.say({"method": method, "params": list(params), "id": 1} | more)
        return await self.hear()

    async def everything(self) -> list:
        """Return what arrived until an answer to a question asked now: all that was sent before."""
        self._marker += 1
        await self.say({"method": "LIST_SUBSCRIPTIONS", "id": self._marker})
        heard: list = []
        while True:
            message = await self.hear()
            if isinstance(message, dict) and message.get("id") == self._marker:
                return heard
            heard.append(message)

    async def closed(self) -> tuple[int | None, str | None]:
        """Wait for the end of the connection and return its close code and reason."""
        async with asyncio.timeout(5):
            await self.connection.wait_closed()
        return self.connection.close_code, self.connection.close_reason


@pytest.fixture
def calm() -> Scenario:
    return load_scenario("calm")


@pytest.fixture
def still(calm) -> Scenario:
    """The calm market without ticks: data come with ``push`` and with what a test does."""
    return msgspec.structs.replace(calm, tick_seconds=9_999_999.0)


@pytest.fixture
def limited(still) -> Callable[..., Scenario]:
    """Return the still market with other limits."""

    def with_limits(**limits) -> Scenario:
        return msgspec.structs.replace(still, limits=msgspec.structs.replace(still.limits or Limits(), **limits))

    return with_limits


@pytest.fixture
async def open_sim():
    """Open a simulated venue that is closed when the test ends."""
    async with AsyncExitStack() as stack:

        async def open_one(scenario: Scenario, **options) -> BinanceSim:
            return await stack.enter_async_context(BinanceSim(scenario, **options))

        yield open_one


@pytest.fixture
async def sim(open_sim, still) -> BinanceSim:
    return await open_sim(still)


@pytest.fixture
async def open_socket():
    """Open a websocket to a venue's path; its first answer is in when it is returned."""
    async with AsyncExitStack() as stack:

        async def open_one(venue: BinanceSim, path: str, **options) -> Socket:
            connection = await stack.enter_async_context(connect(venue.stream_url + path, proxy=None, **options))
            socket = Socket(connection)
            await socket.everything()
            return socket

        yield open_one


@pytest.fixture
def until():
    """Wait until something is so, looking again and again."""

    async def wait_until(condition) -> None:
        async with asyncio.timeout(5):
            while not condition():  # noqa: ASYNC110 - the condition has no event to wait for
                await asyncio.sleep(0.01)

    return wait_until


@pytest.fixture
async def http():
    async with aiohttp.ClientSession() as session:
        yield session
