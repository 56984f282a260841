"""Starts that must not succeed: the exit code, and words that say what is wrong and what to do."""

import socket
import subprocess

import pytest

WITHOUT_OVERRIDE = """
import ctypes, os, sys
for capability in (1, 2):  # to write, and to read, what the file's mode forbids
    ctypes.CDLL(None).prctl(24, capability, 0, 0, 0)
os.execv(sys.executable, [sys.executable, *sys.argv[1:]])
"""
"""Start a program to which file modes mean something even where root runs the tests."""

TERMS = {"tiers": [{"floor": 0, "maintenance_rate": 0.004}]}

SIX_FAULTS = """\
accounts:
  - name: main
    venue: binance
    margin_mode: isolated
    positions:
      - {name: a, symbol: BTCUSDT, side: up, contracts: 1, entry_price: -5, margin: 5000}
      - {name: a, symbol: ETHUSDT, side: long, contracts: 1, entry_price: 2000, margin: 5000}
thresholds: {warning: 0.01, critical: 0.02}
web: {listen: "127.0.0.1:0", colour: blue}
store: {path: STORE}
store: {path: STORE}
"""


async def refused(stage, config, *wrapper: str) -> tuple[int, str]:
    """Start a daemon that is expected to end by itself; return its exit code and what it said to the operator."""
    daemon = stage.start(config, *wrapper)
    code = await daemon.ended()
    assert "Traceback" not in daemon.said
    return code, "\n".join(line for line in daemon.said.splitlines() if not line.startswith("{"))


async def test_all_faults_of_a_configuration_are_told_at_once_each_with_its_line_and_key(stage):
    config = stage.folder / "monitor.yaml"
    config.write_text(SIX_FAULTS.replace("STORE", str(stage.store)), encoding="utf-8")
    code, said = await refused(stage, config)
    assert code == 2
    for line, key in ((6, "side"), (6, "entry_price"), (7, "name"), (8, "thresholds"), (9, "colour"), (11, "store")):
        assert any(told.startswith(f"{config}:{line}: ") and key in told for told in said.splitlines()), (line, key)
    assert not stage.store.parent.exists(), "nothing was started"


async def test_a_symbol_that_the_venue_does_not_list_is_named_with_its_line(stage, short):
    config = stage.configure(short | {"symbol": "NOSUCHUSDT"}, terms={"NOSUCHUSDT": TERMS})
    code, said = await refused(stage, config)
    line = 1 + next(n for n, text in enumerate(config.read_text().splitlines()) if '"symbol": "NOSUCHUSDT"' in text)
    assert code == 2
    assert said.startswith(f"{config}:{line}: ")
    assert "symbol" in said
    assert "binance lists no contract 'NOSUCHUSDT'" in said


async def test_a_symbol_without_maintenance_tiers_is_named_with_what_to_write(stage, short):
    code, said = await refused(stage, stage.configure(short | {"symbol": "NOSUCHUSDT"}))
    assert code == 2
    assert "no maintenance tiers for NOSUCHUSDT" in said
    assert "terms.NOSUCHUSDT.tiers" in said


@pytest.mark.parametrize(
    ("text", "mode", "said_of_it"),
    [
        (None, None, "cannot be read"),
        ("whsec_bm90IGZvciBvdGhlcnMgdG8gc2VlIQ==", 0o644, "chmod 600"),
        ("whsec_c2hvcnQ=", 0o600, "24 to 64"),
        ("correct horse battery staple", 0o600, "whsec_"),
    ],
    ids=["missing", "open to others", "short", "no secret"],
)
async def test_an_unusable_secret_is_refused_without_showing_it(stage, short, text, mode, said_of_it):
    secret = stage.folder / "webhook.secret"
    secret.unlink()
    if text is not None:
        secret.write_text(text, encoding="ascii")
        secret.chmod(mode)
    code, said = await refused(stage, stage.configure(short))
    assert code == 2
    assert "secret_file" in said
    assert said_of_it in said
    assert text is None or text not in said


async def test_a_port_that_is_taken_is_said_with_what_to_do(stage, short):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        code, said = await refused(stage, stage.configure(short, web={"listen": address}))
    assert code != 0
    assert address in said
    assert "another" in said


async def test_a_second_daemon_on_the_same_store_gives_up_and_the_first_goes_on(stage, short, short_at, eventually):
    config = stage.configure(short)
    first = stage.start(config)
    await first.ready()
    second = stage.start(config)
    assert await second.ended(10.0) == 1
    assert "another process has it open" in second.said

    stage.move("BTCUSDT", short_at["critical"])
    await eventually(lambda: stage.heard(position="short", level="critical"))
    assert (await first.get("/-/ready"))[0] == 200


async def test_a_store_in_a_directory_that_cannot_be_written_is_said_with_what_to_check(stage, short):
    stage.store.parent.mkdir(mode=0o500)
    code, said = await refused(stage, stage.configure(short), "-c", WITHOUT_OVERRIDE)
    assert code == 1
    assert str(stage.store) in said
    assert "check the directory" in said


async def test_a_store_where_a_file_stands_in_the_way_is_said(stage, short):
    stage.store.parent.write_text("not a directory", encoding="ascii")
    code, said = await refused(stage, stage.configure(short))
    assert code == 1
    assert str(stage.store) in said
    assert stage.store.parent.read_text() == "not a directory"


async def test_a_database_of_another_program_is_refused_and_not_touched(stage, short):
    import sqlite3

    stage.store.parent.mkdir()
    other = sqlite3.connect(stage.store)
    other.execute("CREATE TABLE theirs (x)")
    other.close()
    before = stage.store.read_bytes()
    code, said = await refused(stage, stage.configure(short))
    assert code == 1
    assert "another program's database" in said
    assert stage.store.read_bytes() == before


def test_check_config_gives_the_same_verdict_without_starting_anything(perp_monitor, tmp_path):
    config = tmp_path / "monitor.yaml"
    config.write_text(SIX_FAULTS.replace("STORE", str(tmp_path / "state" / "x.db")), encoding="utf-8")
    checked: subprocess.CompletedProcess = perp_monitor("check-config", config)
    assert checked.returncode == 2
    started = perp_monitor("run", "--config", config)
    assert (checked.returncode, checked.stderr) == (started.returncode, started.stderr)


async def test_collateral_that_follows_a_contract_the_venue_does_not_list_is_named_with_its_line(stage, short):
    held = {key: value for key, value in short.items() if key != "margin"}
    coins = [{"asset": "ETH", "amount": 1, "rate": 0.9, "symbol": "ETHUSDX"}]
    account = {"name": "main", "venue": "binance", "margin_mode": "cross", "balance": 5000, "collateral": coins}
    config = stage.configure(accounts=[account | {"positions": [held]}])
    code, said = await refused(stage, config)
    line = 1 + next(n for n, text in enumerate(config.read_text().splitlines()) if '"symbol": "ETHUSDX"' in text)
    assert code == 2
    assert f"{config}:{line}: " in said
    assert "binance lists no contract 'ETHUSDX'" in said
