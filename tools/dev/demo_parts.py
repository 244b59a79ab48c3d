"""What the demo is played with: a browser, Kafka and PostgreSQL through their ordinary clients, a CRM, a person in Google Calendar."""

import html.parser
import http.client
import json
import os
import subprocess
import threading
import time
import urllib.parse

LIMIT_S = 30.0


class Broken(Exception):
    """A step did not hold; the message says what was expected and what was found."""


def expect(holds, message):
    if not holds:
        raise Broken(message)


def wait_for(what, probe, limit=LIMIT_S):
    """Calls `probe` until it answers something true and returns that; Broken when the time is over."""
    until = time.monotonic() + limit
    while True:
        found = probe()
        if found:
            return found
        if time.monotonic() > until:
            raise Broken(f"waited {limit:.0f} s for {what}")
        time.sleep(0.01)


# ---- the browser ----------------------------------------------------------------------------------------------------


class Forms(html.parser.HTMLParser):
    """The forms of a page: where each goes, its fields as a browser would send them, its buttons."""

    def __init__(self, page):
        super().__init__()
        self.all, self._open = [], None
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        at = dict(attrs)
        if tag == "form":
            self._open = {"action": at.get("action", ""), "method": at.get("method", "get").lower(), "fields": [], "buttons": []}
            self.all.append(self._open)
        elif self._open and at.get("name") and tag in ("input", "button"):
            if tag == "button":
                self._open["buttons"].append((at["name"], at.get("value", "")))
            elif at.get("type") not in ("checkbox", "radio") or "checked" in at:
                self._open["fields"].append((at["name"], at.get("value", "")))

    def handle_endtag(self, tag):
        if tag == "form":
            self._open = None


class Page:
    def __init__(self, url, status, headers, body):
        self.url, self.status, self.headers, self.body = url, status, headers, body

    def header(self, name):
        return next((value for key, value in self.headers if key.lower() == name.lower()), None)

    def json(self):
        return json.loads(self.body)

    def path(self):
        return urllib.parse.urlsplit(self.url).path


class Browser:
    """Keeps cookies per host and port, follows redirects, sends forms as a browser does."""

    def __init__(self):
        self.cookies = {}

    def once(self, method, url, body=None, headers=None):
        parts = urllib.parse.urlsplit(url)
        connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=LIMIT_S)
        send = {"Accept": "text/html,application/json"}
        jar = self.cookies.setdefault(parts.netloc, {})
        if jar:
            send["Cookie"] = "; ".join(f"{name}={value}" for name, value in jar.items())
        send.update(headers or {})
        target = (parts.path or "/") + ("?" + parts.query if parts.query else "")
        connection.request(method, target, body=body, headers=send)
        response = connection.getresponse()
        text = response.read().decode("utf-8", "replace")
        fields = response.getheaders()
        connection.close()
        for name, value in fields:
            if name.lower() == "set-cookie":
                pair, *attributes = value.split(";")
                key, _, content = pair.strip().partition("=")
                if any(a.strip().lower() == "max-age=0" for a in attributes):
                    jar.pop(key, None)
                else:
                    jar[key] = content
        return Page(url, response.status, fields, text)

    def open(self, method, url, body=None, headers=None):
        for _ in range(10):
            page = self.once(method, url, body, headers)
            if page.status not in (301, 302, 303, 307, 308):
                return page
            url = urllib.parse.urljoin(url, page.header("location"))
            if page.status in (301, 302, 303):
                method, body, headers = "GET", None, None
        raise Broken(f"more than 10 redirects, the last to {url}")

    def submit(self, page, action="", press=None, change=None, follow=True):
        """Sends the page's first form whose address holds `action`. `press`: a button (name, value); `change`: other values."""
        form = next((f for f in Forms(page.body).all if action in f["action"]), None)
        expect(form, f"{page.url} answered {page.status} and shows no form for {action or 'anything'}: {page.body[:400]}")
        fields = [(n, v) for n, v in form["fields"] if n not in (change or {})] + list((change or {}).items())
        fields += [press] if press else form["buttons"][:1]
        encoded = urllib.parse.urlencode(fields)
        url = urllib.parse.urljoin(page.url, form["action"])
        send = self.open if follow else self.once
        if form["method"] == "get":
            return send("GET", url + ("?" + encoded if encoded else ""))
        origin = "{0.scheme}://{0.netloc}".format(urllib.parse.urlsplit(page.url))
        same = urllib.parse.urlsplit(page.url).netloc == urllib.parse.urlsplit(url).netloc
        return send("POST", url, encoded, {"Content-Type": "application/x-www-form-urlencoded", "Origin": origin,
                                           "Sec-Fetch-Site": "same-origin" if same else "cross-site"})


# ---- Kafka and PostgreSQL, through their ordinary clients --------------------------------------------------------------


class Topic:
    """Every record of a topic once, from its beginning, as (seconds received, key, headers, value)."""

    def __init__(self, brokers, name):
        self.records, self._seen, self._closed = [], set(), threading.Event()
        # The value comes last, with its size told before, so that it may hold anything.
        self._command = ["kcat", "-C", "-q", "-u", "-b", brokers, "-t", name, "-o", "beginning", "-f", "%p\\t%o\\t%S\\t%k\\t%h\\n%s\\n"]
        self._process = None
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self):
        # kcat ends when no broker is there any more; it is started again and what was seen is left out.
        while not self._closed.is_set():
            self._process = subprocess.Popen(self._command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
            out = self._process.stdout
            while line := out.readline():
                partition, offset, size, key, headers = line.rstrip(b"\n").decode().split("\t", 4)
                value = out.read(max(int(size), 0))
                out.read(1)
                if (partition, offset) not in self._seen:
                    self._seen.add((partition, offset))
                    self.records.append((time.monotonic(), key, headers, value))
            self._process.wait()
            self._closed.wait(0.5)

    def close(self):
        self._closed.set()
        if self._process:
            self._process.terminate()
        self._thread.join(5)


class Producer:
    def __init__(self, brokers):
        self.brokers = brokers

    def send(self, topic, key, value):
        """One JSON line with a key, as any Kafka client could produce it."""
        done = subprocess.run(["kcat", "-P", "-b", self.brokers, "-t", topic, "-k", key, "-X", "acks=all", "-X", "partitioner=murmur2_random"], input=json.dumps(value),
                              text=True, capture_output=True, check=False)
        expect(done.returncode == 0, f"kcat: {done.stderr.strip()}")


class Database:
    def __init__(self, conninfo):
        self.conninfo = conninfo

    def rows(self, sql, **values):
        """Rows as dictionaries. Values are given to psql as variables, which quotes them where it reads :'name'."""
        script = "".join(f"\\getenv {name} DEMO_SQL_{name}\n" for name in values)
        script += f"with r as ({sql}) select coalesce(json_agg(r), '[]') from r;\n"
        environment = dict(os.environ, **{f"DEMO_SQL_{name}": str(value) for name, value in values.items()})
        done = subprocess.run(["psql", "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", self.conninfo], input=script, text=True,
                              capture_output=True, env=environment, check=False)
        expect(done.returncode == 0, f"psql: {done.stderr.strip()}")
        return json.loads(done.stdout)

    def one(self, sql, **values):
        rows = self.rows(sql, **values)
        return rows[0] if rows else None


# ---- the three people -------------------------------------------------------------------------------------------------


# Which members of a task belong to a field that task-updates names.
MEMBERS = {"time": ("start", "end", "timeZone"), "guests": ("attendees",)}


class Crm:
    """Holds tasks, produces each change as a whole snapshot, and takes over what task-updates says, as docs/topics.md asks."""

    def __init__(self, stack, tenant, user):
        self.stack, self.key, self.tenant, self.user = stack, f"{tenant}/{user}", tenant, user
        self.tasks, self._applied, self._edited = {}, {}, {}

    def new(self, task, **fields):
        self.tasks[task] = {"tenantId": self.tenant, "userId": self.user, "taskId": task, "version": 0, **fields}
        self._produce(task)

    def edit(self, task, **fields):
        """A user's edit of some fields."""
        for name in fields:
            field = next((f for f, members in MEMBERS.items() if name in members), name)
            self._edited[task, field] = self.tasks[task]["version"] + 1
        self.tasks[task].update(fields)
        self._produce(task)

    def _produce(self, task):
        self.tasks[task]["version"] += 1
        self.stack.producer.send("task-changed", self.key, self.tasks[task])

    def updates(self, task):
        """Every update of the task so far, by sequence and without repeats; those not seen before are applied."""
        found = {}
        for _, key, _, value in list(self.stack.updates.records):
            update = json.loads(value)
            if key == self.key and update.get("taskId") == task:
                found[int(update["sequence"])] = update
        for sequence in sorted(found):
            if sequence > self._applied.get(task, 0):
                self._applied[task] = sequence
                self._apply(task, found[sequence])
        return [found[sequence] for sequence in sorted(found)]

    def last(self, task):
        """The newest sequence."""
        updates = self.updates(task)
        return int(updates[-1]["sequence"]) if updates else 0

    def _apply(self, task, update):
        held, took = self.tasks[task], False
        for field in update.get("changed", []):
            # What the user edited here after the version this was computed from is his; calbridge will hear of it.
            if self._edited.get((task, field), 0) <= int(update.get("taskVersion", 0)):
                held.update({member: update.get(member, "") for member in MEMBERS.get(field, (field,))})
                took = True
        if took:
            # As CRMs do, it announces its own new state; nothing may come of that.
            held["appliedUpdateSeq"] = int(update["sequence"])
            self._produce(task)

    def wait(self, task, what, holds, after=0):
        """The first update with a sequence above `after` for which `holds`."""
        return self.stack.wait(f"{what} on task-updates", lambda: next(
            (u for u in self.updates(task) if int(u["sequence"]) > after and holds(u)), None))


class Calendar:
    """A person in Google Calendar, through the emulator's control API."""

    def __init__(self, base, email):
        self.base, self.email = base + "/_control", email

    def call(self, method, path, body=None, missing_ok=False):
        page = Browser().once(method, self.base + path, None if body is None else json.dumps(body), {"Content-Type": "application/json"})
        if missing_ok and page.status == 404:
            return None
        expect(200 <= page.status < 300, f"the emulator answered {page.status} to {method} {path}: {page.body.strip()}")
        return page.json() if page.body.strip() else {}

    def _path(self, event):
        return f"/calendars/{urllib.parse.quote(self.email, safe='')}/events/{event}"

    def event(self, event):
        return self.call("GET", self._path(event), missing_ok=True)

    def is_there(self, event):
        held = self.event(event)
        return held is not None and held["status"] != "cancelled"

    def events(self):
        return self.call("GET", self._path("").rstrip("/"))["items"]

    def add(self, event):
        return self.call("POST", self._path("").rstrip("/"), event)

    def edit(self, event, changes):
        return self.call("PATCH", self._path(event), changes)

    def violations(self):
        return self.call("GET", "/violations")["violations"]

    def channels(self):
        return self.call("GET", "/channels")["channels"]

    def calls(self, since):
        return self.call("GET", f"/requests?since={since}")["requests"]

    def last_call(self):
        return self.call("GET", "/requests?since=0&limit=0")["last"]
