package simulation

import (
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"
)

// What follows looks at foreign documents with the eyes of one kind. Every
// check returns lesser problems, which the kind survives or mangles, and one
// error for what makes it lose the document.

// username is what Mastodon takes as the local part of a handle.
var username = regexp.MustCompile(`^[A-Za-z0-9_]+([.-]+[A-Za-z0-9_]+)*$`)

// checkActor judges an actor document.
func checkActor(kind Kind, doc object) (problems []string, fatal error) {
	id := text(doc, "id")
	add := func(format string, args ...any) {
		problems = append(problems, fmt.Sprintf("actor %s: ", id)+fmt.Sprintf(format, args...))
	}
	host := hostOf(id)
	if host == "" {
		return nil, fmt.Errorf("actor: id %q is no URL", id)
	}
	if !slices.Contains([]string{"Person", "Service", "Application", "Group", "Organization"}, text(doc, "type")) {
		return nil, fmt.Errorf("actor %s: type %v is no actor type", id, doc["type"])
	}
	if hostOf(text(doc, "inbox")) != host {
		return nil, fmt.Errorf("actor %s: inbox %q is missing or on another host", id, text(doc, "inbox"))
	}
	application := text(doc, "type") == "Application"
	if !application || doc["preferredUsername"] != nil {
		if !username.MatchString(text(doc, "preferredUsername")) {
			return nil, fmt.Errorf("actor %s: preferredUsername %q is refused", id, text(doc, "preferredUsername"))
		}
	}
	for _, key := range []string{"outbox", "followers", "following"} {
		address := text(doc, key)
		switch {
		case address == "" && !application:
			add("no %s", key)
		case address != "" && hostOf(address) != host && kind == Misskey:
			return nil, fmt.Errorf("actor %s: %s is on another host, so Misskey throws", id, key)
		case address != "" && hostOf(address) != host:
			add("%s is on another host", key)
		}
	}
	if page := text(doc, "url"); page != "" && hostOf(page) != host {
		add("url is on another host and is dropped")
	}
	if shared := text(child(doc, "endpoints"), "sharedInbox"); shared != "" && hostOf(shared) != host {
		add("sharedInbox is on another host and is ignored")
	}
	if len([]rune(text(doc, "name"))) > 128 && kind == Misskey {
		add("name is cut at 128 characters")
	}
	if n := len(text(doc, "summary")); n > 20<<10 || (n > 2048 && kind == Misskey) {
		add("summary is cut")
	}
	keys := list(doc["publicKey"])
	if len(keys) == 0 {
		return problems, fmt.Errorf("actor %s: no publicKey", id)
	}
	key, _ := keys[0].(object)
	if text(key, "owner") != id {
		return problems, fmt.Errorf("actor %s: owner of the key is %q", id, text(key, "owner"))
	}
	if hostOf(text(key, "id")) != host {
		return problems, fmt.Errorf("actor %s: key id %q is on another host", id, text(key, "id"))
	}
	if parsed, err := parseKey(text(key, "publicKeyPem")); err != nil {
		return problems, fmt.Errorf("actor %s: %w", id, err)
	} else if parsed.Size() != 256 {
		add("RSA key has %d bits; 2048 is what everyone reads", parsed.Size()*8)
	}
	return problems, nil
}

// wholeSeconds is the safe form of a time.
var wholeSeconds = regexp.MustCompile(`^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$`)

// allowedTags is what survives every server's sanitiser.
var allowedTags = regexp.MustCompile(`</?([a-zA-Z0-9]+)`)

// checkObject judges a post.
func checkObject(kind Kind, now time.Time, doc object) (problems []string, fatal error) {
	id := text(doc, "id")
	add := func(format string, args ...any) {
		problems = append(problems, fmt.Sprintf("object %s: ", id)+fmt.Sprintf(format, args...))
	}
	u, err := url.Parse(id)
	if err != nil || u.Host == "" {
		return nil, fmt.Errorf("object: id %q is no URL", id)
	}
	if u.Fragment != "" {
		return nil, fmt.Errorf("object %s: an id with a fragment cannot be fetched", id)
	}
	author := ref(doc["attributedTo"])
	if hostOf(author) != u.Host {
		return nil, fmt.Errorf("object %s: attributedTo %q is missing or on another host", id, author)
	}
	page := text(doc, "url")
	if page != "" && hostOf(page) != u.Host {
		if kind == Misskey {
			return nil, fmt.Errorf("object %s: url is on another host, so Misskey refuses it", id)
		}
		add("url is on another host")
	}
	if kind == Misskey && u.Scheme == "https" && page != "" && !strings.HasPrefix(page, "https:") {
		return nil, fmt.Errorf("object %s: url is not https, so Misskey refuses it", id)
	}
	if len(refs(doc["to"]))+len(refs(doc["cc"])) == 0 {
		return nil, fmt.Errorf("object %s: to and cc are both empty", id)
	}
	for _, key := range []string{"to", "cc"} {
		if _, isList := doc[key].([]any); doc[key] != nil && !isList && u.Host != "" && text(doc, "type") == "Question" {
			add("%s is no array, which Pixelfed drops", key)
		}
	}
	if text(doc, "name") != "" && kind.isGTS() && text(doc, "summary") == "" {
		add("name becomes a content warning on GoToSocial")
	}
	if text(doc, "type") == "Question" {
		checkQuestion(doc, add)
	}
	checkTimes(kind, now, doc, add)
	content := text(doc, "content")
	contents := child(doc, "contentMap")
	if len(contents) > 1 {
		add("contentMap has %d entries; only one is shown", len(contents))
	}
	for _, v := range contents {
		if v != content && kind.isGTS() {
			add("contentMap differs from content, so GoToSocial sees no language")
		}
	}
	for _, m := range allowedTags.FindAllStringSubmatch(content, -1) {
		if !slices.Contains([]string{"p", "br", "a", "span", "strong", "em", "ul", "ol", "li", "b", "i", "u", "del", "s", "code", "pre", "blockquote"}, strings.ToLower(m[1])) {
			add("<%s> in content is dropped or rewritten", m[1])
		}
	}
	if n := len(list(doc["attachment"])); n > 4 {
		add("%d attachments; Mastodon keeps 4", n)
	}
	for _, raw := range list(doc["tag"]) {
		tag, _ := raw.(object)
		if text(tag, "type") == "Mention" && (text(tag, "href") == "" || !strings.HasPrefix(text(tag, "name"), "@")) {
			add("mention without href or @name")
		}
	}
	if replies := child(doc, "replies"); replies != nil {
		if text(replies, "id") == "" || hostOf(text(replies, "id")) != u.Host {
			add("replies has no id on the post's host, so Mastodon does not read it")
		}
		for _, item := range list(child(replies, "first")["items"]) {
			if _, isID := item.(string); !isID {
				add("replies holds embedded objects in place of ids")
			}
		}
	}
	return problems, nil
}

// checkQuestion judges what only a poll has and every kind reads alike.
func checkQuestion(doc object, add func(string, ...any)) {
	if text(doc, "name") != "" {
		add("a Question with a name is taken for a vote or a warning")
	}
	for _, key := range []string{"oneOf", "anyOf"} {
		if options, isList := doc[key].([]any); doc[key] != nil && (!isList || len(options) == 0) {
			add("%s is empty or no array", key)
		}
	}
	if text(doc, "summary") != "" {
		add("summary hides the poll behind a warning")
	}
	if text(doc, "published") == "" {
		add("no published")
	}
	if text(doc, "content") == "" {
		add("no content")
	}
}

// checkTimes judges the times of a post.
func checkTimes(kind Kind, now time.Time, doc object, add func(string, ...any)) {
	for _, key := range []string{"published", "updated", "endTime", "closed"} {
		raw, present := doc[key]
		if !present {
			continue
		}
		value, _ := raw.(string)
		if instant(value).IsZero() {
			add("%s %v is unreadable", key, raw)
		} else if !wholeSeconds.MatchString(value) && text(doc, "type") == "Question" {
			add("%s %q is not whole seconds in UTC", key, value)
		}
	}
	published, updated := instant(text(doc, "published")), instant(text(doc, "updated"))
	if !updated.IsZero() && updated.Before(published) {
		add("updated is before published, which GoToSocial calls malformed")
	}
	if published.After(now.Add(10 * time.Minute)) {
		add("published is in the future")
	}
}

// checkActivity judges an activity that arrived in an inbox.
func checkActivity(kind Kind, doc object, size int) (problems []string, fatal error) {
	id, name := text(doc, "id"), text(doc, "type")
	add := func(format string, args ...any) {
		problems = append(problems, fmt.Sprintf("%s %s: ", name, id)+fmt.Sprintf(format, args...))
	}
	if !namesActivityStreams(doc) {
		add("@context does not name ActivityStreams")
	}
	if name == "" {
		return problems, fmt.Errorf("activity %s: type is no string", id)
	}
	actor, isText := doc["actor"].(string)
	if !isText {
		return problems, fmt.Errorf("%s %s: actor is no string", name, id)
	}
	if id == "" || hostOf(id) != hostOf(actor) {
		return problems, fmt.Errorf("%s: id %q is missing or not on the actor's host", name, id)
	}
	if size > 60<<10 {
		add("is %d bytes; Misskey reads 64 KiB", size)
	}
	embedded := child(doc, "object")
	switch name {
	case "Create", "Update":
		if embedded == nil {
			return problems, fmt.Errorf("%s %s: object is not embedded", name, id)
		}
		if hostOf(text(embedded, "id")) != hostOf(actor) {
			return problems, fmt.Errorf("%s %s: object %s is on another host", name, id, text(embedded, "id"))
		}
		if text(embedded, "attributedTo") != actor && text(embedded, "id") != actor {
			return problems, fmt.Errorf("%s %s: object is attributed to %q", name, id, text(embedded, "attributedTo"))
		}
		if len(refs(doc["to"]))+len(refs(doc["cc"])) == 0 && kind == Akkoma {
			return problems, fmt.Errorf("%s %s: to and cc are both empty, so Akkoma refuses it", name, id)
		}
		if text(embedded, "type") == "Question" && name == "Create" && !slices.Contains(refs(doc["to"]), public) {
			add("a Question is not addressed to the public in to")
		}
	case "Accept", "Reject":
		if embedded == nil {
			if kind == Misskey {
				return problems, fmt.Errorf("%s %s: object is an id, which Misskey cannot resolve", name, id)
			}
			add("object is an id; Misskey needs it embedded")
		}
	}
	return problems, nil
}
