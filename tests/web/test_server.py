"""What the server answers, and to whom."""

from __future__ import annotations

import asyncio
import gzip
import socket

import pytest

from monitor.errors import ConfigError
from monitor.web import limits
from monitor.web.health import Verdict


async def test_metrics_are_served_as_text_format_0_0_4(ask):
    got = await ask("/metrics")
    assert (got.status, got.body) == (200, b"# TYPE up gauge\nup 1.0\n")
    assert got.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"


async def test_metrics_are_not_compressed_unless_asked_for(ask):
    assert "Content-Encoding" not in (await ask("/metrics")).headers


async def test_metrics_are_compressed_when_asked_for(ask):
    got = await ask("/metrics", headers={"Accept-Encoding": "deflate, gzip"})
    assert got.headers["Content-Encoding"] == "gzip"
    assert gzip.decompress(got.body) == b"# TYPE up gauge\nup 1.0\n"


async def test_gzip_with_weight_zero_is_a_refusal(ask):
    got = await ask("/metrics", headers={"Accept-Encoding": "gzip;q=0"})
    assert "Content-Encoding" not in got.headers


@pytest.mark.parametrize("encoding", ["identity", "gzip"])
async def test_a_long_text_in_many_pieces_arrives_whole(ask, says, encoding):
    says.metrics = [f"series_{number} {number}\n".encode() * 50 for number in range(2_000)]
    body = (await ask("/metrics", headers={"Accept-Encoding": encoding})).body
    assert (gzip.decompress(body) if encoding == "gzip" else body) == b"".join(says.metrics)


async def test_healthy_is_200_without_and_503_with_a_reason(ask, says):
    assert (await ask("/-/healthy")).status == 200
    says.health = Verdict(["the last pass ended long ago"])
    got = await ask("/-/healthy")
    assert (got.status, got.body) == (503, b"the last pass ended long ago\n")


async def test_ready_lists_its_reasons_one_a_line(ask, says):
    assert (await ask("/-/ready")).status == 200
    says.readiness = Verdict(["one", "two"])
    got = await ask("/-/ready")
    assert (got.status, got.body) == (503, b"one\ntwo\n")


async def test_a_note_is_said_without_making_ready_a_no(ask, says):
    says.readiness = Verdict([], ["by the way"])
    got = await ask("/-/ready")
    assert (got.status, got.body) == (200, b"ready\nby the way\n")


async def test_the_front_page_links_to_the_others(ask):
    body = (await ask("/")).body
    assert all(f'href="{path}"'.encode() in body for path in ("/metrics", "/-/healthy", "/-/ready"))


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "HEAD", "OPTIONS"])
async def test_nothing_but_get_is_served(ask, method):
    assert (await ask("/metrics", method=method)).status == 405


async def test_an_unknown_path_is_404(ask):
    assert (await ask("/api/v1/positions")).status == 404


@pytest.mark.parametrize("path", ["/metrics", "/nowhere", "/-/ready"])
async def test_no_answer_allows_other_sites_or_names_its_software(ask, path):
    headers = (await ask(path)).headers
    assert not any(name.lower().startswith("access-control") for name in headers)
    assert headers["Server"] == "perp-monitor"


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:9464", "127.0.0.1:1", "[::1]:9464", "[::1]"])
async def test_a_host_of_the_allow_list_is_served(ask, host):
    assert (await ask(headers={"Host": host})).status == 200


@pytest.mark.parametrize("host", ["evil.example", "localhost.evil.example:9464", "127.0.0.2", ""])
@pytest.mark.parametrize("path", ["/metrics", "/-/healthy", "/nowhere"])
async def test_a_foreign_host_is_misdirected(ask, host, path):
    assert (await ask(path, headers={"Host": host})).status == 421


async def test_a_further_name_from_the_configuration_is_served(ask):
    assert (await ask(headers={"Host": "monitor.internal:9464"}, hosts=("monitor.internal",))).status == 200


async def test_a_request_without_a_host_is_misdirected(serve, raw):
    assert (await raw(await serve(), b"GET /metrics HTTP/1.0\r\n\r\n")).startswith(b"HTTP/1.0 421")


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "https://127.0.0.1", "http://localhost:1"])
async def test_a_foreign_origin_is_forbidden(ask, origin):
    assert (await ask(headers={"Origin": origin})).status == 403


async def test_the_own_origin_is_served(ask):
    headers = {"Host": "localhost:9464", "Origin": "http://localhost:9464"}
    assert (await ask(headers=headers)).status == 200


@pytest.mark.parametrize("given", [None, "Bearer wrong", "Basic c2VjcmV0", "Bearer ", "Bearer sécret"])
async def test_without_the_right_token_nothing_is_told(ask, given):
    headers = {} if given is None else {"Authorization": given}
    got = await ask(headers=headers, token="secret")
    assert (got.status, b"up 1.0" in got.body) == (401, False)


async def test_with_the_right_token_all_is_told(ask):
    assert (await ask(headers={"Authorization": "Bearer secret"}, token="secret")).status == 200


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "monitor.internal"])
async def test_an_address_that_others_can_reach_needs_a_token(serve, host):
    with pytest.raises(ConfigError, match="set a token, or listen on"):
        await serve(host=host)


async def test_an_address_that_others_can_reach_is_served_with_a_token(serve):
    assert (await serve(host="0.0.0.0", token="secret")).port > 0


async def test_a_taken_port_is_said_plainly_with_what_to_do(serve):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ConfigError, match=rf"127\.0\.0\.1:{port} is taken .* choose another port"):
            await serve(port=port)


async def test_an_address_of_another_machine_is_said_plainly(serve):
    with pytest.raises(ConfigError, match="is no address of this machine"):
        await serve(host="192.0.2.1", token="secret")


async def test_after_stop_the_port_is_free_again(serve):
    server = await serve()
    await server.stop()
    socket.create_server(("127.0.0.1", server.port)).close()


async def test_headers_above_16_kib_are_refused(serve, raw):
    request = b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n" + b"X-Fill: " + b"x" * 4_000 + b"\r\n"
    flood = request + b"".join(b"X-Fill-%d: %s\r\n" % (n, b"x" * 1_000) for n in range(20))
    assert b"431" in (await raw(await serve(), flood)).split(b"\r\n")[0]


async def test_a_body_above_16_kib_is_refused(serve, raw):
    head = b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nContent-Length: 40000\r\n\r\n"
    answer = await raw(await serve(), head + b"x" * 40_000)
    assert b"431" in answer.split(b"\r\n")[0]


async def test_a_connection_serves_one_request(serve, raw):
    twice = b"GET /-/healthy HTTP/1.1\r\nHost: localhost\r\n\r\n" * 2
    assert (await raw(await serve(), twice)).count(b"HTTP/1.1 200") == 1


async def test_garbage_gets_an_answer_and_not_an_error(serve, raw):
    assert b" 400 " in (await raw(await serve(), b"\x16\x03\x01 not http\r\n\r\n")).split(b"\r\n")[0]


async def test_a_connection_that_says_nothing_is_cut(serve, raw, monkeypatch):
    monkeypatch.setattr(limits, "REQUEST_SECONDS", 0.05)
    assert await raw(await serve(), b"GET /metrics HTTP/1.1\r\n") == b""


async def test_a_request_that_takes_too_long_is_cut_and_its_work_is_stopped(serve, raw, monkeypatch):
    monkeypatch.setattr(limits, "REQUEST_SECONDS", 0.05)
    stopped = asyncio.Event()

    async def metrics():
        try:
            await asyncio.sleep(60)
        finally:
            stopped.set()

    server = await serve(metrics=metrics)
    assert await raw(server, b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n") == b""
    async with asyncio.timeout(5):
        await stopped.wait()


async def test_the_65th_connection_is_told_so_and_others_go_on(serve, raw):
    server = await serve()
    held = [await asyncio.open_connection("127.0.0.1", server.port) for _ in range(limits.MAX_CONNECTIONS)]
    request = b"GET /-/healthy HTTP/1.1\r\nHost: localhost\r\n\r\n"
    assert b"503" in await raw(server, b"")
    held[0][1].write(request)
    assert b"200" in await held[0][0].read()
    for _, writer in held:
        writer.close()


async def test_connections_may_be_made_again_when_others_have_ended(serve, raw):
    server = await serve()
    request = b"GET /-/healthy HTTP/1.1\r\nHost: localhost\r\n\r\n"
    answers = [await raw(server, request) for _ in range(2 * limits.MAX_CONNECTIONS)]
    assert all(b"HTTP/1.1 200" in answer for answer in answers)
