"""Durable 200s per CPU-second of webhook-ingest beside nginx `return 200` on the same requests."""

import json
import os
import pathlib
import socket
import statistics
import subprocess
import time

from bench_machine import LAYOUTS, Unsound, children, cpu_ns, judged, pg_test_fsync, pin, progress, sleep_probe, sound, sync_probe, table, tool, TOOL

GOAL = 0.5

NGINX = """daemon off;
master_process on;
worker_processes {workers};
pid {folder}/pid;
error_log {folder}/log error;
{user}
events {{ worker_connections 4096; }}
http {{
  access_log off;
  keepalive_requests 1000000000;
  keepalive_timeout 300s;
  client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi;
  scgi_temp_path {folder}/scgi;
  server {{
    listen 127.0.0.1:{port} backlog=4096;
    location / {{ return 200; }}
  }}
}}
"""


class Nginx:
    def __init__(self, folder, port, workers):
        folder.mkdir()
        (folder / "log").touch()
        self.port, self.workers = port, workers
        config = folder / "nginx.conf"
        config.write_text(NGINX.format(workers=workers, folder=folder, port=port, user="user root;" if os.geteuid() == 0 else ""))
        self._process = subprocess.Popen(["nginx", "-p", folder, "-e", folder / "log", "-c", config])
        until = time.monotonic() + 10
        while len(children(self._process.pid)) < workers:
            sound(self._process.poll() is None and time.monotonic() < until, f"nginx did not start: {(folder / 'log').read_text()}")
            time.sleep(0.02)

    def pids(self):
        return [self._process.pid, *children(self._process.pid)]

    def close(self):
        self._process.terminate()
        self._process.wait()


def fill(stack, channels):
    """Connections, calendars and active channels in PostgreSQL, and a request for each."""
    folder = stack.folder / "bench"
    folder.mkdir()
    progress(f"{channels} channels")
    tool("mint", channels, folder, stack.folder / "secrets")
    # As a replica the database trusts the rows: a million foreign keys and notices would measure nothing.
    stack.sql(f"""set session_replication_role = replica;
\\copy user_calendar_connections (tenant_id, connection_id, user_id, client_id, google_sub, connected_email) from '{folder}/connections.copy'
\\copy calendars (tenant_id, calendar_id, connection_id, google_calendar_id) from '{folder}/calendars.copy'
\\copy channels (tenant_id, channel_id, connection_id, calendar_id, resource_id, token_hash, state) from '{folder}/channels.copy'
analyze user_calendar_connections; analyze calendars; analyze channels;
""")
    return folder / "requests"


class Bench:
    def __init__(self, stack, options):
        self.stack, self.options = stack, options
        self.requests = fill(stack, options.channels)
        self.next, self.durable, self.unanswered, self.connections = 0, 0, 0, options.connections[0]
        self.began_ms = int(time.time() * 1000) - 1
        self.service = [stack.pid("webhook-ingest")]
        base = stack.port("webhook-ingest")
        self.nginx = {name: Nginx(stack.folder / f"nginx-{name}", free_port(base + 1000 + i), workers) for i, (name, workers) in enumerate((("L1", 2), ("L2", 1)))}

    def close(self):
        for one in self.nginx.values():
            one.close()

    def load(self, port, pids, cores, seconds, first):
        before = cpu_ns(pids)
        printed = subprocess.run(["taskset", "-c", cores, TOOL, "load", str(port), self.requests, str(self.connections), str(seconds), str(first)],
                                 capture_output=True, text=True, check=False)
        sound(printed.returncode == 0, f"bench-tool load: {printed.stderr.strip()}")
        did = json.loads(printed.stdout)
        did["ok"] = did["by_status"].get("200", 0)
        did["cpu_s"] = (cpu_ns(pids) - before) / 1e9
        did["ok_per_cpu_s"] = did["ok"] / did["cpu_s"]
        did["us_per_ok"] = did["cpu_s"] * 1e6 / max(1, did["ok"])
        did["ok_per_s"] = did["ok"] / did["seconds"] if did["seconds"] > 0 else 0
        return did

    def ingest(self, cores, seconds=None):
        did = self.load(self.stack.port("webhook-ingest"), self.service, cores, seconds or self.options.seconds, self.next)
        self.next += did["sent"]
        self.durable += did["ok"]
        refused = {s: n for s, n in did["by_status"].items() if s not in ("200", "503")}
        sound(not refused, f"webhook-ingest answered {refused} to good pushes")
        self.unanswered += did["by_status"].get("503", 0) + did["broken"]
        return did

    def static(self, layout, cores, seconds=None):
        one = self.nginx[layout]
        did = self.load(one.port, one.pids(), cores, seconds or self.options.seconds, 0)
        sound(did["broken"] == 0 and list(did["by_status"]) == ["200"], f"nginx answered {did['by_status']}")
        return did

    def place(self, layout):
        under_test, others = LAYOUTS[layout]
        pin(self.service + self.nginx[layout].pids(), under_test)
        pin([self.stack.pid("kafka"), self.stack.pid("postgresql"), *children(self.stack.pid("postgresql"))], others)
        return others

    def warm(self, cores):
        """Every channel looked up once, then until two successive blocks differ by less than 5 % in CPU per answer."""
        while self.next < self.options.channels:
            self.ingest(cores, 2)
        last = None
        for _ in range(3 if self.options.quick else 8):
            now = self.ingest(cores, 2)["us_per_ok"]
            if last and abs(now - last) < 0.05 * last:
                break
            last = now

    def layout(self, layout):
        cores, found = self.place(layout), {}
        for self.connections in self.options.connections:
            progress(f"{layout}, {self.connections} connections: warming up")
            self.warm(cores)
            self.static(layout, cores, 1)
            pairs = [self.pair(layout, cores, number) for number in range(self.options.pairs)]
            found[str(self.connections)] = {"pairs": pairs, "ratio": judged([p["ratio"] for p in pairs], GOAL)}
        self.check()
        return found

    def pair(self, layout, cores, number):
        both = {}
        for what in ("ingest", "nginx") if number % 2 == 0 else ("nginx", "ingest"):
            both[what] = self.ingest(cores) if what == "ingest" else self.static(layout, cores)
        both["ratio"] = both["ingest"]["ok_per_cpu_s"] / both["nginx"]["ok_per_cpu_s"]
        both["sleep_late_us"], both["sync_us"] = sleep_probe(100), sync_probe(self.stack.folder, 30)
        progress(f"{layout}: pair {number + 1}: {both['ratio']:.3f} ({both['ingest']['us_per_ok']:.2f} and {both['nginx']['us_per_ok']:.2f} us)")
        return both

    def check(self):
        """Number of 200s = number of distinct records in the topic; a push without a 200 may be there or not."""
        kcat = subprocess.Popen(["kcat", "-C", "-q", "-e", "-b", self.stack.kafka, "-t", "calendar-changed", "-o", f"s@{self.began_ms}", "-f", "%S\\n%s"],
                                stdout=subprocess.PIPE)
        counted = json.loads(tool("count", stdin=kcat.stdout))
        kcat.wait()
        sound(counted["unreadable"] == 0, f"{counted['unreadable']} records cannot be read")
        sound(self.durable <= counted["distinct"] <= self.durable + self.unanswered,
              f"{self.durable} pushes were answered 200 ({self.unanswered} were not) and the topic holds {counted['distinct']} distinct records")
        self.counted = counted
        progress(f"{self.durable} answers of 200, {counted['distinct']} distinct records in the topic ({counted['records']} in all)")


def free_port(start):
    for port in range(start, start + 200):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) != 0:
                return port
    raise Unsound(f"no free port from {start} on")


def run(stack_class, options):
    with stack_class("ingest", CALBRIDGE_CHANNELS_CACHED=str(max(100000, options.channels))) as stack:
        for process in ("channel-renewer", "sync-worker", "oauth-gateway", "google-emulator"):
            stack.stop(process)
        bench = Bench(stack, options)
        try:
            result = {"name": "ingest", "channels": options.channels, "connections": options.connections, "seconds": options.seconds,
                      "durability": "acks=all, broker defaults (page cache of one broker)",
                      "pg_test_fsync_us": None if options.quick else pg_test_fsync(stack.folder)}
            for layout in options.layouts:
                result[layout] = bench.layout(layout)
            result["check"] = {"answers_200": bench.durable, "answers_other": bench.unanswered, **bench.counted}
            result["resident_kib"] = int(next(line.split()[1] for line in pathlib.Path(f"/proc/{bench.service[0]}/status").read_text().splitlines()
                                              if line.startswith("VmRSS")))
        finally:
            bench.close()
    show(result, options)
    return result


def show(result, options):
    rows, ratios, controls = [], [], []
    for layout in options.layouts:
        for connections, of in result[layout].items():
            name = f"{layout}, {connections} connections"
            for what in ("ingest", "nginx"):
                rows.append([f"{name}: {what}", *(statistics.median(p[what][key] for p in of["pairs"]) for key in ("us_per_ok", "ok_per_s")),
                             *(statistics.median(p[what]["latency_us"][key] for p in of["pairs"]) for key in ("p50", "p99"))])
            r = of["ratio"]
            ratios.append([name, r["median"], r["lowest"], r["highest"], r["goal"], f"{r['pairs_close']}/{r['pairs']}", r["held"]])
            controls.append([name, *(statistics.median(p[probe][key] for p in of["pairs"]) for probe in ("sleep_late_us", "sync_us") for key in ("p50", "p99"))])
    table(f"ingest: {result['channels']} channels, medians of {options.pairs} blocks of {options.seconds} s",
          ["", "CPU us per 200", "200s per s", "p50 us", "p99 us"], rows)
    table("durable 200s per CPU-second, times nginx", ["", "median", "lowest", "highest", "goal", "pairs near goal", "held"], ratios)
    table("controls", ["", "sleep late p50 us", "p99", "fdatasync p50 us", "p99"], controls)
    print(f"  pg_test_fsync, fdatasync: {result['pg_test_fsync_us']} us; check: {result['check']}; resident {result['resident_kib'] // 1024} MiB")
