import pytest


@pytest.fixture
async def socket(sim, open_socket):
    return await open_socket(sim, "/market/ws")


async def test_unsubscribing_ends_the_data(sim, socket):
    await socket.ask("SUBSCRIBE", "btcusdt@markPrice@1s", "ethusdt@markPrice@1s")
    assert await socket.ask("UNSUBSCRIBE", "btcusdt@markPrice@1s", id=12) == {"result": None, "id": 12}
    sim.push()
    assert [message["s"] for message in await socket.everything()] == ["ETHUSDT"]


async def test_two_hundred_names_are_accepted_at_once(socket):
    names = [f"s{number}usdt@markPrice" for number in range(200)]
    assert await socket.ask("SUBSCRIBE", *names, id=3) == {"result": None, "id": 3}
    assert await socket.ask("LIST_SUBSCRIPTIONS", id=4) == {"result": names, "id": 4}


async def test_setting_the_combined_property_wraps_what_follows(sim, socket):
    await socket.ask("SUBSCRIBE", "btcusdt@markPrice@1s")
    assert await socket.ask("GET_PROPERTY", "combined", id=5) == {"result": False, "id": 5}
    assert await socket.ask("SET_PROPERTY", "combined", True, id=6) == {"result": None, "id": 6}
    sim.push()
    (message,) = await socket.everything()
    assert message["stream"] == "btcusdt@markPrice@1s"


@pytest.mark.parametrize(
    ("said", "code", "shape"),
    [
        ("{not json", 3, "flat"),
        ('["SUBSCRIBE"]', 2, "flat"),
        ({"method": "SUBSCRIBE", "params": ["a"], "id": "a-uuid"}, 2, "flat"),
        ({"method": "SUBSCRIBE", "params": ["a"], "id": -1}, 2, "flat"),
        ({"method": "SUBSCRIBE", "params": ["a"]}, 2, "flat"),
        ({"method": "JOIN", "params": ["a"], "id": 9}, 2, "nested"),
        ({"params": ["a"], "id": 9}, 2, "nested"),
        ({"method": "SUBSCRIBE", "id": 9}, 2, "nested"),
        ({"method": "SUBSCRIBE", "params": [1], "id": 9}, 2, "nested"),
        ({"method": "GET_PROPERTY", "params": ["combined", "more"], "id": 9}, 2, "nested"),
        ({"method": "GET_PROPERTY", "params": ["colour"], "id": 9}, 0, "nested"),
        ({"method": "SET_PROPERTY", "params": ["combined", "yes"], "id": 9}, 1, "nested"),
    ],
)
async def test_errors_are_flat_without_an_id_and_nested_with_one(socket, said, code, shape):
    await socket.say(said)
    answer = await socket.hear()
    error = answer if shape == "flat" else answer["error"]
    assert error["code"] == code
    assert answer.get("id") == (9 if shape == "nested" else None)


async def test_stream_number_1025_is_refused_and_costs_the_connection(socket):
    names = [f"s{number}usdt@markPrice" for number in range(1024)]
    await socket.ask("SUBSCRIBE", *names)
    answer = await socket.ask("SUBSCRIBE", "one@more", id=2)
    assert answer == {"error": {"code": 4, "msg": "Too many subscriptions"}, "id": 2}
    assert (await socket.closed())[0] == 1008


async def test_a_stream_already_carried_does_not_count_again(socket):
    names = [f"s{number}usdt@markPrice" for number in range(1024)]
    await socket.ask("SUBSCRIBE", *names)
    assert await socket.ask("SUBSCRIBE", names[0], id=2) == {"result": None, "id": 2}


async def test_a_burst_of_fifteen_messages_is_tolerated(open_sim, limited, open_socket):
    socket = await open_socket(await open_sim(limited(control_per_second=0.001)), "/market/ws")
    for number in range(14):  # opening the socket took one
        assert await socket.ask("LIST_SUBSCRIPTIONS", id=number) == {"result": [], "id": number}


async def test_more_messages_than_that_end_the_connection(open_sim, limited, open_socket):
    socket = await open_socket(await open_sim(limited(control_per_second=0.001)), "/market/ws")
    for number in range(15):
        await socket.say({"method": "LIST_SUBSCRIPTIONS", "id": number})
    assert await socket.closed() == (1008, "Too many requests")
