import asyncio

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from monitor.sim.binance import BinanceSim

MARK = "/market/ws/btcusdt@markPrice@1s"


async def test_in_a_silence_nothing_is_sent_but_pings_are_answered(sim, open_socket):
    socket = await open_socket(sim, MARK)
    sim.silence(9)
    sim.push()
    assert await socket.everything() == []
    async with asyncio.timeout(5):
        await (await socket.connection.ping())


async def test_a_silence_ends(open_sim, still, open_socket, until):
    sim = await open_sim(still, speed=20)
    socket = await open_socket(sim, MARK)
    end = sim.clock() + 2
    sim.silence(2)
    await until(lambda: sim.clock() > end)
    sim.push()
    assert len(await socket.everything()) == 1


async def test_a_silence_can_be_ended(sim, open_socket):
    socket = await open_socket(sim, MARK)
    sim.silence(9)
    sim.speak()
    sim.push()
    assert len(await socket.everything()) == 1


@pytest.mark.parametrize(
    ("scope", "heard"),
    [
        ({"path": "market"}, set()),
        ({"path": "public"}, {"btcusdt@markPrice@1s", "ethusdt@markPrice@1s", "btcusdt@aggTrade"}),
        ({"symbol": "BTCUSDT"}, {"ethusdt@markPrice@1s"}),
        ({"stream": "btcusdt@markPrice@1s"}, {"ethusdt@markPrice@1s", "btcusdt@aggTrade"}),
    ],
)
async def test_a_silence_can_be_of_a_path_a_symbol_or_a_stream(sim, open_socket, scope, heard):
    socket = await open_socket(sim, "/market/stream?streams=btcusdt@markPrice@1s/ethusdt@markPrice@1s/btcusdt@aggTrade")
    sim.silence(60, **scope)
    sim.push()
    assert {message["stream"] for message in await socket.everything()} == heard


async def test_a_silent_symbol_is_missing_from_the_arrays(sim, open_socket):
    socket = await open_socket(sim, "/market/stream?streams=!markPrice@arr@1s/!ticker@arr")
    sim.silence(60, symbol="BTCUSDT")
    sim.push()
    rows = [row for message in await socket.everything() for row in message["data"]]
    assert rows
    assert "BTCUSDT" not in {row["s"] for row in rows}


async def test_a_cut_closes_one_path_with_a_code(sim, open_socket):
    market, public = await open_socket(sim, "/market/ws"), await open_socket(sim, "/public/ws")
    assert sim.cut(path="market", code=1012, reason="service restart") == 1
    assert await market.closed() == (1012, "service restart")
    assert await public.everything() == []


async def test_an_abort_ends_without_a_closing_handshake(sim, open_socket, until):
    socket = await open_socket(sim, "/market/ws")
    assert sim.cut(abort=True) == 1
    assert (await socket.closed())[0] == 1006
    await until(lambda: sim.journal.closed)
    assert sim.journal.closed[0].code == 1006


async def test_refused_connections_are_accepted_again_on_the_same_ports(open_sim, still, open_socket, http, until):
    sim = await open_sim(still, speed=20)
    socket = await open_socket(sim, MARK)
    addresses = (sim.stream_url, sim.rest_url)
    sim.refuse(4)
    await asyncio.sleep(0.01)
    with pytest.raises(OSError):
        await connect(sim.stream_url + MARK, proxy=None)
    with pytest.raises(OSError):
        await http.get(sim.rest_url + "/fapi/v1/time")
    sim.push()
    assert len(await socket.everything()) == 1
    await until(lambda: sim.clock() > 6)
    assert (sim.stream_url, sim.rest_url) == addresses
    await open_socket(sim, MARK)
    async with http.get(sim.rest_url + "/fapi/v1/time") as response:
        assert response.status == 200


async def test_a_rest_connection_kept_alive_is_dropped_while_refusing(sim, http):
    import aiohttp

    async with http.get(sim.rest_url + "/fapi/v1/time") as response:
        await response.read()
    sim.refuse(60, "rest")
    await asyncio.sleep(0.01)
    with pytest.raises(aiohttp.ClientError):
        await http.get(sim.rest_url + "/fapi/v1/time")


async def test_overlapping_refusals_end_with_the_later_one(open_sim, still, open_socket, until):
    sim = await open_sim(still, speed=20)
    sim.refuse(1)
    sim.refuse(3)
    await until(lambda: sim.clock() > 5)
    await open_socket(sim, MARK)


async def test_handshakes_are_answered_with_a_status(sim):
    sim.answer_with(429, 60, retry_after_seconds=7, server="stream")
    with pytest.raises(InvalidStatus) as refused:
        await connect(sim.stream_url + MARK, proxy=None)
    assert refused.value.response.status_code == 429
    assert refused.value.response.headers["Retry-After"] == "7"


async def test_pings_carry_the_time_in_ms(open_sim, limited, until):
    payloads = []

    sim = await open_sim(limited(ping_seconds=0.02))
    async with connect(sim.stream_url + MARK, proxy=None) as connection:
        parse = connection.protocol.recv_frame

        def noticed(frame):
            if frame.opcode.name == "PING":
                payloads.append(bytes(frame.data))
            parse(frame)

        connection.protocol.recv_frame = noticed
        await until(lambda: len(payloads) >= 2)
    first, second = (int(payload) for payload in payloads[:2])
    assert 1_600_000_000_000 < first <= second


async def test_a_client_that_does_not_answer_pings_is_let_go(open_sim, limited, until):
    sim = await open_sim(limited(ping_seconds=0.02, pong_seconds=0.05))
    host, port = sim.stream_url.removeprefix("ws://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(
        b"GET /market/ws HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
    )
    async with asyncio.timeout(5):
        assert b"Pong timeout" in await reader.read()
    writer.close()
    await until(lambda: not sim.clients())


async def test_a_connection_lives_no_longer_than_the_venue_allows(open_sim, limited, open_socket):
    sim = await open_sim(limited(lifetime_seconds=2), speed=20)
    socket = await open_socket(sim, MARK)
    assert (await socket.closed())[0] == 1001


async def test_a_client_that_reads_nothing_is_dropped_before_memory_runs_out(sim, open_socket, monkeypatch, until):
    monkeypatch.setattr("monitor.sim.streams.BUFFER_LIMIT", 100_000)
    await open_socket(sim, MARK, max_queue=1, close_timeout=0.1)
    for _ in range(400):
        sim.send_raw("market", b"x" * 100_000)
    await until(lambda: not sim.clients())


async def test_a_port_that_is_taken_is_an_error_that_leaves_nothing_open(sim, still, http):
    taken = int(sim.rest_url.rpartition(":")[2])
    second = BinanceSim(still, rest_port=taken)
    with pytest.raises(OSError, match="in use"):
        async with second:
            pytest.fail("it opened")
    with pytest.raises(OSError):
        await connect(second.stream_url + MARK, proxy=None)
