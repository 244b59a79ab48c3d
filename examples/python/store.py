"""The CRM's tasks in an SQLite file. Every change of a row, with its version and sequence, is one transaction."""

import contextlib
import json
import pathlib
import sqlite3
import uuid

SCHEMA = pathlib.Path(__file__).resolve().parent.parent / "crm.sql"
JSON_COLUMNS = ("fields", "edited", "event", "conflicts")
FLAGS = ("behind", "deleted")


class Store:
    def __init__(self, path):
        self._db = sqlite3.connect(path, isolation_level=None, timeout=30)
        self._db.row_factory = sqlite3.Row
        self._db.executescript(SCHEMA.read_text(encoding="utf-8"))

    @contextlib.contextmanager
    def transaction(self):
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._db.execute("ROLLBACK")
            raise
        self._db.execute("COMMIT")

    def find(self, task_id, occurrence=""):
        row = self._db.execute("SELECT * FROM tasks WHERE task_id = ? AND occurrence = ?", (task_id, occurrence)).fetchone()
        return self._read(row) if row else None

    def all(self):
        return [self._read(row) for row in self._db.execute("SELECT * FROM tasks ORDER BY task_id, occurrence")]

    def to_send(self):
        return [self._read(row) for row in self._db.execute("SELECT * FROM tasks WHERE sent_version < version ORDER BY rowid")]

    def save(self, row):
        row = {name: json.dumps(value) if name in JSON_COLUMNS else int(value) if name in FLAGS else value for name, value in row.items()}
        columns = ", ".join(row)
        self._db.execute(f"INSERT OR REPLACE INTO tasks ({columns}) VALUES ({', '.join('?' * len(row))})", tuple(row.values()))

    def mark_sent(self, row):
        self._db.execute("UPDATE tasks SET sent_version = max(sent_version, ?) WHERE task_id = ? AND occurrence = ?",
                         (row["version"], row["task_id"], row["occurrence"]))

    def group(self):
        with self.transaction():
            if self._db.execute("SELECT count(*) FROM reader").fetchone()[0] == 0:
                self._db.execute("INSERT INTO reader VALUES (?)", (f"crm-example-{uuid.uuid4()}",))
            return self._db.execute("SELECT group_id FROM reader").fetchone()[0]

    @staticmethod
    def _read(row):
        row = dict(row)
        return {name: json.loads(value) if name in JSON_COLUMNS else bool(value) if name in FLAGS else value for name, value in row.items()}
