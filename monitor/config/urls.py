"""Addresses of receivers and venues: encrypted, or plain to loopback. What is said of one never quotes it."""

from __future__ import annotations

import ipaddress
from urllib.parse import SplitResult, urlsplit

from monitor.net.guard import url_problem

MAX_URL = 2048


def split_url(url: str) -> SplitResult:
    """Return the parts of *url*. Raises ``ValueError`` in words unless it is absolute, ASCII and without user info."""
    if not url.isascii() or not url.isprintable() or " " in url or "\\" in url:
        raise ValueError("expected a URL in printable ASCII without blanks or backslashes")
    try:
        parts = urlsplit(url)
        port_ok = parts.port is None or parts.port > 0
    except ValueError:
        raise ValueError("expected a URL, with a port from 1 to 65535 if any") from None
    if not parts.scheme or not parts.hostname or not port_ok:
        raise ValueError("expected a URL such as https://host/path")
    if "@" in parts.netloc:
        raise ValueError("user name and password are not allowed in the URL")
    if "#" in url:
        raise ValueError("a fragment (#...) is not allowed in the URL")
    return parts


def is_loopback(host: str) -> bool:
    """Return whether *host* is this machine by name or by literal address."""
    address = literal(host)
    return host == "localhost" if address is None else address.is_loopback


def literal(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """Return the address that *host* spells out, None if it is a name."""
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def check_venue_url(url: str, secure: str, plain: str) -> str:
    """Return the base address of a venue. Raises ``ValueError`` in words."""
    parts = split_url(url)
    if parts.query:
        raise ValueError("a query (?...) is not allowed in a base address")
    if parts.scheme != secure and not (parts.scheme == plain and is_loopback(parts.hostname or "")):
        raise ValueError(f"expected {secure}://, or {plain}:// to loopback")
    return url.rstrip("/")


def check_receiver_url(url: str, *, allow_http_loopback: bool, allow_private: bool) -> str:
    """Return the address of a receiver. Raises ``ValueError`` in words.

    A name is resolved, and what it resolves to judged, at each delivery; here only what can be read off.
    """
    problem = url_problem(url, allow_http_loopback=allow_http_loopback, allow_private=allow_private)
    if problem is not None:
        raise ValueError(problem)
    parts = urlsplit(url)
    if parts.scheme == "http" and not is_loopback(parts.hostname or ""):
        raise ValueError("plain http is for loopback only")
    return url


def split_listen(text: str) -> tuple[str, int]:
    """Return host and port of ``127.0.0.1:9464`` or ``[::1]:9464``. Raises ``ValueError`` in words.

    >>> split_listen("[::1]:9464")
    ('::1', 9464)
    """
    host, colon, port = text.rpartition(":")
    bracketed = host.startswith("[") and host.endswith("]")
    host = host[1:-1] if bracketed else host
    address = literal(host)
    known = host == "localhost" if address is None else bracketed == (address.version == 6)
    if not colon or not known or not (port.isascii() and port.isdigit() and len(port) <= 5) or int(port) > 65535:
        raise ValueError("expected an address and a port such as 127.0.0.1:9464 or [::1]:9464")
    return host, int(port)
