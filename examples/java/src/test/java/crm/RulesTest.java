package crm;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.fail;

import calbridge.tasks.v1.Tasks.TaskChanged;
import calbridge.tasks.v1.Tasks.TaskUpdate;
import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import com.google.protobuf.Message;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.SQLException;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestFactory;

/** The rules on ../cases.json, which the other examples' tests read too. Needs no Kafka. */
class RulesTest {
    private static final String NOW = "2026-11-20T09:00:00.000Z";

    @TestFactory
    List<DynamicTest> cases() throws IOException {
        List<DynamicTest> tests = new ArrayList<>();
        for (JsonElement one : JsonParser.parseString(Files.readString(Path.of("..", "cases.json"))).getAsJsonArray()) {
            JsonObject story = one.getAsJsonObject();
            tests.add(DynamicTest.dynamicTest(story.get("name").getAsString(), () -> play(story)));
        }
        return tests;
    }

    private static void play(JsonObject story) throws SQLException, IOException {
        Deque<TaskChanged> sent = new ArrayDeque<>();
        try (Store store = new Store(":memory:")) {
            Crm crm = new Crm(store, "acme", "anna", (key, values) -> sent.addAll(values), () -> NOW);
            for (JsonElement step : story.getAsJsonArray("steps")) {
                play(step.getAsJsonObject(), crm, store, sent);
            }
        }
    }

    private static void play(JsonObject step, Crm crm, Store store, Deque<TaskChanged> sent) throws SQLException {
        if (step.has("sent")) {
            assertEquals(message(step.get("sent"), TaskChanged.newBuilder()), sent.poll(), step.toString());
            assertEquals(step.has("of") ? step.get("of").getAsInt() : 0, sent.size(), step.toString());
        } else if (step.has("quiet")) {
            assertEquals(0, sent.size(), step.toString());
        } else if (step.has("row")) {
            JsonObject want = step.getAsJsonObject("row");
            compare(want, store.find(text(want, "task"), text(want, "occurrence")));
        } else {
            sent.clear();
            act(step, crm);
        }
    }

    private static void act(JsonObject step, Crm crm) throws SQLException {
        if (step.has("put")) {
            JsonObject put = step.getAsJsonObject("put");
            crm.put(text(put, "task"), text(put, "occurrence"), put.getAsJsonObject("fields"), text(put, "notify"));
        } else if (step.has("delete")) {
            JsonObject gone = step.getAsJsonObject("delete");
            crm.delete(text(gone, "task"), text(gone, "occurrence"));
        } else if (step.has("split")) {
            JsonObject split = step.getAsJsonObject("split");
            crm.split(text(split, "task"), text(split, "at"), text(split, "as"), split.getAsJsonObject("fields"));
        } else if (step.has("update")) {
            crm.take(message(step.get("update"), TaskUpdate.newBuilder().setTenantId("acme").setUserId("anna")));
        } else {
            fail("no such step: " + step);
        }
    }

    private static void compare(JsonObject want, Row row) {
        for (String member : want.keySet()) {
            JsonElement value = want.get(member);
            switch (member) {
                case "task", "occurrence" -> {}
                case "version" -> assertEquals(value.getAsLong(), row.version, want.toString());
                case "applied_sequence" -> assertEquals(value.getAsLong(), row.appliedSequence, want.toString());
                case "known_sequence" -> assertEquals(value.getAsLong(), row.knownSequence, want.toString());
                case "behind" -> assertEquals(value.getAsBoolean(), row.behind, want.toString());
                case "deleted" -> assertEquals(value.getAsBoolean(), row.deleted, want.toString());
                case "failure" -> assertEquals(value.getAsString(), row.failure, want.toString());
                case "fields" -> assertEquals(message(value, TaskChanged.newBuilder()), row.fields, want.toString());
                case "event" -> assertEquals(message(value, TaskUpdate.newBuilder()), row.event, want.toString());
                case "conflicts" -> {
                    JsonObject conflicts = new JsonObject();
                    conflicts.add("conflicts", value);
                    assertEquals(message(conflicts, TaskUpdate.newBuilder()), row.conflicts, want.toString());
                }
                default -> fail("no such column: " + member);
            }
        }
    }

    @SuppressWarnings("unchecked")
    private static <M extends Message> M message(JsonElement json, Message.Builder into) {
        return (M) Json.parse(json, into).build();
    }

    private static String text(JsonObject from, String member) {
        return from.has(member) ? from.get(member).getAsString() : "";
    }

    @Test
    void whatKafkaDidNotTakeIsSentLater() throws SQLException, IOException {
        List<TaskChanged> sent = new ArrayList<>();
        try (Store store = new Store(":memory:")) {
            Crm away = new Crm(store, "acme", "anna", (key, values) -> { throw new IllegalStateException("away"); }, () -> NOW);
            assertThrows(IllegalStateException.class, () -> away.put("T-1", "", JsonParser.parseString("{\"title\":\"Call\"}").getAsJsonObject(), ""));

            new Crm(store, "acme", "anna", (key, values) -> sent.addAll(values), () -> NOW).flush();

            assertEquals(1, sent.size());
            assertEquals(1, sent.get(0).getVersion());
        }
    }
}
