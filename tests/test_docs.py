"""What the README promises is what the program has."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from monitor.cli.main import VERBS
from monitor.config.load import load_account_file, load_config
from monitor.export import domain, ordinary
from monitor.venues import VENUES

TOP = Path(__file__).parents[1]
README = (TOP / "README.md").read_text(encoding="utf-8")


def exported() -> set[str]:
    tables = (domain.position_table(amounts=True), domain.symbol_table(0.0))
    return {f.name for t in tables for f in t.families} | {row.name for row in ordinary.ORDINARY}


def test_the_readme_lists_exactly_the_exported_metrics():
    assert set(re.findall(r"^\| `(perp_\w+)` \|", README, re.MULTILINE)) == exported()


def test_each_venue_stands_in_the_readme():
    assert all(f"`{name}`" in README for name in VENUES)


def test_each_verb_stands_in_the_readme():
    for verb in VERBS:
        name = verb.__name__.rpartition(".")[2].replace("_", "-")
        assert f"| `{name}" in README, name


@pytest.mark.parametrize("name", ["monitor.yaml"])
def test_each_shipped_configuration_loads(name):
    load_config(TOP / "config" / name, VENUES, {n: v.shipped_tiers for n, v in VENUES.items()})


def test_the_example_account_loads():
    load_account_file(TOP / "config" / "account.example.yaml", VENUES)
