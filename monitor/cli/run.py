"""``perp-monitor run``: the daemon."""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Callable, Coroutine
from typing import Any

from monitor import log
from monitor.app import App
from monitor.cli.files import read_config
from monitor.errors import MonitorError


def add(verbs: Any) -> None:
    """Add the verb to the parser."""
    parser = verbs.add_parser("run", help="watch the positions of a configuration file until stopped")
    parser.add_argument("--config", required=True, metavar="FILE")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Run the daemon; errors of the start become exit codes 1 and 2."""
    settings = read_config(options.config)
    log.configure(settings.log_level, settings.log_format)
    for warning in settings.warnings:
        print(f"warning: {warning}", file=sys.stderr)

    async def main() -> None:
        await App(settings).run()

    run_to_end(main())
    return 0


def run_to_end(main: Coroutine[None, None, None]) -> None:
    """Run *main* on a loop of its own; an error that somebody is expected to handle comes out of its groups."""
    try:
        with asyncio.Runner(loop_factory=loop_factory()) as runner:
            runner.run(main)
    except BaseExceptionGroup as group:
        error: BaseException = group
        while isinstance(error, BaseExceptionGroup):
            error = error.exceptions[0]
        if isinstance(error, MonitorError):
            raise error from None
        raise


def loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """Return uvloop's factory if the optional extra is installed, else None for the standard loop."""
    try:
        import uvloop  # noqa: PLC0415 - an optional extra
    except ImportError:
        return None
    factory: Callable[[], asyncio.AbstractEventLoop] = uvloop.new_event_loop
    return factory
