"""What each answer of a receiver leads to (R22 to R24), and what a receiver cannot make the daemon do."""

from __future__ import annotations

import asyncio
import base64
import ssl
import subprocess
import zlib
from email.utils import formatdate
from pathlib import Path

import msgspec
import pytest
from aiohttp import web
from structlog.testing import capture_logs

from monitor.core.alerts import Level
from monitor.net.lookup import Lookup
from monitor.store.rows import DEAD


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_is_a_failure_and_never_followed(bench, receiver, other, alert, status):
    receiver.script = [status]
    receiver.headers = {"Location": other.url}
    async with bench.running(bench.settings(receiver)) as outbox:
        outbox.submit([alert()])
        assert await outbox.drain(5)
        assert outbox.stats.attempts["ops", "rejected"] == 1
    assert other.requests == []
    assert [request.status for request in receiver.requests] == [status, 200]


@pytest.mark.parametrize("status", [400, 401, 404, 413, 418])
async def test_a_refusal_is_kept_tried_again_and_counted_as_rejected(bench, receiver, alert, status):
    receiver.script = [status]
    async with bench.running(bench.settings(receiver)) as outbox:
        outbox.submit([alert()])
        await receiver.wait_requests(1)
        await outbox.drain(0.02)
        assert outbox.stats.accepting["ops"] is False
        assert await outbox.drain(5)
        assert outbox.stats.attempts["ops", "rejected"] == 1
        assert outbox.stats.accepting["ops"] is True
    assert receiver.requests[1].time - receiver.requests[0].time >= 0.1


async def test_a_receiver_that_refuses_everything_is_tried_once_in_a_while_and_not_once_an_event(
    bench, receiver, alert, fast
):
    receiver.default = 403
    times = msgspec.structs.replace(fast, rejected_delay=30.0)
    async with bench.running(bench.settings(receiver), times=times) as outbox:
        outbox.submit([alert("main/a")])
        await receiver.wait_requests(1)
        outbox.submit([alert(f"main/p{number}", level=Level.BANKRUPTCY) for number in range(20)])
        await outbox.drain(0.15)
    assert len(receiver.requests) == 1


async def test_a_body_that_is_refused_does_not_hold_up_the_others(bench, receiver, alert):
    async def picky(request: web.Request) -> web.Response:
        poison = b"main-poison" in await request.read()
        return web.Response(status=400 if poison else 200)

    receiver.default = picky
    async with bench.running(bench.settings(receiver)) as outbox:
        outbox.submit([alert("main/x", level=Level.BANKRUPTCY, position="main-poison")])
        outbox.submit([alert(f"main/p{number}") for number in range(20)])
        assert len(await receiver.wait(20)) == 20


async def test_a_refusing_receiver_is_announced_over_the_other_one_and_only_once(bench, receiver, other, alert):
    receiver.default = 401
    async with bench.running(bench.settings(receiver), bench.settings(other, name="desk")) as outbox:
        outbox.submit([alert()])
        await other.wait(2)
        await outbox.drain(0.5)
        assert outbox.stats.attempts["ops", "rejected"] > 1
        assert outbox.stats.events["receiver.misconfigured", "critical"] == 1
    kinds = [msgspec.json.decode(request.body)["type"] for request in other.delivered]
    assert kinds == ["position.critical", "receiver.misconfigured"]
    assert "receiver:ops refuses what is sent to it" in other.delivered[1].data["summary"]


async def test_three_times_gone_disables_the_receiver_and_makes_dead_letters(bench, receiver, alert):
    receiver.default = 410
    async with bench.running(bench.settings(receiver)) as outbox:
        outbox.submit([alert(seq=1), alert(seq=2)])
        assert await outbox.drain(5)
        outbox.submit([alert("main/late")])
        assert await outbox.drain(5)
        assert [row[1] for row in bench.rows()] == [DEAD] * 3
        assert outbox.stats.dead["ops", "gone"] == 3
        assert outbox.stats.accepting["ops"] is False
    assert len(receiver.requests) == 3


@pytest.mark.parametrize("status", [429, 503])
async def test_retry_after_is_honoured_up_to_its_cap(bench, receiver, alert, status):
    receiver.script = [status]
    receiver.headers = {"Retry-After": "3600"}
    async with bench.running(bench.settings(receiver)) as outbox:
        outbox.submit([alert()])
        assert await outbox.drain(5)
    first, second = receiver.requests
    assert 0.15 <= second.time - first.time < 3600


async def test_below_critical_a_retry_after_holds_longer(bench, receiver, alert):
    receiver.script = [429]
    receiver.headers = {"Retry-After": "3600"}
    async with bench.running(bench.settings(receiver)) as outbox:
        outbox.submit([alert("main/later", level=Level.WARNING)])
        await receiver.wait_requests(1)
        outbox.submit([alert("main/urgent"), alert("main/also-later", level=Level.WARNING)])
        assert await outbox.drain(5)
    assert [request.data["level"] for request in receiver.requests[1:]] == ["critical", "warning", "warning"]


async def test_quiet_that_was_asked_for_holds_for_all_deliveries(bench, receiver, alert, fast):
    receiver.script = [429]
    receiver.headers = {"Retry-After": "60"}
    times = msgspec.structs.replace(fast, retry_after_urgent=30.0)
    async with bench.running(bench.settings(receiver), times=times) as outbox:
        outbox.submit([alert("main/a")])
        await receiver.wait_requests(1)
        outbox.submit([alert(f"main/p{number}", level=Level.BANKRUPTCY) for number in range(10)])
        await outbox.drain(0.2)
    assert len(receiver.requests) == 1


@pytest.mark.parametrize("text", ["soon", "-5", "1e9", "", formatdate(0, usegmt=True), "9" * 400])
async def test_a_retry_after_that_makes_no_sense_still_leads_to_a_retry(bench, receiver, alert, text):
    receiver.script = [429]
    receiver.headers = {"Retry-After": text}
    async with bench.running(bench.settings(receiver)) as outbox:
        outbox.submit([alert()])
        assert await outbox.drain(5)


async def test_all_that_waited_goes_out_soon_after_the_receiver_is_well_again(bench, receiver, alert, fast):
    receiver.default = 500
    times = msgspec.structs.replace(fast, delays=(0.02, 0.02, 60.0))
    async with bench.running(bench.settings(receiver), times=times) as outbox:
        outbox.submit([alert(f"main/p{number}") for number in range(30)])
        await receiver.wait_requests(30)
        receiver.default = 200
        outbox.submit([alert("main/new")])
        assert await outbox.drain(5)
    assert len({request.id for request in receiver.delivered}) == 31


async def test_a_large_answer_is_not_read(bench, receiver, alert):
    sent = 0

    async def flood(request: web.Request) -> web.StreamResponse:
        nonlocal sent
        response = web.StreamResponse()
        await response.prepare(request)
        try:
            for _ in range(3200):
                await response.write(bytes(65536))
                sent += 65536
        except ConnectionError:
            pass
        return response

    receiver.script = [flood]
    async with bench.running(bench.settings(receiver)) as outbox:
        outbox.submit([alert()])
        assert await outbox.drain(5)
        await receiver.wait(1)
    assert len(receiver.requests) == 1
    assert sent < 200_000_000


async def test_a_compressed_bomb_and_a_204_are_plain_successes(bench, receiver, alert):
    async def bomb(request: web.Request) -> web.Response:
        return web.Response(body=zlib.compress(bytes(10_000_000)), headers={"Content-Encoding": "deflate"})

    receiver.script = [bomb, 204]
    async with bench.running(bench.settings(receiver)) as outbox:
        outbox.submit([alert(seq=1), alert(seq=2)])
        assert await outbox.drain(5)
    assert len(receiver.requests) == 2


async def test_a_2xx_counts_although_its_body_never_ends(bench, receiver, alert):
    async def drip(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        await asyncio.sleep(30)
        return response

    receiver.script = [drip]
    async with bench.running(bench.settings(receiver)) as outbox:
        outbox.submit([alert()])
        assert await outbox.drain(5)
    assert len(receiver.requests) == 1


@pytest.mark.parametrize(
    "url",
    [
        "http://2130706433:{port}/",
        "http://0x7f000001:{port}/",
        "http://user:canary@127.0.0.1:{port}/",
        "https://127.0.0.1:{port}/",
        "https://[::ffff:127.0.0.1]:{port}/",
        "https://localhost:{port}/",
        "http://10.255.255.1:{port}/",
        "https://169.254.169.254/",
        "gopher://127.0.0.1:{port}/",
    ],
)
async def test_no_connection_is_made_to_a_denied_address(bench, receiver, alert, url):
    settings = bench.settings(receiver, url=url.format(port=receiver.port))
    with capture_logs() as lines:
        async with bench.running(settings) as outbox:
            outbox.submit([alert()])
            await outbox.drain(0.1)
            assert outbox.stats.attempts["ops", "delivered"] == 0
            assert outbox.stats.attempts["ops", "rejected"] >= 1
    assert receiver.requests == []
    assert "canary" not in repr(lines)


class Rebinding(Lookup):
    """A name server whose answers alternate between a public and a private address."""

    def __init__(self) -> None:
        super().__init__()
        self.asked = 0

    async def addresses(self, host: str, port: int) -> list[str]:
        self.asked += 1
        return ["127.0.0.1"] if self.asked % 2 else ["10.0.0.1", "127.0.0.1"]


async def test_a_name_is_judged_again_at_every_attempt(bench, receiver, alert):
    lookup = Rebinding()
    url = receiver.url.replace("127.0.0.1", "rebind.example")
    async with bench.running(bench.settings(receiver, url=url), lookup=lookup) as outbox:
        outbox.submit([alert(seq=1), alert(seq=2)])
        assert await outbox.drain(5)
        assert outbox.stats.attempts["ops", "delivered"] == 2
        assert outbox.stats.attempts["ops", "rejected"] == 1
    assert lookup.asked == 3
    assert {request.headers["host"] for request in receiver.requests} == {f"rebind.example:{receiver.port}"}


async def test_nobody_listening_and_no_such_name_are_unavailable(bench, receiver, alert, unused_tcp_port):
    for url in (f"http://127.0.0.1:{unused_tcp_port}/", "http://no-such-host.invalid/"):
        async with bench.running(bench.settings(receiver, url=url)) as outbox:
            outbox.submit([alert()])
            await outbox.drain(0.15)
            assert outbox.stats.attempts["ops", "unavailable"] >= 1
            assert outbox.stats.attempts["ops", "rejected"] == 0


async def test_plain_text_on_a_tls_port_is_unavailable_and_never_sent_to(bench, receiver, alert):
    url = receiver.url.replace("http://", "https://")
    async with bench.running(bench.settings(receiver, url=url, allow_private=True)) as outbox:
        outbox.submit([alert()])
        await outbox.drain(0.15)
        assert outbox.stats.attempts["ops", "unavailable"] >= 1
    assert receiver.requests == []


@pytest.fixture
def certificate(tmp_path: Path) -> tuple[Path, Path]:
    """A certificate for 127.0.0.1 that nobody but itself vouches for, and its key."""
    certificate, key = tmp_path / "certificate.pem", tmp_path / "key.pem"
    command = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 1 -subj /CN=127.0.0.1"
    names = ["-addext", "subjectAltName=IP:127.0.0.1"]
    files = ["-keyout", str(key), "-out", str(certificate)]
    subprocess.run([*command.split(), *names, *files], check=True, capture_output=True)
    return certificate, key


@pytest.mark.component("openssl")
@pytest.mark.parametrize("trusted", [True, False])
async def test_https_delivers_to_a_verified_certificate_only(bench, make_receiver, alert, certificate, trusted):
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(*certificate)
    async with make_receiver().serve(tls) as receiver:
        url = receiver.url.replace("http:", "https:")
        ca_file = certificate[0] if trusted else None
        async with bench.running(bench.settings(receiver, url=url, allow_private=True, ca_file=ca_file)) as outbox:
            outbox.submit([alert()])
            assert await outbox.drain(5 if trusted else 0.15) is trusted
            reason = "" if trusted else "tls_verify: its certificate cannot be verified"
            assert [row[3] for row in bench.rows()] == [reason]


async def test_the_path_of_the_address_and_the_secret_appear_nowhere(bench, receiver, alert, cut, caplog):
    """Neither in a log line of any level, nor in a file of the store, nor in what is sent."""
    receiver.script = [500, 404, 301, cut]
    receiver.headers = {"Location": receiver.url}
    with capture_logs() as lines:
        async with bench.running(bench.settings(receiver)) as outbox:
            outbox.submit([alert()])
            assert await outbox.drain(5)
        nobody = bench.settings(receiver, url=receiver.url.replace("http:", "https:"), allow_private=True)
        async with bench.running(nobody) as outbox:
            outbox.submit([alert(seq=2)])
            await outbox.drain(0.1)
    kept = b"".join(file.read_bytes() for file in bench.path.parent.iterdir())
    said = repr(lines) + caplog.text
    bodies = b"".join(request.body for request in receiver.requests)
    for text in (b"canary", nobody.secret, base64.b64encode(nobody.secret)):
        assert text not in said.encode() + kept + bodies
    assert "http://127.0.0.1" in said


async def test_the_environment_changes_nothing(bench, receiver, alert, monkeypatch, tmp_path, unused_tcp_port):
    for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{unused_tcp_port}")
    monkeypatch.setenv("SSLKEYLOGFILE", str(tmp_path / "keys"))
    monkeypatch.setenv("no_proxy", "")
    async with bench.running(bench.settings(receiver)) as outbox:
        outbox.submit([alert()])
        assert await outbox.drain(5)
    assert not (tmp_path / "keys").exists()
