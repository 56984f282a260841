"""The control messages of a simulated Bybit websocket: subscribe, unsubscribe, ping.

One unknown topic fails the whole frame, and the answer names no topic but the first bad one. The answer to a ping says
``op: ping``. Data may come before the answer to the request for them: here a snapshot does.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from typing import Any

import msgspec

from monitor.sim.bybit_frames import category, market_of, status
from monitor.sim.market import Market
from monitor.sim.streams import Client, StreamServer

ARGS_CHARACTERS = 21_000
"""What all topics of one connection may have together."""

DEPTHS = ("1", "50", "200", "1000")
STATUS_PATH = "status"


class Controls:
    """Obeys control messages; ``begin(client, topic)`` sends what a new subscriber of a topic gets first."""

    def __init__(self, server: StreamServer, market: Market, begin: Callable[[Client, str], None]) -> None:
        self._server = server
        self._market = market
        self._begin = begin
        self._numbers = count(1)

    async def hear(self, client: Client, text: str) -> None:
        """Answer one control message."""
        request = _parse(text)
        op, identity = request.get("op"), request.get("req_id", "")
        if op == "ping":
            self._say(client, identity, "ping", "pong")
        elif op == "subscribe":
            self._say(client, identity, "subscribe", *self._subscribe(client, request.get("args")))
        elif op == "unsubscribe":
            for topic in _topics(request.get("args")):
                self._server.unsubscribe(client, topic)
            self._say(client, identity, "unsubscribe")
        else:
            self._say(client, "", "", "error:invalid op", success=False)

    def _subscribe(self, client: Client, args: object) -> tuple[str, bool]:
        topics = _topics(args)
        if not topics:
            return "error:args is empty", False
        for topic in topics:
            if not self._known(client.path, topic):
                return f"error:handler not found,topic:{topic}", False
            if topic in client.streams:
                return f"error:already subscribed,topic:{topic}", False
        if sum(map(len, (*client.streams, *topics))) > ARGS_CHARACTERS:
            return f"error:args length >{ARGS_CHARACTERS}", False
        for topic in topics:
            self._begin(client, topic)
            self._server.subscribe(client, topic)
        return "", True

    def _known(self, path: str, topic: str) -> bool:
        """Return whether there is such a topic on *path*."""
        if path == STATUS_PATH:
            return topic == "system.status"
        head, _, rest = topic.partition(".")
        here = [i for i in self._market.instruments.values() if category(i) == path and status(i) != "Closed"]
        if head in ("insurance", "adlAlert"):
            return rest in ({"USDT", "USDC"} if path == "linear" else {"inverse"}) or rest in map(market_of, here)
        if head in ("orderbook", "kline"):
            depth, _, rest = rest.partition(".")
            if head == "orderbook" and depth not in DEPTHS:
                return False
        elif head not in ("tickers", "allLiquidation", "publicTrade", "priceLimit"):
            return False
        return any(instrument.symbol == rest for instrument in here)

    def _say(self, client: Client, identity: object, op: str, message: str = "", success: bool = True) -> None:  # noqa: FBT001, FBT002
        name = client.notes.setdefault("conn_id", f"sim-{next(self._numbers):08x}")
        answer = {
            "success": success,
            "ret_msg": message,
            "conn_id": name,
            "req_id": identity if isinstance(identity, str) else "",
            "op": op,
        }
        client.send(msgspec.json.encode(answer))


def _parse(text: str) -> dict[str, Any]:
    try:
        request = msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeError):
        return {}
    return request if isinstance(request, dict) else {}


def _topics(args: object) -> list[str]:
    return [topic for topic in args if isinstance(topic, str)] if isinstance(args, list) else []
