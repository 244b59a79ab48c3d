#!/usr/bin/env python3
"""A small CRM that keeps its tasks in step with Google Calendar through calbridge. `crm.py --help` lists what it does."""

import argparse
import datetime
import json
import os
import signal
import sys
import uuid

from confluent_kafka import Consumer, KafkaException, Producer

import rules
from store import Store


class Crm:
    """The store and the way out of it. `send` delivers a list of (key, headers, value) and returns when all are confirmed."""

    def __init__(self, store, tenant, user, send):
        self.store, self.tenant, self.user, self._send = store, tenant, user, send

    def put(self, task, occurrence, fields, send_updates=""):
        with self.store.transaction():
            row = self.store.find(task, occurrence)
            if row is None and occurrence:
                series = self.store.find(task)
                if series is None:
                    raise SystemExit(f"there is no series {task}")
                row = rules.occurrence_of(series, occurrence)
            self.store.save(rules.edit(row or rules.new_row(task), fields, now(), send_updates))
        self.flush()

    def delete(self, task, occurrence):
        with self.store.transaction():
            row = self.store.find(task, occurrence)
            if row is None:
                raise SystemExit(f"there is no task {task} {occurrence}".rstrip())
            self.store.save(rules.delete(row, now()))
        self.flush()

    def split(self, task, at, new_task, fields):
        """This and following: `new_task` goes on from `task` at that occurrence."""
        with self.store.transaction():
            series = self.store.find(task)
            if series is None or not series["fields"].get("recurrence") or self.store.find(new_task):
                raise SystemExit(f"{task} is no series, or {new_task} is there already")
            start = rules.occurrence_of(series, at)["fields"]
            taken = {**series["fields"], "start": start["start"], "end": start["end"]}
            row = rules.new_row(new_task, fields=taken, split_from=task, split_at=at)
            self.store.save(rules.edit(row, fields, now()))
            self.store.save(rules.edit(series, {"recurrence": rules.ended_before(series["fields"]["recurrence"], at)}, now()))
        self.flush()

    def take(self, update):
        """Applies one update of task-updates; returns lines to show."""
        task, occurrence = rules.place_of(update)
        with self.store.transaction():
            row, said = rules.apply(self.store.find(task, occurrence), self.store.find(task) if occurrence else None, update)
            if row is not None:
                self.store.save(row)
        if row is not None:
            self.flush()
        return said

    def flush(self):
        """Sends what was not sent yet: of each task the newest snapshot."""
        rows = [row for row in self.store.to_send() if not (row["deleted"] and row["sent_version"] == 0)]
        if not rows:
            return
        key = f"{self.tenant}/{self.user}"
        self._send([(key, headers(), json.dumps(rules.snapshot(row, self.tenant, self.user))) for row in rows])
        with self.store.transaction():
            for row in rows:
                self.store.mark_sent(row)


def now():
    return datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def headers():
    """CloudEvents 1.0, Kafka binding, binary mode."""
    return {"ce_specversion": "1.0", "ce_id": str(uuid.uuid4()), "ce_source": "/crm-example", "ce_type": "calbridge.tasks.changed.v1",
            "ce_time": now(), "content-type": "application/json"}


# ---- Kafka ------------------------------------------------------------------------------------------------------------


class Sender:
    def __init__(self, brokers):
        # librdkafka's own partitioner is not the one of Java clients; all producers of a topic must agree.
        self._producer = Producer({"bootstrap.servers": brokers, "enable.idempotence": True, "compression.type": "zstd",
                                   "partitioner": "murmur2_random", "linger.ms": 5})

    def __call__(self, messages):
        failures = []
        for key, fields, value in messages:
            self._producer.produce("task-changed", key=key, value=value, headers=list(fields.items()),
                                   on_delivery=lambda error, _: failures.append(error) if error else None)
        if self._producer.flush(30) or failures:
            raise SystemExit(f"Kafka did not take the message, it stays to be sent: {failures[0] if failures else 'no answer in 30 s'}")


def follow(crm, brokers):
    """Applies updates as they come, until SIGINT or SIGTERM."""
    stop = []
    for each in (signal.SIGINT, signal.SIGTERM):
        signal.signal(each, lambda *_: stop.append(True))
    crm.flush()
    consumer = Consumer({"bootstrap.servers": brokers, "group.id": crm.store.group(), "auto.offset.reset": "earliest", "enable.auto.commit": False})
    consumer.subscribe(["task-updates"])
    print("following task-updates", flush=True)
    try:
        while not stop:
            record = consumer.poll(0.5)
            if record is None:
                continue
            if record.error():
                if record.error().fatal():
                    raise KafkaException(record.error())
                print(record.error().str(), file=sys.stderr)  # librdkafka goes on by itself
                continue
            if record.key() == f"{crm.tenant}/{crm.user}".encode():
                for line in read(crm, record):
                    print(line, flush=True)
            # The rows are committed; what is lost here comes again and is dropped by its sequence.
            consumer.commit(record, asynchronous=False)
    finally:
        consumer.close()


def read(crm, record):
    where = f"{record.topic()}[{record.partition()}]@{record.offset()}"
    content_type = dict(record.headers() or []).get("content-type", b"application/json").decode()
    if content_type.split(";")[0].strip() != "application/json":
        raise SystemExit(f"{where} is {content_type}, and this example reads JSON: run sync-worker with CALBRIDGE_TASK_UPDATES_ENCODING=json")
    try:
        update = json.loads(record.value())
        (task, _), sequence = rules.place_of(update), int(update["sequence"])
        if not task or sequence < 1:
            raise ValueError("no task or no sequence")
    except (ValueError, KeyError, TypeError) as fault:
        return [f"{where} is no update and was set aside: {fault!r}"]
    return crm.take(update)


# ---- the command line -------------------------------------------------------------------------------------------------


def member(text):
    """NAME=VALUE; lists, objects and booleans as JSON."""
    name, equals, value = text.partition("=")
    try:
        if equals:
            return name, json.loads(value) if value[:1] in ("[", "{") or value in ("true", "false") else value
    except ValueError:
        pass
    raise argparse.ArgumentTypeError(f"{text!r} is not NAME=VALUE with a value that can be read")


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, epilog="Members are those of task-changed, for example title=Call start=2026-11-25T10:00:00.")
    parser.add_argument("--brokers", default=os.environ.get("KAFKA_BROKERS", "127.0.0.1:19092"))
    parser.add_argument("--db", default=os.environ.get("CRM_DB", "crm.db"))
    parser.add_argument("--tenant", default=os.environ.get("CRM_TENANT", "acme"))
    parser.add_argument("--user", default=os.environ.get("CRM_USER", "anna"))
    commands = parser.add_subparsers(dest="command", required=True)
    put = commands.add_parser("put", help="create or edit a task, or one occurrence of a series")
    put.add_argument("--notify", default="", choices=("none", "externalOnly", "all"), help="mail guests about this change")
    cancel = commands.add_parser("cancel", help="it does not take place")
    delete = commands.add_parser("delete", help="the task is gone for good")
    for each in (put, cancel, delete):
        each.add_argument("task")
        each.add_argument("--occurrence", default="", help="original start, as 2026-11-25T10:00:00 or 2026-11-25")
    put.add_argument("members", nargs="*", type=member, metavar="NAME=VALUE")
    split = commands.add_parser("split", help="this occurrence and those that follow become a task of their own")
    split.add_argument("task")
    split.add_argument("--at", required=True, help="the occurrence it begins with")
    split.add_argument("--as", required=True, dest="new_task", help="the new task's id")
    split.add_argument("members", nargs="*", type=member, metavar="NAME=VALUE")
    commands.add_parser("follow", help="apply updates as they come")
    commands.add_parser("list", help="show the tasks")
    said, rest = parser.parse_known_args()
    # argparse takes no members behind an option by itself.
    if rest and ("members" not in said or any(word.startswith("-") or "=" not in word for word in rest)):
        parser.error(f"not understood: {' '.join(rest)}")
    if rest:
        said.members += [member(word) for word in rest]
    return said


def main():
    said = arguments()
    store = Store(said.db)
    if said.command == "list":
        for row in store.all():
            print(json.dumps(row))
        return
    crm = Crm(store, said.tenant, said.user, Sender(said.brokers))
    if said.command == "follow":
        follow(crm, said.brokers)
    elif said.command == "put":
        crm.put(said.task, said.occurrence, dict(said.members), said.notify)
    elif said.command == "cancel":
        crm.put(said.task, said.occurrence, {"status": "cancelled"})
    elif said.command == "delete":
        crm.delete(said.task, said.occurrence)
    elif said.command == "split":
        crm.split(said.task, said.at, said.new_task, dict(said.members))


if __name__ == "__main__":
    sys.exit(main())
