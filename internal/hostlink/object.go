package hostlink

import (
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
		for _, m := range msgs {
			if len(m) >= head && (m[0] == family || family == 0) {
				list = append(list, Object{slices.Clone(m[:head]), parseAttrs(m[head:])})
			}
		}
	}
	return list, nil
}

// change is a copy that can be written to.
func (o Object) clone() Object { return Object{slices.Clone(o.Head), slices.Clone(o.Attrs)} }
