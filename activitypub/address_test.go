package activitypub

import "testing"

// Where the short way answers at all, it answers as the parser does.
func TestPlainHost(t *testing.T) {
	f := &Federation{}
	plain := 0
	for _, address := range []string{
		"https://m.example/users/ana", "https://m.example", "https://m.example/users/ana#main-key", "https://m.example/?a=b",
		"https://xn--bcher-kva.example/a", "https://a-b.c1.example/@ana:x@y", "https://-.example/", "https://..example/",
		"https://M.example/", "https://m.example./", "https://m.example:443/", "https://m.example:8443/", "https://m.example:/",
		"https://ana@m.example/", "https:///users", "https://", "http://m.example/", "HTTPS://m.example/", "m.example", "",
		"https://m.example#key", "https://m.example?x", "https://m.example\\@evil.example/", "https://m.example/%zz",
		"https://m.example/a b", "https://m.example/\x00", "https://m.example/\x7f", "https://m.example/é", "https://mé.example/",
		"https://m%2eexample/", "https://m.example /", "https://m_x.example/", "https://[::1]/", "https://127.0.0.1/a",
	} {
		short, ok := plainHost(address)
		if !ok {
			continue
		}
		plain++
		if long, err := f.parsedHost(address); err != nil || short != long {
			t.Errorf("%q: %q, the parser says %q: %v", address, short, long, err)
		}
	}
	if plain != 9 {
		t.Errorf("%d addresses went the short way", plain)
	}
}
