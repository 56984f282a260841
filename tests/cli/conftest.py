"""The text of ``explain`` read back: its lines, and every sum in them done again."""

import math
import re
from collections import Counter

import pytest

from monitor.cli.case import Case
from monitor.cli.explain import cases, open_book
from monitor.cli.sum import lines


def rows(block: str) -> list[tuple[str, str, str]]:
    """Return label, value and what stands behind it for every line of a block, wrapped lines put together."""
    found: list[tuple[str, str, str]] = []
    for line in block.splitlines():
        if re.match(r" {8}", line):  # a formula on a line of its own, or what did not fit on the line above
            how = line.strip().replace(",", "")
            label, value, before = ("", "", "") if how.startswith("= ") else found.pop()
            found.append((label, value, f"{before} {how}".strip()))
        elif matched := re.match(r"  (\S.*?) {2,}(-?[\d,.]+(?= |$)|)(?: {3,}| (?=%)|)(.*)$", line):
            label, *rest = matched.groups()
            found.append((label, *(text.replace(",", "") for text in rest)))
    return found


def calculated(sum_text: str) -> float:
    """Do the sum as a pocket calculator would: digits, + - x /, brackets and the square root only."""
    assert re.fullmatch(r"(?:sqrt|[\d. x+/()-])+", sum_text), sum_text
    return eval(sum_text.replace("x", "*"), {"sqrt": math.sqrt})


def sums(block: str) -> Counter[str]:
    """Check every sum of a block against the value that it stands for; return how many, by label."""
    checked: Counter[str] = Counter()
    above = ("", "")
    for label, value, how in rows(block):
        formula = how.startswith("= ")
        name, claim = above if formula else (label, value)
        above = (name, claim)
        text = re.split(r"[:;]| tier", how.removeprefix("= "))[0].strip()
        if claim and re.fullmatch(r"(?:sqrt|[\d. x+/()-])+", text):
            assert calculated(text) == pytest.approx(float(claim), rel=2e-8, abs=1e-8), (name, how)
            checked[name.partition(",")[0]] += 1
        else:
            assert not formula, (name, how)
    return checked


@pytest.fixture
def read_rows():
    """Return the function that takes a block apart."""
    return rows


@pytest.fixture
def adds_up():
    """Return the function that does every sum of a block again."""
    return sums


@pytest.fixture
def explained(tmp_path):
    """Return what is found of every position of an account file, by its name; *marks* and *target* as on the line."""

    def explain(text: str, marks: dict[str, float] | None = None, target: float | None = None) -> dict[str, Case]:
        file = tmp_path / "account.yaml"
        file.write_text(text, encoding="utf-8")
        return {case.position.name: case for case in cases(open_book(file), marks or {}, target)}

    return explain


@pytest.fixture
def told(explained):
    """Return the text of ``explain`` for an account file, by the name of the position."""

    def tell(*said: object) -> dict[str, str]:
        return {name: "\n".join([*lines(case), ""]) for name, case in explained(*said).items()}

    return tell
