"""Push -> applied and task -> event, open loop, with the emulator's own time taken off; and how many calls Google gets for it."""

import json
import time

from bench_machine import LAYOUTS, pin, progress, quantile, sleep_probe, sound, sync_probe, table, family, pg_test_fsync
from bench_world import CONTROL_TOPIC, TENANT, WRITES, Stamped, World, counted, edit_request, paced

# push -> applied: what it may take above the control's fsync, in microseconds, and how many fsyncs.
GOALS = {0.5: (5000, 1), 0.99: (25000, 2)}


class Bench(World):
    def __init__(self, stack, options):
        super().__init__(stack)
        self.options = options
        self.users = [f"u{i:04}" for i in range(options.calendars)]
        self.emails = {user: self.email(user) for user in self.users}
        self.listen()  # long before the first record counts
        self.connect_all(self.users)
        self.echo = Stamped(stack.kafka, CONTROL_TOPIC, self.folder / "echo")
        self.channel_of = {c["calendar"]: c["id"] for c in self.google("/channels")["channels"] if c["live"]}
        self.block = 0

    def close(self):
        super().close()
        self.echo.close()

    # ---- one block

    def place(self, layout):
        under_test, others = LAYOUTS[layout]
        pin([self.stack.pid(p) for p in ("webhook-ingest", "sync-worker", "oauth-gateway", "channel-renewer")], under_test)
        pin([self.stack.pid("kafka"), self.stack.pid("google-emulator"), *family(self.stack.pid("postgresql")), *self.updates.pids(), *self.echo.pids()], others)
        return others

    def control(self, rate, cores):
        """Records of the same size at the same rate through Kafka alone, and the probes, in the same minute."""
        self.echo.fresh()
        lines = [f"control\t{i} {'x' * 400}" for i in range(max(20, int(rate)))]
        times = paced(self.stack.kafka, CONTROL_TOPIC, lines, rate, cores)
        came = []

        def all_came():
            came.extend(record for record in self.echo.fresh() if record[1] == "control")
            return len(came) >= len(lines)
        self.wait("the control's records", all_came)
        late = [at - times[int(value.split()[0])] for at, _, value in came]
        return {"kafka_us": summary(late), "sync_us": sync_probe(self.stack.folder), "sleep_late_us": sleep_probe()}

    def written(self, tasks, times, since, method, allowed):
        """Time from the task's intended send time to the arrival of its one call at Google, and the number of writes."""
        calls = self.requests(since)
        writes = [c for c in calls if c["call"] in WRITES]
        late = []
        for task, intended in zip(tasks, times):
            mine = [c for c in writes if task["title"] in c["body"]]
            sound(len(mine) == 1 and mine[0]["call"] in method and 200 <= mine[0]["status"] < 300,
                  f"{task['taskId']}: {[(c['call'], c['status']) for c in mine]} instead of one call")
            late.append(mine[0]["at_us"] - mine[0]["ns"] // 1000 - intended)
        sound(len(writes) == len(tasks), f"{len(writes)} writes for {len(tasks)} {allowed}")
        return late, calls

    def run_block(self, rate, cores):
        """Creates tasks, updates them, and edits their events in Google; all at this rate, spread over the calendars."""
        self.block += 1
        n = max(20, int(rate * self.options.seconds))
        tasks = []
        for i in range(n):
            user = self.users[(i + self.block * 7) % len(self.users)]
            tasks.append({"tenantId": TENANT, "userId": user, "taskId": f"b{self.block:03}-{i:04}", "version": 1, "type": "call", "title": f"c{self.block:03}x{i:04}",
                          "description": "Go through the contract.", "status": "open", "start": f"2030-03-{1 + i % 28:02}T10:00:00", "end": f"2030-03-{1 + i % 28:02}T10:30:00",
                          "timeZone": "Europe/Zurich"})
        wanted = {task["taskId"] for task in tasks}
        out = {"control": self.control(rate, cores), "n": n}

        since, _ = self.mark()
        times = self.produce(tasks, rate, cores)
        synced = self.told(wanted, lambda u: u["kind"] == "SYNCED", "the event")
        self.settle()
        out["create_us"], calls = self.written(tasks, times, since, ("calendar.events.insert",), "creates")
        out["create_told_us"] = [synced[task["taskId"]][0] - at for task, at in zip(tasks, times)]
        out["create_calls"] = counted(calls)

        since, _ = self.mark()
        for task in tasks:
            task.update(version=2, title="u" + task["title"][1:])
        times = self.produce(tasks, rate, cores)
        self.told(wanted, lambda u: u["kind"] == "SYNCED", "the update")
        self.settle()
        out["update_us"], calls = self.written(tasks, times, since, ("calendar.events.patch", "calendar.events.update"), "updates")
        out["update_calls"] = counted(calls)

        out.update(self.edits(tasks, synced, rate, cores))
        return out

    def edits(self, tasks, synced, rate, cores):
        """Edits by a person; from the intended time of each to its task-updates message, without the emulator's own time."""
        since, delivery = self.mark()
        titles = {task["taskId"]: "e" + task["title"][1:] for task in tasks}
        file = self.folder / "edits"
        with open(file, "wb") as out:
            for task in tasks:
                out.write(edit_request(self.port, self.emails[task["userId"]], synced[task["taskId"]][1]["googleEventId"], {"summary": titles[task["taskId"]]}))
        sent = self.open_load(file, rate, cores)
        told = self.told(set(titles), lambda u: u["kind"] == "CHANGED" and u.get("title") == titles[u["taskId"]], "the edit")
        self.settle()

        lists, made = {}, {}
        calls = self.requests(since)
        for call in calls:
            if call["call"] == "calendar.events.list":
                lists.setdefault(call["user"], []).append(call)
        calendar_of = {channel: calendar for calendar, channel in self.channel_of.items()}
        for delivery in self.google(f"/deliveries?since={delivery}")["deliveries"]:
            made.setdefault(calendar_of.get(delivery["channel"]), []).append(delivery["made_us"])
        whole, pushed, own, to_list, from_list = [], [], [], [], []
        for task, (intended, _, _, _, emulator_us) in zip(tasks, sent):
            email, applied = self.emails[task["userId"]], told[task["taskId"]][0]
            # The first push of that calendar at or after the edit's time is the edit's own.
            push = next((at for at in made.get(email, []) if at >= intended), None)
            sound(push is not None, f"no push of {email} after the edit of {task['taskId']}")
            during = [c for c in lists.get(email, []) if push <= c["at_us"] <= applied]
            listing = sum(c["ns"] // 1000 for c in during)
            if during:
                to_list.append(during[0]["at_us"] - during[0]["ns"] // 1000 - push)
                from_list.append(applied - during[0]["at_us"])
            own.append(emulator_us)
            whole.append(applied - intended - emulator_us - listing)
            pushed.append(applied - push - listing)
        return {"applied_us": whole, "applied_from_push_us": pushed, "push_to_list_us": to_list, "list_to_applied_us": from_list,
                "emulator_us": summary(own), "edit_calls": counted(calls)}

    # ---- bursts

    def burst(self, cores, spread):
        """A hundred pushes of one calendar, within a second or at once: list calls made, and how late the last change was applied."""
        self.block += 1
        user = self.users[self.block % len(self.users)]
        email = self.emails[user]
        task = {"tenantId": TENANT, "userId": user, "taskId": f"burst-{self.block}", "version": 1, "type": "call", "title": "burst", "status": "open",
                "start": "2030-04-01T10:00:00", "end": "2030-04-01T10:30:00", "timeZone": "Europe/Zurich"}
        self.produce([task], 10, cores)
        event = self.told({task["taskId"]}, lambda u: u["kind"] == "SYNCED", "the event")[task["taskId"]][1]["googleEventId"]
        self.settle()
        time.sleep(6)  # A calendar's budget of listings fills again in five seconds.
        since, _ = self.mark()
        edits = 100 if spread else 1
        if not spread:
            self.google("/knobs", {"push_burst": 100})
        file = self.folder / "burst"
        with open(file, "wb") as out:
            for i in range(edits):
                out.write(edit_request(self.port, email, event, {"summary": f"burst {self.block} {i}"}))
        sent = self.open_load(file, 100, cores)
        told = self.told({task["taskId"]}, lambda u: u.get("title") == f"burst {self.block} {edits - 1}", "the last change")
        self.settle()
        self.google("/knobs", {"push_burst": 1})
        lists = [c for c in self.requests(since) if c["call"] == "calendar.events.list"]
        return {"pushes": 100, "within_s": 1.0 if spread else 0.0, "lists": len(lists), "last_applied_us": told[task["taskId"]][0] - sent[-1][0]}


def summary(samples):
    return {"p50": quantile(samples, 0.5), "p99": quantile(samples, 0.99), "max": max(samples), "n": len(samples)}


def judge(blocks):
    """Each block beside its own control; held when the pooled samples keep the bound of the pooled controls and most blocks do too."""
    out = {}
    for share, (above, syncs) in GOALS.items():
        name = f"p{int(share * 100)}"
        probe = max(quantile([b["control"]["sync_us"][name] for b in blocks], 0.5), 1)
        found = quantile([s for b in blocks for s in b["applied_us"]], share)
        close = sum(quantile(b["applied_us"], share) <= above + syncs * b["control"]["sync_us"][name] for b in blocks)
        out[name] = {"us": found, "bound_us": above + syncs * probe, "sync_us": probe, "blocks_held": close, "blocks": len(blocks),
                     "held": found <= above + syncs * probe and close * 9 >= 7 * len(blocks)}
    return out


def run(stack_class, options):
    with stack_class("latency") as stack:
        bench = Bench(stack, options)
        try:
            result = {"name": "latency", "calendars": options.calendars, "seconds": options.seconds,
                      "pg_test_fsync_us": None if options.quick else pg_test_fsync(stack.folder), "layouts": {}}
            for layout in options.layouts:
                cores = bench.place(layout)
                progress(f"{layout}: warming up")
                bench.run_block(options.rates[0], cores)
                # Postgres starts a process per connection; those of the first block are placed now.
                bench.place(layout)
                of = result["layouts"][layout] = {"rates": {}, "bursts": []}
                blocks = {rate: [] for rate in options.rates}
                for number in range(options.pairs):
                    for rate in options.rates if number % 2 == 0 else reversed(options.rates):
                        block = bench.run_block(rate, cores)
                        progress(f"{layout}: {rate}/s, block {number + 1}: push to applied p50 {quantile(block['applied_us'], 0.5)} us, p99 {quantile(block['applied_us'], 0.99)} us,"
                                 f" fdatasync {block['control']['sync_us']['p50']} us")
                        blocks[rate].append(block)
                for rate, some in blocks.items():
                    of["rates"][rate] = {"applied": judge(some), **pooled(some)}
                for _ in range(1 if options.quick else 3):
                    of["bursts"] += [bench.burst(cores, True), bench.burst(cores, False)]
            bench.understood()
        finally:
            bench.close()
    show(result)
    return result


def pooled(blocks):
    out = {name: summary([s for b in blocks for s in b[name]]) for name in ("applied_us", "applied_from_push_us", "push_to_list_us", "list_to_applied_us", "create_us", "create_told_us", "update_us")}
    out["control"] = {name: {q: quantile([b["control"][name][q] for b in blocks], 0.5) for q in ("p50", "p99")} for name in ("kafka_us", "sync_us", "sleep_late_us")}
    out["emulator_us"] = {q: quantile([b["emulator_us"][q] for b in blocks], 0.5) for q in ("p50", "p99")}
    for phase in ("create_calls", "update_calls", "edit_calls"):
        per = {}
        for block in blocks:
            for call, n in block[phase].items():
                per[call] = per.get(call, 0) + n
        changes = sum(b["n"] for b in blocks)
        out[phase] = {call: round(n / changes, 3) for call, n in sorted(per.items())}
    return out


def show(result):
    for layout, of in result["layouts"].items():
        rows = []
        for rate, found in of["rates"].items():
            for label, name in (("push -> applied", "applied_us"), ("  from the push alone", "applied_from_push_us"),
                                ("    push -> list call", "push_to_list_us"), ("    list answered -> applied", "list_to_applied_us"), ("task -> call, create", "create_us"),
                                ("task -> call, update", "update_us"), ("task -> told, create", "create_told_us")):
                s = found[name]
                rows.append([f"{label} at {rate}/s", s["n"], s["p50"] / 1000, s["p99"] / 1000, s["max"] / 1000])
        table(f"latency {layout}: {result['calendars']} calendars, ms, emulator's own time taken off", ["", "n", "p50", "p99", "max"], rows)
        table("push -> applied beside its bound, ms", ["", "found", "bound", "fdatasync", "blocks held", "held"],
              [[f"{rate}/s {q}", j["us"] / 1000, j["bound_us"] / 1000, j["sync_us"] / 1000, f"{j['blocks_held']}/{j['blocks']}", j["held"]]
               for rate, found in of["rates"].items() for q, j in found["applied"].items()])
        table("controls, us (medians of blocks)", ["", "kafka p50", "p99", "fdatasync p50", "p99", "sleep late p50", "p99", "emulator p50", "p99"],
              [[f"{rate}/s", *(found["control"][name][q] for name in ("kafka_us", "sync_us", "sleep_late_us") for q in ("p50", "p99")),
                found["emulator_us"]["p50"], found["emulator_us"]["p99"]] for rate, found in of["rates"].items()])
        print("  calls to Google per change (each task got exactly one write):")
        for rate, found in of["rates"].items():
            print(f"    {rate}/s: create {found['create_calls']}, update {found['update_calls']}, edit in Google {found['edit_calls']}")
        for one in of["bursts"]:
            print(f"    100 pushes of one calendar {'within a second' if one['within_s'] else 'at once'}: {one['lists']} list calls, last change applied after {one['last_applied_us'] / 1000:.1f} ms")
    print(f"  pg_test_fsync, fdatasync: {result['pg_test_fsync_us']} us")
