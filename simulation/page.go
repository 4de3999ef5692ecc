package simulation

import (
	"context"
	"errors"
	"fmt"
	"html"
	"net/http"
	"strings"
)

// interaction is the page where a kind shows its users a post or account of
// elsewhere, and the parameter that names it; "" where it has no such page.
func (k Kind) interaction() (path, parameter string) {
	switch k {
	case Mastodon:
		return "/authorize_interaction", "uri"
	case Misskey:
		return "/authorize-follow", "acct"
	case Akkoma:
		return "/ostatus_subscribe", "acct"
	}
	return "", ""
}

// servePages registers the pages for people: a search field, which every client
// of every kind has, and the page that links of other sites lead to. There is no
// session: whoever acts types the name of an account of this server.
func (s *Server) servePages() {
	if path, parameter := s.kind.interaction(); path != "" {
		s.routes[path] = s.serveFound(parameter)
	}
	s.routes["/search"] = s.serveFound("q")
	s.routes["/interact"] = s.serveInteract
	s.routes["/"] = func(w http.ResponseWriter, _ *http.Request) {
		s.writePage(w, http.StatusOK, "<form action=\"/search\"><p><label>Search <input name=\"q\"></label> <button>Search</button></p></form>")
	}
}

// writePage sends a page of the server with a body written by this package.
func (s *Server) writePage(w http.ResponseWriter, status int, body string) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	_, _ = fmt.Fprintf(w, "<!doctype html><html lang=\"en\"><title>%[1]s</title><h1>%[1]s</h1>%[2]s<p>A simulated %[3]s server: nobody is behind it.</p></html>",
		html.EscapeString(s.host), body, s.kind)
}

// serveFound looks up what a parameter names, an address or a handle, and shows
// it with what can be done: vote, reply or follow.
func (s *Server) serveFound(parameter string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		about := strings.TrimSpace(r.URL.Query().Get(parameter))
		find := s.instance.SearchURL
		if !strings.Contains(about, "/") {
			find = s.instance.SearchHandle
		}
		id, err := find(r.Context(), about)
		if err != nil {
			s.writePage(w, http.StatusNotFound, "<p>Nothing found: "+html.EscapeString(err.Error())+"</p>")
			return
		}
		s.writePage(w, http.StatusOK, s.form(id))
	}
}

// form shows a post or an account of elsewhere.
func (s *Server) form(id string) string {
	poll, votable := s.Poll(id)
	s.mu.Lock()
	defer s.mu.Unlock()
	shown, fields, do := id, "", "Follow"
	if n := s.notes[id]; n != nil {
		shown, fields, do = plainText(n.Content), "<p><label>Reply <textarea name=\"text\"></textarea></label></p>", "Reply"
	}
	if votable {
		sort := "radio"
		if poll.Multiple {
			sort = "checkbox"
		}
		fields, do = "", "Vote"
		for _, o := range poll.Options {
			fields += fmt.Sprintf("<p><label><input type=\"%s\" name=\"choice\" value=\"%s\"> %[2]s</label></p>", sort, html.EscapeString(o.Name))
		}
	}
	return fmt.Sprintf("<p>%s</p><form method=\"post\" action=\"/interact\"><input type=\"hidden\" name=\"about\" value=\"%s\">"+
		"<p><label>Your account <input name=\"account\"></label></p>%s<p><button name=\"do\" value=\"%s\">%[4]s</button></p></form>",
		html.EscapeString(shown), html.EscapeString(id), fields, do)
}

// serveInteract does what such a form asks, as one of the server's accounts.
func (s *Server) serveInteract(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	a := s.accounts[r.PostFormValue("account")]
	s.mu.Unlock()
	if r.Method != http.MethodPost || a == nil {
		s.writePage(w, http.StatusForbidden, "<p>No such account here.</p>")
		return
	}
	if err := a.interact(r.Context(), r.PostFormValue("do"), r.PostFormValue("about"), r.PostForm["choice"], r.PostFormValue("text")); err != nil {
		s.writePage(w, http.StatusUnprocessableEntity, "<p>That did not work: "+html.EscapeString(err.Error())+"</p>")
		return
	}
	s.writePage(w, http.StatusOK, "<p>Done.</p>")
}

func (a *Account) interact(ctx context.Context, do, about string, choices []string, text string) (err error) {
	switch do {
	case "Vote":
		_, err = a.Vote(ctx, about, choices...)
	case "Reply":
		_, err = a.Reply(ctx, about, paragraph(text), Public)
	case "Follow":
		_, err = a.Follow(ctx, about)
	default:
		err = errors.New("no such thing to do")
	}
	return err
}
