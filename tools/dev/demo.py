"""The main job, step by step, on a running stack: `./dev demo` starts it and calls this.

Plays three people: the CRM (a Kafka client and nothing else), the user in the browser, and the user in Google Calendar.
Every step waits for what must come true, checks it, and prints what both sides now hold. Standard library only.
"""

import json
import os
import sys
import textwrap
import threading
import time

from demo_parts import Broken, Browser, Calendar, Crm, Database, Producer, Topic, expect, wait_for


# ---- what a step shows ------------------------------------------------------------------------------------------------


def guests_of(people, name_of_answer):
    return ", ".join(sorted(f"{p['email']} ({p[name_of_answer]})" if p.get(name_of_answer) else p["email"] for p in people or []))


def reminders_of(held):
    return ", ".join(f"{r['method']} {r['minutes']} min" for r in (held or {}).get("overrides", []))


def time_of(value):
    """An event's start or end: wall time in its zone, or a date."""
    return value.get("date") or value.get("dateTime", "")


def show(task, event):
    """Field by field, what the CRM and what Google hold."""
    event = event if event and event.get("status") != "cancelled" else {}
    rows = [
        ("id", task["taskId"], event.get("id", "no event")),
        ("title", task.get("title"), event.get("summary")),
        ("description", task.get("description"), event.get("description")),
        ("location", task.get("location"), event.get("location")),
        ("start", task.get("start"), time_of(event.get("start", {}))),
        ("end", task.get("end"), time_of(event.get("end", {}))),
        ("time zone", task.get("timeZone"), event.get("start", {}).get("timeZone")),
        ("colour", task.get("color") or f"by type {task.get('type')}", event.get("colorId")),
        ("reminders", reminders_of(task.get("reminders")), reminders_of(event.get("reminders"))),
        ("attendees", guests_of(task.get("attendees"), "response"), guests_of(event.get("attendees"), "responseStatus")),
        ("video link", "Meet wanted" if task.get("googleMeet") else "", event.get("hangoutLink")),
        ("status", task.get("status"), event.get("status")),
    ]
    print(f"   {'field':<12} {'CRM task':<38} Google event")
    for name, crm, google in rows:
        left, right = ([part for line in str(v or "-").splitlines() for part in textwrap.wrap(line, 36) or [""]] for v in (crm, google))
        for i in range(max(len(left), len(right))):
            print(f"   {name if i == 0 else '':<12} {left[i] if i < len(left) else '':<38} {right[i] if i < len(right) else ''}".rstrip())


class Steps:
    def __init__(self):
        self.number = 0

    def __call__(self, title, body):
        """Runs one step; `body` answers what to print and how long the thing itself took."""
        self.number += 1
        print(f"\n{self.number}. {title}", flush=True)
        started = time.monotonic()
        body()
        print(f"   held; the whole step took {time.monotonic() - started:.2f} s", flush=True)


def took(what, seconds):
    print(f"   {what}: {seconds * 1000:.0f} ms")


# ---- the stack and the six steps --------------------------------------------------------------------------------------

TENANT, USER, EMAIL = "acme", "anna", "anna@example.com"
LIVE_CALENDAR = ("select c.* from calendars c join user_calendar_connections u using (tenant_id, connection_id)"
                 " where c.tenant_id = :'tenant' and u.user_id = :'user' and u.status = 'active' and c.is_primary and c.selected")


class Stack:
    def __init__(self, environment):
        self.gateway, self.emulator = environment["DEMO_GATEWAY"], environment["DEMO_EMULATOR"]
        self.database = Database(environment["DEMO_DATABASE"])
        self.producer = Producer(environment["DEMO_KAFKA"])
        self.updates = Topic(environment["DEMO_KAFKA"], "task-updates")
        self.crm = Crm(self, TENANT, USER)
        self.google = Calendar(self.emulator, EMAIL)
        # Another run of the demo on the same stack gets tasks of its own.
        run = time.strftime("%m%d-%H%M%S")
        self.task, self.second_task = f"demo-{run}", f"demo-{run}-b"
        self.event = None

    def calendar(self):
        return self.database.one(LIVE_CALENDAR, tenant=TENANT, user=USER)

    def live_channels(self):
        return self.database.rows(
            "select channel_id, state, verified_at, created_at, stopped_at from channels where tenant_id = :'tenant'"
            " and calendar_id = :'calendar' and state in ('active', 'superseded')", tenant=TENANT, calendar=self.calendar()["calendar_id"])

    def link(self, task):
        return self.database.one(
            "select google_calendar_event_id as event, google_calendar_etag as etag, state, state_reason, has_conflict, base, operation_seq"
            " from task_links where tenant_id = :'tenant' and task_id = :'task' order by created_at desc limit 1", tenant=TENANT, task=task)

    def writes_to_google(self, since):
        return [c for c in self.google.calls(since) if c["call"] in
                ("calendar.events.insert", "calendar.events.patch", "calendar.events.update", "calendar.events.delete")]

    def quiet(self):
        """Nothing is left to do: every change was carried through."""
        return self.database.one(
            "select (select count(*) from tasks where tenant_id = :'tenant' and synced_seq < dirty_seq)"
            " + (select count(*) from calendars where tenant_id = :'tenant' and selected and synced_seq < dirty_seq)"
            " + (select count(*) from outbox where tenant_id = :'tenant' and status = 'pending') as left_over", tenant=TENANT)["left_over"] == 0


def next_tuesday():
    """A day at least two weeks ahead, so that nothing in the demo lies in the past."""
    day = time.time() + 14 * 86400
    while time.gmtime(day).tm_wday != 1:
        day += 86400
    return time.strftime("%Y-%m-%d", time.gmtime(day))


def meeting(day):
    return {
        "type": "meeting", "title": "Yearly review", "customer": "Rossi AG", "description": "Go through the contract.\nBring the offer.",
        "location": "Bahnhofstrasse 1, Zurich", "priority": "high", "status": "open", "contact": "Maria Rossi", "deal": "D-1042",
        "start": f"{day}T10:00:00", "end": f"{day}T11:00:00", "timeZone": "Europe/Zurich",
        "attendees": [{"email": "maria.rossi@example.org", "name": "Maria Rossi"}, {"email": "bob@example.com", "optional": True}],
        "reminders": {"overrides": [{"method": "popup", "minutes": 15}, {"method": "email", "minutes": 1440}]},
        "googleMeet": True, "sendUpdates": "all",
    }


def connect(stack):
    browser = Browser()
    started = time.monotonic()
    page = browser.open(stack.gateway + "/settings/calendar/")
    raise Broken(f"consent is not wired: {page.status}")


def create(stack):
    day, before = next_tuesday(), stack.google.last_call()
    stack.crm.tasks[stack.task] = {"tenantId": TENANT, "userId": USER, "taskId": stack.task, "version": 0, **meeting(day)}
    started = time.monotonic()
    stack.crm.save(stack.task)
    update = stack.crm.wait(stack.task, "the event's id", lambda u: u["kind"] == "SYNCED")
    took("task-changed to task-updates", time.monotonic() - started)

    stack.event = update["googleEventId"]
    event = stack.google.event(stack.event)
    expect(event, "task-updates names an event that Google does not have")
    expect(update.get("etag") and update.get("htmlLink"), f"task-updates carries no etag or no link: {update}")
    task = stack.crm.tasks[stack.task]
    expect(task["title"] in event["summary"], f"the event's title is {event['summary']!r}")
    expect("Go through the contract." in event["description"] and "D-1042" in event["description"],
           f"the description lacks its text or its footer: {event['description']!r}")
    expect(event["start"]["timeZone"] == "Europe/Zurich" and event["start"]["dateTime"].startswith(task["start"]), f"it starts {event['start']}")
    expect(event["end"]["dateTime"].startswith(task["end"]), f"it ends {event['end']}")
    expect(event.get("colorId"), "the event has no colour")
    expect(sorted((r["method"], r["minutes"]) for r in event["reminders"].get("overrides", [])) == [("email", 1440), ("popup", 15)],
           f"reminders: {event['reminders']}")
    expect({a["email"] for a in event.get("attendees", [])} >= {"maria.rossi@example.org", "bob@example.com"}, "guests are missing")
    expect(event.get("hangoutLink"), "there is no Meet link")
    inserts = [c for c in stack.writes_to_google(before) if c["call"] == "calendar.events.insert"]
    expect(len(inserts) == 1, f"{len(inserts)} insert calls for one task")
    link = stack.link(stack.task)
    expect(link["event"] == stack.event and link["state"] == "live", f"the link says {link}")
    show(task, event)


def moved(stack):
    event, last = stack.google.event(stack.event), int(stack.crm.updates(stack.task)[-1]["sequence"])
    task = stack.crm.tasks[stack.task]
    day = task["start"][:10]
    started = time.monotonic()
    stack.google.edit(stack.event, {"start": {"dateTime": f"{day}T14:30:00", "timeZone": event["start"]["timeZone"]},
                                    "end": {"dateTime": f"{day}T15:30:00", "timeZone": event["end"]["timeZone"]}})
    stack.crm.wait(stack.task, "the new time", lambda u: u["kind"] == "CHANGED" and "time" in u.get("changed", []), last)
    took("edit in Google to task-updates", time.monotonic() - started)
    expect(task["start"].startswith(f"{day}T14:30") and task["end"].startswith(f"{day}T15:30"), f"the task now is {task['start']} to {task['end']}")
    held = stack.database.one(
        "select e.start_at at time zone 'Europe/Zurich' as starts from events e join task_links l using (tenant_id, calendar_id)"
        " where l.tenant_id = :'tenant' and l.task_id = :'task' and e.google_event_id = l.google_calendar_event_id", tenant=TENANT, task=stack.task)
    expect(held and held["starts"] == f"{day}T14:30:00", f"the database says {held}")

    # The CRM stores the change and, as CRMs do, announces it: nothing may come of that.
    wait_for("the queues to be empty", stack.quiet)
    before = stack.google.last_call()
    stack.crm.save(stack.task)
    version = task["version"]
    wait_for("the announced snapshot to be absorbed", lambda: stack.database.one(
        "select 1 as yes from tasks where tenant_id = :'tenant' and task_id = :'task' and version = :'version'::bigint and synced_seq = dirty_seq",
        tenant=TENANT, task=stack.task, version=version))
    expect(not stack.writes_to_google(before), "the CRM's own announcement of the change was written back to Google")
    show(task, stack.google.event(stack.event))


def both(stack):
    last = int(stack.crm.updates(stack.task)[-1]["sequence"])
    task = stack.crm.tasks[stack.task]
    task["title"] = "Yearly review and renewal"
    started = time.monotonic()
    person = threading.Thread(target=stack.google.edit, args=(stack.event, {"location": "Room 4, second floor"}))
    person.start()
    stack.crm.save(stack.task)
    person.join()
    stack.crm.wait(stack.task, "the new place", lambda u: "location" in u.get("changed", []), last)
    wait_for("the new title in Google", lambda: task["title"] in stack.google.event(stack.event)["summary"])
    took("both edits to both sides", time.monotonic() - started)
    wait_for("the queues to be empty", stack.quiet)
    event = stack.google.event(stack.event)
    stack.crm.updates(stack.task)
    expect("renewal" in event["summary"] and event["location"] == "Room 4, second floor", f"Google holds {event['summary']!r} at {event['location']!r}")
    expect(task["title"] == "Yearly review and renewal" and task["location"] == "Room 4, second floor", "the CRM lost one of the two edits")
    link = stack.link(stack.task)
    expect(not link["has_conflict"], "edits of different fields were taken for a conflict")
    show(task, event)


def cancelled(stack):
    last = int(stack.crm.updates(stack.task)[-1]["sequence"])
    task = stack.crm.tasks[stack.task]
    task["status"] = "cancelled"
    started = time.monotonic()
    stack.crm.save(stack.task)

    def gone():
        event = stack.google.event(stack.event)
        return event is None or event["status"] == "cancelled"

    wait_for("the event to go", gone)
    took("task-changed to the event gone", time.monotonic() - started)
    stack.crm.wait(stack.task, "the end of the event", lambda u: u["kind"] in ("SYNCED", "CANCELLED"), last)
    wait_for("the link to end", lambda: stack.link(stack.task)["state"] == "ended")
    show(task, stack.google.event(stack.event))


def renewed(stack):
    day = next_tuesday()
    second = {"tenantId": TENANT, "userId": USER, "taskId": stack.second_task, "version": 0, "type": "call", "title": "Call Ms Rossi",
              "status": "open", "start": f"{day}T16:00:00", "end": f"{day}T16:30:00", "timeZone": "Europe/Zurich"}
    stack.crm.tasks[stack.second_task] = second
    stack.crm.save(stack.second_task)
    event = stack.crm.wait(stack.second_task, "the event's id", lambda u: u["kind"] == "SYNCED")["googleEventId"]
    wait_for("the queues to be empty", stack.quiet)

    old = wait_for("an active channel that has delivered", lambda: next(
        (c for c in stack.live_channels() if c["state"] == "active" and c["verified_at"]), None))
    started = time.monotonic()
    stack.database.rows("update channels set renew_at = now() where channel_id = :'id' returning channel_id", id=old["channel_id"])
    new = wait_for("the new channel", lambda: next(
        (c for c in stack.live_channels() if c["state"] == "active" and c["channel_id"] != old["channel_id"]), None))
    took("due to replaced", time.monotonic() - started)

    # A change while both are open, and one after the old one is gone: each arrives, once.
    for title in ("Call Ms Rossi at home", "Call Ms Rossi at the office"):
        last = int(stack.crm.updates(stack.second_task)[-1]["sequence"])
        edited = time.monotonic()
        stack.google.edit(event, {"summary": title})
        stack.crm.wait(stack.second_task, "the edit", lambda u: "title" in u.get("changed", []), last)
        took("edit in Google to task-updates", time.monotonic() - edited)
        wait_for("the queues to be empty", stack.quiet)
        found = [u for u in stack.crm.updates(stack.second_task) if int(u["sequence"]) > last and "title" in u.get("changed", [])]
        expect(len(found) == 1, f"one edit came {len(found)} times")
        expect(second["title"] == title, f"the task's title is {second['title']!r}")
        wait_for("the old channel to be stopped", lambda: stack.database.one(
            "select 1 as yes from channels where channel_id = :'id' and state = 'stopped'", id=old["channel_id"]))

    at_google = {c["id"]: c for c in stack.google.channels()}
    expect(at_google[new["channel_id"]]["live"], "Google does not hold the new channel")
    expect(not at_google[old["channel_id"]]["live"], "Google still holds the old channel")
    order = stack.database.one("select (select created_at from channels where channel_id = :'new') < "
                               "(select stopped_at from channels where channel_id = :'old') as overlap", new=new["channel_id"], old=old["channel_id"])
    expect(order["overlap"], "the old channel was stopped before the new one was there")
    print(f"   channel {old['channel_id']} stopped, {new['channel_id']} delivers")
    show(second, stack.google.event(event))


def main():
    stack = Stack(os.environ)
    step = Steps()
    try:
        step("An account is connected: consent, calendars, a push channel, the first import", lambda: connect(stack))
        step("A CRM task becomes a calendar event", lambda: create(stack))
        step("The event is moved in Google and the task follows", lambda: moved(stack))
        step("The task and the event are edited at the same time, in different fields", lambda: both(stack))
        step("The task is cancelled and the event goes", lambda: cancelled(stack))
        step("A push channel that is due is replaced without a gap", lambda: renewed(stack))
        violations = stack.google.violations()
        expect(not violations, f"requests Google would not understand: {json.dumps(violations, indent=1)}")
    except Broken as broken:
        print(f"\ndemo: step {step.number} did not hold: {broken}", file=sys.stderr)
        return 1
    finally:
        stack.updates.close()
    print("\nevery step held")
    return 0


if __name__ == "__main__":
    sys.exit(main())
