package example;

import static java.util.concurrent.TimeUnit.MILLISECONDS;
import static java.util.concurrent.TimeUnit.SECONDS;

import com.google.protobuf.Timestamp;
import com.google.rpc.BadRequest;
import io.grpc.Channel;
import io.grpc.Grpc;
import io.grpc.InsecureChannelCredentials;
import io.grpc.ManagedChannel;
import io.grpc.Metadata;
import io.grpc.StatusRuntimeException;
import io.grpc.TlsChannelCredentials;
import io.grpc.protobuf.StatusProto;
import io.grpc.stub.AbstractStub;
import io.grpc.stub.MetadataUtils;
import io.grpc.stub.StreamObserver;
import java.io.File;
import java.time.Instant;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.UUID;
import java.util.concurrent.CompletableFuture;
import rivulet.v1.*;

/** A client of Rivulet: asks for recommendations, follows lists as they change, publishes events. */
public final class RivuletExample {
  private static final String USAGE =
      """
      usage: java -jar target/rivulet-example.jar [--address HOST:PORT] [--ca FILE|public] [--deadline SECONDS] COMMAND
      commands: get USER | batch USER... | follow USER | trending [CATEGORY] | publish USER TYPE ITEM...
      --ca names whom to trust, "public" those that everybody does; without it there is no TLS.
      A bearer token is taken from the variable BEARER_TOKEN.""";
  private static final Map<String, Integer> ARGUMENTS =
      Map.of("get", 1, "batch", 1, "follow", 1, "trending", 0, "publish", 3);

  public static void main(String[] args) throws Exception {
    var options = new HashMap<>(Map.of("--address", "127.0.0.1:50051", "--ca", "", "--deadline", "5"));
    int at = 0;
    for (; at + 1 < args.length && options.containsKey(args[at]); at += 2) options.put(args[at], args[at + 1]);
    var words = Arrays.asList(args).subList(at, args.length);
    if (words.isEmpty() || words.size() <= ARGUMENTS.getOrDefault(words.get(0), Integer.MAX_VALUE)) {
      System.err.println(USAGE);
      System.exit(2);
    }
    long deadlineMs = (long) (Double.parseDouble(options.get("--deadline")) * 1000);
    var channel = connect(options.get("--address"), options.get("--ca"));
    try {
      run(channel, deadlineMs, words.get(0), words.subList(1, words.size()));
    } catch (StatusRuntimeException error) {
      explain(error);
      System.exit(1);
    } finally {
      channel.shutdownNow();
    }
  }

  private static ManagedChannel connect(String address, String ca) throws Exception {
    var tls = TlsChannelCredentials.newBuilder();
    if (!ca.isEmpty() && !ca.equals("public")) tls.trustManager(new File(ca));
    var credentials = ca.isEmpty() ? InsecureChannelCredentials.create() : tls.build();
    return Grpc.newChannelBuilder(address, credentials).keepAliveTime(30, SECONDS).build();
  }

  private static void run(Channel channel, long deadlineMs, String command, List<String> args) throws Exception {
    var users = authorized(RecommendationServiceGrpc.newBlockingStub(channel));
    var soon = users.withDeadlineAfter(deadlineMs, MILLISECONDS);
    switch (command) {
      case "get" -> show(soon.getRecommendations(
          GetRecommendationsRequest.newBuilder().setUserId(args.get(0)).build()));
      case "batch" -> soon.batchGetRecommendations(
              BatchGetRecommendationsRequest.newBuilder().addAllUserIds(args).build())
          .getRecommendationsList().forEach(RivuletExample::show);
      case "follow" -> Streams.follow(users, args.get(0));
      case "trending" -> Streams.trending(authorized(TrendingServiceGrpc.newBlockingStub(channel)), String.join("", args));
      default -> publish(authorized(EventServiceGrpc.newStub(channel)).withDeadlineAfter(deadlineMs, MILLISECONDS), args);
    }
  }

  private static <S extends AbstractStub<S>> S authorized(S stub) {
    var token = System.getenv("BEARER_TOKEN");
    if (token == null) return stub;
    var headers = new Metadata();
    headers.put(Metadata.Key.of("authorization", Metadata.ASCII_STRING_MARSHALLER), "Bearer " + token);
    return stub.withInterceptors(MetadataUtils.newAttachHeadersInterceptor(headers));
  }

  private static void publish(EventServiceGrpc.EventServiceStub service, List<String> args) throws Exception {
    var summary = new CompletableFuture<PublishEventsResponse>();
    var requests = service.publishEvents(new StreamObserver<PublishEventsResponse>() {
      @Override public void onNext(PublishEventsResponse answer) { summary.complete(answer); }
      @Override public void onError(Throwable error) { summary.completeExceptionally(error); }
      @Override public void onCompleted() {}
    });
    for (var item : args.subList(2, args.size())) {
      var now = Instant.now();
      var event = Event.newBuilder()
          // With an id of its own, an event that is sent again is counted once.
          .setEventId(UUID.randomUUID().toString())
          .setEventType(eventType(args.get(1)))
          .setEventTime(Timestamp.newBuilder().setSeconds(now.getEpochSecond()).setNanos(now.getNano()))
          .setUserId(args.get(0))
          .setItemId(item);
      requests.onNext(PublishEventsRequest.newBuilder().addEvents(event).build());
    }
    requests.onCompleted();
    try {
      var answer = summary.join();
      System.out.printf("accepted %d, rejected %d%n", answer.getAccepted(), answer.getRejected());
      for (var wrong : answer.getErrorsList())
        System.out.printf("event %d: %s: %s%n", wrong.getIndex(), wrong.getField(), wrong.getReason());
    } catch (java.util.concurrent.CompletionException failed) {
      if (failed.getCause() instanceof StatusRuntimeException error) throw error;
      throw failed;
    }
  }

  /** The node refuses a type that there is not. */
  private static EventType eventType(String name) {
    var wanted = "EVENT_TYPE_" + name.toUpperCase(Locale.ROOT);
    return Arrays.stream(EventType.values()).filter(type -> type.name().equals(wanted)).findAny()
        .orElse(EventType.EVENT_TYPE_UNSPECIFIED);
  }

  static void show(GetRecommendationsResponse list) {
    show(list.getUserId(), list.getItemsList().stream().map(i -> entry(i.getItemId(), i.getScore())).toList());
  }

  static void show(String title, List<String> entries) {
    System.out.println(title + ": " + String.join(", ", entries));
  }

  static String entry(String itemId, double score) {
    return String.format(Locale.ROOT, "%s %.2f", itemId, score);
  }

  private static void explain(StatusRuntimeException error) throws Exception {
    System.err.println(error.getStatus().getCode() + ": " + error.getStatus().getDescription());
    var status = StatusProto.fromThrowable(error);
    if (status == null) return;
    for (var detail : status.getDetailsList()) {
      if (!detail.is(BadRequest.class)) continue;
      for (var wrong : detail.unpack(BadRequest.class).getFieldViolationsList())
        System.err.println("  " + wrong.getField() + ": " + wrong.getDescription());
    }
  }
}
