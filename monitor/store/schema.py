"""The tables, and how a file says that it is ours.

``position_state.state`` is the JSON of a :class:`~monitor.core.alert_event.StoredState`, so that a new field with
a default needs no migration. Receivers are stored by name only: no address and no secret is ever written.
"""

from __future__ import annotations

APPLICATION_ID = 0x50455250
"""``PERP``, at offset 68 of the file."""

VERSION = 1
"""``user_version``, at offset 60. A file with a larger one was written by a newer daemon."""

TABLES = (
    "CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID",
    "CREATE TABLE position_state (subject TEXT PRIMARY KEY, state TEXT NOT NULL) WITHOUT ROWID",
    """CREATE TABLE event (
        event_id TEXT PRIMARY KEY, run_id TEXT NOT NULL, subject TEXT NOT NULL, seq INTEGER NOT NULL,
        kind TEXT NOT NULL, severity TEXT NOT NULL, level INTEGER NOT NULL, prev_level INTEGER NOT NULL,
        created_ms INTEGER NOT NULL, payload BLOB NOT NULL)""",
    "CREATE INDEX event_order ON event (subject, seq)",
    "CREATE INDEX event_age ON event (created_ms)",
    """CREATE TABLE delivery (
        delivery_id TEXT PRIMARY KEY, receiver TEXT NOT NULL, severity TEXT NOT NULL, body BLOB NOT NULL,
        state TEXT NOT NULL CHECK (state IN ('pending', 'delivered', 'superseded', 'dead')),
        attempt INTEGER NOT NULL, created_ms INTEGER NOT NULL, delivered_ms INTEGER,
        last_error TEXT NOT NULL, superseded_by TEXT REFERENCES delivery (delivery_id) ON DELETE SET NULL)""",
    "CREATE INDEX delivery_state ON delivery (state, delivered_ms)",
    "CREATE INDEX delivery_successor ON delivery (superseded_by) WHERE superseded_by IS NOT NULL",
    """CREATE TABLE delivery_event (
        delivery_id TEXT NOT NULL REFERENCES delivery (delivery_id) ON DELETE CASCADE,
        event_id TEXT NOT NULL REFERENCES event (event_id),
        PRIMARY KEY (delivery_id, event_id)) WITHOUT ROWID""",
    "CREATE INDEX delivery_event_event ON delivery_event (event_id)",
)

PUT_STATE = "INSERT INTO position_state VALUES (?, ?) ON CONFLICT (subject) DO UPDATE SET state = excluded.state"

# All of these can be repeated: a transaction whose outcome is unknown is simply written again.

# An event sent from memory was rendered anew (``unpersisted``): those bytes are the ones to keep.
PUT_EVENT = """
    INSERT INTO event VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT (event_id) DO UPDATE SET payload = excluded.payload"""

# A delivery that is settled stays settled.
PUT_DELIVERY = """
    INSERT INTO delivery VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, NULL)
    ON CONFLICT (delivery_id) DO UPDATE SET body = excluded.body, state = excluded.state,
        attempt = excluded.attempt, delivered_ms = excluded.delivered_ms, last_error = excluded.last_error
    WHERE delivery.state IN ('pending', excluded.state)"""

PUT_LINK = "INSERT OR IGNORE INTO delivery_event VALUES (?, ?)"

MARK = """
    UPDATE delivery SET state = ?, attempt = ?, delivered_ms = ?, last_error = ?
    WHERE delivery_id = ? AND state = 'pending'"""

PENDING_ROWS = """
    SELECT d.delivery_id, d.receiver, d.severity, d.body, d.attempt, d.created_ms, e.subject, max(e.seq), e.kind
    FROM delivery d JOIN delivery_event USING (delivery_id) JOIN event e USING (event_id)
    WHERE d.state = 'pending' GROUP BY d.delivery_id ORDER BY min(e.created_ms), min(e.rowid)"""

DEAD_COUNTS = "SELECT receiver, count(*) FROM delivery WHERE state = 'dead' GROUP BY receiver"

OLD_DELIVERIES = """
    DELETE FROM delivery WHERE delivery_id IN (
        SELECT delivery_id FROM delivery
        WHERE state IN ('delivered', 'superseded') AND delivered_ms < ? LIMIT ?)"""

OLD_EVENTS = """
    DELETE FROM event WHERE event_id IN (
        SELECT event_id FROM event WHERE created_ms < ?
        AND NOT EXISTS (SELECT 1 FROM delivery_event x WHERE x.event_id = event.event_id) LIMIT ?)"""
