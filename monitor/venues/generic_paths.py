"""Where a value stands in a message: JMESPath expressions of a definition, compiled once.

JMESPath (https://jmespath.org) as ``jmespath`` 1.1 has it. What messages need most (names, dots, indexes, ``[]``,
``[?..]``, ``{a: b}``, ``==``, ``&&``, ``to_array``) becomes plain closures, some seven times quicker than the
interpreter; anything else is left to the interpreter. Both give the same values: a test compares them.

An expression gives None where something is missing, so that a typo looks like silence: definitions are checked
against sample messages when they are loaded. Use no arithmetic and no ``to_number`` of the language (it reads ``NaN``
and ``1_000``): numbers are read by us.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jmespath  # type: ignore[import-untyped]
from jmespath.exceptions import JMESPathError  # type: ignore[import-untyped]

from monitor.errors import WireError

Get = Callable[[Any], Any]
"""A message, or a row of it -> the value there, None if there is none."""

WHOLE = "$."
"""In front of an expression: it is about the whole message, not about the row."""

ERRORS = (JMESPathError, TypeError, ValueError, AttributeError, KeyError, RecursionError, OverflowError)
"""What an expression may raise on a message that it was not made for: ``<`` of a text, a function of the wrong type."""

MAX_LENGTH = 500


def compile_path(text: str) -> Get:
    """Return the getter of an expression. Raises ``ValueError`` in words if it is none.

    On a message that it was not made for a getter gives None or raises ``WireError``, nothing else.

    >>> compile_path("data[0].price")({"data": [{"price": "8.5"}]})
    '8.5'
    >>> compile_path("event=='update' && result")({"event": "subscribe", "result": {"a": 1}})
    False
    """
    if len(text) > MAX_LENGTH:
        raise ValueError(f"longer than {MAX_LENGTH} characters")
    try:
        parsed = jmespath.compile(text)
    except (JMESPathError, RecursionError) as error:
        raise ValueError(" ".join(str(error).split())[:200]) from None
    quick = _closure(parsed.parsed)
    if quick is not None:
        return quick

    def search(value: Any) -> Any:
        try:
            return parsed.search(value)
        except ERRORS as error:
            raise WireError(f"{text}: {str(error)[:200]}", reason="bad_expression") from None

    return search


def holds(value: Any) -> bool:
    """Return whether JMESPath takes *value* for true: all but null, false and what is empty (0 is true).

    >>> holds(0), holds([]), holds(None), holds("x")
    (True, False, False, True)
    """
    return not (value is None or value is False or value in ("", [], {}))


def _closure(node: dict[str, Any]) -> Get | None:
    """Return a closure for a part of an expression, None where it has something that only the interpreter knows."""
    make = _MAKERS.get(node["type"])
    if make is None:
        return None
    below = [_closure(child) for child in node["children"]]
    children = [child for child in below if child is not None]
    return make(node, children) if len(children) == len(below) else None


def _field(node: dict[str, Any], _below: list[Get]) -> Get:
    name = node["value"]

    def get(value: Any) -> Any:
        return value.get(name) if type(value) is dict else None

    return get


def _index(node: dict[str, Any], _below: list[Get]) -> Get:
    at = node["value"]

    def get(value: Any) -> Any:
        return value[at] if type(value) is list and -len(value) <= at < len(value) else None

    return get


def _chain(_node: dict[str, Any], below: list[Get]) -> Get:
    if len(below) == 2:
        first, second = below
        return lambda value: second(first(value))

    def get(value: Any) -> Any:
        for each in below:
            value = each(value)
        return value

    return get


def _itself(_node: dict[str, Any], _below: list[Get]) -> Get:
    return lambda value: value


def _literal(node: dict[str, Any], _below: list[Get]) -> Get:
    fixed = node["value"]
    return lambda _value: fixed


def _comparison(node: dict[str, Any], below: list[Get]) -> Get | None:
    left, right = below
    if node["value"] not in ("eq", "ne"):
        return None
    wanted = node["value"] == "eq"
    return lambda value: _equal(left(value), right(value)) is wanted


def _equal(left: Any, right: Any) -> bool:
    """Compare as JMESPath does: true is not 1."""
    if isinstance(left, bool) is not isinstance(right, bool):
        return False
    return bool(left == right)


def _and(_node: dict[str, Any], below: list[Get]) -> Get:
    left, right = below

    def get(value: Any) -> Any:
        found = left(value)
        return right(value) if holds(found) else found

    return get


def _or(_node: dict[str, Any], below: list[Get]) -> Get:
    left, right = below

    def get(value: Any) -> Any:
        found = left(value)
        return found if holds(found) else right(value)

    return get


def _not(_node: dict[str, Any], below: list[Get]) -> Get:
    (inner,) = below
    return lambda value: not holds(inner(value))


def _flatten(_node: dict[str, Any], below: list[Get]) -> Get:
    (inner,) = below

    def get(value: Any) -> Any:
        found = inner(value)
        if type(found) is not list:
            return None
        flat: list[Any] = []
        for each in found:
            if type(each) is list:
                flat += each
            else:
                flat.append(each)
        return flat

    return get


def _projection(_node: dict[str, Any], below: list[Get]) -> Get:
    base, right = below

    def get(value: Any) -> Any:
        found = base(value)
        if type(found) is not list:
            return None
        return [each for each in map(right, found) if each is not None]

    return get


def _filter(_node: dict[str, Any], below: list[Get]) -> Get:
    base, right, condition = below

    def get(value: Any) -> Any:
        found = base(value)
        if type(found) is not list:
            return None
        chosen = (right(each) for each in found if holds(condition(each)))
        return [each for each in chosen if each is not None]

    return get


def _several(_node: dict[str, Any], below: list[Get]) -> Get:
    return lambda value: None if value is None else [each(value) for each in below]


def _named(node: dict[str, Any], below: list[Get]) -> Get:
    pairs = [(child["value"], get) for child, get in zip(node["children"], below, strict=True)]
    return lambda value: None if value is None else {name: get(value) for name, get in pairs}


def _function(node: dict[str, Any], below: list[Get]) -> Get | None:
    if node["value"] != "to_array" or len(below) != 1:
        return None
    (inner,) = below

    def get(value: Any) -> Any:
        found = inner(value)
        return found if type(found) is list else [found]

    return get


_MAKERS: dict[str, Callable[[dict[str, Any], list[Get]], Get | None]] = {
    "field": _field,
    "index": _index,
    "subexpression": _chain,
    "index_expression": _chain,
    "pipe": _chain,
    "key_val_pair": _chain,
    "identity": _itself,
    "current": _itself,
    "literal": _literal,
    "comparator": _comparison,
    "and_expression": _and,
    "or_expression": _or,
    "not_expression": _not,
    "flatten": _flatten,
    "projection": _projection,
    "filter_projection": _filter,
    "multi_select_list": _several,
    "multi_select_dict": _named,
    "function_expression": _function,
}
