package as2_test

import (
	"testing"

	"inspraak/activitypub/as2"
)

const mastodonVote = `{"@context":"https://www.w3.org/ns/activitystreams","id":"https://m.example/users/ana#votes/991/activity","type":"Create","actor":"https://m.example/users/ana","to":"https://city.example/a/participa","object":{"id":"https://m.example/users/ana#votes/991","type":"Note","name":"Trees","attributedTo":"https://m.example/users/ana","inReplyTo":"https://city.example/o/01J9ZK","to":"https://city.example/a/participa"}}`

func BenchmarkVote(b *testing.B) {
	raw := []byte(mastodonVote)
	b.ReportAllocs()
	for b.Loop() {
		d, err := as2.Decode(raw)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := d.Activity(); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkDecode(b *testing.B) {
	raw := []byte(mastodonVote)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := as2.Decode(raw); err != nil {
			b.Fatal(err)
		}
	}
}
