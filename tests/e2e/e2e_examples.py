#!/usr/bin/env python3
"""The programs in examples/, run as their READMEs say, against a real stack: both directions, an occurrence of a series, and a repeat of it all.
Then the examples of docs/crm-developers.md, sent as they stand there.

Each example is a CRM of its own with a database of its own. What it holds is read from there; what Google holds from the emulator.
"""

import contextlib
import json
import os
import pathlib
import re
import signal
import sqlite3
import subprocess
import tempfile

import e2e_stack
from e2e_stack import ROOT, expect

import demo

PYTHON = ROOT / "build" / "python" / "bin" / "python"


class Example:
    """One of the programs, on a database in a folder of its own."""

    def __init__(self, language, command, stack, folder):
        self.language, self.stack, self.command = language, stack, command
        self.database = pathlib.Path(folder) / f"{language}.db"
        self.log = pathlib.Path(folder) / f"{language}.log"
        self.environment = dict(os.environ, KAFKA_BROKERS=stack.environment["DEMO_KAFKA"], CRM_DB=str(self.database), CRM_TENANT=demo.TENANT,
                                CRM_USER=demo.USER)

    def run(self, *arguments):
        done = subprocess.run([*self.command, *arguments], env=self.environment, capture_output=True, text=True, check=False, timeout=120)
        expect(done.returncode == 0, f"{self.language}: {' '.join(arguments)} ended with {done.returncode}: {done.stdout}{done.stderr}")

    @contextlib.contextmanager
    def following(self):
        with self.log.open("a") as log:
            process = subprocess.Popen([*self.command, "follow"], env=self.environment, stdout=log, stderr=subprocess.STDOUT)
        try:
            yield
            expect(process.poll() is None, f"{self.language}: follow ended by itself")
        except BaseException:
            print(f"--- {self.language} said\n{self.log.read_text()}")
            raise
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                code = process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()
                raise
        expect(code in (0, 143), f"{self.language}: follow ended with {code}")

    def row(self, task, occurrence=""):
        if not self.database.exists():
            return None
        with contextlib.closing(sqlite3.connect(f"file:{self.database}?mode=ro", uri=True, timeout=30)) as db:
            db.row_factory = sqlite3.Row
            found = db.execute("SELECT * FROM tasks WHERE task_id = ? AND occurrence = ?", (task, occurrence)).fetchone()
        return {name: json.loads(found[name]) if name in ("fields", "event", "conflicts", "edited") else found[name] for name in found.keys()} if found else None

    def wait(self, what, task, holds, occurrence=""):
        def probe():
            row = self.row(task, occurrence)
            return row if row and holds(row) else None
        return self.stack.wait(f"{self.language}: {what}", probe)

    def rows(self):
        with contextlib.closing(sqlite3.connect(f"file:{self.database}?mode=ro", uri=True, timeout=30)) as db:
            return db.execute("SELECT task_id, occurrence, version, fields, conflicts FROM tasks ORDER BY 1, 2").fetchall()


def single_task(stack, example):
    """Created, edited on both sides, cancelled."""
    day, task = demo.tomorrow(), f"{example.language}-T-1"
    before = stack.google.last_call()
    example.run("put", task, "title=Appointment", "type=meeting", f"start={day}T10:00:00", f"end={day}T11:00:00", "timeZone=Europe/Zurich",
                'attendees=[{"email":"kim@example.com"}]', "--notify", "all")
    event = example.wait("the task to be SYNCED", task, lambda row: row["event"].get("googleEventId"))["event"]["googleEventId"]
    expect("Appointment" in stack.google.event(event)["summary"], f"Google holds {stack.google.event(event)}")

    stack.google.edit(event, {"start": {"dateTime": f"{day}T14:30:00", "timeZone": "Europe/Zurich"},
                              "end": {"dateTime": f"{day}T15:30:00", "timeZone": "Europe/Zurich"}, "location": "Room 4"})
    row = example.wait("the edit in Google", task, lambda row: row["fields"].get("location") == "Room 4" and "14:30" in row["fields"]["start"])
    expect(row["fields"]["title"] == "Appointment" and row["fields"]["end"].startswith(f"{day}T15:30"), f"the task is {row['fields']}")
    expect(row["known_sequence"] == row["applied_sequence"], f"something was kept back: {row}")

    example.run("put", task, "title=Appointment with Kim")
    stack.wait("the new title in Google", lambda: "with Kim" in stack.google.event(event)["summary"])
    expect(stack.google.event(event)["location"] == "Room 4", "the CRM's edit undid the calendar's")

    example.run("cancel", task)
    stack.wait("the event to go", lambda: not stack.google.is_there(event))
    example.wait("to hear that it went", task, lambda row: row["sent_version"] == row["version"] == 4)
    inserts = [c for c in stack.writes_to_google(before) if c["call"] == "calendar.events.insert" and 200 <= c["status"] < 300]
    expect(len(inserts) == 1, f"{len(inserts)} events were made for one task")


def series(stack, example):
    """A series, one occurrence of it moved, then this and following."""
    task = f"{example.language}-S-1"
    example.run("put", task, "title=Weekly", "start=2031-01-08T10:00:00", "end=2031-01-08T10:30:00", "timeZone=Europe/Zurich",
                'recurrence=["RRULE:FREQ=WEEKLY;COUNT=6"]')
    event = example.wait("the series to be SYNCED", task, lambda row: row["event"].get("googleEventId"))["event"]["googleEventId"]
    expect(stack.google.event(event).get("recurrence"), f"Google holds no series: {stack.google.event(event)}")

    moved = "2031-01-15T10:00:00"
    example.run("put", task, "--occurrence", moved, "start=2031-01-15T14:00:00", "end=2031-01-15T14:30:00")
    instance = f"{event}_20310115T090000Z"
    stack.wait("the moved occurrence in Google", lambda: (
        lambda e: e and "14:00" in e["start"]["dateTime"])(stack.google.event(instance)))

    example.wait("to hear that it is there", task, lambda row: row["event"].get("googleEventId") == instance, moved)

    example.run("split", task, "--at", "2031-02-05T10:00:00", "--as", f"{task}b", "start=2031-02-05T09:00:00", "end=2031-02-05T09:30:00",
                'recurrence=["RRULE:FREQ=WEEKLY;COUNT=2"]')
    following = example.wait("the new series to be SYNCED", f"{task}b", lambda row: row["event"].get("googleEventId"))["event"]["googleEventId"]
    stack.wait("the old series to end", lambda: "UNTIL=" in stack.google.event(event)["recurrence"][0])
    expect("09:00" in stack.google.event(following)["start"]["dateTime"], f"the new series is {stack.google.event(following)}")
    expect("14:00" in stack.google.event(instance)["start"]["dateTime"], "the moved occurrence was lost when the series was split")


def occurrences_from_google(stack, example):
    """One occurrence renamed and one deleted by a person in Google."""
    task = f"{example.language}-S-1"
    event = example.row(task)["event"]["googleEventId"]
    renamed, gone = "2031-01-22T10:00:00", "2031-01-29T10:00:00"
    stack.google.edit(f"{event}_20310122T090000Z", {"summary": "Weekly with cake"})
    row = example.wait("the renamed occurrence", task, lambda row: row["fields"].get("title") == "Weekly with cake", renamed)
    expect(row["fields"]["start"] == renamed, f"the occurrence is {row['fields']}")
    stack.google.call("DELETE", stack.google._path(f"{event}_20310129T090000Z"))
    example.wait("the deleted occurrence", task, lambda row: row["fields"].get("status") == "cancelled", gone)
    expect(example.row(task)["fields"]["title"] == "Weekly", "an occurrence's name became the series'")
    stack.wait("the queues to be empty", stack.quiet)
    expect(stack.google.event(event)["summary"] != "Weekly with cake", "an occurrence's name went to the series")


def conflict(stack, example):
    """The same field edited on both sides before either heard of the other: both values are shown, none is lost."""
    task = f"{example.language}-T-2"
    day = demo.tomorrow()
    example.run("put", task, "title=Offer", f"start={day}T16:00:00", f"end={day}T16:30:00", "timeZone=Europe/Zurich")
    event = example.wait("the task to be SYNCED", task, lambda row: row["event"].get("googleEventId"))["event"]["googleEventId"]
    stack.wait("the queues to be empty", stack.quiet)
    # While the worker is away both edits are made.
    stack.part("stop", "sync-worker")
    stack.google.edit(event, {"location": "Basel"})
    example.run("put", task, "location=Bern")
    stack.part("start", "sync-worker")
    row = example.wait("the conflict", task, lambda row: row["conflicts"])
    expect([(c["field"], c["crm"], c["google"]) for c in row["conflicts"]] == [("location", "Bern", "Basel")], f"the conflict is {row['conflicts']}")
    expect(row["fields"]["location"] == "Bern" and stack.google.event(event)["location"] == "Basel", "one of the versions is gone")

    example.run("put", task, "location=Olten")
    stack.wait("the user's choice in Google", lambda: stack.google.event(event)["location"] == "Olten")
    expect(not example.row(task)["conflicts"], "the conflict is still shown")


def repeated(example):
    """A consumer that reads everything again changes nothing."""
    before = example.rows()
    with contextlib.closing(sqlite3.connect(example.database, timeout=30)) as db:
        db.execute("DELETE FROM reader")
        db.commit()
    offset = example.log.stat().st_size
    with example.following():
        example.stack.wait(f"{example.language}: the repeats to be dropped", lambda: example.log.read_text()[offset:].count("again, dropped") >= 5)
    expect(example.rows() == before, f"{example.language}: reading again changed {example.rows()}")


def the_page(stack):
    """Every task-changed example of docs/crm-developers.md, sent in order to the real thing: each becomes what it says, none is refused."""
    text = (ROOT / "docs" / "crm-developers.md").read_text(encoding="utf-8")
    tasks = [json.loads(value) for value in re.findall(r"<!-- decoded: task-changed -->\n```json\n(.*?)\n```", text, re.DOTALL)]
    expect(len(tasks) >= 5, f"the page has {len(tasks)} examples")
    key = f"{demo.TENANT}/{demo.USER}"
    waiting = {}
    for task in tasks:
        expect(f"{task['tenantId']}/{task['userId']}" == key, f"an example of another user: {task}")
        stack.producer.send("task-changed", key, task)
        about = (task.get("followingTaskId") or task["taskId"], "" if task.get("followingTaskId") else task.get("occurrence", ""))
        waiting[about] = int(task["version"])

    def said():
        found = {}
        for _, record_key, _, value in list(stack.updates.records):
            update = json.loads(value)
            about = (update["taskId"], "" if update.get("splitFromTaskId") else update.get("occurrence", ""))
            if record_key == key and about in waiting:
                expect(update["kind"] == "SYNCED", f"an example of the page is answered {update}")
                found[about] = int(update["taskVersion"])
        return all(found.get(about, 0) >= version for about, version in waiting.items())
    stack.wait("every example of the page to be SYNCED", said)


def partitions(stack, examples):
    """All producers of a topic agree where a key belongs."""
    done = subprocess.run(["kcat", "-C", "-q", "-e", "-b", stack.environment["DEMO_KAFKA"], "-t", "task-changed", "-o", "beginning", "-f", "%p %k %h\\n"],
                          capture_output=True, text=True, check=True)
    used = {line.split(" ")[0] for line in done.stdout.splitlines() if line.split(" ")[1] == f"{demo.TENANT}/{demo.USER}"}
    expect(len(used) == 1, f"one user's tasks are in the partitions {sorted(used)}")
    for header in ("ce_id=", "ce_type=calbridge.tasks.changed.v1", "content-type=application/"):
        expect(done.stdout.count(header) >= 5 * len(examples), f"records lack {header}: {done.stdout}")


def built():
    """The Java example, its own tests included, as its README says. Maven keeps what it fetched."""
    done = subprocess.run(["mvn", "-q", "-B", "-ntp", "package"], cwd=ROOT / "examples" / "java", capture_output=True, text=True, check=False)
    expect(done.returncode == 0, f"mvn package: {done.stdout[-4000:]}")
    return ROOT / "examples" / "java" / "target" / "crm.jar"


def examples_of(stack, folder):
    python = [str(PYTHON), "-B", str(ROOT / "examples" / "python" / "crm.py")]
    return [Example("python", python, stack, folder), Example("java", ["java", "-jar", str(built())], stack, folder)]


def main():
    with tempfile.TemporaryDirectory() as folder, e2e_stack.running("examples") as stack:
        demo.connect(stack)
        found = examples_of(stack, folder)
        for example in found:
            print(f"\n{example.language}", flush=True)
            with example.following():
                for step in (single_task, series, occurrences_from_google, conflict):
                    step(stack, example)
                    print(f"   {step.__name__} held", flush=True)
            repeated(example)
        the_page(stack)
        partitions(stack, found)
        violations = stack.google.violations()
        expect(not violations, f"requests Google would not understand: {json.dumps(violations, indent=1)}")


if __name__ == "__main__":
    e2e_stack.run(main)
