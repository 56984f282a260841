"""How a simulated venue treats its clients: pings, lifetimes, rates, weights."""

from __future__ import annotations

from typing import Annotated

import msgspec

from monitor.sim.market import Positive, Seconds

Count = Annotated[int, msgspec.Meta(ge=1)]


class Limits(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How the venue treats its clients. Seconds are the scenario's, so that ``speed`` shortens them too."""

    ping_seconds: Seconds = 180.0
    pong_seconds: Seconds = 600.0
    lifetime_seconds: Seconds = 86_400.0
    control_per_second: Positive = 10.0
    control_burst: Count = 15
    streams_per_connection: Count = 1024
    idle_client_seconds: Seconds | None = None
    """How long a client may say nothing; None: for ever. Protocol pongs are not counted."""
    idle_server_seconds: Seconds | None = None
    """How long the server itself may have nothing to send before it drops the connection; None: for ever."""
    idle_code: Annotated[int, msgspec.Meta(ge=1000, le=4999)] | None = 1000
    """The close code then; None drops the connection without a word."""
    weight_per_minute: Count = 2400
    refusals_before_ban: Count = 10
    ban_seconds: Seconds = 120.0
