"""The store: what is committed is found again, and nobody else gets in."""

from __future__ import annotations

import sqlite3
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from monitor.core.alert_event import StoredState
from monitor.errors import OutboxError
from monitor.store.rows import DEAD, DELIVERED, PENDING, DeliveryRow, EventRow, Mark, Transaction
from monitor.store.store import Store


def transaction(number: int, *, state: str = PENDING, delivered_ms: int | None = None, subject: str = "p1"):
    event = EventRow(
        event_id=f"evt_{number}",
        run_id="run",
        subject=subject,
        seq=number,
        kind="position.critical",
        severity="critical",
        level=2,
        prev_level=1,
        created_ms=number,
        payload=b"{}",
    )
    delivery = DeliveryRow(
        delivery_id=f"msg_{number}",
        receiver="ops",
        severity="critical",
        body=b'{"n":%d}' % number,
        state=state,
        attempt=0,
        created_ms=number,
        delivered_ms=delivered_ms,
        last_error="",
        event_ids=(event.event_id,),
    )
    return Transaction((StoredState(subject, raw=2, seq=number),), (event,), (delivery,))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "perp.db"


def test_what_was_committed_is_there_after_reopening(path):
    store = Store.open(path)
    assert store.commit(transaction(1)).result() > 0.0
    first = store.load()
    store.close()
    again = Store.open(path)
    found = again.load()
    again.close()
    assert found == first
    assert found.states == {"p1": StoredState("p1", raw=2, seq=1)}
    [row] = found.pending
    assert (row.delivery_id, row.subject, row.seq, row.body) == ("msg_1", "p1", 1, b'{"n":1}')


def test_the_same_transaction_twice_leaves_one_row(path):
    store = Store.open(path)
    store.commit(transaction(1)).result()
    store.commit(transaction(1)).result()
    assert len(store.load().pending) == 1
    store.close()


def test_a_late_repeat_does_not_make_a_delivered_row_pending_again(path):
    store = Store.open(path)
    store.commit(transaction(1)).result()
    store.mark([Mark("msg_1", DELIVERED, 1, 5, "")]).result()
    store.commit(transaction(1)).result()
    assert store.load().pending == []
    store.close()


def test_undelivered_rows_come_back_in_the_order_of_their_events(path):
    store = Store.open(path)
    for number in (3, 1, 2):
        store.commit(transaction(number)).result()
    assert [row.seq for row in store.load().pending] == [1, 2, 3]
    store.close()


def test_marks_take_rows_out_of_the_pending_and_count_the_dead(path):
    store = Store.open(path)
    for number in (1, 2, 3):
        store.commit(transaction(number)).result()
    store.mark([Mark("msg_1", DELIVERED, 1, 5, ""), Mark("msg_2", DEAD, 9, None, "expired")]).result()
    found = store.load()
    assert [row.delivery_id for row in found.pending] == ["msg_3"]
    assert found.dead == {"ops": 1}
    store.close()


def test_prune_deletes_at_most_500_old_delivered_rows_and_their_events_and_nothing_else(path):
    store = Store.open(path)
    for number in range(1, 602):
        store.commit(transaction(number, state=DELIVERED, delivered_ms=number))
    store.commit(transaction(700, state=PENDING))
    store.commit(transaction(701, state=DEAD))
    assert store.prune(before_ms=600).result() == 1000
    assert store.prune(before_ms=600).result() == 2 * 99
    assert store.prune(before_ms=600).result() == 0
    count = store.call(lambda: store._connection.execute("SELECT count(*) FROM delivery").fetchone()[0])
    assert count.result() == 4  # 600 and 601 are too young, one is pending, one is dead
    store.close()


def test_the_pragmas_are_those_of_a_store_that_survives_a_power_cut(path):
    store = Store.open(path)
    names = ("locking_mode", "journal_mode", "synchronous", "foreign_keys", "trusted_schema")
    read = lambda: [store._connection.execute(f"PRAGMA {name}").fetchone()[0] for name in names]  # noqa: E731
    assert store.call(read).result() == ["exclusive", "truncate", 2, 1, 0]
    store.close()


def test_directory_and_files_are_for_the_owner_only(path):
    store = Store.open(path)
    store.commit(transaction(1)).result()
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in path.parent.iterdir()}
    assert set(modes.values()) == {0o600}, modes
    store.close()


def test_a_second_process_is_refused_and_the_first_goes_on(path):
    store = Store.open(path)
    program = f"from monitor.store.store import Store; Store.open({str(path)!r})"
    second = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert second.returncode != 0
    assert "already running" in second.stderr
    store.commit(transaction(1)).result()
    assert len(store.load().pending) == 1
    store.close()


def test_a_shell_cannot_read_the_file_while_the_daemon_has_it(path):
    store = Store.open(path)
    shell = sqlite3.connect(path, timeout=0.05)
    with pytest.raises(sqlite3.OperationalError, match="locked"):
        shell.execute("SELECT * FROM event")
    shell.close()
    store.close()


def test_a_file_that_a_shell_holds_is_refused_as_locked(path):
    Store.open(path).close()
    shell = sqlite3.connect(path, isolation_level=None)
    shell.execute("BEGIN EXCLUSIVE")
    with pytest.raises(OutboxError, match="already running") as caught:
        Store.open(path)
    assert caught.value.reason == "locked"
    shell.close()
    Store.open(path).close()


def test_close_finishes_what_was_handed_over(path):
    store = Store.open(path)
    futures = [store.commit(transaction(number)) for number in range(50)]
    store.close()
    assert all(future.done() and future.exception() is None for future in futures)
    again = Store.open(path)
    assert len(again.load().pending) == 50
    again.close()


def test_a_field_that_was_added_to_the_state_needs_no_migration(path):
    store = Store.open(path)
    old = 'INSERT INTO position_state VALUES (\'p9\', \'{"subject":"p9","seq":4}\')'
    store.call(lambda: store._connection.execute(old)).result()
    assert store.load().states["p9"] == StoredState("p9", seq=4)
    store.close()
