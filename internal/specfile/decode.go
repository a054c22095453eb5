package specfile

import (
	"encoding"
	"fmt"
	"reflect"

	"go.yaml.in/yaml/v4"

	"kvmnet/internal/spec"
)

// maxAliased is how many values may come from aliases. It stops a small file
// whose aliases of aliases would unfold into billions of values.
const maxAliased = 100_000

// decoder walks YAML nodes and Go values side by side and collects problems
// instead of stopping at one. The depth of the walk is that of the Go types.
type decoder struct {
	file     *File
	into     reflect.Value // what the file is read into, a struct
	single   bool          // it is one object: there is one document
	problems []Problem
	aliases  int // aliases around the present node
	aliased  int // nodes read below aliases
}

func (d *decoder) add(at place, path, message, hint string) {
	d.problems = append(d.problems, d.file.problem(at, path, message, hint))
}

// fault reports a value that cannot be read.
func (d *decoder) fault(n *yaml.Node, path, message, hint string) {
	d.file.faulty[path] = true
	d.add(placeOf(n), path, message, hint)
}

func placeOf(n *yaml.Node) place { return place{n.Line, n.Column} }

// value reads a node into v.
func (d *decoder) value(path string, n *yaml.Node, v reflect.Value) {
	if n.Kind == yaml.AliasNode {
		d.aliases++
		defer func() { d.aliases-- }()
	}
	target, ok := d.follow(path, n)
	if !ok || d.refuseTag(path, target) {
		return
	}
	if isNull(target) {
		d.null(path, n, v)
		return
	}
	switch {
	case isText(v):
		d.text(path, target, v)
	case v.Kind() == reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		d.value(path, target, v.Elem())
	case v.Kind() == reflect.Struct:
		d.object(path, target, v)
	case v.Kind() == reflect.Map:
		d.entries(path, target, v)
	case v.Kind() == reflect.Slice:
		d.list(path, target, v)
	case isWords(v) && target.Kind == yaml.SequenceNode:
		d.words(path, target, v)
	default:
		d.scalar(path, target, v)
	}
}

// follow returns the node an alias stands for. It refuses when aliases unfold
// into too much, once.
func (d *decoder) follow(path string, n *yaml.Node) (*yaml.Node, bool) {
	if d.aliases > 0 {
		d.aliased++
	}
	if d.aliased == maxAliased {
		d.fault(n, path, fmt.Sprintf("the aliases of the file unfold into more than %d values", maxAliased), "write the values out")
	}
	if d.aliased >= maxAliased {
		return nil, false
	}
	if n.Kind == yaml.AliasNode {
		return n.Alias, n.Alias != nil
	}
	return n, true
}

// refuseTag refuses tags other than those of JSON's types.
func (d *decoder) refuseTag(path string, n *yaml.Node) bool {
	if n.Style&yaml.TaggedStyle == 0 {
		return false
	}
	switch n.Tag {
	case "!!str", "!!int", "!!bool", "!!map", "!!seq":
		return false
	}
	d.fault(n, path, fmt.Sprintf("the tag %s is not supported", n.Tag), "remove the tag")
	return true
}

func isNull(n *yaml.Node) bool { return n.Kind == yaml.ScalarNode && n.Tag == "!!null" }

func isText(v reflect.Value) bool {
	return reflect.PointerTo(v.Type()).Implements(reflect.TypeFor[encoding.TextUnmarshaler]())
}

// wordsReader is text that can be written as a list as well.
type wordsReader interface{ UnmarshalList([]string) error }

func isWords(v reflect.Value) bool {
	return reflect.PointerTo(v.Type()).Implements(reflect.TypeFor[wordsReader]())
}

// words reads a sequence into such a text.
func (d *decoder) words(path string, n *yaml.Node, v reflect.Value) {
	var words []string
	found := len(d.problems)
	for i, item := range n.Content {
		var word string
		d.value(spec.Index(path, i), item, reflect.ValueOf(&word).Elem())
		words = append(words, word)
	}
	if len(d.problems) > found {
		d.file.faulty[path] = true
		return
	}
	if err := v.Addr().Interface().(wordsReader).UnmarshalList(words); err != nil {
		d.fault(n, path, err.Error(), "")
	}
}

// null lets an empty value pass where it can only mean "nothing": a list or map,
// or an object whose name alone says enough. Elsewhere it would be a guess.
func (d *decoder) null(path string, n *yaml.Node, v reflect.Value) {
	object := v.Kind() == reflect.Pointer && v.Type().Elem().Kind() == reflect.Struct
	switch {
	case v.Kind() == reflect.Map || v.Kind() == reflect.Slice:
	case object && len(spec.Split(path)) == 2: // by name, such as bridges.br0
		v.Set(reflect.New(v.Type().Elem()))
	case object:
		d.fault(n, path, "the key has no value", "write {} to have it with its defaults, or remove the key")
	default:
		d.fault(n, path, "the value is missing", "")
	}
}

// object reads a mapping into a struct.
func (d *decoder) object(path string, n *yaml.Node, v reflect.Value) {
	if n.Kind != yaml.MappingNode {
		d.wrongKind(path, n, v.Type())
		return
	}
	fields := fieldsOf(v.Type())
	for _, p := range d.pairs(path, n) {
		field, known := fields[p.name]
		if !known {
			d.unknownKey(path, p.key, p.name, v.Type())
			continue
		}
		d.pairValue(spec.Field(path, p.name), p, v.FieldByIndex(field.Index))
	}
}

// entries reads a mapping into a map by name. It adds to the map, for a second
// document; a name may not come twice.
func (d *decoder) entries(path string, n *yaml.Node, v reflect.Value) {
	if n.Kind != yaml.MappingNode {
		d.wrongKind(path, n, v.Type())
		return
	}
	if v.IsNil() {
		v.Set(reflect.MakeMap(v.Type()))
	}
	for _, p := range d.pairs(path, n) {
		name, at := reflect.ValueOf(p.name), spec.Field(path, p.name)
		if v.MapIndex(name).IsValid() {
			d.add(placeOf(p.key), at, fmt.Sprintf("%q is defined twice, first at line %d", p.name, d.file.places[at].line), "remove one of them")
			continue
		}
		entry := reflect.New(v.Type().Elem()).Elem()
		d.pairValue(at, p, entry)
		if entry.Kind() == reflect.Pointer && entry.IsNil() {
			continue // reported
		}
		v.SetMapIndex(name, entry)
	}
}

// list reads a sequence into a slice. An element at fault keeps its position.
func (d *decoder) list(path string, n *yaml.Node, v reflect.Value) {
	if n.Kind != yaml.SequenceNode {
		d.wrongKind(path, n, v.Type())
		return
	}
	for i, item := range n.Content {
		at := spec.Index(path, i)
		d.file.places[at] = placeOf(item)
		element := reflect.New(v.Type().Elem()).Elem()
		d.value(at, item, element)
		v.Set(reflect.Append(v, element))
	}
}
