package main

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
)

// problems gathers everything that is wrong with one file, so that its author
// can mend it in one go.
type problems struct {
	file string
	list []problem
}

type problem struct {
	line int // 0 if it concerns no line
	key  string
	text string
}

func (p *problems) add(line int, key, format string, args ...any) {
	p.list = append(p.list, problem{line, key, fmt.Sprintf(format, args...)})
}

// has tells whether something is wrong with a key already.
func (p *problems) has(key string) bool {
	return slices.ContainsFunc(p.list, func(q problem) bool { return q.key == key })
}

// err is nil, or one error with a line of text per problem, in order of line.
func (p *problems) err() error {
	if len(p.list) == 0 {
		return nil
	}
	slices.SortStableFunc(p.list, func(a, b problem) int { return a.line - b.line })
	var text strings.Builder
	count := "1 problem"
	if len(p.list) > 1 {
		count = fmt.Sprintf("%d problems", len(p.list))
	}
	fmt.Fprintf(&text, "%s in %s", count, p.file)
	for _, q := range p.list {
		text.WriteString("\n  ")
		if q.line > 0 {
			fmt.Fprintf(&text, "line %d: ", q.line)
		}
		if q.key != "" {
			text.WriteString(q.key + ": ")
		}
		text.WriteString(q.text)
	}
	return errors.New(text.String())
}

// lines tells on which line of the file a key stands; nested keys are joined
// by a dot. 0 for a key that is not there.
type lines map[string]int

// decodeYAML fills the struct that into points to from YAML whose first line
// is line `first` of the file. Keys that the struct does not know, keys given
// twice and values of another type each become a problem. An empty value
// leaves the field as it was. What is no YAML at all is one problem, and nil is
// returned.
func decodeYAML(src []byte, first int, into any, p *problems) lines {
	d := decoder{problems: p, offset: first - 1, lines: lines{}}
	var file *ast.File
	err := guarded(func() (err error) {
		file, err = parser.ParseBytes(src, 0, parser.AllowDuplicateMapKey())
		return err
	})
	if err != nil {
		d.fail("", err)
		return nil
	}
	if len(file.Docs) > 1 {
		p.add(first, "", "more than one YAML document; give one")
	}
	if len(file.Docs) > 0 && file.Docs[0].Body != nil {
		d.mapping("", file.Docs[0].Body, reflect.ValueOf(into).Elem())
	}
	return d.lines
}

type decoder struct {
	*problems
	offset int
	lines  lines
}

// fail adds what the YAML library says, in one line and with its place.
func (d *decoder) fail(key string, err error) {
	line := d.lines[key]
	var located yaml.Error
	text := err.Error()
	if errors.As(err, &located) {
		text = located.GetMessage()
		if t := located.GetToken(); t != nil && t.Position != nil {
			line = t.Position.Line + d.offset
		}
	}
	d.add(line, key, "%s", strings.ReplaceAll(text, "\n", " "))
}

func (d *decoder) mapping(path string, node ast.Node, into reflect.Value) {
	var pairs []*ast.MappingValueNode
	switch n := node.(type) {
	case *ast.MappingNode:
		pairs = n.Values
	case *ast.MappingValueNode:
		pairs = []*ast.MappingValueNode{n}
	case *ast.NullNode, *ast.CommentGroupNode:
		return
	default:
		d.add(node.GetToken().Position.Line+d.offset, path, "keys with values are needed here, such as key: value")
		return
	}
	fields := yamlFields(into.Type())
	for _, pair := range pairs {
		name, line := pair.Key.GetToken().Value, pair.Key.GetToken().Position.Line+d.offset
		key := strings.TrimPrefix(path+"."+name, ".")
		i := slices.IndexFunc(fields, func(f yamlField) bool { return f.name == name })
		switch {
		case i < 0:
			d.add(line, key, "unknown key; known here: %s", fieldNames(fields))
			continue
		case d.lines[key] != 0:
			d.add(line, key, "given twice, first on line %d", d.lines[key])
			continue
		}
		d.lines[key] = line
		d.value(key, pair.Value, into.Field(fields[i].index))
	}
}

func (d *decoder) value(key string, node ast.Node, field reflect.Value) {
	if _, empty := node.(*ast.NullNode); empty || node == nil {
		return
	}
	if field.Kind() == reflect.Pointer {
		field.Set(reflect.New(field.Type().Elem()))
		field = field.Elem()
	}
	if field.Kind() == reflect.Struct && len(yamlFields(field.Type())) > 0 {
		d.mapping(key, node, field)
		return
	}
	err := guarded(func() error { return yaml.NodeToValue(node, field.Addr().Interface()) })
	if err != nil {
		d.fail(key, err)
	}
}

// guarded calls the YAML library, which panics on some values, such as a list
// that is none and has a tag; that is the author's mistake like any other.
func guarded(read func() error) (err error) {
	defer func() {
		if recover() != nil {
			err = errors.New("cannot be read; write a plain value, without tags and anchors")
		}
	}()
	return read()
}

type yamlField struct {
	name  string
	index int
}

// yamlFields lists the fields of a struct that have a yaml tag.
func yamlFields(t reflect.Type) (fields []yamlField) {
	for i := range t.NumField() {
		if name := t.Field(i).Tag.Get("yaml"); name != "" && name != "-" {
			fields = append(fields, yamlField{name, i})
		}
	}
	return fields
}

func fieldNames(fields []yamlField) string {
	names := make([]string, len(fields))
	for i, f := range fields {
		names[i] = f.name
	}
	return strings.Join(names, ", ")
}
