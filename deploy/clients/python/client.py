"""A client of Rivulet in Python: asks for recommendations, follows lists as they change, publishes events.

The README says how to generate the modules of rivulet.v1.
"""

import argparse
import os
import sys
import time
import uuid

import grpc
from google.rpc import error_details_pb2
from grpc_status import rpc_status

from rivulet.v1 import event_pb2, event_service_pb2, event_service_pb2_grpc
from rivulet.v1 import recommendation_service_pb2, recommendation_service_pb2_grpc
from rivulet.v1 import trending_service_pb2, trending_service_pb2_grpc

recommendations, trending = recommendation_service_pb2, trending_service_pb2


def main():
    options = read_arguments()
    token = os.environ.get("BEARER_TOKEN")
    metadata = [("authorization", f"Bearer {token}")] if token else []
    with connect(options.address, options.ca) as channel:
        try:
            COMMANDS[options.command](channel, options, metadata)
        except grpc.RpcError as error:
            explain(error)
            sys.exit(1)
        except KeyboardInterrupt:
            sys.exit(130)


def read_arguments():
    parser = argparse.ArgumentParser(epilog="A bearer token is taken from the variable BEARER_TOKEN.")
    parser.add_argument("--address", default="127.0.0.1:50051", metavar="HOST:PORT", help="of a node")
    parser.add_argument("--ca", help='PEM file of the authority to trust, or "public"; without it, no TLS')
    parser.add_argument("--deadline", type=float, default=5, metavar="SECONDS", help="of a call; streams have no end")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("get").add_argument("user")
    commands.add_parser("batch").add_argument("users", nargs="+", metavar="user")
    commands.add_parser("follow").add_argument("user")
    commands.add_parser("trending").add_argument("category", nargs="?", default="")
    publishing = commands.add_parser("publish")
    publishing.add_argument("user")
    publishing.add_argument("type", help="view, cart, purchase, click…")
    publishing.add_argument("items", nargs="+", metavar="item")
    return parser.parse_args()


def connect(address, ca):
    alive = [("grpc.keepalive_time_ms", 30_000)]
    if ca is None:
        return grpc.insecure_channel(address, alive)
    trusted = None
    if ca != "public":
        with open(ca, "rb") as file:
            trusted = file.read()
    return grpc.secure_channel(address, grpc.ssl_channel_credentials(trusted), alive)


def get(channel, options, metadata):
    service = recommendation_service_pb2_grpc.RecommendationServiceStub(channel)
    request = recommendations.GetRecommendationsRequest(user_id=options.user)
    answer = service.GetRecommendations(request, timeout=options.deadline, metadata=metadata)
    show(answer.user_id, answer.items)


def batch(channel, options, metadata):
    service = recommendation_service_pb2_grpc.RecommendationServiceStub(channel)
    request = recommendations.BatchGetRecommendationsRequest(user_ids=options.users)
    answer = service.BatchGetRecommendations(request, timeout=options.deadline, metadata=metadata)
    for one in answer.recommendations:
        show(one.user_id, one.items)


def follow(channel, options, metadata):
    service = recommendation_service_pb2_grpc.RecommendationServiceStub(channel)
    request = recommendations.StreamRecommendationsRequest(user_id=options.user)
    for message in subscribe(lambda: service.StreamRecommendations(request, metadata=metadata)):
        show(message.recommendations.user_id, message.recommendations.items)


def follow_trending(channel, options, metadata):
    service = trending_service_pb2_grpc.TrendingServiceStub(channel)
    request = trending.StreamTrendingRequest(category=options.category)
    items = {}
    for message in subscribe(lambda: service.StreamTrending(request, metadata=metadata)):
        change = message.WhichOneof("change")
        if change == "snapshot":
            items = {item.item_id: item for item in message.snapshot.items}
        elif change == "delta":
            for item_id in message.delta.left:
                items.pop(item_id, None)
            items.update((item.item_id, item) for item in [*message.delta.entered, *message.delta.moved])
        else:
            continue
        # What a new subscription starts from.
        request.after_revision = message.revision
        show(f"revision {message.revision}", sorted(items.values(), key=lambda item: item.rank))


def publish(channel, options, metadata):
    service = event_service_pb2_grpc.EventServiceStub(channel)
    # The node refuses a type that there is not.
    event_type = dict(event_pb2.EventType.items()).get(f"EVENT_TYPE_{options.type.upper()}", 0)

    def requests():
        for item in options.items:
            # With an id of its own, an event that is sent again is counted once.
            event_id = str(uuid.uuid4())
            event = event_pb2.Event(event_id=event_id, event_type=event_type, user_id=options.user, item_id=item)
            event.event_time.GetCurrentTime()
            yield event_service_pb2.PublishEventsRequest(events=[event])

    summary = service.PublishEvents(requests(), timeout=options.deadline, metadata=metadata)
    print(f"accepted {summary.accepted}, rejected {summary.rejected}")
    for wrong in summary.errors:
        print(f"event {wrong.index}: {wrong.field}: {wrong.reason}")


def subscribe(open_stream):
    """Yields messages; a node that stops, or is not ready, ends streams with UNAVAILABLE and says when to come back."""
    while True:
        wait = 1.0
        try:
            yield from open_stream()
        except grpc.RpcError as error:
            if error.code() != grpc.StatusCode.UNAVAILABLE:
                raise
            for retry in details(error, error_details_pb2.RetryInfo):
                wait = retry.retry_delay.ToTimedelta().total_seconds()
        print(f"the stream ended, again in {wait:g} s", file=sys.stderr)
        time.sleep(wait)


def show(title, items):
    print(f"{title}: {', '.join(f'{item.item_id} {item.score:.2f}' for item in items)}", flush=True)


def explain(error):
    print(f"{error.code().name}: {error.details()}", file=sys.stderr)
    for bad in details(error, error_details_pb2.BadRequest):
        for wrong in bad.field_violations:
            print(f"  {wrong.field}: {wrong.description}", file=sys.stderr)


def details(error, kind):
    status = rpc_status.from_call(error)
    for packed in status.details if status else []:
        found = kind()
        if packed.Unpack(found):
            yield found


COMMANDS = {"get": get, "batch": batch, "follow": follow, "trending": follow_trending, "publish": publish}

if __name__ == "__main__":
    main()
