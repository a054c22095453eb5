package cli

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
)

// object is one object of any kind as listings print it.
type object struct {
	name         string
	spec, status any
	adopted      bool   // somebody else's, seen on one of our bridges
	about        string // a few words for a shell

	// rows are its lines in a table: the cells behind the name. There is one, except
	// where an object has several parts.
	rows []row
}

// row is a line of a table: the cells of every form, and those of the wide one.
type row struct{ cells, wide []string }

// objects turns a list of anything into objects.
func objects[T any](list []T, as func(T) object) []object {
	all := make([]object, len(list))
	for i, v := range list {
		all[i] = as(v)
	}
	return all
}

// entry is an object in JSON and YAML: the keys of its definition, and then its
// status. Its name comes first when it stands alone.
type entry struct {
	name         string
	spec, status any // a nil status is left out
}

func (o object) alone() entry { return entry{o.name, o.spec, o.status} }

// MarshalJSON implements json.Marshaler.
func (e entry) MarshalJSON() ([]byte, error) {
	parts := []any{e.spec}
	if e.name != "" {
		parts = slices.Insert(parts, 0, any(map[string]string{"name": e.name}))
	}
	if e.status != nil {
		parts = append(parts, map[string]any{"status": e.status})
	}
	var fields [][]byte
	for _, part := range parts {
		text, err := compact(part)
		if err != nil {
			return nil, err
		}
		if text = bytes.TrimSuffix(bytes.TrimPrefix(text, []byte("{")), []byte("}")); len(text) > 0 && string(text) != "null" {
			fields = append(fields, text)
		}
	}
	return slices.Concat([]byte("{"), bytes.Join(fields, []byte(",")), []byte("}")), nil
}

// compact is json.Marshal without the escapes that only HTML needs.
func compact(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	err := e.Encode(v)
	return bytes.TrimSpace(b.Bytes()), err
}

// document is a listing in the shape of the YAML files people write, with a
// status at every object. Without the status it can be applied.
type document []section

type section struct {
	kind kind
	list []object
}

// MarshalJSON implements json.Marshaler: the sections in their order.
func (d document) MarshalJSON() ([]byte, error) {
	var b bytes.Buffer
	for i, s := range d {
		entries := map[string]entry{}
		for _, o := range s.list {
			entries[o.name] = entry{"", o.spec, o.status}
		}
		text, err := compact(entries)
		if err != nil {
			return nil, err
		}
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, "%q:%s", s.kind.name, text)
	}
	return slices.Concat([]byte("{"), b.Bytes(), []byte("}")), nil
}

// definitions takes away what is observed, so that the rest can be applied:
// status, and the interfaces that are on a bridge without being ours.
func (d document) definitions() document {
	var defined document
	for _, s := range d {
		list := slices.DeleteFunc(slices.Clone(s.list), func(o object) bool { return o.adopted })
		for i := range list {
			list[i].status = nil
		}
		defined = append(defined, section{s.kind, list})
	}
	return defined
}

// table lays the objects of a section out.
func (s section) table(wide bool) *table {
	t := &table{head: append([]string{"NAME"}, s.kind.head...)}
	if wide {
		t.head = append(t.head, s.kind.wide...)
	}
	for _, o := range s.list {
		for _, r := range o.rows {
			line := append([]string{o.name}, r.cells...)
			if wide {
				line = append(line, r.wide...)
			}
			t.add(line...)
		}
	}
	return t
}

// list prints the objects of one kind.
func (a *app) list(k kind, list []object, form string) error {
	return a.listAll(document{{k, list}}, form, false)
}

// listAll prints sections. When they are several, only those with objects are in
// tables, with a line between; --quiet then names objects with their kind.
func (a *app) listAll(d document, form string, several bool) error {
	return a.print(form, d, func() error {
		printed := 0
		for _, s := range d {
			if several && len(s.list) == 0 {
				continue
			}
			if a.quiet {
				a.nameAll(s, several)
				continue
			}
			if printed++; printed > 1 {
				fmt.Fprintln(a.Stdout)
			}
			if err := a.show(s.table(form == asWide)); err != nil {
				return err
			}
		}
		return nil
	})
}

func (a *app) nameAll(s section, several bool) {
	for _, o := range s.list {
		if several {
			fmt.Fprint(a.Stdout, s.kind.word()+"/")
		}
		fmt.Fprintln(a.Stdout, o.name)
	}
}
