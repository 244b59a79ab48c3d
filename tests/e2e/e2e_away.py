"""Kafka and PostgreSQL go away and come back: readiness says so, nobody dies, nothing is lost."""

import time

import e2e_stack
from e2e_stack import SERVICES, demo, expect
from push_tap import PushTap, post_push

PUSH_PATH = "/webhooks/google"


def create(stack, name):
    which = f"{stack.task}-{name}"
    stack.crm.new(which, type="call", title=f"Call {name}", start=f"{demo.tomorrow()}T09:00:00", timeZone="Europe/Zurich")
    return which, stack.crm.wait(which, f"the event of {name}", lambda u: u["kind"] == "SYNCED")["googleEventId"]


def edit_and_see(stack, which, event, title):
    last = stack.crm.last(which)
    stack.google.edit(event, {"summary": title})
    stack.crm.wait(which, f"the title {title!r}", lambda u: "title" in u.get("changed", []), last)
    expect(stack.crm.tasks[which]["title"] == title, f"the task's title is {stack.crm.tasks[which]['title']!r}")


def kafka_away(stack, tap):
    which, event = create(stack, "before")
    channel = stack.wait("an active channel", lambda: next((c for c in stack.channels() if c["state"] == "active"), None))["channel_id"]
    edit_and_see(stack, which, event, "Still here")
    stack.settle(which)
    stack.wait("a push to be accepted", lambda: tap.accepted(channel))
    pids = {s: stack.pid(s) for s in SERVICES}

    stack.part("stop", "kafka")
    last, seen = stack.crm.last(which), len(tap.seen)
    stack.google.edit(event, {"summary": "Edited meanwhile"})
    stack.wait("the push to be answered", lambda: len(tap.seen) > seen)
    status, push, seconds = tap.seen[seen]
    expect(status == 503, f"a good push without Kafka was answered {status}")
    expect(seconds <= 2.0, f"it took {seconds:.2f} s to say so")
    print(f"503 after {seconds:.2f} s")
    for service in ("webhook-ingest", "sync-worker"):
        stack.wait(f"{service} to say it is not ready", lambda s=service: stack.readiness(s)[0] == 503)

    stack.part("start", "kafka")
    stack.wait("the same push to be accepted", lambda: any(status == 200 for status, _ in tap.answers(push)))
    status, _, _ = post_push(stack.environment["DEMO_INGEST"] + PUSH_PATH, push)
    expect(status == 404, f"once accepted, the same number again was answered {status}")
    stack.crm.wait(which, "the edit made meanwhile", lambda u: "title" in u.get("changed", []), last)
    stack.wait_ready(*SERVICES)
    expect(pids == {s: stack.pid(s) for s in SERVICES} and all(alive(p) for p in pids.values()), "a process died with Kafka")


def alive(pid):
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8") as stat:
            return stat.read().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def postgresql_away(stack):
    which, event = create(stack, "database")
    stack.settle(which)
    last = stack.crm.last(which)
    pids = {s: stack.pid(s) for s in SERVICES}
    stack.part("stop", "postgresql")
    for service in ("oauth-gateway", "sync-worker", "channel-renewer"):
        stack.wait(f"{service} to say it is not ready", lambda s=service: stack.readiness(s)[0] == 503)
    # A task and an edit come while there is no database.
    later = f"{stack.task}-later"
    stack.crm.new(later, type="call", title="Call later", start=f"{demo.tomorrow()}T12:00:00", timeZone="Europe/Zurich")
    stack.google.edit(event, {"summary": "Edited without a database"})
    until = time.monotonic() + 5
    while time.monotonic() < until:
        expect(all(alive(p) for p in pids.values()), "a process died with PostgreSQL")
        time.sleep(0.1)
    stack.part("start", "postgresql")
    stack.wait_ready(*SERVICES)
    stack.crm.wait(later, "the task that came meanwhile", lambda u: u["kind"] == "SYNCED")
    stack.crm.wait(which, "the edit made meanwhile", lambda u: "title" in u.get("changed", []), last)
    expect(all(alive(p) for p in pids.values()), "a process died with PostgreSQL")
    create(stack, "after")
    expect(stack.google.violations() == [], f"Google was sent something it would not understand: {stack.google.violations()}")


def main():
    tap = PushTap()
    try:
        with e2e_stack.running("e2e-away", CALBRIDGE_PUSH_TO=tap.url, CALBRIDGE_LEASE_LIFE="5s") as stack:
            tap.to = stack.environment["DEMO_INGEST"]
            demo.connect(stack)
            kafka_away(stack, tap)
            postgresql_away(stack)
    finally:
        tap.close()


e2e_stack.run(main)
