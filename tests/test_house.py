"""The house itself: its floors, and what no file of it may name."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from monitor.export.domain import position_table, symbol_table
from monitor.export.ordinary import ORDINARY

ROOT = Path(__file__).parents[1]

REGISTRIES = re.compile(
    r"pypi\.org|pythonhosted\.org|npmjs\.(?:org|com)|crates\.io|proxy\.golang\.org|conda\.anaconda\.org"
    r"|(?<![\w.])(?:docker|ghcr|quay|gcr)\.io\b|--(?:extra-)?index-url|PIP_INDEX_URL",
)
"""Where packages come from is the machine's own setting, for pip and for container engines."""

MACHINE_PATHS = re.compile(r"(?<![\w.:}\])/-])/(?:home|Users|root|tmp|work|mnt|private(?!/ws)|workspace)/[\w.-]+")


def lint_imports(folder: Path) -> subprocess.CompletedProcess[str]:
    """Run import-linter with the settings of *folder*."""
    program = (
        "import sys; from importlinter.cli import lint_imports; sys.exit(lint_imports(no_cache=True, no_logo=True))"
    )
    return subprocess.run(
        [sys.executable, "-c", program], cwd=folder, capture_output=True, text=True, check=False, timeout=120
    )


def test_imports_keep_to_the_floors():
    done = lint_imports(ROOT)
    assert done.returncode == 0, done.stdout + done.stderr
    kept = re.search(r"Contracts: (\d+) kept, 0 broken", done.stdout)
    assert kept
    assert int(kept[1]) == (ROOT / "pyproject.toml").read_text().count("[[tool.importlinter.contracts]]")


def test_an_import_upwards_is_noticed(tmp_path):
    """The same settings over a house of two files, in which the core imports the engine."""
    (tmp_path / "pyproject.toml").write_text((ROOT / "pyproject.toml").read_text())
    for module in (ROOT / "monitor").rglob("*.py"):
        copy = tmp_path / module.relative_to(ROOT)
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_text("")
    (tmp_path / "monitor" / "core" / "levels.py").write_text("import monitor.engine.engine\n")
    done = lint_imports(tmp_path)
    assert done.returncode == 1
    assert "monitor.core is not allowed to import monitor.engine" in done.stdout


def texts() -> Iterator[tuple[str, str]]:
    """Yield name and text of every file that is committed or would be."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    for name in filter(None, listed.stdout.split("\0")):
        if (ROOT / name).is_file() and ROOT / name != Path(__file__):
            yield name, (ROOT / name).read_text(errors="replace")


@pytest.mark.parametrize("forbidden", [REGISTRIES, MACHINE_PATHS], ids=["package registry", "path of a machine"])
def test_no_file_names_a(forbidden):
    found = [
        f"{name}:{number}: {line.strip()[:120]}"
        for name, text in texts()
        if forbidden.search(text)
        for number, line in enumerate(text.splitlines(), 1)
        if forbidden.search(line)
    ]
    assert found == []


@pytest.mark.parametrize("document", ["README.md", "deploy"])
def test_every_metric_that_is_named_is_exported(document):
    tables = (*position_table(amounts=True).families, *symbol_table(0.0).families)
    exported = {row.name for row in ORDINARY} | {family.name for family in tables}
    files = [path for path in ((ROOT / document), *(ROOT / document).rglob("*")) if path.is_file()]
    assert files
    named = {
        re.sub(r"_(?:bucket|sum|count)$", "", name)
        for path in files
        for name in re.findall(r"\bperp_[a-z_]*[a-z]\b(?![_*])", path.read_text())
    }
    assert sorted(named - exported) == []
