package specfile

import (
	"encoding"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"go.yaml.in/yaml/v4"

	"kvmnet/internal/spec"
)

// Format writes a Spec as canonical YAML: keys in the order of the Go types,
// names sorted, values at their defaults left out, small objects on one line.
// Parse reads it back as an equal Spec. One object, for a file of its own, is
// written as a Spec that holds nothing else.
//
// The Spec must be one that Validate accepts; text that is not UTF-8 would be
// an error of the caller, and stops.
func Format(s *spec.Spec) []byte {
	doc := node(reflect.ValueOf(s).Elem())
	text, err := yaml.Dump(doc, yaml.WithFlowSimpleCollections(), yaml.WithLineWidth(120), yaml.WithCompactSeqIndent(false))
	if err != nil {
		panic(fmt.Sprintf("format a spec: %v", err))
	}
	return text
}

// node builds the YAML form of a value.
func node(v reflect.Value) *yaml.Node {
	if m, ok := v.Interface().(encoding.TextMarshaler); ok && v.Kind() != reflect.Pointer {
		text, err := m.MarshalText()
		if err != nil {
			panic(fmt.Sprintf("format a %s: %v", v.Type(), err))
		}
		return textNode(v, string(text))
	}
	switch v.Kind() {
	case reflect.Pointer:
		return node(v.Elem())
	case reflect.Struct:
		return structNode(v)
	case reflect.Map:
		return mapNode(v)
	case reflect.Slice:
		return listNode(v)
	case reflect.String:
		return textNode(v, v.String())
	case reflect.Bool:
		return scalar(fmt.Sprint(v.Bool()), "!!bool")
	}
	return scalar(fmt.Sprint(v.Interface()), "!!int")
}

// textNode writes a text: one of several words as the list that people write, a
// port alone as a number.
func textNode(v reflect.Value, text string) *yaml.Node {
	if several := strings.Split(text, ", "); isWords(v) && len(several) > 1 {
		n := &yaml.Node{Kind: yaml.SequenceNode, Tag: "!!seq"}
		for _, word := range several {
			n.Content = append(n.Content, wordNode(v, word))
		}
		return n
	}
	return wordNode(v, text)
}

func wordNode(v reflect.Value, text string) *yaml.Node {
	switch v.Interface().(type) {
	case spec.PortRange, spec.PortRanges, spec.Listen:
		if n, err := strconv.ParseUint(text, 10, 16); err == nil && strconv.FormatUint(n, 10) == text {
			return scalar(text, "!!int")
		}
	}
	return scalar(text, "!!str")
}

func structNode(v reflect.Value) *yaml.Node {
	n := &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map"}
	for _, f := range reflect.VisibleFields(v.Type()) {
		key, options, _ := strings.Cut(f.Tag.Get("yaml"), ",")
		if field := v.FieldByIndex(f.Index); key != "" && !(options == "omitempty" && isEmpty(field)) {
			n.Content = append(n.Content, scalar(key, "!!str"), node(field))
		}
	}
	return n
}

// isEmpty is omitempty's meaning: a pointer that is set is never empty.
func isEmpty(v reflect.Value) bool {
	switch v.Kind() {
	case reflect.Map, reflect.Slice:
		return v.Len() == 0
	}
	return v.IsZero()
}

func mapNode(v reflect.Value) *yaml.Node {
	n := &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map"}
	names := v.MapKeys()
	slices.SortFunc(names, func(a, b reflect.Value) int { return strings.Compare(a.String(), b.String()) })
	for _, name := range names {
		n.Content = append(n.Content, scalar(name.String(), "!!str"), node(v.MapIndex(name)))
	}
	return n
}

func listNode(v reflect.Value) *yaml.Node {
	n := &yaml.Node{Kind: yaml.SequenceNode, Tag: "!!seq"}
	for i := range v.Len() {
		n.Content = append(n.Content, node(v.Index(i)))
	}
	return n
}

// scalar writes one value. The library quotes what would else read as another
// type; what only YAML 1.1 takes for a number or a boolean (52:54:00:11:22:33 is
// one to the base 60) is quoted for the readers that still follow it.
func scalar(text, tag string) *yaml.Node {
	n := &yaml.Node{Kind: yaml.ScalarNode, Tag: tag, Value: text}
	switch {
	case tag != "!!str":
	case isBlock(text):
		n.Style = yaml.LiteralStyle
	case strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsPrint(r) }):
		n.Style = yaml.DoubleQuotedStyle
	case strings.Contains(text, ":") || slices.Contains(oldBooleans, strings.ToLower(text)):
		n.Style = yaml.SingleQuotedStyle
	}
	return n
}

var oldBooleans = []string{"yes", "no", "on", "off", "y", "n"}

// isBlock reports whether text of several lines can stand as it is, indented.
// White space at the ends of lines, which editors take away, is better quoted.
func isBlock(text string) bool {
	body, ok := strings.CutSuffix(text, "\n")
	if !ok || body == "" || body[0] == ' ' {
		return false
	}
	for line := range strings.SplitSeq(body, "\n") {
		odd := func(r rune) bool { return !unicode.IsPrint(r) }
		if line == "" || line[len(line)-1] == ' ' || strings.ContainsFunc(line, odd) {
			return false
		}
	}
	return true
}
