package hostlink

import (
	"cmp"
	"fmt"
	"slices"
)

// Object is an address, a route, a rule, a neighbour or a nexthop as the kernel told
// it: the fixed header of its message, and its attributes.
type Object struct {
	Head  []byte `json:"head"`
	Attrs Attrs  `json:"attrs"`
}

// family is the first byte of every header.
func (o Object) family() uint8 { return o.Head[0] }

// objects lists objects of some families. A kernel without a family answers with those
// of others.
func (s *socket) objects(what string, kind uint16, head int, families ...uint8) (list []Object, err error) {
	for _, family := range families {
		ask := make([]byte, head)
		ask[0] = family
		msgs, err := s.dump(kind, ask)
		if err != nil {
			return nil, fmt.Errorf("list %s: %w", what, err)
		}
		list = append(list, parseObjects(msgs, head, family)...)
	}
	return list, nil
}

func parseObjects(msgs [][]byte, head int, family uint8) (list []Object) {
	for _, m := range msgs {
		if len(m) >= head && (m[0] == family || family == 0) {
			list = append(list, Object{slices.Clone(m[:head]), parseAttrs(m[head:])})
		}
	}
	return list
}

// clone is a copy whose header can be written to.
func (o Object) clone() Object { return Object{slices.Clone(o.Head), slices.Clone(o.Attrs)} }

// canonical is the object as a key: attributes have no order.
func (o Object) canonical() string {
	attrs := slices.Clone(o.Attrs)
	slices.SortStableFunc(attrs, func(a, b Attr) int { return cmp.Compare(a.Type, b.Type) })
	return string(attrs.appendTo(slices.Clone(o.Head)))
}

// body is the object as part of a message.
func (o Object) body() []byte {
	head := slices.Clone(o.Head)
	return o.Attrs.appendTo(append(head, make([]byte, align(len(head))-len(head))...))
}
