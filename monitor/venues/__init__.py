"""One file a venue: its wire, its rule, its polls. Two places to touch: the file, and its line here."""

from monitor.venues import binance
from monitor.venues.base import Venue

VENUES: dict[str, Venue] = {
    "binance": binance.VENUE,
}
