"""A stack of its own for one test, and what the tests share."""

import contextlib
import os
import pathlib
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools" / "dev"))

# pylint: disable=wrong-import-position
import demo
from demo_parts import Browser, Broken, expect

SERVICES = ("oauth-gateway", "webhook-ingest", "sync-worker", "channel-renewer")


class Stack(demo.Stack):
    """A running stack whose parts can be killed, stopped and started."""

    limit = 90.0

    def __init__(self, name, environment, settings):
        self.name, self.environment, self.settings = name, environment, settings
        super().__init__(environment)

    def wait(self, what, probe):
        started = time.monotonic()
        found = super().wait(what, probe)
        if time.monotonic() - started > 2:
            print(f"   ({time.monotonic() - started:.1f} s for {what})", flush=True)
        return found

    def part(self, action, process):
        done = subprocess.run([ROOT / "dev", "stack", self.name, action, process], capture_output=True, text=True, check=False,
                              env=dict(os.environ, **self.settings))
        expect(done.returncode == 0, f"./dev stack {action} {process}: {done.stderr}")

    def restart_after_crash(self, process):
        self.part("kill", process)
        self.part("start", process)

    def readiness(self, service):
        """Status and text of /readyz; status 0 when nobody answers."""
        try:
            page = Browser().once("GET", self.environment["DEMO_PRIVATE_" + service.replace("-", "_")] + "/readyz")
        except OSError:
            return 0, ""
        return page.status, page.body

    def wait_ready(self, *services):
        for service in services or SERVICES:
            self.wait(f"{service} to be ready", lambda s=service: self.readiness(s)[0] == 200)

    def pid(self, process):
        return int((pathlib.Path(self.environment["DEMO_STACK"]) / "processes" / process / "pid").read_text().split()[0])

    def show_logs(self):
        print("--- what task-updates said")
        for _, key, _, value in self.updates.records[-20:]:
            print(key, value.decode(errors="replace"))
        print("--- what the CRM holds")
        for task in self.crm.tasks.values():
            print(task)
        for log in sorted(pathlib.Path(self.environment["DEMO_STACK"]).glob("processes/*/log")):
            print(f"--- the end of {log.parent.name}'s log")
            lines = [line for line in log.read_text(errors="replace").splitlines() if '"event":"service.settings"' not in line]
            print("\n".join(lines[-25:]))


@contextlib.contextmanager
def running(name, kind=Stack, **settings):
    """A stack with these further settings, taken down whatever happens."""
    name = f"{name}-{os.getpid()}"
    try:
        done = subprocess.run([ROOT / "dev", "stack", name, "up"], capture_output=True, text=True, check=False, env=dict(os.environ, **settings))
        expect(done.returncode == 0, f"the stack did not start: {done.stderr}")
        stack = kind(name, dict(line.split("=", 1) for line in done.stdout.splitlines()), settings)
        try:
            yield stack
        except BaseException:
            stack.show_logs()
            raise
        finally:
            stack.updates.close()
    finally:
        subprocess.run([ROOT / "dev", "stack", name, "down"], check=False)


def run(body):
    """A test's main: exit code 0 when everything held."""
    started = time.monotonic()
    try:
        body()
    except Broken as broken:
        print(f"\nFAILED: {broken}", flush=True)
        sys.exit(1)
    print(f"\nheld in {time.monotonic() - started:.1f} s")
