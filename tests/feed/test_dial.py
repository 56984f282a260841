"""Refused, stalled and impossible handshakes."""

import contextlib
import ssl
import subprocess
from dataclasses import replace

import pytest
from structlog.testing import capture_logs
from websockets.asyncio.server import serve

from monitor.core.events import FeedLost, MarkPrice
from monitor.feed.dial import Dialer, HandshakeRefused, wait_after
from monitor.feed.settings import FeedSettings
from monitor.net.backoff import Backoff
from monitor.net.tls import client_context


def lost(engine):
    return [event.reason for event in engine.of(FeedLost)]


@pytest.mark.parametrize("status", [200, 403, 404, 451, 500, 503])
async def test_a_refused_handshake_is_tried_again(make_feed, running, until, engine, server, status):
    server.answers = [(status, {}), (status, {})]
    async with running(make_feed(stream_url=server.url)):
        await until(lambda: engine.of(MarkPrice))
        assert lost(engine) == ["refused", "refused"]


@pytest.mark.parametrize("status", [429, 503])
async def test_nothing_is_asked_inside_a_retry_after_window(make_feed, running, until, engine, server, status):
    server.answers = [(status, {"Retry-After": "1"})]
    async with running(make_feed(stream_url=server.url)):
        await until(lambda: engine.of(MarkPrice))
    first, second = (time for time, _ in server.handshakes)
    assert second - first >= 1.0
    assert lost(engine) == ["rate_limited"]


async def test_a_retry_after_without_end_is_capped(make_feed, tiny, running, until, engine, server):
    server.answers = [(429, {"Retry-After": "999999999999"})]
    settings = replace(tiny.settings, retry_after_cap_seconds=0.1)
    async with running(make_feed(stream_url=server.url, settings=settings)):
        await until(lambda: engine.of(MarkPrice))


async def test_the_third_refusal_that_waiting_does_not_heal_is_an_error(make_feed, running, until, server):
    server.answers = [(403, {})] * 3
    with capture_logs() as logs:
        async with running(make_feed(stream_url=server.url)):
            await until(lambda: len(logs) >= 3)
    assert [(entry["event"], entry["log_level"], entry["error"]) for entry in logs[:3]] == [
        ("feed.refused", "warning", "HTTP 403"),
        ("feed.refused", "warning", "HTTP 403"),
        ("feed.refused", "error", "HTTP 403"),
    ]


@pytest.mark.parametrize("status", [301, 302, 307, 308])
async def test_a_redirect_is_refused_and_its_target_never_asked(make_feed, running, until, engine, server, tcp, status):
    async with tcp() as target:
        server.answers = [(status, {"Location": f"ws://127.0.0.1:{target.port}/elsewhere"})]
        async with running(make_feed(stream_url=server.url)):
            await until(lambda: engine.of(MarkPrice))
        assert target.accepted == []
    assert lost(engine) == ["refused"]


async def test_a_handshake_that_stalls_is_given_up(make_feed, running, until, engine, tcp):
    async with tcp() as mute, running(make_feed(stream_url=f"ws://127.0.0.1:{mute.port}")):
        await until(lambda: lost(engine))
    assert lost(engine)[0] == "open_timeout"


async def test_a_tls_handshake_that_stalls_is_given_up(make_feed, running, until, engine, tcp):
    async with tcp() as mute, running(make_feed(stream_url=f"wss://127.0.0.1:{mute.port}")):
        await until(lambda: lost(engine))
    assert lost(engine)[0] == "open_timeout"


async def test_a_connection_cut_during_the_handshake_is_a_reset(make_feed, running, until, engine, tcp):
    async with tcp(cuts=True) as cutting, running(make_feed(stream_url=f"ws://127.0.0.1:{cutting.port}")):
        await until(lambda: lost(engine))
    assert lost(engine)[0] == "reset"


async def test_a_closed_port_is_refused_and_found_open_later(make_feed, running, until, engine, server, tcp):
    async with tcp() as other:
        port = other.port
    feed = make_feed(stream_url=f"ws://127.0.0.1:{port}")
    async with running(feed):
        await until(lambda: feed.stats.drops["refused",] >= 3)
        async with serve(server.handle, "127.0.0.1", port):
            await until(lambda: engine.of(MarkPrice))


async def test_a_name_that_does_not_resolve_is_a_dns_failure(make_feed, running, until, engine):
    async with running(make_feed(stream_url="ws://no-such-host.invalid:1")):
        await until(lambda: lost(engine))
    assert lost(engine)[0] == "dns"


async def test_connect_attempts_keep_to_a_rolling_window(make_feed, tiny, running, until, server):
    settings = replace(tiny.settings, connects_per_window=2, connect_window_seconds=0.5)
    server.answers = [(500, {})] * 4
    async with running(make_feed(stream_url=server.url, settings=settings)):
        await until(lambda: len(server.handshakes) >= 5)
    times = [time for time, _ in server.handshakes]
    # the window counts departures; a few milliseconds are for the way to the server
    assert all(later - earlier > 0.45 for earlier, later in zip(times, times[2:], strict=False))


@pytest.fixture
def certificate(tmp_path):
    """A certificate for 127.0.0.1 that has vouched for itself."""
    command = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 1 -subj /CN=localhost"
    files = ["-keyout", "key.pem", "-out", "cert.pem", "-addext", "subjectAltName=IP:127.0.0.1"]
    subprocess.run([*command.split(), *files], cwd=tmp_path, check=True, capture_output=True)
    return tmp_path / "cert.pem", tmp_path / "key.pem"


@pytest.mark.component("openssl")
@pytest.mark.parametrize("trusted", [True, False])
async def test_a_certificate_nobody_vouches_for_gets_no_session(
    make_feed, running, until, engine, server, certificate, trusted
):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)
    tls = client_context(certificate[0]) if trusted else client_context()
    async with serve(server.handle, "127.0.0.1", 0, ssl=context) as listening:
        url = f"wss://127.0.0.1:{listening.sockets[0].getsockname()[1]}"
        async with running(make_feed(stream_url=url, tls=tls)):
            await until(lambda: engine.of(MarkPrice) if trusted else len(lost(engine)) >= 2)
    assert lost(engine)[:2] == ([] if trusted else ["tls_verify", "tls_verify"])
    assert bool(server.peers) is trusted


async def test_the_impatient_are_told_at_once_that_the_venue_must_be_left_alone(tiny, server):
    server.answers = [(429, {"Retry-After": "60"})]
    dialer = Dialer(tiny.venue().limits, tiny.settings)
    for _ in range(2):
        with contextlib.suppress(Exception):
            await dialer.open(server.url, data_expected=True, patient=False)
    assert len(server.handshakes) == 1


def test_the_third_refusal_that_waiting_does_not_heal_is_followed_by_a_slow_retry():
    settings, backoff = FeedSettings(), Backoff()
    waits = [wait_after(HandshakeRefused(451), n, backoff, settings, lambda: 1.0) for n in (1, 2, 3, 4)]
    assert waits == [0.5, 1.0, 60.0, 60.0]


def test_a_server_error_is_retried_by_backoff_however_often():
    settings, backoff = FeedSettings(), Backoff()
    waits = [wait_after(HandshakeRefused(502), n, backoff, settings, lambda: 1.0) for n in range(1, 9)]
    assert waits == [0.5, 1.0, 2.0, 4.0, 8.0, 15.0, 30.0, 30.0]
