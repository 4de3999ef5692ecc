package archive

import (
	"fmt"
	"slices"
	"strings"
)

// policy is what pages of a copy may do: show themselves.
const policy = "default-src 'none'; style-src 'self'; img-src 'self'; font-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// activities are the first parts of the paths under which ActivityStreams stand.
func (c *crawler) activities() (list []string) {
	for a, known := range c.seen {
		if known.kind == activity && known.name != "" {
			first, _, _ := strings.Cut(strings.TrimPrefix(a.path, "/"), "/")
			list = append(list, first)
		}
	}
	slices.Sort(list)
	return slices.Compact(list)
}

// caddy is what Caddy needs to know within the block of the site's name.
func (c *crawler) caddy() string {
	var b strings.Builder
	b.WriteString(`# For Caddy 2, within the block of ` + c.base.Host + `. Set root to the folder data of this bag.
root * /srv/archive/data
header X-Content-Type-Options nosniff
header Referrer-Policy no-referrer
header Content-Security-Policy "` + policy + `"
header Access-Control-Allow-Origin *
`)
	for _, l := range c.Languages[1:] {
		fmt.Fprintf(&b, "@lang-%s query lang=%[1]s\nredir @lang-%[1]s /%[1]s{path}\n", l)
	}
	b.WriteString("@page query page=*\nrewrite @page /_q{path}/page-{query.page}\n")
	if list := c.activities(); len(list) > 0 {
		first := strings.Join(list, "|")
		b.WriteString(`# ActivityStreams keep their media type.
@asked {
	header_regexp Accept application/(activity|ld)\+json
	path_regexp ^/(_q/)?(` + first + `)(/|$)
}
rewrite @asked {path}/index.json
@activity path_regexp ^/(_q/)?(` + first + `)/(.*/)?index\.json$
header @activity Content-Type "application/activity+json; charset=utf-8"
`)
	}
	b.WriteString("# What is gone stays gone.\n")
	for i, a := range c.gone() {
		fmt.Fprintf(&b, "@gone%d path %q %q\nhandle @gone%[1]d {\n\trewrite * %q\n\tfile_server {\n\t\tstatus 410\n\t}\n}\n",
			i, a.place(), a.place()+"/*", "/"+c.seen[a].name)
	}
	b.WriteString("handle {\n\ttry_files {path} {path}/index.html {path}/index.json\n\tfile_server\n}\n")
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
`)
	for _, l := range c.Languages[1:] {
		fmt.Fprintf(&b, "if ($arg_lang = %s) { return 301 /%[1]s$uri; }\n", l)
	}
	b.WriteString("if ($arg_page) { rewrite ^ /_q$uri/page-$arg_page? last; }\n")
	b.WriteString("# What is gone stays gone.\n")
	for _, a := range c.gone() {
		fmt.Fprintf(&b, "location = %q { error_page 410 %q; return 410; }\n", a.place(), "/"+c.seen[a].name)
	}
	if list := c.activities(); len(list) > 0 {
		b.WriteString(`# ActivityStreams keep their media type.
set $as /index.html;
if ($http_accept ~* "application/(activity|ld)\+json") { set $as /index.json; }
location ~ ^/(_q/)?(` + strings.Join(list, "|") + `)(/|$) {
	types { text/html html; application/activity+json json; }
	try_files $uri$as $uri =404;
}
`)
	}
	b.WriteString("location / { try_files $uri $uri/index.html $uri/index.json =404; }\n")
	return b.String()
}
