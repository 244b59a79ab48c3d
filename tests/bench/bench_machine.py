"""What both benchmarks need of the machine: CPU time of a process, cores, probes, a stack of real parts, figures and their judgement."""

import json
import math
import os
import pathlib
import statistics
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools" / "dev"))
BINARIES = pathlib.Path(os.environ.get("CALBRIDGE_BENCH_BUILD", ROOT / "build" / "release")) / "bin"
TOOL = BINARIES / "bench-tool"


class Unsound(Exception):
    """The check at the end of a run failed, or a part did not work: there is no figure."""


def sound(holds, message):
    if not holds:
        raise Unsound(message)


def progress(text):
    print(f"bench: {text}", file=sys.stderr, flush=True)


# ---- processes --------------------------------------------------------------------------------------------------------


def tool(*words, **more):
    """Runs bench-tool and returns what it printed."""
    done = subprocess.run([TOOL, *map(str, words)], capture_output=True, text=True, check=False, **more)
    sound(done.returncode == 0, f"bench-tool {words[0]}: {done.stderr.strip()}")
    return done.stdout


def cpu_ns(pids):
    """CPU time of all threads of these processes. Ticks would be wrong by a factor at this scale; schedstat is exact."""
    total = 0
    for pid in pids:
        for thread in pathlib.Path(f"/proc/{pid}/task").iterdir():
            try:
                total += int((thread / "schedstat").read_text().split()[0])
            except (FileNotFoundError, ProcessLookupError):
                continue  # a thread that ended between the two looks
    return total


def children(pid):
    return [int(p) for p in pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def family(pid):
    """The process and everything below it."""
    found = [pid]
    for child in children(pid):
        found += family(child)
    return found


def pin(pids, cores):
    for pid in pids:
        subprocess.run(["taskset", "-a", "-p", "-c", cores, str(pid)], check=True, stdout=subprocess.DEVNULL)


# Name: (cores of the system under test, cores of everything else).
ALL_CORES = f"0-{(os.cpu_count() or 1) - 1}"
LAYOUTS = {"L1": (ALL_CORES, ALL_CORES), "L2": ("0", f"1-{(os.cpu_count() or 1) - 1}" if (os.cpu_count() or 1) > 2 else "1")}


# ---- probes -----------------------------------------------------------------------------------------------------------


def sync_probe(folder, times=100):
    """Microseconds of a write and fdatasync, where PostgreSQL's files are."""
    return json.loads(tool("syncs", pathlib.Path(folder) / "sync-probe", times))


def sleep_probe(times=300):
    """Microseconds by which a sleep of one millisecond is late."""
    return json.loads(tool("sleeps", times))


def pg_test_fsync(folder):
    """The fdatasync line of PostgreSQL's own probe, in microseconds."""
    found = sorted(pathlib.Path("/usr/lib/postgresql").glob("*/bin/pg_test_fsync"))
    if not found:
        return None
    file = pathlib.Path(folder) / "pg-test-fsync"
    done = subprocess.run([found[-1], "-s", "1", "-f", file], capture_output=True, text=True, check=False)
    file.unlink(missing_ok=True)
    for line in done.stdout.splitlines():
        words = line.split()
        if len(words) >= 5 and words[0] == "fdatasync" and words[-1].startswith("usecs"):
            return int(words[-2])
    return None


def machine():
    model = next((line.split(":")[1].strip() for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")), "")
    commit = subprocess.run(["git", "-C", ROOT, "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False).stdout.strip()
    changed = subprocess.run(["git", "-C", ROOT, "status", "--porcelain", "-uno", "libs", "services"], capture_output=True, text=True, check=False).stdout.strip()
    return {"at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), "cores": os.cpu_count(), "cpu": model, "kernel": os.uname().release,
            "load_average": os.getloadavg()[0], "commit": commit + ("+" if changed else "")}


# ---- the stack --------------------------------------------------------------------------------------------------------


class Stack:
    """The real parts, release build, in a folder and on ports of their own; taken down at the end whatever happens."""

    def __init__(self, name, **settings):
        self.name, self.settings = f"bench-{name}-{os.getpid()}", settings

    def __enter__(self):
        progress("starting PostgreSQL, Kafka, the emulator and the services")
        try:
            printed = self._dev("up", **self.settings)
        except BaseException:
            self._dev("down", check=False)
            raise
        self.environment = dict(line.split("=", 1) for line in printed.splitlines())
        self.folder = pathlib.Path(self.environment["DEMO_STACK"])
        self.kafka, self.database = self.environment["DEMO_KAFKA"], self.environment["DEMO_DATABASE"]
        return self

    def __exit__(self, *_):
        self._dev("down", check=False)

    def _dev(self, *words, check=True, **settings):
        done = subprocess.run([ROOT / "dev", "stack", self.name, *words], capture_output=True, text=True, check=False,
                              env=dict(os.environ, CALBRIDGE_BINARY_DIR=str(BINARIES), **settings))
        sound(done.returncode == 0 or not check, f"./dev stack {' '.join(words)}: {done.stderr}")
        return done.stdout

    def stop(self, process):
        self._dev("stop", process)

    def start(self, process, **settings):
        self._dev("start", process, **settings)

    def pid(self, process):
        folder = self.folder / process if process in ("kafka", "postgresql") else self.folder / "processes" / process
        return int((folder / "pid").read_text().split()[0])

    def port(self, name):
        return int((self.folder / "ports" / name).read_text())

    def sql(self, script, **run):
        done = subprocess.run(["psql", "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", self.database], input=script, text=True, capture_output=True,
                              check=False, **run)
        sound(done.returncode == 0, f"psql: {done.stderr.strip()}")
        return done.stdout.strip()


# ---- figures ----------------------------------------------------------------------------------------------------------


def quantile(samples, share):
    """Nearest rank; None without samples."""
    ordered = sorted(samples)
    return ordered[max(1, math.ceil(len(ordered) * share)) - 1] if ordered else None


def judged(ratios, goal):
    """Held when the median reaches the goal and at least 7 of 9 pairs 0.85 of it."""
    close = sum(r >= 0.85 * goal for r in ratios)
    median = statistics.median(ratios)
    return {"median": round(median, 3), "lowest": round(min(ratios), 3), "highest": round(max(ratios), 3), "pairs": len(ratios), "goal": goal,
            "pairs_close": close, "held": median >= goal and close * 9 >= 7 * len(ratios)}


def table(title, heads, rows):
    cells = [list(map(str, heads))] + [[("-" if c is None else f"{c:,.2f}" if isinstance(c, float) else f"{c:,}" if isinstance(c, int) and not isinstance(c, bool)
                                         else "yes" if c is True else "no" if c is False else str(c)) for c in row] for row in rows]
    widths = [max(len(row[i]) for row in cells) for i in range(len(heads))]
    print(f"\n{title}")
    for row in cells:
        print("  " + "  ".join(c.ljust(w) if i == 0 else c.rjust(w) for i, (c, w) in enumerate(zip(row, widths))).rstrip())
