"""Expressions of definitions: the quick closures give what JMESPath gives."""

from __future__ import annotations

import jmespath
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.errors import WireError
from monitor.venues.generic_paths import compile_path, holds

EXPRESSIONS = (
    "a",
    "a.b.c",
    "data[]",
    "data[].a",
    "a[].b",
    "to_array(a)[]",
    "to_array(data)[].a",
    "data[0]",
    "data[-1].a",
    "[0][1]",
    "[@]",
    "[data]",
    "[:1]",
    "data[*].a",
    "data[?a=='x']",
    "data[?a==`1`].b",
    "data[?a!=`true`]",
    "{s: data[0], p: a.b}",
    "[{s: data[0], p: data[1]}]",
    "a=='x'",
    "a!=`1`",
    "a && b",
    "a || b || 'none'",
    "a && !b",
    "!a",
    "a == `0` || data",
    "(a || b) && data",
    '"err-code" == `0`',
    "[a, b][?@] | join('/', @)",
    "starts_with(a || '', 'x')",
    "a > `1`",
)
SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(-2, 3), st.sampled_from(["", "x", "1", "0E-18"]), st.floats(-2, 2)
)
MESSAGES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(st.sampled_from(["a", "b", "c", "data", "err-code"]), inner, max_size=4),
    ),
    max_leaves=12,
)


@settings(max_examples=60, deadline=None)
@pytest.mark.parametrize("expression", EXPRESSIONS)
@given(message=MESSAGES)
def test_closures_give_what_the_interpreter_gives(expression, message):
    """For any message at all, or both refuse it."""
    try:
        expected = jmespath.search(expression, message)
    except (jmespath.exceptions.JMESPathError, TypeError):
        with pytest.raises(WireError):
            compile_path(expression)(message)
    else:
        found = compile_path(expression)(message)
        assert found == expected
        assert isinstance(found, bool) == isinstance(expected, bool)


@pytest.mark.parametrize("expression", ["a..b", "a[", "'", "a b", "", "a" * 501])
def test_what_is_no_expression_is_said_so(expression):
    with pytest.raises(ValueError, match=r"\w"):
        compile_path(expression)


def test_zero_holds_and_what_is_empty_does_not():
    """As JMESPath has it: a code of 0 is something, an empty list is nothing."""
    assert [holds(value) for value in (0, 0.0, "x", [0], True)] == [True] * 5
    assert [holds(value) for value in (None, False, "", [], {})] == [False] * 5


def test_a_function_of_the_wrong_type_is_a_wire_error():
    with pytest.raises(WireError) as caught:
        compile_path("join('/', a)")({"a": [1, None]})
    assert caught.value.reason == "bad_expression"
