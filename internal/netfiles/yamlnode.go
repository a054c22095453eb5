package netfiles

import (
	"bytes"
	"fmt"
	"strings"

	"go.yaml.in/yaml/v4"
)

// parseYAML reads a file into nodes, with its comments. An empty one is nil. The parser
// reports some broken states by panicking.
func parseYAML(path, text string) (doc *yaml.Node, err error) {
	defer func() {
		if r := recover(); r != nil {
			doc, err = nil, fmt.Errorf("%s: the YAML parser stopped: %v", path, r)
		}
	}()
	doc = &yaml.Node{}
	if err := yaml.Unmarshal([]byte(text), doc); err != nil {
		return nil, fmt.Errorf("%s: %s", path, strings.TrimPrefix(err.Error(), "yaml: "))
	}
	if doc.Kind == 0 || len(doc.Content) == 0 || doc.Content[0].Tag == "!!null" {
		return nil, nil
	}
	return doc, nil
}

// formatYAML writes nodes, indented as a text is.
func formatYAML(doc *yaml.Node, as string) (text string, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("the YAML writer stopped: %v", r)
		}
	}()
	indent, compact := indentation(as)
	var b bytes.Buffer
	d, err := yaml.NewDumper(&b, yaml.WithIndent(indent), yaml.WithCompactSeqIndent(compact), yaml.WithLineWidth(-1))
	if err != nil {
		return "", err
	}
	if err := d.Dump(doc); err != nil {
		return "", err
	}
	return b.String(), d.Close()
}

// indentation is that of the first line that is indented, and whether the dashes of a
// list stand below the key.
func indentation(text string) (n int, compact bool) {
	key := -1
	for l := range strings.Lines(text) {
		body := strings.TrimLeft(strings.TrimRight(l, "\r\n"), " ")
		at := len(strings.TrimRight(l, "\r\n")) - len(body)
		switch {
		case body == "" || body[0] == '#':
			continue
		case body[0] == '-' && key >= 0 && at == key:
			compact = true
		case at > 0 && n == 0:
			n = at
		}
		if key = -1; strings.HasSuffix(body, ":") {
			key = at
		}
	}
	if n < 2 || n > 9 {
		n = 2
	}
	return n, compact
}

// child is the value of a key, nil when there is none or n is no mapping.
func child(n *yaml.Node, key string) *yaml.Node {
	if at := childAt(n, key); at >= 0 {
		return follow(n.Content[at+1])
	}
	return nil
}

func childAt(n *yaml.Node, key string) int {
	if n = follow(n); n == nil || n.Kind != yaml.MappingNode {
		return -1
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == key {
			return i
		}
	}
	return -1
}

// follow is what an alias stands for.
func follow(n *yaml.Node) *yaml.Node {
	if n != nil && n.Kind == yaml.AliasNode {
		return n.Alias
	}
	return n
}

// keysOf are the keys of a mapping.
func keysOf(n *yaml.Node) []string {
	var list []string
	if n = follow(n); n != nil && n.Kind == yaml.MappingNode {
		for i := 0; i+1 < len(n.Content); i += 2 {
			list = append(list, n.Content[i].Value)
		}
	}
	return list
}

// cut takes a key with its value out of a mapping.
func cut(n *yaml.Node, key string) []*yaml.Node {
	at := childAt(n, key)
	if at < 0 {
		return nil
	}
	pair := []*yaml.Node{n.Content[at], n.Content[at+1]}
	n.Content = append(n.Content[:at:at], n.Content[at+2:]...)
	return pair
}

// ensure is the mapping below a key, which is made where it is missing, behind another
// key where that is there.
func ensure(n *yaml.Node, key, behind string) *yaml.Node {
	if at := childAt(n, key); at >= 0 {
		if n.Content[at+1].Tag == "!!null" {
			n.Content[at+1] = &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map"}
		}
		return n.Content[at+1]
	}
	m := &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map"}
	at := len(n.Content)
	if b := childAt(n, behind); b >= 0 {
		at = b + 2
	}
	n.Content = append(n.Content[:at:at], append([]*yaml.Node{word(key), m}, n.Content[at:]...)...)
	return m
}

// put sets a key of a mapping.
func put(n *yaml.Node, key string, value *yaml.Node) {
	if at := childAt(n, key); at >= 0 {
		n.Content[at+1] = value
		return
	}
	n.Content = append(n.Content, word(key), value)
}

func word(s string) *yaml.Node { return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: s} }

// quoted is for what YAML 1.1, which netplan reads, takes for a number to the base 60.
func quoted(s string) *yaml.Node {
	return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: s, Style: yaml.DoubleQuotedStyle}
}

func number(n int) *yaml.Node {
	return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!int", Value: fmt.Sprint(n)}
}

func truth(b bool) *yaml.Node {
	return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!bool", Value: fmt.Sprint(b)}
}

func list(style yaml.Style, items ...*yaml.Node) *yaml.Node {
	return &yaml.Node{Kind: yaml.SequenceNode, Tag: "!!seq", Style: style, Content: items}
}

// anchored finds an anchor or an alias in a node: it cannot be moved without looking at
// the rest of the file.
func anchored(n *yaml.Node) *yaml.Node {
	if n.Anchor != "" || n.Kind == yaml.AliasNode {
		return n
	}
	for _, c := range n.Content {
		if found := anchored(c); found != nil {
			return found
		}
	}
	return nil
}

// copyOf is a node with all below.
func copyOf(n *yaml.Node) *yaml.Node {
	c := *n
	c.Content = nil
	for _, below := range n.Content {
		c.Content = append(c.Content, copyOf(below))
	}
	return &c
}
