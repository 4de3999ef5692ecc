package store_test

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"inspraak/participation"
)

// BenchmarkVote counts votes of different voters, rules and sealing included,
// with so many on their way at a time. The time of an operation is that of one
// vote, its share of the COMMIT included.
func BenchmarkVote(b *testing.B) {
	for _, senders := range []int{1, 16, 64, 128} {
		b.Run(fmt.Sprint(senders), func(b *testing.B) {
			service, c := node(b)
			var next atomic.Int64
			var wg sync.WaitGroup
			b.ResetTimer()
			for range senders {
				wg.Go(func() {
					for n := int(next.Add(1)); n <= b.N; n = int(next.Add(1)) {
						outcome, err := service.CastVote(context.Background(), vote(c, n, 0))
						if err != nil || outcome != participation.Counted {
							b.Errorf("vote %d: %s, %v", n, outcome, err)
							return
						}
					}
				})
			}
			wg.Wait()
		})
	}
}
