"""Our own writer writes what prometheus-client would have written, byte for byte."""

from __future__ import annotations

from operator import attrgetter

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

from monitor.export.domain import position_table, symbol_table
from monitor.export.writer import Column, Family, Page, Table, number_texts

KINDS = {"gauge": GaugeMetricFamily, "counter": CounterMetricFamily}


class Row(msgspec.Struct):
    name: str
    venue: str
    one: float | None
    two: float | None


ROWS = Table(
    attrgetter("name", "venue"),
    (
        lambda row: {"venue": row.venue, "name": row.name},
        lambda row: {"venue": row.venue, "name": row.name, "field": "two"},
    ),
    (
        Family("perp_one", "gauge", "One.", (Column(attrgetter("one")),)),
        Family(
            "perp_both_total",
            "counter",
            "A \\ and\na line end.",
            (Column(attrgetter("one")), Column(attrgetter("two"), 1)),
        ),
    ),
)

numbers = st.one_of(
    st.none(),
    st.floats(),
    st.floats(min_value=1e-5, max_value=1e7),
    st.integers(min_value=-(10**7), max_value=10**7).map(float),
    st.sampled_from([0.0, -0.0, 1e-4, 9.999e-5, 999_999.9, 1e6, -1e6, 1e15, 1e16, -1e16, 1e22, 5e-324, 1e308]),
)
names = st.one_of(
    st.text(alphabet=st.characters(exclude_categories=["Cs"])),
    st.sampled_from(['"', "\\", "\n", "\\n", "Ω-long", "雪"]),
)
rows = st.builds(Row, name=names, venue=names, one=numbers, two=numbers)


def ours(table, *slices):
    page = Page(table, {})
    for views in slices:
        page.add(views)
    return b"".join(page.finish())


def theirs(table, views):
    """Return the same samples through a collector as one writes it with prometheus-client."""

    class Everything:
        def collect(self):
            for row in table.families:
                labels = sorted({name for c in row.columns for v in views for name in table.labels[c.labels](v)})
                family = KINDS[row.kind](row.name, row.help, labels=labels)
                name = row.name
                for view in views:
                    for column in row.columns:
                        value = column.value_of(view)
                        if value is not None:
                            family.add_sample(name, dict(table.labels[column.labels](view)), value)
                yield family

    registry = CollectorRegistry()
    registry.register(Everything())
    return generate_latest(registry)


@given(st.lists(rows, max_size=20))
def test_any_values_and_labels_are_written_as_prometheus_client_writes_them(views):
    assert ours(ROWS, views) == theirs(ROWS, views)


@given(st.lists(rows, max_size=20), st.integers(min_value=1, max_value=7))
def test_the_size_of_the_slices_does_not_show_in_the_text(views, size):
    slices = [views[start : start + size] for start in range(0, len(views), size)]
    assert ours(ROWS, *slices) == ours(ROWS, views)


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_every_written_number_reads_back_as_the_same_float(value):
    assert float(number_texts([value])[0]) == value


def test_the_table_of_positions_is_written_as_prometheus_client_writes_it(position):
    views = [position(), position(name="eth", liquidation_price=None, notional=2.5e6, margin_ratio=float("nan"))]
    assert ours(position_table(amounts=True), views) == theirs(position_table(amounts=True), views)


def test_the_table_of_symbols_is_written_as_prometheus_client_writes_it(symbol):
    views = [symbol(), symbol(symbol="ETHUSDT", mark_price=None, ages={})]
    assert ours(symbol_table(1.79e9), views) == theirs(symbol_table(1.79e9), views)


def test_labels_are_rendered_once_and_used_again_while_the_identity_stays(position):
    table = position_table(amounts=False)
    first = Page(table, {})
    first.add([position()])
    second = Page(table, first.labels)
    second.add([position(level=3)])
    (before,), (after,) = first.labels.values(), second.labels.values()
    assert before is after


@pytest.mark.parametrize("change", [{"margin_mode": "cross"}, {"side": "long"}, {"settle": "USDC"}])
def test_labels_are_rendered_anew_when_the_position_changes(position, change):
    table = position_table(amounts=False)
    first = Page(table, {})
    first.add([position()])
    second = Page(table, first.labels)
    second.add([position(**change)])
    assert b"".join(second.finish()) == ours(table, [position(**change)])


def test_labels_of_closed_positions_are_forgotten(position):
    table = position_table(amounts=False)
    first = Page(table, {})
    first.add([position(), position(name="closed")])
    second = Page(table, first.labels)
    second.add([position()])
    assert len(second.labels) == 1
