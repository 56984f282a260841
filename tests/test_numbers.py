"""The one grammar of numbers at the edge."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.numbers import LIMIT, MAX_TEXT, bounded, parse_decimal, shortest

GOOD = {
    "0": 0.0,
    "-0": -0.0,
    "90012.40000000": 90012.4,
    "+1.5": 1.5,
    "-1.5": -1.5,
    ".5": 0.5,
    "5.": 5.0,
    "007": 7.0,
    "1e3": 1000.0,
    "1E-7": 1e-7,
    "1.5e+2": 150.0,
    "999999999999999000": 999999999999999000.0,
    "1e-9999": 0.0,
    "0" * 63 + "1": 1.0,
}


@pytest.mark.parametrize(("text", "value"), GOOD.items())
def test_a_decimal_is_read(text, value):
    assert parse_decimal(text) == value


BAD = [
    "",
    " ",
    " 1",
    "1 ",
    "1\n",
    "\t1",
    "1_000",
    "1,000",
    "0x10",
    "nan",
    "NaN",
    "inf",
    "-Infinity",
    "1.2.3",
    ".",
    "+",
    "-",
    "--1",
    "+-1",
    "e5",
    "1e",
    "1e+",
    "1e1.5",
    "1e99999",
    "1d5",
    "1j",
    "true",
    "null",
    "\u0661\u0662",  # Arabic digits
    "\uff11",  # a full-width digit
    "1\u00a0",
    "\u22121",  # a minus sign that is no hyphen
    "1\x00",
    "1" * (MAX_TEXT + 1),
]


@pytest.mark.parametrize("text", BAD, ids=ascii)
def test_what_is_no_decimal_is_refused(text):
    with pytest.raises(ValueError, match="is not a decimal number"):
        parse_decimal(text)


def test_a_refusal_quotes_no_more_than_64_characters():
    with pytest.raises(ValueError) as caught:
        parse_decimal("x" * 100_000)
    assert len(str(caught.value)) < 100


@pytest.mark.parametrize("text", ["1e18", "-1e18", "1000000000000000000", "1e308", "1e309", "-1e9999"])
def test_magnitudes_from_1e18_on_are_refused(text):
    with pytest.raises(ValueError, match="is out of range"):
        parse_decimal(text)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, LIMIT, -LIMIT])
def test_a_float_out_of_bounds_is_refused(value):
    with pytest.raises(ValueError, match="is out of range"):
        bounded(value)


@pytest.mark.parametrize("value", [0.0, -0.0, math.nextafter(LIMIT, 0.0), -math.nextafter(LIMIT, 0.0), 5e-324])
def test_a_float_within_bounds_is_given_back(value):
    assert bounded(value) == value


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (55000.0, "55000"),
        (0.1, "0.1"),
        (1e-07, "0.0000001"),
        (-1.5e-10, "-0.00000000015"),
        (1e16, "10000000000000000"),
        (1.2345e20, "123450000000000000000"),
        (12345678.9, "12345678.9"),
        (-2.5e20, "-250000000000000000000"),
        (0.0, "0"),
    ],
)
def test_the_shortest_text_has_no_exponent(value, text):
    assert shortest(value) == text


steady = settings(max_examples=500, deadline=None, derandomize=True, database=None)


@steady
@given(st.floats(allow_nan=False, allow_infinity=False))
def test_the_shortest_text_reads_back_as_the_same_float(value):
    text = shortest(value)
    assert float(text) == value
    assert set(text) <= set("-.0123456789")


@steady
@given(st.text(alphabet="0123456789+-.eE_ xnaif\n", max_size=12))
def test_every_text_is_either_refused_or_read_as_python_reads_it(text):
    try:
        value = parse_decimal(text)
    except ValueError:
        return
    assert value == float(text)
    assert -LIMIT < value < LIMIT
    assert text == text.strip()
    assert "_" not in text


@steady
@given(st.decimals(-(10**17), 10**17, allow_nan=False, places=8))
def test_every_decimal_of_a_venue_is_read_as_the_nearest_float(number):
    assert parse_decimal(f"{number:f}") == float(number)
