package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	rivulet "rivulet-example/rivulet/v1"
)

func follow(ctx context.Context, users rivulet.RecommendationServiceClient, user string) error {
	return subscribe(func() (grpc.ServerStreamingClient[rivulet.StreamRecommendationsResponse], error) {
		return users.StreamRecommendations(ctx, &rivulet.StreamRecommendationsRequest{UserId: user})
	}, func(message *rivulet.StreamRecommendationsResponse) {
		show(message.Recommendations.UserId, message.Recommendations.Items)
	})
}

func trending(ctx context.Context, service rivulet.TrendingServiceClient, category string) error {
	items := map[string]*rivulet.TrendingItem{}
	revision := uint64(0)
	put := func(changed []*rivulet.TrendingItem) {
		for _, item := range changed {
			items[item.ItemId] = item
		}
	}
	return subscribe(func() (grpc.ServerStreamingClient[rivulet.StreamTrendingResponse], error) {
		return service.StreamTrending(ctx, &rivulet.StreamTrendingRequest{Category: category, AfterRevision: revision})
	}, func(message *rivulet.StreamTrendingResponse) {
		switch change := message.Change.(type) {
		case *rivulet.StreamTrendingResponse_Snapshot:
			clear(items)
			put(change.Snapshot.Items)
		case *rivulet.StreamTrendingResponse_Delta:
			for _, id := range change.Delta.Left {
				delete(items, id)
			}
			put(change.Delta.Entered)
			put(change.Delta.Moved)
		default:
			return
		}
		revision = message.Revision
		byRank := func(a, b *rivulet.TrendingItem) int { return cmp.Compare(a.Rank, b.Rank) }
		show(fmt.Sprint("revision ", revision), slices.SortedFunc(maps.Values(items), byRank))
	})
}

// A node that stops, or is not ready, ends streams with UNAVAILABLE and says when to come back.
func subscribe[T any](open func() (grpc.ServerStreamingClient[T], error), onMessage func(*T)) error {
	for {
		stream, err := open()
		for err == nil {
			var message *T
			if message, err = stream.Recv(); err == nil {
				onMessage(message)
			}
		}
		if status.Code(err) != codes.Unavailable && !errors.Is(err, io.EOF) {
			return err
		}
		wait := time.Second
		for _, detail := range status.Convert(err).Details() {
			if retry, ok := detail.(*errdetails.RetryInfo); ok {
				wait = retry.RetryDelay.AsDuration()
			}
		}
		fmt.Fprintf(os.Stderr, "the stream ended, again in %g s\n", wait.Seconds())
		time.Sleep(wait)
	}
}
