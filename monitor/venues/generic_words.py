"""What is said to a venue without a module of its own: ``string.Template`` texts with a few names in them.

Not ``str.format``: frames are JSON, full of braces. A dollar sign is written ``$$``.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from hashlib import sha256
from string import Template
from uuid import UUID

SAID = ("symbol", "symbols", "symbols_csv", "id", "uuid", "ts_s", "ts_ms")
"""Names in a subscribing frame: the venue's own spelling of the contract, the list of all as JSON or with commas, the
number of the request, a unique text, the venue's time.
"""


def fill(text: str, values: Mapping[str, str]) -> str:
    """Return *text* with its names filled in; one without a value is left empty.

    >>> fill('{"pong":${ping}}', {"ping": "17"})
    '{"pong":17}'
    """
    names = Template(text).get_identifiers()
    return Template(text).substitute({name: values.get(name, "") for name in names})


def template_problem(text: str, names: Collection[str] | None = SAID) -> str | None:
    """Return what is wrong with a template, in words, or None. Without *names* any may stand in it.

    >>> template_problem('{"sub":"${symbols}"}'), template_problem("${symbl}")
    (None, 'unknown name ${symbl}')
    >>> template_problem("costs 5 $")
    'a dollar sign that begins no name: write $$'
    """
    template = Template(text)
    if not template.is_valid():
        return "a dollar sign that begins no name: write $$"
    unknown = [] if names is None else [name for name in template.get_identifiers() if name not in names]
    return f"unknown name ${{{unknown[0]}}}" if unknown else None


def uses(text: str, name: str) -> bool:
    """Return whether *name* stands in a template."""
    return name in Template(text).get_identifiers()


def unique(*parts: object) -> str:
    """Return a text in the form of a random UUID, made of *parts*: the same parts make the same.

    >>> unique("demo", 1)
    '248a2e58-9ed8-426c-b876-4f83a7807986'
    """
    return str(UUID(bytes=sha256(repr(parts).encode()).digest()[:16], version=4))


def said(venue: str, text: str, symbols: Sequence[str], number: int, now: float) -> str:
    """Return a control frame about *symbols*, request *number*, at the venue's time *now*."""
    one = symbols[0] if symbols else ""
    values = {
        "symbol": json.dumps(one, ensure_ascii=False)[1:-1],
        "symbols": json.dumps(list(symbols), ensure_ascii=False, separators=(",", ":")),
        "symbols_csv": json.dumps(",".join(symbols), ensure_ascii=False)[1:-1],
        "id": str(number),
        "uuid": unique(venue, number, now),
        "ts_s": str(int(now)),
        "ts_ms": str(int(now * 1000)),
    }
    return fill(text, values)
