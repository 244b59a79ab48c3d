package crm;

import com.google.gson.JsonObject;
import com.google.gson.JsonParseException;
import com.google.gson.JsonParser;
import com.google.gson.JsonPrimitive;
import java.io.IOException;
import java.sql.SQLException;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;

/** A small CRM that keeps its tasks in step with Google Calendar through calbridge. */
final class Main {
    private static final String USAGE =
            """
            usage: java -jar target/crm.jar COMMAND
              put TASK [--occurrence START] [--notify none|externalOnly|all] [NAME=VALUE ...]   create or edit
              cancel TASK [--occurrence START]                                                  it does not take place
              delete TASK [--occurrence START]                                                  it is gone for good
              split TASK --at START --as NEW_TASK [NAME=VALUE ...]                              this and following
              follow                                                                            apply updates as they come
              list                                                                              show the tasks
            Members are those of task-changed; lists, objects and booleans as JSON. KAFKA_BROKERS, CRM_DB, CRM_TENANT, CRM_USER say where and who.""";

    private Main() {}

    /** A command line: positional arguments, options with a value, members. */
    private record Line(List<String> words, Map<String, String> options, JsonObject members) {
        static Line read(List<String> arguments, Set<String> known) {
            List<String> words = new ArrayList<>();
            Map<String, String> options = new HashMap<>();
            JsonObject members = new JsonObject();
            for (int i = 0; i < arguments.size(); i++) {
                String word = arguments.get(i);
                int equals = word.indexOf('=');
                if (known.contains(word) && i + 1 < arguments.size()) {
                    options.put(word, arguments.get(++i));
                } else if (word.startsWith("--")) {
                    throw new IllegalArgumentException(word + " is not known here, or lacks its value\n" + USAGE);
                } else if (equals > 0) {
                    String value = word.substring(equals + 1);
                    boolean json = value.startsWith("[") || value.startsWith("{") || value.equals("true") || value.equals("false");
                    members.add(word.substring(0, equals), json ? JsonParser.parseString(value) : new JsonPrimitive(value));
                } else {
                    words.add(word);
                }
            }
            return new Line(words, options, members);
        }

        String option(String name) {
            return options.getOrDefault(name, "");
        }

        String task() {
            if (words.size() != 1) {
                throw new IllegalArgumentException(USAGE);
            }
            return words.get(0);
        }
    }

    public static void main(String[] arguments) {
        try {
            run(List.of(arguments));
        } catch (IllegalArgumentException | IllegalStateException | JsonParseException | SQLException | IOException e) {
            System.err.println(e.getMessage());
            System.exit(1);
        }
    }

    private static void run(List<String> arguments) throws SQLException, IOException {
        String command = arguments.isEmpty() ? "" : arguments.get(0);
        if (!Set.of("put", "cancel", "delete", "split", "follow", "list").contains(command)) {
            throw new IllegalArgumentException(USAGE);
        }
        Line line = Line.read(arguments.subList(1, arguments.size()), switch (command) {
            case "put" -> Set.of("--occurrence", "--notify");
            case "cancel", "delete" -> Set.of("--occurrence");
            case "split" -> Set.of("--at", "--as");
            default -> Set.of();
        });
        String brokers = environment("KAFKA_BROKERS", "127.0.0.1:19092");
        try (Store store = new Store(environment("CRM_DB", "crm.db"))) {
            if (command.equals("list")) {
                store.all().forEach(Main::show);
                return;
            }
            try (Kafka.Producer producer = new Kafka.Producer(brokers)) {
                Crm crm = new Crm(store, environment("CRM_TENANT", "acme"), environment("CRM_USER", "anna"), producer,
                        () -> Instant.now().truncatedTo(ChronoUnit.MILLIS).toString());
                switch (command) {
                    case "put" -> crm.put(line.task(), line.option("--occurrence"), line.members(), line.option("--notify"));
                    case "cancel" -> {
                        JsonObject cancelled = new JsonObject();
                        cancelled.addProperty("status", "cancelled");
                        crm.put(line.task(), line.option("--occurrence"), cancelled, "");
                    }
                    case "delete" -> crm.delete(line.task(), line.option("--occurrence"));
                    case "split" -> crm.split(line.task(), line.option("--at"), line.option("--as"), line.members());
                    default -> Kafka.follow(crm, brokers, store.group());
                }
            }
        }
    }

    private static void show(Row row) {
        System.out.println("%s version %d (sent %d), updates applied to %d%s".formatted((row.taskId + " " + row.occurrence).trim(), row.version,
                row.sentVersion, row.appliedSequence, row.deleted ? ", deleted" : ""));
        System.out.println(Json.print(row.fields));
        if (!row.failure.isEmpty()) {
            System.out.println("  " + row.failure);
        }
        row.conflicts.getConflictsList().forEach(c -> System.out.println("  conflict in %s: here '%s', in Google '%s'".formatted(c.getField(), c.getCrm(), c.getGoogle())));
    }

    private static String environment(String name, String fallback) {
        String value = System.getenv(name);
        return value == null || value.isEmpty() ? fallback : value;
    }
}
