// A client of Rivulet in Go: asks for recommendations, follows lists as they change, publishes events. The README says how to build it.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"strings"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/timestamppb"

	rivulet "rivulet-example/rivulet/v1"
)

const usage = `usage: rivulet-example [options] COMMAND; a bearer token is taken from the variable BEARER_TOKEN
commands: get USER | batch USER... | follow USER | trending [CATEGORY] | publish USER TYPE ITEM...`

var arguments = map[string]int{"get": 1, "batch": 1, "follow": 1, "trending": 0, "publish": 3}

func main() {
	address := flag.String("address", "127.0.0.1:50051", "`host:port` of a node")
	ca := flag.String("ca", "", "PEM `file` of the authority to trust, or \"public\"; without it, no TLS")
	deadline := flag.Float64("deadline", 5, "how many `seconds` a call may take; streams have no end")
	flag.Usage = func() { fmt.Fprintln(os.Stderr, usage); flag.PrintDefaults() }
	flag.Parse()
	if needed, known := arguments[flag.Arg(0)]; !known || flag.NArg() <= needed {
		flag.Usage()
		os.Exit(2)
	}
	ctx := context.Background()
	if token := os.Getenv("BEARER_TOKEN"); token != "" {
		ctx = metadata.AppendToOutgoingContext(ctx, "authorization", "Bearer "+token)
	}
	conn, err := connect(*address, *ca)
	if err == nil {
		err = run(ctx, conn, time.Duration(*deadline*float64(time.Second)), flag.Arg(0), flag.Args()[1:])
	}
	if err != nil {
		explain(err)
		os.Exit(1)
	}
}

func connect(address, ca string) (conn *grpc.ClientConn, err error) {
	transport := insecure.NewCredentials()
	if ca == "public" {
		transport = credentials.NewTLS(nil)
	} else if ca != "" {
		if transport, err = credentials.NewClientTLSFromFile(ca, ""); err != nil {
			return nil, err
		}
	}
	alive := keepalive.ClientParameters{Time: 30 * time.Second}
	return grpc.NewClient(address, grpc.WithTransportCredentials(transport), grpc.WithKeepaliveParams(alive))
}

func run(ctx context.Context, conn *grpc.ClientConn, deadline time.Duration, command string, args []string) error {
	users := rivulet.NewRecommendationServiceClient(conn)
	switch command {
	case "follow":
		return follow(ctx, users, args[0])
	case "trending":
		return trending(ctx, rivulet.NewTrendingServiceClient(conn), strings.Join(args, ""))
	}
	ctx, cancel := context.WithTimeout(ctx, deadline)
	defer cancel()
	switch command {
	case "get":
		list, err := users.GetRecommendations(ctx, &rivulet.GetRecommendationsRequest{UserId: args[0]})
		if err != nil {
			return err
		}
		show(list.UserId, list.Items)
	case "batch":
		answer, err := users.BatchGetRecommendations(ctx, &rivulet.BatchGetRecommendationsRequest{UserIds: args})
		if err != nil {
			return err
		}
		for _, list := range answer.Recommendations {
			show(list.UserId, list.Items)
		}
	case "publish":
		return publish(ctx, rivulet.NewEventServiceClient(conn), args[0], args[1], args[2:])
	}
	return nil
}

func publish(ctx context.Context, service rivulet.EventServiceClient, user, kind string, items []string) error {
	stream, err := service.PublishEvents(ctx)
	if err != nil {
		return err
	}
	eventType := rivulet.EventType(rivulet.EventType_value["EVENT_TYPE_"+strings.ToUpper(kind)])
	for _, item := range items {
		now := timestamppb.Now()
		// With an id of its own, an event that is sent again is counted once.
		id := fmt.Sprintf("%s/%s/%d", user, item, now.AsTime().UnixNano())
		event := &rivulet.Event{EventId: &id, EventType: eventType, EventTime: now, UserId: user, ItemId: item}
		if stream.Send(&rivulet.PublishEventsRequest{Events: []*rivulet.Event{event}}) != nil {
			break // CloseAndRecv says why.
		}
	}
	summary, err := stream.CloseAndRecv()
	if err != nil {
		return err
	}
	fmt.Printf("accepted %d, rejected %d\n", summary.Accepted, summary.Rejected)
	for _, wrong := range summary.Errors {
		fmt.Printf("event %d: %s: %s\n", wrong.Index, wrong.Field, wrong.Reason)
	}
	return nil
}

func show[I interface {
	GetItemId() string
	GetScore() float64
}](title string, items []I) {
	var list []string
	for _, item := range items {
		list = append(list, fmt.Sprintf("%s %.2f", item.GetItemId(), item.GetScore()))
	}
	fmt.Printf("%s: %s\n", title, strings.Join(list, ", "))
}

func explain(err error) {
	told := status.Convert(err)
	fmt.Fprintf(os.Stderr, "%s: %s\n", told.Code(), told.Message())
	for _, detail := range told.Details() {
		if bad, ok := detail.(*errdetails.BadRequest); ok {
			for _, wrong := range bad.FieldViolations {
				fmt.Fprintf(os.Stderr, "  %s: %s\n", wrong.Field, wrong.Description)
			}
		}
	}
}
