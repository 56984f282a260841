"""Programs that some tests need: where they are missing it is seen, and in CI it fails."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

TESTS = Path(__file__).parent


@pytest.fixture
def outcome(tmp_path):
    """Return a function that runs one marked test under our conftest and gives the runner's last lines."""
    shutil.copy(TESTS / "conftest.py", tmp_path)
    (tmp_path / "pytest.ini").write_text("[pytest]\nmarkers = component(name): needs a real program\n")

    def run(program: str, ci: str) -> str:
        (tmp_path / "test_it.py").write_text(
            f"import pytest\n@pytest.mark.component({program!r})\ndef test_it(): pass\n"
        )
        command = [sys.executable, "-I", "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_it.py"]
        environment = {"PATH": os.environ["PATH"], "CI": ci}
        return subprocess.run(
            command, cwd=tmp_path, env=environment, check=False, capture_output=True, text=True
        ).stdout

    return run


def test_a_test_runs_where_its_program_is_there(outcome):
    assert "1 passed" in outcome("sh", "true")


def test_a_missing_program_skips_and_is_named(outcome):
    said = outcome("no-such-program", "")
    assert "1 skipped" in said
    assert "NOT TESTED: no-such-program is missing" in said


def test_a_missing_program_fails_in_ci(outcome):
    said = outcome("no-such-program", "true")
    assert "1 error" in said
    assert "no-such-program is not installed: tests/setup-components.sh installs it" in said


def run_setup(path: Path) -> subprocess.CompletedProcess[str]:
    command = ["/bin/sh", TESTS / "setup-components.sh"]
    return subprocess.run(command, env={"PATH": str(path)}, check=False, capture_output=True, text=True)


def test_setup_says_what_it_cannot_install_and_lets_the_tests_go_on(tmp_path):
    done = run_setup(tmp_path)  # no apt-get, nothing at all
    assert done.returncode == 0
    assert "NOT INSTALLED: Debian package prometheus (there is no apt-get here)" in done.stderr
    assert "NOT INSTALLED: Debian package systemd" in done.stderr


def test_setup_does_nothing_where_all_is_there(tmp_path):
    for name in ("prometheus", "promtool", "systemd-analyze"):
        (tmp_path / name).symlink_to("/bin/true")
    done = run_setup(tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
