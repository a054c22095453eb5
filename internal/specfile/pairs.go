package specfile

import (
	"fmt"
	"reflect"

	"go.yaml.in/yaml/v4"
)

// pair is a key of a mapping with its value.
type pair struct {
	name       string
	key, value *yaml.Node
	merged     bool // by a merge key from another mapping, so maybe not for the first time
}

// place is where problems of the value are shown: at the value when it is a
// scalar or a list on the same line, else at the key.
func (p pair) place() place {
	flow := p.value.Style&yaml.FlowStyle != 0
	switch {
	case p.value.Kind == yaml.MappingNode, p.value.Kind == yaml.SequenceNode && !flow, isNull(p.value):
		return placeOf(p.key)
	}
	return placeOf(p.value)
}

// pairs returns the keys of a mapping in their order, those of merge keys (<<)
// last and only where the mapping does not have them itself.
func (d *decoder) pairs(path string, n *yaml.Node) []pair {
	var pairs []pair
	seen := map[string]*yaml.Node{}
	for _, p := range d.own(path, n) {
		if first, twice := seen[p.name]; twice {
			d.add(placeOf(p.key), path, fmt.Sprintf("the key %q appears twice, first at line %d", p.name, first.Line), "remove one of them")
			continue
		}
		seen[p.name] = p.key
		pairs = append(pairs, p)
	}
	for _, p := range d.merged(path, n, 0) {
		if _, has := seen[p.name]; !has {
			seen[p.name] = p.key
			p.merged = true
			pairs = append(pairs, p)
		}
	}
	return pairs
}

// pairValue reads the value of a pair.
func (d *decoder) pairValue(path string, p pair, v reflect.Value) {
	if p.merged {
		d.aliases++
		defer func() { d.aliases-- }()
	}
	d.file.places[path] = p.place()
	d.value(path, p.value, v)
}

// own returns the pairs that a mapping spells out.
func (d *decoder) own(path string, n *yaml.Node) []pair {
	var pairs []pair
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		if key.Tag == "!!merge" {
			continue
		}
		scalar := key
		if key.Kind == yaml.AliasNode {
			scalar = key.Alias
		}
		if scalar == nil || scalar.Kind != yaml.ScalarNode {
			d.add(placeOf(key), path, "a key must be plain text", "")
			continue
		}
		pairs = append(pairs, pair{name: scalar.Value, key: key, value: value})
	}
	return pairs
}

// maxMerges is how deep merge keys may lead through mappings with merge keys.
const maxMerges = 16

// merged returns the pairs that the merge keys of a mapping bring in.
func (d *decoder) merged(path string, n *yaml.Node, depth int) []pair {
	var pairs []pair
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Tag != "!!merge" {
			continue
		}
		sources := []*yaml.Node{n.Content[i+1]}
		if sources[0].Kind == yaml.SequenceNode {
			sources = sources[0].Content
		}
		for _, s := range sources {
			pairs = append(pairs, d.mergeSource(path, s, depth)...)
		}
	}
	return pairs
}

func (d *decoder) mergeSource(path string, n *yaml.Node, depth int) []pair {
	d.aliases++
	defer func() { d.aliases-- }()
	source, ok := d.follow(path, n)
	switch {
	case !ok:
		return nil
	case source.Kind != yaml.MappingNode:
		d.add(placeOf(n), path, "a merge key needs a mapping, or a list of mappings", "")
		return nil
	case depth >= maxMerges:
		d.add(placeOf(n), path, fmt.Sprintf("merge keys lead through more than %d mappings", maxMerges), "")
		return nil
	}
	own := d.own(path, source)
	d.aliased = min(d.aliased+len(own), max(d.aliased, maxAliased-1)) // follow reports the limit
	return append(own, d.merged(path, source, depth+1)...)
}
