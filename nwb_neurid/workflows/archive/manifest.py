"""The manifest of an archive: a list of finished recordings, with model and options, and of recordings in progress.

It is an SQLite file. Only the process that the user started opens it, never a worker. A recording is claimed before it
is processed. A claim is valid as long as its run regularly reports that it is alive. Several runs that use the same
manifest share the work.
"""

import json
import os
import socket
import sqlite3
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

from nwb_neurid._system.lock import is_alive
from nwb_neurid.errors import CannotWrite, UnreadableSource

APPLICATION = 0x6E657572
FORMAT = 1
BEAT_S, LEASE_S = 5.0, 60.0
"""Interval at which a run reports that it is alive, and the time without a report after which other runs may claim its
recordings.
"""

BUSY_S = 30.0
CLAIMED, DONE, FAILED = "claimed", "done", "failed"

TABLES = (
    """CREATE TABLE IF NOT EXISTS recordings (
    key TEXT PRIMARY KEY,         -- hash of the source's digest, the model and the options
    source TEXT NOT NULL,         -- the recording: its full path, or its URL
    digest TEXT NOT NULL,         -- of the source, before anything was written
    model TEXT NOT NULL,
    options TEXT NOT NULL,
    state TEXT NOT NULL,          -- claimed, done or failed
    run TEXT NOT NULL,            -- who claimed it last
    attempts INTEGER NOT NULL,
    path TEXT NOT NULL DEFAULT '',   -- the file that holds the results
    after TEXT NOT NULL DEFAULT '',  -- digest of the source, after the results were written
    reason TEXT NOT NULL DEFAULT '', -- why it failed
    facts TEXT NOT NULL DEFAULT '{}',
    ended REAL NOT NULL DEFAULT 0
)""",
    "CREATE INDEX IF NOT EXISTS by_source ON recordings (source)",
    "CREATE INDEX IF NOT EXISTS by_after ON recordings (after)",
    """CREATE TABLE IF NOT EXISTS runs (
    run TEXT PRIMARY KEY, process INTEGER NOT NULL, host TEXT NOT NULL, began REAL NOT NULL, beat REAL NOT NULL
)""",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A recording in the manifest.

    Parameters
    ----------
    key
        Hash of the digest of the source, the model and the options.
    source
        The recording: its full path, or its URL.
    digest, after
        Digest of the source before it was processed, and after its results were written.
    model, options
        Hashes of the model and of the options.
    state
        "claimed", "done" or "failed".
    run
        The run that claimed it last.
    attempts
        How many times it was claimed.
    path
        The file that contains the results, or "" if there is none.
    reason
        The reason why it failed, or "" otherwise.
    facts
        The facts that are reported about it. Until it is done, the state of its files when it was first claimed.
    ended
        Time at which it was done or failed, in seconds since the epoch.
    """

    key: str
    source: str
    digest: str
    model: str
    options: str
    state: str = ""
    run: str = ""
    attempts: int = 0
    path: str = ""
    after: str = ""
    reason: str = ""
    facts: Mapping[str, Any]
    ended: float = 0.0


class Manifest:
    """A manifest that is opened by a run.

    Parameters
    ----------
    path
        The file. It is made if it does not exist.

    Raises
    ------
    UnreadableSource
        If it is not a manifest, or is of a later version.
    CannotWrite
        If it cannot be written.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.run = uuid4().hex
        self.began = time.time()
        self._seen: dict[str, tuple[float, float]] = {}
        with self._change() as database:  # one transaction, so that another run sees either a complete manifest or none
            _check(path, database)
            for table in TABLES:
                database.execute(table)
            database.execute(f"PRAGMA application_id = {APPLICATION}")
            database.execute(f"PRAGMA user_version = {FORMAT}")
            database.execute(
                "INSERT INTO runs VALUES (?, ?, ?, ?, ?)",
                (self.run, os.getpid(), _name_host(), self.began, self.began),
            )

    @contextmanager
    def hold(self) -> Iterator[None]:
        """Report every `BEAT_S` that this run is alive, and release its claims at the end."""
        ended = threading.Event()
        thread = threading.Thread(target=self._beat, args=(ended,), daemon=True)
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join()
            with suppress(CannotWrite), self._change() as database:
                database.execute("UPDATE runs SET beat = 0 WHERE run = ?", (self.run,))

    def claim(self, wanted: Entry) -> Entry | None:
        """Claim a recording, or renew the claim of this run. Return None if another active run has claimed it.

        Returns
        -------
        Entry or None
            The present entry in the manifest: claimed for this run, done, or failed during this run.
        """
        with self._change() as database:
            found = next(iter(_select(database, "key = ?", wanted.key)), None)
            if found is not None and found.state == CLAIMED and self._is_held(database, found.run):
                return None
            if found is not None and (found.state == DONE or (found.state == FAILED and found.ended >= self.began)):
                return found
            attempts = 1 if found is None else found.attempts + 1
            database.execute(
                "INSERT INTO recordings (key, source, digest, model, options, state, run, attempts, facts) "
                "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (key) DO UPDATE SET state = excluded.state, "
                "run = excluded.run, attempts = excluded.attempts, source = excluded.source, digest = excluded.digest",
                (
                    *(wanted.key, wanted.source, wanted.digest, wanted.model, wanted.options),
                    *(CLAIMED, self.run, attempts, json.dumps(dict(wanted.facts))),
                ),
            )
            return _select(database, "key = ?", wanted.key)[0]

    def finish(self, key: str, path: str, after: str, facts: Mapping[str, Any]) -> None:
        """Note that a recording is done, even if another run has claimed it in the meantime."""
        self._end(key, DONE, path=path, after=after, facts=json.dumps(dict(facts)))

    def fail(self, key: str, reason: str) -> None:
        """Note that a recording failed, unless another run has claimed it in the meantime."""
        self._end(key, FAILED, reason=reason)

    def move(self, key: str, source: str, path: str) -> None:
        """Note the present path of a recording, and the file with its results."""
        with self._change() as database:
            database.execute("UPDATE recordings SET source = ?, path = ? WHERE key = ?", (source, path, key))

    def forget(self, key: str) -> None:
        """Delete the entry of a finished recording, because its results are gone or belong to another content."""
        with self._change() as database:
            database.execute("DELETE FROM recordings WHERE key = ? AND state = ?", (key, DONE))

    def find(self, key: str) -> Entry | None:
        """Find the entry of a recording."""
        return next(iter(self._select("key = ?", key)), None)

    def find_written(self, digest: str, model: str, options: str) -> Entry | None:
        """Find the finished entry of a source that has this digest since its results were written into it."""
        found = self._select("after = ? AND model = ? AND options = ? AND state = ?", digest, model, options, DONE)
        return next(iter(found), None)

    def find_begun(self, source: str, model: str, options: str) -> Entry | None:
        """Find an entry of this source that was begun and is not done. Its results may have changed the source."""
        found = self._select("source = ? AND model = ? AND options = ? AND state != ?", source, model, options, DONE)
        return next(iter(found), None)

    def find_older(self, source: str, key: str) -> list[Entry]:
        """Find the finished entries for earlier contents of this source."""
        return self._select("source = ? AND state = ? AND key != ?", source, DONE, key)

    def holds_other(self, model: str, options: str) -> bool:
        """Return whether any recording is done with another model or other options."""
        return bool(self._select("state = ? AND (model != ? OR options != ?) LIMIT 1", DONE, model, options))

    def _select(self, where: str, *values: str) -> list[Entry]:
        with self._open() as database:
            return _select(database, where, *values)

    def _end(self, key: str, state: str, **values: str) -> None:
        names = ", ".join(f"{name} = ?" for name in values)
        mine = "" if state == DONE else " AND run = ?"
        with self._change() as database:
            database.execute(
                f"UPDATE recordings SET state = ?, ended = ?, {names} WHERE key = ?{mine}",
                (state, time.time(), *values.values(), key, *([self.run] if mine else [])),
            )

    def _is_held(self, database: sqlite3.Connection, run: str) -> bool:
        """Return whether another run is alive."""
        if run == self.run:
            return False
        row = database.execute("SELECT process, host, beat FROM runs WHERE run = ?", (run,)).fetchone()
        if row is None or row["beat"] == 0 or (row["host"] == _name_host() and not is_alive(row["process"])):
            return False
        now_s, (beat, since_s) = time.monotonic(), self._seen.get(run, (0.0, 0.0))
        if beat != row["beat"]:  # not compared with the clock of this machine, which may differ
            self._seen[run] = row["beat"], now_s
            return True
        return now_s - since_s <= LEASE_S

    def _beat(self, ended: threading.Event) -> None:
        while not ended.wait(BEAT_S):
            with suppress(CannotWrite), self._change() as database:  # such as a full disk; the next report may succeed
                database.execute("UPDATE runs SET beat = ? WHERE run = ?", (time.time(), self.run))

    @contextmanager
    def _change(self) -> Iterator[sqlite3.Connection]:
        with self._open() as database:
            database.execute("BEGIN IMMEDIATE")
            yield database
            database.execute("COMMIT")

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        """Yield a connection for a single call. No connection is kept between calls or shared by threads."""
        try:
            with closing(sqlite3.connect(self.path, timeout=BUSY_S, isolation_level=None)) as database:
                database.row_factory = sqlite3.Row
                yield database
        except sqlite3.DatabaseError as error:
            if error.sqlite_errorcode in (sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT):
                raise UnreadableSource(
                    f"{self.path} is not a manifest of nwb-neurid, or is damaged ({error}). Choose another file "
                    "(--manifest), or move this one away to start again."
                ) from error
            raise CannotWrite(f"The manifest {self.path} cannot be written: {error}.") from error


def _name_host() -> str:
    """Name this machine and its process namespace, because a container may have the same host name as its host."""
    try:
        return f"{socket.gethostname()} {Path('/proc/self/ns/pid').readlink()}"
    except OSError:
        return socket.gethostname()


def _check(path: Path, database: sqlite3.Connection) -> None:
    """Refuse a database of another program, and a manifest of a later version."""
    (application,) = database.execute("PRAGMA application_id").fetchone()
    (version,) = database.execute("PRAGMA user_version").fetchone()
    (tables,) = database.execute("SELECT count(*) FROM sqlite_master").fetchone()
    if application == APPLICATION and version <= FORMAT:
        return
    if application == APPLICATION:
        raise UnreadableSource(
            f"{path} is a manifest of format {version}, this nwb-neurid knows {FORMAT}. Install a later one."
        )
    if tables or application:
        raise UnreadableSource(f"{path} is a database of another program. Choose another --manifest.")


def _select(database: sqlite3.Connection, where: str, *values: str) -> list[Entry]:
    rows = map(dict, database.execute(f"SELECT * FROM recordings WHERE {where}", values).fetchall())
    return [Entry(**{**row, "facts": json.loads(row["facts"])}) for row in rows]
