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
import urllib.parse

from demo_parts import Broken, Browser, Calendar, Crm, Database, Producer, Topic, expect, wait_for
from launch_link import launch_key, launch_link


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


def took(what, seconds):
    print(f"   {what}: {seconds * 1000:.0f} ms")


# ---- the stack and the six steps --------------------------------------------------------------------------------------

TENANT, USER, EMAIL = "acme", "anna", "anna@example.com"
LIVE_CALENDAR = ("select c.* from calendars c join user_calendar_connections u using (tenant_id, connection_id)"
                 " where c.tenant_id = :'tenant' and u.user_id = :'user' and u.status = 'active' and c.is_primary and c.selected")


class Stack:
    """The parts of a running stack, as the environment names them, and one run's tasks."""

    limit = 30.0

    def __init__(self, environment):
        self.gateway, self.emulator = environment["DEMO_GATEWAY"], environment["DEMO_EMULATOR"]
        self.launch_key = launch_key(environment["DEMO_STACK"] + "/secrets")
        self.database = Database(environment["DEMO_DATABASE"])
        self.producer = Producer(environment["DEMO_KAFKA"])
        self.updates = Topic(environment["DEMO_KAFKA"], "task-updates")
        self.crm = Crm(self, TENANT, USER)
        self.google = Calendar(self.emulator, EMAIL)
        self.new_run()

    def new_run(self):
        """Another run on the same stack gets tasks of its own."""
        run = time.strftime("%m%d-%H%M%S")
        self.task, self.second_task, self.event, self.second_event = f"demo-{run}", f"demo-{run}-b", None, None

    def moment(self, name):
        """Between two things that happen; a test that ends processes in mid-step overrides it."""

    def wait(self, what, probe):
        return wait_for(what, probe, self.limit)

    def calendar(self):
        return self.database.one(LIVE_CALENDAR, tenant=TENANT, user=USER)

    def channels(self):
        return self.database.rows(
            "select h.channel_id, h.state, h.verified_at, h.created_at, h.stopped_at from channels h join (" + LIVE_CALENDAR + ") c"
            " using (tenant_id, calendar_id) order by h.created_at", tenant=TENANT, user=USER)

    def link(self, task):
        return self.database.one(
            "select google_calendar_event_id as event, google_calendar_etag as etag, state, state_reason, has_conflict"
            " from task_links where tenant_id = :'tenant' and task_id = :'task' order by created_at desc limit 1", tenant=TENANT, task=task)

    def writes_to_google(self, since):
        return [c for c in self.google.calls(since) if c["call"] in
                ("calendar.events.insert", "calendar.events.patch", "calendar.events.update", "calendar.events.delete", "calendar.events.move")]

    def quiet(self):
        """Nothing is left to do: every change was carried through and told."""
        return self.database.one(
            "select (select count(*) from tasks where tenant_id = :'tenant' and synced_seq < dirty_seq)"
            " + (select count(*) from calendars where tenant_id = :'tenant' and selected and synced_seq < dirty_seq)"
            " + (select count(*) from outbox where tenant_id = :'tenant' and status = 'pending') as left_over", tenant=TENANT)["left_over"] == 0

    def settle(self, task):
        """Until the CRM has read everything and its own announcement of that has been taken in."""
        def settled():
            self.crm.updates(task)
            return self.quiet() and self.database.one(
                "select 1 as yes from tasks where tenant_id = :'tenant' and task_id = :'task' and version = :'version'::bigint",
                tenant=TENANT, task=task, version=self.crm.tasks[task]["version"])
        self.wait("the queues to be empty", settled)


def tomorrow():
    """Not in the past, and on the page that the emulator shows first (but for a Sunday)."""
    return time.strftime("%Y-%m-%d", time.gmtime(time.time() + 86400))


def meeting(day, task):
    return {
        "type": "meeting", "title": "Yearly review", "customer": "Rossi AG", "description": "Go through the contract.\nBring the offer.",
        "location": "Bahnhofstrasse 1, Zurich", "priority": "high", "status": "open", "contact": "Maria Rossi", "deal": f"D-{task}",
        "start": f"{day}T10:00:00", "end": f"{day}T11:00:00", "timeZone": "Europe/Zurich",
        "attendees": [{"email": "maria.rossi@example.org", "name": "Maria Rossi"}, {"email": "bob@example.com", "optional": True}],
        "reminders": {"overrides": [{"method": "popup", "minutes": 15}, {"method": "email", "minutes": 1440}]},
        "googleMeet": True, "sendUpdates": "all",
    }


def connect(stack):
    if not any(e.get("summary") == "Dentist" for e in stack.google.events()):
        day = tomorrow()
        stack.google.add({"summary": "Dentist", "start": {"dateTime": f"{day}T08:00:00", "timeZone": "Europe/Zurich"},
                          "end": {"dateTime": f"{day}T08:30:00", "timeZone": "Europe/Zurich"}})
    browser = Browser()
    started = time.monotonic()
    page = browser.open("GET", launch_link(stack.gateway, stack.launch_key, TENANT, USER))
    expect("/settings/calendar/connect/default" in page.body, f"{page.url} answered {page.status} and offers no account to connect: {page.body[:400]}")
    consent = browser.submit(browser.open("GET", stack.gateway + "/settings/calendar/connect/default"), action="/connect/")
    expect(consent.url.startswith(stack.emulator), f"Connect led to {consent.url} ({consent.status}), not to Google: {consent.body[:400]}")
    question = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(consent.url).query))
    expect(question.get("response_type") == "code" and question.get("code_challenge_method") == "S256" and question.get("state"),
           f"not an authorization request with PKCE and state: {sorted(question)}")
    answer = browser.submit(consent, press=("decision", "allow"), change={"account": EMAIL}, follow=False)
    expect(answer.status in (302, 303), f"the consent page answered {answer.status}: {answer.body[:400]}")
    stack.moment("consented")
    page = browser.open("GET", answer.header("location"))
    expect(page.status == 200 and EMAIL in page.body, f"after consent {page.url} answered {page.status}: {page.body[:400]}")
    took("from the launch link to a connected account", time.monotonic() - started)

    calendar = stack.wait("the calendar to be discovered and imported", lambda: (
        lambda c: c if c and c["sync_token"] and c["synced_seq"] >= c["dirty_seq"] else None)(stack.calendar()))
    took("to the first import done", time.monotonic() - started)
    channel = stack.wait("an active push channel", lambda: next((c for c in stack.channels() if c["state"] == "active"), None))
    took("to the push channel open", time.monotonic() - started)
    expect(any(c["id"] == channel["channel_id"] and c["live"] for c in stack.google.channels()), "Google does not hold the channel")
    mirrored = stack.database.one("select count(*) as n from events where tenant_id = :'tenant' and calendar_id = :'calendar' and summary = 'Dentist' and status <> 'cancelled'",
                                  tenant=TENANT, calendar=calendar["calendar_id"])
    expect(mirrored["n"] == 1, f"the event that was in the calendar before is mirrored {mirrored['n']} times")
    tokens = stack.database.one("select encode(refresh_token, 'escape') as sealed, status from user_calendar_connections"
                                " where tenant_id = :'tenant' and user_id = :'user' and status = 'active'", tenant=TENANT, user=USER)
    expect(tokens and tokens["sealed"] and "1//" not in tokens["sealed"], "the refresh token is missing, or stored in clear")
    print(f"   calendar {calendar['google_calendar_id']} ({calendar['access_role']}, {calendar['time_zone']}), channel {channel['channel_id']}")


def create(stack):
    before = stack.google.last_call()
    started = time.monotonic()
    stack.moment("before the task")
    stack.crm.new(stack.task, **meeting(tomorrow(), stack.task))
    stack.moment("task produced")
    update = stack.crm.wait(stack.task, "the event's id", lambda u: u["kind"] == "SYNCED")
    took("task-changed to task-updates", time.monotonic() - started)

    stack.event = update["googleEventId"]
    event, task = stack.google.event(stack.event), stack.crm.tasks[stack.task]
    expect(event, "task-updates names an event that Google does not have")
    expect(update.get("etag") and update.get("htmlLink"), f"task-updates carries no etag or no link: {update}")
    expect(task["title"] in event["summary"], f"the event's title is {event['summary']!r}")
    expect("Go through the contract." in event["description"] and task["deal"] in event["description"],
           f"the description lacks its text or its footer: {event['description']!r}")
    expect(event["start"]["timeZone"] == "Europe/Zurich" and event["start"]["dateTime"].startswith(task["start"]), f"it starts {event['start']}")
    expect(event["end"]["dateTime"].startswith(task["end"]), f"it ends {event['end']}")
    expect(event.get("colorId"), "the event has no colour")
    expect(sorted((r["method"], r["minutes"]) for r in event["reminders"].get("overrides", [])) == [("email", 1440), ("popup", 15)],
           f"reminders: {event['reminders']}")
    expect({a["email"] for a in event.get("attendees", [])} >= {"maria.rossi@example.org", "bob@example.com"}, "guests are missing")
    expect(event.get("hangoutLink"), "there is no Meet link")
    inserts = [c for c in stack.writes_to_google(before) if c["call"] == "calendar.events.insert" and 200 <= c["status"] < 300]
    expect(len(inserts) == 1, f"{len(inserts)} insert calls for one task took effect")
    link = stack.link(stack.task)
    expect(link["event"] == stack.event and link["state"] == "live", f"the link says {link}")
    show(task, event)


def moved(stack):
    stack.settle(stack.task)
    event, last, task = stack.google.event(stack.event), stack.crm.last(stack.task), stack.crm.tasks[stack.task]
    day = task["start"][:10]
    stack.moment("before the move")
    started = time.monotonic()
    stack.google.edit(stack.event, {"start": {"dateTime": f"{day}T14:30:00", "timeZone": event["start"]["timeZone"]},
                                    "end": {"dateTime": f"{day}T15:30:00", "timeZone": event["end"]["timeZone"]}})
    before = stack.google.last_call()
    stack.moment("event moved")
    stack.crm.wait(stack.task, "the new time", lambda u: u["kind"] == "CHANGED" and "time" in u.get("changed", []), last)
    took("edit in Google to task-updates", time.monotonic() - started)
    expect(task["start"].startswith(f"{day}T14:30") and task["end"].startswith(f"{day}T15:30"), f"the task now is {task['start']} to {task['end']}")
    held = stack.database.one(
        "select e.start_at at time zone 'Europe/Zurich' as starts from events e join task_links l using (tenant_id, calendar_id)"
        " where l.tenant_id = :'tenant' and l.task_id = :'task' and e.google_event_id = l.google_calendar_event_id", tenant=TENANT, task=stack.task)
    expect(held and held["starts"] == f"{day}T14:30:00", f"the database says {held}")
    stack.settle(stack.task)
    expect(not stack.writes_to_google(before), "the CRM's own announcement of the change was written back to Google")
    show(task, stack.google.event(stack.event))


def both(stack):
    last, task = stack.crm.last(stack.task), stack.crm.tasks[stack.task]
    stack.moment("before both edits")
    started = time.monotonic()
    person = threading.Thread(target=stack.google.edit, args=(stack.event, {"location": "Room 4, second floor"}))
    person.start()
    stack.crm.edit(stack.task, title="Yearly review and renewal")
    person.join()
    stack.moment("both edited")
    stack.crm.wait(stack.task, "the new place", lambda u: "location" in u.get("changed", []), last)
    stack.wait("the new title in Google", lambda: task["title"] in stack.google.event(stack.event)["summary"])
    took("both edits to both sides", time.monotonic() - started)
    stack.settle(stack.task)
    event = stack.google.event(stack.event)
    expect("renewal" in event["summary"] and event["location"] == "Room 4, second floor", f"Google holds {event['summary']!r} at {event['location']!r}")
    expect(task["title"] == "Yearly review and renewal" and task["location"] == "Room 4, second floor", "the CRM lost one of the two edits")
    expect(not stack.link(stack.task)["has_conflict"], "edits of different fields were taken for a conflict")
    show(task, event)


def cancelled(stack):
    last = stack.crm.last(stack.task)
    stack.moment("before cancelling")
    started = time.monotonic()
    stack.crm.edit(stack.task, status="cancelled")
    stack.moment("task cancelled")
    stack.wait("the event to go", lambda: not stack.google.is_there(stack.event))
    took("task-changed to the event gone", time.monotonic() - started)
    stack.crm.wait(stack.task, "the end of the event", lambda u: u["kind"] in ("SYNCED", "CANCELLED"), last)
    stack.wait("the link to end", lambda: stack.link(stack.task)["state"] == "ended")
    show(stack.crm.tasks[stack.task], stack.google.event(stack.event))


def renewed(stack):
    day, task = tomorrow(), stack.second_task
    stack.crm.new(task, type="call", title="Call Ms Rossi", status="open", deal=f"D-{task}", start=f"{day}T16:00:00", end=f"{day}T16:30:00",
                  timeZone="Europe/Zurich")
    event = stack.second_event = stack.crm.wait(task, "the event's id", lambda u: u["kind"] == "SYNCED")["googleEventId"]
    stack.settle(task)

    old = stack.wait("an active channel that has delivered", lambda: next((c for c in stack.channels() if c["state"] == "active" and c["verified_at"]), None))
    stack.moment("before the channel is due")
    started = time.monotonic()
    stack.database.rows("update calendars set channel_due_at = now() where tenant_id = :'tenant' and calendar_id = :'calendar' returning 1 as one",
                        tenant=TENANT, calendar=stack.calendar()["calendar_id"])
    stack.moment("channel due")
    new = stack.wait("the new channel", lambda: next(
        (c for c in stack.channels() if c["state"] == "active" and c["channel_id"] != old["channel_id"]), None))
    took("due to replaced", time.monotonic() - started)
    stack.moment("channel replaced")

    # A change while the new one is young, and one after the old one is gone: each arrives, once.
    for title in ("Call Ms Rossi at home", "Call Ms Rossi at the office"):
        last = stack.crm.last(task)
        edited = time.monotonic()
        stack.google.edit(event, {"summary": title})
        stack.crm.wait(task, "the edit", lambda u: "title" in u.get("changed", []), last)
        took("edit in Google to task-updates", time.monotonic() - edited)
        stack.settle(task)
        found = [u for u in stack.crm.updates(task) if int(u["sequence"]) > last and "title" in u.get("changed", [])]
        expect(len(found) == 1, f"one edit came {len(found)} times")
        expect(stack.crm.tasks[task]["title"] == title, f"the task's title is {stack.crm.tasks[task]['title']!r}")
        stack.wait("the old channel to be stopped", lambda: any(
            c["channel_id"] == old["channel_id"] and c["state"] == "stopped" for c in stack.channels()))

    at_google, stopped = {c["id"]: c for c in stack.google.channels()}, {c["channel_id"]: c["stopped_at"] for c in stack.channels()}
    expect(at_google[new["channel_id"]]["live"], "Google does not hold the new channel")
    expect(not at_google[old["channel_id"]]["live"], "Google still holds the old channel")
    expect(new["created_at"] < stopped[old["channel_id"]], "the old channel was stopped before the new one was there")
    print(f"   channel {old['channel_id']} stopped, {new['channel_id']} delivers")
    show(stack.crm.tasks[task], stack.google.event(event))


STEPS = (
    ("An account is connected: consent, calendars, a push channel, the first import", connect),
    ("A CRM task becomes a calendar event", create),
    ("The event is moved in Google and the task follows", moved),
    ("The task and the event are edited at the same time, in different fields", both),
    ("The task is cancelled and the event goes", cancelled),
    ("A push channel that is due is replaced without a gap", renewed),
)


def play(stack):
    """All steps, one after the other; Broken names the step that did not hold."""
    for number, (title, body) in enumerate(STEPS, 1):
        print(f"\n{number}. {title}", flush=True)
        started = time.monotonic()
        try:
            body(stack)
        except Broken as broken:
            raise Broken(f"step {number}: {broken}") from broken
        print(f"   held; the whole step took {time.monotonic() - started:.2f} s", flush=True)
    violations = stack.google.violations()
    expect(not violations, f"requests Google would not understand: {json.dumps(violations, indent=1)}")


def main():
    stack = Stack(os.environ)
    try:
        play(stack)
    except Broken as broken:
        print(f"\ndemo: {broken}", file=sys.stderr)
        return 1
    finally:
        stack.updates.close()
    print("\nevery step held")
    return 0


if __name__ == "__main__":
    sys.exit(main())
