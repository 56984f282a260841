"""Accounts, positions and terms: one spoiled key a case, with the exact line that is said about it."""

from __future__ import annotations

import pytest

BTC = "{name: btc, symbol: BTCUSDT, side: long, contracts: 0.5, entry_price: 90000}"
POSITION = "accounts[0].positions[0]"

SPOILED = {
    "unknown key in an account": (
        "    balance: 100000",
        "    balance: 100000\n    levarage: 3",
        ["config.yaml:6: accounts[0].levarage: unknown key"],
    ),
    "unknown key in a position": (
        "entry_price: 90000",
        "entry_price: 90000, contract: 1",
        [f"config.yaml:7: {POSITION}.contract: unknown key (did you mean contracts?)"],
    ),
    "unknown key at the top": (
        "thresholds:",
        "treshold:",
        ["config.yaml:20: treshold: unknown key (did you mean thresholds?)"],
    ),
    "repeated key": (
        "    balance: 100000",
        "    balance: 100000\n    balance: 1",
        ["config.yaml:6: accounts[0].balance: repeated key (first on line 5)"],
    ),
    "repeated key in a flow mapping": (
        "side: long,",
        "side: long, side: short,",
        [f"config.yaml:7: {POSITION}.side: repeated key (first on line 7)"],
    ),
    "misspelt side": (
        "side: long",
        "side: lnog",
        [f'config.yaml:7: {POSITION}.side: expected long or short, got "lnog" (did you mean long?)'],
    ),
    "side in capitals": (
        "side: long",
        "side: LONG",
        [f'config.yaml:7: {POSITION}.side: expected long or short, got "LONG" (did you mean long?)'],
    ),
    "negative size": (
        "contracts: 0.5",
        "contracts: -0.5",
        [f"config.yaml:7: {POSITION}.contracts: expected a number > 0, got -0.5"],
    ),
    "size of zero": (
        "contracts: 0.5",
        "contracts: 0",
        [f"config.yaml:7: {POSITION}.contracts: expected a number > 0, got 0"],
    ),
    "negative price": (
        "entry_price: 90000",
        "entry_price: -90000",
        [f"config.yaml:7: {POSITION}.entry_price: expected a number > 0, got -90000"],
    ),
    "price as text with a comma": (
        "entry_price: 90000",
        'entry_price: "32.000,5"',
        [f'config.yaml:7: {POSITION}.entry_price: expected a number > 0, got "32.000,5"'],
    ),
    "number in quotes": (
        "entry_price: 90000",
        'entry_price: "90000"',
        [
            (
                f'config.yaml:7: {POSITION}.entry_price: expected a number > 0, got "90000" '
                "(quoted text is no number: remove the quotes)"
            )
        ],
    ),
    "list for a number": (
        "entry_price: 90000",
        "entry_price: [90000]",
        [f"config.yaml:7: {POSITION}.entry_price: expected a number > 0, got a list"],
    ),
    "nothing for a number": (
        "balance: 100000",
        "balance:",
        ["config.yaml:5: accounts[0].balance: expected a number, got nothing"],
    ),
    "null for text": (
        "name: main",
        "name: ~",
        ["config.yaml:2: accounts[0].name: expected text, got nothing"],
    ),
    "mapping for text": (
        "name: main",
        "name: {first: main}",
        ["config.yaml:2: accounts[0].name: expected text, got a mapping"],
    ),
    "empty name": (
        "name: main",
        'name: ""',
        ["config.yaml:2: accounts[0].name: expected text of 1 to 64 characters, got 0"],
    ),
    "line end in a name": (
        "name: main",
        'name: "ma\\nin"',
        [
            (
                "config.yaml:2: accounts[0].name: expected text without control characters or blanks around it, "
                'got "ma\\nin"'
            )
        ],
    ),
    "leverage of zero": (
        "leverage: 10",
        "leverage: 0",
        ["config.yaml:13: accounts[0].positions[1].leverage: expected a number > 0 and <= 200, got 0"],
    ),
    "leverage beyond any venue's": (
        "leverage: 10",
        "leverage: 1000",
        ["config.yaml:13: accounts[0].positions[1].leverage: expected a number > 0 and <= 200, got 1000"],
    ),
    "isolated without margin": (
        "        leverage: 10\n",
        "",
        ["config.yaml:8: accounts[0].positions[1].margin: expected margin or leverage (isolated), got neither"],
    ),
    "cross with a margin": (
        "entry_price: 90000",
        "entry_price: 90000, margin: 100",
        [f"config.yaml:7: {POSITION}.margin: not for a cross position: its collateral is the account's balance"],
    ),
    "missing margin mode": (
        "    margin_mode: cross\n",
        "",
        [f"config.yaml:6: {POSITION}.margin_mode: missing: expected cross or isolated, here or in the account"],
    ),
    "unknown margin mode": (
        "    margin_mode: cross\n",
        "    margin_mode: crossed\n",
        [
            'config.yaml:4: accounts[0].margin_mode: expected cross or isolated, got "crossed" (did you mean cross?)',
        ],
    ),
    "cross without collateral": (
        "    balance: 100000\n",
        "",
        ["config.yaml:2: accounts[0].balance: expected either balance or equity (cross), got neither"],
    ),
    "balance and equity": (
        "    balance: 100000",
        "    balance: 100000\n    equity: 99000",
        ["config.yaml:5: accounts[0].balance: expected either balance or equity (cross), got both"],
    ),
    "missing symbol": (
        "symbol: BTCUSDT, ",
        "",
        [f"config.yaml:7: {POSITION}.symbol: missing: expected text"],
    ),
    "missing side": (
        "side: long, ",
        "",
        [f"config.yaml:7: {POSITION}.side: missing: expected long or short"],
    ),
    "missing price": (
        ", entry_price: 90000",
        "",
        [f"config.yaml:7: {POSITION}.entry_price: missing: expected a number > 0"],
    ),
    "unknown venue": (
        "venue: binance",
        "venue: binanse",
        [
            (
                'config.yaml:3: accounts[0].venue: unknown venue "binanse": expected one of binance, okx '
                "(did you mean binance?)"
            )
        ],
    ),
    "positions as one mapping": (
        "      - {name: btc",
        "      {name: btc",
        ["config.yaml:8: not readable as YAML: did not find expected key"],
    ),
    "a position that is text": (
        BTC,
        "btc",
        ['config.yaml:7: accounts[0].positions[0]: expected a mapping (key: value), got "btc"'],
    ),
    "second position of a symbol in one-way mode": (
        BTC,
        f"{BTC}\n      - {{name: b2, symbol: BTCUSDT, side: short, contracts: 1, entry_price: 1}}",
        [
            (
                "config.yaml:8: accounts[0].positions[1].symbol: second cross position in BTCUSDT (first: config.yaml:7: "
                f"{POSITION}): one-way mode has one position a symbol; for a long and a short set position_mode: hedge"
            )
        ],
    ),
    "second long of a symbol in hedge mode": (
        f"    positions:\n      - {BTC}",
        f"    position_mode: hedge\n    positions:\n      - {BTC}\n      - {BTC.replace('btc', 'b2')}",
        [
            (
                "config.yaml:9: accounts[0].positions[1].symbol: second cross position in BTCUSDT (first: config.yaml:8: "
                f"{POSITION}): hedge mode has one long and one short a symbol"
            )
        ],
    ),
    "repeated position name": (
        "      - symbol: ETHUSDT",
        "      - name: btc\n        symbol: ETHUSDT",
        [
            (
                'config.yaml:8: accounts[0].positions[1].name: repeated position name "btc" '
                f"(first: config.yaml:7: {POSITION})"
            )
        ],
    ),
    "repeated default name over two accounts": (
        "terms:\n",
        (
            "  - {name: other, venue: okx, balance: 1, positions: "
            "[{symbol: ETHUSDT, side: short, contracts: 1, entry_price: 1, margin_mode: cross}]}\nterms:\n"
        ),
        [
            (
                'config.yaml:14: accounts[1].positions[0].name: repeated position name "ethusdt-short" '
                "(first: config.yaml:8: accounts[0].positions[1]): give it a name of its own"
            )
        ],
    ),
    "repeated account name": (
        "terms:\n",
        "  - {name: main, venue: okx, positions: []}\nterms:\n",
        ['config.yaml:14: accounts[1].name: repeated account name "main" (first: config.yaml:2: accounts[0])'],
    ),
    "thresholds the wrong way round": (
        "{warning: 0.05, critical: 0.02}",
        "{warning: 0.02, critical: 0.05}",
        ["config.yaml:20: thresholds: expected critical < warning, got critical 0.05 and warning 0.02"],
    ),
    "threshold of one": (
        "{warning: 0.05,",
        "{warning: 1,",
        [
            (
                "config.yaml:20: thresholds.warning: expected a number > 0 and < 1, got 1 "
                "(a ratio of the mark price: 0.05 is 5 %)"
            )
        ],
    ),
    "threshold of a position below the common critical one": (
        "entry_price: 90000}",
        "entry_price: 90000, thresholds: {warning: 0.01}}",
        [f"config.yaml:7: {POSITION}.thresholds: expected critical < warning, got critical 0.02 and warning 0.01"],
    ),
    "negative mark price": (
        "mark_price: 90000",
        "mark_price: -1",
        ["config.yaml:16: terms.BTCUSDT.mark_price: expected a number > 0, got -1"],
    ),
    "fee in percent": (
        "mark_price: 90000",
        "closing_fee_rate: 0.5",
        [
            (
                "config.yaml:16: terms.BTCUSDT.closing_fee_rate: expected a number >= 0 and < 0.1, got 0.5 "
                "(a fraction, not percent: 0.5 % is 0.005)"
            )
        ],
    ),
    "unknown kind": (
        "mark_price: 90000",
        "kind: linar",
        [
            'config.yaml:16: terms.BTCUSDT.kind: expected linear or inverse, got "linar" (did you mean linear?)',
        ],
    ),
    "rate in percent": (
        "maintenance_rate: 0.005",
        "maintenance_rate: 2.5",
        [
            (
                "config.yaml:19: terms.BTCUSDT.tiers[1].maintenance_rate: expected a number > 0 and <= 0.5, got 2.5 "
                "(a fraction, not percent: 0.5 % is 0.005)"
            )
        ],
    ),
    "falling rates": (
        "maintenance_rate: 0.005",
        "maintenance_rate: 0.003",
        ["config.yaml:18: terms.BTCUSDT.tiers: tier 2: rates must not fall, but 0.003 follows 0.004"],
    ),
    "first floor above zero": (
        "floor: 0,",
        "floor: 10,",
        ["config.yaml:18: terms.BTCUSDT.tiers: the first floor must be 0, not 10"],
    ),
    "a deduction in some tiers only": (
        ", deduction: 0}",
        "}",
        ["config.yaml:18: terms.BTCUSDT.tiers: expected a deduction in every tier or in none (then they are computed)"],
    ),
    "a cap inside the ladder": (
        ", deduction: 0}",
        ", deduction: 0, cap: 300000}",
        ["config.yaml:18: terms.BTCUSDT.tiers[0].cap: only for the last tier: the next floor ends the others"],
    ),
    "a cap below its floor": (
        ", deduction: 300}",
        ", deduction: 300, cap: 300000}",
        ["config.yaml:19: terms.BTCUSDT.tiers[1].cap: expected a number above the floor 300000, got 300000"],
    ),
    "no tiers in the list": (
        (
            "    tiers:\n"
            "      - {floor: 0, maintenance_rate: 0.004, deduction: 0}\n"
            "      - {floor: 300000, maintenance_rate: 0.005, deduction: 300}\n"
        ),
        "    tiers: []\n",
        ["config.yaml:17: terms.BTCUSDT.tiers: a ladder needs at least one tier"],
    ),
}


@pytest.mark.parametrize(("old", "new", "expected"), SPOILED.values(), ids=SPOILED)
def test_a_spoiled_file_is_refused_with_file_line_key_and_what_was_expected(
    valid, problems, folder, old, new, expected
):
    """Each fault is said once, and nothing that follows from it."""
    assert valid.count(old) >= 1
    found = problems(valid.replace(old, new, 1))
    assert found == expected


SILENTLY_CHANGED = {
    "010": "write it without leading zeros",
    "1_000": "write it without underscores",
    "1e3": "write it without an exponent",
    "12:30:00": "",
    "no": "",
    ".inf": "",
    ".nan": "",
    "nan": "",
    "0x10": "",
    "1,000.5": "the decimal mark is a point, and thousands are not set apart",
    "5%": "write a ratio: 0.05 is 5 %",
    "90000USDT": "write it without a unit",
    "٣": "",
    "1" * 19: "too large or too long",
    "0." + "1" * 63: "too large or too long",
}


@pytest.mark.parametrize(("text", "hint"), SILENTLY_CHANGED.items())
def test_a_number_that_a_loader_would_change_silently_is_refused(valid, problems, text, hint):
    """Numbers are read from their source text."""
    shown = text if len(text) <= 64 else text[:63] + "…"
    more = f" ({hint})" if hint else ""
    assert problems(valid.replace("balance: 100000", f"balance: {text}")) == [
        f'config.yaml:5: accounts[0].balance: expected a number, got "{shown}"{more}'
    ]


def test_all_problems_come_at_once_in_the_order_of_the_lines(valid, problems):
    """Nobody mends a file one start at a time."""
    text = (
        valid.replace("side: long", "side: up").replace("warning: 0.05", "warning: 5").replace("venue: b", "venue: c")
    )
    assert [line.split(": ")[0] for line in problems(text)] == ["config.yaml:3", "config.yaml:7", "config.yaml:20"]


def test_a_file_full_of_problems_says_the_first_hundred(problems):
    """The output stays readable."""
    found = problems("\n".join(f"key{i}: 1" for i in range(500)))
    assert len(found) == 101
    assert found[-1] == "... and 401 more problems"


def test_problems_that_are_not_kept_are_counted(problems):
    """A large file of nonsense costs little memory."""
    assert problems("\n".join(f"key{i}: 1" for i in range(30_000)))[-1] == "... and 29901 more problems"
