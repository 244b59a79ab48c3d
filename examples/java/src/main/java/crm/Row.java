package crm;

import calbridge.tasks.v1.Tasks.TaskChanged;
import calbridge.tasks.v1.Tasks.TaskUpdate;
import java.util.HashMap;
import java.util.Map;

/** A task, or one occurrence of a series, with the columns of crm.sql. */
final class Row {
    final String taskId;
    final String occurrence;
    long version;
    long sentVersion;
    /** Only the members that a user sees. */
    TaskChanged fields = TaskChanged.getDefaultInstance();
    /** Field to the version in which the user last edited it. */
    Map<String, Long> edited = new HashMap<>();
    String changedAt = "";
    String sendUpdates = "";
    long appliedSequence;
    long knownSequence;
    boolean behind;
    boolean deleted;
    String splitFrom = "";
    String splitAt = "";
    /** What calbridge said about the event: only the members to show. */
    TaskUpdate event = TaskUpdate.getDefaultInstance();
    String failure = "";
    /** Only its conflicts. */
    TaskUpdate conflicts = TaskUpdate.getDefaultInstance();

    Row(String taskId, String occurrence) {
        this.taskId = taskId;
        this.occurrence = occurrence;
    }

    Row copy() {
        Row row = new Row(taskId, occurrence);
        row.version = version;
        row.sentVersion = sentVersion;
        row.fields = fields;
        row.edited = new HashMap<>(edited);
        row.changedAt = changedAt;
        row.sendUpdates = sendUpdates;
        row.appliedSequence = appliedSequence;
        row.knownSequence = knownSequence;
        row.behind = behind;
        row.deleted = deleted;
        row.splitFrom = splitFrom;
        row.splitAt = splitAt;
        row.event = event;
        row.failure = failure;
        row.conflicts = conflicts;
        return row;
    }
}
