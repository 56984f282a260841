"""``perp-monitor decode``: raw frames, one a line, into events as JSON lines."""

import json
import os
import subprocess
import sys
from pathlib import Path

import monitor
from monitor.cli.decode import MAX_LINE

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
    unused = "3 frames: 3 events, 2 without one (acknowledgements, other products, unused kinds)\n"
    assert (done.returncode, done.stderr.decode()) == (0, unused)
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


def test_frames_that_all_give_events_leave_nothing_to_say(perp_monitor_here, tmp_path):
    file = tmp_path / "frames.jsonl"
    file.write_bytes(GOOD)
    assert perp_monitor_here("decode", "--venue", "binance", file).stderr == b""


def test_a_line_that_is_too_long_is_one_unreadable_line(perp_monitor_here, tmp_path):
    file = tmp_path / "frames.jsonl"
    file.write_bytes(GOOD + b"\n" + b"x" * (2 * MAX_LINE) + b"\n" + GOOD + b"\nnot json\n")
    done = perp_monitor_here("decode", "--venue", "binance", file)
    said = done.stderr.decode().splitlines()
    assert said[0] == f"{file}:2: too_long: the line is longer than 8 MiB"
    assert said[1].startswith(f"{file}:4: not_json: ")
    assert said[2] == "2 frames could not be read"
    assert done.stdout.count(b'"mark_price":90012.4') == 2


def test_a_line_as_long_as_allowed_is_read(perp_monitor_here, tmp_path):
    file = tmp_path / "frames.jsonl"
    file.write_bytes(GOOD.rjust(MAX_LINE - 1) + b"\n" + GOOD)
    done = perp_monitor_here("decode", "--venue", "binance", file)
    assert (done.stderr, len(done.stdout.splitlines())) == (b"", 6)


def test_a_byte_order_mark_at_the_start_is_no_part_of_the_first_frame(perp_monitor_here, tmp_path):
    file = tmp_path / "frames.jsonl"
    file.write_bytes(b"\xef\xbb\xbf" + GOOD)
    done = perp_monitor_here("decode", "--venue", "binance", file)
    assert (done.stderr, len(done.stdout.splitlines())) == (b"", 3)


def test_a_funding_rate_may_come_as_a_bare_number(perp_monitor_here, tmp_path):
    file = tmp_path / "frames.jsonl"
    row = json.loads(GOOD)["data"]
    file.write_text("\n".join(json.dumps(row | {"r": rate}) for rate in (0.00007412, -1, 0, True)))
    done = perp_monitor_here("decode", "--venue", "binance", file)
    last = [json.loads(line) for line in done.stdout.splitlines()]
    said = [e.get("funding_rate", e.get("reason")) for e in last if e["event"] in {"funding_rate", "rejected"}]
    assert said == [0.00007412, "bad_rate", 0.0, "bad_value"]


def test_a_full_disk_ends_it_with_one_plain_line(tmp_path):
    file = tmp_path / "frames.jsonl"
    file.write_bytes(GOOD)
    here = os.environ | {"PYTHONPATH": str(Path(monitor.__file__).parents[1])}
    command = [sys.executable, "-m", "monitor", "decode", "--venue", "binance", str(file)]
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, timeout=30, check=False, env=here)
    assert (done.returncode, done.stderr) == (1, b"perp-monitor: cannot write to stdout: No space left on device\n")


def test_a_reader_that_is_gone_ends_it_with_one_plain_line(tmp_path):
    file = tmp_path / "frames.jsonl"
    file.write_bytes((GOOD + b"\n") * 1000)
    here = os.environ | {"PYTHONPATH": str(Path(monitor.__file__).parents[1])}
    command = [sys.executable, "-m", "monitor", "decode", "--venue", "binance", str(file)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=here)
    assert process.stdout is not None
    process.stdout.close()
    said = process.stderr.read()
    process.stderr.close()
    assert (process.wait(timeout=30), said) == (1, b"perp-monitor: cannot write to stdout: Broken pipe\n")
