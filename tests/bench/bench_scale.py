"""What one applied change costs when the database holds 1,000, 10,000 and 100,000 connections, and then 1,000,000 channel rows: the same load each time.

Two hundred accounts are real: connected through consent, known to the emulator, used. The rest is bulk-loaded (scale_fill.sql): connections of tenants of very
different sizes, each with two calendars, channels, tasks, links, operations, mirrored events and message ids; nothing of it falls due. Loaded rows
are vacuumed and analysed, as a database that grew slowly is. At the end the filling is taken out again and the smallest size measured once more:
its two figures are the control for everything that drifts.
Cost of a change: processor time (first field of schedstat) of sync-worker and of its PostgreSQL backends over a block, from the first record to the last settled
echo, by the number of changes; and the wall time from the record, or the edit in Google, to the task-updates message, open loop.
A third of the changes are creates, a third updates of the same tasks, a third edits in Google; their number is checked at the end of each block.
What the clock's own work (webhook-ingest, channel-renewer, their backends) costs is measured in quiet and told beside it.
In one more block at the largest size PostgreSQL explains every statement of the services (auto_explain): none may scan a table that grows.
"""

import json
import os
import pathlib
import statistics
import subprocess
import time

from bench_machine import ALL_CORES, cpu_ns, progress, quantile, sleep_probe, sound, sync_probe, table
from bench_world import TENANT, World, edit_request

GOAL = 1.3
RATE = 30
BLOCK_S = 3
FILL = pathlib.Path(__file__).resolve().parent / "scale_fill.sql"
FILLED = ("operations", "events", "inbox", "task_links", "channels", "tasks", "calendars", "user_calendar_connections")
SERVICES = {"sync-worker": "calbridge_worker", "webhook-ingest": "calbridge_ingest", "channel-renewer": "calbridge_renewer"}
QUIET_S = 16
# A plan that looks at more rows than this, of a table that grows with the customers, is no look-up.
LOOK_UP_ROWS_MAX = 2000


class Bench(World):
    def __init__(self, stack, options):
        super().__init__(stack)
        self.options, self.blocks, self.filled = options, 0, 0
        self.users = [f"s{i:03}" for i in range(20 if options.quick else 200)]
        self.listen()  # long before the first record counts
        self.connect_all(self.users)

    def fill(self, connections, stopped=0):
        """Up to so many connections, the used ones among them."""
        upto = connections - len(self.users)
        began = time.monotonic()
        done = subprocess.run(["psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", "-v", f"since={self.filled}", "-v", f"upto={upto}", "-v", f"stopped={stopped}", "-f", FILL,
                               self.stack.database], capture_output=True, text=True, check=False)
        sound(done.returncode == 0, f"the filling failed: {done.stderr.strip()}")
        self.filled = upto
        self.rest()
        progress(f"filled up to {connections} connections in {time.monotonic() - began:.0f} s")

    def empty(self):
        deletes = "; ".join(f"delete from {name} where tenant_id like 'filler-%'" for name in FILLED)
        self.stack.sql(f"set session_replication_role = replica; {deletes}")
        for name in FILLED:
            self.stack.sql(f"vacuum full {name}")
        self.filled = 0
        self.rest()

    def rest(self):
        """As a database that grew slowly; and no polls or channel work while something is measured."""
        self.stack.sql("vacuum analyze")
        self.stack.sql("checkpoint")
        self.stack.sql(f"update calendars set next_poll_at = now() + interval '3 hours', channel_due_at = now() + interval '1 day' where tenant_id = '{TENANT}'")
        self.stack.sql(f"update user_calendar_connections set list_channel_due_at = now() + interval '1 day' where tenant_id = '{TENANT}'")

    # ---- processor time

    def spent(self):
        """(service or its backends) -> pid -> nanoseconds."""
        found = {service: {pid: cpu_ns([pid]) for pid in [self.stack.pid(service)]} for service in SERVICES}
        for line in self.stack.sql("select usename, pid from pg_stat_activity where usename like 'calbridge_%' and backend_type = 'client backend'").splitlines():
            role, pid = line.split("|")
            found.setdefault(role, {})[int(pid)] = cpu_ns([int(pid)])
        return found

    def between(self, before):
        """Microseconds since then, by service and role. A process that came in between counts whole; one that went would be lost, so none may."""
        out = {}
        for name, pids in self.spent().items():
            sound(name == "calbridge_gateway" or set(before.get(name, {})) <= set(pids), f"a process of {name} ended during a measurement")
            out[name] = sum(ns - before.get(name, {}).get(pid, 0) for pid, ns in pids.items()) / 1000
        return out

    # ---- one block

    def block(self):
        self.blocks += 1
        n = RATE * (1 if self.options.quick else BLOCK_S)
        tasks = [{"tenantId": TENANT, "userId": self.users[(i * 7 + self.blocks) % len(self.users)], "taskId": f"s{self.blocks:03}-{i:04}", "version": 1, "type": "call",
                  "title": f"c{self.blocks:03}x{i:04}", "description": "Go through the contract.", "status": "open", "start": f"2030-03-{1 + i % 28:02}T10:00:00",
                  "end": f"2030-03-{1 + i % 28:02}T10:30:00", "timeZone": "Europe/Zurich"} for i in range(n)]
        wanted = {task["taskId"] for task in tasks}
        self.mark()
        out, before = {"changes": 3 * n}, self.spent()
        times = self.produce(tasks, RATE, ALL_CORES)
        synced = self.told(wanted, lambda u: u["kind"] == "SYNCED", "the event")
        out["create_us"] = [synced[task["taskId"]][0] - at for task, at in zip(tasks, times)]
        for task in tasks:
            task.update(version=2, title="u" + task["title"][1:])
        times = self.produce(tasks, RATE, ALL_CORES)
        updated = self.told(wanted, lambda u: u["kind"] == "SYNCED", "the update")
        out["update_us"] = [updated[task["taskId"]][0] - at for task, at in zip(tasks, times)]
        file = self.folder / "edits"
        titles = {task["taskId"]: "e" + task["title"][1:] for task in tasks}
        with open(file, "wb") as edits:
            for task in tasks:
                edits.write(edit_request(self.port, self.email(task["userId"]), synced[task["taskId"]][1]["googleEventId"], {"summary": titles[task["taskId"]]}))
        sent = self.open_load(file, RATE, ALL_CORES)
        told = self.told(wanted, lambda u: u["kind"] == "CHANGED" and u.get("title") == titles[u["taskId"]], "the edit")
        out["edit_us"] = [told[task["taskId"]][0] - intended for task, (intended, *_) in zip(tasks, sent)]
        self.settle()
        out["cpu_us"] = {name: us / out["changes"] for name, us in self.between(before).items()}
        out["cost_us"] = out["cpu_us"]["sync-worker"] + out["cpu_us"]["calbridge_worker"]
        held = int(self.stack.sql(f"select count(*) from tasks where tenant_id = '{TENANT}' and task_id like 's{self.blocks:03}-%' and state = 'synced'"))
        sound(held == n, f"{held} of {n} tasks are in step after the block")
        out["control"] = {"fixed_work_us": fixed_work(), "sync_us": sync_probe(self.stack.folder), "sleep_late_us": sleep_probe(), "load_average": os.getloadavg()[0]}
        return out

    def quiet(self):
        """Processor time per second without any load: what the clock looks for, again and again."""
        before, began = self.spent(), time.monotonic()
        time.sleep(5 if self.options.quick else QUIET_S)
        seconds = time.monotonic() - began
        return {name: round(us / seconds, 1) for name, us in self.between(before).items()}

    def at(self, label):
        self.block()  # warms up: plans are made anew after ANALYZE
        blocks = []
        for number in range(2 if self.options.quick else 3):
            blocks.append(self.block())
            progress(f"{label}: block {number + 1}: {blocks[-1]['cost_us']:.0f} us of CPU per change, fixed work {blocks[-1]['control']['fixed_work_us']} us")
        rows = {name: int(self.stack.sql(f"select count(*) from {name}")) for name in FILLED}
        return {"label": label, "rows": rows, "blocks": blocks, "quiet_us_per_s": self.quiet()}

    # ---- plans

    def plans(self):
        """One block in which PostgreSQL writes down the plan of every statement; those that looked at many rows of a table."""
        options = {"session_preload_libraries": "auto_explain", "auto_explain.log_min_duration": "0", "auto_explain.log_nested_statements": "on", "auto_explain.log_analyze": "on",
                   "auto_explain.log_timing": "off", "auto_explain.log_format": "json"}
        for role in SERVICES.values():
            self.stack.sql("; ".join(f"alter role {role} set {name} = '{value}'" for name, value in options.items()))
        log = self.stack.folder / "postgresql" / "log"
        for service in SERVICES:
            self.stack.stop(service)
        size = log.stat().st_size
        for service in SERVICES:
            self.stack.start(service)
        self.block()
        time.sleep(1 if self.options.quick else 16)  # The slowest of the clock's questions comes every fifteen seconds.
        for service in SERVICES:
            self.stack.stop(service)
        for role in SERVICES.values():
            self.stack.sql("; ".join(f"alter role {role} reset {name}" for name in options))
        with open(log, encoding="utf-8", errors="replace") as file:
            file.seek(size)
            found = read_plans(file)
        for service in SERVICES:
            self.stack.start(service)
        sound(found["statements"] > 100, f"only {found['statements']} plans were written down")
        return found


def fixed_work():
    """Microseconds of processor time of always the same work: what a neighbour on the same core costs shows here."""
    began = time.process_time_ns()
    sum(i * i for i in range(400000))
    return (time.process_time_ns() - began) // 1000


def read_plans(lines):
    """From PostgreSQL's log: how many plans, and for each statement that looked at many rows where it did so."""
    statements, wide, plan, role = 0, {}, None, ""
    for line in lines:
        if plan is not None and line.startswith("\t"):
            plan.append(line)
            continue
        if plan:
            statements += 1
            note_wide(json.loads("".join(plan)), role, wide)
        plan = [] if line.rstrip().endswith("plan:") else None
        if plan is not None:
            role = line.split("] ")[1].split("@")[0]
    return {"statements": statements, "wide": sorted(wide.values(), key=lambda w: -w["rows"])}


def note_wide(explained, role, wide):
    def walk(node):
        loops = node.get("Actual Loops", 1)
        rows = (node.get("Actual Rows", 0) + node.get("Rows Removed by Filter", 0) + node.get("Rows Removed by Index Recheck", 0)) * loops
        if node.get("Relation Name") and rows > LOOK_UP_ROWS_MAX:
            text = " ".join(explained.get("Query Text", "").split())[:160]
            at = (role, text, node["Relation Name"], node["Node Type"])
            one = wide.setdefault(at, {"role": role, "statement": text, "table": node["Relation Name"], "node": node["Node Type"], "rows": 0, "times": 0})
            one["rows"], one["times"] = max(one["rows"], int(rows)), one["times"] + 1
        for below in node.get("Plans", []):
            walk(below)
    walk(explained["Plan"])


def run(stack_class, options):
    with stack_class("scale") as stack:
        bench = Bench(stack, options)
        try:
            sizes = sorted(options.sizes)
            found = []
            for size in sizes:
                bench.fill(size)
                found.append(bench.at(f"{size:,} connections"))
            calendars = int(stack.sql("select count(*) from calendars where tenant_id like 'filler-%'"))
            channels = int(stack.sql("select count(*) from channels"))
            bench.fill(sizes[-1], stopped=max(1, -(-(options.million - channels) // max(1, calendars))))
            found.append(bench.at(f"{sizes[-1]:,} connections, {int(stack.sql('select count(*) from channels')):,} channel rows"))
            plans = bench.plans()
            bench.empty()
            bench.fill(sizes[0])
            found.append(bench.at(f"{sizes[0]:,} connections again"))
            bench.understood()
        finally:
            bench.close()
    result = {"name": "scale", "rate": RATE, "sizes": found, "plans": {**plans, "held": not [w for w in plans["wide"] if w["role"] != "calbridge_renewer"]}, "growth": judge(found)}
    show(result)
    return result


def cost(size):
    return statistics.median(b["cost_us"] for b in size["blocks"])


def judge(found):
    """Each size beside the mean of the smallest measured first and last."""
    base = (cost(found[0]) + cost(found[-1])) / 2
    out = []
    for size in found:
        ratio = cost(size) / base
        out.append({"label": size["label"], "cost_us": round(cost(size)), "ratio": round(ratio, 3), "goal": GOAL, "held": ratio <= GOAL})
    return out


def show(result):
    rows = []
    for size, judged in zip(result["sizes"], result["growth"]):
        pooled = {name: quantile([s for b in size["blocks"] for s in b[name]], 0.5) for name in ("create_us", "update_us", "edit_us")}
        cpu = {name: statistics.median(b["cpu_us"].get(name, 0) for b in size["blocks"]) for name in ("sync-worker", "calbridge_worker", "webhook-ingest", "calbridge_ingest")}
        rows.append([size["label"], round(cpu["sync-worker"]), round(cpu["calbridge_worker"]), judged["cost_us"], judged["ratio"], judged["held"],
                     *(pooled[name] / 1000 for name in ("create_us", "update_us", "edit_us")),
                     statistics.median(b["control"]["fixed_work_us"] for b in size["blocks"]), round(statistics.median(b["control"]["sync_us"]["p50"] for b in size["blocks"]))])
    table(f"scale: {result['rate']} changes a second; CPU per applied change in us, wall p50 in ms; goal: at most {GOAL} of the smallest", ["", "worker", "its PostgreSQL", "both",
          "ratio", "held", "create ms", "update ms", "edit ms", "control: fixed work", "fdatasync"], rows)
    table("in quiet, CPU us per second", ["", "sync-worker", "its PostgreSQL", "renewer", "its PostgreSQL", "ingest and its PostgreSQL"],
          [[size["label"], *(size["quiet_us_per_s"].get(name, 0.0) for name in ("sync-worker", "calbridge_worker", "channel-renewer", "calbridge_renewer")),
            size["quiet_us_per_s"].get("webhook-ingest", 0.0) + size["quiet_us_per_s"].get("calbridge_ingest", 0.0)] for size in result["sizes"]])
    table("rows", ["", *FILLED], [[size["label"], *(size["rows"][name] for name in FILLED)] for size in result["sizes"]])
    plans = result["plans"]
    print(f"  plans of {plans['statements']:,} statements at the largest size; looked at more than {LOOK_UP_ROWS_MAX:,} rows: {len(plans['wide'])}")
    for wide in plans["wide"][:12]:
        print(f"    {wide['role']}: {wide['node']} on {wide['table']}, {wide['rows']:,} rows, {wide['times']} times: {wide['statement']}")
