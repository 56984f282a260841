"""How a simulated Binance lists its contracts: the rows of ``exchangeInfo`` of either product."""

from __future__ import annotations

from monitor.sim import binance_frames as frames
from monitor.sim.binance_frames import Payload
from monitor.sim.market import Instrument


def listing_row(found: Instrument) -> Payload:
    """One row of ``exchangeInfo``. Precisions are not tick and step: those stand in the filters."""
    listing = found.listing
    tick, step = frames.stepped(listing.tick_size, listing.tick_size), frames.contracts(found, listing.step_size)
    row: Payload = {
        "symbol": found.symbol,
        "pair": listing.pair,
        "contractType": listing.contract_type,
        "deliveryDate": frames.ms(found.delivery_time),
        "onboardDate": frames.ONBOARD_MS,
        "maintMarginPercent": "2.5000",
        "requiredMarginPercent": "5.0000",
        "baseAsset": listing.base,
        "quoteAsset": listing.quote,
        "marginAsset": listing.settle,
        "pricePrecision": 8,
        "quantityPrecision": 3,
        "baseAssetPrecision": 8,
        "quotePrecision": 8,
        "underlyingType": "EQUITY" if listing.contract_type.startswith("TRADIFI") else "COIN",
        "underlyingSubType": ["PoW"] if listing.base == "BTC" else [],
        "triggerProtect": "0.0500",
        "liquidationFee": f"{listing.liquidation_fee_rate:.6f}",
        "marketTakeBound": "0.05",
        "filters": [
            {"filterType": "PRICE_FILTER", "minPrice": tick, "maxPrice": "4529764", "tickSize": tick},
            {"filterType": "LOT_SIZE", "minQty": step, "maxQty": "1000000", "stepSize": step},
            {"filterType": "MARKET_LOT_SIZE", "minQty": step, "maxQty": "120000", "stepSize": step},
            {"filterType": "MAX_NUM_ORDERS", "limit": 200},
            {"filterType": "MIN_NOTIONAL", "notional": "50"},
            {
                "filterType": "PERCENT_PRICE",
                "multiplierUp": "1.0500",
                "multiplierDown": "0.9500",
                "multiplierDecimal": "4",
            },
        ],
        "orderTypes": ["LIMIT", "MARKET"],
        "timeInForce": ["GTC", "IOC", "FOK", "GTX"],
    }
    if listing.product == "UM":
        return row | {"status": found.status}
    size = int(listing.contract_size) if listing.contract_size.is_integer() else listing.contract_size
    return row | {"contractStatus": found.status, "contractSize": size, "equalQtyPrecision": 4}
