"""Prometheus text for the families that grow with positions and symbols.

Byte for byte what ``prometheus_client.generate_latest`` writes for the same samples, some twenty times
quicker: the label part of a line is rendered once and kept while the labels are the same, and the values of a
column become text in one call. Nothing waits in here; the caller decides how many views make one slice.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Generic, TypeVar

import msgspec
import numpy as np
from prometheus_client import utils

View = TypeVar("View")

go_text: Callable[[float], str] = utils.floatToGoString
"""The one formatter that prometheus-client uses for every value."""

_NO_LINE = (b"", b"", b"")

_encode = msgspec.json.Encoder().encode


@dataclass(frozen=True, slots=True)
class Column(Generic[View]):
    """One series per view: ``labels`` is an index into the table's label sets; a value of None is absent."""

    value_of: Callable[[View], float | None]
    labels: int = 0


@dataclass(frozen=True, slots=True)
class Family(Generic[View]):
    """One row of a table: the metric and its series per view, usually one."""

    name: str
    kind: str
    help: str
    columns: tuple[Column[View], ...]


@dataclass(frozen=True, slots=True)
class Table(Generic[View]):
    """Families about one sort of view. ``identity`` decides whether rendered labels may be used again."""

    identity: Callable[[View], Hashable]
    labels: tuple[Callable[[View], Mapping[str, str]], ...]
    families: tuple[Family[View], ...]


LabelCache = dict[Hashable, tuple[bytes, ...]]


class Page(Generic[View]):
    """The text of one table at one scrape. ``labels`` then serves the next scrape: what is gone is forgotten."""

    def __init__(self, table: Table[View], known: LabelCache) -> None:
        self.labels: LabelCache = {}
        self._table = table
        self._known = known
        self._columns = [column for family in table.families for column in family.columns]
        self._prefixes = [b"\n" + family.name.encode() for family in table.families]
        self._pieces = [[_header(family)] for family in table.families]

    def add(self, views: Sequence[View]) -> None:
        """Append one slice of views to every family."""
        if not views:
            return
        labels = self._labels_of(views)
        texts = number_texts([value for column in self._columns for value in map(column.value_of, views)])
        by_column = [texts[start : start + len(views)] for start in range(0, len(texts), len(views))]
        columns = iter(zip([labels[column.labels] for column in self._columns], by_column, strict=True))
        for family, prefix, pieces in zip(self._table.families, self._prefixes, self._pieces, strict=True):
            pieces.append(_lines(prefix, list(islice(columns, len(family.columns)))))

    def finish(self) -> list[bytes]:
        """Return the text, family by family, in pieces."""
        return [piece for pieces in self._pieces for piece in (*pieces, b"\n")]

    def _labels_of(self, views: Sequence[View]) -> list[tuple[bytes, ...]]:
        """Return one column per label set, rendered anew only for views that the last scrape did not show."""
        keys = list(map(self._table.identity, views))
        rows = list(map(self._known.get, keys))
        found = [
            row or tuple(label_text(labels(view)) for labels in self._table.labels)
            for row, view in zip(rows, views, strict=True)
        ]
        self.labels.update(zip(keys, found, strict=True))
        return list(zip(*found, strict=True))


def label_text(labels: Mapping[str, str]) -> bytes:
    r"""Return the label part of a sample line, sorted and escaped, with the blank before the value.

    >>> label_text({"venue": "demo", "position": 'a "long"'})
    b'{position="a \\"long\\"",venue="demo"} '
    """
    if not labels:
        return b" "
    pairs = (f'{name}="{_escape(value)}"' for name, value in sorted(labels.items()))
    return f"{{{','.join(pairs)}}} ".encode()


def number_texts(values: Sequence[float | None]) -> list[bytes]:
    """Return the text of each value; empty where it is absent.

    One call of the JSON encoder serves all values between 1e-4 and 1e6 in magnitude, where JSON and Prometheus
    agree on the shortest decimal; the others (large, tiny, not finite) are written one by one.

    >>> number_texts([0.05, None, 55000.0, 1e6])
    [b'0.05', b'', b'55000.0', b'1e+06']
    """
    array = np.array(values, dtype=np.float64)  # None becomes NaN
    texts = _encode(array.tolist())[1:-1].split(b",")
    size = np.abs(array)
    alike = ((size >= 1e-4) & (size < 1e6)) | (size == 0.0)
    for place in np.flatnonzero(~alike).tolist():
        value = values[place]
        texts[place] = b"" if value is None else go_text(value).encode()
    return texts


def _lines(prefix: bytes, columns: Sequence[tuple[Sequence[bytes], Sequence[bytes]]]) -> bytes:
    """Return the lines of one family from (labels, values) columns, view by view.

    Each line begins with the line end of the one before, so that the prefix of all lines is one object.
    """
    stride = 3 * len(columns)
    parts = [prefix] * (stride * len(columns[0][0]))
    for number, (labels, texts) in enumerate(columns):
        parts[3 * number + 1 :: stride] = labels
        parts[3 * number + 2 :: stride] = texts
        if b"" in texts:
            for place in [place for place, text in enumerate(texts) if not text]:
                at = stride * place + 3 * number
                parts[at : at + 3] = _NO_LINE
    return b"".join(parts)


def _header(family: Family[View]) -> bytes:
    text = family.help.replace("\\", r"\\").replace("\n", r"\n")
    return f"# HELP {family.name} {text}\n# TYPE {family.name} {family.kind}".encode()


def _escape(value: str) -> str:
    return value.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")
