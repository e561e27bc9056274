package example;

import com.google.protobuf.InvalidProtocolBufferException;
import com.google.rpc.RetryInfo;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import io.grpc.protobuf.StatusProto;
import java.util.Comparator;
import java.util.HashMap;
import java.util.Iterator;
import java.util.function.Consumer;
import java.util.function.Supplier;
import rivulet.v1.*;

/** Lists that are followed as they change. */
final class Streams {
  static void follow(RecommendationServiceGrpc.RecommendationServiceBlockingStub users, String user) throws Exception {
    var request = StreamRecommendationsRequest.newBuilder().setUserId(user).build();
    subscribe(() -> users.streamRecommendations(request), message -> RivuletExample.show(message.getRecommendations()));
  }

  static void trending(TrendingServiceGrpc.TrendingServiceBlockingStub service, String category) throws Exception {
    var request = StreamTrendingRequest.newBuilder().setCategory(category);
    var items = new HashMap<String, TrendingItem>();
    Consumer<TrendingItem> put = item -> items.put(item.getItemId(), item);
    subscribe(() -> service.streamTrending(request.build()), message -> {
      switch (message.getChangeCase()) {
        case SNAPSHOT -> {
          items.clear();
          message.getSnapshot().getItemsList().forEach(put);
        }
        case DELTA -> {
          message.getDelta().getLeftList().forEach(items::remove);
          message.getDelta().getEnteredList().forEach(put);
          message.getDelta().getMovedList().forEach(put);
        }
        default -> {
          return;
        }
      }
      // What a new subscription starts from.
      request.setAfterRevision(message.getRevision());
      var ranked = items.values().stream()
          .sorted(Comparator.comparing(TrendingItem::getRank))
          .map(item -> RivuletExample.entry(item.getItemId(), item.getScore()));
      RivuletExample.show("revision " + message.getRevision(), ranked.toList());
    });
  }

  /** A node that stops, or is not ready, ends streams with UNAVAILABLE and says when to come back. */
  private static <T> void subscribe(Supplier<Iterator<T>> open, Consumer<T> onMessage) throws Exception {
    while (true) {
      long waitMs = 1000;
      try {
        open.get().forEachRemaining(onMessage);
      } catch (StatusRuntimeException error) {
        if (error.getStatus().getCode() != Status.Code.UNAVAILABLE) throw error;
        waitMs = retryDelayMs(error, waitMs);
      }
      System.err.println("the stream ended, again in " + waitMs / 1000.0 + " s");
      Thread.sleep(waitMs);
    }
  }

  private static long retryDelayMs(StatusRuntimeException error, long otherwise) throws InvalidProtocolBufferException {
    var status = StatusProto.fromThrowable(error);
    if (status == null) return otherwise;
    for (var detail : status.getDetailsList()) {
      if (!detail.is(RetryInfo.class)) continue;
      var delay = detail.unpack(RetryInfo.class).getRetryDelay();
      return delay.getSeconds() * 1000 + delay.getNanos() / 1_000_000;
    }
    return otherwise;
  }
}
