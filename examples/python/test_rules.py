"""The rules on ../cases.json, which the other examples' tests read too. Needs neither Kafka nor packages."""

import json
import pathlib
import sys
import types
import unittest

# The Kafka client is not needed to decide.
sys.modules.setdefault("confluent_kafka", types.SimpleNamespace(Consumer=None, KafkaException=None, Producer=None))

import crm  # noqa: E402
import rules  # noqa: E402
from store import Store  # noqa: E402

CASES = json.loads((pathlib.Path(__file__).resolve().parent.parent / "cases.json").read_text(encoding="utf-8"))


class Cases(unittest.TestCase):
    maxDiff = None

    def setUp(self):
        crm.now = lambda: "2026-11-20T09:00:00.000Z"

    def play(self, steps):
        sent = []
        store = Store(":memory:")
        side = crm.Crm(store, "acme", "anna", lambda messages: sent.extend(json.loads(value) for _, _, value in messages))
        for step in steps:
            with self.subTest(step=step):
                self.one(side, store, sent, step)

    def one(self, side, store, sent, step):
        if put := step.get("put"):
            sent.clear()
            side.put(put["task"], put.get("occurrence", ""), put["fields"], put.get("notify", ""))
        elif gone := step.get("delete"):
            sent.clear()
            side.delete(gone["task"], gone.get("occurrence", ""))
        elif split := step.get("split"):
            sent.clear()
            side.split(split["task"], split["at"], split["as"], split["fields"])
        elif update := step.get("update"):
            sent.clear()
            side.take({"tenantId": "acme", "userId": "anna", **update})
        elif "sent" in step:
            self.assertEqual(sent.pop(0) if sent else None, step["sent"])
            self.assertEqual(len(sent), step.get("of", 0))
        elif "quiet" in step:
            self.assertEqual(sent, [])
        elif want := step.get("row"):
            row = store.find(want["task"], want.get("occurrence", ""))
            self.assertEqual({name: row[name] for name in want if name not in ("task", "occurrence")},
                             {name: value for name, value in want.items() if name not in ("task", "occurrence")})
        else:
            self.fail(f"no such step: {step}")


for number, case in enumerate(CASES):
    setattr(Cases, f"test_{number:02}_{''.join(c if c.isalnum() else '_' for c in case['name'])}",
            lambda self, steps=case["steps"]: self.play(steps))


class Rules(unittest.TestCase):
    def test_nothing_is_changed_in_place(self):
        row = rules.edit(rules.new_row("T-1"), {"title": "Call"}, "now")
        before = json.dumps(row)
        rules.apply(row, None, {"taskId": "T-1", "sequence": 1, "taskVersion": 1, "kind": "CHANGED", "changed": ["title"], "title": "x"})
        rules.edit(row, {"title": "y"}, "now")
        self.assertEqual(json.dumps(row), before)

    def test_what_kafka_did_not_take_is_sent_later(self):
        store, sent = Store(":memory:"), []

        def refuse(_):
            raise SystemExit("away")

        with self.assertRaises(SystemExit):
            crm.Crm(store, "acme", "anna", refuse).put("T-1", "", {"title": "Call"})
        crm.Crm(store, "acme", "anna", sent.extend).flush()
        self.assertEqual([json.loads(value)["version"] for _, _, value in sent], [1])


if __name__ == "__main__":
    unittest.main()
