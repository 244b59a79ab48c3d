package crm;

import calbridge.tasks.v1.Tasks.TaskChanged;
import calbridge.tasks.v1.Tasks.TaskUpdate;
import com.google.gson.JsonParseException;
import com.google.gson.JsonParser;
import com.google.protobuf.InvalidProtocolBufferException;
import java.nio.charset.StandardCharsets;
import java.sql.SQLException;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import org.apache.kafka.clients.consumer.ConsumerConfig;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerConfig;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.errors.WakeupException;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.apache.kafka.common.serialization.StringSerializer;

/** Both topics through Apache Kafka's own client: murmur2, acks=all and idempotence are its defaults. */
final class Kafka {
    private Kafka() {}

    static final class Producer implements Crm.Sender, AutoCloseable {
        private final KafkaProducer<String, byte[]> producer;

        Producer(String brokers) {
            producer = new KafkaProducer<>(
                    Map.of(
                            ProducerConfig.BOOTSTRAP_SERVERS_CONFIG, brokers,
                            ProducerConfig.COMPRESSION_TYPE_CONFIG, "zstd",
                            ProducerConfig.LINGER_MS_CONFIG, 5,
                            ProducerConfig.MAX_BLOCK_MS_CONFIG, 30_000),
                    new StringSerializer(),
                    new ByteArraySerializer());
        }

        @Override
        public void send(String key, List<TaskChanged> values) {
            List<Future<?>> under = new ArrayList<>();
            for (TaskChanged value : values) {
                ProducerRecord<String, byte[]> record = new ProducerRecord<>("task-changed", key, value.toByteArray());
                headers().forEach((name, text) -> record.headers().add(name, text.getBytes(StandardCharsets.UTF_8)));
                under.add(producer.send(record));
            }
            try {
                for (Future<?> one : under) {
                    one.get(30, TimeUnit.SECONDS);
                }
            } catch (ExecutionException | TimeoutException e) {
                throw new IllegalStateException("Kafka did not take the message, it stays to be sent: " + e, e);
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
                throw new IllegalStateException(e);
            }
        }

        /** CloudEvents 1.0, Kafka binding, binary mode. */
        private static Map<String, String> headers() {
            return Map.of(
                    "ce_specversion", "1.0",
                    "ce_id", UUID.randomUUID().toString(),
                    "ce_source", "/crm-example",
                    "ce_type", "calbridge.tasks.changed.v1",
                    "ce_time", Instant.now().toString(),
                    "content-type", "application/protobuf");
        }

        @Override
        public void close() {
            producer.close();
        }
    }

    /** Applies updates as they come, until the process is asked to end. */
    static void follow(Crm crm, String brokers, String group) throws SQLException {
        crm.flush();
        try (KafkaConsumer<String, byte[]> consumer = new KafkaConsumer<>(
                Map.of(
                        ConsumerConfig.BOOTSTRAP_SERVERS_CONFIG, brokers,
                        ConsumerConfig.GROUP_ID_CONFIG, group,
                        ConsumerConfig.AUTO_OFFSET_RESET_CONFIG, "earliest",
                        ConsumerConfig.ENABLE_AUTO_COMMIT_CONFIG, false),
                new StringDeserializer(),
                new ByteArrayDeserializer())) {
            Thread here = Thread.currentThread();
            Runtime.getRuntime().addShutdownHook(new Thread(() -> {
                consumer.wakeup();
                try {
                    here.join(10_000);
                } catch (InterruptedException e) {
                    Thread.currentThread().interrupt();
                }
            }));
            consumer.subscribe(List.of("task-updates"));
            System.out.println("following task-updates");
            while (true) {
                for (ConsumerRecord<String, byte[]> record : consumer.poll(Duration.ofMillis(500))) {
                    if (crm.key().equals(record.key())) {
                        read(crm, record).forEach(System.out::println);
                    }
                }
                // The rows are committed; what is lost here comes again and is dropped by its sequence.
                consumer.commitSync();
            }
        } catch (WakeupException e) {
            // Asked to end.
        }
    }

    private static List<String> read(Crm crm, ConsumerRecord<String, byte[]> record) throws SQLException {
        TaskUpdate update;
        try {
            update = decode(record);
        } catch (InvalidProtocolBufferException | JsonParseException | IllegalArgumentException e) {
            return List.of("%s[%d]@%d is no update and was set aside: %s".formatted(record.topic(), record.partition(), record.offset(), e));
        }
        return crm.take(update);
    }

    /** By the header: JSON or protobuf. */
    private static TaskUpdate decode(ConsumerRecord<String, byte[]> record) throws InvalidProtocolBufferException {
        Header header = record.headers().lastHeader("content-type");
        String type = header == null ? "application/json" : new String(header.value(), StandardCharsets.UTF_8).split(";")[0].trim();
        TaskUpdate update =
                switch (type) {
                    case "application/protobuf" -> TaskUpdate.parseFrom(record.value());
                    case "application/json" ->
                            Json.parse(JsonParser.parseString(new String(record.value(), StandardCharsets.UTF_8)), TaskUpdate.newBuilder()).build();
                    default -> throw new IllegalArgumentException(type + " is neither JSON nor protobuf");
                };
        if (update.getTaskId().isEmpty() || update.getSequence() < 1) {
            throw new IllegalArgumentException("no task or no sequence");
        }
        return update;
    }
}
