package api

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/labstack/echo/v4"

	"inspraak/participation"
)

// problem is RFC 9457.
type problem struct {
	Status int     `json:"status"`
	Title  string  `json:"title"`
	Detail string  `json:"detail"`
	Errors []wrong `json:"errors,omitempty"`
}

// wrong is a parameter that cannot be used.
type wrong struct {
	In        string `json:"in"`
	Parameter string `json:"parameter"`
	Detail    string `json:"detail"`
}

// refused are all wrong parameters of a request.
type refused []wrong

// Error implements error.
func (r refused) Error() string {
	if len(r) == 1 {
		return "a parameter is wrong; see errors"
	}
	return strconv.Itoa(len(r)) + " parameters are wrong; see errors"
}

// Unwrap makes it bad input.
func (r refused) Unwrap() error { return participation.ErrInvalid }

// Problem answers a request under /api/ that went wrong with err. words were
// written for the client, or are empty; of trouble of ours nothing is told.
func Problem(c echo.Context, err error, status int, words string) error {
	p := problem{Status: status, Title: http.StatusText(status), Detail: words}
	var input refused
	switch {
	case errors.As(err, &input):
		p.Detail, p.Errors = input.Error(), input
	case status >= 500:
		p.Detail = "the node cannot answer now; come back later"
	case errors.Is(err, echo.ErrNotFound) || words == "" && status == http.StatusNotFound:
		p.Detail = "there is nothing at this address; " + Root + "/openapi.json lists what there is"
	case errors.Is(err, echo.ErrMethodNotAllowed):
		p.Detail = "only GET and HEAD work here"
	case words == "":
		p.Detail = p.Title
	}
	body, err := json.Marshal(p)
	if err != nil {
		return fmt.Errorf("api: %w", err)
	}
	Headers(c.Response().Header())
	return c.Blob(status, "application/problem+json", body)
}

// refusal tells whether an error was written for the client.
func refusal(err error) bool { return errors.As(err, new(*echo.HTTPError)) }

func notFound(err error) bool { return errors.Is(err, participation.ErrNotFound) }

// query reads the parameters of a request, and collects what is wrong with them.
type query struct {
	values url.Values
	known  []string
	wrong  refused
}

func read(c echo.Context) *query {
	q := &query{}
	var err error
	if q.values, err = url.ParseQuery(c.Request().URL.RawQuery); err != nil {
		q.wrong = append(q.wrong, wrong{"query", "", "what stands behind ? cannot be read"})
	}
	return q
}

func (q *query) refuse(name, detail string) {
	q.wrong = append(q.wrong, wrong{"query", name, detail})
}

// text is a parameter, "" if it is not given.
func (q *query) text(name string) string {
	q.known = append(q.known, name)
	values := q.values[name]
	if len(values) > 1 {
		q.refuse(name, "give it once")
	}
	if len(values) == 0 {
		return ""
	}
	if values[0] == "" {
		q.refuse(name, "it is empty; leave it out")
	}
	return values[0]
}

// number is a whole number within bounds, otherwise if it is not given.
func (q *query) number(name string, least, most, otherwise int64, what string) int64 {
	text := q.text(name)
	if text == "" {
		return otherwise
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < least || n > most {
		q.refuse(name, what)
	}
	return n
}

// limit is how many items a page has.
func (q *query) limit() int { return int(q.number("limit", 1, 200, 50, "give a number from 1 to 200")) }

// oneOf is one of some words.
func (q *query) oneOf(name string, words ...string) string {
	text := q.text(name)
	if text != "" && !slices.Contains(words, text) {
		q.refuse(name, "give one of "+strings.Join(words, ", "))
	}
	return text
}

// done says what is wrong with the parameters, all of it.
func (q *query) done() error {
	var strange []string
	for name := range q.values {
		if !slices.Contains(q.known, name) {
			strange = append(strange, name)
		}
	}
	slices.Sort(strange)
	slices.Sort(q.known)
	for _, name := range strange {
		detail := "there is no such parameter; there are " + strings.Join(q.known, ", ")
		if len(q.known) == 0 {
			detail = "there are no parameters here"
		}
		q.refuse(name, detail)
	}
	if len(q.wrong) > 0 {
		return q.wrong
	}
	return nil
}

// with is the address of a request with other parameters.
func (a *API) with(c echo.Context, q *query, name, value string) string {
	values := url.Values{}
	for k, v := range q.values {
		values[k] = v
	}
	values.Set(name, value)
	return a.URLs.Base + c.Request().URL.EscapedPath() + "?" + values.Encode()
}
