"""``tiers_file``: maintenance ladders that the operator fetched or wrote, in any of these shapes.

- ours: ``SYMBOL: {tiers: [{floor, maintenance_rate, deduction, max_leverage}], source, date}``, or the list of tiers alone;
- a venue's own reply: Binance ``/fapi/v1/leverageBracket`` and ``/dapi/v2/leverageBracket`` (signed, so the daemon
  cannot ask), Bybit ``/v5/market/risk-limit``, OKX ``/api/v5/public/position-tiers``, Hyperliquid ``meta``, Kraken
  Futures ``/instruments``; also several replies in a list;
- what ccxt's ``fetch_leverage_tiers`` gives, saved as JSON: ``BTC/USDT:USDT: [{minNotional, ...}]``.

Only the symbols that are watched are read: a slip of somebody else's in the other 700 stops nobody.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field

from monitor.config.ladders import OURS, Shape, build_table, read_table
from monitor.config.nodes import Entry, ListNode, MapNode, Node, Scalar, describe
from monitor.config.places import Place, Problems, show
from monitor.config.schema import Section, open_section
from monitor.core.contract import TierTable

MAX_BYTES = 5 << 20
MAX_VALUES = 500_000

SHAPES = (
    OURS,
    Shape("notionalFloor", "maintMarginRatio", "cum", "notionalCap", "initialLeverage"),  # Binance USD-M
    Shape("qtylFloor", "maintMarginRatio", "cum", "qtyCap", "initialLeverage"),  # Binance COIN-M, as it spells it
    Shape("qtyFloor", "maintMarginRatio", "cum", "qtyCap", "initialLeverage"),  # the same, as libraries spell it
    Shape("minNotional", "maintenanceMarginRate", "cum", "maxNotional", "maxLeverage", holder="info"),  # ccxt
    Shape("", "maintenanceMargin", "mmDeduction", "riskLimitValue", "maxLeverage", "initialMargin"),  # Bybit
    Shape("minSz", "mmr", "", "maxSz", "maxLever", "imr", step=1.0),  # OKX, in contracts
    Shape("lowerBound", "", leverage="maxLeverage"),  # Hyperliquid
    Shape("contracts", "maintenanceMargin", initial="initialMargin"),  # Kraken, inverse
    Shape("numNonContractUnits", "maintenanceMargin", initial="initialMargin"),  # Kraken, linear
)
EXPECTED = (
    "tiers by symbol (SYMBOL: [{floor, maintenance_rate}, ...]), the reply of a venue (Binance leverageBracket, "
    "Bybit risk-limit, OKX position-tiers, Hyperliquid meta, Kraken Futures instruments), or what ccxt's fetch_leverage_tiers gives"
)
ENVELOPES = ("result", "list", "data", "instruments")
"""Under which keys replies hold their rows."""

HYPERLIQUID_SINGLE = 50
"""Margin tables of a number below this one are not listed: a single tier of that leverage."""

Placed = tuple[Node, Place]


@dataclass(slots=True)
class _Found:
    """One ladder: how its symbol may be spelt, and its rows, or (*whole*) the mapping that they stand in."""

    names: tuple[str, ...]
    place: Place
    rows: list[Placed] = field(default_factory=list)
    whole: Placed | None = None

    def shape(self) -> Shape | None:
        """Return the shape of the first row that has a known one."""
        for node, _ in self.rows:
            keys = _keys(node)
            found = next((shape for shape in SHAPES if shape.key in keys), None)
            if found is not None:
                return found
        return None

    def usable(self) -> bool:
        """Return whether there is at least one tier of a known shape."""
        if self.whole is None:
            return self.shape() is not None
        keys = _keys(self.whole[0])
        tiers = keys.get("tiers")
        rows = tiers.node.items if tiers is not None and isinstance(tiers.node, ListNode) else ()
        return "maintenance_rate" in keys or any(OURS.key in _keys(row) for row in rows)


def read_tiers(
    top: Node, file: str, symbols: Collection[str], problems: Problems, warnings: list[str]
) -> dict[str, TierTable]:
    """Return the ladders of *symbols* that the file has, by the venue's own spelling."""
    tables: dict[str, TierTable] = {}
    before, usable = len(problems), False
    for found in _ladders((top, Place(file, top.line)), problems):
        usable = usable or found.usable()
        symbol = next((name for name in found.names if name in symbols), None)
        if symbol is None:
            continue
        table = _table(found, file, problems, warnings)
        if table is not None:
            tables[symbol] = table
    if not usable and len(problems) == before:
        problems.add(Place(file, top.line), f"expected {EXPECTED}; got {_describe(top)}")
    return tables


def venue_symbol(name: str) -> str:
    """Return Binance's spelling of a ccxt symbol; other names stay as they are.

    >>> venue_symbol("BTC/USDT:USDT"), venue_symbol("BTC/USDT:USDT-261225"), venue_symbol("BTCUSDT")
    ('BTCUSDT', 'BTCUSDT_261225', 'BTCUSDT')
    >>> venue_symbol("BTC/USD:BTC")
    'BTCUSD_PERP'
    """
    base, slash, rest = name.partition("/")
    if not slash:
        return name
    quote, _, settle = rest.partition(":")
    coin, dash, date = settle.partition("-")
    return base + quote + (f"_{date}" if dash else "_PERP" if coin == base else "")


def spellings(name: str) -> tuple[str, ...]:
    """Return how venues may spell what a file calls *name*: as it stands, and a ccxt symbol as several do.

    >>> spellings("BTC/USD:BTC"), spellings("PF_XBTUSD")
    (('BTCUSD_PERP', 'BTCUSD', 'BTC-USD-SWAP'), ('PF_XBTUSD',))
    """
    base, slash, rest = name.partition("/")
    if not slash or "-" in rest:
        return (venue_symbol(name),)
    quote = rest.partition(":")[0]
    return (venue_symbol(name), base + quote, f"{base}-{quote}-SWAP")


def _ladders(top: Placed, problems: Problems) -> Iterator[_Found]:
    """Yield every ladder, whichever shape the file has; rows that name their symbol themselves come together."""
    flat: dict[str, _Found] = {}
    yield from _walk(top, flat, problems)
    yield from flat.values()


def _walk(at: Placed, flat: dict[str, _Found], problems: Problems) -> Iterator[_Found]:
    node, place = at
    if isinstance(node, ListNode):
        for item in _items(node, place):
            yield from _walk(item, flat, problems)
        return
    if not isinstance(node, MapNode):
        problems.add(place, f"expected ladders by symbol, got {describe(node)}")
        return
    keys = _keys(node)
    own = _own_symbol(keys)
    envelope = next((key for key in ENVELOPES if key in keys and not isinstance(keys[key].node, Scalar)), None)
    if "brackets" in keys or "marginLevels" in keys:
        yield from _symbol_reply(node, place, problems)
    elif own:
        names = (f"{own}-SWAP", own) if "maxSz" in keys else (own,)
        flat.setdefault(own, _Found(names, place)).rows.append(at)
    elif "marginTables" in keys and "universe" in keys:
        yield from _hyperliquid(keys, place)
    elif envelope is not None:
        yield from _walk((keys[envelope].node, place.key(envelope, keys[envelope].line)), flat, problems)
    else:
        for name, under, where in Section(node, place, problems).members():
            if isinstance(under, ListNode):
                yield _Found(spellings(name), where, _items(under, where))
            else:
                yield _Found(spellings(name), where, whole=(under, where))


def _own_symbol(keys: dict[str, Entry]) -> str:
    """Return the symbol, or the family, that a row of a flat reply (Bybit, OKX) names itself."""
    if "riskLimitValue" in keys:
        return _text(keys, "symbol")
    return (_text(keys, "instFamily") or _text(keys, "uly")) if "maxSz" in keys else ""


def _symbol_reply(node: Node, place: Place, problems: Problems) -> Iterator[_Found]:
    """Yield the ladder of a mapping with ``symbol`` and ``brackets`` (Binance) or ``marginLevels`` (Kraken)."""
    section = open_section(node, place, problems)
    symbol = None if section is None else section.text("symbol", needed=True)
    if section is None or symbol is None:
        return
    for key, under, where in section.members():
        if key in ("brackets", "marginLevels"):
            yield _Found((symbol,), where, _items(under, where))


def _hyperliquid(keys: dict[str, Entry], place: Place) -> Iterator[_Found]:
    """Yield the margin table of each coin."""
    tables: dict[str, Node] = {}
    for pair, _ in _items(keys["marginTables"].node, place):
        if isinstance(pair, ListNode) and len(pair.items) == 2 and isinstance(pair.items[0], Scalar):
            tables[pair.items[0].text] = pair.items[1]
    for coin, where in _items(keys["universe"].node, place.key("universe")):
        its = _keys(coin)
        name, number = _text(its, "name"), _text(its, "marginTableId")
        tiers = _keys(tables[number]).get("marginTiers") if number in tables else None
        if tiers is not None:
            yield _Found((name,), where, _items(tiers.node, where.key("marginTiers")))
        elif number.isascii() and number.isdigit() and len(number) < 3 and int(number) < HYPERLIQUID_SINGLE:
            single = Entry("maxLeverage", coin.line, its["marginTableId"].node)
            begins = Entry("lowerBound", coin.line, Scalar(coin.line, "0", plain=True))
            yield _Found((name,), where, [(MapNode(coin.line, (begins, single)), where)])


def _items(node: Node, place: Place) -> list[Placed]:
    """Return the items of a list with their places; anything else has none."""
    items: Sequence[Node] = node.items if isinstance(node, ListNode) else ()
    return [(item, place.item(index, item.line)) for index, item in enumerate(items)]


def _keys(node: Node) -> dict[str, Entry]:
    return {entry.key: entry for entry in node.entries} if isinstance(node, MapNode) else {}


def _text(keys: dict[str, Entry], key: str) -> str:
    node = keys[key].node if key in keys else None
    return node.text if isinstance(node, Scalar) and not node.empty else ""


def _describe(top: Node) -> str:
    """Return what a file without a single tier is: most often the venue's refusal."""
    keys = _keys(top)
    code = _text(keys, "code") or _text(keys, "retCode")
    if code not in ("", "0"):
        return f"an error reply: code {show(code)}, message {show(_text(keys, 'msg') or _text(keys, 'retMsg'))}"
    if (isinstance(top, MapNode) and top.entries) or (isinstance(top, ListNode) and top.items):
        return f"{describe(top)} without tiers"
    return f"{describe(top)} with nothing in it"


def _table(found: _Found, file: str, problems: Problems, warnings: list[str]) -> TierTable | None:
    if found.whole is not None:
        section = open_section(*found.whole, problems)
        reading = None if section is None else read_table(section, file, warnings, needed=True)
        if section is not None:
            section.done()
    else:
        opened = [open_section(node, place, problems) for node, place in found.rows]
        rows = [section for section in opened if section is not None]
        if len(rows) < len(opened):
            return None
        reading = build_table(rows, found.shape() or OURS, found.place, problems, file, "", warnings)
    return None if reading is None else reading.table
