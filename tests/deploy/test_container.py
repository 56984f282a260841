"""The container files: nobody's root, nothing to write but the state, nothing in the image that has no hash."""

import json
import re

import pytest
import yaml

from monitor.config.settings import Web


@pytest.fixture(scope="module")
def steps(deploy):
    """The instructions of the Containerfile as (word, rest), continued lines joined."""
    text = (deploy / "container" / "Containerfile").read_text().replace("\\\n", " ")
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    return [(word, rest.strip()) for word, _, rest in (line.partition(" ") for line in lines)]


@pytest.fixture(scope="module")
def last_stage(steps):
    return dict(steps[max(i for i, (word, _) in enumerate(steps) if word == "FROM") :])


@pytest.fixture(scope="module")
def service(deploy):
    return yaml.safe_load((deploy / "container" / "compose.yaml").read_text())["services"]["perp-monitor"]


def test_every_stage_starts_from_the_base_image_that_the_builder_names(steps):
    assert [re.sub(r" AS .*", "", rest) for word, rest in steps if word == "FROM"] == ["${BASE_IMAGE}"] * 2


def test_a_base_image_without_a_digest_is_refused_before_anything_is_fetched(steps, service):
    first_run = next(rest for word, rest in steps if word == "RUN")
    assert first_run.startswith('case "$BASE_IMAGE" in *@sha256:*) ;; *)')
    assert "exit 1" in first_run
    assert service["build"]["args"]["BASE_IMAGE"].startswith("${BASE_IMAGE:?")


def test_packages_come_as_wheels_with_hashes_and_nothing_else_is_installed(steps):
    installs = [rest for word, rest in steps if word == "RUN" and " install " in rest and "pip" in rest]
    (install,) = installs
    assert install.count("pip install") == 1
    assert "--require-hashes --only-binary :all: -r requirements.txt" in install
    assert not re.search(r"apt-get|curl|wget|ADD ", " ".join(rest for _, rest in steps))


def test_the_user_is_a_number_and_not_root_in_image_and_service(last_stage, service):
    assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", last_stage["USER"])
    assert service["user"] == last_stage["USER"]


def test_the_state_is_the_one_volume_and_only_its_owner_may_look(last_stage, service):
    assert last_stage["VOLUME"] == "/var/lib/perp-monitor"
    assert "-m 0700 /var/lib/perp-monitor" in last_stage["RUN"]
    assert [v for v in service["volumes"] if not v.endswith(":ro")] == ["state:/var/lib/perp-monitor"]


def test_the_health_check_is_a_program_of_the_image_without_shell(last_stage):
    command = json.loads(last_stage["HEALTHCHECK"].partition("CMD ")[2])
    assert command[:3] == ["/opt/perp-monitor/.venv/bin/python", "-I", "-c"]
    compile(command[3], "health check", "exec")
    assert f"HTTPConnection('{Web().host}', {Web().port}, " in command[3]


def test_the_interpreter_starts_isolated(last_stage):
    assert json.loads(last_stage["ENTRYPOINT"])[1:] == ["-I", "-m", "monitor"]


@pytest.mark.parametrize(
    ("key", "value"),
    [("read_only", True), ("cap_drop", ["ALL"]), ("security_opt", ["no-new-privileges:true"]), ("restart", "always")],
)
def test_the_service_says(service, key, value):
    assert service[key] == value


def test_temporary_files_lie_in_memory_and_processes_and_memory_are_limited(service):
    assert [entry.partition(":")[0] for entry in service["tmpfs"]] == ["/tmp"]
    assert service["pids_limit"] > 0
    assert service["mem_limit"] == service["memswap_limit"]


def test_secrets_are_files_and_never_in_the_environment(deploy, service, steps):
    compose = yaml.safe_load((deploy / "container" / "compose.yaml").read_text())
    assert service["secrets"] == list(compose["secrets"])
    assert all(set(secret) == {"file"} for secret in compose["secrets"].values())
    assert "environment" not in service
    assert not [
        rest for word, rest in steps if word in {"ENV", "ARG"} and re.search("secret|token|key", rest, re.IGNORECASE)
    ]


def test_no_registry_is_named(deploy):
    for path in (deploy / "container").iterdir():
        assert not re.search(r"\b[\w-]+\.(io|com|org|dev)/", path.read_text()), path.name
