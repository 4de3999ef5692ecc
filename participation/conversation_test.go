package participation_test

import (
	"slices"
	"testing"

	"inspraak/participation"
)

func TestOrders(t *testing.T) {
	for _, test := range []struct {
		order               participation.Order
		last, limit, offset int
		want                []int64
	}{
		{participation.Newest, 5, 2, 0, []int64{5, 4}},
		{participation.Newest, 5, 2, 4, []int64{1}},
		{participation.Oldest, 5, 2, 2, []int64{3, 4}},
		{participation.Oldest, 5, 2, 9, []int64{}},
		{participation.Oldest, 5, 2, -9, []int64{1, 2}},
		{participation.Random, 0, 2, 0, []int64{}},
	} {
		if got := test.order.Page(int64(test.last), 1, test.limit, test.offset); !slices.Equal(got, test.want) {
			t.Errorf("%+v: %v", test, got)
		}
	}
}

// In a random order every conversation stands first about as often as any other,
// a seed gives the same order each time, nothing is lost between pages, and a new
// conversation does not stir the others.
func TestRandomOrderIsFair(t *testing.T) {
	const conversations, seeds = 20, 2000
	page := func(last int64, limit, offset int) []int64 { return participation.Random.Page(last, 7, limit, offset) }
	whole := page(conversations, conversations, 0)
	if parts := slices.Concat(page(conversations, 8, 0), page(conversations, 8, 8), page(conversations, 8, 16)); !slices.Equal(parts, whole) {
		t.Errorf("pages %v do not make %v", parts, whole)
	}
	if sorted := slices.Sorted(slices.Values(whole)); !slices.Equal(sorted, participation.Oldest.Page(conversations, 0, conversations, 0)) || slices.Equal(sorted, whole) {
		t.Errorf("order %v", whole)
	}
	grown := slices.DeleteFunc(page(conversations+1, conversations+1, 0), func(n int64) bool { return n > conversations })
	if !slices.Equal(grown, whole) {
		t.Errorf("with one more: %v, without: %v", grown, whole)
	}
	first := make([]int, conversations+1)
	for seed := range uint32(seeds) {
		first[participation.Random.Page(conversations, seed, 1, 0)[0]]++
	}
	for number, n := range first[1:] { // 100 expected; 60 and 140 are four standard deviations off
		if n < 60 || n > 140 {
			t.Errorf("conversation %d came first %d times of %d", number+1, n, seeds)
		}
	}
}
