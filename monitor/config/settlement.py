"""What cannot share one balance: positions that settle in different assets."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from monitor.config.settings import AccountFile
from monitor.config.slips import Finding
from monitor.core.account import Account
from monitor.core.pool import Terms

DOLLARS = ("USDT", "USDC", "FDUSD", "BUSD", "USD1")


def shared_balance(account: Account, accounts: AccountFile, terms: Mapping[str, Terms]) -> Iterator[Finding]:
    """What cannot share one balance."""
    cross = account.cross_positions()
    inverse = [position for position in cross if terms[position.symbol].kind == "inverse"]
    coins = sorted({coin(position.symbol) for position in inverse})
    place = accounts.places.accounts.get(account.name)
    if place is None:
        return
    if len(coins) > 1:
        what = f"inverse cross positions in {', '.join(coins)} on one balance"
        yield Finding(place, f"{what}: cross collateral is per coin; give each coin an account of its own here")
    if inverse and len(inverse) < len(cross):
        what = "linear and inverse cross positions on one balance"
        yield Finding(place, f"{what}: they settle in different assets; give each kind an account of its own here")
    dollars = sorted({quote(position.symbol) for position in cross if position not in inverse} - {""})
    if len(dollars) > 1 and not account.assets:
        what = f"linear cross positions that settle in {', '.join(dollars)} on one balance"
        how = "give each asset an account of its own here, or write collateral if they share all of it (multi-assets)"
        yield Finding(place, f"{what}: cross collateral is per settlement asset; {how}")


def coin(symbol: str) -> str:
    """Return the coin of a contract: its symbol without what venues put around it.

    >>> [coin(s) for s in ("BTCUSD_PERP", "BTC-USD-SWAP", "PI_XBTUSD", "BTC-PERPETUAL", "ETHUSD", "BTCUSDH27")]
    ['BTC', 'BTC', 'BTC', 'BTC', 'ETH', 'BTC']
    """
    plain = re.sub(r"^(PI|PF|FI|FF)_", "", symbol.upper())
    plain = re.split(r"[-_/:]", plain)[0]
    plain = re.sub(r"(?<=.)USD[TC]?([FGHJKMNQUVXZ]\d{2})?$", "", plain)
    return "BTC" if plain == "XBT" else plain


def quote(symbol: str) -> str:
    """Return the dollar coin that a linear contract settles in, nothing where its symbol does not tell.

    >>> [quote(s) for s in ("BTCUSDT", "BTCUSDT_260327", "BTC-USDC-SWAP", "BTC_USDC-PERPETUAL", "BTCFDUSD", "USDCUSDT", "BTC")]
    ['USDT', 'USDT', 'USDC', 'USDC', 'FDUSD', 'USDT', '']
    """
    base, *parts = re.split(r"[-_/:]", symbol.upper())
    between = next((part for part in parts if part in DOLLARS), "")
    return between or next((dollar for dollar in DOLLARS if base.endswith(dollar) and base != dollar), "")
