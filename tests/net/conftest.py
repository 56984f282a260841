"""A real HTTP server on loopback that a test tells what to answer."""

import pytest
from aiohttp import web


class Server:
    def __init__(self):
        self.url = ""
        self.requests = []
        self.answer = None


@pytest.fixture
async def http_server():
    server = Server()

    async def handle(request):
        server.requests.append(request)
        return await server.answer(request)

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", handle)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    server.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield server
    await runner.cleanup()
