package signature

import (
	"net/http"
	"net/textproto"
	"strings"
	"time"

	"github.com/dunglas/httpsfv"
)

// inspectMessage is Inspect for RFC 9421. The profile: one signature, with
// keyid and created; covering @method, the whole target, the host and, where
// there is a body, Content-Digest (RFC 9530) with SHA-256; no component with
// parameters; rsa-v1_5-sha256 or ed25519, named or not.
func inspectMessage(r *http.Request, target string, body []byte, now time.Time, p Policy) (*Signed, error) {
	list, s, err := parseMessage(r.Header)
	if err != nil {
		return nil, err
	}
	switch s.algorithm {
	case "", "rsa-v1_5-sha256", "ed25519":
	default:
		return nil, refuse(RuleAlgorithm, "%q is not accepted; use rsa-v1_5-sha256 or ed25519", s.algorithm)
	}
	names, err := componentNames(list)
	if err != nil {
		return nil, err
	}
	if err := messageRequire(names, target, hasBody(r.Method, body)); err != nil {
		return nil, err
	}
	if err := s.messageTime(list.Params, now, p.Window); err != nil {
		return nil, err
	}
	if _, covered := names["content-digest"]; covered {
		if err := checkContentDigest(r.Header["Content-Digest"], body); err != nil {
			return nil, err
		}
	}
	if err := s.writeBase(list, r, target, body, p); err != nil {
		return nil, err
	}
	return s, nil
}

// parseMessage reads Signature-Input and Signature: two dictionaries with the
// same single label.
func parseMessage(h http.Header) (httpsfv.InnerList, *Signed, error) {
	var none httpsfv.InnerList
	inputs, err := dictionary(h["Signature-Input"])
	if err != nil {
		return none, nil, refuse(RuleParameters, "Signature-Input: %v", err)
	}
	signatures, err := dictionary(h["Signature"])
	if err != nil {
		return none, nil, refuse(RuleParameters, "Signature: %v", err)
	}
	if len(inputs.Names()) != 1 || len(signatures.Names()) != 1 {
		return none, nil, refuse(RuleMissing, "%d signatures and %d inputs, one of each is needed",
			len(signatures.Names()), len(inputs.Names()))
	}
	label := inputs.Names()[0]
	input, _ := inputs.Get(label)
	list, ok := input.(httpsfv.InnerList)
	if !ok {
		return none, nil, refuse(RuleParameters, "Signature-Input holds no list of components")
	}
	member, ok := signatures.Get(label)
	if !ok {
		return none, nil, refuse(RuleMissing, "Signature lacks the label %q", label)
	}
	item, _ := member.(httpsfv.Item)
	sig, ok := item.Value.([]byte)
	if !ok || len(sig) == 0 || len(sig) > maxSignature {
		return none, nil, refuse(RuleParameters, "Signature is no byte sequence of 1 to %d bytes", maxSignature)
	}
	s := &Signed{
		Form: RFC9421, signature: sig, header: http.Header{},
		raw: http.Header{"Signature": h["Signature"], "Signature-Input": h["Signature-Input"]},
	}
	keyID, _ := list.Params.Get("keyid")
	if s.KeyID, ok = keyID.(string); !ok || s.KeyID == "" || len(s.KeyID) > maxKeyID {
		return none, nil, refuse(RuleParameters, "keyid must be a string of 1 to %d bytes", maxKeyID)
	}
	if alg, given := list.Params.Get("alg"); given {
		if s.algorithm, ok = alg.(string); !ok || s.algorithm == "" {
			return none, nil, refuse(RuleAlgorithm, "alg is no string")
		}
	}
	return list, s, nil
}

// dictionary parses a structured field (RFC 9651) and demands that it is
// written in the one canonical way. A repeated key or parameter, of which the
// parser would silently keep the last, is refused by that.
func dictionary(lines []string) (*httpsfv.Dictionary, error) {
	text := strings.Join(lines, ", ")
	if len(text) > maxHeader {
		return nil, refuse(RuleParameters, "longer than %d bytes", maxHeader)
	}
	d, err := httpsfv.UnmarshalDictionary([]string{text})
	if err != nil {
		return nil, err
	}
	canonical, err := httpsfv.Marshal(d)
	if err != nil {
		return nil, err
	}
	if canonical != strings.Trim(text, " \t") {
		return nil, refuse(RuleParameters, "not in canonical form, or a key is there twice")
	}
	return d, nil
}

// componentNames lists what is covered, each once and without parameters.
func componentNames(list httpsfv.InnerList) (map[string]struct{}, error) {
	if len(list.Items) > maxComponents {
		return nil, refuse(RuleComponents, "more than %d components", maxComponents)
	}
	names := make(map[string]struct{}, len(list.Items))
	for _, item := range list.Items {
		name, ok := item.Value.(string)
		if !ok {
			return nil, refuse(RuleComponents, "a component is no string")
		}
		if len(item.Params.Names()) > 0 {
			return nil, refuse(RuleComponents, "%q has parameters", name)
		}
		if _, twice := names[name]; twice { // RFC 9421 §2.5
			return nil, refuse(RuleComponents, "%q is covered twice", name)
		}
		names[name] = struct{}{}
	}
	return names, nil
}

func messageRequire(names map[string]struct{}, target string, body bool) error {
	has := func(name string) bool { _, ok := names[name]; return ok }
	path := has("@request-target") || has("@path") && (has("@query") || !strings.Contains(target, "?"))
	switch {
	case !has("@method"):
		return refuse(RuleComponents, "@method is not covered")
	case !has("@target-uri") && !path:
		return refuse(RuleComponents, "neither @target-uri nor path and query are covered")
	case !has("@target-uri") && !has("@authority") && !has("host"):
		return refuse(RuleComponents, "the host is not covered")
	case body && !has("content-digest"):
		return refuse(RuleComponents, "content-digest is not covered")
	}
	return nil
}

// messageTime checks created, which must be there, and expires, which may.
func (s *Signed) messageTime(params *httpsfv.Params, now time.Time, window time.Duration) error {
	value, _ := params.Get("created")
	created, ok := value.(int64)
	if !ok {
		return refuse(RuleParameters, "created is missing or no whole number")
	}
	s.Time = time.Unix(created, 0)
	if err := checkTime(s.Time, now, window); err != nil {
		return err
	}
	value, given := params.Get("expires")
	if !given {
		return nil
	}
	expires, ok := value.(int64)
	if !ok {
		return refuse(RuleParameters, "expires is no whole number")
	}
	return checkExpiry(expires, now)
}

// checkContentDigest reads Content-Digest (RFC 9530 §2), whose sha-256 must be
// that of the body; other algorithms beside it are ignored.
func checkContentDigest(lines []string, body []byte) error {
	digests, err := dictionary(lines)
	if err != nil {
		return refuse(RuleDigest, "Content-Digest: %v", err)
	}
	member, ok := digests.Get("sha-256")
	if !ok {
		return refuse(RuleDigest, "no sha-256 in Content-Digest")
	}
	item, _ := member.(httpsfv.Item)
	sum, ok := item.Value.([]byte)
	if !ok || len(sum) != 32 {
		return refuse(RuleDigest, "the sha-256 digest has not 32 bytes")
	}
	return checkSum(sum, body)
}

// writeBase writes the signature base of RFC 9421 §2.5 and keeps the fields it
// covers.
func (s *Signed) writeBase(list httpsfv.InnerList, r *http.Request, target string, body []byte, p Policy) error {
	var b strings.Builder
	for _, item := range list.Items {
		name := item.Value.(string) // componentNames made sure
		var value string
		if strings.HasPrefix(name, "@") {
			var ok bool
			if value, ok = derived(name, r.Method, target, p); !ok {
				return refuse(RuleComponents, "%q is not supported", name)
			}
		} else {
			lines := field(r, name, body)
			if !isToken(name) || name != strings.ToLower(name) || len(lines) == 0 {
				return refuse(RuleComponents, "%q is covered but absent", name)
			}
			if name != "host" {
				s.header[textproto.CanonicalMIMEHeaderKey(name)] = lines
			}
			value = joinValues(lines)
		}
		b.WriteString(`"` + name + `": ` + value + "\n")
	}
	params, err := httpsfv.Marshal(list)
	if err != nil {
		return refuse(RuleParameters, "Signature-Input: %v", err)
	}
	b.WriteString(`"@signature-params": ` + params)
	s.base = b.String()
	return nil
}

// derived computes a component of RFC 9421 §2.2 as the public sees the server,
// whatever stands in front of it.
func derived(name, method, target string, p Policy) (string, bool) {
	path, query, _ := strings.Cut(target, "?")
	switch name {
	case "@method":
		return method, true
	case "@target-uri":
		return p.Scheme + "://" + p.Host + target, true
	case "@authority":
		return p.Host, true
	case "@scheme":
		return p.Scheme, true
	case "@request-target":
		return target, true
	case "@path":
		return path, true
	case "@query":
		return "?" + query, true
	}
	return "", false
}
