"""Bad files and bad disks: refused, moved aside or failed with a reason, never silently used."""

from __future__ import annotations

import random
import resource
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from monitor.core.alert_event import StoredState
from monitor.errors import OutboxError
from monitor.store.file import BALLAST_BYTES
from monitor.store.rows import Transaction
from monitor.store.store import Store

DAMAGES = 100


def states(*numbers: int) -> Transaction:
    return Transaction(tuple(StoredState(f"position-{n:05}", seq=n) for n in numbers), (), ())


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "perp.db"
    store = Store.open(path)
    store.commit(states(*range(500))).result()
    store.close()
    return path


def test_a_foreign_database_is_refused_and_not_touched(tmp_path):
    path = tmp_path / "other.db"
    other = sqlite3.connect(path)
    other.execute("CREATE TABLE mine (a)")
    other.execute("PRAGMA application_id=7")
    other.close()
    before, beside = path.read_bytes(), sorted(tmp_path.iterdir())
    with pytest.raises(OutboxError, match="another program") as caught:
        Store.open(path)
    assert caught.value.reason == "foreign"
    assert (path.read_bytes(), sorted(tmp_path.iterdir())) == (before, beside)


def test_a_newer_file_is_refused_and_not_touched(path):
    newer = sqlite3.connect(path)
    newer.execute("PRAGMA user_version=99")
    newer.close()
    before = path.read_bytes()
    with pytest.raises(OutboxError, match="newer perp-monitor") as caught:
        Store.open(path)
    assert caught.value.reason == "newer"
    assert path.read_bytes() == before


@pytest.mark.parametrize("content", [b"", b"not a database, " * 300], ids=["empty", "text"])
def test_a_file_that_is_no_database_is_moved_aside_and_a_fresh_one_started(tmp_path, content):
    path = tmp_path / "perp.db"
    path.write_bytes(content)
    (tmp_path / "perp.db.lock").touch()  # a store has been here
    store = Store.open(path)
    assert store.moved_aside == tmp_path / "perp.db.damaged-1"
    assert store.moved_aside.read_bytes() == content
    assert store.load().states == {}
    store.close()


def test_somebody_elses_file_is_refused_and_stays_where_it_is(tmp_path):
    path = tmp_path / "notes.yaml"
    path.write_text("mine: [1, 2]\n" * 30, encoding="ascii")
    with pytest.raises(OutboxError, match="no database of perp-monitor") as caught:
        Store.open(path)
    assert caught.value.reason == "foreign"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["notes.yaml"]


def test_no_random_damage_of_4_kib_is_started_on_silently(path, tmp_path):
    whole = path.read_bytes()
    rng = random.Random(20260729)
    for round_number in range(DAMAGES):
        place = tmp_path / str(round_number) / "perp.db"
        place.parent.mkdir()
        place.with_name("perp.db.lock").touch()
        start = rng.randrange(0, len(whole) - 4096)
        place.write_bytes(whole[:start] + rng.randbytes(4096) + whole[start + 4096 :])
        store = Store.open(place)
        assert store.moved_aside is not None, f"offset {start}"
        assert store.moved_aside.exists()
        store.commit(states(1)).result()
        store.close()
        shutil.rmtree(place.parent)


def test_a_second_damaged_file_does_not_replace_the_first(path):
    for number in (1, 2):
        path.write_bytes(b"x" * number)
        store = Store.open(path)
        assert store.moved_aside == path.with_name(f"perp.db.damaged-{number}")
        store.close()
    assert path.with_name("perp.db.damaged-1").read_bytes() == b"x"


def test_the_journal_of_a_damaged_file_goes_along_with_it(path):
    path.write_bytes(b"x")
    path.with_name("perp.db-journal").write_bytes(b"old journal")
    store = Store.open(path)
    assert path.with_name("perp.db.damaged-1-journal").read_bytes() == b"old journal"
    store.close()


def test_a_state_that_cannot_be_read_counts_as_damage(path):
    shell = sqlite3.connect(path, isolation_level=None)
    shell.execute("UPDATE position_state SET state = '{\"subject\":' WHERE subject = 'position-00001'")
    shell.close()
    store = Store.open(path)
    assert store.moved_aside is not None
    store.close()


def test_a_directory_that_cannot_be_made_is_said_plainly(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OutboxError, match="check the directory"):
        Store.open(tmp_path / "file" / "perp.db")


def test_a_full_disk_releases_the_ballast_and_then_fails_with_its_reason(path):
    """SQLite's own page limit reports a full disk exactly as a full file system does."""
    store = Store.open(path)
    ballast = path.with_name("perp.db.ballast")
    assert ballast.stat().st_size == BALLAST_BYTES
    limit = lambda pages: store.call(lambda: store._connection.execute(f"PRAGMA max_page_count={pages}"))  # noqa: E731
    limit(1).result()
    with pytest.raises(OutboxError) as caught:
        store.commit(states(*range(1000, 3000))).result()
    assert caught.value.reason == "disk_full"
    assert not ballast.exists()
    limit(1_000_000).result()
    store.commit(states(*range(1000, 3000))).result()
    assert len(store.load().states) == 2500
    store.prune(0).result()
    assert ballast.exists()
    store.close()


FILE_TOO_LARGE = """
import resource, signal, sys
from monitor.core.alert_event import StoredState
from monitor.errors import OutboxError
from monitor.store.rows import Transaction
from monitor.store.store import Store

def states(*numbers):
    return Transaction(tuple(StoredState(f"position-{n:05}", seq=n) for n in numbers), (), ())

store = Store.open(sys.argv[1])
hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
resource.setrlimit(resource.RLIMIT_FSIZE, (64 * 1024, hard))
try:
    store.commit(states(*range(10_000, 20_000))).result()
except OutboxError as error:
    print(error.reason)
resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
store.commit(states(7)).result()
print(len(store.load().states))
store.close()
"""


def test_a_write_that_fails_leaves_the_store_whole_and_usable(path):
    done = subprocess.run([sys.executable, "-c", FILE_TOO_LARGE, str(path)], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["io", "500"]
    store = Store.open(path)
    assert store.moved_aside is None
    assert len(store.load().states) == 500
    store.close()


def test_descriptors_that_run_out_at_the_start_are_an_outbox_error(path):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (3, hard))
    try:
        with pytest.raises(OutboxError):
            Store.open(path)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
