"""Books of the simulated Binance: changes in a chain, partial books, whole books that join them."""

from itertools import pairwise

import pytest


class Ladder:
    """A book kept as the venue's page says, by text alone."""

    def __init__(self, whole):
        self.number = whole["lastUpdateId"]
        self.sides = {"b": dict(map(tuple, whole["bids"])), "a": dict(map(tuple, whole["asks"]))}

    def take(self, change):
        for side, levels in self.sides.items():
            for price, size in change[side]:
                if float(size) == 0.0:
                    levels.pop(price, None)
                else:
                    levels[price] = size
        self.number = change["u"]


@pytest.fixture
def whole(http):
    async def ask(sim, symbol="BTCUSDT", limit=1000):
        async with http.get(sim.rest_url + "/fapi/v1/depth", params={"symbol": symbol, "limit": limit}) as response:
            return await response.json()

    return ask


async def test_changes_are_chained_by_pu_while_their_first_ids_jump(sim, open_socket):
    socket = await open_socket(sim, "/public/ws/btcusdt@depth@500ms")
    for _ in range(4):
        sim.push()
    messages = await socket.everything()
    assert [m["e"] for m in messages] == ["depthUpdate"] * 4
    assert all(b["pu"] == a["u"] for a, b in pairwise(messages))
    assert all(m["pu"] + 1 < m["U"] <= m["u"] for m in messages)


async def test_a_whole_book_and_the_changes_after_it_make_the_next_whole_book(sim, open_socket, whole):
    socket = await open_socket(sim, "/public/ws/btcusdt@depth@100ms")
    sim.push()
    ladder = Ladder(await whole(sim))
    for price in (90020.0, 89950.0, 90500.0):
        sim.set_mark("BTCUSDT", price)
        sim.push()
    for change in await socket.everything():
        if change["u"] > ladder.number:
            assert change["pu"] == ladder.number
            ladder.take(change)
    now = Ladder(await whole(sim))
    assert (ladder.number, ladder.sides) == (now.number, now.sides)


async def test_a_whole_book_follows_the_market_though_nobody_listens_to_changes(sim, whole):
    before = await whole(sim)
    sim.set_mark("BTCUSDT", 95000.0)
    after = await whole(sim)
    assert after["lastUpdateId"] > before["lastUpdateId"]
    assert float(after["bids"][0][0]) < 95000.0 < float(after["asks"][0][0])


async def test_a_whole_book_has_no_more_levels_than_were_asked_for(sim, whole):
    book = await whole(sim, limit=5)
    assert (len(book["bids"]), len(book["asks"])) == (5, 5)


async def test_a_deleted_level_has_quantity_zero(sim, open_socket):
    socket = await open_socket(sim, "/public/ws/btcusdt@depth")
    sim.push()
    sim.set_mark("BTCUSDT", 95000.0)
    sim.push()
    messages = await socket.everything()
    assert float(dict(messages[-1]["b"])[messages[0]["b"][0][0]]) == 0.0


@pytest.mark.parametrize("levels", [5, 10, 20])
async def test_a_partial_book_is_complete_in_every_message_and_looks_like_a_change(sim, open_socket, levels):
    socket = await open_socket(sim, f"/public/stream?streams=btcusdt@depth{levels}@100ms")
    sim.push()
    sim.push()
    for message in await socket.everything():
        assert message["data"]["e"] == "depthUpdate"
        assert (len(message["data"]["b"]), len(message["data"]["a"])) == (levels, levels)


@pytest.mark.parametrize("name", ["btcusdt@depth@250ms", "btcusdt@depth7", "btcusd_perp@depth", "BTCUSDT@depth"])
async def test_a_book_stream_that_does_not_exist_is_acknowledged_and_silent(sim, open_socket, name):
    socket = await open_socket(sim, "/public/ws")
    assert await socket.ask("SUBSCRIBE", name, id=7) == {"result": None, "id": 7}
    sim.push()
    assert await socket.everything() == []


async def test_books_flow_on_public_only(sim, open_socket):
    socket = await open_socket(sim, "/market/ws/btcusdt@depth")
    sim.push()
    assert await socket.everything() == []


async def test_a_lost_change_leaves_a_hole_that_pu_tells(sim, open_socket):
    socket = await open_socket(sim, "/public/ws/btcusdt@depth")
    sim.push()
    sim.lose_book_change("BTCUSDT")
    sim.push()
    sim.push()
    first, second = await socket.everything()
    assert second["pu"] > first["u"]


async def test_a_new_last_price_moves_the_book_at_once(sim, open_socket):
    socket = await open_socket(sim, "/public/ws/btcusdt@depth5")
    sim.set_last("BTCUSDT", 91000.0)
    (message,) = await socket.everything()
    assert float(message["b"][0][0]) < 91000.0 < float(message["a"][0][0])
