"""``perp-monitor version``."""

from __future__ import annotations

import argparse
import platform
from typing import Any

from monitor import __version__


def add(verbs: Any) -> None:
    """Add the verb to the parser."""
    parser = verbs.add_parser("version", help="print the version")
    parser.set_defaults(run=run)


def run(_options: argparse.Namespace) -> int:
    """Print versions of the program and the interpreter."""
    print(f"perp-monitor {__version__} (Python {platform.python_version()})")
    return 0
