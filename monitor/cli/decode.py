"""``perp-monitor decode``: raw frames, one a line, into events as JSON lines: what a venue really sent."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator
from typing import Any, BinaryIO

import msgspec

from monitor.errors import ConfigError, WireError
from monitor.venues import VENUES

MAX_LINE = 8 << 20


def add(verbs: Any) -> None:
    """Add the verb to the parser."""
    parser = verbs.add_parser(
        "decode",
        help="turn raw websocket frames, one a line, into events as JSON lines",
        description="Frames that cannot be read are told on stderr with file and line; the exit code is then 1.",
    )
    parser.add_argument("--venue", required=True, choices=sorted(VENUES))
    parser.add_argument("files", nargs="*", metavar="FILE", help="files with one frame a line; stdin when none or -")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Print the events of every frame; return 1 if a frame could not be read."""
    decode = VENUES[options.venue].decode
    encode = msgspec.json.Encoder().encode
    out, bad = sys.stdout.buffer, 0
    for place, frame in _frames(options.files or ["-"]):
        try:
            for event in decode(frame, time.time()):
                out.write(encode(event) + b"\n")
        except WireError as error:
            bad += 1
            print(f"{place}: {error.reason}: {str(error)[:200]}", file=sys.stderr)
    out.flush()
    if bad:
        print(f"{bad} frame{'s' if bad > 1 else ''} could not be read", file=sys.stderr)
    return 1 if bad else 0


def _frames(names: list[str]) -> Iterator[tuple[str, bytes]]:
    for name in names:
        if name == "-":
            yield from _lines("<stdin>", sys.stdin.buffer)
            continue
        try:
            with open(name, "rb") as file:  # noqa: PTH123 - names may be pipes
                yield from _lines(name, file)
        except OSError as error:
            raise ConfigError([f"{name}: cannot be read: {error.strerror}"]) from None


def _lines(name: str, file: BinaryIO) -> Iterator[tuple[str, bytes]]:
    number = 0
    while line := file.readline(MAX_LINE):
        number += 1
        if frame := line.strip():
            yield f"{name}:{number}", frame
