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

// N20 to N22: a host has one spelling here; the others are refused, so that
// nothing is evaded by spelling.
func TestOneSpellingOfAHost(t *testing.T) {
	for _, loopback := range []bool{false, true} {
		f := &Federation{Config: Config{Loopback: loopback}}
		for address, want := range map[string]string{
			"https://m1.example/users/bob":           "m1.example",
			"https://m1.example:8443/users/bob#main": "m1.example:8443",
			"https://xn--bcher-kva.example":          "xn--bcher-kva.example",
			"https://[2001:db8::1]/":                 "[2001:db8::1]",
			"https://m1.example:80/":                 "m1.example:80",
			"HTTPS://m1.example/":                    "",
			"https:m1.example":                       "",
			"//m1.example/":                          "",
			"m1.example":                             "",
			"https:///users/bob":                     "",
			"https://M1.example/":                    "",
			"https://m1.example./":                   "",
			"https://m1.example.:8443/":              "",
			"https://m1.example:443/":                "",
			"https://m1.example:/":                   "",
			"https://u:p@m1.example/":                "",
			"https://@m1.example/":                   "",
			"https://bücher.example/":                "",
			"https://ｍ1.example/":                    "",
			"https://m1%2eexample/":                  "",
			"https://m1.example%00/":                 "",
			"https://m1.example /":                   "",
			"https://m1.example\\@evil.example/":     "",
			"javascript:alert(1)":                    "",
			"":                                       "",
		} {
			if host, err := f.hostOf(address); host != want || (err == nil) != (want != "") {
				t.Errorf("%q: %q, %v; want %q", address, host, err, want)
			}
		}
		for address, want := range map[string]string{"http://m1.example:8080/": "m1.example:8080", "http://m1.example:80/": "", "http://m1.example/": "m1.example"} {
			if !loopback {
				want = ""
			}
			if host, err := f.hostOf(address); host != want || (err == nil) != (want != "") {
				t.Errorf("%q, loopback %v: %q, %v; want %q", address, loopback, host, err, want)
			}
		}
	}
}
