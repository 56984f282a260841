"""Name lookups that nothing else queues behind.

The resolver of the system blocks, for as long as it likes. Each lookup therefore has a daemon thread of its own
(the loop's shared executor would let one venue's dead name server hold up the others, and a normal thread would
hold up the exit), a time limit, and there are only so many of them at once.
"""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import socket
from threading import Thread

from aiohttp.abc import AbstractResolver, ResolveResult


class Lookup:
    """Turns host names into addresses; each worker room has its own."""

    def __init__(self, timeout_seconds: float = 5.0, at_once: int = 4) -> None:
        self._timeout_seconds = timeout_seconds
        self._at_once = at_once
        self._running = 0

    async def addresses(self, host: str, port: int) -> list[str]:
        """Return the addresses of *host* in the system's order. Raises ``socket.gaierror`` for every failure."""
        with contextlib.suppress(ValueError):
            return [str(ipaddress.ip_address(host))]
        if self._running >= self._at_once:
            raise socket.gaierror(socket.EAI_AGAIN, "too many lookups are still waiting for an answer")
        answer = asyncio.get_running_loop().create_future()
        Thread(target=self._ask, args=(host, port, answer), name=f"lookup {host}", daemon=True).start()
        self._running += 1
        try:
            async with asyncio.timeout(self._timeout_seconds):
                found: list[str] = await answer
        except TimeoutError:
            raise socket.gaierror(socket.EAI_AGAIN, "no answer from the name server in time") from None
        return found

    def _ask(self, host: str, port: int, answer: asyncio.Future[list[str]]) -> None:
        found: list[str] = []
        error: socket.gaierror | None = None
        try:
            rows = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
            found = list(dict.fromkeys(str(row[4][0]) for row in rows))
        except socket.gaierror as failure:
            error = failure
        except (OSError, UnicodeError) as failure:
            error = socket.gaierror(socket.EAI_FAIL, str(failure))
        with contextlib.suppress(RuntimeError):  # the loop has ended: nobody waits any more
            answer.get_loop().call_soon_threadsafe(self._settle, answer, found, error)

    def _settle(self, answer: asyncio.Future[list[str]], found: list[str], error: socket.gaierror | None) -> None:
        self._running -= 1
        if answer.done():
            return
        if error is not None:
            answer.set_exception(error)
        else:
            answer.set_result(found)


class LookupResolver(AbstractResolver):
    """The same for aiohttp."""

    def __init__(self, lookup: Lookup) -> None:
        self._lookup = lookup

    async def resolve(
        self,
        host: str,
        port: int = 0,
        family: socket.AddressFamily = socket.AF_INET,  # noqa: ARG002 - both families are wanted
    ) -> list[ResolveResult]:
        """Return what aiohttp needs to connect to *host*."""
        return [
            ResolveResult(
                hostname=host,
                host=address,
                port=port,
                family=socket.AF_INET6 if ":" in address else socket.AF_INET,
                proto=0,
                flags=socket.AI_NUMERICHOST,
            )
            for address in await self._lookup.addresses(host, port)
        ]

    async def close(self) -> None:
        """Have nothing to close: a thread that still waits is a daemon."""
