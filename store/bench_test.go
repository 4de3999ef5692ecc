package store_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"inspraak/participation"
	"inspraak/store"
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

// syllables makes a Dutch-looking word of a number: the smaller, the shorter.
func syllables(n int) string {
	parts := strings.Fields("ver ge be ont uit in om plein straat weg huis boom gracht buurt loos heid ing lijk")
	word := parts[n%len(parts)]
	for n /= len(parts); n > 0; n /= len(parts) {
		word += parts[n%len(parts)]
	}
	return word
}

// BenchmarkSearch asks for the first page of what everybody writes, of what few
// write and of what nobody writes, among 10,000 replies of some 60 words, and
// reports the slowest one in a hundred as well.
func BenchmarkSearch(b *testing.B) {
	db, path := empty(b)
	c := poll(b, db, "c1")
	keys := must(store.OpenKeys(filepath.Join(filepath.Dir(path), "keys"), true))(b)
	service := participation.New(db, keys, testSite(), time.Now)
	random := rand.New(rand.NewPCG(1, 2))
	common := strings.Fields("de het een van in dat niet voor met zijn fiets fietspad plein bomen auto parkeren school kinderen veilig gemeente")
	for from := 0; from < 10_000; from += 500 {
		update(b, db, func(tx participation.Tx) error {
			for i := range 500 {
				var text []string
				for range 60 {
					if random.IntN(3) > 0 {
						text = append(text, syllables(int(random.ExpFloat64()*3000)))
					} else {
						text = append(text, common[random.IntN(len(common))])
					}
				}
				says(b, tx, c.ID, fmt.Sprint(from+i), fmt.Sprintf("https://r.example/u/%d", i), strings.Join(text, " "))
			}
			return nil
		})
	}
	for _, asked := range []string{"de", "fiets", "fiets veilig school", `"van het plein"`, "ver", "vert", "verge", "nergens"} {
		b.Run(strings.ReplaceAll(asked, " ", "-"), func(b *testing.B) {
			var took []time.Duration
			for b.Loop() {
				began := time.Now()
				if _, _, err := service.Search(b.Context(), participation.SearchQuery{Text: asked}); err != nil {
					b.Fatal(err)
				}
				took = append(took, time.Since(began))
			}
			slices.Sort(took)
			b.ReportMetric(float64(took[len(took)/2].Microseconds()), "p50-µs")
			b.ReportMetric(float64(took[len(took)*99/100].Microseconds()), "p99-µs")
		})
	}
}
