"""Ids, signatures, payloads, sentences and the order of what waits: the parts that need no network."""

from __future__ import annotations

import base64
import math
from datetime import UTC, datetime

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks.webhooks import Webhook as Reference
from standardwebhooks.webhooks import WebhookVerificationError

from monitor.core.alerts import Level, Quality
from monitor.delivery.identity import dedup_key, event_id, webhook_id
from monitor.delivery.lanes import Lanes
from monitor.delivery.message import Delivery
from monitor.delivery.pace import Pace
from monitor.delivery.render import body, event_data
from monitor.delivery.settings import DeliveryTimes, ReceiverSettings
from monitor.delivery.signing import parse_secret, signature, signed_headers
from monitor.delivery.summary import summary
from monitor.delivery.webhook import _refusal
from monitor.errors import DeliveryUnavailable
from monitor.net.clock import wall

VECTORS = [
    (
        "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        "msg_p5jXN8AQM9LWM0D4loKWxJek",
        1614265330,
        b'{"test": 2432232314}',
        "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    ),
    (
        "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=",
        "msg_test_1",
        1700000000,
        b'{"type":"position.critical","data":{"position":"p1"}}',
        "v1,baNURaV7C6uy31Z9eMYfG1bijutSqiRYkfwaPB2tRPw=",
    ),
]


@pytest.mark.parametrize(("secret", "name", "time", "content", "expected"), VECTORS)
def test_signatures_equal_the_vectors_and_the_reference_library(secret, name, time, content, expected):
    assert signature(parse_secret(secret), name, time, content) == expected
    assert Reference(secret).sign(name, datetime.fromtimestamp(time, UTC), content.decode()) == expected


def test_during_a_rotation_either_secret_verifies():
    old, new = bytes(range(32)), bytes(range(32, 64))
    headers = signed_headers([new, old], "msg_1", int(wall()), b"{}")
    for secret in (old, new):
        Reference("whsec_" + base64.b64encode(secret).decode()).verify(b"{}", headers)


@pytest.mark.parametrize("change", ["body", "time", "id"])
def test_a_changed_body_time_or_id_does_not_verify(change):
    headers = signed_headers([bytes(32)], "msg_1", int(wall()), b"{}")
    content = b"{ }" if change == "body" else b"{}"
    if change == "time":
        headers["webhook-timestamp"] = str(int(wall()) - 1)
    if change == "id":
        headers["webhook-id"] = "msg_2"
    with pytest.raises(WebhookVerificationError):
        Reference("whsec_" + base64.b64encode(bytes(32)).decode()).verify(content, headers)


@pytest.mark.parametrize("size", [24, 64])
def test_a_secret_of_24_to_64_bytes_is_read(size):
    assert parse_secret("whsec_" + base64.b64encode(bytes(size)).decode() + "\n") == bytes(size)


@pytest.mark.parametrize(
    "text",
    [
        "canaryAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
        "whsec_canary!",
        "whsec_" + base64.b64encode(b"canary" * 3).decode(),
        "whsec_" + base64.b64encode(b"canary" * 11).decode(),
    ],
    ids=["prefix", "base64", "short", "long"],
)
def test_a_bad_secret_is_refused_without_repeating_it(text):
    with pytest.raises(ValueError) as caught:
        parse_secret(text)
    assert text.removeprefix("whsec_") not in str(caught.value)
    assert "canary" not in str(caught.value)


def test_no_representation_of_a_receiver_shows_its_path_or_secret():
    settings = ReceiverSettings(
        name="ops", url="https://user:canary@hooks.example.com/canary?canary", secret=b"canary" * 5
    )
    for text in (repr(settings), str(settings), f"{settings}", str(settings.__rich_repr__()), settings.origin):
        assert "canary" not in text
        assert "hooks.example.com" in text


def test_ids_have_their_form_and_depend_on_everything_they_should(alert):
    first = event_id("state", "run", alert(), 1)
    assert first.startswith("evt_")
    assert len(first) == 30
    others = [
        event_id("other", "run", alert(), 1),
        event_id("state", "other", alert(), 1),
        event_id("state", "run", alert("main/eth"), 1),
        event_id("state", "run", alert(seq=2), 1),
        event_id("state", "run", alert(level=Level.WARNING), 1),
        event_id("state", "run", alert(), 2),
    ]
    assert len({first, *others}) == 7
    assert event_id("state", "run", alert(), 1) == first


def test_a_webhook_id_is_fixed_by_receiver_and_events_and_has_no_full_stop():
    name = webhook_id("ops", ["evt_1"])
    assert name == webhook_id("ops", ["evt_1"])
    assert len({name, webhook_id("desk", ["evt_1"]), webhook_id("ops", ["evt_1", "evt_2"])}) == 3
    assert name.startswith("msg_")
    assert len(name) == 30
    assert "." not in name


def test_a_dedup_key_lasts_for_the_episode_and_separates_price_from_data_alerts(alert):
    up, down = alert(level=Level.WARNING), alert(seq=9, kind="position.resolved")
    stale = alert(kind="position.stale")
    feed = alert("feed:binance", kind="feed.down", position="", account="")
    assert dedup_key(up) == dedup_key(down)
    assert len({dedup_key(up), dedup_key(stale), dedup_key(feed), dedup_key(alert("main/eth"))}) == 4


def test_the_payload_has_every_field_and_decimal_text_for_numbers(alert):
    event = alert(mark_price=54600.0, liquidation_distance_ratio=1e-7)
    sent = msgspec.json.decode(body(event.kind, 1614265330.25, event_data(event, "evt_1")))
    assert sent["type"] == "position.critical"
    assert sent["timestamp"] == "2021-02-25T15:02:10.250000Z"
    assert sent["data"] | {"summary": "", "dedup_key": ""} == {
        "summary": "",
        "position": "mission-short",
        "positions": [],
        "position_count": 1,
        "venue": "binance",
        "symbol": "BTCUSDT",
        "side": "short",
        "severity": "critical",
        "level": "critical",
        "prev_level": "ok",
        "condition": "critical",
        "quality": "live",
        "reason": "",
        "liquidation_distance_ratio": "0.0000001",
        "bankruptcy_distance_ratio": "0.007326007326007326",
        "mark_price": "54600",
        "price_source": "mark",
        "before": None,
        "after": None,
        "price_age_seconds": "0.25",
        "liquidation_price": "54780.88",
        "bankruptcy_price": "55000",
        "thresholds": {"warning": "0.05", "critical": "0.02"},
        "episode": 1,
        "seq": 1,
        "event_id": "evt_1",
        "dedup_key": "",
        "skipped": ["warning"],
        "history": [],
        "late": False,
        "unpersisted": False,
    }


def test_neither_account_nor_amounts_leave_the_house(alert):
    assert b"canary" not in body("x", 0.0, event_data(alert("p", account="canary-account"), "evt_1"))


def test_what_is_not_a_number_is_null(alert):
    data = event_data(alert(liquidation_distance_ratio=math.inf, mark_price=None), "evt_1")
    assert (data["liquidation_distance_ratio"], data["mark_price"]) == (None, None)


def test_a_body_stays_below_20_kb_whatever_the_number_of_positions(alert):
    names = tuple(f"a-rather-long-name-of-a-position-{number:05}" for number in range(5000))
    event = alert("feed:binance", kind="feed.down", position="", positions=names, reason="data_timeout")
    data = event_data(event, "evt_1")
    assert len(body(event.kind, 0.0, data)) < 20_000
    assert data["position_count"] == 5000
    assert data["positions"] == list(names[: len(data["positions"])])


def test_an_unknown_price_is_shown_as_unknown_and_not_as_the_level(alert):
    data = event_data(alert(kind="position.stale", quality=Quality.STALE, reason="late"), "evt_1")
    assert (data["condition"], data["level"]) == ("unknown", "critical")


CHANGES = ("tiers", "funding", "delisting", "size")
SENTENCES = [
    (
        {},
        (
            "BTCUSDT short mission-short at binance: critical, mark 54,600 is 0.33 % from its liquidation price 54,780.88. "
            "Add margin or reduce the position now."
        ),
    ),
    (
        {"level": Level.BANKRUPTCY, "mark_price": 55100.0, "liquidation_distance_ratio": -0.0058},
        (
            "BTCUSDT short mission-short at binance: bankruptcy, mark 55,100 is 0.58 % past its liquidation price 54,780.88 and at "
            "or past its bankruptcy price 55,000. Its margin is used up; a close from here costs the insurance fund. "
            "Look at the venue."
        ),
    ),
    (
        {"level": Level.WARNING, "prev_level": Level.CRITICAL},
        (
            "BTCUSDT short mission-short at binance: warning, down from critical, mark 54,600 is 0.33 % from its liquidation price "
            "54,780.88. Decide now whether to add margin or reduce."
        ),
    ),
    (
        {"kind": "position.resolved", "level": Level.OK, "severity": "liquidation", "reason": "recovered"},
        (
            "BTCUSDT short mission-short at binance: ok again (recovered), mark 54,600 is 0.33 % from its liquidation price 54,780.88. "
            "Verify at the venue."
        ),
    ),
    (
        {"kind": "position.stale", "reason": "late"},
        (
            "BTCUSDT short mission-short at binance has no trustworthy mark price (late), its distance is unknown; last known level: "
            "critical. Watch it at the venue until this is resolved."
        ),
    ),
    (
        {"kind": "position.drift", "reason": "drift"},
        (
            "BTCUSDT short mission-short at binance: the venue's own liquidation price in the file is not ours (54,780.88). Find out "
            "with perp-monitor explain which one is right; until then trust the nearer one."
        ),
    ),
    (
        {"kind": "position.terms_changed", "reason": "tiers", "before": 54_780.876, "after": 53_921.57},
        (
            "BTCUSDT short mission-short at binance: new maintenance tiers: its liquidation price moves from 54,780.876 to "
            "53,921.57. See what that leaves, and add margin or reduce if need be."
        ),
    ),
    (
        {"kind": "position.terms_changed", "reason": "funding_interval", "before": 28_800.0, "after": 14_400.0},
        "BTCUSDT short mission-short at binance: funding is now charged every 4 h (before: 8 h).",
    ),
    (
        {"kind": "position.terms_changed", "reason": "delisting", "before": None, "after": 1_795_212_000.0},
        (
            "BTCUSDT short mission-short at binance: the contract ends on 2026-11-20 22:00 UTC. "
            "Close or move the position before."
        ),
    ),
    (
        {"kind": "position.terms_changed", "reason": "contract_size", "before": 1.0, "after": 10.0},
        (
            "BTCUSDT short mission-short at binance: the venue's contract is 10, the file's 1: its figures mean nothing until "
            "the file is corrected. Watch it at the venue."
        ),
    ),
    (
        {
            "kind": "feed.down",
            "position": "",
            "positions": ("a",),
            "reason": "proxy_silent",
            "price_source": "proxy okx X",
        },
        "No marks of okx X, by which a at binance are watched: unknown. Watch them there.",
    ),
    (
        {"kind": "feed.down", "position": "", "positions": tuple("abcdefg"), "reason": "data_timeout"},
        "No usable data from binance (data_timeout): a, b, c, d, e and 2 more unknown. Watch them there.",
    ),
]


@pytest.mark.parametrize(
    ("facts", "expected"),
    SENTENCES,
    ids=["critical", "past", "down", "resolved", "stale", "drift", *CHANGES, "proxy", "feed"],
)
def test_the_sentence_says_what_happened_and_what_to_do(alert, facts, expected):
    assert summary(alert(**facts)) == expected


def delivery(number: int, subject: str, severity: str = "critical") -> Delivery:
    return Delivery(f"msg_{number}", "ops", severity, subject, "position.critical", b"", number, 0.0)


ACTIONS = st.lists(
    st.tuples(
        st.sampled_from(["push", "take", "finish", "again", "forward", "reset"]),
        st.sampled_from("abc"),
        st.sampled_from(["warning", "critical", "bankruptcy"]),
    ),
    max_size=60,
)


@given(actions=ACTIONS)
def test_whatever_happens_a_subject_stays_in_order_has_one_in_flight_and_loses_nothing(actions):
    lanes, waiting, flying, now = Lanes(), {}, [], 1.0
    for number, (action, subject, severity) in enumerate(actions):
        now += 1.0
        if action == "push":
            waiting.setdefault(subject, []).append(item := delivery(number, subject, severity))
            lanes.push(item)
        elif action == "take":
            if (item := lanes.take(now)) is not None:
                assert item is waiting[item.subject][0]
                assert item.subject not in {other.subject for other in flying}
                flying.append(item)
            else:
                ready = [s for s, queue in waiting.items() if queue and queue[0].not_before <= now]
                assert {item.subject for item in flying}.issuperset(ready)
        elif action == "finish" and flying:
            item = flying.pop()
            waiting[item.subject].pop(0)
            lanes.finish(item)
        elif action == "again" and flying:
            lanes.put_back(flying.pop(), now + 5.0)
        elif action == "forward":
            lanes.bring_forward(now)
        elif action == "reset":
            lanes.reset()
            flying.clear()


def test_the_delays_are_those_of_the_rules_with_their_jitter():
    for chance, factor in ((0.0, 0.8), (0.5, 1.0), (1.0, 1.2)):
        item, waits = delivery(1, "a"), []
        pace = Pace(DeliveryTimes(), lambda chance=chance: chance)
        for attempt in range(1, 12):
            item.attempt = attempt
            waits.append(pace.failed(item, DeliveryUnavailable("HTTP 500"), 100.0) - 100.0)
        expected = [1, 2, 4, 8, 15, 15, 30, 30, 60, 60, 60]
        assert waits == pytest.approx([factor * seconds for seconds in expected])


@pytest.mark.parametrize(
    ("status", "name", "reason"),
    [
        (300, "DeliveryRejected", "redirect"),
        (304, "DeliveryRejected", "redirect"),
        (404, "DeliveryRejected", "client_error"),
        (408, "DeliveryUnavailable", "server_error"),
        (410, "DeliveryRejected", "gone"),
        (422, "DeliveryRejected", "body_refused"),
        (429, "DeliveryUnavailable", "rate_limited"),
        (503, "DeliveryUnavailable", "server_error"),
        (599, "DeliveryUnavailable", "server_error"),
    ],
)
def test_a_status_is_unavailable_or_rejected(status, name, reason):
    error = _refusal(status, None)
    assert (type(error).__name__, error.reason) == (name, reason)
