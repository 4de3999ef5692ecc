package archive

import (
	"fmt"
	"slices"
	"strings"
)

// policy is what pages of a copy may do: show themselves.
const policy = "default-src 'none'; style-src 'self'; img-src 'self'; font-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// activities are the first parts of the paths under which ActivityStreams stand, as
// a choice of a regular expression.
func (c *crawler) activities() string {
	var list []string
	for a, known := range c.seen {
		if known.kind == activity && known.name != "" {
			first, _, _ := strings.Cut(strings.TrimPrefix(a.path, "/"), "/")
			list = append(list, first)
		}
	}
	slices.Sort(list)
	return strings.Join(slices.Compact(list), "|")
}

// caddy is what Caddy needs to know within the block of the site's name.
func (c *crawler) caddy() string {
	var b strings.Builder
	b.WriteString(`# For Caddy 2, within the block of ` + c.base.Host + `. Set root to the folder data of this bag.
route {
	root * /srv/archive/data
	header X-Content-Type-Options nosniff
	header Referrer-Policy no-referrer
	header Content-Security-Policy "` + policy + `"
	header Access-Control-Allow-Origin *
`)
	for _, l := range c.Languages[1:] {
		fmt.Fprintf(&b, "\t@lang-%s query lang=%[1]s\n\tredir @lang-%[1]s /%[1]s{path}\n", l)
	}
	b.WriteString("\t@page query page=*\n\trewrite @page /_q{path}/page-{query.page}\n\n\t# What is gone stays gone.\n")
	for i, a := range c.gone() {
		fmt.Fprintf(&b, "\t@gone%[1]d path %[2]q %[3]q\n\thandle @gone%[1]d {\n", i, a.place(), a.place()+"/*")
		if c.seen[a].kind == activity {
			b.WriteString("\t\theader Content-Type application/activity+json\n")
		}
		fmt.Fprintf(&b, "\t\trewrite * %q\n\t\tfile_server {\n\t\t\tstatus 410\n\t\t}\n\t}\n", "/"+c.seen[a].name)
	}
	if list := c.activities(); list != "" {
		b.WriteString(`
	# ActivityStreams keep their media type.
	@asked {
		header_regexp Accept application/(activity|ld)\+json
		path_regexp ^/(_q/)?(` + list + `)(/|$)
	}
	rewrite @asked {path}/index.json
	@activity path_regexp ^/(_q/)?(` + list + `)/(.*/)?index\.json$
	header @activity Content-Type application/activity+json
`)
	}
	b.WriteString("\n\ttry_files {path} {path}/index.html {path}/index.json\n\tfile_server\n}\n")
	return b.String()
}

// nginx is what nginx needs to know within the block server.
func (c *crawler) nginx() string {
	var b strings.Builder
	b.WriteString(`# For nginx, within the block server of ` + c.base.Host + `. Set root to the folder data of this bag.
root /srv/archive/data;
charset utf-8;
absolute_redirect off;
add_header X-Content-Type-Options nosniff always;
add_header Referrer-Policy no-referrer always;
add_header Content-Security-Policy "` + policy + `" always;
add_header Access-Control-Allow-Origin * always;
set $as /index.html;
if ($http_accept ~* "application/(activity|ld)\+json") { set $as /index.json; }
`)
	for _, l := range c.Languages[1:] {
		fmt.Fprintf(&b, "if ($arg_lang = %s) { return 301 /%[1]s$uri; }\n", l)
	}
	b.WriteString("if ($arg_page) { rewrite ^ /_q$uri/page-$arg_page? last; }\n\n# What is gone stays gone.\n")
	for _, a := range c.gone() {
		fmt.Fprintf(&b, "location = %q { error_page 410 %q; return 410; }\n", a.place(), "/"+c.seen[a].name)
	}
	if list := c.activities(); list != "" {
		b.WriteString(`
# ActivityStreams keep their media type.
location ~ ^/(_q/)?(` + list + `)(/|$) {
	types { text/html html; application/activity+json json; }
	try_files $uri$as $uri =404;
}
`)
	}
	b.WriteString(`
location ~ \.(csv|md|ttl|jsonld|ics)$ {
	types { text/csv csv; text/markdown md; text/turtle ttl; application/ld+json jsonld; text/calendar ics; }
}
location / { try_files $uri $uri/index.html $uri/index.json =404; }
`)
	return b.String()
}
