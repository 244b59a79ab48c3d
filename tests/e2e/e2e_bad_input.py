"""What a stranger, a broken client or a hasty user sends: refused plainly, kept out of the way, and never in anybody else's."""

import base64
import hashlib
import json
import os
import re
import subprocess
import urllib.parse

import e2e_stack
from e2e_stack import ROOT, SERVICES, Browser, demo, expect
from demo_parts import Topic
from launch_link import launch_link
from push_tap import PushTap, post_push

PUSH_PATH = "/webhooks/google"


# ---- pushes -----------------------------------------------------------------------------------------------------------


def pushes(stack, tap, hints):
    demo.connect(stack)
    stack.crm.new(stack.task, type="call", title="Bad input", start=f"{demo.tomorrow()}T10:00:00", timeZone="Europe/Zurich")
    event = stack.crm.wait(stack.task, "the event's id", lambda u: u["kind"] == "SYNCED")["googleEventId"]
    channel = stack.wait("an active channel", lambda: next((c for c in stack.channels() if c["state"] == "active"), None))["channel_id"]
    stack.google.edit(event, {"location": "Here"})
    good = stack.wait("a push to be accepted", lambda: tap.accepted(channel))
    stack.settle(stack.task)
    number = int(tap.accepted(channel)["X-Goog-Message-Number"])

    def but(**changes):
        fields = {**good, "X-Goog-Message-Number": str(number + 1000)}
        for name, value in changes.items():
            name = "X-Goog-" + name.replace("_", "-")
            fields.pop(name, None)
            if value is not None:
                fields[name] = value
        return fields

    token = good["X-Goog-Channel-Token"]
    flipped = token[:-1] + ("A" if token[-1] != "A" else "B")
    refused = {
        "nothing at all": ("POST", PUSH_PATH, {}),
        "another path": ("POST", "/", but()),
        "a GET": ("GET", PUSH_PATH, but()),
        "no token": ("POST", PUSH_PATH, but(Channel_Token=None)),
        "a forged token": ("POST", PUSH_PATH, but(Channel_Token=flipped)),
        "a token of an unknown key": ("POST", PUSH_PATH, but(Channel_Token="k9" + token[2:])),
        "an unknown channel": ("POST", PUSH_PATH, but(Channel_ID="01234567-89ab-7def-8123-456789abcdef")),
        "no channel": ("POST", PUSH_PATH, but(Channel_ID=None)),
        "another resource": ("POST", PUSH_PATH, but(Resource_ID="somebody-elses")),
        "a replay": ("POST", PUSH_PATH, {**good, "X-Goog-Message-Number": str(number)}),
        "a number that is none": ("POST", PUSH_PATH, but(Message_Number="many")),
    }
    before = len(hints.records)
    answers = {}
    for what, (method, path, fields) in refused.items():
        status, headers, body = post_push(stack.environment["DEMO_INGEST"] + path, fields, method)
        answers[what] = (status, sorted((n.lower(), v) for n, v in headers if n.lower() not in ("date", "x-request-id")), body)
        expect(status == 404, f"{what} was answered {status}, not 404")
    first = answers["nothing at all"]
    for what, answer in answers.items():
        expect(answer == first, f"{what} is answered differently: {answer} instead of {first}")

    # The good one still passes, and the refused ones left nothing before it.
    status, _, _ = post_push(stack.environment["DEMO_INGEST"] + PUSH_PATH, but())
    expect(status == 200, f"a good push after the bad ones was answered {status}")
    stack.wait("the good push on calendar-changed", lambda: len(hints.records) > before)
    expect(len(hints.records) == before + 1, f"{len(hints.records) - before} records on calendar-changed, not 1")

    # A channel that was replaced and stopped is nobody's any more.
    demo.renewed(stack)
    status, _, body = post_push(stack.environment["DEMO_INGEST"] + PUSH_PATH, but(Message_Number=str(number + 9000)))
    expect((status, body) == (404, first[2]), f"a push of a stopped channel was answered {status}")


# ---- records ----------------------------------------------------------------------------------------------------------


def produce(stack, topic, value, headers=(), compressed=False):
    """One record, whatever its bytes."""
    options = [part for header in headers for part in ("-H", header)] + (["-z", "zstd"] if compressed else [])
    done = subprocess.run(["kcat", "-P", "-b", stack.environment["DEMO_KAFKA"], "-t", topic, "-k", stack.crm.key, "-D", "\x1e",
                           "-X", "message.max.bytes=8000000", "-X", "partitioner=murmur2_random", *options], input=value,
                          capture_output=True, check=False)
    expect(done.returncode == 0, f"kcat: {done.stderr.decode()}")


def task(**fields):
    return json.dumps({"tenantId": demo.TENANT, "userId": demo.USER, "taskId": "bad", "version": 1, **fields}).encode()


def records(stack):
    poison = [
        ("task-changed", b"{", (), False),
        ("task-changed", b"{}", (), False),
        ("task-changed", b"[1,2,3]", (), False),
        ("task-changed", b"\x00\xff\xfe not protobuf \x80", (), False),
        ("task-changed", b'{"tenantId":"acme","userId":"anna","taskId":"bad","version":1,"title":"\xc3\x28"', (), False),
        ("task-changed", task(version="soon"), (), False),
        ("task-changed", task(version=0), (), False),
        ("task-changed", task(tenantId=""), (), False),
        ("task-changed", task(attendees="everybody"), (), False),
        ("task-changed", task(taskId="a/b"), (), False),
        ("task-changed", task(description="x" * 2_000_000), (), True),
        ("task-changed", task(title="fine but for its type"), ("content-type=application/xml",), False),
        ("task-changed", task(title="version 2 of the schema"), ("content-type=application/vnd.calbridge.v2",), False),
        ("calendar-changed", b"{", (), False),
        ("calendar-changed", b"\xff\xff\xff\xff", (), False),
        ("calendar-changed", b'{"tenantId":"acme","connectionId":"none","calendarId":"none","cause":"PUSH"}', (), False),
        ("calendar-changed", b'{"cause":7}', ("content-type=text/plain",), False),
    ]
    for topic, value, headers, compressed in poison:
        produce(stack, topic, value, headers, compressed)
    after = f"{stack.task}-after"
    stack.crm.new(after, type="call", title="After the poison", start=f"{demo.tomorrow()}T17:00:00", timeZone="Europe/Zurich")
    stack.crm.wait(after, "the task behind the poison", lambda u: u["kind"] == "SYNCED")

    for topic, value, _, _ in poison:
        row = stack.wait(f"{value[:40]!r} of {topic} to be quarantined", lambda t=topic, v=value: stack.database.one(
            "select source, partition, \"offset\" as at, reason, detail from quarantine where source = :'source' and encode(hash, 'hex') = :'hash'",
            source=t, hash=hashlib.sha256(v).hexdigest()))
        expect(row["partition"] is not None and row["at"] is not None and row["reason"] and row["detail"], f"quarantined without saying why: {row}")
    known = stack.database.one("select count(*) as n from tasks where task_id = 'bad'")["n"]
    expect(known == 0, "a record that cannot be read became a task")
    expect(stack.google.violations() == [], f"Google was sent something it would not understand: {stack.google.violations()}")

    # Readable, and impossible: told to the CRM in words.
    day = demo.tomorrow()
    for name, fields, reason in (("backwards", {"start": f"{day}T10:00:00", "end": f"{day}T09:00:00"}, "end_before_start"),
                                 ("nowhere", {"start": f"{day}T10:00:00", "timeZone": "Mars/Olympus"}, "unknown_zone"),
                                 ("never", {"start": "soon"}, "bad_start")):
        which = f"{stack.task}-{name}"
        stack.crm.new(which, type="call", title="Impossible", **fields)
        update = stack.crm.wait(which, f"a refusal for {reason}", lambda u: u["kind"] == "FAILED")
        expect(update["reason"] == reason and update.get("explanation"), f"{name}: {update}")


# ---- consent ----------------------------------------------------------------------------------------------------------


def consent(stack):
    def connections():
        return stack.database.one("select count(*) as n from user_calendar_connections")["n"]

    def ask(user):
        """A browser with a session, and where its Connect button led."""
        browser = Browser()
        browser.open("GET", launch_link(stack.gateway, stack.launch_key, demo.TENANT, user))
        page = browser.submit(browser.open("GET", stack.gateway + "/settings/calendar/connect/default"), action="/connect/", follow=False)
        expect(page.status == 303, f"Connect answered {page.status}")
        return browser, page.header("location")

    def agree(url, **choice):
        return stack.google.call("POST", "/consent", {"url": url, "email": "bob@example.com", **choice})["location"]

    def clear_page(page, what):
        expect(400 <= page.status < 500 and "<h1>" in page.body, f"{what} was answered {page.status}: {page.body[:300]}")
        expect(connections() == before, f"{what} stored a connection")

    before = connections()
    browser, url = ask("ben")
    location = agree(url)
    code_and_state = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(location).query))
    base = location.split("?")[0]

    def back(**changes):
        return base + "?" + urllib.parse.urlencode({**code_and_state, **changes})

    clear_page(browser.open("GET", base), "a callback without anything")
    clear_page(browser.open("GET", back(state="made-up")), "a made-up state")
    stranger, _ = ask("carla")
    clear_page(stranger.open("GET", location), "somebody else's callback")
    clear_page(Browser().open("GET", location), "a callback without a session")

    browser, url = ask("ben")
    clear_page(browser.open("GET", agree(url, deny=True)), "a denied consent")

    browser, url = ask("ben")
    clear_page(browser.open("GET", agree(url, grant=["openid", "https://www.googleapis.com/auth/userinfo.email"])), "a consent without the calendar")

    browser, url = ask("ben")
    location = agree(url)
    stack.database.rows("update consent_attempts set expires_at = now() - interval '1 second' where user_id = 'ben' returning 1 as one")
    clear_page(browser.open("GET", location), "an attempt that took too long")

    stack.google.call("POST", "/knobs", {"omit_refresh_token": True})
    browser, url = ask("ben")
    clear_page(browser.open("GET", agree(url)), "a grant without a refresh token")
    stack.google.call("POST", "/knobs", {"omit_refresh_token": False})

    link = launch_link(stack.gateway, base64.b64encode(b"not the key, yet long enough for one").decode(), demo.TENANT, "ben")
    page = Browser().open("GET", link)
    expect(400 <= page.status < 500, f"a launch link signed with another key was answered {page.status}")

    browser, url = ask("ben")
    location = agree(url)
    page = browser.open("GET", location)
    expect(page.status == 200 and connections() == before + 1, f"a good consent after all that was answered {page.status}: {page.body[:300]}")
    before = connections()
    clear_page(browser.open("GET", location), "the same callback once more")


# ---- settings ---------------------------------------------------------------------------------------------------------


def settings(stack):
    binaries = os.environ.get("CALBRIDGE_BINARY_DIR", str(ROOT / "build/dev/bin"))
    required = {
        "oauth-gateway": {"CALBRIDGE_PUBLIC_URL", "CALBRIDGE_DATABASE_URL", "CALBRIDGE_KAFKA_BROKERS", "CALBRIDGE_KEY_RING", "CALBRIDGE_LAUNCH_KEY"},
        "webhook-ingest": {"CALBRIDGE_CHANNEL_KEYS", "CALBRIDGE_DATABASE_URL", "CALBRIDGE_KAFKA_BROKERS"},
        "sync-worker": {"CALBRIDGE_DATABASE_URL", "CALBRIDGE_KAFKA_BROKERS", "CALBRIDGE_KEY_RING"},
        "channel-renewer": {"CALBRIDGE_DATABASE_URL", "CALBRIDGE_KAFKA_BROKERS", "CALBRIDGE_KEY_RING", "CALBRIDGE_CHANNEL_KEYS"},
    }
    for service in SERVICES:
        wrong = {"CALBRIDGE_LOG_LEVEL": "loud", "CALBRIDGE_PRIVATE_PORT": "99999999", "CALBRIDGE_KAFKA_BROKER": "x:1", "PATH": "/usr/bin:/bin"}
        done = subprocess.run([f"{binaries}/{service}"], env=wrong, capture_output=True, text=True, timeout=20, check=False)
        said = done.stdout + done.stderr
        expect(done.returncode == 1, f"{service} with wrong settings ended with {done.returncode}: {said[:500]}")
        for name in required[service] | {"CALBRIDGE_LOG_LEVEL", "CALBRIDGE_PRIVATE_PORT", "CALBRIDGE_KAFKA_BROKER"}:
            expect(re.search(rf"\b{name}\b", said), f"{service} does not name {name}: {said[:1500]}")
    expect(all(stack.readiness(s)[0] == 200 for s in SERVICES), "the running services minded")


def main():
    tap = PushTap()
    try:
        with e2e_stack.running("e2e-bad", CALBRIDGE_PUSH_TO=tap.url) as stack:
            tap.to = stack.environment["DEMO_INGEST"]
            hints = Topic(stack.environment["DEMO_KAFKA"], "calendar-changed")
            try:
                for part in (settings, lambda s: pushes(s, tap, hints), records, consent):
                    part(stack)
            finally:
                hints.close()
    finally:
        tap.close()


e2e_stack.run(main)
