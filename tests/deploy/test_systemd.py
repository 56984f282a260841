"""The service unit: sandboxed, restarted always, its secret handed over as a file."""

from collections import defaultdict

import pytest


@pytest.fixture(scope="module")
def unit(deploy):
    """Every setting of the unit with all its values, in order."""
    settings = defaultdict(list)
    for line in (deploy / "systemd" / "perp-monitor.service").read_text().splitlines():
        if line and line[0] not in "#[":
            name, _, value = line.partition("=")
            settings[name].append(value)
    return settings


@pytest.mark.component("systemd-analyze")
def test_exposure_is_below_two(deploy, run):
    unit = deploy / "systemd" / "perp-monitor.service"
    code, said = run("systemd-analyze", "security", "--offline=true", "--threshold=20", unit)
    assert code == 0, said


@pytest.mark.component("systemd-analyze")
def test_systemd_verifies_the_unit_without_a_word(deploy, run, tmp_path):
    program = "/opt/perp-monitor/.venv/bin/perp-monitor"  # is not there where the tests run
    text = (deploy / "systemd" / "perp-monitor.service").read_text()
    assert f"\nExecStart={program} run --config /etc/perp-monitor/monitor.yaml\n" in text
    copy = tmp_path / "perp-monitor.service"
    copy.write_text(text.replace(program, "/bin/true"))
    assert run("systemd-analyze", "verify", copy) == (0, "")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("Restart", "always"),
        ("StartLimitIntervalSec", "0"),
        ("TimeoutStopSec", "20"),
        ("DynamicUser", "yes"),
        ("NoNewPrivileges", "yes"),
        ("CapabilityBoundingSet", ""),
        ("AmbientCapabilities", ""),
        ("ProtectSystem", "strict"),
        ("StateDirectory", "perp-monitor"),
        ("StateDirectoryMode", "0700"),
        ("PrivateTmp", "yes"),
        ("PrivateDevices", "yes"),
        ("PrivateUsers", "yes"),
        ("ProtectKernelModules", "yes"),
        ("ProtectKernelTunables", "yes"),
        ("ProtectKernelLogs", "yes"),
        ("ProtectClock", "yes"),
        ("ProtectHostname", "yes"),
        ("ProtectControlGroups", "yes"),
        ("ProtectProc", "invisible"),
        ("RestrictNamespaces", "yes"),
        ("RestrictRealtime", "yes"),
        ("RestrictSUIDSGID", "yes"),
        ("RestrictAddressFamilies", "AF_INET AF_INET6 AF_UNIX"),
        ("SystemCallArchitectures", "native"),
        ("MemoryDenyWriteExecute", "yes"),
        ("LoadCredential", "webhook-secret:/etc/perp-monitor/webhook-secret"),
        ("UMask", "0077"),
        ("LimitCORE", "0"),
    ],
)
def test_the_unit_says(unit, name, value):
    assert unit[name] == [value]


def test_system_calls_are_those_of_a_service_without_the_privileged_and_the_resource_ones(unit):
    assert unit["SystemCallFilter"] == ["@system-service", "~@privileged @resources"]


@pytest.mark.parametrize("name", ["MemoryMax", "TasksMax", "LimitNOFILE"])
def test_memory_tasks_and_descriptors_are_limited(unit, name):
    (value,) = unit[name]
    assert value != "infinity"
