package crm;

import calbridge.tasks.v1.Tasks.TaskChanged;
import calbridge.tasks.v1.Tasks.TaskUpdate;
import com.google.gson.JsonArray;
import com.google.gson.JsonObject;
import java.sql.SQLException;
import java.util.List;
import java.util.function.Supplier;

/** The store and the way out of it. */
final class Crm {
    /** Delivers records and returns when Kafka has confirmed all of them; throws when it did not. */
    interface Sender {
        void send(String key, List<TaskChanged> values);
    }

    private final Store store;
    private final String tenant;
    private final String user;
    private final Sender sender;
    private final Supplier<String> now;

    Crm(Store store, String tenant, String user, Sender sender, Supplier<String> now) {
        this.store = store;
        this.tenant = tenant;
        this.user = user;
        this.sender = sender;
        this.now = now;
    }

    String key() {
        return tenant + "/" + user;
    }

    /** A user's edit; creates what is not there. */
    void put(String task, String occurrence, JsonObject members, String sendUpdates) throws SQLException {
        store.transaction(() -> {
            Row row = store.find(task, occurrence);
            if (row == null && !occurrence.isEmpty()) {
                row = Rules.occurrenceOf(require(store.find(task, ""), "there is no series " + task), occurrence);
            }
            store.save(Rules.edit(row != null ? row : new Row(task, ""), members, now.get(), sendUpdates));
            return null;
        });
        flush();
    }

    void delete(String task, String occurrence) throws SQLException {
        store.transaction(() -> {
            Row row = require(store.find(task, occurrence), "there is no task " + task + " " + occurrence);
            store.save(Rules.delete(row, now.get()));
            return null;
        });
        flush();
    }

    /** This and following: `newTask` goes on from `task` at that occurrence. */
    void split(String task, String at, String newTask, JsonObject members) throws SQLException {
        store.transaction(() -> {
            Row series = require(store.find(task, ""), "there is no task " + task);
            if (series.fields.getRecurrenceCount() == 0 || store.find(newTask, "") != null) {
                throw new IllegalArgumentException(task + " is no series, or " + newTask + " is there already");
            }
            TaskChanged first = Rules.occurrenceOf(series, at).fields;
            Row row = new Row(newTask, "");
            row.fields = series.fields.toBuilder().setStart(first.getStart()).setEnd(first.getEnd()).build();
            row.splitFrom = task;
            row.splitAt = at;
            store.save(Rules.edit(row, members, now.get(), ""));
            JsonArray ended = new JsonArray();
            Rules.endedBefore(series.fields.getRecurrenceList(), at).forEach(ended::add);
            JsonObject recurrence = new JsonObject();
            recurrence.add("recurrence", ended);
            store.save(Rules.edit(series, recurrence, now.get(), ""));
            return null;
        });
        flush();
    }

    /** Applies one update of task-updates; answers lines to show. */
    List<String> take(TaskUpdate update) throws SQLException {
        Rules.Place place = Rules.placeOf(update);
        Rules.Applied applied = store.transaction(() -> {
            Row series = place.occurrence().isEmpty() ? null : store.find(place.taskId(), "");
            Rules.Applied result = Rules.apply(store.find(place.taskId(), place.occurrence()), series, update);
            if (result.row() != null) {
                store.save(result.row());
            }
            return result;
        });
        if (applied.row() != null) {
            flush();
        }
        return applied.said();
    }

    /** Sends what was not sent yet: of each task the newest snapshot. */
    void flush() throws SQLException {
        List<Row> rows = store.toSend().stream().filter(row -> !(row.deleted && row.sentVersion == 0)).toList();
        if (rows.isEmpty()) {
            return;
        }
        sender.send(key(), rows.stream().map(row -> Rules.snapshot(row, tenant, user)).toList());
        store.transaction(() -> {
            for (Row row : rows) {
                store.markSent(row);
            }
            return null;
        });
    }

    private static Row require(Row row, String otherwise) {
        if (row == null) {
            throw new IllegalArgumentException(otherwise.trim());
        }
        return row;
    }
}
