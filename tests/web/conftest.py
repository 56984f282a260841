"""A real server on a free port, and a client that speaks HTTP to it byte by byte where that matters."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from types import SimpleNamespace

import aiohttp
import pytest

from monitor.web.health import Verdict
from monitor.web.server import WebServer


@pytest.fixture
def says():
    """What the application's callables answer; a test changes it."""
    return SimpleNamespace(metrics=[b"# TYPE up gauge\n", b"up 1.0\n"], health=Verdict([]), readiness=Verdict([]))


@pytest.fixture
async def serve(says):
    """Return a function that starts a server with changes and returns it; all are stopped at the end."""
    async with AsyncExitStack() as stack:

        async def start(**changes):
            async def metrics():
                return says.metrics

            async def readiness():
                return says.readiness

            given = {"metrics": metrics, "health": lambda: says.health, "readiness": readiness}
            server = WebServer(**{"host": "127.0.0.1", "port": 0, **given, **changes})
            await server.start()
            stack.push_async_callback(server.stop)
            return server

        yield start


@pytest.fixture
async def ask(serve):
    """Return a function that sends one request and returns status, headers and the body as sent."""
    async with aiohttp.ClientSession(auto_decompress=False) as session:
        servers = {}

        async def request(path="/metrics", method="GET", headers=None, **settings):
            key = tuple(settings.items())
            if key not in servers:
                servers[key] = await serve(**settings)
            url = f"http://127.0.0.1:{servers[key].port}{path}"
            async with session.request(method, url, headers={"Accept-Encoding": "identity", **(headers or {})}) as got:
                return SimpleNamespace(status=got.status, headers=got.headers, body=await got.read())

        yield request


@pytest.fixture
def raw():
    """Return a function that sends bytes to a server and returns all that comes back until it closes."""

    async def exchange(server, data):
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        try:
            writer.write(data)
            return await reader.read()
        finally:
            writer.close()

    return exchange
