#!/usr/bin/env python3
"""Writes calls_trace.jsonl, the recorded mixed trace of `./dev bench calls`: one step a line, the same for the same seed.

usage: make_calls_trace.py > calls_trace.jsonl

Twelve people with a calendar each, four of them with a second one. Something happens every two and a half seconds, to several people within half a
second: what a CRM does (new task, edit, cancellation, a save that changes nothing, another calendar), what people do in Google (edit, answer, delete, an
event of their own), both at once, and bursts: an event dragged about, a hundred edits within a second, ten tasks planned for one person at once.
A task rests for five seconds after it was touched, so that no two steps about it could be answered by one write.
"""

import json
import random

SEED = 20261121
PEOPLE, SECOND_CALENDARS, MOMENTS, EVERY_MS, SPREAD_MS, REST_MS = 12, 4, 28, 2500, 500, 5000
BURSTS = {6: "drag", 11: "plan", 15: "storm", 19: "drag", 23: "plan", 26: "drag"}
WEIGHTS = {"create": 28, "edit": 22, "google_edit": 16, "answer": 8, "google_add": 6, "both": 5, "touch": 5, "cancel": 4, "google_delete": 3, "move": 12}


class Trace:
    def __init__(self):
        self.chance, self.steps, self.tasks, self.made = random.Random(SEED), [], {}, 0

    def add(self, at, do, user, **more):
        self.steps.append({"at": at, "do": do, "user": user, **more})

    def create(self, at, user):
        name, self.made = f"t{self.made:03}", self.made + 1
        day, hour = self.chance.randint(1, 28), self.chance.randint(7, 17)
        self.tasks[name] = {"user": user, "rests_until": at + REST_MS, "moved": False}
        self.add(at, "create", user, task=name, title=f"{name} v1", start=f"2030-05-{day:02}T{hour:02}:00:00", end=f"2030-05-{day:02}T{hour:02}:30:00")

    def rested(self, at, user, fit=lambda task: True):
        free = [name for name, task in self.tasks.items() if task["user"] == user and task["rests_until"] <= at and fit(task)]
        if not free:
            return None
        name = self.chance.choice(free)
        self.tasks[name]["rests_until"] = at + REST_MS
        return name

    def crm_change(self, at):
        return self.chance.choice([{"title": f"by CRM {at}"}, {"description": f"Written at {at}."}, {"location": f"Room {at}"},
                                   {"start": f"2030-06-{1 + at % 28:02}T09:00:00", "end": f"2030-06-{1 + at % 28:02}T09:45:00"}])

    def google_change(self, at):
        return self.chance.choice([{"summary": f"in Google {at}"}, {"location": f"Cafe {at}"},
                                   {"start": {"dateTime": f"2030-07-{1 + at % 28:02}T14:00:00+02:00"}, "end": {"dateTime": f"2030-07-{1 + at % 28:02}T15:00:00+02:00"}}])

    def one(self, at, do, user):
        if do == "create":
            return self.create(at, user)
        if do == "google_add":
            return self.add(at, do, user, summary=f"own event {at}", start={"dateTime": f"2030-08-{1 + at % 28:02}T12:00:00+02:00"}, end={"dateTime": f"2030-08-{1 + at % 28:02}T13:00:00+02:00"})
        if do == "move" and int(user[1:]) >= SECOND_CALENDARS:
            do = "edit"
        name = self.rested(at, user, lambda task: do != "move" or not task["moved"])
        if name is None:
            return self.create(at, user)
        if do == "edit":
            self.add(at, do, user, task=name, change=self.crm_change(at))
        elif do == "google_edit":
            self.add(at, do, user, task=name, change=self.google_change(at))
        elif do == "answer":
            self.add(at, do, user, task=name, response=self.chance.choice(["accepted", "declined", "tentative"]))
        elif do == "both":
            # Different fields on both sides, a tenth of a second apart: to be merged, not to be fought over.
            self.add(at, "edit", user, task=name, change={"description": f"Both at {at}."})
            self.add(at + 100, "google_edit", user, task=name, change={"location": f"Both at {at}"})
        elif do == "move":
            self.tasks[name]["moved"] = True
            self.add(at, do, user, task=name, calendar="second")
        else:
            self.add(at, do, user, task=name)
            if do in ("cancel", "google_delete"):
                del self.tasks[name]
        return None

    def burst(self, at, kind, user):
        if kind == "plan":
            for i in range(10):
                self.create(at + 20 * i, user)
            return
        name = self.rested(at, user) or next(name for name in self.tasks if self.tasks[name]["user"] == user)
        for i in range(100 if kind == "storm" else 12):
            self.add(at + (10 if kind == "storm" else 50) * i, "google_edit", user, task=name, change={"summary": f"{kind} {at} {i}"})

    def play(self):
        people = [f"c{i:02}" for i in range(PEOPLE)]
        for user in people:
            for i in range(2):
                self.create(200 * people.index(user) + 100 * i, user)
        for moment in range(2, MOMENTS):
            base = moment * EVERY_MS
            busy = self.chance.sample(people, self.chance.randint(3, 7))
            if moment in BURSTS:
                self.burst(base, BURSTS[moment], busy.pop())
            for user in busy:
                self.one(base + self.chance.randint(0, SPREAD_MS), self.chance.choices(list(WEIGHTS), list(WEIGHTS.values()))[0], user)
        return sorted(self.steps, key=lambda step: step["at"])


for each in Trace().play():
    print(json.dumps(each))
