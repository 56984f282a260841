"""The demo under a real Prometheus with the shipped files: no query of the dashboard or the rules stays empty."""

import http.client
import json
import math
import re
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlencode

import pytest
import yaml

pytestmark = pytest.mark.component("prometheus", "promtool")

ABSENT_WHEN_WELL = {"perp_monitor_outbox_oldest_timestamp_seconds"}
"""Series that are there only while something is wrong: it is enough that Prometheus has heard of the name."""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def get(port: int, path: str, **query: str) -> tuple[int, bytes]:
    """Return status and body; status 0 while nobody answers."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", f"{path}?{urlencode(query)}" if query else path)
        answer = connection.getresponse()
        return answer.status, answer.read()
    except OSError:
        return 0, b""
    finally:
        connection.close()


@contextmanager
def running(command: list[str | Path], said: Path, port: int, ready: str, deadline: float):
    """Run a program until the block ends; the block starts once GET *ready* gives 200."""
    with said.open("wb") as output, subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT) as process:
        try:
            while get(port, ready)[0] != 200:
                assert process.poll() is None, said.read_text()
                assert time.monotonic() < deadline, said.read_text()
                time.sleep(0.1)
            yield
        finally:
            process.terminate()
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                raise


@pytest.fixture(scope="module")
def deadline():
    """When patience ends for everything here together."""
    return time.monotonic() + 85


@pytest.fixture(scope="module")
def demo_port(tmp_path_factory, deadline):
    port = free_port()
    command = [sys.executable, "-m", "monitor", "demo", "--loop", "--listen", f"127.0.0.1:{port}"]
    with running(command, tmp_path_factory.mktemp("demo") / "output", port, "/-/healthy", deadline):
        yield port


@pytest.fixture(scope="module")
def ask(tmp_path_factory, deploy, demo_port, deadline):
    """Return a function that asks a Prometheus, set up as shipped but for port and interval."""
    home, port = tmp_path_factory.mktemp("prometheus"), free_port()
    config = yaml.safe_load((deploy / "prometheus" / "prometheus.yml").read_text())
    config["global"] = {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"}
    config["rule_files"] = [str(deploy / "prometheus" / name) for name in config["rule_files"]]
    config["scrape_configs"][0]["static_configs"] = [{"targets": [f"127.0.0.1:{demo_port}"]}]
    (home / "prometheus.yml").write_text(yaml.safe_dump(config))
    command = [
        "prometheus",
        f"--config.file={home / 'prometheus.yml'}",
        f"--storage.tsdb.path={home / 'data'}",
        f"--web.listen-address=127.0.0.1:{port}",
        "--log.level=error",
    ]

    def question(path: str, **query: str):
        status, body = get(port, f"/api/v1/{path}", **query)
        assert status == 200, body.decode()
        return json.loads(body)["data"]

    with running(command, home / "output", port, "/-/ready", deadline):
        yield question


def wait_for_data(ask, questions: dict[str, str], deadline: float) -> dict[str, list[dict[str, str]]]:
    """Ask each of the named *questions* until it was answered with a number once; return the labels seen."""
    open_questions, answers = dict(questions), {}
    while open_questions:
        for name, expr in list(open_questions.items()):
            found = [s["metric"] for s in ask("query", query=expr)["result"] if not math.isnan(float(s["value"][1]))]
            if found:
                answers[name] = found
                del open_questions[name]
        assert not open_questions or time.monotonic() < deadline, open_questions
        time.sleep(0.5)
    return answers


def test_every_query_of_the_dashboard_returns_data_during_the_demo(ask, panels, deadline):
    wait_for_data(ask, {"the demo has a position": "perp_position_info"}, deadline)
    position = ask("label/position/values")[0]  # as the dashboard's variable finds it
    questions, legends = {}, {}
    for panel in panels:
        for target in panel["targets"]:
            name = f"{panel['title']}: {target['refId']}"
            expr = target["expr"].replace("$position", position).replace("$__rate_interval", "10s")
            questions[name], legends[name] = expr, set(re.findall(r"{{(\w+)}}", target.get("legendFormat", "")))
    for name, found in wait_for_data(ask, questions, deadline).items():
        assert all(legends[name] <= set(labels) for labels in found), name


def test_every_series_that_a_rule_looks_at_is_there_during_the_demo(ask, rules, deadline):
    selectors = {s for rule in rules for s in re.findall(r"\b(?:up|perp_[a-z_]+)\b(?:{[^}]*})?", rule["expr"])}
    for name in selectors & ABSENT_WHEN_WELL:
        assert ask("metadata", metric=name), name
    seen = wait_for_data(ask, {s: s for s in selectors - ABSENT_WHEN_WELL}, deadline)
    for rule in rules:
        told = set(re.findall(r"\$labels\.(\w+)", str(rule["annotations"])))
        for selector in seen.keys() & {s for s in selectors if s in rule["expr"]}:
            assert told <= set(seen[selector][0]), (rule["alert"], selector)


def test_prometheus_evaluates_every_rule_without_an_error(ask, rules):
    loaded = [rule for group in ask("rules")["groups"] for rule in group["rules"]]
    assert {rule["name"]: rule.get("lastError", "") for rule in loaded} == {rule["alert"]: "" for rule in rules}


def test_promtool_has_no_complaint_about_the_metrics_themselves(demo_port):
    status, text = get(demo_port, "/metrics")
    assert status == 200
    done = subprocess.run(
        ["promtool", "check", "metrics"], check=False, input=text, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    assert (done.returncode, done.stdout.decode()) == (0, "")
