"""The demo's steps while services die by SIGKILL in the middle of them. Afterwards nothing is lost and nothing is there twice."""

import time

import e2e_stack
from e2e_stack import SERVICES, Stack, demo, expect

QUIET_S = 3.0


class DyingStack(Stack):
    """Does what the plan says at the moments the steps announce."""

    def __init__(self, name, environment, settings):
        super().__init__(name, environment, settings)
        self.plan, self.deaths = {}, 0

    def moment(self, name):
        if name in self.plan:
            self.plan[name](self)

    def kill(self, service):
        self.part("kill", service)
        self.deaths += 1

    def start(self, service):
        self.part("start", service)
        if service == "oauth-gateway":
            self.wait_ready(service)  # the browser comes at once; everybody else comes again


def crash(service):
    def at(stack):
        print(f"   ({service} is killed and comes back)", flush=True)
        stack.kill(service)
        stack.start(service)
    return at


def die(service):
    def at(stack):
        print(f"   ({service} is killed)", flush=True)
        stack.kill(service)
    return at


def come_back(service):
    def at(stack):
        print(f"   ({service} comes back)", flush=True)
        stack.start(service)
    return at


def hold_answer(method, path):
    """The emulator does what the next such request asks and keeps its answer back for a moment."""
    def at(stack):
        stack.before_hold = stack.google.last_call()
        stack.google.call("POST", "/faults", [{"match": {"method": method, "path_contains": path}, "action": "delay", "delay_ms": 1500, "times": 1}])
    return at


def crash_in_flight(service, call):
    """Kills it after Google has done what it asked and before the answer is there."""
    def at(stack):
        stack.wait(f"{call} to be on its way", lambda: any(c["call"] == call for c in stack.google.calls(stack.before_hold)))
        crash(service)(stack)
    return at


PLANS = (
    ("sync-worker dies right after each change", {
        "task produced": crash("sync-worker"), "event moved": crash("sync-worker"), "both edited": crash("sync-worker"),
        "task cancelled": crash("sync-worker"), "channel replaced": crash("sync-worker")}),
    ("sync-worker dies while Google answers", {
        "before the task": hold_answer("POST", "/events"), "task produced": crash_in_flight("sync-worker", "calendar.events.insert"),
        "before the move": hold_answer("GET", "/events"), "event moved": crash_in_flight("sync-worker", "calendar.events.list"),
        "before both edits": hold_answer("PATCH", "/events"), "both edited": crash_in_flight("sync-worker", "calendar.events.patch"),
        "before cancelling": hold_answer("DELETE", "/events"), "task cancelled": crash_in_flight("sync-worker", "calendar.events.delete")}),
    ("webhook-ingest is dead while Google has something to say", {
        "consented": crash("webhook-ingest"),
        "before the move": die("webhook-ingest"), "event moved": come_back("webhook-ingest"),
        "before both edits": die("webhook-ingest"), "both edited": come_back("webhook-ingest"),
        "channel due": crash("webhook-ingest")}),
    ("channel-renewer dies while it opens a channel", {
        "consented": crash("channel-renewer"),
        "before the channel is due": hold_answer("POST", "/watch"), "channel due": crash_in_flight("channel-renewer", "calendar.events.watch"),
        "channel replaced": crash("channel-renewer")}),
    ("oauth-gateway dies between consent and the callback", {
        "consented": crash("oauth-gateway"), "task produced": crash("oauth-gateway"), "both edited": crash("oauth-gateway")}),
)


def check_aftermath(stack, tasks):
    """One event per living task, every update told, both sides equal, and a system that is silent once it is done."""
    for task in tasks:
        stack.settle(task)
    cancelled, living = tasks
    for task, wanted in ((cancelled, 0), (living, 1)):
        found = [e for e in stack.google.events() if f"D-{task}" in e.get("description", "").split()]
        expect(len(found) == wanted, f"{task} has {len(found)} events, not {wanted}: {[e['id'] for e in found]}")
        sequences = [int(u["sequence"]) for u in stack.crm.updates(task)]
        expect(sequences == list(range(1, len(sequences) + 1)), f"task-updates of {task} have gaps: {sequences}")
    event, held = stack.google.event(stack.second_event), stack.crm.tasks[living]
    expect(event["summary"] == held["title"] and event["start"]["dateTime"].startswith(held["start"]),
           f"the sides differ: {held['title']!r} at {held['start']}, {event['summary']!r} at {event['start']}")
    link = stack.link(living)
    expect(link["etag"] == event["etag"] and not link["has_conflict"], f"the link says {link}, the event's etag is {event['etag']}")

    before, until = stack.google.last_call(), time.monotonic() + QUIET_S
    while time.monotonic() < until:
        writes = stack.writes_to_google(before)
        expect(not writes, f"a quiet system wrote to Google: {[(c['method'], c['path']) for c in writes]}")
        time.sleep(0.1)


def main():
    with e2e_stack.running("e2e-kill", DyingStack, CALBRIDGE_CHANNEL_CLAIM="9s", CALBRIDGE_GOOGLE_CALL_TIME_MAX="4s", CALBRIDGE_LEASE_LIFE="5s", CALBRIDGE_POLL_ACTIVE="5s") as stack:
        killed = 0
        for title, plan in PLANS:
            print(f"\n==== {title}", flush=True)
            stack.plan, died = plan, stack.deaths
            stack.new_run()
            demo.play(stack)
            stack.plan = {}
            expect(stack.deaths > died, "nobody died: the plan's moments do not come")
            stack.wait_ready(*SERVICES)
            check_aftermath(stack, (stack.task, stack.second_task))
            killed += stack.deaths - died
        print(f"\n{killed} deaths")


e2e_stack.run(main)
