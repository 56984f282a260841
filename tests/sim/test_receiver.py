import asyncio
import time
from datetime import UTC, datetime

import aiohttp
import pytest
from standardwebhooks import Webhook

from monitor.sim.receiver import Reaction, Receiver, signature, signature_problem

SECRET = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
BODY = b'{"type":"position.critical","data":{"position":"p1"}}'


def signed(identity="msg_1", body=BODY, now=None):
    now = now or datetime.now(UTC)
    return {
        "webhook-id": identity,
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": Webhook(SECRET).sign(identity, now, body.decode()),
    }


def test_the_published_vector_is_met():
    assert signature(SECRET, "msg_test_1", "1700000000", BODY) == "v1,baNURaV7C6uy31Z9eMYfG1bijutSqiRYkfwaPB2tRPw="


def test_what_the_reference_library_signed_is_believed():
    assert signature_problem(SECRET, signed(), BODY, time.time()) is None


def test_one_right_signature_among_several_is_enough():
    headers = signed()
    headers["webhook-signature"] = "v1,AAAA " + headers["webhook-signature"]
    assert signature_problem(SECRET, headers, BODY, time.time()) is None


@pytest.mark.parametrize(
    ("change", "body", "problem"),
    [
        ({}, BODY + b" ", "no signature is right"),
        ({"webhook-id": "msg_2"}, BODY, "no signature is right"),
        ({"webhook-id": ""}, BODY, "no webhook-id"),
        ({"webhook-timestamp": "1700000000"}, BODY, "webhook-timestamp is too far from now"),
        ({"webhook-timestamp": "soon"}, BODY, "webhook-timestamp is not whole seconds"),
    ],
)
def test_what_was_changed_is_not_believed(change, body, problem):
    assert signature_problem(SECRET, signed() | change, body, time.time()) == problem


@pytest.fixture
async def receiver():
    async with Receiver(secret=SECRET) as opened:
        yield opened


async def test_a_delivery_is_stored_as_it_came(receiver, http):
    async with http.post(receiver.url, data=BODY, headers=signed()) as response:
        assert response.status == 204
    (message,) = receiver.messages
    assert message.body == BODY
    assert (message.id, message.problem, message.accepted) == ("msg_1", None, True)
    assert message.json()["type"] == "position.critical"


async def test_a_wrong_signature_is_noted(receiver, http):
    await http.post(receiver.url, data=BODY + b" ", headers=signed())
    assert receiver.messages[0].problem == "no signature is right"


async def test_requests_are_met_as_scripted_then_by_default(receiver, http):
    receiver.react(Reaction(503, {"Retry-After": "2"}), Reaction(404))
    answers = [await http.post(receiver.url, data=BODY, headers=signed()) for _ in range(3)]
    assert [answer.status for answer in answers] == [503, 404, 204]
    assert answers[0].headers["Retry-After"] == "2"
    assert len(receiver.accepted) == 1


async def test_a_cut_request_was_read_but_is_never_answered(receiver, http):
    receiver.react(Reaction(cut=True))
    with pytest.raises(aiohttp.ServerDisconnectedError):
        await http.post(receiver.url, data=BODY, headers=signed())
    assert receiver.messages[0].body == BODY
    assert receiver.accepted == []


async def test_a_slow_receiver_has_the_message_before_it_answers(receiver, http):
    receiver.react(Reaction(delay_seconds=30))
    with pytest.raises(TimeoutError):
        await http.post(receiver.url, data=BODY, headers=signed(), timeout=aiohttp.ClientTimeout(total=0.1))
    assert len(receiver.messages) == 1


async def test_waiting_finds_a_message_past_or_to_come(receiver, http):
    async with asyncio.TaskGroup() as group:
        waiting = group.create_task(receiver.wait_for(lambda message: message.id == "msg_2"))
        await http.post(receiver.url, data=BODY, headers=signed("msg_1"))
        await http.post(receiver.url, data=BODY, headers=signed("msg_2"))
    assert waiting.result().id == "msg_2"
    assert (await receiver.wait_for(lambda message: message.id == "msg_1")).id == "msg_1"


async def test_waiting_for_what_never_comes_ends(receiver):
    with pytest.raises(TimeoutError):
        await receiver.wait_for(lambda message: True, timeout=0.05)


async def test_whoever_listens_is_told_each_message(http):
    heard = []
    async with Receiver(hear=heard.append) as receiver:
        await http.post(receiver.url, data=BODY)
    assert [message.body for message in heard] == [BODY]
