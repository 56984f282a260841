"""Liquidation prices: one isolated position, one cross account, 10,000 cross accounts in columns.

*isolated*: ``position_levels`` on a ladder of ten tiers, beside the closed form of a tier that is known beforehand.
*cross*: all answers for one account of ten positions: each with its own sums, with the sums shared, and in columns;
beside ten closed forms with everything else known beforehand.
*columns*: 10,000 accounts of ten positions on 200 symbols in columns, whole and in parts that fit the cache; beside
a loop over the scalar form (timed on some of the accounts) and beside one pass over the same arrays that only adds
up each account's surplus in tiers known beforehand.
*build*: making the columns of those accounts, per leg.
"""

from __future__ import annotations

import math
import random
import time
from collections.abc import Callable, Mapping
from statistics import median

import numpy as np
from rounds import in_turns, ratio, rounded, show

from monitor.core.account import Account, Position
from monitor.core.columns import solve
from monitor.core.columns_build import columns_of
from monitor.core.columns_table import Columns
from monitor.core.contract import TierTable, build_deductions
from monitor.core.levels import levels_in, position_levels
from monitor.core.pool import Terms, pool_of
from monitor.venues import RULES

RATES = (0.004, 0.005, 0.0065, 0.01, 0.02, 0.025, 0.05, 0.1, 0.125, 0.15)
SYMBOLS = 200
ACCOUNTS = 10_000
POSITIONS = 10
SAMPLE = 200
PART = 1_000
ROUNDS = 9


def terms_of(chance: random.Random) -> Terms:
    """Return a contract with ten tiers, the last from 60 million on."""
    scale = chance.uniform(0.5, 1.5)
    floors = [0.0, *(6e7 * scale / 2.5**step for step in reversed(range(len(RATES) - 1)))]
    table = TierTable(build_deductions(list(zip(floors, RATES, strict=True))), source="the bench")
    return Terms(chance.uniform(0.1, 60_000.0), table, rule=RULES["binance"]["linear"])


def cross_account(name: str, terms: Mapping[str, Terms], chance: random.Random) -> Account:
    """Return an account with a balance of 5 to 30 % of its positions' notional."""
    held, total = [], 0.0
    for number, symbol in enumerate(chance.sample(sorted(terms), POSITIONS)):
        price = terms[symbol].mark_price or 0.0
        notional = 10 ** chance.uniform(3.0, 7.0)
        total += notional
        quantity = chance.choice((-1.0, 1.0)) * notional / price
        held.append(Position(f"{name}-{number}", symbol, quantity, price * chance.uniform(0.95, 1.05), "cross"))
    return Account(name, "binance", tuple(held), balance=total * chance.uniform(0.05, 0.3))


def repeated(times: int, call: Callable[[], object]) -> Callable[[], None]:
    def run() -> None:
        for _ in range(times):
            call()

    return run


def microseconds(took: list[float], times: int) -> float:
    return rounded(median(took) / times * 1e6)


def closed_form(quantity: float, entry: float, collateral: float, rate: float, deduction: float) -> float:
    return (quantity * entry - collateral - deduction) / (quantity - abs(quantity) * rate)


def isolated(terms: Terms) -> None:
    price = terms.mark_price or 0.0
    position = Position("p", "S", 4e6 / price, price, "isolated", 4e5)
    account, book = Account("a", "binance", (position,)), {"S": terms}
    answer = position_levels(account, position, book)
    assert answer.tier is not None
    known = (position.quantity, price, 4e5, answer.tier.maintenance_rate, answer.tier.deduction)
    assert math.isclose(closed_form(*known), answer.liquidation_price or 0.0)
    times = 5_000
    took = in_turns(
        {
            "anchor": repeated(times, lambda: closed_form(*known)),
            "ours": repeated(times, lambda: position_levels(account, position, book)),
        },
        ROUNDS,
    )
    show(
        bench="levels",
        what="isolated",
        tiers=len(RATES),
        anchor="closed form, tier known",
        anchor_us=microseconds(took["anchor"], times),
        ours_us=microseconds(took["ours"], times),
        ratio=rounded(ratio(took["ours"], took["anchor"])),
    )


def cross(account: Account, terms: Mapping[str, Terms], columns: Columns, marks: np.ndarray) -> None:
    held = account.positions
    answers = [position_levels(account, position, terms) for position in held]
    known = [
        (p.quantity, p.entry_price, (a.collateral or 0.0) + a.others_profit - a.others_maintenance, *rate)
        for p, a in zip(held, answers, strict=True)
        if a.tier is not None and (rate := (a.tier.maintenance_rate, a.tier.deduction))
    ]

    def shared() -> None:
        pool = pool_of(account, held[0], terms)
        for position in held:
            levels_in(pool, position)

    def in_columns() -> None:
        solved = solve(columns.part(slice(0, 1)), marks)
        for leg in range(POSITIONS):
            solved.levels(leg)

    times = 300
    took = in_turns(
        {
            "anchor": repeated(times, lambda: [closed_form(*one) for one in known]),
            "ours": repeated(times, lambda: [position_levels(account, p, terms) for p in held]),
            "shared": repeated(times, shared),
            "columns": repeated(times, in_columns),
        },
        ROUNDS,
    )
    show(
        bench="levels",
        what="cross",
        positions=POSITIONS,
        anchor="closed forms, sums and tiers known",
        anchor_us=microseconds(took["anchor"], times),
        ours_us=microseconds(took["ours"], times),
        ratio=rounded(ratio(took["ours"], took["anchor"])),
        sums_shared_us=microseconds(took["shared"], times),
        columns_us=microseconds(took["columns"], times),
    )


def lower_bound(columns: Columns, marks: np.ndarray) -> Callable[[], object]:
    """Return one pass over the columns: each account's surplus where the tiers are known beforehand."""
    legs, ladders = columns.legs, columns.ladders
    tier = ladders.tier_at(legs.first_tier, legs.tier_count, legs.size * marks[legs.symbol])
    constant = ladders.deduction[tier] - legs.fixed - legs.quantity * legs.entry
    slope = legs.quantity - legs.size * ladders.load[tier]
    return lambda: columns.pools.given + columns.sum_by_pool(constant + slope * marks[legs.symbol])


def in_parts(columns: Columns, marks: np.ndarray) -> float:
    """Return the least distance of all: each part is done with before the next one."""
    pools = len(columns.pools.given)
    parts = (solve(columns.part(slice(start, start + PART)), marks) for start in range(0, pools, PART))
    return min(float(np.nanmin(solved.liquidation_distance_ratio)) for solved in parts)


def vectorised(accounts: list[Account], terms: Mapping[str, Terms], columns: Columns, marks: np.ndarray) -> None:
    def loop() -> None:
        for account in accounts[:SAMPLE]:
            pool = pool_of(account, account.positions[0], terms)
            for position in account.positions:
                levels_in(pool, position)

    took = in_turns(
        {
            "bound": lower_bound(columns, marks),
            "whole": lambda: solve(columns, marks),
            "parts": lambda: in_parts(columns, marks),
            "loop": loop,
        },
        ROUNDS,
    )
    took["loop"] = [seconds * len(accounts) / SAMPLE for seconds in took["loop"]]
    speed = {name: rounded(len(accounts) / median(seconds)) for name, seconds in took.items()}
    show(
        bench="levels",
        what="columns",
        accounts=len(accounts),
        positions=POSITIONS,
        anchor="loop over the scalar form, sums shared",
        anchor_accounts_per_second=speed["loop"],
        ours_accounts_per_second=speed["parts"],
        ratio=rounded(ratio(took["parts"], took["loop"])),
        in_one_piece_accounts_per_second=speed["whole"],
        lower_bound="one pass that adds up each account's surplus",
        lower_bound_accounts_per_second=speed["bound"],
        ratio_to_lower_bound=rounded(ratio(took["parts"], took["bound"])),
        solved_one_by_one=columns.scalar_count,
    )


def main() -> None:
    chance = random.Random(3)
    terms = {f"S{number}": terms_of(chance) for number in range(SYMBOLS)}
    accounts = [cross_account(f"a{number}", terms, chance) for number in range(ACCOUNTS)]
    isolated(terms["S0"])
    start = time.perf_counter()
    columns = columns_of((account, {p.symbol: terms[p.symbol] for p in account.positions}) for account in accounts)
    seconds = time.perf_counter() - start
    show(bench="levels", what="build", legs=len(columns.held), us_per_leg=rounded(seconds / len(columns.held) * 1e6))
    marks = np.array([terms[symbol].mark_price for _, symbol in columns.symbols])
    cross(accounts[0], terms, columns, marks)
    vectorised(accounts, terms, columns, marks)


if __name__ == "__main__":
    main()
