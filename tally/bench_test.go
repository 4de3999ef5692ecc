package tally

import (
	"math/rand/v2"
	"testing"
)

// many is a consultation of n ballots in a week, drawn at random, from 5,000
// servers.
func many(n, options int, multiple bool) Input {
	rng := rand.New(rand.NewPCG(1, 2))
	in := Input{Options: options, Multiple: multiple, From: opens, Until: opens + week, Servers: make([]Server, 5000), Seed: 1}
	for i := range in.Servers {
		in.Servers[i] = Server{Name: "s", Usual: 1.0 / 5000}
	}
	for range n {
		x := uint64(1) << rng.IntN(options)
		if multiple {
			x |= rng.Uint64() & (1<<options - 1)
		}
		in.Ballots = append(in.Ballots, Ballot{
			Server: int(5000 * rng.Float64() * rng.Float64()), At: opens + rng.Int64N(week), Choices: x,
			AgeDays: rng.IntN(1000) - 1, Acquainted: rng.IntN(2) == 0,
		})
	}
	return in
}

func BenchmarkMillion(b *testing.B) {
	year := many(1_000_000, 4, false)
	year.Until = year.From + 366*24*3600
	for name, in := range map[string]Input{
		"single": many(1_000_000, 4, false), "year": year,
		"multiple of 12": many(1_000_000, 12, true), "multiple of 50": many(1_000_000, 50, true),
	} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if _, err := Integrity(in); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
