"""One sentence for the person who is woken: what happened, and what to do next."""

from __future__ import annotations

from datetime import UTC, datetime

from monitor.core.alert_event import AlertEvent
from monitor.core.alerts import Level
from monitor.numbers import shortest

_SOURCES = {
    "": "mark",
    "late mark": "a late mark price,",
    "last": "no live mark price, but the last trade at",
    "book": "no live mark price, but the middle of the book at",
}

_NO_TERMS = (
    "prices come in, but its maintenance tiers or other terms are not known (or are not the file's), so that nothing can be "
    "worked out from them. Watch it at the venue; write the tiers into the terms."
)

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
    if event.kind == "position.stale" and event.reason == "terms":
        return f"{_who(event)}: {_NO_TERMS} Last known level: {event.level.word}."
    if event.kind == "position.stale":
        return (
            f"{_who(event)} has no trustworthy mark price ({event.reason}), its distance is unknown; "
            f"last known level: {event.level.word}. Watch it at the venue until this is resolved."
        )
    if event.kind == "position.unwatchable":
        return f"{_who(event)} cannot be watched ({event.reason}). Watch it at the venue or correct the configuration."
    if event.kind == "position.terms_changed":
        return f"{_who(event)}: {_terms(event)}"
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


def _terms(event: AlertEvent) -> str:
    """Return what has changed of a contract, from what to what, and what to do."""
    before, after = (None if v is None else _price(v) for v in (event.before, event.after))
    if event.reason == "tiers":
        moved = f"its liquidation price moves from {before or 'none'} to {after or 'none'}"
        return f"new maintenance tiers: {moved}. See what that leaves, and add margin or reduce if need be."
    if event.reason == "funding_interval":
        hours = [f"{v / 3600.0:g} h" for v in (event.before, event.after) if v is not None]
        return f"funding is now charged every {hours[-1]} (before: {hours[0]})."
    if event.reason == "delisting" and event.after is not None:
        day = datetime.fromtimestamp(event.after, UTC).strftime("%Y-%m-%d %H:%M UTC")
        return f"the contract ends on {day}. Close or move the position before."
    if event.reason == "contract_size":
        said = f"the venue's contract is {after}, the file's {before or 'not said'}"
        return f"{said}: its figures mean nothing until the file is corrected. Watch it at the venue."
    return f"its {event.reason} at the venue is not the file's. Correct the file; until then watch it at the venue."


def _other(event: AlertEvent) -> str:
    names = ", ".join(event.positions[:NAMED])
    if len(event.positions) > NAMED:
        names += f" and {len(event.positions) - NAMED} more"
    if event.kind == "feed.down" and event.price_source.startswith("proxy "):
        source = event.price_source.removeprefix("proxy ")
        return f"No marks of {source}, by which {names} at {event.venue} are watched: unknown. Watch them there."
    if event.kind == "feed.down" and event.reason == "terms":
        return f"{names} at {event.venue}: {_NO_TERMS}"
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
    """Return the position as people look for it: what, where, and by what name."""
    named = " ".join(part for part in (event.symbol, event.side, event.position) if part)
    return f"{named} at {event.venue}" if event.venue else named


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
