#!/usr/bin/env python3
"""What the benchmarks conclude with, without a stack: the least of a trace, the trace itself, plans read from PostgreSQL's log."""

import io
import json
import pathlib
import subprocess
import sys
import unittest

sys.dont_write_bytecode = True
HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
sys.path.insert(0, str(HERE.parents[1] / "tools" / "dev"))

# pylint: disable=wrong-import-position
import bench_calls
import bench_scale


def step(at, do, user="a", **more):
    return {"at": at, "do": do, "user": user, **more}


class Least(unittest.TestCase):
    def lists(self, *instants):
        return len(bench_calls.windows([(at, "x") for at in instants], 1000))

    def test_changes_within_a_second_need_one_list(self):
        self.assertEqual(self.lists(), 0)
        self.assertEqual(self.lists(5000), 1)
        self.assertEqual(self.lists(0, 400, 1000), 1)
        self.assertEqual(self.lists(0, 400, 1001), 2)
        # Windows begin with a change, not on a grid: three a bit over half a second apart need two, whichever are put together.
        self.assertEqual(self.lists(0, 600, 1200), 2)
        self.assertEqual(self.lists(1200, 0, 600), 2)

    def test_only_what_changes_an_event_needs_a_write(self):
        writes, windows = bench_calls.least([step(0, "create", task="t"), step(5000, "touch", task="t"), step(9000, "google_edit", task="t"),
                                             step(20000, "answer", task="t"), step(30000, "cancel", task="t")], {})
        self.assertEqual(writes, {"create": 1, "cancel": 1})
        self.assertEqual([begin for begin, _ in windows["a", "first"]], [0, 9000, 20000, 30000])

    def test_calendars_are_listed_each_for_itself_and_a_move_is_seen_in_both(self):
        writes, windows = bench_calls.least([step(0, "create", task="t"), step(0, "create", "b", task="u"), step(9000, "move", task="t", calendar="second")], {})
        self.assertEqual(writes, {"create": 2, "move": 1})
        self.assertEqual({calendar: len(of) for calendar, of in windows.items()}, {("a", "first"): 2, ("b", "first"): 1, ("a", "second"): 1})

    def test_a_poll_is_a_list_unless_a_change_asks_for_one_anyway(self):
        _, windows = bench_calls.least([step(0, "create", task="t")], {("a", "first"): [500.0, 60000.0]})
        self.assertEqual(len(windows["a", "first"]), 2)

    def test_lists_are_told_apart_by_what_asked_for_them(self):
        _, windows = bench_calls.least([step(0, "create", task="t"), step(5000, "google_edit", task="t"), step(5100, "google_edit", task="t")], {})
        causes = bench_calls.lists_by_cause(windows, {("a", "first"): [20, 5020, 5130, 6200]})
        self.assertEqual(causes, {"one create": [1, 1], "several: google_edit": [3, 1]})

    def test_a_patch_may_weigh_three(self):
        calls = {"calendar.events.patch": 2, "calendar.events.list": 5}
        self.assertEqual((bench_calls.units(calls, 1), bench_calls.units(calls, 3)), (7, 11))


class Trace(unittest.TestCase):
    def test_the_recorded_trace_is_what_its_maker_writes(self):
        made = subprocess.run([sys.executable, HERE / "make_calls_trace.py"], capture_output=True, text=True, check=True).stdout
        self.assertEqual(made, bench_calls.TRACE.read_text(encoding="utf-8"))

    def test_no_two_changes_of_the_crm_could_be_one_write(self):
        last = {}
        for each in bench_calls.read_trace(False):
            if each["do"] in ("create", "edit", "cancel", "move"):
                self.assertGreaterEqual(each["at"] - last.get(each["task"], -5000), 5000, each)
                last[each["task"]] = each["at"]

    def test_it_is_mixed(self):
        kinds = {each["do"] for each in bench_calls.read_trace(False)}
        self.assertEqual(kinds, {"create", "edit", "touch", "cancel", "move", "google_edit", "google_add", "google_delete", "answer"})


class Plans(unittest.TestCase):
    def log(self, rows, role="calbridge_worker"):
        plan = {"Query Text": "select  1\n from calendars", "Plan": {"Node Type": "Limit", "Actual Rows": 1, "Actual Loops": 1, "Plans": [
            {"Node Type": "Seq Scan", "Relation Name": "calendars", "Actual Rows": 1, "Actual Loops": 2, "Rows Removed by Filter": rows}]}}
        indented = json.dumps(plan, indent=2).replace("\n", "\n\t")
        return f"2026-01-01 00:00:00.000 UTC [77] {role}@calbridge LOG:  duration: 1.5 ms  plan:\n\t{indented}\n2026-01-01 00:00:00.100 UTC [77] x@y WARNING:  other\n"

    def test_a_scan_of_many_rows_is_found_and_named(self):
        found = bench_scale.read_plans(io.StringIO(self.log(5000) + self.log(9000) + self.log(3)))
        self.assertEqual(found["statements"], 3)
        self.assertEqual(found["wide"], [{"role": "calbridge_worker", "statement": "select 1 from calendars", "table": "calendars", "node": "Seq Scan", "rows": 18002, "times": 2}])

    def test_a_look_up_is_nothing_to_tell(self):
        self.assertEqual(bench_scale.read_plans(io.StringIO(self.log(10)))["wide"], [])


if __name__ == "__main__":
    unittest.main()
