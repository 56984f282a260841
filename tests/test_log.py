"""Logs: one event is one line, whatever foreign text is in it, and no local variable is ever shown."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from datetime import datetime

import pytest
import structlog

from monitor import log
from monitor.log import MAX_TEXT, Sampler


@pytest.fixture
def written() -> Iterator[io.StringIO]:
    yield io.StringIO()
    structlog.reset_defaults()


def logger(stream: io.StringIO, *, level: str = "info", form: str = "json") -> structlog.typing.FilteringBoundLogger:
    log.configure(level, form, stream)
    return structlog.get_logger()


def test_json_is_one_object_a_line_with_level_event_and_time(written):
    logger(written).warning("feed.dropped", venue="binance", silent_seconds=31.2)
    line = json.loads(written.getvalue())
    assert datetime.fromisoformat(line.pop("timestamp")).utcoffset().total_seconds() == 0
    assert line == {"event": "feed.dropped", "level": "warning", "venue": "binance", "silent_seconds": 31.2}


NASTY = ["a\nfake line", "a\r\nb", "\u2028\u2029", "\x1b[31mred", '"},{"event":"x"}', "\x00", "\ud800"]


@pytest.mark.parametrize("form", ["json", "console"])
@pytest.mark.parametrize("text", NASTY[:-1], ids=ascii)
def test_foreign_text_cannot_make_a_second_line(written, form, text):
    logger(written, form=form).info("frame.skipped", reason=text)
    assert len(written.getvalue().strip("\n").split("\n")) == 1
    assert "\r" not in written.getvalue()


@pytest.mark.parametrize("form", ["json", "console"])
def test_foreign_text_cannot_steer_a_terminal(written, form):
    logger(written, form=form).info("frame.skipped", reason="\x1b[2J\x1b]0;title\x07")
    assert "\x1b" not in written.getvalue()


@pytest.mark.parametrize("form", ["json", "console"])
def test_foreign_text_is_cut_at_256_characters(written, form):
    logger(written, form=form).info("frame.skipped", sample="x" * 10_000)
    assert "x" * (MAX_TEXT - 1) in written.getvalue()
    assert "x" * MAX_TEXT not in written.getvalue()


def test_the_text_of_an_exception_is_cut_as_well(written):
    try:
        raise ValueError("x" * 10_000)
    except ValueError:
        logger(written).exception("task.restarted")
    assert "x" * (MAX_TEXT + 1) not in written.getvalue()


@pytest.mark.parametrize("form", ["json", "console"])
def test_a_traceback_shows_no_local_variable(written, form):
    def fails() -> None:
        canary = "secret-canary"
        raise RuntimeError(str(len(canary)))

    try:
        fails()
    except RuntimeError:
        logger(written, form=form).exception("task.restarted", task="feed")
    assert "RuntimeError" in written.getvalue()
    assert "secret-canary" not in written.getvalue()


def test_a_traceback_in_json_is_one_line(written):
    try:
        raise RuntimeError("first\nsecond")
    except RuntimeError:
        logger(written).exception("task.restarted")
    assert written.getvalue().count("\n") == 1
    assert json.loads(written.getvalue())["exception"][0]["exc_type"] == "RuntimeError"


@pytest.mark.parametrize(
    ("level", "words"),
    [
        ("debug", ["debug", "info", "warning", "error"]),
        ("info", ["info", "warning", "error"]),
        ("warning", ["warning", "error"]),
        ("error", ["error"]),
    ],
)
def test_lower_levels_are_silent(written, level, words):
    source = logger(written, level=level)
    for word in ("debug", "info", "warning", "error"):
        getattr(source, word)("price.quarantined")
    assert [json.loads(line)["level"] for line in written.getvalue().splitlines()] == words


def test_a_value_that_json_does_not_know_is_written_as_text(written):
    logger(written).info("config.loaded", where=io.StringIO, nothing=None, ratio=float("nan"))
    line = json.loads(written.getvalue())
    assert line["where"] == "<class '_io.StringIO'>"
    assert line["nothing"] is None
    assert line["ratio"] is None


def test_bound_facts_are_on_every_line(written):
    bound = logger(written).bind(venue="binance")
    bound.info("feed.connected")
    bound.info("feed.dropped")
    assert [json.loads(line)["venue"] for line in written.getvalue().splitlines()] == ["binance"] * 2


def test_a_sampler_lets_one_line_a_key_pass_in_its_time():
    sampler = Sampler(10.0)
    assert [sampler.allows("malformed", now) for now in (0.0, 0.0, 9.9, 10.0, 19.9, 20.0)] == [
        True,
        False,
        False,
        True,
        False,
        True,
    ]


def test_a_sampler_keeps_keys_apart_and_counts_what_it_held_back():
    sampler = Sampler(10.0)
    assert sampler.allows("malformed", 0.0)
    assert sampler.allows("too_big", 0.0)
    sampler.allows("malformed", 1.0)
    sampler.allows("malformed", 2.0)
    assert sampler.dropped == {("malformed",): 2}
