package dataset_test

import (
	"archive/zip"
	"bytes"
	"crypto/ed25519"
	"encoding/hex"
	"encoding/json"
	"io"
	"math/big"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// answer is what verify.py --json says.
type answer struct {
	Verified    bool     `json:"verified"`
	Anchored    bool     `json:"anchored"`
	Fingerprint *string  `json:"fingerprint"`
	Origin      *string  `json:"origin"`
	Problem     *string  `json:"problem"`
	Where       *string  `json:"where"`
	Question    *string  `json:"question"`
	Turnout     *int     `json:"turnout"`
	Counts      []int    `json:"counts"`
	Entries     *int     `json:"entries"`
	Rows        *int     `json:"rows"`
	Notes       []string `json:"notes"`
}

// python runs python3, and skips the test where there is none.
func python(t *testing.T, stdin string, args ...string) (out string, code int) {
	t.Helper()
	path, err := exec.LookPath("python3")
	if err != nil {
		t.Skip("python3 is not installed: verify.py is not tested")
	}
	cmd := exec.Command(path, append([]string{"-B"}, args...)...)
	cmd.Stdin = strings.NewReader(stdin)
	cmd.Env = append(cmd.Environ(), "PYTHONIOENCODING=utf-8", "no_proxy=127.0.0.1")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	stdout, err := cmd.Output()
	if cmd.ProcessState == nil {
		t.Fatal(err)
	}
	if strings.Contains(stderr.String(), "Traceback") {
		t.Errorf("%q: %s", args, &stderr)
	}
	return string(stdout), cmd.ProcessState.ExitCode()
}

// generated is a folder with everything that testdata/generate.py makes.
func generated(t *testing.T) string {
	t.Helper()
	folder := t.TempDir()
	if out, code := python(t, "", "testdata/generate.py", folder); code != 0 {
		t.Fatalf("generate.py: %d %s", code, out)
	}
	return folder
}

// many runs verify.py with each list of arguments, in one process.
const many = `
import contextlib, io, json, sys
sys.path.insert(0, ".")
import verify
for line in sys.stdin:
    sys.argv = ["verify.py", *json.loads(line)]
    out = io.TextIOWrapper(io.BytesIO(), encoding="utf-8")
    try:
        with contextlib.redirect_stdout(out): verify.main()
    except SystemExit as end: code = end.code
    out.seek(0)
    print(json.dumps([code, out.read()]))
`

type ran struct {
	code   int
	answer answer
}

func runMany(t *testing.T, calls [][]string) []ran {
	t.Helper()
	var stdin strings.Builder
	for _, args := range calls {
		line, err := json.Marshal(append(args, "--json"))
		if err != nil {
			t.Fatal(err)
		}
		stdin.Write(append(line, '\n'))
	}
	out, _ := python(t, stdin.String(), "-c", many)
	var all []ran
	for line := range strings.Lines(out) {
		var r ran
		var text string
		if err := json.Unmarshal([]byte(line), &[]any{&r.code, &text}); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		if err := json.Unmarshal([]byte(text), &r.answer); err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		all = append(all, r)
	}
	if len(all) != len(calls) {
		t.Fatalf("%d of %d runs ended: %s", len(all), len(calls), out)
	}
	return all
}

func deref(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

// TestVerifyPyNamesThePlace gives verify.py every dataset of testdata/generate.py.
func TestVerifyPyNamesThePlace(t *testing.T) {
	folder := generated(t)
	zips, err := filepath.Glob(filepath.Join(folder, "*.zip"))
	if err != nil {
		t.Fatal(err)
	}
	var calls [][]string
	for _, path := range zips {
		calls = append(calls, []string{path})
	}
	expected := places()
	for i, r := range runMany(t, calls) {
		name := strings.TrimSuffix(filepath.Base(zips[i]), ".zip")
		where, known := expected[name]
		delete(expected, name)
		switch {
		case !known:
			t.Errorf("%s is not in places(): %d %q %q", name, r.code, deref(r.answer.Problem), deref(r.answer.Where))
		case where == "":
			if r.code != 0 || !r.answer.Verified || r.answer.Problem != nil || r.answer.Where != nil {
				t.Errorf("%s: %d %q %q, want it verified", name, r.code, deref(r.answer.Problem), deref(r.answer.Where))
			}
		case where == unreadable:
			if r.code != 3 || r.answer.Verified || r.answer.Problem == nil || deref(r.answer.Where) != zips[i] {
				t.Errorf("%s: %d %q %q, want 3", name, r.code, deref(r.answer.Problem), deref(r.answer.Where))
			}
		default:
			if r.code != 1 || r.answer.Verified || r.answer.Problem == nil || deref(r.answer.Where) != where {
				t.Errorf("%s: %d %q %q, want %q", name, r.code, deref(r.answer.Problem), deref(r.answer.Where), where)
			}
		}
	}
	for name := range expected {
		t.Errorf("generate.py makes no %s", name)
	}
}

// TestVerifyPyAnchors gives keys and checkpoints from elsewhere, good and bad.
func TestVerifyPyAnchors(t *testing.T) {
	folder := generated(t)
	file := func(name string) string { return filepath.Join(folder, name) }
	text := func(name string) string {
		b, err := os.ReadFile(file(name))
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("/page/dataset.zip", func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, text("single.zip")) })
	mux.HandleFunc("/half.zip", func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, text("zip-truncated.zip")) })
	actor := func(fields any) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			if r.Header.Get("Accept") != "application/activity+json" {
				http.Error(w, "<html>", http.StatusNotAcceptable)
				return
			}
			json.NewEncoder(w).Encode(map[string]any{"type": "Service", "summary": "<p>" + strings.TrimSpace(text("other-key.txt")) + "</p>", "attachment": fields})
		}
	}
	field := func(value string) map[string]string {
		return map[string]string{"type": "PropertyValue", "name": "Telsleutel", "value": value}
	}
	mux.Handle("/actor", actor([]any{field("<a href=\"https://gemeente.example/\" rel=\"me\">site</a>"), "x", field("<p>" + strings.ReplaceAll(text("key.txt"), "+", "&#43;") + "</p>")}))
	mux.Handle("/one-field", actor(field(text("key.txt"))))
	mux.Handle("/other-actor", actor([]any{field(text("other-key.txt"))}))
	mux.Handle("/keyless", actor([]any{field("geen")}))
	mux.Handle("/fieldless", actor(nil))
	mux.HandleFunc("/no-json", func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "<html>") })
	server := httptest.NewServer(mux)
	defer server.Close()
	// Another way to write the same address, which verify.py does not know to be on this machine.
	away := strings.Replace(server.URL, "127.0.0.1", "127.1", 1)
	mux.Handle("/away.zip", http.RedirectHandler(away+"/page/dataset.zip", http.StatusFound))
	mux.Handle("/away", http.RedirectHandler(away+"/actor", http.StatusFound))

	single, right, other := file("single.zip"), text("fingerprint.txt"), text("other-fingerprint.txt")
	cases := []struct {
		name        string
		args        []string
		code        int
		where       string
		fingerprint string
		anchored    bool
	}{
		{"none", []string{single}, 0, "", right, false},
		{"KEY", []string{"--key", text("key.txt"), single}, 0, "", right, true},
		{"verifier key", []string{"--key", text("verifier.txt"), single}, 0, "", right, true},
		{"fingerprint", []string{"--key", right, single}, 0, "", right, true},
		{"actor", []string{"--key", server.URL + "/actor", single}, 0, "", right, true},
		{"actor with one field", []string{"--key", server.URL + "/one-field", single}, 0, "", right, true},
		{"other KEY", []string{"--key", text("other-key.txt"), single}, 1, "key.txt", other, true},
		{"other fingerprint", []string{"--key", other, single}, 1, "key.txt", other, true},
		{"other log", []string{"--key", text("other-log.txt"), single}, 1, "key.txt", right, true},
		{"other actor", []string{"--key", server.URL + "/other-actor", single}, 1, "key.txt", other, true},
		{"actor without a key", []string{"--key", server.URL + "/keyless", single}, 3, server.URL + "/keyless", "", true},
		{"actor without fields", []string{"--key", server.URL + "/fieldless", single}, 3, server.URL + "/fieldless", "", true},
		{"actor that is a page", []string{"--key", server.URL + "/no-json", single}, 3, server.URL + "/no-json", "", true},
		{"actor that is not there", []string{"--key", server.URL + "/nobody", single}, 3, server.URL + "/nobody", "", true},
		{"actor elsewhere over plain HTTP", []string{"--key", server.URL + "/away", single}, 3, server.URL + "/away", "", true},
		{"key that is none", []string{"--key", "sleutel", single}, 2, "sleutel", "", true},
		{"key over plain HTTP", []string{"--key", "http://gemeente.example/actor", single}, 2, "http://gemeente.example/actor", "", true},
		{"key with an unreadable dataset", []string{"--key", right, file("zip-empty.zip")}, 3, file("zip-empty.zip"), right, true},

		{"page", []string{server.URL + "/page"}, 0, "", right, false},
		{"page with more behind it", []string{server.URL + "/page/?x=1#top"}, 0, "", right, false},
		{"zip", []string{server.URL + "/page/dataset.zip"}, 0, "", right, false},
		{"no such page", []string{server.URL + "/nothing"}, 3, server.URL + "/nothing/dataset.zip", "", false},
		{"half a zip", []string{server.URL + "/half.zip"}, 3, server.URL + "/half.zip", "", false},
		{"nobody listens", []string{"http://127.0.0.1:1/x"}, 3, "http://127.0.0.1:1/x", "", false},
		{"plain HTTP", []string{"http://gemeente.example/x.zip"}, 2, "http://gemeente.example/x.zip", "", false},
		{"zip elsewhere over plain HTTP", []string{server.URL + "/away.zip"}, 3, server.URL + "/away.zip", "", false},
		{"no such file", []string{file("nothing.zip")}, 3, file("nothing.zip"), "", false},
		{"empty folder", []string{t.TempDir()}, 1, "key.txt", "", false},

		{"post", []string{"--checkpoint", file("post.txt"), single}, 0, "", right, true},
		{"posts, one of another log", []string{"--checkpoint", file("posts.txt"), single}, 0, "", right, true},
		{"two files", []string{"--checkpoint", file("posts.txt"), "--checkpoint", file("post-split.txt"), single}, 1, file("post-split.txt"), right, true},
		{"post of another key", []string{"--checkpoint", file("post-forged.txt"), single}, 1, file("post-forged.txt"), right, true},
		{"post of another history", []string{"--checkpoint", file("post-split.txt"), single}, 1, file("post-split.txt"), right, true},
		{"post of another log", []string{"--checkpoint", file("post-elsewhere.txt"), single}, 1, file("post-elsewhere.txt"), right, true},
		{"post that was cut", []string{"--checkpoint", file("post-cut.txt"), single}, 1, file("post-cut.txt"), right, true},
		{"post that was altered", []string{"--checkpoint", file("post-altered.txt"), single}, 1, file("post-altered.txt"), right, true},
		{"newer post", []string{"--checkpoint", file("post-newer.txt"), single}, 1, file("post-newer.txt"), right, true},
		{"no such post", []string{"--checkpoint", file("post-nothing.txt"), single}, 3, file("post-nothing.txt"), right, true},
	}
	var calls [][]string
	for _, c := range cases {
		calls = append(calls, c.args)
	}
	for i, r := range runMany(t, calls) {
		c, a := cases[i], r.answer
		if r.code != c.code || deref(a.Where) != c.where || deref(a.Fingerprint) != c.fingerprint || a.Anchored != c.anchored || a.Verified != (c.code == 0) {
			t.Errorf("%s: %d %q at %q, fingerprint %q, anchored %v", c.name, r.code, deref(a.Problem), deref(a.Where), deref(a.Fingerprint), a.Anchored)
		}
		if said := slices.ContainsFunc(a.Notes, func(n string) bool { return strings.Contains(n, "fits itself") }); said == a.Anchored {
			t.Errorf("%s: notes %q, anchored %v", c.name, a.Notes, a.Anchored)
		}
		if c.name == "newer post" && !strings.Contains(deref(a.Problem), "newer than the dataset") {
			t.Errorf("newer post: %q", deref(a.Problem))
		}
	}
}

// TestVerifyPyStandsInItsFolder runs it as somebody does who unpacked the zip.
func TestVerifyPyStandsInItsFolder(t *testing.T) {
	folder, unpacked := generated(t), t.TempDir()
	archive, err := zip.OpenReader(filepath.Join(folder, "per-option.zip"))
	if err != nil {
		t.Fatal(err)
	}
	defer archive.Close()
	if err := os.CopyFS(unpacked, archive); err != nil {
		t.Fatal(err)
	}
	script := filepath.Join(unpacked, "verify.py")
	out, code := python(t, "", script)
	lines := strings.Split(strings.TrimSpace(out), "\n")
	if code != 0 || lines[len(lines)-1] != "Verified." || !strings.Contains(out, "Optie 8: café: ") ||
		!strings.Contains(out, strings.TrimSpace(read(t, filepath.Join(folder, "fingerprint.txt")))) || !strings.Contains(out, "fits itself") {
		t.Errorf("%d %s", code, out)
	}
	out, code = python(t, "", script, "--json")
	var a answer
	if err := json.Unmarshal([]byte(out), &a); err != nil || code != 0 || *a.Turnout != 24 || len(a.Counts) != 8 ||
		*a.Rows <= 24 || *a.Entries != *a.Rows+9 || deref(a.Origin) != "gemeente.example/log/k7d2m9" ||
		!strings.HasPrefix(deref(a.Question), "Wat doen we") || !slices.Contains(a.Notes, "The turnout is the node's word.") {
		t.Errorf("%d %v %s", code, err, out)
	}
	// What somebody else laid into the folder is named, and does not count.
	if err := os.WriteFile(filepath.Join(unpacked, "notes.txt"), []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, code = python(t, "", script); code != 0 || !strings.Contains(out, "notes.txt does not belong") {
		t.Errorf("%d %s", code, out)
	}
	if err := os.Remove(filepath.Join(unpacked, "rule.md")); err != nil {
		t.Fatal(err)
	}
	out, code = python(t, "", script)
	if lines = strings.Split(strings.TrimSpace(out), "\n"); code != 1 || !strings.HasPrefix(lines[len(lines)-1], "NOT VERIFIED: ") || !strings.HasSuffix(lines[len(lines)-1], ", rule.md") {
		t.Errorf("%d %s", code, out)
	}
	if _, code = python(t, "", script, "--such"); code != 2 {
		t.Errorf("wrong usage: %d", code)
	}
}

func read(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// TestVerifyPyEd25519 checks the vectors of RFC 8032 §7.1, signatures of crypto/ed25519, and encodings that
// §5.1.3 and §5.1.7 refuse.
func TestVerifyPyEd25519(t *testing.T) {
	type signature struct {
		What, Seed, Key, Message, Signature string
		Good                                bool
	}
	var all []signature
	add := func(what string, key, message, sig []byte, good bool) {
		all = append(all, signature{what, "", hex.EncodeToString(key), hex.EncodeToString(message), hex.EncodeToString(sig), good})
	}
	for _, v := range []struct{ seed, key, message, signature string }{
		{"9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
			"d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a", "",
			"e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b"},
		{"4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
			"3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c", "72",
			"92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"},
		{"c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
			"fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025", "af82",
			"6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a"},
		{"833fe62409237b9d62ec77587520911e9a759cec1d19755b7da901b96dca3d42",
			"ec172b93ad5e563bf4932c70e1245034c35467ef2efd4d64ebf819683467e2bf",
			"ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f",
			"dc2a4459e7369633a52b1bf277839a00201009a3efbf3ecb69bea2186c26b58909351fc9ac90b3ecfdfbc7c66431e0303dca179c138ac17ad9bef1177331a704"},
	} {
		all = append(all, signature{"RFC 8032", v.seed, v.key, v.message, v.signature, true})
	}
	order, _ := new(big.Int).SetString("7237005577332262213973186563042994240857116359379907606001950938285454250989", 10)
	for i := range 20 {
		public, private, err := ed25519.GenerateKey(nil)
		if err != nil {
			t.Fatal(err)
		}
		message := bytes.Repeat([]byte{byte(i)}, i)
		sig := ed25519.Sign(private, message)
		add("Go", public, message, sig, true)
		bit := slices.Clone(sig)
		bit[i*3] ^= 1 << (i % 8)
		add("a bit of the signature", public, message, bit, false)
		add("message", public, append(message, 0), sig, false)
		little := slices.Clone(sig[32:])
		slices.Reverse(little)
		larger := new(big.Int).Add(new(big.Int).SetBytes(little), order).FillBytes(make([]byte, 32))
		slices.Reverse(larger)
		add("S + L", public, message, append(slices.Clone(sig[:32]), larger...), false)
	}
	// The neutral point as key and R, S = 0: a forgery for every message unless the encoding is refused. Its one
	// canonical form is a key of small order, which a node can only harm itself with.
	one, more, sign := make([]byte, 32), make([]byte, 32), make([]byte, 32)
	one[0], sign[0], sign[31] = 1, 1, 0x80
	copy(more, bytes.Repeat([]byte{0xff}, 32)) // p + 1
	more[0], more[31] = 0xee, 0x7f
	zero := make([]byte, 32)
	add("y = p + 1 in the key", more, nil, append(slices.Clone(one), zero...), false)
	add("x = -0 in the key", sign, nil, append(slices.Clone(one), zero...), false)
	add("y = p + 1 in R", one, nil, append(slices.Clone(more), zero...), false)
	add("x = -0 in R", one, nil, append(slices.Clone(sign), zero...), false)
	add("no point", append([]byte{2}, zero[1:]...), nil, make([]byte, 64), false)

	stdin, err := json.Marshal(all)
	if err != nil {
		t.Fatal(err)
	}
	out, code := python(t, string(stdin), "-c", `
import json, sys
sys.path[:0] = [".", "testdata"]
import ballotlog, verify
for s in json.load(sys.stdin):
    seed, key, message, signature = (bytes.fromhex(s[name]) for name in ("Seed", "Key", "Message", "Signature"))
    if verify.signature_fits(key, message, signature) != s["Good"]: print(s)
    if seed and (ballotlog.expanded(seed)[2], ballotlog.ed25519(seed, message)) != (key, signature): print("ballotlog.py", s)
`)
	if code != 0 || out != "" {
		t.Errorf("%d %s", code, out)
	}
}
