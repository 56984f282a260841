"""``perp-monitor decode``: raw frames, one a line, into events as JSON lines: what a venue really sent."""

from __future__ import annotations

import argparse
import os
import sys
import time
from codecs import BOM_UTF8
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, BinaryIO

import msgspec

from monitor.cli.files import venue_named
from monitor.errors import ConfigError, MonitorError, WireError

MAX_LINE = 8 << 20


def add(verbs: Any) -> None:
    """Add the verb to the parser."""
    parser = verbs.add_parser(
        "decode",
        help="turn raw websocket frames, one a line, into events as JSON lines",
        description="Frames that cannot be read are told on stderr with file and line; the exit code is then 1.",
    )
    parser.add_argument("--venue", required=True, metavar="VENUE", help="a venue, or the file of one of your own")
    parser.add_argument("files", nargs="*", metavar="FILE", help="files with one frame a line; stdin when none or -")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Print the events of every frame; return 1 if a frame could not be read."""
    decode = venue_named(options.venue).decode
    encode = msgspec.json.Encoder().encode
    frames = events = empty = bad = 0
    with output() as out:
        for place, frame in _frames(options.files or ["-"]):
            frames += 1
            try:
                found = decode(_checked(frame), time.time())
            except WireError as error:
                bad += 1
                print(f"{place}: {error.reason}: {str(error)[:200]}", file=sys.stderr)
                continue
            events += len(found)
            empty += not found
            for event in found:
                out.write(encode(event) + b"\n")
    if empty:
        why = "(acknowledgements, other products, unused kinds)"
        said = f"{count(frames, 'frame')}: {count(events, 'event')}, {empty:,} without one {why}"
        print(said, file=sys.stderr)
    if bad:
        print(f"{count(bad, 'frame')} could not be read", file=sys.stderr)
    return 1 if bad else 0


@contextmanager
def output() -> Iterator[BinaryIO]:
    """Give stdout. Raises ``MonitorError`` when it takes no more: a full disk, a reader that is gone."""
    if sys.stdout is None:  # closed before the start
        raise MonitorError("cannot write: stdout is closed")
    try:
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
    except OSError as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # for what the interpreter flushes at its end
        raise MonitorError(f"cannot write to stdout: {error.strerror}") from None


def count(number: int, noun: str) -> str:
    """Return a number with its noun: 1 frame, 2,422 frames."""
    return f"{number:,} {noun}" + ("" if number == 1 else "s")


def _checked(frame: bytes | None) -> bytes:
    if frame is None:
        raise WireError(f"the line is longer than {MAX_LINE >> 20} MiB", reason="too_long")
    return frame


def _frames(names: list[str]) -> Iterator[tuple[str, bytes | None]]:
    for name in names:
        try:
            if name == "-":
                yield from _lines("<stdin>", sys.stdin.buffer)
                continue
            with open(name, "rb") as file:  # noqa: PTH123 - names may be pipes
                yield from _lines(name, file)
        except OSError as error:
            raise ConfigError([f"{name}: cannot be read: {error.strerror}"]) from None


def _lines(name: str, file: BinaryIO) -> Iterator[tuple[str, bytes | None]]:
    """Yield place and frame of every line that is not empty; None for the frame of one that is too long."""
    number = 0
    while line := file.readline(MAX_LINE):
        number += 1
        whole = True
        while len(line) == MAX_LINE and not line.endswith(b"\n"):
            whole, line = False, file.readline(MAX_LINE)
        frame = (line.removeprefix(BOM_UTF8) if number == 1 else line).strip()
        if frame or not whole:
            yield f"{name}:{number}", frame if whole else None
