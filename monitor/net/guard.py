"""Which addresses a webhook may go to: decided on the address that is connected to, at every attempt.

A name is harmless until it is resolved, so the answer of the resolver is judged, every address of it, and one
denied address denies the name. Connections then go to the judged addresses, never to a second lookup.

Plain http goes to loopback only, and only where the receiver says so. ``allow_private`` opens loopback, private
and shared ranges over https. Link-local (cloud metadata lives there), multicast, reserved and unspecified
addresses, and IPv6 forms that wrap an IPv4 address (mapped, 6to4, NAT64, Teredo), are never a receiver.
"""

from __future__ import annotations

import ipaddress
import re
import socket
from urllib.parse import SplitResult, urlsplit

from aiohttp.abc import ResolveResult

from monitor.net.lookup import Lookup, LookupResolver

MAX_URL = 2048

_SHARED = ipaddress.ip_network("100.64.0.0/10")
_PRIVATE4 = [ipaddress.ip_network(text) for text in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16")]
_PRIVATE6 = ipaddress.ip_network("fc00::/7")
_WRAPPED = [
    ipaddress.ip_network(text)
    for text in (
        "::/96",
        "::ffff:0:0/96",
        "::ffff:0:0:0/96",
        "64:ff9b::/96",
        "64:ff9b:1::/48",
        "2001::/32",
        "2002::/16",
    )
]

# A host whose last label is a number is an IPv4 address to somebody: 127.1, 0x7f000001, 2130706433, 0177.0.0.1.
_NUMERIC = re.compile(r"(?:.*\.)?(?:\d+|0[xX][0-9a-fA-F]*)\.?", re.ASCII)

_NAME = re.compile(r"(?:[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?\.)*[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.?", re.ASCII)


class AddressDenied(OSError):
    """The target resolves to an address that no webhook may go to."""


def url_problem(url: str, *, allow_http_loopback: bool = False, allow_private: bool = False) -> str | None:
    """Return what is wrong with *url* as a webhook target, in words that repeat nothing secret of it, or None.

    Looks nothing up: a name that passes here is judged again at each attempt.

    >>> url_problem("https://hooks.example.com/T0/secret")
    >>> url_problem("https://2130706433/")
    'its host is a number that is no plain IPv4 address'
    """
    if len(url) > MAX_URL:
        return f"it is longer than {MAX_URL} characters"
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        return "it is not a URL"
    if any(ord(character) <= 0x20 or ord(character) == 0x7F for character in url) or "\\" in url:
        return "it contains blanks, control characters or backslashes"
    if parts.scheme not in ("http", "https"):
        return "expected https://"
    if parts.username is not None or parts.password is not None or "@" in parts.netloc:
        return "it contains user information; credentials belong in the path or in the secret"
    if not host or port == 0 or parts.fragment:
        return "expected https://host[:port]/path"
    return _host_problem(parts, host, allow_http_loopback=allow_http_loopback, allow_private=allow_private)


def _host_problem(parts: SplitResult, host: str, *, allow_http_loopback: bool, allow_private: bool) -> str | None:
    plain = parts.scheme == "http"
    if plain and not allow_http_loopback:
        return "plain http is for loopback only, and only with allow_http_loopback: true"
    if parts.netloc.startswith("[") or ":" in host or _NUMERIC.fullmatch(host):
        try:
            ipaddress.ip_address(host)
        except ValueError:
            return "its host is a number that is no plain IPv4 address" if ":" not in host else "it has no valid host"
        return address_problem(host, plain_http=plain, allow_private=allow_private)
    if len(host) > 253 or not _NAME.fullmatch(host):
        return "its host is not a name in ASCII letters, digits and hyphens"
    return None


def address_problem(text: str, *, plain_http: bool = False, allow_private: bool = False) -> str | None:
    """Return why no webhook may go to the numeric address *text*, or None.

    >>> address_problem("169.254.169.254", allow_private=True)
    'it is a link-local address'
    >>> address_problem("8.8.8.8") is None, address_problem("10.0.0.7")
    (True, 'it is a private address; allow_private: true permits that')
    """
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return "it is not a numeric address"
    if address.is_loopback:
        return None if plain_http or allow_private else _permit("loopback")
    if isinstance(address, ipaddress.IPv6Address):
        if address.scope_id is not None or any(address in network for network in _WRAPPED):
            return "it is an IPv6 address that stands for another one"
        if address.is_site_local:
            return "it is a reserved address"
    for name in ("unspecified", "multicast", "link_local"):
        if getattr(address, f"is_{name}"):
            return f"it is a {name.replace('_', '-')} address"
    if plain_http:
        return "plain http is for loopback only"
    return _range_problem(address, allow_private=allow_private)


def _range_problem(address: ipaddress.IPv4Address | ipaddress.IPv6Address, *, allow_private: bool) -> str | None:
    if isinstance(address, ipaddress.IPv4Address):
        if address in _SHARED:
            return None if allow_private else _permit("shared")
        local = any(address in network for network in _PRIVATE4)
    else:
        local = address in _PRIVATE6
    if local:
        return None if allow_private else _permit("private")
    return None if address.is_global and not address.is_reserved else "it is a reserved address"


def _permit(kind: str) -> str:
    return f"it is a {kind} address; allow_private: true permits that"


class GuardedResolver(LookupResolver):
    """A resolver for one receiver that hands out judged addresses only. Nothing is cached."""

    def __init__(self, lookup: Lookup, *, plain_http: bool, allow_private: bool) -> None:
        super().__init__(lookup)
        self._plain_http = plain_http
        self._allow_private = allow_private

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """Return every address of *host*; raises ``AddressDenied`` if a single one of them is denied."""
        found = await super().resolve(host, port, family)
        for row in found:
            problem = address_problem(row["host"], plain_http=self._plain_http, allow_private=self._allow_private)
            if problem is not None:
                raise AddressDenied(problem)
        if not found:
            raise socket.gaierror(socket.EAI_NONAME, "the name has no address")
        return found
