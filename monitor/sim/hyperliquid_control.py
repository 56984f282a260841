"""The control messages of a simulated Hyperliquid websocket: what is asked, and what it leads to.

What can be understood is echoed with its defaults filled in; what cannot is answered with a text that quotes it. What
names something the venue does not know ends the connection, without a word.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import msgspec

from monitor.sim.streams import Client, StreamServer

OF_COINS = ("activeAssetCtx", "trades", "l2Book", "bbo")
OF_USERS = ("userFills",)
ACKNOWLEDGED = ("allMids", "assetCtxs", "allDexsAssetCtxs", "fastAssetCtxs", "candle", "userEvents", "userFundings")
"""Understood, and silent here."""

MOST_USERS = 10
SIGNIFICANT_FIGURES = (None, 2, 3, 4, 5)

Subscription = dict[str, Any]


class _NotUnderstoodError(Exception):
    pass


class _UnknownError(Exception):
    """Something is named that the venue does not have."""


def stream_of(subscription: Subscription) -> str:
    """Return the stream of a subscription: ``trades:BTC``, ``l2Book:BTC:fast``; aggregated books have none that flows."""
    kind = subscription["type"]
    name = f"{kind}:{subscription.get('coin') or subscription.get('user') or ''}"
    if kind == "l2Book":
        name += ":fast" if subscription["fast"] else ""
        name += "" if subscription["nSigFigs"] is None else f":{subscription['nSigFigs']}"
    return name


class Controls:
    """Obeys control messages of clients of *server*; *first* gives what a new subscription is sent at once."""

    def __init__(
        self, server: StreamServer, knows: Callable[[str], bool], first: Callable[[Subscription], Iterable[object]]
    ) -> None:
        self._server = server
        self._knows = knows
        self._first = first

    def hear(self, client: Client, text: str) -> None:
        """Answer one control message."""
        try:
            request = _parse(text)
            if request["method"] == "ping":
                _say(client, "pong")
                return
            subscription = self._checked(request.get("subscription"))
        except _NotUnderstoodError:
            _say(client, "error", f"Error parsing JSON into valid websocket request: {text}")
        except _UnknownError:
            client.abort()
        else:
            self._obey(client, request["method"], subscription)

    def _obey(self, client: Client, method: str, subscription: Subscription) -> None:
        name, quoted = stream_of(subscription), msgspec.json.encode(subscription).decode()
        subscribed = name in client.streams
        if (method == "subscribe") is subscribed:
            _say(client, "error", f"Already {method}d: {quoted}")
            return
        if method == "unsubscribe":
            self._server.unsubscribe(client, name)
        elif "user" in subscription and len(self._users() | {subscription["user"]}) > MOST_USERS:
            _say(client, "error", f"Cannot track more than {MOST_USERS} total users.")
            return
        elif not self._server.subscribe(client, name):
            _say(client, "error", f"Cannot track more than {len(client.streams)} total subscriptions.")
            return
        _say(client, "subscriptionResponse", {"method": method, "subscription": subscription})
        for message in self._first(subscription) if method == "subscribe" else ():
            client.send(msgspec.json.encode(message))

    def _users(self) -> set[str]:
        """Return the accounts that are followed, over all connections."""
        names = (name for client in self._server.clients for name in client.streams)
        return {name.partition(":")[2] for name in names if name.startswith(OF_USERS)}

    def _checked(self, asked: object) -> Subscription:
        """Return a subscription with its defaults filled in."""
        if not isinstance(asked, dict):
            raise _NotUnderstoodError
        kind, coin, user = asked.get("type"), asked.get("coin"), asked.get("user")
        if kind in OF_COINS:
            if not isinstance(coin, str):
                raise _NotUnderstoodError
            if not self._knows(coin):
                raise _UnknownError
            return {"type": kind, "coin": coin} | (_book(asked) if kind == "l2Book" else {})
        if kind in OF_USERS:
            if not isinstance(user, str) or len(user) != 42 or not user.startswith("0x"):
                raise _NotUnderstoodError
            return {"type": kind, "user": user.lower()}
        if kind in ACKNOWLEDGED:
            return dict(asked)
        raise _NotUnderstoodError


def _book(asked: Subscription) -> Subscription:
    figures, fast = asked.get("nSigFigs"), asked.get("fast", False)
    if not isinstance(fast, bool):
        raise _NotUnderstoodError
    if figures not in SIGNIFICANT_FIGURES:
        raise _UnknownError
    return {"nSigFigs": figures, "mantissa": asked.get("mantissa"), "fast": fast}


def _parse(text: str) -> dict[str, Any]:
    try:
        request = msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeError):
        raise _NotUnderstoodError from None
    if not isinstance(request, dict) or request.get("method") not in ("ping", "subscribe", "unsubscribe"):
        raise _NotUnderstoodError
    return request


def _say(client: Client, channel: str, data: object = None) -> None:
    client.send(msgspec.json.encode({"channel": channel} | ({} if data is None else {"data": data})))
