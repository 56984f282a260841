"""The shipped files, parsed, and the queries in them."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

DEPLOY = Path(__file__).parents[2] / "deploy"


@pytest.fixture(scope="session")
def run():
    """Return a function that runs a program and gives its exit code and all it said."""

    def call(*command: str | Path, cwd: Path | None = None) -> tuple[int, str]:
        done = subprocess.run(
            command, check=False, cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        return done.returncode, done.stdout

    return call


@pytest.fixture(scope="session")
def deploy() -> Path:
    return DEPLOY


@pytest.fixture(scope="session")
def panels() -> list[dict]:
    """Every panel of the dashboard that shows data."""
    dashboard = json.loads((DEPLOY / "grafana" / "perp-monitor.json").read_text())
    return [panel for panel in dashboard["panels"] if panel["type"] != "row"]


@pytest.fixture(scope="session")
def panel_queries(panels: list[dict]) -> list[tuple[str, str]]:
    """Title and expression of every query of the dashboard."""
    return [(panel["title"], target["expr"]) for panel in panels for target in panel["targets"]]


@pytest.fixture(scope="session")
def rules() -> list[dict]:
    groups = yaml.safe_load((DEPLOY / "prometheus" / "rules.yml").read_text())["groups"]
    return [rule for group in groups for rule in group["rules"]]


@pytest.fixture(scope="session")
def metrics_in():
    """Return a function that names the metrics of ours in a query, without the suffix of a histogram's series."""

    def find(expr: str) -> Iterator[str]:
        return (re.sub(r"_(bucket|sum|count)$", "", name) for name in re.findall(r"\bperp_[a-z_]+", expr))

    return find
