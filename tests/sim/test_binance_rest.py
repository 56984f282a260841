import json

import aiohttp
import pytest

MINUTE = 1_795_169_700.0 // 60 * 60
"""The start of a UTC clock minute."""


class Wall:
    def __init__(self) -> None:
        self.now = MINUTE + 20.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def wall():
    return Wall()


@pytest.fixture
def ask(http):
    async def ask_for(venue, path, **query):
        async with http.get(venue.rest_url + path, params=query) as response:
            text = await response.text()
            return response.status, json.loads(text), response.headers

    return ask_for


@pytest.fixture
async def sim(open_sim, still, wall):
    return await open_sim(still, wall=wall)


async def test_time_is_the_venues_own_in_ms(sim, ask, wall):
    assert (await ask(sim, "/fapi/v1/time"))[1] == {"serverTime": int(wall.now * 1000)}
    assert (await ask(sim, "/fapi/v1/ping"))[1] == {}


async def test_premium_index_is_an_object_for_one_symbol(sim, ask):
    _, row, headers = await ask(sim, "/fapi/v1/premiumIndex", symbol="BTCUSDT")
    assert (row["markPrice"], row["indexPrice"]) == ("90012.40000000", "90031.00000000")
    assert row["nextFundingTime"] % (8 * 3600 * 1000) == 0
    assert headers["X-MBX-USED-WEIGHT-1M"] == "1"


async def test_premium_index_is_an_array_without_symbol_and_costs_ten(sim, ask):
    _, rows, headers = await ask(sim, "/fapi/v1/premiumIndex")
    by_symbol = {row["symbol"]: row for row in rows}
    assert "BTCUSD_PERP" not in by_symbol
    dated = by_symbol["BTCUSDT_261225"]
    assert (dated["lastFundingRate"], dated["interestRate"], dated["nextFundingTime"]) == ("", "", 0)
    assert headers["X-MBX-USED-WEIGHT-1M"] == "10"


async def test_exchange_info_lists_ticks_dates_and_the_weight_limit(sim, ask, wall):
    _, info, _ = await ask(sim, "/fapi/v1/exchangeInfo")
    by_symbol = {row["symbol"]: row for row in info["symbols"]}
    filters = {row["filterType"]: row for row in by_symbol["BTCUSDT"]["filters"]}
    assert filters["PRICE_FILTER"]["tickSize"] == "0.1"
    assert by_symbol["BTCUSDT"]["deliveryDate"] == 4_133_404_800_000
    assert by_symbol["BTCUSDT"]["liquidationFee"] == "0.012500"
    assert by_symbol["OLDUSDT"]["deliveryDate"] == int((wall.now + 5 * 86_400) * 1000)
    assert by_symbol["TSLAUSDT"]["contractType"] == "TRADIFI_PERPETUAL"
    assert info["rateLimits"][0]["limit"] == 2400


async def test_funding_info_lists_only_what_was_set_and_follows_a_change(sim, ask):
    _, before, headers = await ask(sim, "/fapi/v1/fundingInfo")
    assert "1000PEPEUSDT" not in {row["symbol"] for row in before}
    assert headers["X-MBX-USED-WEIGHT-1M"] == "0"
    sim.set_funding_interval("BTCUSDT", 1)
    _, after, _ = await ask(sim, "/fapi/v1/fundingInfo")
    assert {row["symbol"]: row["fundingIntervalHours"] for row in after}["BTCUSDT"] == 1


async def test_a_shorter_funding_interval_brings_the_next_charge_nearer(sim, ask, wall):
    sim.set_funding_interval("BTCUSDT", 1)
    _, row, _ = await ask(sim, "/fapi/v1/premiumIndex", symbol="BTCUSDT")
    assert row["nextFundingTime"] == (int(wall.now) // 3600 + 1) * 3600 * 1000


async def test_open_interest_is_asked_for_one_symbol(sim, ask):
    assert (await ask(sim, "/fapi/v1/openInterest", symbol="BTCUSDT"))[1]["openInterest"] == "84211.337"
    status, error, _ = await ask(sim, "/fapi/v1/openInterest")
    assert (status, error["code"]) == (400, -1102)


async def test_an_unknown_symbol_is_refused_and_costs_its_weight(sim, ask):
    status, error, headers = await ask(sim, "/fapi/v1/premiumIndex", symbol="NOPEUSDT")
    assert (status, error) == (400, {"code": -1121, "msg": "Invalid symbol."})
    assert headers["X-MBX-USED-WEIGHT-1M"] == "1"


async def test_insurance_balance_is_the_pool_of_a_symbol_or_all_pools(sim, ask, wall):
    _, pool, _ = await ask(sim, "/fapi/v1/insuranceBalance", symbol="ETHUSDT")
    _, pools, _ = await ask(sim, "/fapi/v1/insuranceBalance")
    assert pool == pools[0]
    assert len(pools) == 2
    assert pool["symbols"] == ["BTCUSDT", "BTCUSDT_261225", "ETHUSDT"]
    assert pool["assets"][0]["marginBalance"] == "801234567.12000000"
    assert pool["assets"][0]["updateTime"] == int(wall.now // 86_400 * 86_400 + 2) * 1000


async def test_a_new_fund_balance_is_stamped_now(sim, ask, wall):
    sim.set_fund("BTCUSDT", "USDT", 700.0)
    _, pool, _ = await ask(sim, "/fapi/v1/insuranceBalance", symbol="BTCUSDT")
    assert pool["assets"][0] == {
        "asset": "USDT",
        "marginBalance": "700.00000000",
        "updateTime": int(wall.now * 1000),
    }


async def test_adl_risk_is_recomputed_on_the_half_hour(sim, ask, wall):
    sim.set_adl_risk("BTCUSDT", "high")
    _, row, _ = await ask(sim, "/fapi/v1/symbolAdlRisk", symbol="BTCUSDT")
    assert row == {"symbol": "BTCUSDT", "adlRisk": "high", "updateTime": int(wall.now) // 1800 * 1800 * 1000}


async def test_depth_has_its_limits_and_weights(sim, ask):
    _, book, headers = await ask(sim, "/fapi/v1/depth", symbol="BTCUSDT", limit="100")
    assert float(book["bids"][0][0]) < float(book["asks"][0][0])
    assert headers["X-MBX-USED-WEIGHT-1M"] == "5"
    status, error, _ = await ask(sim, "/fapi/v1/depth", symbol="BTCUSDT", limit="7")
    assert (status, error["code"]) == (400, -4021)


async def test_what_needs_a_key_is_refused_without_one(sim, ask):
    status, error, _ = await ask(sim, "/fapi/v1/leverageBracket")
    assert (status, error["code"]) == (401, -2014)


async def test_the_wallet_interface_is_forbidden_and_other_paths_are_not_found(sim, ask):
    assert (await ask(sim, "/sapi/v1/account/apiRestrictions"))[0] == 403
    assert (await ask(sim, "/fapi/v1/nothing"))[0] == 404


async def test_answers_are_compressed_when_asked(sim):
    async with aiohttp.ClientSession(auto_decompress=False) as session:
        url = sim.rest_url + "/fapi/v1/exchangeInfo"
        async with session.get(url, headers={"Accept-Encoding": "gzip"}) as packed:
            assert packed.headers["Content-Encoding"] == "gzip"
            assert (await packed.read())[:2] == b"\x1f\x8b"
        async with session.get(url, headers={"Accept-Encoding": "identity"}) as plain:
            assert "Content-Encoding" not in plain.headers


async def test_weight_is_counted_per_clock_minute(open_sim, limited, ask, wall):
    sim = await open_sim(limited(weight_per_minute=10), wall=wall)
    assert (await ask(sim, "/fapi/v1/premiumIndex"))[0] == 200
    status, error, headers = await ask(sim, "/fapi/v1/time")
    assert (status, error["code"], headers["Retry-After"]) == (429, -1003, "40")
    wall.now = MINUTE + 60.0
    status, _, headers = await ask(sim, "/fapi/v1/time")
    assert (status, headers["X-MBX-USED-WEIGHT-1M"]) == (200, "1")


async def test_going_on_after_429_is_banned_until_the_ban_ends(open_sim, limited, ask, wall):
    sim = await open_sim(limited(weight_per_minute=1, refusals_before_ban=2, ban_seconds=120), wall=wall)
    assert [(await ask(sim, "/fapi/v1/time"))[0] for _ in range(4)] == [200, 429, 429, 418]
    wall.now = MINUTE + 70.0
    status, error, headers = await ask(sim, "/fapi/v1/time")
    assert status == 418
    assert error["code"] == -1003
    assert f"banned until {int((MINUTE + 140) * 1000)}" in error["msg"]
    assert headers["Retry-After"] == "70"
    wall.now = MINUTE + 141.0
    assert (await ask(sim, "/fapi/v1/time"))[0] == 200


async def test_the_journal_has_every_request_with_its_status(sim, ask):
    await ask(sim, "/fapi/v1/time")
    await ask(sim, "/fapi/v1/premiumIndex", symbol="NOPEUSDT")
    assert [(entry.path, entry.query, entry.status) for entry in sim.journal.requests] == [
        ("/fapi/v1/time", {}, 200),
        ("/fapi/v1/premiumIndex", {"symbol": "NOPEUSDT"}, 400),
    ]
    assert sim.journal.statuses("/fapi/v1/time") == [200]


async def test_answers_are_overridden_for_a_while(open_sim, still, ask, until):
    sim = await open_sim(still, speed=10)
    end = sim.clock() + 2
    sim.answer_with(503, 2, retry_after_seconds=3)
    status, error, headers = await ask(sim, "/fapi/v1/time")
    assert (status, error["code"], headers["Retry-After"]) == (503, -1008, "3")
    await until(lambda: sim.clock() > end + 0.1)
    assert (await ask(sim, "/fapi/v1/time"))[0] == 200
