package as2_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"inspraak/activitypub/as2"
)

var update = flag.Bool("update", false, "write the .want.json files; review them before committing")

// Documents in the shapes that the large servers send, and what is made of
// them. The first word of a file name tells what the document is read as.
func TestRead(t *testing.T) {
	files, err := filepath.Glob("testdata/*/*.json")
	if err != nil {
		t.Fatal(err)
	}
	read := 0
	for _, file := range files {
		if strings.HasSuffix(file, ".want.json") || filepath.Base(filepath.Dir(file)) == "inspraak" {
			continue
		}
		read++
		t.Run(strings.TrimPrefix(file, "testdata/"), func(t *testing.T) {
			raw, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			v, err := readAs(filepath.Base(file), raw)
			if err != nil {
				t.Fatal(err)
			}
			got, err := compact(v)
			if err != nil {
				t.Fatal(err)
			}
			wantFile := strings.TrimSuffix(file, ".json") + ".want.json"
			if *update {
				if err := os.WriteFile(wantFile, got, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(wantFile)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(got, want) {
				t.Errorf("got\n%s\nwant\n%s", got, want)
			}
		})
	}
	if read < 70 {
		t.Errorf("only %d documents read", read)
	}
}

func readAs(name string, raw []byte) (any, error) {
	d, err := as2.Decode(raw)
	if err != nil {
		return nil, err
	}
	kind, _, _ := strings.Cut(strings.TrimSuffix(name, ".json"), "_")
	switch kind {
	case "actor":
		return d.AsActor()
	case "key":
		return d.AsKey()
	case "object":
		return d.Object()
	}
	return d.Activity()
}

// compact writes a struct without its empty fields.
func compact(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", " ")
	err := e.Encode(filled(reflect.ValueOf(v)))
	return b.Bytes(), err
}

func filled(v reflect.Value) any {
	switch v.Kind() {
	case reflect.Pointer:
		return filled(v.Elem())
	case reflect.Slice:
		all := []any{}
		for i := range v.Len() {
			all = append(all, filled(v.Index(i)))
		}
		return all
	case reflect.Struct:
		if _, ok := v.Interface().(json.Marshaler); ok {
			return v.Interface()
		}
		m := map[string]any{}
		for i := range v.NumField() {
			if !v.Field(i).IsZero() {
				m[v.Type().Field(i).Name] = filled(v.Field(i))
			}
		}
		return m
	}
	return v.Interface()
}
