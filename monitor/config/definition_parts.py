"""The small parts of a definition: addresses, limits, pings, the rule, and what is written in by hand."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

import msgspec

from monitor.config.definition_rows import BYTES, COUNT, MAX_FRAME, SECONDS, frame_text, path_text, rule_switches
from monitor.config.ladders import read_table
from monitor.config.schema import ANY, POSITIVE, Bounds, Section, open_section
from monitor.config.settings import TIER_BY
from monitor.config.terms import OWN_RULE
from monitor.config.urls import MAX_URL, is_loopback, split_url
from monitor.core.contract import LiquidationRule, TierTable, rule_problem
from monitor.errors import WireError
from monitor.venues.generic_definition import PRICES, Allowed, Bootstrap, Contract, Fund, Ping
from monitor.venues.generic_rest import admission

PRICE_FIELDS = tuple(name.removesuffix("_price") for name in PRICES)
MARK_SECONDS = Bounds(above=0.0, most=30.0)
"""A mark is stale after 30 s, however seldom it is said to come."""
REFRESHED = (*PRICE_FIELDS, "book")
MAX_SOURCE = 300


def base_url(section: Section, key: str, secure: str, plain: str, *, needed: bool = False) -> str:
    """Return an address: encrypted, or plain to loopback; "" if there is none or it is bad."""
    url = section.text(key, needed=needed, most=MAX_URL)
    if url is None:
        return ""
    try:
        parts = split_url(url)
        if parts.scheme != secure and not (parts.scheme == plain and is_loopback(parts.hostname or "")):
            raise ValueError(f"expected {secure}://, or {plain}:// to loopback")
        if parts.query and secure == "https":
            raise ValueError("a query (?...) is not allowed in a base address: it goes under query")
    except ValueError as error:
        section.note(section.place_of(key), str(error))
        return ""
    return url.rstrip("/")


def expected_seconds(section: Section | None) -> dict[str, float]:
    """Return how often each price comes at the latest."""
    if section is None:
        return {}
    found = {name: section.number(name, MARK_SECONDS if name == "mark" else SECONDS) for name in REFRESHED}
    section.done()
    return {name: seconds for name, seconds in found.items() if seconds is not None}


def ping(section: Section | None) -> Ping | None:
    """Return what the client has to say every so often, None if nothing."""
    if section is None:
        return None
    every, send = section.number("every_seconds", SECONDS, needed=True), frame_text(section, "send", needed=True)
    answer, answer_text = path_text(section, "answer"), section.text("answer_text") or ""
    section.done()
    return None if every is None else Ping(every_seconds=every, send=send, answer=answer, answer_text=answer_text)


def limits(section: Section | None) -> Allowed:
    """Return what the venue allows, the usual where it is not said."""
    if section is None:
        return Allowed()
    said: dict[str, float | None] = {
        "messages_per_second": section.number("messages_per_second", POSITIVE),
        "lifetime_seconds": section.number("lifetime_seconds", POSITIVE),
    }
    counts = {key: section.number(key, COUNT) for key in ("requests_per_minute", "connections_per_minute")}
    counts |= {key: section.number(key, BYTES) for key in ("frame_bytes", "body_bytes")}
    section.done()
    said |= {key: None if count is None else int(count) for key, count in counts.items()}
    return msgspec.structs.replace(Allowed(), **{key: value for key, value in said.items() if value is not None})


def _dated(section: Section) -> dict[str, str]:
    source = section.text("source", needed=True, most=MAX_SOURCE) or ""
    return {"source": source, "date": day_text(section)}


def day_text(section: Section) -> str:
    """Return the day on which something was read, "" after noting that there is none."""
    text = section.text("date", needed=True)
    if text is not None and _midnight(text) is None:
        section.note(section.place_of("date"), f'expected a day such as 2026-11-22, got "{text}"')
        return ""
    return text or ""


def _midnight(day: str) -> float | None:
    """Return the beginning of a day in UTC, None if it is none."""
    try:
        return datetime.strptime(day, "%Y-%m-%d").replace(tzinfo=UTC).timestamp()
    except ValueError:
        return None


def rule(section: Section | None) -> LiquidationRule | None:
    """Return how the venue calculates, None where the operator's terms say it. There is no default."""
    if section is None:
        return None
    switches, dated = rule_switches(section), _dated(section)
    name = section.text("name", needed=True) or ""
    note = section.text("note", most=MAX_SOURCE)
    section.done()
    missing = [key for key in OWN_RULE if key not in switches]
    for key in missing:
        if key not in section:
            section.note(section.place, f"a rule needs {key}: there is no default")
    if missing:
        return None
    rule = msgspec.convert(
        {"tier_by": TIER_BY[switches["maintenance"]], **switches, **dated, "name": name}, LiquidationRule
    )
    problem = rule_problem(rule)
    if problem is not None:
        section.note(section.place, problem)
    return msgspec.structs.replace(rule, approximations=(note,)) if note else rule


def contracts(section: Section | None) -> Iterator[tuple[str, Contract]]:
    """Yield what is written in of contracts."""
    for symbol, node, place in section.members() if section is not None else ():
        opened = open_section(node, place, section.problems) if section is not None else None
        if opened is not None:
            coins = {key: opened.text(key) or "" for key in ("base", "quote", "settle")}
            size = opened.number("contract_size", POSITIVE)
            yield symbol, Contract(contract_size=size, **coins, **_dated(opened))
            opened.done()


def tiers(section: Section | None) -> Iterator[tuple[str, TierTable]]:
    """Yield the ladders that are written in."""
    for symbol, node, place in section.members() if section is not None else ():
        opened = open_section(node, place, section.problems) if section is not None else None
        if opened is not None:
            _dated(opened)
            reading = read_table(opened, "", [], needed=True)
            opened.done()
            if reading is not None:
                yield symbol, reading.table


def funds(sections: Sequence[Section]) -> Iterator[Fund]:
    """Yield the balances of insurance funds that are written in."""
    for section in sections:
        pool, asset = section.text("pool", needed=True), section.text("asset", needed=True)
        balance, dated = section.number("balance", ANY, needed=True), _dated(section)
        section.done()
        time = _midnight(dated["date"])
        if pool and asset and balance is not None and time is not None:
            yield Fund(pool=pool, asset=asset, balance=balance, time=time, **dated)


def bootstrap(section: Section | None, rest_url: str) -> Bootstrap | None:
    """Return what has to be asked before every connection, after trying it on its sample."""
    if section is None:
        return None
    path, host = section.text("path", needed=True) or "", base_url(section, "host", "https", "http") or rest_url
    if not path.startswith("/"):
        section.note(section.place_of("path"), "expected a path such as /api/v1/bullet-public")
    said = {key: path_text(section, key, needed=key == "url") for key in ("url", "token", "ping_ms")}
    connect = frame_text(section, "connect", needed=True, names=("url", "token", "uuid"))
    sample, leads_to = (
        section.text("sample", needed=True, most=MAX_FRAME),
        section.text("leads_to", needed=True, most=MAX_URL),
    )
    section.done()
    bootstrap = Bootstrap(path=path, host=host, connect=connect, **said)
    if sample and leads_to and said["url"] and connect:
        _check_bootstrap(section, bootstrap, sample, leads_to)
    return bootstrap


def _check_bootstrap(section: Section, bootstrap: Bootstrap, sample: str, leads_to: str) -> None:
    try:
        leave = admission("", bootstrap, whole_address=False).decode(sample.encode(), "")
    except WireError as error:
        section.note(section.place_of("sample"), f"cannot be read: {error}")
        return
    if not leave.url.startswith(leads_to):
        section.note(section.place_of("leads_to"), "the sample leads to another address")
