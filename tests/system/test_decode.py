"""``perp-monitor decode``: raw frames, one a line, into events as JSON lines."""

import json

GOOD = (
    b'{"stream":"btcusdt@markPrice@1s","data":{"e":"markPriceUpdate","E":1795382403000,"s":"BTCUSDT",'
    b'"p":"90012.40000000","ap":"90012.4","P":"90031.0","i":"90031.00000000","r":"0.00007412","T":1795392000000,"st":1}}'
)
UNKNOWN = b'{"e":"somethingNew","E":1795382403000,"s":"BTCUSDT"}'
ACKNOWLEDGED = b'{"result":null,"id":1}'
NEGATIVE = GOOD.replace(b'"90012.40000000"', b'"-1"')


def test_a_frame_becomes_its_events(perp_monitor_here, tmp_path):
    file = tmp_path / "frames.jsonl"
    file.write_bytes(GOOD + b"\n\n" + UNKNOWN + b"\n" + ACKNOWLEDGED + b"\n")
    done = perp_monitor_here("decode", "--venue", "binance", file)
    assert (done.returncode, done.stderr) == (0, b"")
    events = [json.loads(line) for line in done.stdout.splitlines()]
    prices = {event["event"]: event for event in events}
    assert prices["mark_price"]["mark_price"] == 90012.4
    assert prices["index_price"]["index_price"] == 90031.0
    assert prices["funding_rate"]["funding_rate"] == 0.00007412
    assert {event["symbol"] for event in events} == {"BTCUSDT"}
    assert len(events) == 3, "a message nobody knows gives nothing"


def test_a_malformed_line_is_told_with_its_place_and_the_rest_is_decoded(perp_monitor_here, tmp_path):
    file = tmp_path / "frames.jsonl"
    file.write_bytes(b"not json\n" + GOOD + b"\n[1,\n")
    done = perp_monitor_here("decode", "--venue", "binance", file)
    said = done.stderr.decode().splitlines()
    assert done.returncode == 1
    assert [line.split(": ")[0] for line in said[:2]] == [f"{file}:1", f"{file}:3"]
    assert said[2] == "2 frames could not be read"
    assert b'"mark_price":90012.4' in done.stdout


def test_a_value_that_cannot_be_is_shown_as_rejected_and_used_nowhere(perp_monitor):
    done = perp_monitor("decode", "--venue", "binance", stdin=NEGATIVE)
    events = [json.loads(line) for line in done.stdout.splitlines()]
    assert [event["event"] for event in events] == ["rejected", "index_price", "funding_rate"]
    assert events[0]["reason"] == "bad_price"
    assert done.returncode == 0, "a bad value costs itself alone"


def test_frames_may_come_on_stdin(perp_monitor, tmp_path):
    file = tmp_path / "frames.jsonl"
    file.write_bytes(GOOD)
    from_file = perp_monitor("decode", "--venue", "binance", file)
    for arguments in ((), ("-",)):
        assert perp_monitor("decode", "--venue", "binance", *arguments, stdin=GOOD).stdout == from_file.stdout


def test_a_file_that_is_not_there_is_said_plainly(perp_monitor_here, tmp_path):
    done = perp_monitor_here("decode", "--venue", "binance", tmp_path / "missing.jsonl")
    assert done.returncode == 2
    assert b"missing.jsonl: cannot be read" in done.stderr
