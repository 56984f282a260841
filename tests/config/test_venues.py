"""``venues``: definitions of the operator's own, venues without a feed, and what is said against them."""

from __future__ import annotations

import pytest

from monitor.assemble import watched_accounts
from monitor.cli.files import read_config
from monitor.cli.main import main
from monitor.errors import ConfigError

CONFIG = """\
venues:
  VENUE
accounts:
  - name: main
    venue: acme
    margin_mode: isolated
    positions:
      - {name: btc, symbol: BTC, side: short, contracts: 1, entry_price: 50000, margin: 5000}
terms:
  BTC: {maintenance_rate: 0.004 TERMS}
"""


@pytest.fixture
def said(tmp_path):
    """Read a configuration with *venue* in it and return what is wrong with it, [] if nothing."""

    def read(venue: str, terms: str = "", config: str = CONFIG) -> list[str]:
        path = tmp_path / "monitor.yaml"
        path.write_text(config.replace("VENUE", venue).replace("TERMS", terms))
        try:
            read.settings = read_config(path)
        except ConfigError as error:
            return [problem.replace(f"{tmp_path}/", "") for problem in error.problems]
        return []

    return read


def test_a_venue_without_a_feed_is_known_by_its_declaration(said):
    rule = ", rule: {maintenance: mark, closing_fee: none}, proxy_mark: {venue: binance, symbol: BTCUSDT}"
    assert said("acme: {proxy_only: true}", rule) == []
    terms = said.settings.accounts.terms["main"]["BTC"]
    assert terms.proxy == ("binance", "BTCUSDT")


def test_a_proxy_must_be_a_venue_that_can_be_watched(said):
    rule = ", rule: {maintenance: mark, closing_fee: none}, proxy_mark: {venue: nowhere, symbol: BTCUSDT}"
    (problem,) = said("acme: {proxy_only: true}", rule)
    assert problem.endswith("terms.BTC.proxy_mark: expected a venue with marks of its own, got nowhere")


@pytest.mark.parametrize("source", ["dark", "acme"], ids=["another", "itself"])
def test_a_venue_without_a_feed_stands_in_for_nothing(said, source):
    rule = f", rule: {{maintenance: mark, closing_fee: none}}, proxy_mark: {{venue: {source}, symbol: BTC}}"
    (problem,) = said("acme: {proxy_only: true}\n  dark: {proxy_only: true}", rule)
    assert problem.endswith(f"terms.BTC.proxy_mark: expected a venue with marks of its own, got {source}")


ASSET = """\
    margin_mode: cross
    balance: 9000
    collateral: [{asset: ETH, amount: 2, symbol: ETH}]
"""


def test_an_asset_that_is_priced_at_a_venue_without_a_feed_needs_a_proxy_too(said):
    config = CONFIG.replace("    margin_mode: isolated\n", ASSET).replace(", margin: 5000", "")
    rule = ", rule: {maintenance: mark, closing_fee: none}, proxy_mark: {venue: binance, symbol: BTCUSDT}"
    (problem,) = said("acme: {proxy_only: true}", rule, config)
    assert problem.endswith(
        "a proxy_only venue has no marks of its own: write terms.ETH.proxy_mark: {venue: ..., symbol: ...}"
    )


def test_a_proxy_is_only_for_venues_without_a_feed(tmp_path):
    path = tmp_path / "monitor.yaml"
    text = CONFIG.replace("  VENUE\n", "  okx: {}\n").replace("acme", "binance").replace("BTC", "BTCUSDT")
    path.write_text(text.replace("TERMS", ", proxy_mark: {venue: okx, symbol: BTC-USDT-SWAP}"))
    with pytest.raises(ConfigError, match="only for a venue with proxy_only: true: this one has marks of its own"):
        read_config(path)


def test_a_venue_of_the_program_cannot_be_declared_without_a_feed(said):
    assert any("okx has a feed of its own" in problem for problem in said("okx: {proxy_only: true}"))


def test_an_undeclared_venue_is_unknown(said):
    assert any("unknown venue" in problem for problem in said("okx: {}"))


def test_a_definition_that_is_not_there_is_said_with_the_line_that_names_it(said):
    (problem,) = said("acme: {definition: acme.yaml}")
    assert problem.startswith("monitor.yaml:2: venues.acme.definition: acme.yaml")


def test_a_preset_is_a_venue_like_any_other(tmp_path, request):
    presets = request.config.rootpath / "config" / "venues"
    path = tmp_path / "monitor.yaml"
    text = CONFIG.replace("VENUE", f"gate: {{definition: {presets / 'gate.yaml'}}}").replace("acme", "gate")
    path.write_text(text.replace("BTC", "BTC_USDT").replace("TERMS", ", contract_size: 0.0001"))
    settings = read_config(path)
    assert settings.venues["gate"].own.name == "gate"
    assert settings.venues["gate"].depth


def test_a_definition_under_another_name_is_refused(said, request):
    preset = request.config.rootpath / "config" / "venues" / "gate.yaml"
    (problem,) = said(f"acme: {{definition: {preset}}}")
    assert "describes the venue gate: expected that name, got acme" in problem


def test_a_definition_for_a_venue_of_the_program_is_refused(said, request):
    preset = request.config.rootpath / "config" / "venues" / "gate.yaml"
    problems = said(f"okx: {{definition: {preset}}}")
    assert any("okx is a venue of the program: give yours another name" in problem for problem in problems)


def test_order_books_are_kept_unless_the_file_says_otherwise(said):
    rule = ", rule: {maintenance: mark, closing_fee: none}, proxy_mark: {venue: binance, symbol: BTCUSDT}"
    assert said("acme: {proxy_only: true}\n  okx: {depth: false}", rule) == []
    assert said.settings.venues["okx"].depth is False
    assert said("acme: {proxy_only: true}\n  okx: {depth: maybe}", rule) == [
        'monitor.yaml:3: venues.okx.depth: expected true or false, got "maybe"'
    ]


def test_a_position_at_a_venue_that_tells_everybody_its_ladders_needs_none_in_the_file(tmp_path):
    path = tmp_path / "monitor.yaml"
    text = CONFIG.replace("  VENUE\n", "  okx: {}\n").replace("acme", "okx").replace("BTC", "BTC-USDT-SWAP")
    path.write_text(text.replace("maintenance_rate: 0.004 TERMS", "contract_size: 0.01"))
    read_config(path)


def test_a_position_at_a_venue_that_publishes_no_ladder_needs_one_in_the_file(tmp_path):
    path = tmp_path / "monitor.yaml"
    text = (
        CONFIG.replace("  VENUE\n", "  deribit: {}\n").replace("acme", "deribit").replace("BTC", "BTC_USDC-PERPETUAL")
    )
    path.write_text(text.replace("maintenance_rate: 0.004 TERMS", ""))
    with pytest.raises(ConfigError, match="no maintenance tiers for BTC_USDC-PERPETUAL"):
        read_config(path)


def test_explain_works_for_a_venue_of_the_operators_own_and_calls_a_proxy_an_estimate(tmp_path, capsys):
    rule = ", mark_price: 50000, rule: {maintenance: mark, closing_fee: none}"
    proxy = ", proxy_mark: {venue: binance, symbol: BTCUSDT}"
    path = tmp_path / "monitor.yaml"
    path.write_text(CONFIG.replace("VENUE", "acme: {proxy_only: true}").replace("TERMS", rule + proxy))
    assert main(["explain", str(path)]) == 0
    out = capsys.readouterr().out
    assert "54,780.876" in out
    assert "an estimate throughout: the mark price of binance BTCUSDT" in out


def test_explain_takes_the_rule_of_a_definition(tmp_path, capsys, request):
    preset = request.config.rootpath / "config" / "venues" / "gate.yaml"
    path = tmp_path / "monitor.yaml"
    text = CONFIG.replace("VENUE", f"gate: {{definition: {preset}}}").replace("acme", "gate").replace("BTC", "BTC_USDT")
    path.write_text(
        text.replace("TERMS", ", contract_size: 0.0001, mark_price: 50000").replace(
            "contracts: 1,", "contracts: 10000,"
        )
    )
    assert main(["explain", str(path)]) == 0
    assert "switches" in capsys.readouterr().out


TWO_VENUES = """\
accounts:
  - {name: a, venue: hyperliquid, margin_mode: isolated, positions: [POSITION]}
  - {name: b, venue: lighter, margin_mode: isolated, positions: [POSITION]}
terms:
  BTC: {maintenance_rate: 0.0125}
""".replace("POSITION", "{symbol: BTC, side: short, contracts: 1, entry_price: 50000, margin: 5000}")


def test_terms_that_count_at_two_venues_at_once_are_warned_of(tmp_path):
    path = tmp_path / "monitor.yaml"
    path.write_text(TWO_VENUES.replace("{symbol", "{name: one, symbol", 1))
    assert any(
        "terms.BTC: used for BTC at hyperliquid and lighter" in warning for warning in read_config(path).warnings
    )


def test_terms_under_their_own_account_are_not_warned_of(tmp_path):
    path = tmp_path / "monitor.yaml"
    own = TWO_VENUES.replace("{symbol", "{name: one, symbol", 1).partition("terms:")[0]
    path.write_text(own.replace("venue: lighter,", "venue: lighter, terms: {BTC: {maintenance_rate: 0.012}},"))
    assert not any("used for BTC" in warning for warning in read_config(path).warnings)


def test_a_proxy_counts_only_where_the_venue_has_no_feed(tmp_path):
    """The README's own example, beside an account at another venue."""
    path = tmp_path / "monitor.yaml"
    rule = ", rule: {maintenance: mark, closing_fee: none}, proxy_mark: {venue: binance, symbol: BTCUSDT}"
    text = CONFIG.replace("VENUE", "acme: {proxy_only: true}").replace("TERMS", rule)
    beside = "  - {name: b, venue: binance, margin_mode: isolated, positions: [{symbol: ETHUSDT, side: long, "
    path.write_text(text.replace("terms:", beside + "contracts: 1, entry_price: 2000, margin: 500}]}\nterms:"))
    accounts = {watched.account.name: watched for watched in watched_accounts(read_config(path))}
    assert accounts["main"].proxies == {"BTC": ("binance", "BTCUSDT")}
    assert accounts["b"].proxies == {}
