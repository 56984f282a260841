"""The control messages of a simulated Kraken Futures: subscribe, unsubscribe, challenge, and three shapes of a refusal.

Answers carry neither a code nor an id, and each product is acknowledged by itself. A product id that cannot be one
fails the whole frame with ``error``; one that is merely not listed comes back as ``subscribed_failed``; what needs a
login is an ``alert``.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable, Iterable
from typing import Any

import msgspec

from monitor.sim.streams import Client, StreamServer

FEEDS = {"ticker", "ticker_lite", "trade", "book"}
"""Feeds of a product."""

WITHOUT_PRODUCT = {"heartbeat"}
PRIVATE = {
    "account_balances_and_margins",
    "account_log",
    "balances",
    "fills",
    "notifications_auth",
    "open_orders",
    "open_positions",
}

_ID = re.compile(r"[A-Z]{2}_[A-Z0-9]+(_\d{6})?", re.IGNORECASE)


class Controls:
    """Obeys control messages; *first* gives what a new subscriber to (feed, product) is sent at once."""

    def __init__(
        self,
        server: StreamServer,
        listed: Callable[[str], bool],
        first: Callable[[str, str], Iterable[bytes]],
    ) -> None:
        self._server = server
        self._listed = listed
        self._first = first

    def hear(self, client: Client, text: str) -> None:
        """Answer one control message."""
        try:
            said = msgspec.json.decode(text)
        except (msgspec.DecodeError, UnicodeError, RecursionError):
            _error(client, "Json Error")
            return
        match said:
            case {"event": "subscribe" | "unsubscribe" as event, "feed": str(feed)}:
                self._obey(client, event, feed, said.get("product_ids"))
            case {"event": "challenge", "api_key": str()}:
                _say(client, {"event": "challenge", "message": str(uuid.uuid4())})
            case _:
                _error(client, "Bad request")

    def _obey(self, client: Client, event: str, feed: str, products: object) -> None:
        if feed in PRIVATE:
            _say(client, {"event": "alert", "message": "Failed to subscribe to authenticated feed"})
        elif feed in WITHOUT_PRODUCT:
            self._change(client, event, feed)
            _say(client, {"event": f"{event}d", "feed": feed})
        elif feed not in FEEDS:
            _error(client, "Invalid feed")
        elif not isinstance(products, list) or not products or not all(isinstance(name, str) for name in products):
            _error(client, "Bad request")
        elif not all(_ID.fullmatch(name) for name in products):
            _error(client, "Invalid product id")
        else:
            self._each(client, event, feed, [name.upper() for name in products])

    def _each(self, client: Client, event: str, feed: str, products: list[str]) -> None:
        """Answer product by product, each with what its subscription begins with."""
        for product in products:
            done = self._listed(product)
            _say(client, {"event": f"{event}d" + ("" if done else "_failed"), "feed": feed, "product_ids": [product]})
            if not done:
                continue
            self._change(client, event, f"{feed}/{product}")
            if event == "subscribe" and not self._server.silent(client.path, f"{feed}/{product}", product):
                for frame in self._first(feed, product):
                    client.send(frame)

    def _change(self, client: Client, event: str, name: str) -> None:
        if event == "subscribe":
            self._server.subscribe(client, name)
        else:
            self._server.unsubscribe(client, name)


def greet(client: Client) -> None:
    """Say what the server says first."""
    _say(client, {"event": "info", "version": 1})


def _error(client: Client, message: str) -> None:
    _say(client, {"event": "error", "message": message})


def _say(client: Client, said: dict[str, Any]) -> None:
    client.send(msgspec.json.encode(said))
