"""Recurring tasks through the real services: one occurrence, this and following, the whole series, from both sides; then imports and moves."""

import datetime
import json
import urllib.parse
import zoneinfo

import e2e_stack
from e2e_stack import demo, expect

ZONE = zoneinfo.ZoneInfo("Europe/Zurich")


class Series:
    """One recurring task of the CRM, with its occurrences as the CRM names them."""

    def __init__(self, stack, task):
        self.stack, self.task, self.held, self.versions = stack, task, {}, {}
        self.first = (datetime.datetime.now(ZONE) + datetime.timedelta(days=7)).replace(hour=10, minute=0, second=0, microsecond=0, tzinfo=None)

    def start(self, n):
        return (self.first + datetime.timedelta(weeks=n)).isoformat()

    def end(self, n):
        return (self.first + datetime.timedelta(weeks=n, hours=1)).isoformat()

    def key(self, n):
        at = (self.first + datetime.timedelta(weeks=n)).replace(tzinfo=ZONE)
        return at.astimezone(datetime.timezone.utc).strftime("%Y%m%dT%H%M%SZ")

    def produce(self, occurrence="", **fields):
        name = (fields.get("followingTaskId") or self.task, occurrence if fields.get("scope") == "THIS" else "")
        self.versions[name] = self.versions.get(name, 0) + 1
        message = {"tenantId": demo.TENANT, "userId": demo.USER, "taskId": self.task, "version": self.versions[name], "type": "meeting", "title": "Weekly",
                   "status": "open", "start": self.start(0), "end": self.end(0), "timeZone": "Europe/Zurich", "recurrence": ["RRULE:FREQ=WEEKLY;COUNT=8"]}
        message.update(fields)
        if occurrence:
            message["occurrence"] = occurrence
        self.stack.producer.send("task-changed", self.stack.crm.key, message)

    def updates(self, **wanted):
        found = []
        for _, key, _, value in list(self.stack.updates.records):
            update = json.loads(value)
            if key == self.stack.crm.key and all(update.get(name, "") == value for name, value in wanted.items()):
                found.append(update)
        return found

    def wait(self, what, holds=lambda u: True, **wanted):
        wanted.setdefault("taskId", self.task)
        return self.stack.wait(f"{what} on task-updates", lambda: next((u for u in self.updates(**wanted) if holds(u)), None))

    def instance(self, event, n):
        return self.stack.google.event(f"{event}_{self.key(n)}")

    def person(self, event, n, scope, change=None, **more):
        body = {"scope": scope, **more}
        if change is not None:
            body["change"] = change
        path = f"/calendars/{urllib.parse.quote(demo.EMAIL, safe='')}/events/{event}_{self.key(n)}"
        return self.stack.google.call("POST", path + ("/edit" if change is not None else "/remove"), body)


def quiet(stack):
    stack.wait("the queues to be empty", stack.quiet)


def occurrences(stack):
    series = Series(stack, "weekly")
    series.produce()
    event = series.wait("the series", lambda u: u["kind"] == "SYNCED")["googleEventId"]
    master = stack.google.event(event)
    expect(master["recurrence"] == ["RRULE:FREQ=WEEKLY;COUNT=8"], f"the master repeats {master.get('recurrence')}")
    expect(master["start"]["timeZone"] == "Europe/Zurich", f"the master starts {master['start']}")

    # A person moves one occurrence, renames another, deletes a third.
    series.person(event, 1, "one", {"start": {"dateTime": series.start(1)[:11] + "15:00:00", "timeZone": "Europe/Zurich"},
                                    "end": {"dateTime": series.start(1)[:11] + "16:00:00", "timeZone": "Europe/Zurich"}})
    moved = series.wait("the moved occurrence", lambda u: u["kind"] == "OCCURRENCE_CHANGED", occurrence=series.start(1))
    expect("time" in moved["changed"] and moved["start"].endswith("T15:00:00"), f"the moved occurrence was told as {moved}")
    series.person(event, 2, "one", {"summary": "Weekly, with cake"})
    renamed = series.wait("the renamed occurrence", lambda u: u["kind"] == "OCCURRENCE_CHANGED", occurrence=series.start(2))
    expect(renamed["changed"] == ["title"] and renamed["title"] == "Weekly, with cake", f"the renamed occurrence was told as {renamed}")
    series.person(event, 3, "one")
    series.wait("the deleted occurrence", lambda u: u["kind"] == "CANCELLED", occurrence=series.start(3))

    # The CRM edits one and drops one.
    series.produce(series.start(4), scope="THIS", title="Weekly, by phone", start=series.start(4), end=series.end(4))
    stack.wait("the CRM's occurrence in Google", lambda: (series.instance(event, 4) or {}).get("summary") == "Weekly, by phone")
    series.produce(series.start(5), scope="THIS", status="cancelled", start=series.start(5), end=series.end(5))
    stack.wait("the dropped occurrence to go", lambda: (series.instance(event, 5) or {}).get("status") == "cancelled")

    # All of them: from the CRM, which leaves what an occurrence has of its own.
    series.produce(title="Weekly review")
    stack.wait("the new title of the series", lambda: stack.google.event(event)["summary"] == "Weekly review")
    quiet(stack)
    expect(series.instance(event, 2)["summary"] == "Weekly, with cake", "an edit of the series took an occurrence's own title")
    expect(series.instance(event, 1)["start"]["dateTime"][11:16] == "15:00", "an edit of the series moved an occurrence back")
    return series, event


def splits(stack, series, event):
    # A person splits: the CRM hears of the shorter series and of the new one, although imports are off.
    tail = series.person(event, 6, "following", {"summary": "Weekly, second half"}, new_id=True)
    cut = series.wait("the shorter series", lambda u: u["kind"] == "CHANGED" and "recurrence" in u.get("changed", []))
    expect(any("UNTIL" in line or "COUNT=6" in line for line in cut["recurrence"]), f"the shorter series repeats {cut['recurrence']}")
    taken = stack.wait(
        "the new series on task-updates", lambda: next((u for u in series.updates(splitFromTaskId=series.task) if u["kind"] == "IMPORTED"), None))
    expect(taken["title"] == "Weekly, second half" and taken["recurrence"], f"the new series was told as {taken}")
    quiet(stack)
    expect(tail is not None, "the split answered nothing")

    # The CRM splits a series of its own.
    other = Series(stack, "daily")
    other.produce(title="Stand-up", recurrence=["RRULE:FREQ=WEEKLY;COUNT=6"])
    first = other.wait("the second series", lambda u: u["kind"] == "SYNCED")["googleEventId"]
    other.produce(other.start(3), scope="THIS_AND_FOLLOWING", followingTaskId="daily-later", title="Stand-up at nine",
                  start=other.start(3)[:11] + "09:00:00", end=other.start(3)[:11] + "09:30:00", recurrence=["RRULE:FREQ=WEEKLY;COUNT=3"])
    later = other.wait("the CRM's new series", lambda u: u["kind"] == "SYNCED", taskId="daily-later")["googleEventId"]
    stack.wait("the old series to end before it", lambda: (other.instance(first, 3) or {"status": "cancelled"})["status"] == "cancelled")
    expect(later != first and stack.google.event(later)["start"]["dateTime"][11:16] == "09:00", f"the new series is {stack.google.event(later)}")
    expect((other.instance(first, 2) or {}).get("status") == "confirmed", "an occurrence before the split is gone")
    quiet(stack)


def imports_and_moves(stack):
    team = stack.google.call("POST", "/calendars", {"owner": demo.EMAIL, "summary": "Team"})["id"]
    stack.database.rows("update user_calendar_connections set calendars_read_at = null where tenant_id = :'tenant' returning 1 as one", tenant=demo.TENANT)
    stack.wait("the second calendar to be known", lambda: stack.database.one(
        "select calendar_id from calendars where tenant_id = :'tenant' and google_calendar_id = :'team'", tenant=demo.TENANT, team=team))
    stack.database.rows("update calendars set selected = true, dirty_seq = dirty_seq + 1, channel_due_at = now() where tenant_id = :'tenant'"
                        " and google_calendar_id = :'team' returning 1 as one", tenant=demo.TENANT, team=team)
    day = demo.tomorrow()
    stack.crm.new("traveller", type="meeting", title="Moves about", start=f"{day}T12:00:00", end=f"{day}T13:00:00", timeZone="Europe/Zurich", status="open")
    event = stack.crm.wait("traveller", "the event's id", lambda u: u["kind"] == "SYNCED")["googleEventId"]
    stack.settle("traveller")
    before = stack.google.last_call()
    stack.crm.edit("traveller", calendar=team)
    there = f"/calendars/{urllib.parse.quote(team, safe='')}/events/{event}"
    stack.wait("the event in the other calendar", lambda: (stack.google.call("GET", there, missing_ok=True) or {}).get("status") == "confirmed")
    calls = [c["call"] for c in stack.writes_to_google(before)]
    expect("calendar.events.move" in calls and "calendar.events.insert" not in calls and "calendar.events.delete" not in calls, f"a move was carried out by {calls}")
    stack.settle("traveller")

    # A person moves it back: the task follows and is not cancelled.
    last = stack.crm.last("traveller")
    stack.google.call("POST", there + "/move", {"to": demo.EMAIL})
    stack.wait("the link to follow", lambda: stack.database.one(
        "select google_calendar_id as at from task_links where tenant_id = :'tenant' and task_id = 'traveller' and state = 'live'", tenant=demo.TENANT)["at"] == demo.EMAIL)
    quiet(stack)
    expect(not any(u["kind"] == "CANCELLED" for u in stack.crm.updates("traveller") if int(u["sequence"]) > last), "a move in Google cancelled the task")


def main():
    with e2e_stack.running("e2e-series") as stack:
        demo.connect(stack)
        series, event = occurrences(stack)
        splits(stack, series, event)
        imports_and_moves(stack)
        quiet(stack)
        before = stack.google.last_call()
        stack.database.rows("update calendars set dirty_seq = dirty_seq + 1 where tenant_id = :'tenant' and selected returning 1 as one", tenant=demo.TENANT)
        quiet(stack)
        expect(not stack.writes_to_google(before), "a quiet system writes")
        expect(stack.google.violations() == [], f"Google was sent something it would not understand: {stack.google.violations()}")


e2e_stack.run(main)
