package crm;

import calbridge.tasks.v1.Tasks.TaskChanged;
import calbridge.tasks.v1.Tasks.TaskUpdate;
import com.google.gson.Gson;
import com.google.gson.JsonArray;
import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import com.google.gson.reflect.TypeToken;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.UUID;

/** The CRM's tasks in an SQLite file. Every change of a row, with its version and sequence, is one transaction. */
final class Store implements AutoCloseable {
    private static final Gson GSON = new Gson();
    private final Connection db;

    interface Work<T> {
        T run() throws SQLException;
    }

    Store(String path) throws SQLException, IOException {
        db = DriverManager.getConnection("jdbc:sqlite:" + path);
        try (Statement statement = db.createStatement(); InputStream schema = Store.class.getResourceAsStream("/crm.sql")) {
            statement.execute("PRAGMA busy_timeout = 30000");
            // SQLite's driver runs one statement a call; no comment of ours holds a semicolon outside of a line of its own.
            String sql = new String(schema.readAllBytes(), StandardCharsets.UTF_8).replaceAll("--[^\n]*", "");
            for (String one : sql.split(";")) {
                if (!one.isBlank()) {
                    statement.execute(one);
                }
            }
        }
    }

    <T> T transaction(Work<T> work) throws SQLException {
        try (Statement statement = db.createStatement()) {
            statement.execute("BEGIN IMMEDIATE");
            try {
                T result = work.run();
                statement.execute("COMMIT");
                return result;
            } catch (SQLException | RuntimeException e) {
                statement.execute("ROLLBACK");
                throw e;
            }
        }
    }

    Row find(String taskId, String occurrence) throws SQLException {
        try (PreparedStatement query = db.prepareStatement("SELECT * FROM tasks WHERE task_id = ? AND occurrence = ?")) {
            query.setString(1, taskId);
            query.setString(2, occurrence);
            try (ResultSet found = query.executeQuery()) {
                return found.next() ? read(found) : null;
            }
        }
    }

    List<Row> all() throws SQLException {
        return list("SELECT * FROM tasks ORDER BY task_id, occurrence");
    }

    List<Row> toSend() throws SQLException {
        return list("SELECT * FROM tasks WHERE sent_version < version ORDER BY rowid");
    }

    void save(Row row) throws SQLException {
        try (PreparedStatement insert = db.prepareStatement("INSERT OR REPLACE INTO tasks (task_id, occurrence, version, sent_version, fields, edited,"
                + " changed_at, send_updates, applied_sequence, known_sequence, behind, deleted, split_from, split_at, event, failure, conflicts)"
                + " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)")) {
            JsonElement conflicts = Json.print(row.conflicts).get("conflicts");
            Object[] values = {row.taskId, row.occurrence, row.version, row.sentVersion, Json.print(row.fields).toString(), GSON.toJson(row.edited),
                row.changedAt, row.sendUpdates, row.appliedSequence, row.knownSequence, row.behind ? 1 : 0, row.deleted ? 1 : 0, row.splitFrom,
                row.splitAt, Json.print(row.event).toString(), row.failure, conflicts == null ? "[]" : conflicts.toString()};
            for (int i = 0; i < values.length; i++) {
                insert.setObject(i + 1, values[i]);
            }
            insert.executeUpdate();
        }
    }

    void markSent(Row row) throws SQLException {
        try (PreparedStatement update = db.prepareStatement("UPDATE tasks SET sent_version = max(sent_version, ?) WHERE task_id = ? AND occurrence = ?")) {
            update.setLong(1, row.version);
            update.setString(2, row.taskId);
            update.setString(3, row.occurrence);
            update.executeUpdate();
        }
    }

    /** The consumer group of this file. */
    String group() throws SQLException {
        return transaction(() -> {
            try (Statement statement = db.createStatement()) {
                statement.execute("INSERT INTO reader SELECT 'crm-example-" + UUID.randomUUID() + "' WHERE NOT EXISTS (SELECT 1 FROM reader)");
                try (ResultSet found = statement.executeQuery("SELECT group_id FROM reader")) {
                    found.next();
                    return found.getString(1);
                }
            }
        });
    }

    @Override
    public void close() throws SQLException {
        db.close();
    }

    private List<Row> list(String sql) throws SQLException {
        List<Row> rows = new ArrayList<>();
        try (Statement query = db.createStatement(); ResultSet found = query.executeQuery(sql)) {
            while (found.next()) {
                rows.add(read(found));
            }
        }
        return rows;
    }

    private static Row read(ResultSet found) throws SQLException {
        Row row = new Row(found.getString("task_id"), found.getString("occurrence"));
        row.version = found.getLong("version");
        row.sentVersion = found.getLong("sent_version");
        row.fields = Json.parse(JsonParser.parseString(found.getString("fields")), TaskChanged.newBuilder()).build();
        row.edited = GSON.fromJson(found.getString("edited"), new TypeToken<HashMap<String, Long>>() {}.getType());
        row.changedAt = found.getString("changed_at");
        row.sendUpdates = found.getString("send_updates");
        row.appliedSequence = found.getLong("applied_sequence");
        row.knownSequence = found.getLong("known_sequence");
        row.behind = found.getBoolean("behind");
        row.deleted = found.getBoolean("deleted");
        row.splitFrom = found.getString("split_from");
        row.splitAt = found.getString("split_at");
        row.event = Json.parse(JsonParser.parseString(found.getString("event")), TaskUpdate.newBuilder()).build();
        row.failure = found.getString("failure");
        JsonObject conflicts = new JsonObject();
        JsonArray held = JsonParser.parseString(found.getString("conflicts")).getAsJsonArray();
        conflicts.add("conflicts", held);
        row.conflicts = Json.parse(conflicts, TaskUpdate.newBuilder()).build();
        return row;
    }
}
