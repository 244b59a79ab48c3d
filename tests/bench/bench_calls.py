"""How many calls to Google a mixed trace costs, beside the least any engine could do with; and how many a quiet hour costs.

The trace (calls_trace.jsonl, written by make_calls_trace.py from a fixed seed) is played in real time against the real stack: twelve people, a CRM that takes
over what task-updates tells it, guests who answer. Spent is every request of ours in the emulator's record, whatever it is for.

The least, computed from the trace alone:
- writes: one for each step of the CRM that changes an event (create, edit, cancel, move). A save that changes nothing, and the CRM taking over a change made
  in Google, need none. No two such steps touch one task within five seconds, so none could be saved by waiting.
- lists: a push says that something changed, not what and not by whom, so a change, our own write included, is only known to be dealt with after a list that
  starts after it. Every change must be listed within a second (the engine's own rate of listing a calendar). For each calendar that is: the fewest instants
  such that every change has one in the second after it; taking the latest possible instant for the earliest change not yet covered, again and again, is
  optimal. A burst of any length within a second costs one. A move changes two calendars. Polls that fall due meanwhile are changes at their instant.
- nothing else: tokens are fresh, channels open, nothing is read back.
Quota is counted in requests (600 a minute for a user, 10,000 for a project). Older pages of Google's reference weigh a PATCH as three: both sums are given,
the second beside the least with every edit as one `update`.

The quiet hours come after it: the clocks of the services cannot be turned, so the stored ones are. Sixty times all instants in the database move two minutes
into the past in one statement (not the tokens' ends: a refresh is one call an hour whatever the engine does), and what falls due by that is worked off, with
polls looked for ten times a second. Over an hour the calls must be exactly one list of a calendar for each time its turn to be polled came. Left out by
this: timers in the memory of a service; with nothing pending there are none.
"""

import json
import pathlib
import subprocess
import time
import urllib.parse

from bench_machine import Unsound, progress, quantile, sleep_probe, sound, sync_probe, table
from bench_world import TENANT, WRITES, World, counted

# pylint: disable=wrong-import-order
from demo_parts import MEMBERS, Browser

GOAL = 1.05
LIST = "calendar.events.list"
TRACE = pathlib.Path(__file__).resolve().parent / "calls_trace.jsonl"
LISTED_WITHIN_MS = 1000
GUEST = "guest@example.org"
QUIET_STEP_S = 120
# Instants that are contents or belong to tokens: they do not move when the hour passes.
NOT_MOVED = {("user_calendar_connections", "token_expires_at")}
CONTENTS = {"events", "blocked_times", "schema_migrations"}


# ---- the arithmetic ------------------------------------------------------------------------------------------------------


def windows(changes, within):
    """The fewest windows, each beginning with a change and `within` long, that hold all of these changes (instant, what): each needs a list at its end."""
    found = []
    for at, what in sorted(changes):
        if not found or at > found[-1][0] + within:
            found.append((at, []))
        found[-1][1].append(what)
    return found


def least(steps, polls):
    """(writes by kind, windows by calendar) for the trace; polls: calendar -> instants in ms."""
    writes, changes = {}, {}
    for calendar, instants in polls.items():
        changes.setdefault(calendar, []).extend((at, "poll") for at in instants)
    for step in steps:
        do, home = step["do"], (step["user"], step.get("home", "first"))
        if do in ("create", "edit", "cancel", "move"):
            writes[do] = writes.get(do, 0) + 1
        if do != "touch":
            changes.setdefault(home, []).append((step["at"], do))
        if do == "move":
            changes.setdefault((step["user"], step["calendar"]), []).append((step["at"], do))
    return writes, {calendar: windows(of, LISTED_WITHIN_MS) for calendar, of in changes.items()}


def lists_by_cause(windows_of, lists_of):
    """What happened in a window -> [lists made from its begin to the next one's, windows]: where more than the least was spent."""
    out = {}
    for calendar, found in windows_of.items():
        for i, (begin, what) in enumerate(found):
            end = found[i + 1][0] if i + 1 < len(found) else float("inf")
            kinds = sorted(set(what))
            name = f"one {what[0]}" if len(what) == 1 else f"several: {', '.join(kinds)}" if len(what) < 10 else f"ten and more: {', '.join(kinds)}"
            one = out.setdefault(name, [0, 0])
            one[0] += sum(begin <= at < end for at in lists_of.get(calendar, []))
            one[1] += 1
    return out


def read_trace(quick):
    """The steps, each with the calendar its task is in when it comes."""
    steps = [json.loads(line) for line in TRACE.read_text(encoding="utf-8").splitlines()]
    home = {}
    for step in steps:
        if "task" in step:
            step["home"] = home.get(step["task"], "first")
            if step["do"] == "move":
                home[step["task"]] = step["calendar"]
    # Bursts of over a thousand milliseconds may hang over the end; a cut between moments leaves whole ones.
    return [step for step in steps if step["at"] < 20000] if quick else steps


# ---- playing it ----------------------------------------------------------------------------------------------------------


class Player(World):
    def __init__(self, stack, steps):
        super().__init__(stack)
        self.steps = steps
        self.users = sorted({step["user"] for step in steps})
        self.second = {}
        for user in sorted({step["user"] for step in steps if step["do"] == "move"}):
            self.add_user(user)
            self.second[user] = self.google("/calendars", {"owner": self.email(user), "summary": "Second"})["id"]
        self.listen()  # long before the first record counts
        self.connect_all(self.users)
        self.select_second()
        self.tasks, self.applied, self.events = {}, {}, {}
        self.kcat = subprocess.Popen(["kcat", "-P", "-b", stack.kafka, "-t", "task-changed", "-K", "\\t", "-X", "acks=all", "-X", "linger.ms=0", "-X",
                                      "partitioner=murmur2_random"], stdin=subprocess.PIPE, text=True)

    def close(self):
        super().close()
        self.kcat.stdin.close()
        self.kcat.wait(10)

    def select_second(self):
        """The second calendars are ticked, as on the settings page, and then imported and watched like the first."""
        if not self.second:
            return
        ids = ", ".join(f"'{calendar}'" for calendar in self.second.values())
        found = int(self.stack.sql(f"select count(*) from calendars where google_calendar_id in ({ids})"))
        sound(found == len(self.second), f"{found} of {len(self.second)} second calendars were discovered")
        self.stack.sql(f"update calendars set selected = true, dirty_seq = dirty_seq + 1, dirty_at = now() where google_calendar_id in ({ids})")
        want = len(self.users) + len(self.second)
        self.wait("the second calendars to be read and watched", lambda: int(self.stack.sql(
            "select (select count(*) from calendars where selected and sync_token is not null and synced_seq >= dirty_seq)"
            " + (select count(*) from channels where state = 'active' and verified_at is not null and calendar_id is not null)")) >= 2 * want)
        self.settle()

    def calendar(self, user, which):
        return self.second[user] if which == "second" else self.email(user)

    # The CRM's side.

    def say(self, name):
        task = self.tasks[name]
        task["version"] += 1
        self.kcat.stdin.write(f"{TENANT}/{task['userId']}\t{json.dumps(task)}\n")
        self.kcat.stdin.flush()

    def take_over(self):
        """Applies what task-updates told since the last look, each once and in order, and announces the task's new state, as docs/topics.md asks."""
        for _, _, value in self.updates.fresh():
            update = json.loads(value)
            name, sequence = update.get("taskId"), int(update["sequence"])
            if name not in self.tasks or sequence <= self.applied.get(name, 0):
                continue
            self.applied[name] = sequence
            if update.get("googleEventId"):
                self.events[name] = update["googleEventId"]
            sound(update["kind"] not in ("FAILED", "CONFLICT"), f"the trace knows no {update['kind']}: {update}")
            fields = update.get("changed", [])
            for field in fields:
                self.tasks[name].update({member: update.get(member, "") for member in MEMBERS.get(field, (field,))})
            if update["kind"] == "CANCELLED" and self.tasks[name].get("status") != "cancelled":
                self.tasks[name]["status"] = "cancelled"
                fields = ["status"]
            if fields:
                self.tasks[name]["appliedUpdateSeq"] = sequence
                self.say(name)

    # Both sides, step by step.

    def play_step(self, step):
        do, name, user = step["do"], step.get("task"), step["user"]
        if do == "create":
            self.tasks[name] = {"tenantId": TENANT, "userId": user, "taskId": name, "version": 0, "type": "meeting", "title": step["title"], "start": step["start"],
                                "end": step["end"], "timeZone": "Europe/Zurich", "status": "open", "attendees": [{"email": GUEST}]}
            self.say(name)
        elif do in ("edit", "touch", "cancel", "move"):
            self.tasks[name].update(step.get("change", {}))
            if do == "cancel":
                self.tasks[name]["status"] = "cancelled"
            if do == "move":
                self.tasks[name]["calendar"] = self.calendar(user, step["calendar"])
            self.say(name)
        elif do == "google_add":
            self.google(f"/calendars/{quoted(self.email(user))}/events", {k: step[k] for k in ("summary", "start", "end")})
        else:
            path = f"/calendars/{quoted(self.calendar(user, step['home']))}/events/{self.events[name]}"
            if do == "google_edit":
                self.google(path, step["change"], "PATCH")
            elif do == "answer":
                self.google(path + "/rsvp", {"email": GUEST, "response": step["response"]})
            elif do == "google_delete":
                self.google(path, method="DELETE")
            else:
                raise Unsound(f"the trace has an unknown step {do}")

    def play(self):
        """Plays all steps at their time; how late each was, in microseconds."""
        began, late = time.monotonic(), []
        for step in self.steps:
            while time.monotonic() < began + step["at"] / 1000:
                self.take_over()
                time.sleep(0.005)
            if step["do"] not in ("create", "google_add") and step["task"] not in self.events:
                self.wait(f"the event of {step['task']}", lambda name=step["task"]: self.take_over() or name in self.events)
            late.append(round((time.monotonic() - began) * 1e6) - step["at"] * 1000)
            self.play_step(step)
        return late

    def finish(self):
        """Until everybody has heard everything: what the CRM takes over is work again."""
        for _ in range(3):
            self.wait("every word of the CRM to be taken in", self.all_taken_in)
            self.settle()
            before = dict(self.applied)
            self.take_over()
            if before == self.applied:
                break
        time.sleep(1.5)  # A calendar may be listed once more when its budget has filled up.
        self.settle()
        self.take_over()

    def all_taken_in(self):
        self.take_over()
        versions = dict(line.split("|") for line in self.stack.sql(f"select task_id, version from tasks where tenant_id = '{TENANT}'").splitlines())
        return all(int(versions.get(name, 0)) >= task["version"] for name, task in self.tasks.items()) and set(self.tasks) <= set(self.events)

    def check(self):
        """Both sides hold the same, and the last word of either was kept."""
        for name, task in self.tasks.items():
            where = "second" if task.get("calendar") else "first"
            page = Browser().once("GET", f"{self.emulator}/_control/calendars/{quoted(self.calendar(task['userId'], where))}/events/{self.events[name]}")
            event = page.json() if page.status == 200 else {"status": "cancelled"}
            if task["status"] == "cancelled":
                sound(event["status"] == "cancelled", f"{name} was cancelled, its event is {event['status']}")
                continue
            sound(event["status"] != "cancelled", f"the event of {name} is gone")
            sound(task["title"] in event.get("summary", ""), f"{name} is {task['title']!r} in the CRM and {event.get('summary')!r} in Google")
            sound(task.get("location", "") == event.get("location", ""), f"{name} is at {task.get('location')!r} in the CRM and at {event.get('location')!r} in Google")
            sound(event["start"]["dateTime"][:16] == task["start"][:16], f"{name} begins {task['start']} in the CRM and {event['start']} in Google")
            if task.get("description"):
                sound(task["description"] in event.get("description", ""), f"{name} has another description in Google: {event.get('description')!r}")

    # Quiet hours.

    def pass_time(self, seconds, look="select 1 where false"):
        """The clock of everything stored goes on by so much; what `look` found just before."""
        columns = self.stack.sql("select table_name || '.' || column_name from information_schema.columns where table_schema = 'public' and data_type = 'timestamp with time zone'"
                                 " and table_name in (select tablename from pg_tables where schemaname = 'public')")
        tables = {}
        for line in columns.splitlines():
            name, column = line.split(".")
            if name not in CONTENTS and not name.startswith(("copy_", "bare_")) and (name, column) not in NOT_MOVED:
                tables.setdefault(name, []).append(column)
        moves = "; ".join(f"update {name} set " + ", ".join(f"{c} = {c} - interval '{seconds} seconds'" for c in sorted(of)) for name, of in sorted(tables.items()))
        # Instants that move together mean no change to the triggers.
        return self.stack.sql(f"begin; lock table calendars in share row exclusive mode; {look}; set local session_replication_role = replica; {moves}; commit").splitlines()

    def quiet_hour(self):
        """(calendar -> polls that fell due, calls to Google)."""
        polled, (since, _) = {}, self.mark()
        # A poll of this step is one whose instant was not moved yet; it is counted in the statement that moves it.
        fresh = "select google_calendar_id from calendars where last_polled_at > now() - interval '60 seconds'"
        self.pass_time(60)
        for _ in range(3600 // QUIET_STEP_S):
            for calendar in self.pass_time(QUIET_STEP_S, fresh):
                polled[calendar] = polled.get(calendar, 0) + 1
            due = "select count(*) from calendars where selected and missing_since is null and next_poll_at <= now()"
            self.wait("due calendars to be claimed", lambda: self.stack.sql(due) == "0")
            self.settle()
        for calendar in self.stack.sql(fresh).splitlines():
            polled[calendar] = polled.get(calendar, 0) + 1
        return polled, self.requests(since)


def quoted(text):
    return urllib.parse.quote(text, safe="")


def calendar_in(call):
    """Whose events a call was about."""
    return urllib.parse.unquote(call["path"].split("/calendars/")[1].split("/")[0]) if "/calendars/" in call["path"] else ""


# ---- the run -------------------------------------------------------------------------------------------------------------


def units(calls, patch):
    return sum(n * (patch if call == "calendar.events.patch" else 1) for call, n in calls.items())


def mixed(player):
    since, _ = player.mark()
    began = float(player.stack.sql("select extract(epoch from clock_timestamp())"))
    late = player.play()
    player.finish()
    player.check()
    record = player.requests(since)
    calls = counted(record)
    polls = {}
    for line in player.stack.sql(f"select google_calendar_id, (extract(epoch from last_polled_at) - {began}) * 1000 from calendars where last_polled_at > to_timestamp({began})").splitlines():
        calendar, at = line.split("|")
        polls.setdefault(calendar, []).append(float(at))
    names = {player.calendar(user, which): (user, which) for user in player.users for which in (("first", "second") if user in player.second else ("first",))}
    writes, windows_of = least(player.steps, {names[calendar]: instants for calendar, instants in polls.items()})
    lists = sum(len(found) for found in windows_of.values())
    lists_of = {}
    for call in record:
        if call["call"] == LIST:
            lists_of.setdefault(names[calendar_in(call)], []).append((call["at_us"] - call["ns"] / 1000) / 1000 - began * 1000)
    minimum = sum(writes.values()) + lists
    spent, spent_patch3 = units(calls, 1), units(calls, 3)
    failed = [(c["call"], c["status"]) for c in record if c["status"] >= 400]
    return {"steps": len(player.steps), "seconds": player.steps[-1]["at"] / 1000, "calls": dict(sorted(calls.items())), "refused": failed,
            "spent": spent, "minimum": minimum, "minimum_writes": writes, "minimum_lists": lists, "lists_by_cause": lists_by_cause(windows_of, lists_of), "polls": sum(len(p) for p in polls.values()),
            "written": sum(n for call, n in calls.items() if call in WRITES), "listed": calls.get(LIST, 0),
            "ratio": round(spent / minimum, 4), "goal": GOAL, "held": spent / minimum <= GOAL,
            "spent_patch3": spent_patch3, "ratio_patch3": round(spent_patch3 / minimum, 4),
            "step_late_us": {"p50": quantile(late, 0.5), "p99": quantile(late, 0.99)}}


def quiet(player, hours):
    found = []
    for _ in range(hours):
        polled, record = player.quiet_hour()
        calls, lists_of = counted(record), {}
        for call in record:
            if call["call"] == LIST:
                lists_of[calendar_in(call)] = lists_of.get(calendar_in(call), 0) + 1
        found.append({"polls": sum(polled.values()), "calls": calls, "calls_beyond": sum(calls.values()) - sum(polled.values()),
                      "held": lists_of == polled and set(calls) <= {LIST}})
        progress(f"a quiet hour: {sum(polled.values())} polls fell due, calls {calls}")
    return found


def run(stack_class, options):
    with stack_class("calls", CALBRIDGE_POLLS_EVERY="100ms") as stack:
        player = Player(stack, read_trace(options.quick))
        try:
            progress(f"playing {len(player.steps)} steps over {player.steps[-1]['at'] / 1000:.0f} s")
            result = {"name": "calls", "trace": mixed(player), "control": {"sync_us": sync_probe(stack.folder), "sleep_late_us": sleep_probe()}}
            progress(f"spent {result['trace']['spent']}, the least is {result['trace']['minimum']}; quiet hours")
            result["quiet_hours"] = quiet(player, 1 if options.quick else 2)
            player.understood()
        finally:
            player.close()
    show(result)
    return result


def show(result):
    t = result["trace"]
    table(f"calls: {t['steps']} steps over {t['seconds']:.0f} s, {t['polls']} polls among them", ["", "spent", "least", "ratio", "goal", "held"],
          [["units (requests)", t["spent"], t["minimum"], t["ratio"], t["goal"], t["held"]],
           ["  writes", t["written"], sum(t["minimum_writes"].values()), round(t["written"] / sum(t["minimum_writes"].values()), 3), None, None],
           ["  lists", t["listed"], t["minimum_lists"], round(t["listed"] / t["minimum_lists"], 3), None, None],
           ["units with a PATCH as three", t["spent_patch3"], t["minimum"], t["ratio_patch3"], None, None]])
    table("lists by what happened on the calendar within a second", ["", "lists", "least"], [[what, *of] for what, of in sorted(t["lists_by_cause"].items())])
    print(f"  all calls: {t['calls']}; answered with an error: {t['refused'] or 'none'}; the least counts writes {t['minimum_writes']}")
    table("quiet hours after it", ["", "polls due", "calls", "beyond the polls", "held"],
          [[f"hour {i + 1}", h["polls"], sum(h["calls"].values()), h["calls_beyond"], h["held"]] for i, h in enumerate(result["quiet_hours"])])
    c = result["control"]
    print(f"  controls: steps late p50 {t['step_late_us']['p50']} us, p99 {t['step_late_us']['p99']} us; fdatasync p50 {c['sync_us']['p50']} us; sleep late p50 {c['sleep_late_us']['p50']} us")
