"""What the README promises is what the program has."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from monitor.cli.files import read_accounts, read_config
from monitor.cli.main import VERBS
from monitor.cli.venues import markdown
from monitor.export import domain, ordinary
from monitor.venues import RULES, VENUES

TOP = Path(__file__).parents[1]
README = (TOP / "README.md").read_text(encoding="utf-8")


def exported() -> set[str]:
    tables = (domain.position_table(amounts=True), domain.symbol_table(0.0))
    return {f.name for t in tables for f in t.families} | {row.name for row in ordinary.ORDINARY}


def test_the_readme_lists_exactly_the_exported_metrics():
    assert set(re.findall(r"^\| `(perp_\w+)` \|", README, re.MULTILINE)) == exported()


def test_each_venue_stands_in_the_readme():
    assert all(f"`{name}`" in README for name in RULES)


def test_the_table_of_venues_is_the_one_that_the_program_prints():
    told = README.partition("<!-- perp-monitor venues --markdown -->\n")[2].partition("\n<!-- end -->")[0]
    assert told == markdown(dict(sorted(VENUES.items()))), "paste what perp-monitor venues --markdown prints"


def test_each_preset_stands_in_the_readme():
    names = {"bingx": "BingX", "kucoin": "KuCoin", "mexc": "MEXC", "htx": "HTX", "whitebit": "WhiteBIT", "xxkk": "XXKK"}
    for path in (TOP / "config" / "venues").glob("*.yaml"):
        assert names.get(path.stem, path.stem.capitalize()) in README


def test_each_verb_stands_in_the_readme():
    for verb in VERBS:
        name = verb.__name__.rpartition(".")[2].replace("_", "-")
        assert f"| `{name}" in README, name


@pytest.mark.parametrize("name", ["monitor.yaml"])
def test_each_shipped_configuration_loads(name):
    read_config(TOP / "config" / name)


def test_the_example_account_loads():
    read_accounts(TOP / "config" / "account.example.yaml")
