"""Shared by all tests: facts that need a real program say so with ``@pytest.mark.component("promtool")``.

Where the program is missing the test is skipped, and the summary says so in a line of its own; where ``CI`` is
true it fails, because a check that silently stopped running is worse than one that fails.
"""

from __future__ import annotations

import os
import shutil

import pytest

_missing: set[str] = set()


def require_component(name: str) -> None:
    """Skip the running test when the program *name* is not installed, or fail it in CI."""
    if shutil.which(name) is not None:
        return
    _missing.add(name)
    reason = f"{name} is not installed: tests/setup-components.sh installs it"
    if os.environ.get("CI", "").lower() in {"true", "1"}:
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)


@pytest.hookimpl(tryfirst=True)  # before fixtures start the program
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Hold every ``component`` mark of a test against what is installed."""
    for mark in item.iter_markers("component"):
        for name in mark.args:
            require_component(name)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Name the missing programs even where a quiet run shows no reasons for skips."""
    for name in sorted(_missing):
        terminalreporter.write_line(f"NOT TESTED: {name} is missing; run tests/setup-components.sh", yellow=True)
