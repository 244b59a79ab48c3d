"""A large calendar imported end to end, beside a binary COPY of the very rows it left; memory by size; and what kill -9 does to it.

The import: sync-worker as a process of its own reads the calendar from the emulator (another process, loopback) and writes it into PostgreSQL.
It is counted from the arrival of its first list call to the commit after which the calendar is in step (sync token stored).
The anchor: `COPY … FROM STDIN BINARY` through psql, one transaction, of exactly those rows into a table made LIKE the original INCLUDING ALL with
the same foreign keys, in the same database, right before or after. Import and COPY take turns in who goes first.
Two ratios, each COPY time / import time: `wall` holds everything; `own` leaves out the time the emulator spent on serving the pages (its own record
of it), for that part is Google's in real life. The emulator sits on the same cores, so `wall` charges us for its processor time too.
"""

import os
import random
import signal
import statistics
import time
import urllib.parse

from bench_machine import cpu_ns, family, judged, pg_test_fsync, progress, quantile, sleep_probe, sound, sync_probe, table
from bench_world import World

# pylint: disable=wrong-import-order
from demo_parts import Browser

GOAL, AIM = 0.5, 0.8
# Peak memory may grow by this much from the smallest to the largest calendar, whose pages together are a hundred times that.
MEMORY_GROWTH_MAX = 16 << 20
# Seeds the choice of pages at which the worker is killed: the same in every run.
SEED = 3
IMPORT_LIMIT_S = 400
LIST = "calendar.events.list"
# What an import of foreign events leaves behind, in the order of their foreign keys; a table without rows is left out of the comparison.
TABLES = ("events", "blocked_times")


class Bench(World):
    def __init__(self, stack, options):
        super().__init__(stack)
        self.sizes = {f"import{n}": n for n in options.events}
        self.largest = max(self.sizes, key=self.sizes.get)
        for user, events in self.sizes.items():
            self.add_user(user)
            progress(f"{events} events in the calendar of {user}")
            self.google(f"/calendars/{urllib.parse.quote(self.email(user), safe='')}/bulk", {"count": events, "every_minutes": 30, "start": "2026-12-01T08:00:00Z"})
        progress("connecting the accounts, which imports each once")
        for user, events in self.sizes.items():
            self.connect(user)
            self.imported(user)
            sound(self.rows(user) == events, f"{self.rows(user)} rows after the first import of {events} events")
        self.settle()
        self.calm()

    def rows(self, user):
        return int(self.stack.sql(f"select count(*) from events e join calendars c using (tenant_id, calendar_id) where c.google_calendar_id = '{self.email(user)}'"))

    def calm(self):
        """No polls and no channel work while something is measured."""
        self.stack.sql("update calendars set next_poll_at = now() + interval '1 hour', channel_due_at = now() + interval '1 hour'")

    def imported(self, user):
        """Waits inside PostgreSQL until the calendar is in step; microseconds of that moment."""
        mine = f"google_calendar_id = '{self.email(user)}'"
        found = self.stack.sql(f"""do $$ begin
            for i in 1..{IMPORT_LIMIT_S * 100} loop
                exit when exists (select 1 from calendars where {mine} and sync_token is not null and synced_seq >= dirty_seq);
                perform pg_sleep(0.01);
            end loop;
        end $$;
        select (extract(epoch from clock_timestamp()) * 1000000)::bigint from calendars where {mine} and sync_token is not null and synced_seq >= dirty_seq""")
        sound(found, f"the calendar of {user} was not imported within {IMPORT_LIMIT_S} s: {self.state(user)}")
        return int(found)

    def state(self, user):
        return self.stack.sql(f"select pass_id, pass_page_token is not null, retry_at, failures, last_error from calendars where google_calendar_id = '{self.email(user)}'")

    def forget(self, user):
        """As if the calendar had never been read; the worker does not run."""
        self.stack.stop("sync-worker")
        self.stack.sql(f"truncate {', '.join(TABLES)}")
        self.stack.sql(f"""update calendars set sync_token = null, sync_fingerprint = '', pass_page_token = null, pass_dirty_seq = null, dirty_seq = dirty_seq + 1,
            dirty_at = now(), lease_until = '-infinity', lease_owner = null, retry_at = null where google_calendar_id = '{self.email(user)}'""")
        self.stack.sql("checkpoint")

    def lists(self, since):
        calls = [call for call in self.requests(since) if call["call"] == LIST]
        sound(all(call["status"] == 200 for call in calls), f"list calls refused: {[c['status'] for c in calls if c['status'] != 200][:5]}")
        return calls

    # ---- what is measured

    def run_import(self, user):
        self.forget(user)
        since, _ = self.mark()
        self.stack.start("sync-worker")
        worker = self.stack.pid("sync-worker")
        ended = self.imported(user)
        with open(f"/proc/{worker}/status", encoding="ascii") as status:
            peak = next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmHWM"))
        backends = self.stack.sql("select pid from pg_stat_activity where usename = 'calbridge_worker'").split()
        cpu = {"worker": cpu_ns([worker]), "postgresql": cpu_ns(backends)}
        calls = self.lists(since)
        events = self.sizes[user]
        sound(calls and self.rows(user) == events, f"{self.rows(user)} rows after an import of {events} events")
        wall = ended - (calls[0]["at_us"] - calls[0]["ns"] // 1000)
        serving = sum(call["ns"] for call in calls) // 1000
        return {"events": events, "wall_us": wall, "serving_us": serving, "pages": len(calls), "peak_bytes": peak,
                "worker_cpu_us_per_event": round(cpu["worker"] / 1000 / events, 2), "postgresql_cpu_us_per_event": round(cpu["postgresql"] / 1000 / events, 2)}

    def prepare_copies(self):
        """Files with exactly the rows the import left, and tables like those they are in."""
        data = self.stack.sql("show data_directory")
        self.copied = {}
        for name in TABLES:
            rows = int(self.stack.sql(f"select count(*) from {name}"))
            if rows == 0:
                continue
            self.stack.sql(f"create table copy_{name} (like {name} including all)")
            keys = self.stack.sql(f"select pg_get_constraintdef(oid) from pg_constraint where conrelid = '{name}'::regclass and contype = 'f'")
            for key in keys.splitlines():
                self.stack.sql(f"alter table copy_{name} add {key}")
            self.stack.sql(f"create table bare_{name} (like {name} including all)")
            file = os.path.join(data, f"{name}.copy")
            self.stack.sql(f"copy {name} to '{file}' (format binary)")
            self.copied[name] = {"rows": rows, "file": file, "bytes": os.stat(file).st_size}
        sound("events" in self.copied, "the import left no events")

    def run_copy(self, prefix, names):
        """Microseconds of COPY … FROM STDIN BINARY of those tables' rows, as psql times them."""
        self.stack.sql("; ".join(f"truncate {prefix}_{name}" for name in names) + "; checkpoint")
        total = 0
        for name in names:
            took = self.stack.sql(f"\\timing on\n\\copy {prefix}_{name} from '{self.copied[name]['file']}' with (format binary)\n")
            total += round(float(took.split("Time:")[1].split("ms")[0]) * 1000)
            rows = int(self.stack.sql(f"select count(*) from {prefix}_{name}"))
            sound(rows == self.copied[name]["rows"], f"{rows} rows copied into {prefix}_{name}")
        return total

    def block(self, first):
        out = {}
        for part in ("import", "copy") if first == "import" else ("copy", "import"):
            if part == "import":
                out.update(self.run_import(self.largest))
            else:
                out["copy_us"] = self.run_copy("copy", ["events"])
                out["copy_all_us"] = self.run_copy("copy", list(self.copied))
                out["bare_us"] = self.run_copy("bare", ["events"])
        out["control"] = {"sync_us": sync_probe(self.stack.folder), "sleep_late_us": sleep_probe(), "load_average": os.getloadavg()[0]}
        out["ratio_wall"] = out["copy_us"] / out["wall_us"]
        out["ratio_own"] = out["copy_us"] / (out["wall_us"] - out["serving_us"])
        out["ratio_all_wall"] = out["copy_all_us"] / out["wall_us"]
        return out

    # ---- the checks

    def truth(self, user):
        """The calendar as the emulator lists it: id -> (etag, summary, start in seconds)."""
        token = self.google("/tokens", {"email": self.email(user)})["access_token"]
        found, page = {}, None
        while True:
            query = {"maxResults": 2500, "showDeleted": "true", "timeZone": "UTC", "prettyPrint": "false", "fields": "nextPageToken,items(id,etag,summary,start)"}
            if page:
                query["pageToken"] = page
            url = f"{self.emulator}/calendar/v3/calendars/{urllib.parse.quote(self.email(user), safe='')}/events?{urllib.parse.urlencode(query)}"
            answer = Browser().once("GET", url, headers={"Authorization": f"Bearer {token}"})
            sound(answer.status == 200, f"the emulator answered {answer.status} to the list for the check: {answer.body[:200]}")
            body = answer.json()
            for item in body["items"]:
                found[item["id"]] = (item["etag"], item.get("summary", ""), item["start"]["dateTime"])
            page = body.get("nextPageToken")
            if not page:
                return found

    def check(self, user):
        """Every row is as the emulator has the event; none is missing, none is too many."""
        truth = self.truth(user)
        rows = {}
        for line in self.stack.sql(f"""select google_event_id, etag, e.summary, to_char(start_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"')
            from events e join calendars c using (tenant_id, calendar_id) where c.google_calendar_id = '{self.email(user)}'""").splitlines():
            event, etag, summary, start = line.split("|")
            sound(event not in rows, f"{event} is there twice")
            rows[event] = (etag, summary, start)
        wrong = [event for event in truth if rows.get(event) != truth[event]]
        sound(rows == truth, f"{len(rows)} rows for {len(truth)} events; first differences: {[(e, truth[e], rows.get(e)) for e in wrong[:2]]}")
        return len(rows)

    def killed(self, pages, kills):
        """An import that is killed without warning while it works on chosen pages; each next worker must go on where the last commit was."""
        chance = random.Random(SEED)
        at = sorted(chance.sample(range(2, pages - 1), min(kills, pages - 3)))
        user = self.largest
        self.forget(user)
        mine = f"google_calendar_id = '{self.email(user)}'"
        passes = int(self.stack.sql(f"select pass_id from calendars where {mine}"))
        began, _ = self.mark()
        since, made, resumed, expected = began, 0, [], None
        for target in [*at, None]:
            # A crashed worker's lease must run out first; the shortest life there is keeps that short.
            self.stack.start("sync-worker", CALBRIDGE_LEASE_LIFE="5s")
            worker = self.stack.pid("sync-worker")
            if target is None:
                self.imported(user)
            else:
                self.wait(f"page {target} to be asked for", lambda at=since, want=max(1, target - made): self.stat_lists(at) >= want, IMPORT_LIMIT_S)
                time.sleep(chance.random() * 0.1)
                os.kill(worker, signal.SIGKILL)
                self.wait("the worker to be gone", lambda pid=worker: not os.path.exists(f"/proc/{pid}") or gone(pid))
            calls = self.lists(since)
            first = urllib.parse.parse_qs(calls[0]["query"]).get("pageToken", [None])[0]
            sound(first == expected, f"after a kill the worker asked for page {first!r} and not for the last committed one, {expected!r}")
            made += len(calls)
            if target is not None:
                self.wait("PostgreSQL to notice", lambda: self.stack.sql("select count(*) from pg_stat_activity where usename = 'calbridge_worker'") == "0")
                expected = self.stack.sql(f"select pass_page_token from calendars where {mine}") or None
                resumed.append({"killed_after_lists": made, "rows": self.rows(user)})
                progress(f"killed after list call {made}: {resumed[-1]['rows']} rows are committed")
            since = calls[-1]["number"]
        sound(int(self.stack.sql(f"select pass_id from calendars where {mine}")) == passes + 1, "the import began again from the start")
        # A kill may lose the page that was being written and the one read ahead of it.
        sound(pages <= made <= pages + 2 * len(at), f"{made} list calls for {pages} pages and {len(at)} kills")
        rows = self.check(user)
        return {"kills": len(at), "pages": pages, "list_calls": made, "rows": rows, "after": resumed, "held": True}

    def stat_lists(self, since):
        return sum(call["call"] == LIST for call in self.requests(since))


def gone(pid):
    """A process that ended and whose parent has not looked yet."""
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii") as stat:
            return stat.read().rsplit(")", 1)[1].split()[0] == "Z"
    except (FileNotFoundError, ProcessLookupError):
        return True


def memory(bench, rounds, found):
    """Peak resident memory of a fresh worker by size of the calendar."""
    peaks = {}
    for user, events in sorted(bench.sizes.items(), key=lambda item: item[1]):
        runs = [b["peak_bytes"] for b in found] if user == bench.largest else [bench.run_import(user)["peak_bytes"] for _ in range(rounds)]
        peaks[events] = {"lowest": min(runs), "median": statistics.median(runs), "highest": max(runs), "runs": len(runs)}
    growth = peaks[max(peaks)]["median"] - peaks[min(peaks)]["median"]
    return {"peak_bytes": peaks, "growth_bytes": growth, "growth_max_bytes": MEMORY_GROWTH_MAX, "held": growth <= MEMORY_GROWTH_MAX}


def run(stack_class, options):
    with stack_class("fullsync") as stack:
        bench = Bench(stack, options)
        try:
            progress("warming up, and taking the rows to be copied")
            bench.run_import(bench.largest)
            rows = bench.check(bench.largest)
            bench.prepare_copies()
            bench.run_copy("copy", list(bench.copied))
            blocks = []
            for number in range(options.pairs):
                block = bench.block("import" if number % 2 == 0 else "copy")
                progress(f"pair {number + 1}: import {block['wall_us'] / 1e6:.2f} s, of it emulator {block['serving_us'] / 1e6:.2f} s, COPY {block['copy_us'] / 1e6:.2f} s:"
                         f" wall {block['ratio_wall']:.2f}, own {block['ratio_own']:.2f}")
                blocks.append(block)
            bench.check(bench.largest)
            result = {"name": "fullsync", "events": bench.sizes[bench.largest], "rows_checked": rows, "pages": blocks[-1]["pages"], "blocks": blocks,
                      "copied": {name: {k: v for k, v in of.items() if k != "file"} for name, of in bench.copied.items()},
                      "wall": judged([b["ratio_wall"] for b in blocks], GOAL), "aim": AIM,
                      # Told, not judged: the goal is about the whole.
                      "own": told([b["ratio_own"] for b in blocks]), "all_rows": told([b["ratio_all_wall"] for b in blocks]),
                      "memory": memory(bench, 1 if options.quick else 2, blocks), "resumption": bench.killed(blocks[-1]["pages"], 2 if options.quick else 5),
                      "pg_test_fsync_us": None if options.quick else pg_test_fsync(stack.folder)}
            bench.understood()
        finally:
            bench.close()
    show(result)
    return result


def told(ratios):
    return {"median": round(statistics.median(ratios), 3), "lowest": round(min(ratios), 3), "highest": round(max(ratios), 3)}


def show(result):
    blocks = result["blocks"]

    def median(name):
        return statistics.median(b[name] for b in blocks)
    events = result["events"]
    table(f"fullsync: {events:,} events in {result['pages']} pages, {len(blocks)} pairs (medians)", ["", "s", "events/s"],
          [["import, wall", median("wall_us") / 1e6, round(events / median("wall_us") * 1e6)],
           ["  of it the emulator serving pages", median("serving_us") / 1e6, None],
           ["  rest", statistics.median(b["wall_us"] - b["serving_us"] for b in blocks) / 1e6, None],
           ["binary COPY of the same events, same indexes and foreign keys", median("copy_us") / 1e6, round(events / median("copy_us") * 1e6)],
           ["  of all rows the import left", median("copy_all_us") / 1e6, None],
           ["  of the events without foreign keys", median("bare_us") / 1e6, round(events / median("bare_us") * 1e6)]])
    table("COPY time / import time", ["", "median", "lowest", "highest", "pairs near", "goal", "held"],
          [["wall", *(result["wall"][k] for k in ("median", "lowest", "highest", "pairs_close", "goal", "held"))],
           ["own: without the emulator's serving", *(result["own"][k] for k in ("median", "lowest", "highest")), None, None, None],
           ["wall, all rows copied", *(result["all_rows"][k] for k in ("median", "lowest", "highest")), None, None, None]])
    table("CPU per event, us (medians)", ["", "us"], [["sync-worker, start included", float(median("worker_cpu_us_per_event"))],
                                                     ["its PostgreSQL backends", float(median("postgresql_cpu_us_per_event"))]])
    memory_ = result["memory"]
    table("peak resident memory of the worker, MiB", ["events", "median", "lowest", "highest"],
          [[f"{n:,}", *(of[k] / 2**20 for k in ("median", "lowest", "highest"))] for n, of in memory_["peak_bytes"].items()])
    print(f"  growth {memory_['growth_bytes'] / 2**20:.1f} MiB, at most {memory_['growth_max_bytes'] / 2**20:.0f}: {'held' if memory_['held'] else 'missed'}")
    r = result["resumption"]
    print(f"  killed {r['kills']} times: {r['list_calls']} list calls for {r['pages']} pages, {r['rows']:,} rows as the emulator has them, none lost, none twice")
    control = [b["control"] for b in blocks]
    print(f"  controls: fdatasync p50 {quantile([c['sync_us']['p50'] for c in control], 0.5)} us, p99 {quantile([c['sync_us']['p99'] for c in control], 0.5)} us;"
          f" sleep late p50 {quantile([c['sleep_late_us']['p50'] for c in control], 0.5)} us, p99 {quantile([c['sleep_late_us']['p99'] for c in control], 0.5)} us;"
          f" load average {min(c['load_average'] for c in control):.1f} to {max(c['load_average'] for c in control):.1f}; pg_test_fsync {result['pg_test_fsync_us']} us")
