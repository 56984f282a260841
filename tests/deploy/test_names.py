"""What the shipped files ask for is what the daemon exports."""

import pytest

from monitor.export.domain import position_table, symbol_table
from monitor.export.ordinary import ORDINARY


@pytest.fixture(scope="module")
def exported() -> set[str]:
    """Every metric that is there without a switch being thrown."""
    domain = (*position_table(amounts=False).families, *symbol_table(0.0).families)
    return {row.name for row in ORDINARY} | {family.name for family in domain}


def test_every_metric_of_the_dashboard_is_exported(panel_queries, metrics_in, exported):
    assert {name for _, expr in panel_queries for name in metrics_in(expr)} - exported == set()


def test_every_metric_of_the_rules_is_exported(rules, metrics_in, exported):
    assert {name for rule in rules for name in metrics_in(rule["expr"])} - exported == set()


def test_every_metric_that_a_person_is_pointed_to_is_exported(deploy, rules, metrics_in, exported):
    texts = [rule["annotations"]["action"] for rule in rules] + [(deploy / "README.md").read_text()]
    assert {name for text in texts for name in metrics_in(text)} - exported == set()
