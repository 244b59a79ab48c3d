"""A stack with people in it, for the benchmarks that play a CRM and Google's side: accounts through consent, records at their time,
what was told, what the emulator saw, and when there is nothing left to do."""

import concurrent.futures
import json
import subprocess
import time
import urllib.parse

from bench_machine import TOOL, Unsound, progress, sound

# pylint: disable=wrong-import-order
from demo_parts import Browser, Broken, wait_for
from launch_link import launch_key, launch_link

TENANT = "bench"
LIMIT_S = 60
# A topic that nobody reads here.
CONTROL_TOPIC = "sync-alerts"
WRITES = ("calendar.events.insert", "calendar.events.patch", "calendar.events.update", "calendar.events.delete", "calendar.events.move")


class Stamped:
    """Every record of a topic with the microsecond it came, in a file: nothing of Python stands in the way."""

    def __init__(self, kafka, topic, file):
        self.file = open(file, "w+b")  # pylint: disable=consider-using-with
        self.kcat = subprocess.Popen(["kcat", "-C", "-q", "-u", "-b", kafka, "-t", topic, "-o", "end", "-X", "fetch.wait.max.ms=500", "-f", "%k\\t%s\\n"],
                                     stdout=subprocess.PIPE)
        self.stamp = subprocess.Popen([TOOL, "stamp"], stdin=self.kcat.stdout, stdout=self.file)
        self._read, self._rest, self.all = 0, b"", []

    def fresh(self):
        """Records since the last call: (us, key, value)."""
        with open(self.file.name, "rb") as file:
            file.seek(self._read)
            came = file.read()
        self._read += len(came)
        *lines, self._rest = (self._rest + came).split(b"\n")
        fresh = []
        for line in lines:
            at, key, value = line.split(b"\t", 2)
            fresh.append((int(at), key.decode(), value))
        return fresh

    def pids(self):
        return [self.kcat.pid, self.stamp.pid]

    def close(self):
        self.kcat.terminate()
        self.kcat.wait()
        self.stamp.wait()
        self.file.close()


def paced(kafka, topic, lines, per_second, cores):
    """Produces the lines (key, tab, value), each at its time; returns those times."""
    done = subprocess.run(["taskset", "-c", cores, TOOL, "produce", kafka, topic, CONTROL_TOPIC, str(per_second)], input="".join(line + "\n" for line in lines),
                          text=True, capture_output=True, check=False)
    sound(done.returncode == 0, f"bench-tool produce: {done.stderr.strip()}")
    return [int(at) for at in done.stdout.split()]


def edit_request(port, email, event, changes):
    """An edit by a person, as `bench-tool open` sends it."""
    body = json.dumps(changes).encode()
    path = f"/_control/calendars/{urllib.parse.quote(email, safe='')}/events/{event}"
    whole = (f"PATCH {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n").encode() + body
    return str(len(whole)).encode() + b"\n" + whole


def counted(calls):
    found = {}
    for call in calls:
        found[call["call"]] = found.get(call["call"], 0) + 1
    return found


class World:
    def __init__(self, stack):
        self.stack = stack
        self.folder = stack.folder / "bench"
        self.folder.mkdir()
        self.gateway, self.emulator = stack.environment["DEMO_GATEWAY"], stack.environment["DEMO_EMULATOR"]
        self.port = urllib.parse.urlsplit(self.emulator).port
        self.key = launch_key(str(stack.folder / "secrets"))
        self.updates, self._delivered = None, 0
        self.google("/knobs", {"quota_user_per_minute": 0, "quota_project_per_minute": 0})

    def close(self):
        if self.updates:
            self.updates.close()

    def listen(self):
        """From here on task-updates are read."""
        self.updates = Stamped(self.stack.kafka, "task-updates", self.folder / "updates")

    def google(self, path, body=None, method=None):
        page = Browser().once(method or ("GET" if body is None else "POST"), self.emulator + "/_control" + path, None if body is None else json.dumps(body),
                              {"Content-Type": "application/json"})
        sound(200 <= page.status < 300, f"the emulator answered {page.status} to {path}: {page.body.strip()}")
        return page.json() if page.body.strip() else {}

    def understood(self):
        violations = self.google("/violations")["violations"]
        sound(not violations, f"requests Google would not understand: {violations[:3]}")

    # ---- people

    @staticmethod
    def email(user):
        return f"{user}@example.com"

    def add_user(self, user):
        self.google("/users", {"email": self.email(user), "time_zone": "Europe/Zurich"})

    def connect(self, user):
        browser = Browser()
        browser.open("GET", launch_link(self.gateway, self.key, TENANT, user))
        consent = browser.submit(browser.open("GET", self.gateway + "/settings/calendar/connect/default"), action="/connect/")
        answer = browser.submit(consent, press=("decision", "allow"), change={"account": self.email(user)}, follow=False)
        page = browser.open("GET", answer.header("location"))
        sound(page.status == 200 and self.email(user) in page.body, f"{user} could not be connected: {page.url} answered {page.status}")

    def connect_all(self, users):
        progress(f"connecting {len(users)} accounts through consent")

        def one(user):
            self.add_user(user)
            self.connect(user)
        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            list(pool.map(one, users))
        ready = ("select (select count(*) from calendars c where is_primary and sync_token is not null and synced_seq >= dirty_seq)"
                 " + (select count(*) from channels h where state = 'active' and verified_at is not null and calendar_id is not null)")
        self.wait("every calendar to be imported and to have a proven channel", lambda: int(self.stack.sql(ready)) >= 2 * len(users))
        self.settle()
        # The calendar lists are watched too; their channels open after those of the calendars, and each list is read once more then.
        lists = ("select count(*) from user_calendar_connections u join channels h using (tenant_id, connection_id)"
                 " where h.kind = 'calendar_list' and h.state = 'active' and h.verified_at is not null and u.list_synced_seq >= u.list_dirty_seq")
        self.wait("every calendar list to be watched and read", lambda: int(self.stack.sql(lists)) >= len(users))
        self.settle()

    # ---- waiting

    def wait(self, what, probe, limit=LIMIT_S):
        try:
            return wait_for(what, probe, limit)
        except Broken as broken:
            raise Unsound(f"{broken}; {self.left_over()}") from broken

    def left_over(self):
        """What is not done, for whoever has to find out why."""
        tasks = self.stack.sql("select task_id, state, reason, failures, retry_at from tasks where synced_seq < dirty_seq or state not in ('synced', 'removed') limit 5")
        calendars = self.stack.sql("select google_calendar_id, dirty_seq - synced_seq, failures, last_error, retry_at from calendars where selected and synced_seq < dirty_seq limit 5")
        return f"tasks not in step: {tasks.splitlines() or 'none'}, calendars not in step: {calendars.splitlines() or 'none'}"

    def settle(self, limit=LIMIT_S):
        """Until nothing is left to do, twice in a row: pushes of our own writes are on their way for a moment."""
        # Written so that partial indexes answer it, however many rows there are.
        left = ("select (select count(*) from tasks where synced_seq < dirty_seq and calendar_id is not null)"
                " + (select count(*) from calendars where selected and synced_seq < dirty_seq) + (select count(*) from outbox where status = 'pending')")

        def quiet():
            if int(self.stack.sql(left)) > 0:
                return False
            if any(d["outcome"] in ("pending", "retrying") for d in self.google(f"/deliveries?since={self._delivered}")["deliveries"]):
                return False
            time.sleep(0.15)
            return int(self.stack.sql(left)) == 0
        self.wait("the queues to be empty", quiet, limit)

    def mark(self):
        """Forgets what happened before: (last request, last delivery)."""
        deliveries = self.google(f"/deliveries?since={self._delivered}")["deliveries"]
        if deliveries:
            self._delivered = deliveries[-1]["id"]
        return self.google("/requests?since=0&limit=0")["last"], self._delivered

    def requests(self, since):
        """Calls to Google since then; in steps, for an answer has its largest size."""
        found = []
        while True:
            some = self.google(f"/requests?since={since}&limit=2000")["requests"]
            if not some:
                return found
            found += some
            since = some[-1]["number"]

    def told(self, wanted, kind, what):
        """Waits for one update of every task for which `kind` holds; task -> (us, update)."""
        found = {}

        def all_told():
            for at, _, value in self.updates.fresh():
                update = json.loads(value)
                task = update.get("taskId")
                if task in wanted and task not in found and kind(update):
                    found[task] = (at, update)
            return len(found) >= len(wanted)
        self.wait(f"{what} of {len(wanted)} tasks on task-updates", all_told)
        return found

    def produce(self, tasks, rate, cores):
        lines = [f"{TENANT}/{task['userId']}\t{json.dumps(task)}" for task in tasks]
        return paced(self.stack.kafka, "task-changed", lines, rate, cores)

    def open_load(self, file, rate, cores):
        done = subprocess.run(["taskset", "-c", cores, TOOL, "open", str(self.port), file, str(rate)], capture_output=True, text=True, check=False)
        sound(done.returncode == 0, f"bench-tool open: {done.stderr.strip()}")
        # Answers come in another order than requests; intended times tell which is which.
        sent = sorted(tuple(map(int, line.split())) for line in done.stdout.splitlines())
        sound(all(status == 200 for _, _, _, status, _ in sent), "the emulator refused an edit")
        return sent
