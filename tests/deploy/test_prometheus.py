"""The Prometheus files: valid, and every alert rule fires and clears in its own test."""

import re

import pytest
import yaml

from monitor.config.settings import Web


@pytest.mark.component("promtool")
@pytest.mark.parametrize(
    "arguments",
    [("check", "config", "prometheus.yml"), ("check", "rules", "rules.yml"), ("test", "rules", "rules_test.yml")],
    ids=" ".join,
)
def test_promtool_has_no_complaint(deploy, run, arguments):
    code, said = run("promtool", *arguments, cwd=deploy / "prometheus")
    assert code == 0, said


def test_every_rule_has_a_case_in_which_it_fires_and_a_later_one_in_which_it_is_gone(deploy, rules):
    cases = yaml.safe_load((deploy / "prometheus" / "rules_test.yml").read_text())["tests"]
    for rule in rules:
        fired = cleared = False
        for case in cases:
            for check in case["promql_expr_test"]:
                if re.match(rf'ALERTS{{alertname="{rule["alert"]}"', check["expr"]) is None:
                    continue
                fired |= bool(check["exp_samples"])
                cleared |= fired and not check["exp_samples"] and "alertstate" not in check["expr"]
        assert fired, rule["alert"]
        assert cleared, rule["alert"]


def test_every_rule_says_how_bad_it_is_what_happened_and_what_to_do(rules):
    for rule in rules:
        assert rule["labels"]["severity"] in {"warning", "critical"}, rule["alert"]
        assert set(rule["annotations"]) == {"summary", "action"}, rule["alert"]


def test_the_rules_watch_the_job_that_the_scrape_configuration_names(deploy, rules):
    (job,) = yaml.safe_load((deploy / "prometheus" / "prometheus.yml").read_text())["scrape_configs"]
    named = {name for rule in rules for name in re.findall(r'job="([^"]+)"', rule["expr"])}
    assert named == {job["job_name"]}


def test_prometheus_scrapes_where_the_daemon_listens_by_default(deploy):
    (job,) = yaml.safe_load((deploy / "prometheus" / "prometheus.yml").read_text())["scrape_configs"]
    assert job["static_configs"] == [{"targets": [f"{Web().host}:{Web().port}"]}]
