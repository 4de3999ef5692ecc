package signature

import (
	"crypto"
	"encoding/base64"
	"net/http"
	"net/textproto"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/go-fed/httpsig"
)

// draftParameters are those of a draft Signature field (draft-cavage-12 §2.1).
type draftParameters struct {
	keyID, algorithm, headers, signature string
	created, expires                     int64
	hasCreated, hasExpires               bool
}

func inspectDraft(r *http.Request, target string, body []byte, now time.Time, p Policy) (*Signed, error) {
	fields := r.Header["Signature"]
	if len(fields) != 1 {
		return nil, refuse(RuleMissing, "%d Signature fields, one is needed", len(fields))
	}
	params, err := parseDraft(fields[0])
	if err != nil {
		return nil, err
	}
	sig, err := decodeSignature(params.signature)
	if err != nil {
		return nil, err
	}
	switch params.algorithm {
	case "", "rsa-sha256", "hs2019":
	default:
		return nil, refuse(RuleAlgorithm, "%q is not accepted; use rsa-sha256 or hs2019", params.algorithm)
	}

	s := &Signed{
		KeyID: params.keyID, Form: Cavage, algorithm: params.algorithm, signature: sig,
		raw: http.Header{"Signature": fields}, method: r.Method, target: target,
	}
	names := strings.Split(params.headers, " ")
	if s.header, err = draftCover(r, names, body); err != nil {
		return nil, err
	}
	if err := draftRequire(names, params, hasBody(r.Method, body)); err != nil {
		return nil, err
	}
	if err := s.draftTime(params, now, p.Window); err != nil {
		return nil, err
	}
	if digests, ok := s.header["Digest"]; ok {
		if err := checkDigest(digests, body); err != nil {
			return nil, err
		}
	}
	if s.header["(created)"] != nil || s.header["(expires)"] != nil {
		// httpsig would judge these by the clock at the time of Verify; a
		// request that had to wait is judged by the time it came.
		s.base = draftBase(names, s.header, params, r.Method, target)
		delete(s.header, "(created)")
		delete(s.header, "(expires)")
		return s, nil
	}
	// For httpsig only: our own spelling of the parameters it reads. It cannot
	// take a blank after a comma, nor a comma in the key id, which it does not need.
	s.header["Host"] = []string{r.Host}
	s.header["Signature"] = []string{`keyId="-",headers="` + params.headers +
		`",signature="` + params.signature + `"`}
	return s, nil
}

// parseDraft reads the comma-separated parameters: each at most once, whatever
// its case; unknown ones are ignored if well formed.
func parseDraft(text string) (draftParameters, error) {
	var p draftParameters
	if len(text) > maxHeader {
		return p, refuse(RuleParameters, "Signature is longer than %d bytes", maxHeader)
	}
	seen := make([]string, 0, 8)
	for rest := text; ; {
		name, value, after, ok := nextParameter(rest)
		if !ok {
			return p, refuse(RuleParameters, "malformed after %d bytes", len(text)-len(rest))
		}
		for _, other := range seen {
			if strings.EqualFold(name, other) {
				return p, refuse(RuleParameters, "%q is there twice", name)
			}
		}
		if seen = append(seen, name); len(seen) > 16 {
			return p, refuse(RuleParameters, "more than 16 parameters")
		}
		var err error
		switch name {
		case "keyId":
			p.keyID = value
		case "algorithm":
			p.algorithm = strings.ToLower(value)
			if value == "" {
				return p, refuse(RuleAlgorithm, "the algorithm is empty")
			}
		case "headers":
			p.headers = strings.ToLower(value)
		case "signature":
			p.signature = value
		case "created":
			p.hasCreated = true
			p.created, err = strconv.ParseInt(value, 10, 64)
		case "expires":
			p.hasExpires = true
			p.expires, err = strconv.ParseInt(value, 10, 64)
		}
		if err != nil {
			return p, refuse(RuleParameters, "%q is not a whole number of seconds", name)
		}
		if after == "" {
			break
		}
		rest = after[1:] // nextParameter stops at the comma
	}
	switch {
	case p.keyID == "" || len(p.keyID) > maxKeyID:
		return p, refuse(RuleParameters, "keyId must have 1 to %d bytes", maxKeyID)
	case p.signature == "":
		return p, refuse(RuleParameters, "signature is missing")
	case p.headers == "": // the draft's default, Date alone, proves nothing
		return p, refuse(RuleComponents, "headers is missing")
	}
	return p, nil
}

// nextParameter reads one name=value, the value a token or a quoted string
// without escapes, and blanks where RFC 9110 §5.6.3 lets them be. after is empty
// or begins with the comma.
func nextParameter(s string) (name, value, after string, ok bool) {
	s = strings.TrimLeft(s, " \t")
	equals := strings.IndexByte(s, '=')
	if equals < 1 {
		return "", "", "", false
	}
	name = strings.TrimRight(s[:equals], " \t")
	s = strings.TrimLeft(s[equals+1:], " \t")
	if strings.HasPrefix(s, `"`) {
		end := strings.IndexByte(s[1:], '"')
		if end < 0 {
			return "", "", "", false
		}
		value, after = s[1:1+end], s[end+2:]
		for i := range len(value) {
			if value[i] < ' ' || value[i] > '~' || value[i] == '\\' {
				return "", "", "", false
			}
		}
	} else {
		end := strings.IndexAny(s, ", \t")
		if end < 0 {
			end = len(s)
		}
		value, after = s[:end], s[end:]
		if !isToken(value) {
			return "", "", "", false
		}
	}
	after = strings.TrimLeft(after, " \t")
	return name, value, after, isToken(name) && (after == "" || after[0] == ',')
}

// isToken reports whether s is a token of RFC 9110 §5.6.2.
func isToken(s string) bool {
	for i := range len(s) {
		switch c := s[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9':
		case strings.IndexByte("!#$%&'*+-.^_`|~", c) >= 0:
		default:
			return false
		}
	}
	return s != ""
}

// draftCover collects the covered fields; each must be there, and named once.
func draftCover(r *http.Request, names []string, body []byte) (http.Header, error) {
	if len(names) > maxComponents {
		return nil, refuse(RuleComponents, "more than %d covered fields", maxComponents)
	}
	header := make(http.Header, len(names)+2)
	for _, name := range names {
		var values []string
		switch name {
		case "(request-target)", "(created)", "(expires)":
			values = []string{}
		default:
			if !isToken(name) {
				return nil, refuse(RuleComponents, "%q is no header field", name)
			}
			if values = field(r, name, body); len(values) == 0 {
				return nil, refuse(RuleComponents, "%q is covered but absent", name)
			}
		}
		key := textproto.CanonicalMIMEHeaderKey(name)
		if _, twice := header[key]; twice {
			return nil, refuse(RuleComponents, "%q is covered twice", name)
		}
		header[key] = values
	}
	delete(header, "(request-target)")
	return header, nil
}

// draftRequire demands that the signature covers what gives it meaning.
func draftRequire(names []string, p draftParameters, body bool) error {
	var target, host, date, digest, created, expires bool
	for _, name := range names {
		switch name {
		case "(request-target)":
			target = true
		case "host":
			host = true
		case "date":
			date = true
		case "digest":
			digest = true
		case "(created)":
			created = true
		case "(expires)":
			expires = true
		}
	}
	switch {
	case !target:
		return refuse(RuleComponents, "(request-target) is not covered")
	case !host:
		return refuse(RuleComponents, "host is not covered")
	case !date && !created:
		return refuse(RuleComponents, "neither date nor (created) is covered")
	case body && !digest:
		return refuse(RuleComponents, "digest is not covered")
	case created && !p.hasCreated, expires && !p.hasExpires:
		return refuse(RuleParameters, "(created) or (expires) is covered but not given")
	case (created || expires) && p.algorithm == "rsa-sha256": // draft-cavage-12 §2.3
		return refuse(RuleAlgorithm, "rsa-sha256 does not go with (created) or (expires)")
	}
	return nil
}

// draftTime checks every time the request states, covered or not: an uncovered
// one can only make it worse.
func (s *Signed) draftTime(p draftParameters, now time.Time, window time.Duration) error {
	if p.hasCreated {
		s.Time = time.Unix(p.created, 0)
		if err := checkTime(s.Time, now, window); err != nil {
			return err
		}
	}
	if p.hasExpires {
		if err := checkExpiry(p.expires, now); err != nil {
			return err
		}
	}
	dates, ok := s.header["Date"]
	if !ok {
		return nil
	}
	date, err := parseDate(dates)
	if err != nil {
		return err
	}
	s.Time = date
	return checkTime(date, now, window)
}

// checkDigest reads a Digest field (RFC 3230): one line, with exactly one
// SHA-256 among its values, which must be that of the body.
func checkDigest(lines []string, body []byte) error {
	if len(lines) != 1 {
		return refuse(RuleDigest, "%d Digest fields", len(lines))
	}
	var sum []byte
	for value := range strings.SplitSeq(lines[0], ",") {
		name, text, ok := strings.Cut(strings.Trim(value, " \t"), "=")
		if !ok {
			return refuse(RuleDigest, "malformed Digest")
		}
		if !strings.EqualFold(name, "SHA-256") {
			continue
		}
		if sum != nil {
			return refuse(RuleDigest, "two SHA-256 digests")
		}
		var err error
		if sum, err = base64.StdEncoding.DecodeString(text); err != nil || len(sum) != 32 {
			return refuse(RuleDigest, "the SHA-256 digest is not base64 of 32 bytes")
		}
	}
	if sum == nil {
		return refuse(RuleDigest, "no SHA-256 digest")
	}
	return checkSum(sum, body)
}

// draftBase writes the signing string of draft-cavage-12 §2.3.
func draftBase(names []string, header http.Header, p draftParameters, method, target string) string {
	var b strings.Builder
	for i, name := range names {
		if i > 0 {
			b.WriteByte('\n')
		}
		b.WriteString(name)
		b.WriteString(": ")
		switch name {
		case "(request-target)":
			b.WriteString(strings.ToLower(method) + " " + target)
		case "(created)":
			b.WriteString(strconv.FormatInt(p.created, 10))
		case "(expires)":
			b.WriteString(strconv.FormatInt(p.expires, 10))
		default:
			b.WriteString(joinValues(header[textproto.CanonicalMIMEHeaderKey(name)]))
		}
	}
	return b.String()
}

// joinValues combines the lines of a field as both specifications ask.
func joinValues(lines []string) string {
	if len(lines) == 1 {
		return strings.TrimSpace(lines[0])
	}
	trimmed := make([]string, len(lines))
	for i, line := range lines {
		trimmed[i] = strings.TrimSpace(line)
	}
	return strings.Join(trimmed, ", ")
}

// verifyDraft lets httpsig write the signing string and check it. A GET that
// was signed without its query, as Misskey and Akkoma do, is accepted too.
func (s *Signed) verifyDraft(key crypto.PublicKey, algorithm httpsig.Algorithm) error {
	err := s.verifyTarget(key, algorithm, s.target)
	if err != nil && s.method == http.MethodGet {
		if path, _, query := strings.Cut(s.target, "?"); query {
			return s.verifyTarget(key, algorithm, path)
		}
	}
	return err
}

func (s *Signed) verifyTarget(key crypto.PublicKey, algorithm httpsig.Algorithm, target string) error {
	// httpsig signs URL.Path as it stands: given the target as it was sent,
	// percent signs and query included, it needs no decoding.
	v, err := httpsig.NewVerifier(&http.Request{
		Method: s.method, Host: s.header["Host"][0], URL: &url.URL{Path: target}, Header: s.header,
	})
	if err != nil {
		return err
	}
	return v.Verify(key, algorithm)
}
