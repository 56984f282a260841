"""``tiers_file``: maintenance ladders that the operator fetched or wrote, in one of four shapes.

- ours: ``SYMBOL: {tiers: [{floor, maintenance_rate, deduction}], source, date}``, or the list of tiers alone;
- the reply of Binance ``/fapi/v1/leverageBracket`` (signed, so the daemon cannot ask), for one symbol or all;
- what ccxt's ``fetch_leverage_tiers`` gives, saved as JSON: ``BTC/USDT:USDT: [{minNotional, ...}]``.

Only the symbols that are watched are read: a slip of somebody else's in the other 700 stops nobody.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator

from monitor.config.nodes import ListNode, MapNode, Node, Scalar, describe
from monitor.config.places import Place, Problems, show
from monitor.config.schema import Section, open_sections
from monitor.config.terms import OURS, Shape, build_table, read_table
from monitor.core.contract import TierTable

MAX_BYTES = 5 << 20
MAX_VALUES = 500_000

BRACKETS = Shape("notionalFloor", "maintMarginRatio", "cum", "notionalCap")
CCXT = Shape("minNotional", "maintenanceMarginRate", "cum", "maxNotional", holder="info")
EXPECTED = (
    "tiers by symbol (SYMBOL: [{floor, maintenance_rate}, ...]), the reply of /fapi/v1/leverageBracket, "
    "or what ccxt's fetch_leverage_tiers gives"
)


def read_tiers(
    top: Node, file: str, symbols: Collection[str], problems: Problems, warnings: list[str]
) -> dict[str, TierTable]:
    """Return the ladders of *symbols* that the file has, by the venue's own spelling."""
    tables: dict[str, TierTable] = {}
    before, usable = len(problems), False
    for symbol, node, place in _ladders(top, Place(file, top.line), problems):
        usable = usable or _has_tiers(node)
        if symbol not in symbols:
            continue
        table = _table(node, place, file, problems, warnings)
        if table is not None:
            tables[symbol] = table
    if not usable and len(problems) == before:
        problems.add(Place(file, top.line), f"expected {EXPECTED}; got {_describe(top)}")
    return tables


def venue_symbol(name: str) -> str:
    """Return Binance's spelling of a ccxt symbol; other names stay as they are.

    >>> venue_symbol("BTC/USDT:USDT"), venue_symbol("BTC/USDT:USDT-261225"), venue_symbol("BTCUSDT")
    ('BTCUSDT', 'BTCUSDT_261225', 'BTCUSDT')
    """
    base, slash, rest = name.partition("/")
    if not slash:
        return name
    quote, _, settle = rest.partition(":")
    _, dash, date = settle.partition("-")
    return base + quote + (f"_{date}" if dash else "")


def _ladders(top: Node, place: Place, problems: Problems) -> Iterator[tuple[str, Node, Place]]:
    """Yield symbol, ladder and its place, whichever shape the file has."""
    if isinstance(top, ListNode):
        for section in open_sections(top, place, problems) or ():
            yield from _reply(section)
    elif isinstance(top, MapNode):
        section = Section(top, place, problems)
        if "brackets" in section:
            yield from _reply(section)
            return
        for name, node, where in section.members():
            yield venue_symbol(name), node, where
    else:
        problems.add(place, f"expected ladders by symbol, got {describe(top)}")


def _has_tiers(node: Node) -> bool:
    """Return whether *node* holds at least one tier of a known shape, whoever's it is."""
    if isinstance(node, MapNode):
        return any(_has_tiers(entry.node) for entry in node.entries if entry.key == "tiers")
    items = node.items if isinstance(node, ListNode) else ()
    floors = {shape.floor for shape in (OURS, BRACKETS, CCXT)}
    return any(entry.key in floors for item in items if isinstance(item, MapNode) for entry in item.entries)


def _describe(top: Node) -> str:
    """Return what a file without a single tier is: most often the venue's refusal."""
    said = {e.key: e.node.text for e in top.entries if isinstance(e.node, Scalar)} if isinstance(top, MapNode) else {}
    if "code" in said:
        return f"an error reply: code {show(said['code'])}, message {show(said.get('msg', ''))}"
    if (isinstance(top, MapNode) and top.entries) or (isinstance(top, ListNode) and top.items):
        return f"{describe(top)} without tiers"
    return f"{describe(top)} with nothing in it"


def _reply(section: Section) -> Iterator[tuple[str, Node, Place]]:
    symbol = section.text("symbol", needed=True)
    for key, node, place in section.members():
        if key == "brackets" and symbol is not None:
            yield symbol, node, place


def _table(node: Node, place: Place, file: str, problems: Problems, warnings: list[str]) -> TierTable | None:
    if isinstance(node, MapNode):
        section = Section(node, place, problems)
        table = read_table(section, file, warnings, needed=True)
        section.done()
        return table
    rows = open_sections(node, place, problems)
    if rows is None:
        return None
    first = rows[0] if rows else ()
    shape = next((shape for shape in (BRACKETS, CCXT) if shape.floor in first), OURS)
    return build_table(rows, shape, place, problems, file, "", warnings)
