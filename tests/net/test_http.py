"""GET, bounded in every direction, against a real server."""

import asyncio
import gzip
import socket
import tracemalloc
import zlib

import pytest
from aiohttp import web

from monitor.errors import RateLimited
from monitor.net.http import GZIP, Http, RequestError, quiet_seconds, retry_after_seconds


def reply(status=200, body=b"", headers=None):
    async def answer(_request):
        return web.Response(status=status, body=body, headers=headers)

    return answer


async def get(url, *, body_bytes=1000, timeout_seconds=5.0, **more):
    async with Http(url, body_bytes=body_bytes, timeout_seconds=timeout_seconds, **more) as http:
        return await http.get("/path", {"symbol": "BTCUSDT"})


async def reason_of(url, **more):
    with pytest.raises((RequestError, RateLimited)) as failed:
        await get(url, **more)
    return failed.value.reason


async def test_the_body_comes_back_and_the_parameters_go_out(http_server):
    http_server.answer = reply(body=b"hello")
    assert await get(http_server.url) == b"hello"
    assert str(http_server.requests[0].rel_url) == "/path?symbol=BTCUSDT"


async def test_gzip_is_asked_for_and_inflated(http_server):
    http_server.answer = reply(body=gzip.compress(b"a" * 900), headers={"Content-Encoding": "gzip"})
    assert await get(http_server.url) == b"a" * 900
    assert http_server.requests[0].headers["Accept-Encoding"] == "gzip"


@pytest.mark.parametrize(("size", "fits"), [(1000, True), (1001, False)])
@pytest.mark.parametrize("packed", [True, False])
async def test_the_limit_holds_for_the_inflated_body(http_server, size, fits, packed):
    body = b"a" * size
    http_server.answer = (
        reply(body=gzip.compress(body), headers={"Content-Encoding": "gzip"}) if packed else reply(body=body)
    )
    if fits:
        assert await get(http_server.url) == body
    else:
        assert await reason_of(http_server.url) == "too_big"


async def test_a_bomb_is_never_unpacked(http_server):
    packer = zlib.compressobj(wbits=GZIP)
    bomb = b"".join(packer.compress(bytes(1_000_000)) for _ in range(200)) + packer.flush()
    http_server.answer = reply(body=bomb, headers={"Content-Encoding": "gzip"})
    tracemalloc.start()
    assert await reason_of(http_server.url, body_bytes=5 << 20) == "too_big"
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 16 << 20


async def test_an_endless_body_is_given_up(http_server):
    async def endless(request):
        response = web.StreamResponse()
        await response.prepare(request)
        while True:
            await response.write(b"x" * 1000)

    http_server.answer = endless
    assert await reason_of(http_server.url) == "too_big"


async def test_a_body_that_drips_is_given_up_in_time(http_server):
    async def drip(request):
        response = web.StreamResponse()
        await response.prepare(request)
        while True:
            await response.write(b"x")
            await asyncio.sleep(0.01)

    http_server.answer = drip
    assert await reason_of(http_server.url, timeout_seconds=0.2) == "timeout"


async def test_a_redirect_is_not_followed(http_server):
    http_server.answer = reply(302, headers={"Location": "/elsewhere"})
    assert await reason_of(http_server.url) == "redirected"
    assert [request.path for request in http_server.requests] == ["/path"]


@pytest.mark.parametrize(
    ("status", "reason"), [(400, "client_error"), (404, "client_error"), (500, "server_error"), (204, "client_error")]
)
async def test_every_status_but_200_is_a_failure(http_server, status, reason):
    http_server.answer = reply(status)
    assert await reason_of(http_server.url) == reason


@pytest.mark.parametrize(("status", "seconds"), [(429, 60.0), (418, 120.0)])
async def test_a_rate_limit_without_a_time_has_one_of_ours(http_server, status, seconds):
    http_server.answer = reply(status)
    with pytest.raises(RateLimited) as limited:
        await get(http_server.url)
    assert limited.value.retry_after_seconds == seconds


@pytest.mark.parametrize(
    ("body", "encoding"),
    [(b"no gzip", "gzip"), (gzip.compress(b"a" * 500)[:-20], "gzip"), (b"", "br")],
    ids=["nonsense", "cut off", "not asked for"],
)
async def test_a_body_that_cannot_be_inflated_is_malformed(http_server, body, encoding):
    http_server.answer = reply(body=body, headers={"Content-Encoding": encoding})
    assert await reason_of(http_server.url) == "malformed"


async def test_headers_are_heard_whatever_the_answer(http_server):
    http_server.answer = reply(500, headers={"X-Weight": "12"})
    heard = []
    await reason_of(http_server.url, heard=heard.append)
    assert heard[0]["X-Weight"] == "12"


async def test_no_cookie_is_sent_back(http_server):
    http_server.answer = reply(headers={"Set-Cookie": "a=b"})
    async with Http(http_server.url, body_bytes=10) as http:
        await http.get("/path", {})
        await http.get("/path", {})
    assert "Cookie" not in http_server.requests[1].headers


async def test_proxy_variables_have_no_effect(http_server, monkeypatch):
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    http_server.answer = reply(body=b"direct")
    assert await get(http_server.url) == b"direct"


async def test_a_closed_port_is_refused():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    assert await reason_of(f"http://127.0.0.1:{port}") == "refused"


async def test_what_is_not_http_is_malformed_or_a_reset():
    class Garbage(asyncio.Protocol):
        def connection_made(self, transport):
            transport.write(b"SSH-2.0-nothing\r\n\r\n")
            transport.close()

    async with await asyncio.get_running_loop().create_server(Garbage, "127.0.0.1", 0) as listening:
        port = listening.sockets[0].getsockname()[1]
        assert await reason_of(f"http://127.0.0.1:{port}") in {"malformed", "reset"}


async def test_a_name_that_does_not_resolve_is_a_dns_failure():
    assert await reason_of("http://no-such-host.invalid") == "dns"


async def test_plain_text_where_tls_is_spoken_gets_no_session(http_server):
    assert await reason_of(http_server.url.replace("http:", "https:")) == "tls_verify"
    assert http_server.requests == []


@pytest.mark.parametrize("text", ["", "soon", "-5", "1.5", "\u0665", "Sun, 22 Nov 2026 10:01:00 GMT"])
def test_a_retry_after_that_says_nothing_usable_is_none(text):
    assert retry_after_seconds({"Retry-After": text}) is None


def test_a_retry_after_on_success_asks_for_nothing():
    assert quiet_seconds(200, {"Retry-After": "60"}) is None


def test_an_overloaded_server_gets_ten_minutes_of_quiet_at_most():
    assert quiet_seconds(503, {"Retry-After": "86400"}) == 600.0
    assert quiet_seconds(503, {"Retry-After": "30"}) == 30.0


@pytest.mark.parametrize("status", [429, 418])
def test_a_limit_or_a_ban_is_heeded_for_as_long_as_it_says(status):
    assert quiet_seconds(status, {"Retry-After": "86400"}) == 86_400.0


async def test_a_retry_after_counts_in_the_units_of_the_venue(http_server):
    http_server.answer = reply(429, headers={"Retry-After": "1500"})
    with pytest.raises(RateLimited) as limited:
        await get(http_server.url, retry_after_unit_seconds=0.001)
    assert limited.value.retry_after_seconds == 1.5


async def test_a_status_that_means_a_rate_limit_at_one_venue_asks_for_quiet_there(http_server):
    http_server.answer = reply(403)
    with pytest.raises(RateLimited) as limited:
        await get(http_server.url, quiet={403: 600.0})
    assert limited.value.retry_after_seconds == 600.0


async def test_a_status_that_means_a_rate_limit_at_another_venue_is_a_failure_like_any_other(http_server):
    http_server.answer = reply(403)
    assert await reason_of(http_server.url, quiet={405: 60.0}) == "client_error"
