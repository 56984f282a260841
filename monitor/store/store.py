"""The store: one SQLite file, one connection, one thread that alone uses it.

Callers hand over work and get a ``concurrent.futures.Future``; nothing here waits on the event loop and no
transaction is ever open while somebody talks to the network. A full disk gives the ballast back and tries once
more; every other error comes out as ``OutboxError`` with its reason (``disk_full``, ``locked``, ``damaged``, ``io``).
"""

from __future__ import annotations

import os
import sqlite3
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from contextlib import suppress
from pathlib import Path
from queue import SimpleQueue
from typing import TypeVar

import msgspec
import structlog

from monitor.core.alert_event import StoredState
from monitor.errors import OutboxError
from monitor.store import file, schema
from monitor.store.rows import Loaded, Mark, PendingRow, Transaction

log = structlog.get_logger()

PRUNE_AT_ONCE = 500

T = TypeVar("T")


class Store:
    """The open file. ``moved_aside`` is where a damaged one went at this start, if there was one."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._jobs: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self._ballast = file.Ballast(path)
        self._lock: int | None = None
        self._connection: sqlite3.Connection
        self.moved_aside: Path | None = None
        # A daemon thread: a second SIGTERM must not wait for a disk that hangs. COMMIT is atomic anyway.
        self._thread = threading.Thread(target=self._work, name="store", daemon=True)
        self._thread.start()

    @classmethod
    def open(cls, path: str | Path) -> Store:
        """Open or create the file; raises ``OutboxError`` that says what to do (see :mod:`monitor.store.file`)."""
        store = cls(Path(path).absolute())
        try:
            store.call(store._open).result()
        except BaseException:
            store._stop()
            raise
        return store

    def load(self) -> Loaded:
        """Return the states and everything undelivered. Waits for the thread: meant for the start."""
        return self.call(lambda: self._read(self._connection)).result()

    def commit(self, transaction: Transaction) -> Future[float]:
        """Make *transaction* durable (T1); the future holds the seconds it took. Repeating it is harmless."""
        return self.call(lambda: self._transact(lambda: self._write(transaction)))

    def mark(self, marks: Sequence[Mark]) -> Future[float]:
        """Record what became of deliveries (T2), all in one transaction."""
        rows = [(m.state, m.attempt, m.delivered_ms, m.last_error, m.delivery_id) for m in marks]
        return self.call(lambda: self._transact(lambda: self._connection.executemany(schema.MARK, rows)))

    def prune(self, before_ms: int) -> Future[int]:
        """Delete up to 500 deliveries delivered before *before_ms* (T3), and events that no delivery needs.

        The future holds how many rows went; call again while it is not zero. Relays the ballast, too.
        """
        return self.call(lambda: self._prune(before_ms))

    def close(self) -> None:
        """Finish what was handed over, note the clean stop, and close. Waits for the thread."""
        if self._lock is None:
            return
        with suppress(OutboxError):  # a disk that cannot take the note has been complained about before
            self.call(self._close).result()
        self._stop()

    def call(self, work: Callable[[], T]) -> Future[T]:
        """Run *work* on the store's thread."""
        future: Future[T] = Future()

        def job() -> None:
            if not future.set_running_or_notify_cancel():
                return
            try:
                result = work()
            except BaseException as error:  # noqa: BLE001 - it is raised again where the future is read
                future.set_exception(error)
            else:
                future.set_result(result)

        self._jobs.put(job)
        return future

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            job()

    def _stop(self) -> None:
        self._jobs.put(None)
        self._thread.join()
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def _open(self) -> None:
        try:
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._looks_whole()  # refuses a foreign or newer file before the first byte is written beside it
            self._lock = file.lock(self._path)
            if not self._looks_whole():
                self._move_aside("its header is not that of a store")
            self._connection = self._connect()
            self._ballast.load()
        except (sqlite3.Error, OSError) as error:
            raise file.failure(error, self._path) from error

    def _looks_whole(self) -> bool:
        return not self._path.exists() or file.is_whole(self._path)

    def _connect(self) -> sqlite3.Connection:
        for _ in range(3):
            try:
                return file.connect(self._path, check=self._read)
            except (sqlite3.Error, OSError, OutboxError) as error:
                problem = error if isinstance(error, OutboxError) else file.failure(error, self._path)
                if problem.reason == "damaged" and self.moved_aside is None:
                    self._move_aside(str(error))
                elif problem.reason != "disk_full" or not self._ballast.release():
                    raise problem from error
        raise OutboxError(f"{self._path}: cannot be opened; see the log", reason="io")

    def _move_aside(self, why: str) -> None:
        self.moved_aside = file.move_aside(self._path)
        log.error("store.failed", reason="damaged", detail=why, moved_to=str(self.moved_aside))

    def _transact(self, write: Callable[[], object]) -> float:
        started = time.perf_counter()
        try:
            try:
                self._attempt(write)
            except sqlite3.Error as error:
                if file.failure(error, self._path).reason != "disk_full" or not self._ballast.release():
                    raise
                log.warning("store.failed", reason="disk_full", ballast="released", path=str(self._path))
                self._attempt(write)
        except sqlite3.Error as error:
            raise file.failure(error, self._path) from error
        return time.perf_counter() - started

    def _attempt(self, write: Callable[[], object]) -> None:
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            write()
            self._connection.execute("COMMIT")
        except BaseException:
            if self._connection.in_transaction:  # some errors have rolled back already
                self._connection.execute("ROLLBACK")
            raise

    def _write(self, transaction: Transaction) -> None:
        run = self._connection.executemany
        run(schema.PUT_STATE, [(s.subject, msgspec.json.encode(s).decode()) for s in transaction.states])
        run(schema.PUT_EVENT, [msgspec.structs.astuple(e) for e in transaction.events])
        # The row without its last field, the events, which have a table of their own.
        run(schema.PUT_DELIVERY, [msgspec.structs.astuple(d)[:-1] for d in transaction.deliveries])
        run(schema.PUT_LINK, [(d.delivery_id, e) for d in transaction.deliveries for e in d.event_ids])

    def _read(self, connection: sqlite3.Connection) -> Loaded:
        run = connection.execute
        try:
            state_id = run("SELECT value FROM meta WHERE key = 'state_id'").fetchone()
            if state_id is None:
                raise OutboxError(f"{self._path}: it has no state id", reason="damaged")
            states = [msgspec.json.decode(row[0], type=StoredState) for row in run("SELECT state FROM position_state")]
            return Loaded(
                state_id=state_id[0],
                states={state.subject: state for state in states},
                pending=[PendingRow(*row) for row in run(schema.PENDING_ROWS)],
                dead=dict(run(schema.DEAD_COUNTS).fetchall()),
            )
        except sqlite3.Error as error:
            raise file.failure(error, self._path) from error
        except msgspec.DecodeError as error:
            raise OutboxError(f"{self._path}: a stored state cannot be read: {error}", reason="damaged") from error

    def _prune(self, before_ms: int) -> int:
        gone = 0

        def delete() -> None:
            nonlocal gone
            gone = self._connection.execute(schema.OLD_DELIVERIES, (before_ms, PRUNE_AT_ONCE)).rowcount
            gone += self._connection.execute(schema.OLD_EVENTS, (before_ms, PRUNE_AT_ONCE)).rowcount

        self._transact(delete)
        self._ballast.load()
        return gone

    def _close(self) -> None:
        stopped = "INSERT OR REPLACE INTO meta VALUES ('last_clean_stop_ms', ?)"
        try:
            self._transact(lambda: self._connection.execute(stopped, (str(time.time_ns() // 1_000_000),)))
        finally:
            self._connection.close()
