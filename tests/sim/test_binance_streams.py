import json

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from monitor.core.contract import build_deductions
from monitor.sim.market import LiquidationPrint


async def test_a_raw_address_pushes_the_bare_payload(sim, open_socket):
    socket = await open_socket(sim, "/market/ws/btcusdt@markPrice@1s")
    sim.set_mark("BTCUSDT", 90012.4)
    sim.push()
    (message,) = await socket.everything()
    assert message["e"] == "markPriceUpdate"
    assert (message["s"], message["p"], message["st"]) == ("BTCUSDT", "90012.40000000", 1)
    assert message["ap"] == "90012.40000000"
    assert message["r"] == "0.00007412"
    assert message["T"] > message["E"]


async def test_a_combined_address_wraps_the_payload_with_the_stream_name(sim, open_socket):
    socket = await open_socket(sim, "/market/stream?streams=btcusdt@markPrice@1s/ethusdt@markPrice")
    sim.push()
    messages = await socket.everything()
    assert {(m["stream"], m["data"]["s"]) for m in messages} == {
        ("btcusdt@markPrice@1s", "BTCUSDT"),
        ("ethusdt@markPrice", "ETHUSDT"),
    }


async def test_several_streams_on_a_raw_address_come_without_wrapper(sim, open_socket):
    socket = await open_socket(sim, "/market/ws/btcusdt@markPrice@1s/ethusdt@markPrice@1s")
    sim.push()
    assert {message["s"] for message in await socket.everything()} == {"BTCUSDT", "ETHUSDT"}


@pytest.mark.parametrize(
    ("path", "stream"),
    [
        ("/public", "btcusdt@markPrice@1s"),  # a /market stream on /public
        ("", "btcusdt@markPrice@1s"),  # an unrouted address behaves like /public
        ("/market", "btcusdt@bookTicker"),  # a /public stream on /market
        ("/private", "btcusdt@markPrice@1s"),
        ("/market", "BTCUSDT@markPrice@1s"),  # upper case
        ("/market", "btcusdt@markprice@1s"),
        ("/market", "btcusdt@markPrice@250ms"),
        ("/market", "nosuchusdt@markPrice@1s"),
    ],
)
async def test_a_wrong_stream_is_acknowledged_and_then_silent(sim, open_socket, path, stream):
    socket = await open_socket(sim, f"{path}/ws")
    assert await socket.ask("SUBSCRIBE", stream, id=7) == {"result": None, "id": 7}
    assert await socket.ask("LIST_SUBSCRIPTIONS", id=8) == {"result": [stream], "id": 8}
    sim.push()
    assert await socket.everything() == []


@pytest.mark.parametrize("path", ["/public", ""])
async def test_book_tickers_flow_on_public_and_unrouted_addresses(sim, open_socket, path):
    socket = await open_socket(sim, f"{path}/ws/btcusdt@bookTicker")
    sim.push()
    (message,) = await socket.everything()
    assert message["e"] == "bookTicker"
    assert float(message["b"]) < 90012.4 < float(message["a"])


async def test_another_address_is_not_found(sim):
    with pytest.raises(InvalidStatus) as refused:
        await connect(sim.stream_url + "/market/nothing", proxy=None)
    assert refused.value.response.status_code == 404


async def test_the_mark_price_array_comes_in_two_frames_of_usd_margined_rows(sim, open_socket):
    socket = await open_socket(sim, "/market/ws/!markPrice@arr@1s")
    sim.push()
    first, second = await socket.everything()
    rows = {row["s"]: row for row in first + second}
    assert first
    assert second
    assert len(rows) == len(first) + len(second) == 8
    assert "BTCUSD_PERP" not in rows
    assert {row["st"] for row in rows.values()} == {1}


async def test_a_delivery_row_has_an_empty_rate_and_no_funding_time(sim, open_socket):
    socket = await open_socket(sim, "/market/ws/btcusdt_261225@markPrice@1s")
    sim.push()
    (row,) = await socket.everything()
    assert (row["r"], row["T"]) == ("", 0)


async def test_a_coin_margined_contract_is_marked_by_st_2_and_has_no_average(sim, open_socket):
    socket = await open_socket(sim, "/market/ws/btcusd_perp@markPrice@1s")
    sim.push()
    (row,) = await socket.everything()
    assert row["st"] == 2
    assert "ap" not in row


async def test_mark_prices_come_every_second_or_every_third(open_sim, still, open_socket):
    sim = await open_sim(still)
    socket = await open_socket(sim, "/market/stream?streams=btcusdt@markPrice@1s/btcusdt@markPrice")
    for number in range(1, 7):
        sim.beat(number)
    streams = [message["stream"] for message in await socket.everything()]
    assert streams.count("btcusdt@markPrice@1s") == 6
    assert streams.count("btcusdt@markPrice") == 2


async def test_ticks_send_by_themselves(open_sim, calm, open_socket):
    sim = await open_sim(calm, speed=50)
    socket = await open_socket(sim, "/market/ws")
    await socket.ask("SUBSCRIBE", "btcusdt@markPrice@1s")
    first, second = await socket.hear(), await socket.hear()
    assert first["E"] < second["E"]


@pytest.mark.parametrize(("stream", "event"), [("ticker", "24hrTicker"), ("miniTicker", "24hrMiniTicker")])
async def test_all_market_tickers_mix_both_products_and_hold_only_what_traded(sim, open_socket, stream, event):
    socket = await open_socket(sim, f"/market/ws/!{stream}@arr")
    sim.push()
    (first,) = await socket.everything()
    assert {row["e"] for row in first} == {event}
    assert {row["st"] for row in first} == {1, 2}
    sim.push()
    (second,) = await socket.everything()
    assert {row["s"] for row in first} - {row["s"] for row in second} == {"TSLAUSDT", "OLDUSDT"}


async def test_a_new_last_price_is_traded_and_quoted_at_once(sim, open_socket):
    market = await open_socket(sim, "/market/ws/btcusdt@aggTrade")
    public = await open_socket(sim, "/public/ws/btcusdt@bookTicker")
    sim.set_last("BTCUSDT", 91000.0)
    (trade,) = await market.everything()
    (quote,) = await public.everything()
    assert trade["p"] == "91000.0"
    assert float(quote["b"]) <= 91000.0 <= float(quote["a"])


async def test_a_closed_contract_falls_silent(sim, open_socket):
    socket = await open_socket(sim, "/market/ws/btcusdt@markPrice@1s")
    sim.set_status("BTCUSDT", "CLOSE")
    sim.push()
    assert await socket.everything() == []


def sold(contracts, symbol="BTCUSDT", fill_price=89981.2):
    return LiquidationPrint(symbol, "sell", contracts, limit_price=89640.1, fill_price=fill_price)


async def test_a_liquidation_says_order_side_limit_and_average_fill(sim, open_socket):
    socket = await open_socket(sim, "/market/ws/!forceOrder@arr")
    sim.print_liquidation(sold(0.45))
    (message,) = await socket.everything()
    order = message["o"]
    assert (order["S"], order["q"], order["p"], order["ap"]) == ("SELL", "0.450", "89640.1", "89981.2")
    assert (message["ps"], message["st"]) == ("BTCUSDT", 1)


async def test_a_coin_margined_liquidation_counts_contracts_and_names_its_pair_inside(sim, open_socket):
    socket = await open_socket(sim, "/market/ws/!forceOrder@arr")
    sim.print_liquidation(sold(320, "BTCUSD_PERP"))
    (message,) = await socket.everything()
    assert (message["st"], message["o"]["ps"], message["o"]["q"]) == (2, "BTCUSD", "320")
    assert "ps" not in message


async def test_a_single_contract_liquidation_lacks_product_and_pair(sim, open_socket):
    socket = await open_socket(sim, "/market/ws/btcusdt@forceOrder")
    sim.print_liquidation(sold(0.45))
    (message,) = await socket.everything()
    assert set(message) == {"e", "E", "o"}


async def test_of_the_liquidations_in_one_second_only_the_first_and_the_largest_are_told(open_sim, still, open_socket):
    sim = await open_sim(still, speed=20)
    socket = await open_socket(sim, "/market/ws/!forceOrder@arr")
    for contracts in (1.0, 2.0, 9.0, 3.0):
        sim.print_liquidation(sold(contracts))
    sim.print_liquidation(sold(4.0, "ETHUSDT"))
    told = [(await socket.hear())["o"] for _ in range(3)]
    assert [(order["s"], order["q"]) for order in told] == [
        ("BTCUSDT", "1.000"),
        ("ETHUSDT", "4.000"),
        ("BTCUSDT", "9.000"),
    ]


async def test_a_new_ladder_is_announced_with_its_brackets_as_numbers(sim, open_socket):
    socket = await open_socket(sim, "/market/ws/!contractInfo")
    sim.set_tiers("ETHUSDT", build_deductions([(0, 0.01), (5000, 0.025)]))
    (message,) = await socket.everything()
    rows = [(row["bnf"], row["bnc"], row["mmr"], row["cf"]) for row in message["bks"]]
    assert rows[0] == (0, 5000, 0.01, 0)
    assert rows[1][0] == 5000
    assert rows[1][2:] == (0.025, 75)


async def test_a_delisting_is_announced_without_brackets(sim, open_socket):
    socket = await open_socket(sim, "/market/ws/!contractInfo")
    sim.delist("BTCUSDT", 86_400)
    (message,) = await socket.everything()
    assert "bks" not in message
    assert message["dt"] < 4_133_404_800_000


async def test_a_raw_frame_is_sent_as_it_is_to_each_socket_of_a_path(sim, open_socket):
    market = await open_socket(sim, "/market/ws")
    public = await open_socket(sim, "/public/ws")
    assert sim.send_raw("market", b'{"half":') == 1
    assert await market.connection.recv() == '{"half":'
    assert await public.everything() == []


async def test_a_client_is_written_to_alone(sim, open_socket):
    one, two = await open_socket(sim, "/market/ws"), await open_socket(sim, "/market/ws")
    sim.clients("market")[0].send(b"1")
    assert await one.everything() == [1]
    assert await two.everything() == []


async def test_the_journal_has_every_opening_message_and_end(sim, open_socket, until):
    socket = await open_socket(sim, "/market/ws/btcusdt@aggTrade")
    await socket.connection.close(4000, "enough")
    await until(lambda: sim.journal.closed)
    assert [(entry.target, entry.path) for entry in sim.journal.opened] == [("/market/ws/btcusdt@aggTrade", "market")]
    assert json.loads(sim.journal.control[0].text)["method"] == "LIST_SUBSCRIPTIONS"
    assert [(entry.code, entry.reason) for entry in sim.journal.closed] == [(4000, "enough")]
    assert sim.journal.counts["control",] == 1
