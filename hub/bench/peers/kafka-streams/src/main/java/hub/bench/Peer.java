package hub.bench;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.Arrays;
import java.util.Deque;
import java.util.HashMap;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.concurrent.atomic.AtomicLong;
import org.apache.kafka.clients.consumer.ConsumerConfig;
import org.apache.kafka.clients.producer.ProducerConfig;
import org.apache.kafka.common.header.internals.RecordHeaders;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.common.utils.Bytes;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.StreamsConfig;
import org.apache.kafka.streams.Topology;
import org.apache.kafka.streams.errors.StreamsUncaughtExceptionHandler.StreamThreadExceptionResponse;
import org.apache.kafka.streams.processor.PunctuationType;
import org.apache.kafka.streams.processor.api.Processor;
import org.apache.kafka.streams.processor.api.ProcessorContext;
import org.apache.kafka.streams.processor.api.Record;
import org.apache.kafka.streams.state.KeyValueStore;
import org.apache.kafka.streams.state.Stores;

/**
 * The work in Kafka Streams: {@code Peer BROKER SOURCE POLICE HTMOC FILE COUNT FOLDER}.
 *
 * <p>exactly_once_v2, one thread, an in-memory store with its changelog; {@code work.py} beside it
 * says what the work is.
 */
public final class Peer {
  private static final String SEEN = "seen";
  private static final Duration WINDOW = Duration.ofHours(1);
  private static final Duration EXPIRE_EVERY = Duration.ofMinutes(1);
  private static final int PREFIX = 5;
  private static final int ID_END = 21;

  private record Tails(byte[] police, byte[] htmoc) {}

  private record Site(
      byte[] police, byte[] htmoc, byte[] nothing, Map<Bytes, Map<Integer, Tails>> tails) {}

  public static void main(String[] words) throws IOException {
    Site site = read(Path.of(words[4]));
    AtomicLong done = new AtomicLong();
    long count = Long.parseLong(words[5]);
    KafkaStreams streams =
        new KafkaStreams(topology(words, site, done, count), settings(words[0], words[6]));
    streams.setUncaughtExceptionHandler(
        error -> {
          error.printStackTrace();
          Runtime.getRuntime().halt(1);
          return StreamThreadExceptionResponse.SHUTDOWN_CLIENT;
        });
    say("ready", "partitions", 0);
    if (System.in.read() < 0) {
      return;
    }
    streams.start();
    while (System.in.read() >= 0) {
      // The benchmark closes it when it has seen enough.
    }
    streams.close(Duration.ofSeconds(10));
  }

  private static Topology topology(String[] words, Site site, AtomicLong done, long count) {
    Topology topology = new Topology();
    topology.addSource(
        "source", new ByteArrayDeserializer(), new ByteArrayDeserializer(), words[1]);
    topology.addProcessor(
        "work", () -> new Work(site, words[2], words[3], done, count), "source");
    topology.addStateStore(
        Stores.keyValueStoreBuilder(
                Stores.inMemoryKeyValueStore(SEEN), Serdes.Bytes(), Serdes.ByteArray())
            .withLoggingEnabled(Map.of()),
        "work");
    for (int index : new int[] {2, 3}) {
      topology.addSink(
          words[index],
          words[index],
          new ByteArraySerializer(),
          new ByteArraySerializer(),
          "work");
    }
    return topology;
  }

  private static Properties settings(String broker, String folder) {
    Properties settings = new Properties();
    settings.put(StreamsConfig.APPLICATION_ID_CONFIG, "bench-streams");
    settings.put(StreamsConfig.BOOTSTRAP_SERVERS_CONFIG, broker);
    settings.put(StreamsConfig.PROCESSING_GUARANTEE_CONFIG, StreamsConfig.EXACTLY_ONCE_V2);
    settings.put(StreamsConfig.NUM_STREAM_THREADS_CONFIG, 1);
    settings.put(StreamsConfig.COMMIT_INTERVAL_MS_CONFIG, 100);
    settings.put(StreamsConfig.REPLICATION_FACTOR_CONFIG, 1);
    settings.put(StreamsConfig.STATE_DIR_CONFIG, folder + "/streams");
    settings.put(StreamsConfig.consumerPrefix(ConsumerConfig.AUTO_OFFSET_RESET_CONFIG), "earliest");
    settings.put(StreamsConfig.consumerPrefix(ConsumerConfig.MAX_POLL_RECORDS_CONFIG), 5_000);
    settings.put(StreamsConfig.producerPrefix(ProducerConfig.COMPRESSION_TYPE_CONFIG), "lz4");
    settings.put(StreamsConfig.producerPrefix(ProducerConfig.LINGER_MS_CONFIG), 10);
    settings.put(StreamsConfig.producerPrefix(ProducerConfig.BATCH_SIZE_CONFIG), 1_000_000);
    return settings;
  }

  private static Site read(Path file) throws IOException {
    HexFormat hex = HexFormat.of();
    List<String> lines = Files.readAllLines(file);
    String[] frames = lines.get(0).split("\t", -1);
    Map<Bytes, Map<Integer, Tails>> tails = new HashMap<>();
    for (String line : lines.subList(1, lines.size())) {
      String[] parts = line.split("\t", -1);
      tails
          .computeIfAbsent(Bytes.wrap(hex.parseHex(parts[0])), key -> new HashMap<>())
          .put(
              Integer.parseInt(parts[1]),
              new Tails(hex.parseHex(parts[2]), hex.parseHex(parts[3])));
    }
    return new Site(
        hex.parseHex(frames[1]), hex.parseHex(frames[2]), hex.parseHex(frames[3]), tails);
  }

  private static synchronized void say(String what, String name, long value) {
    System.out.printf(
        "{\"say\": \"%s\", \"at\": %.3f, \"%s\": %d}%n",
        what, System.currentTimeMillis() / 1000.0, name, value);
    System.out.flush();
  }

  /** One task's work; one thread runs all of them. */
  private static final class Work implements Processor<byte[], byte[], byte[], byte[]> {
    private final Site site;
    private final String police;
    private final String htmoc;
    private final AtomicLong done;
    private final long count;
    /** Ids by arrival: what has left the window is taken out of the store. */
    private final Deque<Map.Entry<Long, Bytes>> order = new ArrayDeque<>();

    private ProcessorContext<byte[], byte[]> context;
    private KeyValueStore<Bytes, byte[]> seen;

    Work(Site site, String police, String htmoc, AtomicLong done, long count) {
      this.site = site;
      this.police = police;
      this.htmoc = htmoc;
      this.done = done;
      this.count = count;
    }

    @Override
    public void init(ProcessorContext<byte[], byte[]> context) {
      this.context = context;
      this.seen = context.getStateStore(SEEN);
      context.schedule(EXPIRE_EVERY, PunctuationType.STREAM_TIME, this::expire);
    }

    @Override
    public void process(Record<byte[], byte[]> record) {
      byte[] value = record.value();
      Bytes id = Bytes.wrap(Arrays.copyOfRange(value, PREFIX, ID_END));
      if (seen.get(id) == null) {
        seen.put(id, ByteBuffer.allocate(Long.BYTES).putLong(record.timestamp()).array());
        order.add(Map.entry(record.timestamp(), id));
        deliver(record, value);
      }
      progress();
    }

    private void deliver(Record<byte[], byte[]> record, byte[] value) {
      ByteBuffer cut = ByteBuffer.wrap(record.headers().lastHeader("cut").value());
      int start = cut.getInt();
      int end = cut.getInt();
      Tails tails = site.tails.get(Bytes.wrap(record.key())).get(cut.get() & 0xFF);
      ByteBuffer whole =
          ByteBuffer.allocate(site.police.length + value.length - PREFIX + tails.police.length);
      whole.put(site.police).put(value, PREFIX, value.length - PREFIX).put(tails.police);
      int kept = value.length - PREFIX - (end - start);
      ByteBuffer shown =
          ByteBuffer.allocate(
              site.htmoc.length + kept + site.nothing.length + tails.htmoc.length);
      shown
          .put(site.htmoc)
          .put(value, PREFIX, start - PREFIX)
          .put(site.nothing)
          .put(value, end, value.length - end)
          .put(tails.htmoc);
      context.forward(output(record, whole.array()), police);
      context.forward(output(record, shown.array()), htmoc);
    }

    private static Record<byte[], byte[]> output(Record<byte[], byte[]> record, byte[] value) {
      return new Record<>(record.key(), value, record.timestamp(), new RecordHeaders());
    }

    private void expire(long now) {
      while (!order.isEmpty() && order.peek().getKey() + WINDOW.toMillis() <= now) {
        seen.delete(order.poll().getValue());
      }
    }

    private void progress() {
      long now = done.incrementAndGet();
      if (now == count / 10) {
        say("began", "records", now);
      }
      if (now % 1_000 == 0 || now == count) {
        say("done", "records", now);
      }
    }
  }
}
