"""Opening the file: whose it is, whether it is whole, and that nobody else has it.

Four answers are possible. Ours and whole: opened. Damaged (or empty): moved aside to ``<name>.damaged-<n>``
together with its journal, and a fresh one started. Foreign or newer: refused, not one byte touched. In use by
another process: refused. The header is read as plain bytes first, because SQLite writes to what it opens.
"""

from __future__ import annotations

import errno
import fcntl
import os
import secrets
import sqlite3
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from monitor.errors import OutboxError
from monitor.store.schema import APPLICATION_ID, TABLES, VERSION

BALLAST_BYTES = 1 << 20

_MAGIC = b"SQLite format 3\0"
_FRACTIONS = b"\x40\x20\x20"  # bytes 21 to 23 of every SQLite file
_UNUSED = bytes(20)  # bytes 72 to 91 are reserved and zero

_PRAGMAS = (
    ("locking_mode", "EXCLUSIVE", "exclusive"),
    ("journal_mode", "TRUNCATE", "truncate"),
    ("synchronous", "FULL", 2),
    ("foreign_keys", "ON", 1),
    ("trusted_schema", "OFF", 0),
    ("mmap_size", "0", 0),
)


def failure(error: Exception, path: Path) -> OutboxError:
    """Return what an error of SQLite or of the file system means, and what to do about it."""
    full, busy, damaged = (
        (sqlite3.SQLITE_FULL,),
        (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED),
        (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB),
    )
    code = (getattr(error, "sqlite_errorcode", None) or 0) & 0xFF
    if code in full or (isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT)):
        return OutboxError(f"{path}: the disk is full; free some space there", reason="disk_full")
    if code in busy or isinstance(error, BlockingIOError):
        return OutboxError(
            f"{path}: another process has it open; is the daemon already running? Stop it or give another path",
            reason="locked",
        )
    if code in damaged:
        return OutboxError(f"{path}: the file is damaged ({error}); a restart moves it aside", reason="damaged")
    return OutboxError(f"{path}: {error}; check the directory, its owner and the disk", reason="io")


def lock(path: Path) -> int:
    """Return the descriptor of ``<name>.lock``, locked until it is closed or the process ends, however it ends.

    SQLite's own lock is taken as well; this one also protects a file that is being moved aside.
    """
    descriptor = os.open(_beside(path, ".lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


def is_whole(path: Path) -> bool:
    """Return whether the header is that of a store of ours; raises ``OutboxError`` for a foreign or newer one.

    A file that does not look like a database is a damaged store only where a store has been before: its lock lies
    beside it. Any other file is somebody's, and stays where it is.
    """
    with path.open("rb") as file:
        header = file.read(100)
    sound = header[:16] == _MAGIC and header[21:24] == _FRACTIONS and header[72:92] == _UNUSED
    if not sound:
        if path.stat().st_size and not _beside(path, ".lock").exists():
            raise OutboxError(f"{path}: this is no database of perp-monitor; give another path", reason="foreign")
        return False
    if int.from_bytes(header[68:72], "big") != APPLICATION_ID:
        raise OutboxError(f"{path}: this is another program's database; give another path", reason="foreign")
    version = int.from_bytes(header[60:64], "big")
    if version > VERSION:
        raise OutboxError(
            f"{path}: written by a newer perp-monitor (version {version} of the file, this one knows {VERSION}); "
            "run that one, or give another path",
            reason="newer",
        )
    return version == VERSION


def move_aside(path: Path) -> Path:
    """Rename the file to the first free ``<name>.damaged-<n>`` and return it.

    The journal goes along: left behind, it would be rolled back into the fresh file.
    """
    number = 1
    while _beside(path, f".damaged-{number}").exists():
        number += 1
    aside = _beside(path, f".damaged-{number}")
    for suffix in ("-journal", "-wal", "-shm"):
        leftover = _beside(path, suffix)
        if leftover.exists():
            leftover.rename(_beside(aside, suffix))
    path.rename(aside)
    _sync_directory(path.parent)
    return aside


def connect(path: Path, check: Callable[[sqlite3.Connection], object]) -> sqlite3.Connection:
    """Return the checked connection, with the lock held; creates the tables in a file that has none.

    ``check`` reads what will be needed, for what ``quick_check`` cannot see: text that is not what was written.
    Raises ``sqlite3.Error`` for what SQLite says and ``OutboxError`` for a setting it did not take.
    """
    fresh = not path.exists() or path.stat().st_size == 0
    os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
    path.chmod(0o600)
    connection = sqlite3.connect(path, timeout=1.0, isolation_level=None)
    try:
        for name, value, expected in _PRAGMAS:
            connection.execute(f"PRAGMA {name}={value}")
            found = connection.execute(f"PRAGMA {name}").fetchone()
            if found is not None and found[0] != expected:
                raise OutboxError(f"{path}: SQLite refused {name}={value}; use another file system", reason="io")
        connection.execute("BEGIN EXCLUSIVE")
        if fresh:
            _create(connection)
        connection.execute("COMMIT")
        verdict = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
        if verdict != "ok":
            raise OutboxError(f"{path}: {verdict}", reason="damaged")
        check(connection)
    except BaseException:
        connection.close()
        raise
    if fresh:
        _sync_directory(path.parent)
    return connection


def _create(connection: sqlite3.Connection) -> None:
    for statement in TABLES:
        connection.execute(statement)
    connection.execute("INSERT INTO meta VALUES ('state_id', ?)", (secrets.token_hex(16),))
    connection.execute(f"PRAGMA application_id={APPLICATION_ID}")
    connection.execute(f"PRAGMA user_version={VERSION}")


class Ballast:
    """A file of 1 MiB beside the store that is given back to the disk when it is full."""

    def __init__(self, path: Path) -> None:
        self._path = _beside(path, ".ballast")

    def load(self) -> None:
        """Lay the ballast in, if there is room for it: a store without ballast is still a store."""
        if self._path.exists():
            return
        with suppress(OSError):
            descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                os.posix_fallocate(descriptor, 0, BALLAST_BYTES)
            except OSError:
                self._path.unlink()
            finally:
                os.close(descriptor)

    def release(self) -> bool:
        """Return whether there was ballast to throw off."""
        try:
            self._path.unlink()
        except OSError:
            return False
        return True


def _beside(path: Path, suffix: str) -> Path:
    return path.with_name(path.name + suffix)


def _sync_directory(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
