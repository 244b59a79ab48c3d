package crm;

import calbridge.tasks.v1.Tasks.TaskChanged;
import calbridge.tasks.v1.Tasks.TaskUpdate;
import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.protobuf.Descriptors.Descriptor;
import com.google.protobuf.Descriptors.FieldDescriptor;
import com.google.protobuf.util.Timestamps;
import java.text.ParseException;
import java.time.Duration;
import java.time.LocalDate;
import java.time.LocalDateTime;
import java.time.format.DateTimeFormatter;
import java.time.format.DateTimeParseException;
import java.time.temporal.ChronoUnit;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/**
 * What an edit and an update make of a task: decisions only, no database and no Kafka. These are the rules of docs/crm-developers.md.
 * Rows that come in are left as they are; what comes out is a copy.
 */
final class Rules {
    private Rules() {}

    private static final Descriptor TASK = TaskChanged.getDescriptor();
    private static final Descriptor UPDATE = TaskUpdate.getDescriptor();

    /** Which members belong to a field that `changed` names; they are called alike in both messages. */
    private static final Map<String, List<String>> MEMBERS =
            Map.of(
                    "title", List.of("title"),
                    "description", List.of("description"),
                    "location", List.of("location"),
                    "time", List.of("start", "end", "time_zone"),
                    "guests", List.of("attendees"),
                    "recurrence", List.of("recurrence"));

    private static final List<String> SHOWN =
            List.of("google_event_id", "google_calendar_id", "html_link", "meet_link", "zoom_link", "organizer_email");

    /** The row after an update, null when there is nothing to store, and lines to show. A higher version means: send the snapshot. */
    record Applied(Row row, List<String> said) {}

    /** The row an update is about. Of a split the occurrence says where the other series ends. */
    record Place(String taskId, String occurrence) {}

    static Place placeOf(TaskUpdate update) {
        return new Place(update.getTaskId(), update.getSplitFromTaskId().isEmpty() ? update.getOccurrence() : "");
    }

    /** A row for one occurrence that has none of its own yet: the series' values at that time. */
    static Row occurrenceOf(Row series, String occurrence) {
        Row row = new Row(series.taskId, occurrence);
        TaskChanged.Builder fields = series.fields.toBuilder().clearRecurrence().setStart(occurrence).clearEnd();
        try {
            String start = series.fields.getStart();
            String end = series.fields.getEnd();
            if (isDate(occurrence)) {
                long days = ChronoUnit.DAYS.between(LocalDate.parse(start), LocalDate.parse(end));
                fields.setEnd(LocalDate.parse(occurrence).plusDays(days).toString());
            } else {
                Duration length = Duration.between(LocalDateTime.parse(start), LocalDateTime.parse(end));
                fields.setEnd(DateTimeFormatter.ISO_LOCAL_DATE_TIME.format(LocalDateTime.parse(occurrence).plus(length)));
            }
        } catch (DateTimeParseException e) {
            fields.clearEnd(); // no end, or spelled in another way: the default duration
        }
        row.fields = fields.build();
        return row;
    }

    /** The rule of a series that ends before the occurrence `at`, which is spelled as the series' start. */
    static List<String> endedBefore(List<String> recurrence, String at) {
        String until =
                isDate(at)
                        ? LocalDate.parse(at).minusDays(1).format(DateTimeFormatter.BASIC_ISO_DATE)
                        : LocalDateTime.parse(at).minusSeconds(1).format(DateTimeFormatter.ofPattern("yyyyMMdd'T'HHmmss"));
        List<String> ended = new ArrayList<>();
        for (String line : recurrence) {
            if (!line.startsWith("RRULE:")) {
                ended.add(line);
                continue;
            }
            List<String> parts = new ArrayList<>(List.of(line.substring("RRULE:".length()).split(";")));
            parts.removeIf(part -> part.startsWith("COUNT=") || part.startsWith("UNTIL="));
            parts.add("UNTIL=" + until);
            ended.add("RRULE:" + String.join(";", parts));
        }
        return ended;
    }

    private static boolean isDate(String occurrence) {
        return occurrence.length() == 10;
    }

    /** A user's edit of some members, given as JSON. */
    static Row edit(Row before, JsonObject members, String now, String sendUpdates) {
        Row row = before.copy();
        row.version++;
        JsonObject all = Json.print(row.fields);
        for (Map.Entry<String, JsonElement> member : members.entrySet()) {
            all.add(member.getKey(), member.getValue());
        }
        row.fields = Json.parse(all, TaskChanged.newBuilder()).build();
        row.changedAt = now;
        row.sendUpdates = sendUpdates;
        for (FieldDescriptor field : TASK.getFields()) {
            if (!row.fields.getField(field).equals(before.fields.getField(field))) {
                row.edited.put(fieldOf(field.getName()), row.version);
            }
        }
        if (row.conflicts.getConflictsCount() > 0) {
            // He was shown both sides, so this edit is made in knowledge of the calendar's.
            row.behind = false;
            row.knownSequence = row.appliedSequence;
            row.edited.forEach((field, version) -> {
                if (version == row.version) {
                    forgetConflict(row, field);
                }
            });
        }
        return row;
    }

    static Row delete(Row before, String now) {
        Row row = edit(before, new JsonObject(), now, "");
        row.deleted = true;
        return row;
    }

    private static String fieldOf(String member) {
        return MEMBERS.entrySet().stream().filter(e -> e.getValue().contains(member)).map(Map.Entry::getKey).findFirst().orElse(member);
    }

    private static void forgetConflict(Row row, String field) {
        TaskUpdate.Builder left = TaskUpdate.newBuilder();
        row.conflicts.getConflictsList().stream().filter(c -> !c.getField().equals(field)).forEach(left::addConflicts);
        row.conflicts = left.build();
    }

    /** The value of task-changed. */
    static TaskChanged snapshot(Row row, String tenant, String user) {
        TaskChanged.Builder value = row.deleted ? TaskChanged.newBuilder().setDeleted(true) : row.fields.toBuilder();
        value.setTenantId(tenant).setUserId(user).setTaskId(row.taskId).setVersion(row.version);
        if (!row.occurrence.isEmpty()) {
            value.setScope(TaskChanged.Scope.THIS).setOccurrence(row.occurrence);
        } else if (!row.splitFrom.isEmpty() && row.sentVersion == 0) {
            value.setTaskId(row.splitFrom).setFollowingTaskId(row.taskId);
            value.setScope(TaskChanged.Scope.THIS_AND_FOLLOWING).setOccurrence(row.splitAt);
        }
        value.setAppliedUpdateSeq(row.knownSequence).setSendUpdates(row.sendUpdates);
        if (!row.changedAt.isEmpty()) {
            try {
                value.setChangedAt(Timestamps.parse(row.changedAt));
            } catch (ParseException e) {
                throw new IllegalStateException(e);
            }
        }
        return value.build();
    }

    /** @param found the row the update is about, or null; @param series the row of the whole task when the update is about an occurrence */
    static Applied apply(Row found, Row series, TaskUpdate update) {
        Place place = placeOf(update);
        String name = (place.taskId() + " " + place.occurrence()).trim();
        Row row = found != null ? found.copy() : null;
        if (row == null && update.getKind() == TaskUpdate.Kind.IMPORTED) {
            row = new Row(update.getTaskId(), "");
        }
        if (row == null && series != null) {
            row = occurrenceOf(series, update.getOccurrence());
        }
        if (row == null) {
            return new Applied(null, List.of(name + ": not a task of this CRM"));
        }
        if (update.getSequence() <= row.appliedSequence) {
            return new Applied(null, List.of(name + ": update " + update.getSequence() + " again, dropped"));
        }
        row.appliedSequence = update.getSequence();
        row.event = shown(row.event, update, SHOWN);
        List<String> said = new ArrayList<>();
        said.add(("%s: update %d %s %s %s".formatted(name, update.getSequence(), update.getKind(),
                        String.join(", ", update.getChangedList()), update.getReason())).stripTrailing());
        switch (update.getKind()) {
            case CHANGED, OCCURRENCE_CHANGED, IMPORTED -> takeOver(row, update, said);
            case CANCELLED -> cancel(row, update, said);
            case SYNCED -> {
                row.failure = "";
                if (update.getTaskVersion() >= row.version && row.conflicts.getConflictsCount() == 0) {
                    row.behind = false;
                }
            }
            case CONFLICT -> {
                row.conflicts = TaskUpdate.newBuilder().addAllConflicts(update.getConflictsList()).build();
                for (TaskUpdate.FieldVersions c : update.getConflictsList()) {
                    said.add("  conflict in %s: was '%s', here '%s', in Google '%s'".formatted(c.getField(), c.getBase(), c.getCrm(), c.getGoogle()));
                }
                said.add("  " + update.getExplanation());
            }
            case FAILED -> {
                row.failure = update.getExplanation().isEmpty() ? update.getReason() : update.getExplanation();
                said.add("  " + row.failure);
            }
            default -> said.add("  a newer kind, left alone");
        }
        if (!row.behind) {
            row.knownSequence = update.getSequence();
        }
        return new Applied(row, said);
    }

    private static TaskUpdate shown(TaskUpdate before, TaskUpdate update, List<String> members) {
        TaskUpdate.Builder event = before.toBuilder();
        for (String member : members) {
            FieldDescriptor field = UPDATE.findFieldByName(member);
            if (!update.getField(field).equals("")) {
                event.setField(field, update.getField(field));
            }
        }
        return event.build();
    }

    private static void takeOver(Row row, TaskUpdate update, List<String> said) {
        if (update.getAttendeesCount() > 0) {
            row.event = row.event.toBuilder().clearAttendees().addAllAttendees(update.getAttendeesList()).build(); // with their answers
        }
        boolean took = false;
        for (String field : update.getChangedList()) {
            if (!MEMBERS.containsKey(field)) {
                said.add("  " + field + ": a newer field, left alone");
                row.behind = true;
            } else if (row.edited.getOrDefault(field, 0L) > update.getTaskVersion()) {
                said.add("  " + field + ": edited here meanwhile, kept");
                row.behind = true;
            } else {
                row.fields = with(row.fields, field, update);
                forgetConflict(row, field);
                took = true;
            }
        }
        if (row.fields.getStatus().equals("cancelled") && row.edited.getOrDefault("status", 0L) <= update.getTaskVersion()) {
            row.fields = row.fields.toBuilder().setStatus("open").build(); // the deletion was taken back, or the occurrence restored
            took = true;
        }
        for (TaskUpdate.FieldVersions decided : update.getConflictsList()) {
            said.add("  %s: both sides had changed it, settled by policy; here it was '%s'".formatted(decided.getField(), decided.getCrm()));
        }
        if (took) {
            announce(row);
        }
    }

    /** A member that is missing from the update is at its default, and so is ours then. */
    private static TaskChanged with(TaskChanged fields, String field, TaskUpdate update) {
        TaskChanged.Builder builder = fields.toBuilder();
        if (field.equals("guests")) {
            builder.clearAttendees();
            for (TaskUpdate.Guest guest : update.getAttendeesList()) {
                builder.addAttendees(TaskChanged.Attendee.newBuilder().setEmail(guest.getEmail()).setName(guest.getName()).setOptional(guest.getOptional()));
            }
            return builder.build();
        }
        for (String member : MEMBERS.get(field)) {
            builder.setField(TASK.findFieldByName(member), update.getField(UPDATE.findFieldByName(member)));
        }
        return builder.build();
    }

    private static void cancel(Row row, TaskUpdate update, List<String> said) {
        if (update.getReason().equals("not_in_series")) {
            row.deleted = true; // the series has no such occurrence any more: there is nothing to announce
        } else if (row.edited.values().stream().anyMatch(version -> version > update.getTaskVersion())) {
            row.behind = true;
            said.add("  edited here meanwhile, kept");
        } else {
            row.fields = row.fields.toBuilder().setStatus("cancelled").build();
            announce(row);
        }
    }

    /** The task as it now is goes out, mailing nobody about what came from the calendar. */
    private static void announce(Row row) {
        if (row.sentVersion == row.version) {
            row.sendUpdates = "";
        }
        row.version++;
    }
}
