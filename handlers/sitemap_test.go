package handlers

import (
	"encoding/xml"
	"fmt"
	"testing"
)

// With more places than a file holds there is an index, and each place stands in one
// of the files that it names.
func TestSitemapInParts(t *testing.T) {
	var places []place
	for i := range 25 {
		places = append(places, place{path: fmt.Sprint("/", i)})
	}
	var index struct {
		XMLName xml.Name
		Maps    []string `xml:"sitemap>loc"`
	}
	body, err := sitemapPart(places, "", "https://a.example", []string{"nl"}, 10)
	if err != nil || xml.Unmarshal(body, &index) != nil || index.XMLName.Local != "sitemapindex" || len(index.Maps) != 3 || index.Maps[2] != "https://a.example/sitemap.xml?part=3" {
		t.Fatalf("%v: %s", err, body)
	}
	listed := 0
	for _, part := range []string{"1", "2", "3"} {
		var file struct {
			URLs []string `xml:"url>loc"`
		}
		body, err := sitemapPart(places, part, "https://a.example", []string{"nl"}, 10)
		if err != nil || xml.Unmarshal(body, &file) != nil {
			t.Fatalf("%v: %s", err, body)
		}
		for _, u := range file.URLs {
			if u != fmt.Sprint("https://a.example/", listed) {
				t.Errorf("part %s has %s", part, u)
			}
			listed++
		}
	}
	if listed != len(places) {
		t.Errorf("%d of %d are listed", listed, len(places))
	}
	if _, err := sitemapPart(places, "4", "https://a.example", nil, 10); err == nil {
		t.Error("there is a fourth part")
	}
}
