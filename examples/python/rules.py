"""What an edit and an update make of a task: decisions only, no database and no Kafka.

These are the rules of docs/crm-developers.md. A row is a dictionary with the columns of ../crm.sql.
"""

import copy
import datetime

# Which members of an update belong to a field that `changed` names. A missing member is at its default.
MEMBERS = {
    "title": {"title": ""},
    "description": {"description": ""},
    "location": {"location": ""},
    "time": {"start": "", "end": "", "timeZone": ""},
    "guests": {"attendees": []},
    "recurrence": {"recurrence": []},
}
FIELD_OF = {member: field for field, members in MEMBERS.items() for member in members}
SHOWN = ("googleEventId", "googleCalendarId", "htmlLink", "meetLink", "zoomLink", "organizerEmail")


def new_row(task_id, occurrence="", fields=None, **columns):
    row = {"task_id": task_id, "occurrence": occurrence, "version": 0, "sent_version": 0, "fields": fields or {}, "edited": {}, "changed_at": "",
           "send_updates": "", "applied_sequence": 0, "known_sequence": 0, "behind": False, "deleted": False, "split_from": "", "split_at": "",
           "event": {}, "failure": "", "conflicts": []}
    return {**row, **columns}


def occurrence_of(series, occurrence):
    """A row for one occurrence that has none of its own yet: the series' values at that time."""
    fields = {name: value for name, value in copy.deepcopy(series["fields"]).items() if name != "recurrence"}
    fields["end"] = ""
    fields["start"] = occurrence
    try:
        read = datetime.date.fromisoformat if len(occurrence) == 10 else datetime.datetime.fromisoformat
        length = read(series["fields"]["end"]) - read(series["fields"]["start"])
        fields["end"] = (read(occurrence) + length).isoformat()
    except (KeyError, TypeError, ValueError):
        pass  # no end, or spelled in another way: the default duration
    return new_row(series["task_id"], occurrence, fields)


def ended_before(recurrence, at):
    """The rule of a series that ends before the occurrence `at`, which is spelled as the series' start."""
    if len(at) == 10:
        until = (datetime.date.fromisoformat(at) - datetime.timedelta(days=1)).strftime("%Y%m%d")
    else:
        until = (datetime.datetime.fromisoformat(at) - datetime.timedelta(seconds=1)).strftime("%Y%m%dT%H%M%S")
    ended = []
    for line in recurrence:
        name, _, value = line.partition(":")
        if name == "RRULE":
            kept = [part for part in value.split(";") if not part.startswith(("COUNT=", "UNTIL="))]
            line = "RRULE:" + ";".join([*kept, f"UNTIL={until}"])
        ended.append(line)
    return ended


def edit(row, fields, now, send_updates=""):
    """A user's edit."""
    row = copy.deepcopy(row)
    row["version"] += 1
    changed = {name for name, value in fields.items() if row["fields"].get(name) != value}
    row["fields"].update(fields)
    row["changed_at"], row["send_updates"] = now, send_updates
    for name in changed:
        row["edited"][FIELD_OF.get(name, name)] = row["version"]
    if row["conflicts"]:
        # He was shown both sides, so this edit is made in knowledge of the calendar's.
        row["behind"], row["known_sequence"] = False, row["applied_sequence"]
        row["conflicts"] = [c for c in row["conflicts"] if row["edited"].get(c["field"]) != row["version"]]
    return row


def delete(row, now):
    return {**edit(row, {}, now), "deleted": True}


def snapshot(row, tenant, user):
    """The value of task-changed."""
    value = {"tenantId": tenant, "userId": user, "taskId": row["task_id"], "version": row["version"]}
    if row["deleted"]:
        value["deleted"] = True
    else:
        value.update(row["fields"])
    if row["occurrence"]:
        value.update(scope="THIS", occurrence=row["occurrence"])
    elif row["split_from"] and row["sent_version"] == 0:
        value.update(taskId=row["split_from"], followingTaskId=row["task_id"], scope="THIS_AND_FOLLOWING", occurrence=row["split_at"])
    for member, column in (("appliedUpdateSeq", "known_sequence"), ("changedAt", "changed_at"), ("sendUpdates", "send_updates")):
        if row[column]:
            value[member] = row[column]
    return value


def place_of(update):
    """(task, occurrence): the row an update is about. Of a split the occurrence says where the other series ends."""
    return update["taskId"], "" if update.get("splitFromTaskId") else update.get("occurrence", "")


def apply(row, series, update):
    """The row after the update, and lines to show. The row is None where the CRM has none, `series` is the row of the whole task then.

    Answers (None, lines) when there is nothing to store. A higher version than before means that the snapshot is to be sent.
    """
    kind, name = update.get("kind", ""), " ".join(filter(None, place_of(update)))
    if row is None and kind == "IMPORTED":
        row = new_row(update["taskId"])
    if row is None and series is not None:
        row = occurrence_of(series, update["occurrence"])
    if row is None:
        return None, [f"{name}: not a task of this CRM"]
    sequence = int(update["sequence"])
    if sequence <= row["applied_sequence"]:
        return None, [f"{name}: update {sequence} again, dropped"]

    row = copy.deepcopy(row)
    row["applied_sequence"] = sequence
    said = [f"{name}: update {sequence} {kind} {', '.join(update.get('changed', []))} {update.get('reason', '')}".rstrip()]
    row["event"].update({member: update[member] for member in SHOWN if update.get(member)})
    if kind in ("CHANGED", "OCCURRENCE_CHANGED", "IMPORTED"):
        said += take_over(row, update)
    elif kind == "CANCELLED":
        said += cancel(row, update)
    elif kind == "SYNCED":
        row["failure"] = ""
        if int(update.get("taskVersion", 0)) >= row["version"] and not row["conflicts"]:
            row["behind"] = False
    elif kind == "CONFLICT":
        row["conflicts"] = update.get("conflicts", [])
        said += [f"  conflict in {c['field']}: was {c.get('base', '')!r}, here {c.get('crm', '')!r}, in Google {c.get('google', '')!r}"
                 for c in row["conflicts"]]
        said.append("  " + update.get("explanation", "Both sides changed it."))
    elif kind == "FAILED":
        row["failure"] = update.get("explanation", "") or update.get("reason", "")
        said.append("  " + row["failure"])
    if not row["behind"]:
        row["known_sequence"] = sequence
    return row, said


def take_over(row, update):
    said, took = [], False
    if "attendees" in update:
        row["event"]["attendees"] = update["attendees"]  # with their answers
    for field in update.get("changed", []):
        if field not in MEMBERS:
            said.append(f"  {field}: a newer field, left alone")
            row["behind"] = True
        elif row["edited"].get(field, 0) > int(update.get("taskVersion", 0)):
            said.append(f"  {field}: edited here meanwhile, kept")
            row["behind"] = True
        else:
            for member, default in MEMBERS[field].items():
                row["fields"][member] = value_of(update, member, default)
            row["conflicts"] = [c for c in row["conflicts"] if c["field"] != field]
            took = True
    if row["fields"].get("status") == "cancelled" and row["edited"].get("status", 0) <= int(update.get("taskVersion", 0)):
        row["fields"]["status"] = "open"  # the event is there again: the deletion was taken back, or the occurrence restored
        took = True
    for decided in update.get("conflicts", []):
        said.append(f"  {decided['field']}: both sides had changed it, settled by policy; here it was {decided.get('crm', '')!r}")
    if took:
        announce(row)
    return said


def value_of(update, member, default):
    if member != "attendees":
        return update.get(member, default)
    return [{key: guest[key] for key in ("email", "name", "optional") if key in guest} for guest in update.get(member, default)]


def cancel(row, update):
    if update.get("reason") == "not_in_series":
        row["deleted"] = True  # the series has no such occurrence any more: there is nothing to announce
        return []
    if any(version > int(update.get("taskVersion", 0)) for version in row["edited"].values()):
        row["behind"] = True
        return ["  edited here meanwhile, kept"]
    row["fields"]["status"] = "cancelled"
    announce(row)
    return []


def announce(row):
    """The task as it now is goes out, mailing nobody about what came from the calendar."""
    if row["sent_version"] == row["version"]:
        row["send_updates"] = ""
    row["version"] += 1
