"""Who may read: the right name in Host, no foreign page, and the token where one is set."""

from __future__ import annotations

import hmac
from collections.abc import Awaitable, Callable, Collection

from aiohttp import web
from aiohttp.typedefs import Middleware

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

LOOPBACK = frozenset({"localhost", "127.0.0.1", "[::1]"})


def bracketed(host: str) -> str:
    """Return *host* as it stands in a Host header and in a URL: an IPv6 address in brackets."""
    return f"[{host}]" if ":" in host and not host.startswith("[") else host


def host_of(header: str) -> str:
    """Return the name in a Host header, without its port.

    >>> host_of("LocalHost:9464"), host_of("[::1]:9464"), host_of("127.0.0.1")
    ('localhost', '[::1]', '127.0.0.1')
    """
    name, colon, port = header.strip().lower().rpartition(":")
    return name if colon and port.isdecimal() else header.strip().lower()


def guard(hosts: Collection[str], token: str | None) -> Middleware:
    """Return the middleware that lets a request through or says why not.

    A Host that is not ours is 421: a page on another site may have pointed its own name at this address. A foreign
    Origin is 403 and no answer ever carries a CORS header. Tokens are compared in constant time.
    """
    allowed = LOOPBACK | {bracketed(host.lower()) for host in hosts}
    expected = None if token is None else f"Bearer {token}".encode()

    @web.middleware
    async def check(request: web.Request, handler: Handler) -> web.StreamResponse:
        if host_of(request.headers.get("Host", "")) not in allowed:
            return _plain(421, "this address is served under other names only\n")
        origin = request.headers.get("Origin")
        if origin is not None and origin.lower() != f"http://{request.headers['Host'].lower()}":
            return _plain(403, "requests from other sites are refused\n")
        given = request.headers.get("Authorization", "").encode("utf-8", "surrogateescape")
        if expected is not None and not hmac.compare_digest(given, expected):
            return _plain(401, "a bearer token is needed\n", {"WWW-Authenticate": "Bearer"})
        return await handler(request)

    return check


def _plain(status: int, text: str, headers: dict[str, str] | None = None) -> web.Response:
    return web.Response(status=status, text=text, headers=headers)
