"""One sentence for the person who is woken: what happened, and what to do next."""

from __future__ import annotations

from monitor.core.alert_event import AlertEvent
from monitor.core.alerts import Level
from monitor.numbers import shortest

_SOURCES = {
    "": "mark",
    "late mark": "a late mark price,",
    "last": "no live mark price, but the last trade at",
    "book": "no live mark price, but the middle of the book at",
}

_TERMS = {
    "tiers": "its maintenance tiers, and the liquidation price with them. Check it with perp-monitor explain.",
    "funding_interval": "how often funding is charged: the rate now counts for another time.",
    "delisting": "when the contract ends: a date of delivery has been set. Close or move the position before.",
    "contract_size": "the size of the contract, or the file has another: its figures mean nothing until you correct them.",
    "kind": "what the contract settles in, or the file says otherwise: its figures mean nothing until you correct them.",
}

NAMED = 5
"""So many positions are named in a sentence; the rest is counted."""

_ADVICE = {
    Level.WARNING: "Decide now whether to add margin or reduce.",
    Level.CRITICAL: "Add margin or reduce the position now.",
    Level.LIQUIDATION: "The venue may be closing it: look there first.",
    Level.BANKRUPTCY: "Its margin is used up; a close from here costs the insurance fund. Look at the venue.",
}


def summary(event: AlertEvent) -> str:
    """Return the sentence for *event*."""
    if event.kind == "position.resolved":
        again = " Verify at the venue." if event.severity in {"liquidation", "bankruptcy"} else ""
        return f"{_who(event)}: {event.level.word} again ({event.reason}), {_where(event)}.{again}"
    if event.kind == "position.stale":
        return (
            f"{_who(event)} has no trustworthy mark price ({event.reason}), its distance is unknown; "
            f"last known level: {event.level.word}. Watch it at the venue until this is resolved."
        )
    if event.kind == "position.unwatchable":
        return f"{_who(event)} cannot be watched ({event.reason}). Watch it at the venue or correct the configuration."
    if event.kind == "position.terms_changed":
        return f"{_who(event)}: {event.venue} has changed {_TERMS.get(event.reason, event.reason)}"
    if event.kind == "position.flapping":
        return f"{_who(event)} keeps crossing its levels and is held at {event.level.word}; {_where(event)}."
    if event.kind == "position.drift":
        ours = "none" if event.liquidation_price is None else _price(event.liquidation_price)
        return (
            f"{_who(event)}: the venue's own liquidation price in the file is not ours ({ours}). "
            "Find out with perp-monitor explain which one is right; until then trust the nearer one."
        )
    if event.position and event.kind == f"position.{event.level.word}":
        eased = f", down from {event.prev_level.word}" if event.level < event.prev_level else ""
        return f"{_who(event)}: {event.level.word}{eased}, {_where(event)}. {_ADVICE.get(event.level, '')}".rstrip()
    return _other(event)


def _other(event: AlertEvent) -> str:
    names = ", ".join(event.positions[:NAMED])
    if len(event.positions) > NAMED:
        names += f" and {len(event.positions) - NAMED} more"
    if event.kind == "feed.down":
        return (
            f"No usable data from {event.venue} ({event.reason}): {names or 'no position'} unknown. Watch them there."
        )
    if event.kind == "feed.recovered":
        return f"Data from {event.venue} are back: {names or 'no position'} watched again."
    if event.kind == "receiver.misconfigured":
        return f"{event.subject} refuses what is sent to it ({event.reason}). Check its address and its secret."
    about = " ".join(part for part in (event.venue, event.symbol, event.position) if part) or event.subject
    return f"{event.kind}: {about}" + (f" ({event.reason})." if event.reason else ".")


def _who(event: AlertEvent) -> str:
    return " ".join(part for part in (event.symbol, event.side, event.position) if part)


def _price(value: float) -> str:
    """Return a price for people: eight digits tell enough; the payload has it in full."""
    whole, point, fraction = shortest(float(f"{value:.8g}")).partition(".")
    return f"{int(whole):,}{point}{fraction}"


def _where(event: AlertEvent) -> str:
    if event.mark_price is None:
        return "its mark price is not known"
    source = event.price_source
    if source.startswith("proxy "):
        source = f"an estimate by {source.removeprefix('proxy ')}, whose mark price"
    text = f"{_SOURCES.get(source, source)} {_price(event.mark_price)}"
    if event.liquidation_price is None:
        lost = event.level >= Level.LIQUIDATION
        return f"{text}, its account is past liquidation at any price" if lost else f"{text}, no price liquidates it"
    distance = event.liquidation_distance_ratio
    line = f"its liquidation price {_price(event.liquidation_price)}"
    if distance is None:
        text += f" against {line}"
    elif distance > 0.0:
        text += f" is {100 * distance:.2f} % from {line}"
    else:
        text += f" is {-100 * distance:.2f} % past {line}"
    if event.level is Level.BANKRUPTCY and event.bankruptcy_price is not None:
        text += f" and at or past its bankruptcy price {_price(event.bankruptcy_price)}"
    return text
